"""Holds ``hermes.executing.slot``: a warm sandbox is what a new one would be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from executing_jobs import (
    CALLER,
    HOSTILE,
    LIST,
    Slot,
    make_workspace,
    spec_in,
    tree_of,
)
from hypothesis import given
from hypothesis import strategies as st

from hermes.executing import local, slot, trees
from hermes.executing.copy_workspace import Source
from hermes.model import Outcome


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "ws")


# Warm


def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    copied: list[str] = []
    copy_file, refill_file = trees.copy_file, trees.refill_file

    def copy(source: str, target: str) -> None:
        copied.append(os.path.basename(target))
        copy_file(source, target)

    def refill(source: str, target: str) -> bool:
        refilled = refill_file(source, target)
        copied.extend([os.path.basename(target)] * refilled)
        return refilled

    monkeypatch.setattr(trees, "copy_file", copy)
    monkeypatch.setattr(trees, "refill_file", refill)
    return copied


def test_a_warm_sandbox_is_not_copied_again(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Slot(tmp_path / "lab")
    copied = copies(monkeypatch)
    lab.run(spec_in(workspace))
    assert len(copied) == 6
    del copied[:]
    lab.run(spec_in(workspace, "echo x >> train.py; touch new; echo 1"))
    lab.run(spec_in(workspace))
    assert copied == ["train.py"]


def test_a_file_that_has_another_name_is_not_mended_through_it(
    tmp_path: Path, workspace: Path
) -> None:
    lab, outside = Slot(tmp_path / "lab"), tmp_path / "outside"
    lab.run(spec_in(workspace, f"ln train.py {outside}; echo kept > train.py; echo 1"))
    assert lab.run(spec_in(workspace, "cat train.py; echo 1")).stdout != "kept\n1\n"
    assert outside.read_text() == "kept\n"
    assert (lab.sandbox / "work" / "train.py").stat().st_nlink == 1


def test_an_edit_of_the_users_is_in_the_next_run(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Slot(tmp_path / "lab")
    spec = spec_in(workspace, "cat train.py new/n.txt; ls; echo 1")
    lab.run(spec)
    copied = copies(monkeypatch)
    (workspace / "train.py").write_text("edited\n")
    (workspace / "new").mkdir()
    (workspace / "new" / "n.txt").write_text("new\n")
    (workspace / "run.sh").unlink()
    shutil.rmtree(workspace / "data")
    (workspace / "data").write_text("now a file")
    assert lab.run(spec).stdout == "edited\nnew\nconfig.json\ndata\nkeep\nnew\nsub\ntrain.py\n1\n"
    assert sorted(copied) == ["data", "n.txt", "train.py"]
    (workspace / "train.py").chmod(0o600)
    lab.run(spec)
    assert (lab.sandbox / "work" / "train.py").stat().st_mode & 0o777 == 0o600


def test_an_edit_that_hides_its_size_and_time_is_undone(tmp_path: Path, workspace: Path) -> None:
    lab = Slot(tmp_path / "lab")
    command = (
        "touch -r config.json t; printf '{\"lr\": 0.9}\\n' > config.json; touch -r t config.json"
    )
    lab.run(spec_in(workspace))
    lab.run(spec_in(workspace, command))
    assert "0.1" in lab.run(spec_in(workspace, "cat config.json")).stdout


def test_an_edit_in_the_middle_of_copying_is_not_half_taken(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = trees.copy_file
    edited: list[str] = []

    def copy_file(source: str, target: str) -> None:
        original(source, target)
        if source.endswith("train.py") and not edited:  # after config.json, the other half
            edited.append(source)
            (workspace / "config.json").write_text("second half\n")
            (workspace / "train.py").write_text("second half\n")

    monkeypatch.setattr(trees, "copy_file", copy_file)
    done = Slot(tmp_path / "lab").run(spec_in(workspace, "cat config.json train.py"))
    assert done.stdout == "second half\nsecond half\n"


def test_another_process_that_took_the_sandbox_over_is_noticed(
    tmp_path: Path, workspace: Path
) -> None:
    old, new = Slot(tmp_path / "lab"), Slot(tmp_path / "lab")
    old.run(spec_in(workspace))
    new.number = 10
    new.run(spec_in(workspace, "touch theirs; echo 1"))
    assert "theirs" not in old.run(spec_in(workspace)).stdout
    first, second = slot.Slot(tmp_path / "slot"), slot.Slot(tmp_path / "slot")
    source = Source(str(workspace), original=str(workspace))
    assert [place.prepare(source, lambda: None) for place in (first, second, first)] == [True] * 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_what_a_dead_lab_left_running_does_not_write_into_the_new_sandbox(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Slot(tmp_path / "lab")
    work = lab.sandbox / "work"
    work.mkdir(parents=True)
    env = {**CALLER, "LAB_EFFECTIVE_WORKSPACE_ROOT": str(work)}
    left = subprocess.Popen(["sh", "-c", "while :; do : > ghost; done"], cwd=work, env=env)
    try:
        assert "ghost" not in lab.run(spec_in(workspace)).stdout
        assert left.wait(5) == -9
    finally:
        left.kill()
        left.wait()


def test_closing_removes_the_sandbox_and_the_next_run_makes_it_anew(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Slot(tmp_path / "lab")
    first = lab.run(spec_in(workspace, HOSTILE.replace("echo 1", "true") + LIST))
    lab.executor.close()
    lab.executor.close()
    assert not lab.sandbox.exists()
    assert lab.run(spec_in(workspace)).execution.outcome is Outcome.SUCCESS
    assert first.execution.outcome is Outcome.SUCCESS


# Setup


def test_setup_runs_once_for_a_sandbox_and_what_it_made_stays(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Slot(tmp_path / "lab")
    spec = spec_in(
        workspace,
        "cat built; rm -f new; touch new; echo 1",
        setup_command="echo $$ > built; echo ok",
    )
    first, second = lab.run(spec), lab.run(spec)
    assert first.stdout == second.stdout
    assert first.artifact("setup.log") == "ok\n"
    assert not (second.bundle.artifacts / "setup.log").exists()


def test_damage_to_what_setup_made_calls_for_a_new_setup(tmp_path: Path, workspace: Path) -> None:
    lab = Slot(tmp_path / "lab")
    setup = "mkdir built; echo good > built/x; echo more >> config.json"
    for damage in ("echo bad > built/x", "rm -r built", "rm config.json", "chmod 700 built"):
        lab.run(spec_in(workspace, damage, setup_command=setup))
        done = lab.run(spec_in(workspace, "cat built/x; tail -1 config.json", setup_command=setup))
        assert done.stdout == "good\nmore\n"
        assert (done.bundle.artifacts / "setup.log").exists()


def test_an_edit_of_the_users_calls_for_a_new_setup(tmp_path: Path, workspace: Path) -> None:
    lab = Slot(tmp_path / "lab")
    spec = spec_in(workspace, "cat built; echo 1", setup_command="cp config.json built")
    lab.run(spec)
    (workspace / "config.json").write_text("edited\n")
    assert lab.run(spec).stdout == "edited\n1\n"


def test_a_failed_setup_is_the_runs_failure_and_is_tried_again(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Slot(tmp_path / "lab")
    spec = spec_in(workspace, "echo 1", setup_command="echo why >&2; exit 3")
    for _ in range(2):
        done = lab.run(spec)
        assert done.execution.outcome is Outcome.FAILED
        assert done.execution.reason == "setup_command: exit status 3: why"
        assert done.execution.value is None
        assert (done.artifact("setup.log"), done.stdout) == ("why\n", "")


def test_an_interrupted_setup_is_not_taken_for_done(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(local, "_TICK_SECONDS", 0.01)

    def tick() -> None:
        raise KeyboardInterrupt

    lab = Slot(tmp_path / "lab")
    setup = f"[ -e {tmp_path}/slow ] && sleep 60; touch built"
    spec = spec_in(workspace, "ls built; echo 1", setup_command=setup)
    (tmp_path / "slow").touch()
    with pytest.raises(KeyboardInterrupt):
        lab.run(spec, tick=tick)
    (tmp_path / "slow").unlink()
    assert lab.run(spec).stdout == "built\n1\n"


def test_setup_does_not_see_one_runs_parameters(tmp_path: Path, workspace: Path) -> None:
    lab = Slot(tmp_path / "lab")
    spec = spec_in(workspace, "echo 1", setup_command='echo "$LAB_PARAM_LR $LAB_PARAMS_JSON {lr}"')
    assert lab.run(spec, params={"lr": 3}).artifact("setup.log") == " {} {lr}\n"


# Permissions, as a user who is not root


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of a user without privileges, who this process is meanwhile."""
    me = os.geteuid()
    folder = Path(tempfile.mkdtemp())
    if me == 0:
        os.chown(folder, 65534, -1)
        os.setresuid(65534, 65534, 0)
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False, capture_output=True)
        if me == 0:
            os.setresuid(0, 0, 0)
        shutil.rmtree(folder, ignore_errors=True)


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, content)
    return found


