"""Holds ``hermes.executing.surface``: what a candidate may change, and putting one in place."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import Fault
from hermes.executing import surface, trees
from hermes.executing.content import Content
from hermes.executing.surface import Surface

TEXT = Content(b"one\n\ntwo\n")
paths = st.sampled_from(["a.py", "src/a.py", "src/deep/b.bin", "src/c", "d"])
trees_of_files = st.dictionaries(
    paths, st.builds(Content, st.binary(max_size=20), st.booleans()), max_size=4
)


def read(root, **globs):
    kept = Surface(globs.get("mutable", ("**",)), globs.get("read_only", ()))
    return kept.read(trees.scan(str(root)), lambda path: f"{root}/{path}")


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("src/a.py", True),
        ("src/deep/a.py", True),
        ("src/kept.py", False),
        ("src/__pycache__/a.cpython-311.pyc", False),
        ("src/.git/config", False),
        ("src.py", False),
        ("setup.py", True),
        ("sub/setup.py", False),
    ],
)
def test_a_surface_is_what_the_globs_name_but_for_what_is_read_only(path, held):
    assert Surface(("src", "*up.py"), ("src/kept.*",)).holds(path) is held


@given(trees_of_files, trees_of_files)
def test_changes_lead_from_one_surface_to_the_other(before, after):
    changes = surface.changes(before, after)
    assert surface.overlaid(before, changes) == after
    assert (not changes) == (before == after) == (surface.digest(before) == surface.digest(after))


@given(trees_of_files, trees_of_files)
def test_what_is_put_into_a_folder_is_what_is_read_there(tmp_path_factory, before, after):
    root = tmp_path_factory.mktemp("root")
    surface.put(str(root), before)
    assert read(root) == before
    surface.put(str(root), surface.changes(before, after))
    assert read(root) == after


def test_a_file_is_replaced_and_not_written_through_a_link(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    root = tmp_path / "root"
    root.mkdir()
    os.symlink(outside, root / "a.py")
    os.link(outside, root / "b.py")
    surface.put(str(root), {"a.py": TEXT, "b.py": TEXT})
    assert outside.read_text() == "theirs"
    assert read(root) == {"a.py": TEXT, "b.py": TEXT}


def test_nothing_is_put_through_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "src")
    with pytest.raises(Fault, match="leads through a link"):
        surface.put(str(tmp_path / "root"), {"src/a.py": TEXT})
    assert not any((tmp_path / "elsewhere").iterdir())


def test_a_surface_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    for number in range(4):
        (tmp_path / f"{number}").write_text("x" * 10)
    monkeypatch.setattr(surface, "MOST_FILES", 3)
    with pytest.raises(surface.TooLarge, match="more than 3 files"):
        read(tmp_path)


def test_complexity_counts_lines_that_are_not_blank_in_text_alone():
    assert surface.lines({"a.py": TEXT, "b.bin": Content(b"\0\n1\n2\n")}) == 2
