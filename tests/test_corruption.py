"""One damaged file, of every kind: it harms what it belongs to, it is named, the others go on."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
from crash_harness import run_killed
from forked import begin, command, done
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs import PROJECTED, a_lab, an_experiment, burst, lines, views
from memory import in_memory

from hermes import files
from hermes.clock import FixedClock
from hermes.lab import Lab
from hermes.layout import SET_ASIDE
from hermes.model import Outcome, Phase
from hermes.steps.execute import execute
from hermes.steps.lifecycle import set_phase
from hermes.steps.opening import open_session
from hermes.steps.plan import plan
from hermes.steps.recover import recover
from hermes.steps.refresh import refresh
from hermes.steps.session import Order
from hermes.steps.verify import verify
from hermes.steps.watchdog import watchdog

VICTIM = "experiments/victim"
BYSTANDERS = ("one", "two")


# What is damaged


class Kind(NamedTuple):
    """A file of the data root, and what is expected when it is damaged.

    ``may_be_gone``: that it is missing is nothing to name. ``heals``: after mending nothing is
    left to name. ``named_by``: what ``watchdog`` names in its place.
    """

    path: str
    heals: bool = True
    may_be_gone: bool = False
    is_named: bool = True
    named_by: str = ""


KINDS = [
    *(
        Kind(name, is_named=False)
        for name in ("README-FIRST.md", "PROGRAM.md", "CHANGELOG.md", ".gitignore")
    ),
    Kind("LAB-STATUS.md"),
    Kind("LAB-INDEX.json"),
    Kind(".doit/tasks.jsonl", may_be_gone=True),
    Kind("digests/daily/YESTERDAY.md", may_be_gone=True),
    Kind("registry/events.jsonl"),
    Kind("registry/locks/lab.project", is_named=False),
    Kind("registry/locks/victim.project", is_named=False),
    Kind("registry/locks/victim.guard", may_be_gone=True),
    Kind("registry/locks/victim.lease.json", may_be_gone=True),
    Kind("registry/locks/victim.beat.json", may_be_gone=True),
    Kind(f"{VICTIM}/SPEC.yaml", heals=False),
    Kind(f"{VICTIM}/journal.jsonl", heals=False),
    Kind(f"{VICTIM}/metrics.jsonl"),
    *(Kind(f"{VICTIM}/{name}") for name in PROJECTED),
    *(
        Kind(f"{VICTIM}/checkpoints/{name}")
        for name in ("state.json", "spec.json", "latest-run.txt", "best-run.txt")
    ),
    *(
        Kind(f"{VICTIM}/checkpoints/{name}", may_be_gone=True)
        for name in ("planned.json", "executed.json", "sealed.json")
    ),
    *(
        Kind(f"{VICTIM}/runs/{run}/{name}", heals=False)
        for run in ("MIDDLE", "LAST")
        for name in ("manifest.json", "metrics.json", "plan.md", "RESULT.md", "stdout.log")
    ),
    Kind(f"{VICTIM}/runs/MIDDLE/artifacts/note.txt", heals=False),
    Kind("dispatch/running/PACKAGE/dispatch.json", heals=False, named_by="victim-00000"),
    *(
        Kind(f"dispatch/running/PACKAGE/{name}", named_by="victim-00000")
        for name in ("execution.json", "run/manifest.json", "run/plan.md", "run/stdout.log")
    ),
    Kind("scratch/sandboxes/victim.0/work/note.txt", is_named=False),
]
BY_PATH = {kind.path: kind for kind in KINDS}


def _replaced(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def _half(path: Path) -> None:
    data = path.read_bytes()
    _replaced(path, data[: len(data) // 2])


def _garbage(path: Path) -> None:
    _replaced(path, random.Random(path.name).randbytes(max(20, path.stat().st_size)))


def _flipped(path: Path) -> None:
    """Change one byte in the middle; size and form stay."""
    data = bytearray(path.read_bytes() or b"x")
    data[len(data) // 2] ^= 1
    _replaced(path, bytes(data))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("x")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


DAMAGES = {
    "half": _half,
    "emptied": lambda path: _replaced(path, b""),
    "garbage": _garbage,
    "a line of garbage": lambda path: _replaced(path, b"garbage\n"),
    "NUL bytes": lambda path: _replaced(path, bytes(max(20, path.stat().st_size))),
    "a folder": _folder,
    "removed": lambda path: path.unlink(),
    "JSON of another type": lambda path: _replaced(path, b'[{"a": 1}]\n'),
    "one bit": _flipped,
    "a link to nowhere": lambda path: _link(path, "/nowhere/at/all"),
    "a link to itself": lambda path: _link(path, path.name),
    "a pipe": _pipe,
}
BELIEVED = (  # without a checksum; whatever number or name they hold does no harm
    ".guard",
    ".lease.json",
    ".beat.json",
    "planned.json",
    "executed.json",
    "sealed.json",
)
NO_FILES = ("a link to nowhere", "a link to itself", "a pipe")


# The lab


class World:
    """A lab of three experiments, one of them left by a crash in the middle of a run."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "lab-data"
        self._kept = folder / "kept"
        self._build(folder)
        sealed = self.lab.bundles.list("victim")
        self._names = {
            "YESTERDAY": sorted(os.listdir(self.lab.layout.daily_digests))[-1].removesuffix(".md"),
            "MIDDLE": sealed[1],
            "LAST": sealed[-1],
            "PACKAGE": os.listdir(self.lab.layout.running)[0],
        }
        shutil.copytree(self.root, self._kept)

    @property
    def lab(self) -> Lab:
        """The lab as a new process would see it."""
        return Lab(self.root, environ={"PATH": os.environ["PATH"]})

    def path(self, kind: str) -> str:
        for symbol, name in self._names.items():
            kind = kind.replace(symbol, name)
        return kind

    def renew(self) -> Lab:
        """Put everything back as it was."""
        files.remove_tree(self.root)
        shutil.copytree(self._kept, self.root, symlinks=True)
        return self.lab

    def _build(self, folder: Path) -> None:
        clock = FixedClock(datetime.now(timezone.utc) - timedelta(days=2))
        lab = a_lab(self.root, clock=clock)
        noting = """echo x > note.txt; printf '{"loss": %s}' "$LAB_PARAM_X" """
        for name in ("victim", *BYSTANDERS):
            an_experiment(lab, folder, name, executor_command=noting, egress_files=["note.txt"])
            burst(lab, name, 3 if name == "victim" else 1)
            clock.advance(60)
        done(self.root, "run_once")
        crashed = run_killed(self._work_without_end, 0)
        assert not crashed.error, crashed.error

    def _work_without_end(self) -> None:
        """Plan and execute a run and beat, then vanish."""
        session = open_session(self.lab, "victim", Order())
        assert session is not None
        planned = plan(session)
        execute(session, planned)
        session.lab.leases._beat(session.lease)