def test_read_only_folders_are_copied_and_reset(nobody: Path) -> None:
    root = nobody / "ws"
    (root / "locked" / "in").mkdir(parents=True)
    (root / "locked" / "in" / "a").write_text("a")
    (root / "secret").write_text("s")
    (root / "secret").chmod(0)
    (root / "locked" / "in").chmod(0o555)
    (root / "locked").chmod(0o555)
    place = slot.Slot(nobody / "slot")
    source = Source(str(root), original=str(root))
    assert place.prepare(source, lambda: None)
    first = listing(place.work)
    assert first["locked/in/a"][1] == b"a"
    assert first["locked"][0] & 0o777 == 0o555
    assert place.unreadable == {"secret"}
    inode = place.work.stat().st_ino
    for damage in (
        "chmod -R u+w locked; echo b > locked/in/a; touch locked/new; chmod 000 locked/in",
        "mkdir -p new/er; touch new/er/x; chmod 000 new/er; chmod 500 new",
        "chmod -R u+w locked; rm -r locked; touch locked",
        "chmod 500 .",
    ):
        subprocess.run(["sh", "-c", damage], cwd=place.work, check=True, capture_output=True)
        assert not place.prepare(source, lambda: None)
        assert listing(place.work) == first
    assert place.work.stat().st_ino == inode
    place.discard()
    assert not place.folder.exists()


