"""Holds ``hermes.executing``'s workspaces: what a run finds, and that the user's own stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from executing_jobs import CALLER, Slot, commit_all, git, make_spec, tree_of
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RequestError
from hermes.executing import git_workspace, slot, trees
from hermes.executing.copy_workspace import Source, link_text
from hermes.executing.sandbox import check_workspace
from hermes.model import Outcome
from hermes.spec import Spec

LIST = "find . -mindepth 1 | sort; echo; echo 1"
HOSTILE = """
echo broken > train.py; echo 666 > new.txt; rm -f config.json; mkdir -p train.d && touch train.d/x
ln -sf /etc/passwd data/link; rm -rf sub; touch sub; chmod 000 data; mkdir -p deep/er; chmod 500 deep
mkfifo pipe; ln train.py hard; rm -rf ../work/keep; find . -name '*.txt' -exec rm -f {} +
git -c user.name=x -c user.email=x@x commit -qam hostile; git checkout -q -b mine; git stash -q -u
git clean -fdxq; git config user.name evil; git reset -q --hard HEAD~1; echo 1
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace of every kind of entry."""
    root = tmp_path / "ws"
    for folder in ("data", "sub/empty", "keep"):
        (root / folder).mkdir(parents=True)
    (root / "train.py").write_text("print(open('config.json').read()); print(1)\n")
    (root / "config.json").write_text('{"lr": 0.1}\n')
    (root / "data" / "a.csv").write_text("1,2\n")
    (root / "data" / "readonly.txt").write_text("fixed\n")
    (root / "data" / "readonly.txt").chmod(0o444)
    (root / "run.sh").write_text("#!/bin/sh\necho 1\n")
    (root / "run.sh").chmod(0o755)
    (root / "sub" / "inner.txt").write_text("inner\n")
    os.symlink("inner.txt", root / "sub" / "link")
    return root


def spec_in(workspace: Path, command: Any = LIST, **fields: Any) -> Spec:
    return make_spec(
        workspace_root=str(workspace),
        executor_command=command,
        **{"workspace_mode": "copy", **fields},
    )


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# What a run finds


def test_a_copy_holds_the_workspace_as_it_is(tmp_path: Path, workspace: Path) -> None:
    before = tree_of(workspace)
    lab = Slot(tmp_path / "lab")
    done = lab.run(spec_in(workspace))
    assert done.execution.outcome is Outcome.SUCCESS
    assert tree_of(lab.sandbox / "work") == before
    assert tree_of(workspace) == before


def test_without_a_workspace_commands_start_in_an_empty_folder(tmp_path: Path) -> None:
    lab = Slot(tmp_path)
    spec = make_spec(executor_command="ls -A; touch left; echo 1")
    assert [lab.run(spec).stdout for _ in range(2)] == ["1\n", "1\n"]
    assert lab.run(spec).execution.workspace["mode"] == "empty"


def test_the_data_root_inside_the_workspace_is_left_out(workspace: Path) -> None:
    lab = Slot(workspace)
    done = [lab.run(spec_in(workspace)) for _ in range(3)]
    assert done[2].execution.outcome is Outcome.SUCCESS
    assert "lab-data" not in done[2].stdout
    assert done[0].stdout == done[2].stdout


def test_a_relative_program_is_the_sandboxs_not_the_users(tmp_path: Path, workspace: Path) -> None:
    lab = Slot(tmp_path / "lab")
    for command in ("echo '#!/bin/sh' > run.sh; echo 'echo 5' >> run.sh; ./run.sh", ("./run.sh",)):
        done = lab.run(spec_in(workspace, command))
        assert done.execution.value == (5 if isinstance(command, str) else 1)


def test_python_finds_the_sandboxs_modules_not_the_users(tmp_path: Path, workspace: Path) -> None:
    (workspace / "lib").mkdir()
    (workspace / "lib" / "mine.py").write_text("value = 1\n")
    command = f"echo 'value = 2' > lib/mine.py; {sys.executable} -c 'import mine; print(mine.value)'"
    caller = {**CALLER, "PYTHONPATH": f"/elsewhere:{workspace}/lib:{workspace}/no-such"}
    done = Slot(tmp_path / "lab").run(spec_in(workspace, command), caller=caller)
    assert done.execution.value == 2
    env = Slot(tmp_path / "lab2").run(spec_in(workspace, "echo $PYTHONPATH; echo 1"), caller=caller)
    assert env.stdout.split("\n")[0].startswith("/elsewhere:")
    assert env.stdout.split("\n")[0].endswith(f"work/lib:{workspace}/no-such")


def test_sockets_and_pipes_are_left_out_and_so_is_what_may_not_be_read(
    tmp_path: Path, workspace: Path
) -> None:
    os.mkfifo(workspace / "pipe")
    done = Slot(tmp_path / "lab").run(spec_in(workspace))
    assert "pipe" not in done.stdout


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("b", "a", "b"),
        ("../b", "sub/a", "../b"),
        ("/ws/b", "sub/a", "../b"),
        ("/ws", "sub/a", ".."),
        ("../../etc", "sub/a", "/etc"),
        ("../x/y", "a", "/x/y"),
        ("/mnt/data", "a", "/mnt/data"),
        ("/ws2/b", "a", "/ws2/b"),
    ],
)
def test_links_stay_in_the_sandbox_when_they_stay_in_the_workspace(
    text: str, path: str, expected: str
) -> None:
    assert link_text(text, path, "/ws") == expected


def test_a_link_that_leads_back_into_the_workspace_does_not_lead_to_the_users_files(
    tmp_path: Path, workspace: Path
) -> None:
    os.symlink(workspace / "config.json", tmp_path / "outside")
    os.symlink(tmp_path / "outside", workspace / "a")
    os.symlink(workspace / "config.json", workspace / "sub" / "b")
    before = tree_of(workspace)
    Slot(tmp_path / "lab").run(spec_in(workspace, "echo x > a; echo y > sub/b; cat config.json; echo 1"))
    assert tree_of(workspace) == before


def test_extra_inputs_come_from_the_workspace_and_from_elsewhere(
    tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.txt").write_text("x")
    (tmp_path / "one.txt").write_text("one")
    (workspace / ".gitignore").write_text("ignored*\n")
    commit_all(workspace)
    (workspace / "ignored" / "deep").mkdir(parents=True)
    (workspace / "ignored" / "deep" / "i.txt").write_text("i")
    (workspace / "ignored.2").write_text("2")
    ingress = (str(tmp_path / "more"), str(tmp_path / "one.txt"), "ignored/deep", "ignored.*")
    for mode in ("git", "copy", "auto"):
        spec = spec_in(workspace, workspace_mode=mode, ingress_files=ingress)
        lab = Slot(tmp_path / f"lab-{mode}")
        lab.run(spec)
        found = names(lab.sandbox / "work")
        assert {"more/x.txt", "one.txt", "ignored/deep/i.txt", "ignored.2"} <= found
        (tmp_path / "one.txt").write_text("changed")
        assert "changed" in lab.run(spec_in(workspace, "cat one.txt", workspace_mode=mode, ingress_files=ingress)).stdout
        (tmp_path / "one.txt").write_text("one")


# The user's own stays as it is


@pytest.mark.parametrize("mode", ["copy", "git", "auto"])
def test_whatever_a_run_does_the_users_workspace_and_repository_stay(
    tmp_path: Path, workspace: Path, mode: str
) -> None:
    commit_all(workspace)
    git(workspace, "branch", "other")
    if mode != "auto":
        (workspace / "config.json").write_text('{"lr": 0.2}\n')
        git(workspace, "add", "config.json")
        (workspace / "untracked.txt").write_text("u")
    before = tree_of(workspace)
    lab = Slot(workspace / "lab-data" if mode == "copy" else tmp_path / "lab")
    for command in (HOSTILE, HOSTILE, LIST):
        done = lab.run(spec_in(workspace, command, workspace_mode=mode))
        assert done.execution.outcome is Outcome.SUCCESS, done.execution.reason
    after = tree_of(workspace)
    assert {n: v for n, v in after.items() if not n.startswith("lab-data")} == before


@pytest.mark.parametrize("mode", ["copy", "git"])
def test_after_a_hostile_run_the_next_one_finds_everything_as_it_was(
    tmp_path: Path, workspace: Path, mode: str
) -> None:
    commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    lab.run(spec_in(workspace, workspace_mode=mode))
    first = tree_of(lab.sandbox / "work")
    identity = (lab.sandbox / "work").stat().st_ino
    for _ in range(2):
        lab.run(spec_in(workspace, HOSTILE, workspace_mode=mode))
        lab.run(spec_in(workspace, "true", workspace_mode=mode))
        assert tree_of(lab.sandbox / "work") == first
    assert (lab.sandbox / "work").stat().st_ino == identity  # reset, not rebuilt


def test_a_run_that_destroys_its_sandbox_harms_nobody_else(tmp_path: Path, workspace: Path) -> None:
    lab = Slot(tmp_path / "lab")
    before = tree_of(workspace)
    first = lab.run(spec_in(workspace)).stdout
    for damage in ('rm -rf "$PWD"', 'cd ..; rm -rf work; ln -s / work', "cd ..; rm -rf ./*", "chmod 0 ."):
        lab.run(spec_in(workspace, damage))
        assert lab.run(spec_in(workspace)).stdout == first
    assert tree_of(workspace) == before


# Warm


def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    copied: list[str] = []
    original = trees.copy_file

    def copy_file(source: str, target: str) -> None:
        copied.append(os.path.basename(target))
        original(source, target)

    monkeypatch.setattr(trees, "copy_file", copy_file)
    return copied


def test_a_warm_sandbox_is_not_copied_again(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Slot(tmp_path / "lab")
    copied = copies(monkeypatch)
    lab.run(spec_in(workspace))
    assert len(copied) == 5
    del copied[:]
    lab.run(spec_in(workspace, "echo x >> train.py; touch new; echo 1"))
    lab.run(spec_in(workspace))
    assert copied == ["train.py"]


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
    command = "touch -r config.json t; printf '{\"lr\": 0.9}\\n' > config.json; touch -r t config.json"
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_what_a_dead_lab_left_running_does_not_write_into_the_new_sandbox(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Slot(tmp_path / "lab")
    work = lab.sandbox / "work"
    work.mkdir(parents=True)
    env = {**CALLER, "LAB_EFFECTIVE_WORKSPACE_ROOT": str(work)}
    left = subprocess.Popen(["sh", "-c", "while :; do touch ghost; sleep 0.01; done"], cwd=work, env=env)
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
        workspace, "cat built; rm -f new; touch new; echo 1", setup_command="echo $$ > built; echo ok"
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
    from hermes.executing import local

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


# git


def test_git_mode_measures_the_commit_and_not_what_lies_beside_it(
    tmp_path: Path, workspace: Path
) -> None:
    commit = commit_all(workspace)
    (workspace / "config.json").write_text("changed")
    (workspace / "untracked").touch()
    lab = Slot(tmp_path / "lab")
    done = lab.run(spec_in(workspace, "cat config.json; ls; echo 1", workspace_mode="git"))
    assert done.stdout.startswith('{"lr": 0.1}\n')
    assert "untracked" not in done.stdout
    facts = done.execution.workspace
    assert (facts["mode"], facts["git_revision"], facts["git_dirty"]) == ("git", commit, True)


def test_git_works_in_the_sandbox_and_knows_only_the_sandbox(tmp_path: Path, workspace: Path) -> None:
    commit = commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    command = "git rev-parse HEAD; git status --porcelain; git log --oneline | wc -l; git branch; echo 1"
    lines = lab.run(spec_in(workspace, command, workspace_mode="git")).stdout.split("\n")
    assert lines[:2] == [commit, "1"]


def test_a_new_commit_is_in_the_next_run(tmp_path: Path, workspace: Path) -> None:
    commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    spec = spec_in(workspace, "cat config.json; echo 1", workspace_mode="git")
    lab.run(spec)
    (workspace / "config.json").write_text("second\n")
    commit = commit_all(workspace)
    done = lab.run(spec)
    assert done.stdout == "second\n1\n"
    assert done.execution.workspace["git_revision"] == commit
    git(workspace, "pack-refs", "--all")
    (workspace / "config.json").write_text("third\n")
    commit_all(workspace)
    assert lab.run(spec).stdout == "third\n1\n"


def test_a_workspace_below_the_top_of_its_repository_is_taken_alone(
    tmp_path: Path, workspace: Path
) -> None:
    commit = commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    done = lab.run(spec_in(workspace / "sub", LIST, workspace_mode="auto"))
    assert done.stdout == "./inner.txt\n./link\n\n1\n"
    facts = done.execution.workspace
    assert (facts["mode"], facts["git_revision"]) == ("git", commit)


def test_a_linked_worktree_is_a_workspace(tmp_path: Path, workspace: Path) -> None:
    commit_all(workspace)
    git(workspace, "worktree", "add", "-q", "-b", "second", str(tmp_path / "tree"))
    (tmp_path / "tree" / "config.json").write_text("tree\n")
    commit = commit_all(tmp_path / "tree")
    done = Slot(tmp_path / "lab").run(
        spec_in(tmp_path / "tree", "cat config.json; git rev-parse HEAD; echo 1", workspace_mode="git")
    )
    assert done.stdout == f"tree\n{commit}\n1\n"


def test_a_shallow_clone_is_a_workspace(tmp_path: Path, workspace: Path) -> None:
    commit_all(workspace)
    commit = commit_all(workspace)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{workspace}", "clone")
    spec = spec_in(tmp_path / "clone", "git log --format=%H; echo 1", workspace_mode="git")
    assert Slot(tmp_path / "lab").run(spec).stdout == f"{commit}\n1\n"


@pytest.mark.parametrize(
    ("change", "mode"),
    [("", "git"), ("echo x > train.py", "copy"), ("touch new", "copy"), ("rm run.sh", "copy"),
     ("mkdir -p lab-data; touch lab-data/x", "git"), ("rm -rf .git", "copy")],
)
def test_auto_is_git_for_a_clean_repository_and_a_copy_otherwise(
    workspace: Path, change: str, mode: str
) -> None:
    commit_all(workspace)
    subprocess.run(["sh", "-c", change], cwd=workspace, check=True)
    done = Slot(workspace).run(spec_in(workspace, workspace_mode="auto"))
    assert done.execution.workspace["mode"] == mode


def test_auto_follows_the_user_from_one_to_the_other(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_workspace, "_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(git_workspace, "_FRESH_COSTS", 0.0)
    commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    spec = spec_in(workspace, "cat config.json; echo 1", workspace_mode="auto")
    assert lab.run(spec).execution.workspace["mode"] == "git"
    (workspace / "config.json").write_text("edited\n")
    done = lab.run(spec)
    assert (done.stdout, done.execution.workspace["mode"]) == ("edited\n1\n", "copy")
    commit_all(workspace)
    done = lab.run(spec)
    assert (done.stdout, done.execution.workspace["mode"]) == ("edited\n1\n", "git")


def test_a_copy_records_revision_and_changes_too(tmp_path: Path, workspace: Path) -> None:
    commit = commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    facts = lab.run(spec_in(workspace)).execution.workspace
    assert (facts["git_revision"], facts["git_dirty"]) == (commit, False)
    (workspace / "new").touch()
    assert lab.run(spec_in(workspace)).execution.workspace["git_dirty"] is True


def test_a_workspace_without_git_has_no_revision(tmp_path: Path, workspace: Path) -> None:
    facts = Slot(tmp_path / "lab").run(spec_in(workspace)).execution.workspace
    assert facts == {
        "mode": "copy",
        "root": str(workspace),
        "git_revision": None,
        "git_dirty": None,
        "sandbox_tool": None,
    }


def test_a_damaged_checkout_is_not_measured(tmp_path: Path, workspace: Path) -> None:
    commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    damage = "echo bad > ../pristine/config.json; echo bad > config.json"
    lab.run(spec_in(workspace, damage, workspace_mode="git"))
    done = lab.run(spec_in(workspace, "cat config.json; echo 1", workspace_mode="git"))
    assert done.stdout == '{"lr": 0.1}\n1\n'


def test_settings_that_a_run_leaves_behind_run_nothing(tmp_path: Path, workspace: Path) -> None:
    commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    plant = (
        f"git config core.fsmonitor 'touch {tmp_path}/owned; false'; mkdir -p .git/hooks;"
        f"printf '#!/bin/sh\\ntouch {tmp_path}/owned\\n' > .git/hooks/post-checkout;"
        "chmod +x .git/hooks/post-checkout; cp .git/hooks/post-checkout .git/hooks/post-index-change;"
        "echo 1"
    )
    lab.run(spec_in(workspace, plant, workspace_mode="git"))
    (workspace / "new").touch()
    commit_all(workspace)
    lab.run(spec_in(workspace, "echo 1", workspace_mode="git"))
    assert not (tmp_path / "owned").exists()


def test_a_broken_repository_does_not_stop_a_copy(tmp_path: Path, workspace: Path) -> None:
    commit_all(workspace)
    (workspace / ".git" / "config").write_text("[broken")
    for mode in ("copy", "auto"):
        done = Slot(tmp_path / mode).run(spec_in(workspace, workspace_mode=mode))
        assert done.execution.outcome is Outcome.SUCCESS
    done = Slot(tmp_path / "git").run(spec_in(workspace, workspace_mode="git"))
    assert done.execution.outcome is Outcome.INFRA
    assert "git status failed" in done.execution.reason


# In place


def test_in_place_runs_in_the_users_own_folder_and_changes_only_what_the_command_does(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Slot(tmp_path / "lab")
    before = tree_of(workspace)
    spec = spec_in(
        workspace,
        "pwd; echo x >> log; cat config.json; echo {lr}",
        workspace_mode="in-place",
        mutable_paths=("config.json",),
        setup_command="echo s >> log",
    )
    for _ in range(2):
        done = lab.run(spec, params={"lr": 0.7})
    assert done.stdout == f'{workspace}\n{{"lr": 0.1}}\n0.7\n'
    assert (workspace / "log").read_text() == "s\nx\nx\n"
    (workspace / "log").unlink()
    lab.executor.close()
    assert tree_of(workspace) == before


# Permissions, as a user who is not root


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of a user without privileges, who this process is meanwhile."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False, capture_output=True)
        if me == 0:
            os.seteuid(0)
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


@given(damage=st.lists(st.tuples(ACTS, NAMES), max_size=8), edits=st.lists(st.tuples(ACTS, NAMES), max_size=4))
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


# Planning


def refused(spec: Spec, **more: Any) -> str:
    with pytest.raises(RequestError) as caught:
        check_workspace(spec, **more)
    assert len(str(caught.value).splitlines()) == 2
    return str(caught.value)


def test_a_workspace_that_cannot_be_is_refused(tmp_path: Path, workspace: Path) -> None:
    assert "no folder" in refused(spec_in(tmp_path / "gone"))
    assert "no folder" in refused(spec_in(workspace / "train.py"))
    assert "needs a workspace_root" in refused(make_spec(workspace_mode="git"))
    assert "needs a workspace_root" in refused(make_spec(workspace_mode="in-place"))
    assert "needs a workspace_root" in refused(make_spec(require_clean_workspace=True))
    assert "no git repository" in refused(spec_in(workspace, workspace_mode="git"))
    assert "no git repository" in refused(spec_in(workspace, require_clean_workspace=True))
    assert "there is no x.txt" in refused(spec_in(workspace, ingress_files=("x.txt",)))
    assert "egress_files: ../x" in refused(spec_in(workspace, egress_files=("../x",)))
    assert "egress_files: /x" in refused(spec_in(workspace, egress_files=("/x",)))
    git(workspace, "init", "-q")
    assert "not committed yet" in refused(spec_in(workspace, workspace_mode="git"))
    commit_all(workspace)
    (workspace / "later").mkdir()
    assert "not committed yet" in refused(spec_in(workspace / "later", workspace_mode="git"))


def test_the_data_root_may_lie_in_the_workspace_and_not_the_other_way(
    tmp_path: Path, workspace: Path
) -> None:
    check_workspace(spec_in(workspace), data_root=workspace / "lab-data")
    assert "inside the data root" in refused(spec_in(workspace), data_root=tmp_path)
    assert "inside the data root" in refused(spec_in(workspace), data_root=workspace)
    (tmp_path / "link").symlink_to(workspace)
    assert "inside the data root" in refused(spec_in(tmp_path / "link"), data_root=workspace)


def test_a_clean_workspace_can_be_asked_for(workspace: Path) -> None:
    commit_all(workspace)
    spec = spec_in(workspace, require_clean_workspace=True)
    check_workspace(spec)
    (workspace / "lab-data").mkdir()
    (workspace / "lab-data" / "x").touch()
    check_workspace(spec, data_root=workspace / "lab-data")
    before = tree_of(workspace)
    assert "not committed" in refused(spec)
    assert tree_of(workspace) == before  # not even the index was refreshed
    (workspace / "config.json").write_text("x")
    assert "not committed" in refused(spec, data_root=workspace / "lab-data")


def test_what_can_be_passes(tmp_path: Path, workspace: Path) -> None:
    check_workspace(make_spec())
    check_workspace(spec_in(workspace, ingress_files=("data/*.csv", str(workspace / "train.py"))))
    commit_all(workspace)
    check_workspace(spec_in(workspace, workspace_mode="git"))
    check_workspace(spec_in(workspace / "sub", workspace_mode="git"))
