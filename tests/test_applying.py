"""Holds ``hermes.executing.applying``: the whole change is in the workspace, or nothing is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from store_crashes import at_each_call
from test_patch import a_file, read, write

from hermes import files
from hermes.executing.applying import Plan, carry_out, mark_of, named, plan
from hermes.executing.content import Content
from hermes.promotions import Refusal

BEFORE = {
    "a.py": a_file(b"a = 1\n"),
    "gone.py": a_file(b"old\n"),
    "deep/er/gone.txt": a_file(b"old\n"),
    "run.sh": a_file(b"#!/bin/sh\n"),
    "becomes_folder": a_file(b"file\n"),
    "becomes_file/x/y": a_file(b"in a folder\n"),
    "kept.py": a_file(b"kept\n"),
}
WANTED = {
    "a.py": a_file(b"a = 2\n"),
    "gone.py": None,
    "deep/er/gone.txt": None,
    "run.sh": a_file(b"#!/bin/sh\n", executable=True),
    "becomes_folder": None,
    "becomes_folder/new": a_file(b"new\n"),
    "becomes_file/x/y": None,
    "becomes_file": a_file(b"a file now\n"),
    "new/folder/data.bin": a_file(b"\0\xff" * 100),
    "empty": a_file(),
}
AFTER = {
    **{path: content for path, content in BEFORE.items() if path not in WANTED},
    **{path: content for path, content in WANTED.items() if content is not None},
}
REPLACED = {path: mark_of(BEFORE.get(path)) for path in [*WANTED, "c.py"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "ws", BEFORE)
    return tmp_path / "ws"


def planned(root: Path, wanted=WANTED, **known) -> Plan:
    made = plan(str(root), wanted, **{"replaced": REPLACED, "earlier": {}, **known})
    assert isinstance(made, Plan), made
    return made


def refused(root: Path, wanted=WANTED, **known) -> str:
    before = read(root)
    made = plan(str(root), wanted, **{"replaced": REPLACED, "earlier": {}, **known})
    assert isinstance(made, Refusal)
    assert made.remedy
    assert read(root) == before
    return made.reason


def test_the_whole_change_is_written(root: Path) -> None:
    carry_out(str(root), planned(root))
    assert read(root) == AFTER
    assert not (root / "deep").exists()
    assert not list(root.rglob("*.tmp"))


def test_what_was_applied_is_applied_again_without_a_write(root: Path) -> None:
    made = planned(root)
    carry_out(str(root), made)
    stamps = {path: os.stat(root / path).st_mtime_ns for path in AFTER}
    carry_out(str(root), planned(root, earlier=made.written))
    assert {path: os.stat(root / path).st_mtime_ns for path in AFTER} == stamps


def test_a_file_keeps_the_permissions_that_the_user_gave_it(root: Path) -> None:
    (root / "a.py").chmod(0o640)
    (root / "run.sh").chmod(0o640)
    carry_out(str(root), planned(root))
    assert (root / "a.py").stat().st_mode & 0o777 == 0o640
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o750


def test_a_file_that_the_user_changed_is_left_and_nothing_is_written(root: Path) -> None:
    (root / "run.sh").write_text("mine\n")
    assert "run.sh changed since the candidate was made" in refused(root)


def test_a_file_of_the_users_in_the_place_of_a_new_one_is_left(root: Path) -> None:
    write(root, {"empty": a_file(b"mine\n"), "new/folder/data.bin": a_file(b"mine")})
    assert refused(root).startswith("empty, new/folder/data.bin changed")


def test_a_file_that_the_user_removed_is_a_change(root: Path) -> None:
    (root / "a.py").unlink()
    assert refused(root).startswith("a.py changed")


def test_what_has_its_content_already_is_no_conflict(root: Path) -> None:
    (root / "a.py").write_bytes(b"a = 2\n")
    (root / "gone.py").unlink()
    carry_out(str(root), planned(root))
    assert read(root) == AFTER


def test_what_nobody_knows_the_content_of_before_is_left(root: Path) -> None:
    assert "changed since" in refused(root, replaced={})


@pytest.mark.parametrize("path", ["../out", "/etc/x", "a/../../x", ".git/config", "x/.GIT/y", ""])
def test_no_path_leads_outside_or_into_git(root: Path, path: str) -> None:
    assert refused(root, {path: a_file(b"x")}) == f"{path} is no path inside of the workspace"


def test_nothing_is_written_through_a_link_or_outside(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, {"y": a_file(b"in a folder\n"), "new": a_file(b"theirs")})
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "new")
    assert "leads through link, which is no folder" in refused(root, {"link/y": a_file(b"x")})
    assert "file is a link" in refused(root, {"file": a_file(b"x")})
    assert "leads through" in refused(root, {"link/new": None})
    os.mkfifo(root / "pipe")
    assert "is a link, or no file" in refused(root, {"pipe": a_file(b"x")})


def test_a_folder_of_the_users_is_no_place_for_a_file(root: Path) -> None:
    write(root, {"becomes_file/mine": a_file(b"mine")})
    assert "becomes_file is a folder" in refused(root)


def test_a_file_of_the_users_is_no_place_for_a_folder(root: Path) -> None:
    wanted = {"kept.py/x": a_file(b"x")}
    assert "kept.py is a file" in refused(root, wanted, replaced={"kept.py/x": None})


def test_what_an_earlier_promotion_wrote_may_be_written_again(root: Path) -> None:
    first = planned(root, {"a.py": a_file(b"first\n"), "c.py": a_file(b"c\n")})
    carry_out(str(root), first)
    second = planned(root, {"a.py": a_file(b"second\n"), "c.py": None}, earlier=first.written)
    carry_out(str(root), second)
    assert read(root) == {**BEFORE, "a.py": a_file(b"second\n")}
    assert second.written["a.py"].original == mark_of(BEFORE["a.py"])
    assert second.written["a.py"].before == mark_of(a_file(b"first\n"))


def test_a_change_upon_what_an_earlier_promotion_wrote_is_the_users(root: Path) -> None:
    first = planned(root, {"a.py": a_file(b"first\n")})
    carry_out(str(root), first)
    (root / "a.py").write_bytes(b"first and mine\n")
    assert "a.py changed" in refused(root, {"a.py": a_file(b"second\n")}, earlier=first.written)


def test_originals_are_told_once(root: Path) -> None:
    first = planned(root, {"a.py": a_file(b"first\n"), "c.py": a_file(b"c\n")})
    assert list(first.originals()) == [b"a = 1\n"]
    carry_out(str(root), first)
    second = planned(root, {"a.py": a_file(b"second\n")}, earlier=first.written)
    assert list(second.originals()) == []


def test_killed_anywhere_each_file_is_before_or_after_and_a_second_time_completes_it(
    tmp_path: Path,
) -> None:
    number = 0

    def make() -> tuple[Path, dict]:
        nonlocal number
        number += 1
        root = tmp_path / str(number)
        write(root, BEFORE)
        return root, planned(root).written

    def check(state: tuple[Path, dict], killed: bool) -> None:
        root, written = state
        found = {path: content for path, content in read(root).items() if not path.endswith(".tmp")}
        assert all(
            content in (BEFORE.get(path), AFTER.get(path)) for path, content in found.items()
        )
        assert killed or found == AFTER
        carry_out(str(root), planned(root, earlier=written))
        assert read(root) == AFTER

    calls = at_each_call(make, lambda state: carry_out(str(state[0]), planned(state[0])), check)
    assert calls > 25


@pytest.mark.parametrize("renames", range(4))
def test_what_a_full_disk_cuts_off_is_taken_back(root: Path, renames: int) -> None:
    class Full(files.Operations):
        left = renames

        def rename(self, source: str, target: str) -> None:
            self.left -= 1
            if self.left == -1:
                raise OSError(28, "No space left on device")
            super().rename(source, target)

    made, before = planned(root), read(root)
    previous = files.use(Full())
    try:
        with pytest.raises(OSError, match="No space"):
            carry_out(str(root), made)
    finally:
        files.use(previous)
    assert read(root) == before


def test_many_names_are_cut() -> None:
    assert named(["e", "d", "c", "b", "a"]) == "a, b, c and 2 more"
    assert mark_of(None) is None
    assert mark_of(Content(b"")) != mark_of(Content(b"", executable=True))
