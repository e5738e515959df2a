"""Holds what the code loop carries on from candidate to candidate, and what it must not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from executing_jobs import CALLER, Climb, commit_all, git, names, tree_of
from gaming import answers, make_gamed, spec_of

from hermes.model import Direction

MORE = """\
cat >> src/fast.py <<END
_before_{n} = answer
def answer():
    return _before_{n}() + 1
END
"""
SEEN = f"{sys.executable} bench.py; find . -type f | sort > $HOME/seen"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_gamed(tmp_path / "ws")


@pytest.mark.parametrize("mode", ["git", "copy"])
def test_the_thirtieth_candidate_has_the_gains_of_all_before_it(
    tmp_path: Path, workspace: Path, mode: str
) -> None:
    if mode == "git":
        commit_all(workspace)
        (workspace / "stashed").write_text("x")
        git(workspace, "stash", "-u", "-q")
        git(workspace, "branch", "other")
    before = tree_of(workspace)
    lab = Climb(tmp_path)
    lab.turn(spec_of(workspace, "true", workspace_mode=mode))
    for number in range(1, 31):
        done = lab.turn(spec_of(workspace, MORE.format(n=number), workspace_mode=mode))
        assert done.execution.value == 100.0 - number
    assert lab.incumbent is not None
    code = lab.incumbent.changed["src/fast.py"]
    assert code is not None
    assert code.data.count(b"def answer") == 31
    assert tree_of(workspace) == before


def test_every_kind_of_change_arrives_and_the_next_begins_with_it(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Climb(tmp_path)
    change = (
        "printf 'a\\0b\\377' > src/binary; mkdir src/new; echo x > src/new/deep; "
        "mv src/pkg/extra.txt src/renamed.txt; printf '#!/bin/sh\\n' > src/tool; "
        "chmod +x src/tool; : > src/empty; "
    )
    listing = "find src -type f -printf '%p %m %s\\n' | grep -v pycache | sort; "
    command = f"{listing}{sys.executable} bench.py"
    lab.turn(spec_of(workspace, "true", executor_command=command))
    first = lab.turn(spec_of(workspace, change + answers(10), executor_command=command))
    again = lab.turn(spec_of(workspace, change + answers(20), executor_command=command))
    assert first.verdict is not None
    for done in (first, again):
        found = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[:-1]}
        assert set(found) == {
            *("src/binary", "src/empty", "src/fast.py", "src/new/deep", "src/renamed.txt"),
            "src/tool",
        }
        assert (found["src/tool"][0], found["src/binary"]) == ("755", ["644", "4"])
    assert lab.incumbent is not None
    assert lab.incumbent.changed["src/pkg/extra.txt"] is None


def test_nothing_of_one_candidate_is_there_for_the_next(tmp_path: Path, workspace: Path) -> None:
    lab = Climb(tmp_path)
    caller = {**CALLER, "HOME": str(tmp_path)}
    leaving = (
        "import os\n"
        "for name in ('src/cache', 'left', 'eval/data/left', 'src/pkg/left'): open(name, 'w')\n"
    )
    lab.turn(spec_of(workspace, "true", executor_command=SEEN), caller=caller)
    clean = (tmp_path / "seen").read_text()
    lab.turn(spec_of(workspace, answers(10, leaving), executor_command=SEEN), caller=caller)
    assert "./src/cache" in (tmp_path / "seen").read_text()
    look = "find . -type f | sort > $HOME/edited; "
    lab.turn(spec_of(workspace, answers(20), executor_command=SEEN), caller=caller)
    assert (tmp_path / "seen").read_text() == clean
    lab.turn(spec_of(workspace, look + answers(30), executor_command=SEEN), caller=caller)
    assert "left" not in (tmp_path / "edited").read_text()
    assert "cache" not in (tmp_path / "edited").read_text()


@pytest.mark.parametrize("mode", ["git", "copy"])
def test_a_sandbox_has_no_repository_and_git_finds_none_around_it(
    tmp_path: Path, workspace: Path, mode: str
) -> None:
    commit_all(workspace)
    git(workspace, "remote", "add", "origin", "/nowhere")
    lab = Climb(workspace)  # the data root lies in the user's repository
    spec = spec_of(workspace, "true", workspace_mode=mode)
    lab.turn(spec)
    look = "git remote -v && exit 9; git status && exit 9; "
    done = lab.turn(spec_of(workspace, look + answers(10), workspace_mode=mode))
    assert done.execution.value == 90.0
    assert not [name for name in names(lab.data_root) if name.endswith(".git")]


def test_an_edit_of_the_users_begins_anew_with_the_gains(tmp_path: Path, workspace: Path) -> None:
    lab = Climb(tmp_path)
    lab.turn(spec_of(workspace, "true"))
    assert lab.turn(spec_of(workspace, answers(10))).execution.value == 90.0
    (workspace / "eval" / "limits.py").write_text("TARGET = 200\n")
    baseline = lab.turn(spec_of(workspace, answers(11)))
    assert (baseline.execution.value, baseline.bundle.patch.exists()) == (190.0, False)
    assert lab.turn(spec_of(workspace, answers(12))).execution.value == 188.0
    (workspace / "src" / "pkg" / "extra.txt").write_text("edited\n")
    assert lab.turn(spec_of(workspace, answers(13))).execution.value == 188.0  # a baseline
    assert lab.turn(spec_of(workspace, answers(14))).execution.value == 186.0


def test_setup_runs_once_in_each_sandbox_and_what_it_makes_is_no_candidate(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Climb(tmp_path)
    fields = {
        "setup_command": "echo x >> $HOME/ran; mkdir src/made; echo 1 > src/made/x; echo 1 > made"
    }
    caller = {**CALLER, "HOME": str(tmp_path)}
    needs = "test $(cat made)$(cat src/made/x) = 11 || exit 1\n"
    command = f"{needs}{sys.executable} bench.py"
    lab.turn(spec_of(workspace, "true", executor_command=command, **fields), caller=caller)
    assert (
        lab.turn(
            spec_of(workspace, needs, executor_command=command, **fields), caller=caller
        ).execution.outcome.value
        == "no-op"
    )
    for number in (1, 2):
        spec = spec_of(workspace, needs + answers(number), executor_command=command, **fields)
        done = lab.turn(spec, caller=caller)
        assert done.execution.value == 100.0 - number
        assert list(done.bundle.candidate.rglob("x")) == []
    assert (tmp_path / "ran").read_text() == "x\n" * 2


def test_a_candidate_that_grows_beyond_the_bounds_is_out_of_bounds(
    tmp_path: Path, workspace: Path
) -> None:
    lab = Climb(tmp_path)
    lab.turn(spec_of(workspace, "true", metric_direction=Direction.MAXIMIZE))
    half = "truncate -s 20M src/half{}"
    assert lab.turn(spec_of(workspace, half.format(1) + "\n" + answers(1))).verdict is not None
    done = lab.turn(spec_of(workspace, half.format(2) + "\n" + answers(2)))
    assert done.execution.outcome.value == "out-of-bounds"
