from __future__ import annotations

import os

import pytest

from hermes.model import FileDigest
from hermes.store import inventory
from hermes.store.inventory import LONGEST_PATH, MOST_DEPTH, Entry

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"12345")
    (tmp_path / "top").touch(mode=0o640)
    (tmp_path / "top").chmod(0o640)
    return tmp_path


def test_files_folders_and_others_are_told_apart(folder):
    (folder / "link").symlink_to("top")
    os.mkfifo(folder / "a" / "pipe")
    os.link(folder / "top", folder / "other")
    found = inventory.take(str(folder))
    assert found.files[-1] == Entry("top", 0, 0o640, 2)
    assert [entry.path for entry in found.files] == ["a/b/file", "other", "top"]
    assert found.folders == ("a", "a/b")
    assert found.others == (("a/pipe", "a pipe"), ("link", "a symbolic link"))
    assert inventory.parents("a/b/file") == ["a", "a/b"]


def test_a_folder_is_empty_when_no_file_is_below_it(folder):
    (folder / "x" / "y").mkdir(parents=True)
    (folder / "z").mkdir()
    (folder / "z" / "link").symlink_to("top")
    assert inventory.take(str(folder)).empty_folders() == ["x", "x/y", "z"]


def test_what_lies_too_deep_or_has_too_long_a_path_is_not_looked_at(folder):
    assert not inventory.too_far("/".join(["d"] * MOST_DEPTH))
    assert inventory.too_far("/".join(["d"] * (MOST_DEPTH + 1)))
    assert inventory.too_far("x" * (LONGEST_PATH + 1))
    deep = folder.joinpath(*["d"] * (MOST_DEPTH + 3))
    deep.mkdir(parents=True)
    found = inventory.take(str(folder))
    assert found.others == (("/".join(["d"] * (MOST_DEPTH + 1)), "too deep"),)


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1])
def test_a_digest_covers_every_byte_of_a_file_of_any_size(tmp_path, size):
    from hashlib import sha256

    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    expected = FileDigest(sha256(data).hexdigest(), size)
    assert inventory.digest_file(str(tmp_path / "file")) == expected


def test_a_file_that_lies_about_its_size_is_read_to_its_end():
    assert inventory.digest_file("/proc/self/status").size > 0


def test_only_regular_files_have_a_digest(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "none", ""):
        with pytest.raises(OSError):  # noqa: PT011  each is refused in its own way
            inventory.digest_file(str(tmp_path / name))


def test_a_folder_that_cannot_be_listed_is_an_other(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = inventory.take(str(folder))
    assert found.others == (("a/b", "a folder that cannot be read (Permission denied)"),)


def test_paths_are_shown_on_one_line():
    assert inventory.shown("näme with space") == "näme with space"
    assert inventory.shown("a\nb\udcff\x1b") == "a\\nb\\udcff\\x1b"


def test_differences_name_each_path_once(folder):
    (folder / "new").touch()
    named = {"a/b/file": FileDigest("0" * 64, 5), "top": FileDigest(EMPTY, 0)}
    named["gone"] = FileDigest(EMPTY, 0)
    assert list(inventory.differences(str(folder), named)) == [
        ("a/b/file", "changed"),
        ("gone", "missing"),
        ("new", "added"),
    ]
