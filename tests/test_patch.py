"""Holds ``hermes.executing.patch``: git makes exactly ``after`` of ``before`` by it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hermes.executing import patch
from hermes.executing.content import Content, Tree

GIT = {"PATH": os.environ["PATH"]}
NO_GIT = {"PATH": "/nonexistent"}
EITHER = pytest.mark.parametrize("environment", [GIT, NO_GIT], ids=["git", "no-git"])
LONG = b"".join(b"line %d\n" % number for number in range(40))
NAMES = (
    *("a.py", "with space.txt", 'quo"te', "back\\slash", "new\nline", "tab\there", "é.txt"),
    *("\udcff\udcfe.bin", "-dash", "deep/er/a.py", "deep/b b/c", "a => b", "{x}", ".gitattributes"),
)


def a_file(data: bytes = b"", *, executable: bool = False) -> Content:
    return Content(data, executable)


CONTENTS = st.builds(
    Content,
    st.one_of(
        st.binary(max_size=40),
        st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"c\r\n", b"d", b" \n"]), max_size=12).map(
            b"".join
        ),
        st.sampled_from([LONG, LONG.replace(b"line 7\n", b"line seven\n"), b"* text eol=crlf\n"]),
    ),
    st.booleans(),
)
TREES = st.dictionaries(st.sampled_from(NAMES), CONTENTS, max_size=6)


def write(root: Path, tree: Tree) -> None:
    for path, content in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.data)
        place.chmod(0o755 if content.executable else 0o644)


def read(root: Path) -> dict[str, Content]:
    return {
        str(place.relative_to(root)): Content(
            place.read_bytes(), executable=bool(place.stat().st_mode & 0o100)
        )
        for place in root.rglob("*")
        if place.is_file()
    }


def applied(before: Tree, text: bytes) -> dict[str, Content]:
    """Return what ``git apply`` makes of a tree."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, before)
        if text:
            subprocess.run(
                ["git", "apply", "--whitespace=nowarn", "-"],
                cwd=root,
                input=text,
                env={**GIT, "GIT_CEILING_DIRECTORIES": str(root.parent)},
                check=True,
            )
        return read(root)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@EITHER
@settings(max_examples=25, deadline=None)
@given(before=TREES, after=TREES)
@example(before={}, after={"empty": a_file()})
@example(before={"empty": a_file()}, after={})
@example(before={"f": a_file(b"x\n")}, after={"f": a_file(b"x\n", executable=True)})
@example(before={"f": a_file(b"no newline")}, after={"f": a_file(b"no newline\n")})
@example(before={"f": a_file(b"a folder next")}, after={"f/x": a_file(b"a file\n")})
@example(before={"f/x": a_file(b"a folder")}, after={"f": a_file(b"a file\n")})
@example(before={"f": a_file(b"\0binary")}, after={"f": a_file(b"\0\xff other" * 99)})
@example(before={"old name": a_file(LONG)}, after={"new\nname": a_file(LONG, executable=True)})
def test_git_applies_the_patch_to_the_byte(
    environment: dict[str, str], scratch: Path, before: Tree, after: Tree
) -> None:
    text = patch.diff(before, after, scratch, environment)
    assert applied(before, text) == after
    assert (text == b"") == (before == after)
    assert list(scratch.iterdir()) == []


def test_a_renamed_file_is_shown_as_renamed(scratch: Path) -> None:
    after = {"new": a_file(LONG + b"more\n")}
    text = patch.diff({"old": a_file(LONG)}, after, scratch, GIT)
    assert b"rename from old\nrename to new\n" in text
    assert text.startswith(b"diff --git a/old b/new\n")


def test_no_setting_or_attribute_of_anybody_has_a_say(scratch: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[diff]\n\tnoprefix = true\n\tmnemonicPrefix = true\n\texternal = false\n"
        '[core]\n\tattributesFile = ~/attributes\n[diff "x"]\n\ttextconv = false\n'
    )
    (home / "attributes").write_text("* diff=x text eol=crlf\n")
    caller = {**GIT, "HOME": str(home), "GIT_EXTERNAL_DIFF": "false", "GIT_DIR": "/nonexistent"}
    before = {".gitattributes": a_file(b"* diff=x -text\n"), "f": a_file(b"a\r\nb\n")}
    after = {**before, "f": a_file(b"a\r\nc\n")}
    text = patch.diff(before, after, scratch, caller)
    assert text == patch.diff(before, after, scratch, GIT)
    assert b"--- a/f\n+++ b/f\n" in text
    assert b" a\r\n-b\n+c\n" in text


def test_scratch_inside_a_repository_is_no_part_of_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitattributes").write_text("* binary\n")
    text = patch.diff({"f": a_file(b"a\n")}, {"f": a_file(b"b\n")}, tmp_path / "scratch", GIT)
    assert b"-a\n+b\n" in text


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"f": a_file(b"a\nb\nc")}, (3, 0)),
        ({"f": a_file(b"a\nb\n")}, {}, (0, 2)),
        ({"f": a_file(b"a\nb\nc\n")}, {"f": a_file(b"a\nx\nc\n")}, (1, 1)),
        ({"f": a_file(b"a\nb\n")}, {"f": a_file(b"b\na\n")}, (1, 1)),
        ({"f": a_file(b"a\n")}, {"f": a_file(b"a\n", executable=True)}, (0, 0)),
        ({"f": a_file(b"\0")}, {"f": a_file(b"\0\1\n")}, (0, 0)),
        ({"f": a_file(LONG)}, {"f": a_file(LONG), "g": a_file(b"\n")}, (1, 0)),
        ({"f": a_file(b"x\n" * 20_000)}, {"f": a_file(b"y\n" * 20_000)}, (20_000, 20_000)),
    ],
)
def test_changed_lines_are_counted(before: Tree, after: Tree, expected: tuple[int, int]) -> None:
    assert patch.changed_lines(before, after) == expected
