"""The task graph's memory: an append-only cache that loses nothing and never stands in the way."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hermes import codec, files
from hermes.cli.taskdb import TaskDatabase, recorded

NAMES = st.sampled_from(["plan:a", "b", "ü:x", 'quo"te', "back\\slash", "line\nbreak", "\udc80"])


def opened(path: Path) -> TaskDatabase:
    return TaskDatabase(str(path), codec=None)


def succeed(database: TaskDatabase, task: str, **values: Any) -> None:
    """Record a task's success in the order in which doit does."""
    database.set(task, "_values_:", values)
    database.set(task, "checker:", "StateChecker")
    database.set(task, "/some/file", [1, 2])
    database.set(task, "deps:", ("/some/file",))


def values(path: Path, task: str) -> Any:
    return opened(path).get(task, "_values_:")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".doit" / "tasks.jsonl"


def test_a_success_is_on_disk_before_the_session_ends(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=3)
    assert values(path, "plan:a") == {"seen": 3}
    assert opened(path).get("plan:a", "/some/file") == [1, 2]
    assert opened(path).get("plan:a", "deps:") == ["/some/file"]


def test_half_a_success_is_not_recorded(path: Path) -> None:
    opened(path).set("plan:a", "_values_:", {"seen": 3})
    assert not path.exists()


def test_the_last_line_of_a_task_counts(path: Path) -> None:
    for number in range(3):
        succeed(opened(path), "plan:a", seen=number)
    assert values(path, "plan:a") == {"seen": 2}
    assert len(path.read_bytes().splitlines()) == 3


def test_reading_leaves_no_file(path: Path) -> None:
    database = opened(path)
    assert database.get("plan:a", "deps:") is None
    assert not database.in_("plan:a")
    database.remove("plan:a")
    database.remove_all()
    database.dump()
    assert not path.parent.exists()
    assert dict(recorded(path)) == {}


def test_nothing_is_made_where_there_is_no_data_root(tmp_path: Path) -> None:
    path = tmp_path / "no-lab" / ".doit" / "tasks.jsonl"
    database = opened(path)
    succeed(database, "plan:a", seen=1)
    assert database.get("plan:a", "_values_:") == {"seen": 1}
    assert not (tmp_path / "no-lab").exists()


def test_an_ignored_task_stays_ignored(path: Path) -> None:
    opened(path).set("plan:a", "ignore:", "1")
    assert opened(path).get("plan:a", "ignore:") == "1"


