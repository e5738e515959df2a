"""Holds ``hermes.executing.artifacts``: what is kept of a run, and what a bundle never holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from executing_jobs import Slot, make_spec

from hermes.executing import artifacts
from hermes.executing.artifacts import matches
from hermes.model import Outcome


@pytest.fixture
def lab(tmp_path: Path) -> Slot:
    return Slot(tmp_path)


def test_egress_files_are_kept_also_of_a_failed_run(lab: Slot) -> None:
    spec = make_spec(
        executor_command="mkdir -p out/deep; echo m > out/deep/model; echo n > out/notes.txt;"
        " touch other; exit 1",
        egress_files=("out/**/model", "*.txt", "out/*.txt"),
    )
    done = lab.run(spec)
    assert done.execution.outcome is Outcome.FAILED
    assert done.artifact("out/deep/model") == "m\n"
    assert done.artifact("out/notes.txt") == "n\n"
    assert not (done.bundle.artifacts / "other").exists()


@pytest.mark.parametrize(
    ("pattern", "path", "named"),
    [
        ("out", "out/a/b", True),
        ("out/", "out/a", True),
        ("./out/*.txt", "out/a.txt", True),
        ("*.txt", "out/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "x/y/a.txt", True),
        ("out/**", "out/x/y", True),
        ("out/**", "outer/x", False),
        ("a[0-9].bin", "a5.bin", True),
        ("a?", "a/", False),
        ("a/*/c", "a/b/c/d", True),
    ],
)
def test_patterns_name_files_and_folders(pattern: str, path: str, named: bool) -> None:
    assert matches(pattern, path) is named


def test_an_expected_artifact_that_is_missing_is_named_and_fails_nothing(lab: Slot) -> None:
    spec = make_spec(
        executor_command="touch a; touch $LAB_RUN_ARTIFACTS_DIR/c; echo 1",
        artifacts_expected=("a", "b.txt", "c", "*.png"),
    )
    done = lab.run(spec)
    assert done.execution.outcome is Outcome.SUCCESS
    assert done.execution.workspace["missing_artifacts"] == ["b.txt", "*.png"]
    assert (done.bundle.artifacts / "a").exists()


@pytest.mark.parametrize("end", ["echo 1", "exit 1"])
def test_egress_patterns_that_match_nothing_are_named_and_fail_nothing(lab: Slot, end: str) -> None:
    spec = make_spec(
        executor_command=f"mkdir empty; touch a; ln -s /etc/passwd out;"
        f"touch $LAB_RUN_ARTIFACTS_DIR/c; {end}",
        egress_files=("a", "b.txt", "c", "*.png", "empty", "out"),
    )
    execution = lab.run(spec).execution
    assert execution.outcome is (Outcome.SUCCESS if end == "echo 1" else Outcome.FAILED)
    assert execution.workspace["missing_egress"] == ["b.txt", "*.png", "empty"]
    assert execution.workspace["left_out"] == ["out"]


def test_egress_that_is_all_there_is_not_mentioned(lab: Slot) -> None:
    execution = lab.run(make_spec(executor_command="touch a; echo 1", egress_files=("a",)))
    assert "missing_egress" not in execution.execution.workspace


def test_egress_does_not_follow_links_out_of_the_sandbox(lab: Slot, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    command = f"""
        mkdir out; ln -s {tmp_path}/private/key out/a; ln -s {tmp_path}/private out/b; echo in > in
        ln -s ../in out/c; mkfifo out/d; ln -s {tmp_path}/private e; echo 1"""
    done = lab.run(make_spec(executor_command=command, egress_files=("out", "e", "e/key", "e/**")))
    kept = {str(p.relative_to(done.bundle.artifacts)) for p in done.bundle.artifacts.rglob("*")}
    assert kept == {"out", "out/c"}
    assert done.artifact("out/c") == "in\n"
    assert done.execution.workspace["left_out"] == ["e", "e/key", "out/a", "out/b", "out/d"]


def test_egress_is_bounded_and_says_what_it_left_out(
    lab: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "MAX_BYTES", 2500)
    command = "for i in 1 2 3 4; do head -c 1000 /dev/zero > f$i; done; echo 1"
    done = lab.run(make_spec(executor_command=command, egress_files=("f*",)))
    assert done.execution.workspace["left_out"] == ["f3", "f4"]
    monkeypatch.setattr(artifacts, "MAX_FILES", 1)
    done = lab.run(make_spec(executor_command=command, egress_files=("f*",)))
    assert done.execution.workspace["left_out_count"] == 3


def test_the_bundle_holds_ordinary_files_whatever_the_command_put_there(
    lab: Slot, tmp_path: Path
) -> None:
    users = tmp_path / "users.txt"
    users.write_text("mine")
    command = f"""
        cd $LAB_RUN_ARTIFACTS_DIR; ln -s {users} link; ln {users} hard; mkfifo pipe; mkdir d
        echo x > d/"$(printf 'a\\377')"; ln -s / d/root; echo fake > ../RESULT.md; mkdir ../more
        ln -s {users} ../more/link; echo '{{"value": 1}}' > ../metrics.json
        rm -f ../stdout.log; echo 1"""
    done = lab.run(make_spec(executor_command=command))
    found = {str(p.relative_to(done.bundle.folder)): p for p in done.bundle.folder.rglob("*")}
    assert sorted(found) == [
        "artifacts",
        "artifacts/d",
        "artifacts/d/a%FF",
        "artifacts/hard",
        "artifacts/run-folder",
        "artifacts/run-folder/RESULT.md",
        "artifacts/run-folder/metrics.json",
        "artifacts/run-folder/more",
        "stderr.log",
        "stdout.log",
    ]
    assert all(p.is_dir() or (p.is_file() and p.lstat().st_nlink == 1) for p in found.values())
    assert not any(p.is_symlink() for p in found.values())
    found["artifacts/hard"].write_text("changed")
    assert users.read_text() == "mine"


def test_a_link_in_the_place_of_the_artifacts_is_not_written_through(
    lab: Slot, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    command = (
        f"rm -r $LAB_RUN_ARTIFACTS_DIR; ln -s {outside} $LAB_RUN_ARTIFACTS_DIR; echo x > a; echo 1"
    )
    done = lab.run(make_spec(executor_command=command, egress_files=("a",)))
    assert done.artifact("a") == "x\n"
    assert not list(outside.iterdir())


def test_an_artifact_of_the_commands_own_is_not_overwritten(lab: Slot) -> None:
    command = """
        echo own > $LAB_RUN_ARTIFACTS_DIR/a; echo egress > a
        mkdir -p b; touch b/x; touch $LAB_RUN_ARTIFACTS_DIR/b; echo 1"""
    done = lab.run(make_spec(executor_command=command, egress_files=("a", "b")))
    assert done.artifact("a") == "own\n"
    assert done.execution.workspace["left_out"] == ["a", "b/x"]
