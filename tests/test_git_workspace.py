"""Holds ``hermes.executing.git_workspace``: commits as workspaces, the repository untouched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from executing_jobs import (
    LIST,
    Slot,
    commit_all,
    git,
    make_workspace,
    spec_in,
)

from hermes.executing import git_workspace
from hermes.model import Outcome


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "ws")


# Git


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


def test_git_works_in_the_sandbox_and_knows_only_the_sandbox(
    tmp_path: Path, workspace: Path
) -> None:
    commit = commit_all(workspace)
    lab = Slot(tmp_path / "lab")
    command = (
        "git rev-parse HEAD; git status --porcelain; git log --oneline | wc -l; git branch; echo 1"
    )
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
        spec_in(
            tmp_path / "tree", "cat config.json; git rev-parse HEAD; echo 1", workspace_mode="git"
        )
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
    [
        ("", "git"),
        ("echo x > train.py", "copy"),
        ("touch new", "copy"),
        ("rm run.sh", "copy"),
        ("mkdir -p lab-data; touch lab-data/x", "git"),
        ("rm -rf .git", "copy"),
    ],
)
def test_auto_is_git_for_a_clean_repository_and_a_copy_otherwise(
    workspace: Path, change: str, mode: str
) -> None:
    commit_all(workspace)
    subprocess.run(["sh", "-c", change], cwd=workspace, check=True)
    done = Slot(workspace).run(spec_in(workspace, workspace_mode="auto"))
    assert done.execution.workspace["mode"] == mode


def test_auto_copies_a_workspace_that_git_ignores(tmp_path: Path, workspace: Path) -> None:
    (workspace / ".gitignore").write_text("inner/\n")
    commit_all(workspace)
    inner = workspace / "inner"
    inner.mkdir()
    (inner / "config.json").write_text("{}")
    done = Slot(tmp_path / "lab").run(spec_in(inner, "echo 1", workspace_mode="auto"))
    assert done.execution.outcome is Outcome.SUCCESS, done.execution.reason
    assert done.execution.workspace["mode"] == "copy"


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
        "chmod +x .git/hooks/post-checkout;"
        "cp .git/hooks/post-checkout .git/hooks/post-index-change;"
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
