"""Holds ``sandbox`` and ``workspaces``: what a run finds, and that the user's own stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from executing_jobs import (
    CALLER,
    HOSTILE,
    LIST,
    Slot,
    commit_all,
    git,
    make_spec,
    make_workspace,
    names,
    spec_in,
    tree_of,
)

from hermes.errors import RequestError
from hermes.executing import trees
from hermes.executing.copy_workspace import link_text
from hermes.executing.sandbox import check_workspace
from hermes.model import Outcome
from hermes.spec import Spec


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "ws")


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
    command = (
        f"echo 'value = 2' > lib/mine.py; {sys.executable} -c 'import mine; print(mine.value)'"
    )
    caller = {**CALLER, "PYTHONPATH": f"/elsewhere:{workspace}/lib:{workspace}/no-such"}
    done = Slot(tmp_path / "lab").run(spec_in(workspace, command), caller=caller)
    assert done.execution.value == 2
    env = Slot(tmp_path / "lab2").run(spec_in(workspace, "echo $PYTHONPATH; echo 1"), caller=caller)
    assert env.stdout.split("\n")[0].startswith("/elsewhere:")
    assert env.stdout.split("\n")[0].endswith(f"work/lib:{workspace}/no-such")


def test_a_copy_has_no_git_folder_and_git_does_not_find_the_one_around_it(
    workspace: Path,
) -> None:
    commit_all(workspace)
    (workspace / "sub" / ".git").write_text(f"gitdir: {workspace}/.git\n")
    done = Slot(workspace).run(spec_in(workspace, f"git rev-parse 2>&1; {LIST}"))
    assert "not a git repository" in done.stdout
    assert "./.git" not in done.stdout
    assert "sub/.git" not in done.stdout


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
    Slot(tmp_path / "lab").run(
        spec_in(workspace, "echo x > a; echo y > sub/b; cat config.json; echo 1")
    )
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
        assert (
            "changed"
            in lab.run(
                spec_in(workspace, "cat one.txt", workspace_mode=mode, ingress_files=ingress)
            ).stdout
        )
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
    for damage in (
        'rm -rf "$PWD"',
        "cd ..; rm -rf work; ln -s / work",
        "cd ..; rm -rf ./*",
        "chmod 0 .",
    ):
        lab.run(spec_in(workspace, damage))
        assert lab.run(spec_in(workspace)).stdout == first
    assert tree_of(workspace) == before


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
    assert "no workspace_root" in refused(make_spec(ingress_files=("x.txt",)))
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


def test_a_real_name_that_is_remembered_is_given_up_when_it_leads_elsewhere(tmp_path):
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "link"
    one.mkdir()
    two.mkdir()
    link.symlink_to(one)
    assert trees.real(link) == trees.real(link) == os.path.realpath(one)
    link.unlink()
    link.symlink_to(two)
    assert trees.real(link) == os.path.realpath(two)
    two.rename(tmp_path / "three")
    link.unlink()
    link.symlink_to(tmp_path / "three")
    assert trees.real(link) == os.path.realpath(tmp_path / "three")
    link.unlink()
    assert trees.real(link) == str(link)