@pytest.fixture(scope="module")
def world():
    with in_memory() as folder:
        yield World(folder)


def content(root: Path) -> dict[str, str]:
    """Return the digest of every file of every sealed bundle."""
    return {
        str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob("experiments/*/runs/*/**/*"))
        if path.is_file() and "/runs/" in str(path)
    }


def named(lab: Lab) -> list[str]:
    return [finding.text for finding in watchdog(lab)]


def run_counts(lab: Lab) -> list[int]:
    return [len(lines(lab, name)) for name in BYSTANDERS]


def go_on(world: World, *words: str):
    """Run a command that may find something, but may not stumble."""
    answer = command(world.root, *words)
    assert answer.code in (0, 1), (words, answer)
    assert "Traceback" not in answer.err
    assert not (world.root / ".doit" / "faults.log").exists(), answer.err
    return answer


# One damaged file


def expect_no_harm(world: World, kind: Kind, damage: str) -> None:
    lab = world.renew()
    path = world.root / world.path(kind.path)
    before = path.read_bytes()
    DAMAGES[damage](path)
    if path.is_file() and path.read_bytes() == before:
        return
    sealed = content(world.root)
    if is_told(kind, damage):
        wanted = kind.named_by or world.path(kind.path)
        assert [text for text in named(lab) if wanted in text], named(lab)
    status = json.loads(go_on(world, "status", "format=json").out)
    assert {item["id"] for item in status["experiments"]} == {"victim", *BYSTANDERS}
    assert {item["run_count"] for item in status["experiments"]} == {2, 4}
    go_on(world, "run_once", "max_runs=10")
    assert run_counts(lab) == [3, 3]
    expect_mended(world, kind, damage)
    kept = content(world.root)
    assert {name: kept.get(name) for name in sealed} == sealed
    numbers = [line.seq for line in lines(lab, "victim")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 4


def is_told(kind: Kind, damage: str) -> bool:
    """Say whether ``watchdog`` is to name the damage before anything is done about it."""
    if damage == "removed":
        return kind.is_named and not kind.may_be_gone
    if damage == "emptied" and kind.path == ".doit/tasks.jsonl":
        return False
    if damage == "one bit" and kind.path.endswith(BELIEVED):
        return False
    is_lock = kind.path.endswith(".project")  # what is in a lock file is never read
    return (is_lock and damage in ("a folder", *NO_FILES)) or kind.is_named


def expect_mended(world: World, kind: Kind, damage: str) -> None:
    lab = world.lab
    watchdog(lab, repair=True)
    left = named(lab)
    wanted = kind.named_by or world.path(kind.path)
    if is_beyond_mending(kind, damage):
        assert left
    for text in left:
        assert wanted in text or "victim" in text, left
    if left:
        assert is_beyond_mending(kind, damage), left


def is_beyond_mending(kind: Kind, damage: str) -> bool:
    """Say whether a person has to look: what is canonical is lost, or in the way stands what
    nobody may move but a person."""
    if kind.path == "registry/events.jsonl":
        return damage not in ("removed", "emptied", "NUL bytes", "half")
    if kind.path.endswith(".guard"):
        return damage in ("a folder", *NO_FILES)
    if kind.path.endswith(".project"):
        return damage in NO_FILES
    return not kind.heals


ALIKE = ("RUNBOOK.md", "NEXT.md", "context.md", "best.md", "CHANGELOG.md", "README-FIRST.md")
FOR_TEXTS = ("half", "garbage", "a folder", "removed", "one bit")


def rotation() -> list[tuple[str, str]]:
    """Return one damage a kind, each damage as often as the others."""
    damages = list(DAMAGES)
    kinds = [kind for kind in KINDS if not kind.path.endswith(ALIKE)]
    return [(kind.path, damages[at % len(damages)]) for at, kind in enumerate(kinds)]


def others(path: str) -> list[str]:
    """Return the damages to a kind that are not in the rotation; of what is parsed, every one."""
    is_parsed = path.endswith((".json", ".jsonl", ".yaml", ".guard", ".project"))
    damages = DAMAGES if is_parsed else FOR_TEXTS
    return [damage for damage in damages if (path, damage) not in rotation()]


@pytest.mark.parametrize(("path", "damage"), rotation())
def test_one_damaged_file_harms_at_most_what_it_belongs_to(world, path, damage):
    expect_no_harm(world, BY_PATH[path], damage)


@pytest.mark.slow
@pytest.mark.parametrize("path", BY_PATH)
def test_any_damage_to_any_file_harms_at_most_what_it_belongs_to(world, path):
    for damage in others(path):
        expect_no_harm(world, BY_PATH[path], damage)


# What stands in the place of a folder, and what does not belong there

FOLDERS = [
    ".doit",
    "control",
    "digests",
    "digests/daily",
    "dispatch",
    "dispatch/running",
    "registry",
    "registry/locks",
    "scratch",
    "scratch/sandboxes",
    f"{VICTIM}/checkpoints",
]


def expect_folder_mended(world: World, folder: str, damage: str) -> None:
    lab = world.renew()
    shutil.rmtree(world.root / folder)
    if damage == "a file":
        (world.root / folder).write_text("in the way")
        inside = f"{folder}/"  # of a folder in it, when that is what the lab needs
        told = [text for text in named(lab) if folder in text or inside in text]
        assert told or folder.startswith("scratch/")
    go_on(world, "run_once", "max_runs=10")
    go_on(world, "watchdog", "repair=yes")
    made = run_counts(lab)
    go_on(world, "run_once", "max_runs=10")
    assert run_counts(lab) == [count + 1 for count in made]
    assert [text for text in named(lab) if SET_ASIDE not in text] == []
    assert verify(lab).problems == ()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_in_the_place_of_a_folder_is_named_and_set_aside(world, folder):
    expect_folder_mended(world, folder, "a file")


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_is_missing_is_made_anew(world, folder):
    expect_folder_mended(world, folder, "nothing")


@pytest.mark.parametrize(
    "stranger",
    [
        "experiments/notes.txt",
        "experiments/.DS_Store",
        "experiments/empty-folder/",
        "dispatch/running/what-is-this",
        "dispatch/running/nobody-000001,a1,worker/",
    ],
)
def test_what_does_not_belong_there_stops_nobody_and_is_named(world, stranger):
    lab = world.renew()
    path = world.root / stranger
    if stranger.endswith("/"):
        path.mkdir()
    else:
        path.write_text("who put this here?")
    assert [text for text in named(lab) if stranger.rstrip("/") in text]
    go_on(world, "status", "format=json")
    go_on(world, "run_once", "max_runs=10")
    assert run_counts(lab) == [3, 3]
    go_on(world, "watchdog", "repair=yes")
    if "dispatch" in stranger:  # it is out of the way; what a person put elsewhere stays
        assert not path.exists()
        assert [text for text in named(lab) if path.name in text]
    else:
        assert path.exists()


@pytest.mark.parametrize("place", ["dispatch/ready", "dispatch/complete", "control/inbox", ""])
def test_what_a_person_leaves_where_the_lab_does_not_look_is_left_alone(world, place):
    lab = world.renew()
    (world.root / place / "mine").mkdir()
    (world.root / place / "mine" / "note.txt").write_bytes(b"\xff")
    go_on(world, "watchdog", "repair=yes")
    assert named(lab) == []
    assert (world.root / place / "mine" / "note.txt").exists()


# Sealed bundles


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A lab that nobody changes for good: four sealed runs, with artifacts in folders."""
    folder = tmp_path_factory.mktemp("sealed")
    lab = a_lab(folder / "lab-data")
    noting = """mkdir out; echo x > out/note.txt; printf '{"loss": %s}' "$LAB_PARAM_X" """
    an_experiment(lab, folder, executor_command=noting, egress_files=["out/note.txt"])
    burst(lab, "exp", 4)
    return lab


def bundle_files(lab: Lab) -> list[Path]:
    return sorted(path for path in lab.layout.experiment("exp").runs.rglob("*") if path.is_file())


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_verify_finds_any_single_changed_missing_or_added_byte(sealed, data):
    paths = [path for path in bundle_files(sealed) if path.stat().st_size]
    path = data.draw(st.sampled_from(paths))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(1, 255))
    damaged = data.draw(
        st.sampled_from(
            [
                before[:at] + bytes([before[at] ^ byte]) + before[at + 1 :],
                before[:at] + before[at + 1 :],
                before[:at] + bytes([byte]) + before[at:],
                before + bytes([byte]),
            ]
        )
    )
    assert verify(sealed, "exp").problems == ()
    path.chmod(0o600)
    path.write_bytes(damaged)
    try:
        problems = verify(sealed, "exp").problems
        assert any(str(path.relative_to(sealed.layout.root)) in text for text in problems), problems
        if path.name != "manifest.json":
            assert len(problems) == 1
    finally:
        path.write_bytes(before)
        path.chmod(0o444)


def test_verify_finds_a_byte_in_a_file_that_was_empty(sealed):
    empty = [path for path in bundle_files(sealed) if not path.stat().st_size]
    assert empty
    for path in empty:
        path.chmod(0o600)
        path.write_bytes(b"\n")
        assert len(verify(sealed).problems) == 1
        path.write_bytes(b"")
        path.chmod(0o444)
    assert verify(sealed).problems == ()


@pytest.mark.parametrize("name", ["extra.txt", "artifacts/extra.txt", "extra/", "artifacts/out/x/"])
def test_verify_finds_any_file_or_folder_that_was_added(sealed, name):
    for run in sealed.bundles.list("exp"):
        path = sealed.layout.experiment("exp").runs / run / name
        path.mkdir() if name.endswith("/") else path.write_bytes(b"")
        problems = verify(sealed).problems
        assert len(problems) == 1
        assert name.rstrip("/") in problems[0]
        path.rmdir() if name.endswith("/") else path.unlink()
    assert verify(sealed).problems == ()


def test_verify_finds_any_file_that_is_missing(sealed, tmp_path):
    for path in bundle_files(sealed):
        path.rename(tmp_path / "away")
        problems = verify(sealed).problems
        assert str(path.relative_to(sealed.layout.root)) in problems[0]
        (tmp_path / "away").rename(path)
    assert verify(sealed).problems == ()


@pytest.mark.parametrize("which", [0, 1, -1])
@pytest.mark.parametrize("lost", ["the bundle", "its manifest"])
def test_a_lost_run_stays_in_history_and_its_number_is_not_given_again(tmp_path, which, lost):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 4)
    run = lab.bundles.list("exp")[which]
    bundle = lab.layout.experiment("exp").run(run)
    shutil.rmtree(bundle.folder) if lost == "the bundle" else bundle.manifest.unlink()
    for _ in range(2):
        burst(lab, "exp", 1)
        watchdog(lab, repair=True)
    assert [line.seq for line in lines(lab)] == [1, 2, 3, 4, 5, 6]
    assert len({line.iteration for line in lines(lab)}) == 6
    assert any(run in text for text in verify(lab).problems)
    assert any(run in text for text in named(lab))


def test_a_run_that_is_lost_with_its_line_is_named_and_its_number_stays_its_own(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 4)
    layout = lab.layout.experiment("exp")
    shutil.rmtree(layout.runs / lab.bundles.list("exp")[1])
    layout.metrics.unlink()
    burst(lab, "exp", 2)
    assert [line.seq for line in lines(lab)] == [1, 3, 4, 5, 6]
    assert "a sealed run is missing" in " ".join(verify(lab).problems)


# Records


def test_a_damaged_index_changes_nothing_that_is_shown(world):
    lab = world.renew()
    recover(lab)
    refresh(lab)
    before = views(lab)
    metrics = lab.layout.experiment("victim").metrics
    kept = metrics.read_bytes()
    for damage in DAMAGES:
        DAMAGES[damage](metrics)
        go_on(world, "status")
        assert views(lab) == before, damage
        refresh(lab)
        assert metrics.read_bytes() == kept, damage


def test_without_a_journal_nothing_runs_until_a_person_decides(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    set_phase(lab, "exp", Phase.COMPLETED, "done")
    journal = lab.layout.experiment("exp").journal
    journal.write_bytes(b"")
    answer = command(lab.layout.root, "run_once")
    assert answer.code == 1
    assert str(journal) in answer.err
    assert "resume exp=exp" in answer.err
    assert len(lines(lab)) == 1
    done(lab.layout.root, "resume", "exp=exp")
    done(lab.layout.root, "run_once")
    assert len(lines(lab)) == 2
    assert any(str(journal) in text for text in named(lab))


def test_decisions_that_were_cut_off_the_end_of_a_journal_are_missed(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    for phase in (Phase.PAUSED, Phase.ACTIVE, Phase.COMPLETED):
        set_phase(lab, "exp", phase, "as I said")
    journal = lab.layout.experiment("exp").journal
    whole = journal.read_bytes().splitlines(keepends=True)
    refresh(lab)
    assert named(lab) == []
    journal.write_bytes(b"".join(whole[:-1]))
    assert any("1 decision(s)" in text and str(journal) in text for text in named(lab))
    assert any("1 decision(s)" in text for text in verify(lab).problems)


def test_a_damaged_ledger_is_kept_and_the_new_one_tells_of_every_sealed_run(world):
    lab = world.renew()
    recover(lab)
    ledger = lab.layout.events
    text = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*text[:2], b"\0" * len(text[2]), *text[3:]]))
    assert any(str(ledger) in text for text in named(lab))
    assert "set the damaged ledger aside" in recover(lab)[0]
    assert lab.ledger.check() == []
    assert lab.ledger.first().kind == "broken"
    told = sorted(
        (event.experiment, event.run_id)
        for event in lab.ledger.read().records
        if event.kind == "sealed"
    )
    runs = [(name, line.run_id) for name in lab.experiments() for line in lines(lab, name)]
    assert told == sorted(runs)
    kept = next(path for path in ledger.parent.iterdir() if SET_ASIDE in path.name)
    assert [text for text in named(lab) if kept.name in text] == named(lab)
    assert verify(lab).problems == ()
    assert recover(lab) == []
    kept.unlink()
    assert named(lab) == []


def test_a_run_whose_package_is_damaged_is_kept_for_a_person(world):
    lab = world.renew()
    package = world.root / world.path("dispatch/running/PACKAGE")
    (package / "dispatch.json").write_bytes(b"")
    output = (package / "run" / "stdout.log").read_bytes()
    go_on(world, "run_once")
    (kept,) = lab.layout.complete.iterdir()
    assert (kept / "package" / "run" / "stdout.log").read_bytes() == output
    assert kept.name in named(lab)[0]


@pytest.mark.parametrize("damage", ["a folder", "a pipe", "a link to itself", "removed"])
def test_a_run_that_was_cut_off_is_sealed_whatever_became_of_its_log(world, damage):
    lab = world.renew()
    package = world.root / world.path("dispatch/running/PACKAGE")
    (package / "execution.json").unlink()
    DAMAGES[damage](package / "run" / "stdout.log")
    go_on(world, "recover")
    assert lines(lab, "victim")[-1].outcome is Outcome.INTERRUPTED
    assert verify(lab).problems == ()
    assert named(lab) == []


# Mending beside living work


def test_an_index_that_is_mended_while_a_run_is_entered_has_it_once(tmp_path, monkeypatch):
    """Another process refreshes and recovers in the very moments between the steps of sealing."""
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    close, publish, record = lab.bundles.close, lab.bundles.publish, lab.record

    def meanwhile() -> None:
        other = Lab(lab.layout.root)
        assert refresh(other).problems == ()
        recover(other)

    def close_and_meanwhile(*args, **more):
        found = close(*args, **more)
        meanwhile()
        return found

    def publish_and_meanwhile(*args, **more):
        found = publish(*args, **more)
        meanwhile()
        return found

    def record_after_that(*args, **more):
        meanwhile()
        record(*args, **more)

    monkeypatch.setattr(lab.bundles, "close", close_and_meanwhile)
    monkeypatch.setattr(lab.bundles, "publish", publish_and_meanwhile)
    monkeypatch.setattr(lab, "record", record_after_that)
    burst(lab, "exp", 3)
    assert [line.seq for line in lines(lab)] == [1, 2, 3]
    assert [line.trial for line in lines(lab)] == [1, 2, 3]
    told = [event.run_id for event in lab.ledger.read().records if event.kind == "sealed"]
    assert told == [line.run_id for line in lines(lab)]
    assert named(lab) == []


@pytest.mark.parametrize(
    "words",
    [("recover",), ("refresh",), ("watchdog", "repair=yes"), ("verify",), ("watchdog",)],
    ids=" ".join,
)
def test_mending_beside_a_burst_harms_nothing_and_raises_no_false_alarm(tmp_path, words):
    lab = a_lab(tmp_path / "lab-data")
    for name in ("busy", "idle"):
        an_experiment(lab, tmp_path, name)
    burst(lab, "idle", 3)
    refresh(lab)
    running = begin(lab.layout.root, "burst", "exp=busy", "n=40")
    ended = threading.Event()
    answers = []

    def mend() -> None:
        while not ended.is_set():
            answers.append(command(lab.layout.root, *words))

    mending = threading.Thread(target=mend)
    mending.start()
    burst_answer = running.end()
    ended.set()
    mending.join()
    assert burst_answer.code == 0, burst_answer
    assert [answer for answer in answers if answer.code] == []
    assert [line.seq for line in lines(lab, "busy")] == list(range(1, 41))
    assert [line.trial for line in lines(lab, "busy")] == list(range(1, 41))
    told = [event.run_id for event in lab.ledger.read().records if event.kind == "sealed"]
    assert len(told) == len(set(told)) == 43
    done(lab.layout.root, "status")
    before = views(lab)
    assert verify(lab).problems == ()
    assert refresh(lab).problems == ()
    assert views(lab) == before
    assert named(lab) == []