def test_a_removed_task_is_forgotten(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    database = opened(path)
    database.remove("plan:a")
    assert not database.in_("plan:a")
    assert not opened(path).in_("plan:a")


def test_removing_also_forgets_what_another_process_recorded_meanwhile(path: Path) -> None:
    succeed(opened(path), "b", seen=1)
    early = opened(path)
    succeed(opened(path), "plan:a", seen=1)
    early.remove("plan:a")
    assert not opened(path).in_("plan:a")


def test_forgetting_all_forgets_all(path: Path) -> None:
    database = opened(path)
    succeed(database, "plan:a", seen=1)
    database.remove_all()
    assert not database.in_("plan:a")
    succeed(database, "b", seen=2)
    assert list(recorded(path)) == ["b"]


def test_files_that_a_task_no_longer_depends_on_are_dropped(path: Path) -> None:
    database = opened(path)
    succeed(database, "plan:a", seen=1)
    database.set("plan:a", "/other", [3, 4])
    database.set("plan:a", "deps:", ("/other",))
    assert set(recorded(path)["plan:a"]) == {"_values_:", "checker:", "/other", "deps:"}


def test_what_the_file_says_already_is_not_said_again(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    before = path.read_bytes()
    succeed(opened(path), "plan:a", seen=1)
    opened(path).remove("never:known")
    assert path.read_bytes() == before


def test_a_success_counts_also_when_another_process_recorded_since(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    early = opened(path)
    succeed(opened(path), "plan:a", seen=2)
    succeed(early, "plan:a", seen=1)
    assert values(path, "plan:a") == {"seen": 1}


def test_files_are_recorded_in_one_order(path: Path) -> None:
    database = opened(path)
    database.set("plan:a", "/b", 1)
    database.set("plan:a", "/a", 2)
    database.set("plan:a", "deps:", ("/b", "/a"))
    before = path.read_bytes()
    database = opened(path)
    database.set("plan:a", "deps:", ("/a", "/b"))
    assert path.read_bytes() == before


# Broken files


def test_a_torn_tail_is_healed_and_costs_only_its_own_line(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    succeed(opened(path), "b", seen=2)
    path.write_bytes(path.read_bytes()[:-30])
    assert values(path, "plan:a") == {"seen": 1}
    assert not opened(path).in_("b")
    succeed(opened(path), "b", seen=3)
    assert values(path, "plan:a") == {"seen": 1}
    assert values(path, "b") == {"seen": 3}


def test_a_torn_line_leaves_the_line_before_it_in_force(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2] + b"\n")
    assert values(path, "plan:a") == {"seen": 1}


def test_a_changed_line_is_not_believed(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    path.write_bytes(path.read_bytes().replace(b'"seen":1', b'"seen":9'))
    assert values(path, "plan:a") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 4096, b"not ours\n" * 10, b"[]\n{}\nnull\n7\n", b'{"task":', b"\xff\n\xfe"],
)
def test_a_foreign_file_costs_time_only(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    database = opened(path)
    assert not database.in_("plan:a")
    succeed(database, "plan:a", seen=1)
    database.dump()
    assert values(path, "plan:a") == {"seen": 1}


def test_a_folder_in_its_place_is_ignored_with_one_notice(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.mkdir(parents=True)
    database = opened(path)
    for task in ("plan:a", "b"):
        succeed(database, task, seen=1)
        assert database.get(task, "_values_:") == {"seen": 1}
    database.remove("b")
    database.remove_all()
    database.dump()
    assert recorded(path) == {}
    assert capsys.readouterr().err.count("\n") == 1


def test_a_vanished_folder_does_not_fail_a_task(path: Path) -> None:
    database = opened(path)
    succeed(database, "plan:a", seen=1)
    path.unlink()
    path.parent.rmdir()
    succeed(database, "b", seen=2)
    assert values(path, "b") == {"seen": 2}


class FullDisk(files.Operations):
    def write(self, fd: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_a_notice_and_the_session_goes_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    succeed(opened(path), "plan:a", seen=1)
    database = opened(path)
    previous = files.use(FullDisk())
    try:
        succeed(database, "plan:a", seen=2)
        succeed(database, "b", seen=3)
        database.dump()
    finally:
        files.use(previous)
    assert database.get("b", "_values_:") == {"seen": 3}
    assert values(path, "plan:a") == {"seen": 1}
    notice = capsys.readouterr().err
    assert notice.count("\n") == 1
    assert "No space left" in notice


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), {(1, 2): 3}, object()])
def test_a_value_without_a_json_form_is_a_notice(
    path: Path, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    database = opened(path)
    succeed(database, "plan:a", seen=value)
    database.dump()
    assert not opened(path).in_("plan:a")
    assert capsys.readouterr().err.count("\n") == 1


# Rewriting


def test_a_file_of_mostly_dead_lines_is_rewritten_and_nothing_is_lost(path: Path) -> None:
    database = opened(path)
    for number in range(1001):
        succeed(database, f"task:{number % 5}", seen=number)
    beside = opened(path)
    succeed(beside, "late", seen=7)
    database.dump()
    assert len(path.read_bytes().splitlines()) == 6
    assert values(path, "late") == {"seen": 7}
    assert values(path, "task:0") == {"seen": 1000}
    succeed(beside, "later", seen=8)
    assert values(path, "later") == {"seen": 8}


def test_a_file_of_living_lines_is_left_alone(path: Path) -> None:
    database = opened(path)
    for number in range(1001):
        succeed(database, f"task:{number}", seen=number)
    before = path.read_bytes()
    database.dump()
    assert path.read_bytes() == before


def test_a_session_that_only_read_rewrites_nothing(path: Path) -> None:
    database = opened(path)
    for number in range(1100):
        succeed(database, "plan:a", seen=number)
    opened(path).dump()
    assert len(path.read_bytes().splitlines()) == 1100


# Reading


def test_a_file_is_read_once_as_long_as_it_is_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(opened(path), "plan:a", seen=1)
    first = recorded(path)
    monkeypatch.setattr(files, "read_lines", lambda *_: pytest.fail("read again"))
    assert recorded(path) is first
    assert opened(path).get("plan:a", "_values_:") == {"seen": 1}


def test_what_was_recorded_since_is_read(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    assert recorded(path)["plan:a"]["_values_:"] == {"seen": 1}
    succeed(opened(path), "plan:a", seen=2)
    assert recorded(path)["plan:a"]["_values_:"] == {"seen": 2}


def test_a_session_does_not_change_what_others_read(path: Path) -> None:
    succeed(opened(path), "plan:a", seen=1)
    seen = recorded(path)
    opened(path).set("plan:a", "_values_:", {"seen": 2})
    assert seen["plan:a"]["_values_:"] == {"seen": 1}


def test_names_are_read_without_decoding_their_states(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(path)
    for number in range(10):
        succeed(database, f"task:{number}", seen=number)
    monkeypatch.setattr(codec, "parse_line", lambda _: pytest.fail("decoded"))
    assert len(list(recorded(path))) == 10


# Side by side


def record_in_children(path: Path, children: int, tasks: int, *, kill: bool) -> dict[str, int]:
    """Let several processes record tasks at once; return what each said was recorded.

    With ``kill`` they are killed at a random moment, in the middle of whatever they do.
    """
    reader, writer = os.pipe()
    pids = []
    for child in range(children):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests
            pid = os.fork()
        if pid == 0:
            _record(path, writer, child, tasks)
        pids.append(pid)
    os.close(writer)
    said = b""
    generator = random.Random(1)
    with os.fdopen(reader, "rb") as stream:
        for _ in range(children * 20 if kill else 0):
            said += stream.readline()
        for pid in pids if kill else ():
            os.kill(pid, signal.SIGKILL)
            said += b"".join(stream.readline() for _ in range(generator.randrange(5)))
        said += stream.read()
    for pid in pids:
        os.waitpid(pid, 0)
    pairs = (line.decode().split() for line in said.splitlines())
    return {name: int(value) for name, value in pairs}


def _record(path: Path, writer: int, child: int, tasks: int) -> None:
    try:
        database = opened(path)
        for number in range(tasks):
            name = f"child{child}:{number % 30}"
            succeed(database, name, seen=number, ballast="x" * 300)
            os.write(writer, f"{name} {number}\n".encode())
            if number % 50 == 49:
                database.dump()
                database = opened(path)
    finally:
        os._exit(0)


def test_processes_side_by_side_lose_nothing_of_each_other(path: Path) -> None:
    path.parent.mkdir()
    filler = opened(path)
    for number in range(1001):
        succeed(filler, "dead", seen=number)
    said = record_in_children(path, 4, 150, kill=False)
    assert len(said) == 4 * 30
    assert {name: recorded(path)[name]["_values_:"]["seen"] for name in said} == said  # type: ignore[index, call-overload]
    assert len(path.read_bytes().splitlines()) < 1001


def test_a_kill_loses_at_most_the_task_in_flight(path: Path) -> None:
    path.parent.mkdir()
    said = record_in_children(path, 4, 100_000, kill=True)
    assert len(said) > 20
    found = recorded(path)
    for name, number in said.items():
        assert found[name]["_values_:"]["seen"] >= number  # type: ignore[index, call-overload]
    succeed(opened(path), "after", seen=1)
    assert values(path, "after") == {"seen": 1}


class SameAsADictionary(RuleBasedStateMachine):
    """The database and a dictionary are told the same and answer the same, reopened or not."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "tasks.jsonl"
        self.database = opened(self.path)
        self.twin: dict[str, dict[str, Any]] = {}

    @rule(task=NAMES, value=st.one_of(st.integers(-5, 5), st.text(max_size=3), st.none()))
    def succeed(self, task: str, value: object) -> None:
        self.database.set(task, "_values_:", {"seen": value})
        self.database.set(task, "deps:", ())
        self.twin[task] = {"_values_:": {"seen": value}}

    @rule(task=NAMES)
    def remove(self, task: str) -> None:
        self.database.remove(task)
        self.twin.pop(task, None)

    @rule()
    def remove_all(self) -> None:
        self.database.remove_all()
        self.twin.clear()

    @rule()
    def reopen(self) -> None:
        self.database.dump()
        self.database = opened(self.path)

    @rule()
    def tear(self) -> None:
        with self.path.open("ab") as stream:
            stream.write(b'{"task":"b","state":{"_val')

    @invariant()
    def answers_agree(self) -> None:
        for task in ("plan:a", "b", "ü:x", 'quo"te', "back\\slash", "line\nbreak", "\udc80"):
            assert self.database.in_(task) == (task in self.twin)
            known = self.twin.get(task, {}).get("_values_:")
            assert self.database.get(task, "_values_:") == known

    def teardown(self) -> None:
        self.folder.cleanup()


TestSameAsADictionary = SameAsADictionary.TestCase
TestSameAsADictionary.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