# Any damage at all

NAMES = st.sampled_from(["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "x", "x/y"])
ACTS = st.sampled_from(["write", "remove", "folder", "link", "mode", "same"])


@given(
    damage=st.lists(st.tuples(ACTS, NAMES), max_size=8),
    edits=st.lists(st.tuples(ACTS, NAMES), max_size=4),
)
def test_whatever_is_done_to_a_sandbox_and_its_original_the_reset_makes_them_equal(
    tmp_path_factory: pytest.TempPathFactory,
    damage: list[tuple[str, str]],
    edits: list[tuple[str, str]],
) -> None:
    folder = tmp_path_factory.mktemp("any")
    root = folder / "ws"
    (root / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/a", "d/b", "d/e/a"):
        (root / name).write_text(name)
    place = slot.Slot(folder / "slot")
    source = Source(str(root), original=str(root))
    place.prepare(source, lambda: None)
    for act, name in damage:
        disturb(place.work, act, name)
    for act, name in edits:
        disturb(root, act, name)
    wanted = tree_of(root)
    assert not place.prepare(source, lambda: None)
    assert tree_of(place.work) == wanted
    assert tree_of(root) == wanted
    shutil.rmtree(folder)


def disturb(root: Path, act: str, name: str) -> None:
    path = root / name
    try:
        if act == "write":
            path.write_text("changed")
        elif act == "same":
            path.write_text(path.read_text())
        elif act == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif act == "folder":
            path.mkdir(parents=True)
        elif act == "link":
            path.symlink_to("a")
        else:
            path.chmod(0o750 if path.is_dir() else 0o640)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, IsADirectoryError, OSError):
        pass
