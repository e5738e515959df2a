from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest
from crash_harness import points, power_loss_states, recorded, run_killed

from hermes import files
from hermes.errors import broken_file
from hermes.files import operations as operations_module
from hermes.files import temporary
from hermes.files.side_by_side import PythonThreads

HOSTILE_NAMES = [
    "with space",
    "with\nnewline",
    "-leading-dash",
    "..dots..",
    "quote'\"`$(id)",
    "näme",
    "\udcff\udcfe",  # bytes that are not UTF-8
    "n" * 255,
]


class RefusingOperations(files.Operations):
    """A disk that is full after so many bytes."""

    def __init__(self, space: int) -> None:
        self.space = space

    def write(self, fd: int, data: bytes) -> None:
        written = data[: self.space]
        self.space -= len(written)
        super().write(fd, written)
        if len(written) < len(data):
            raise OSError(errno.ENOSPC, "full")


@pytest.fixture
def operations():
    """Put operations in place for one test."""
    before = files.operations.current
    yield files.use
    files.use(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Reading


def test_reading_what_is_not_there_gives_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    assert files.read(tmp_path / "none") is None
    assert files.read(tmp_path / "file" / "below") is None
    assert files.read_lines(tmp_path / "none") == ([], 0)
    assert files.list_folder(tmp_path / "none") == []
    assert files.list_folder(tmp_path / "file") == []


def test_readers_stop_at_the_last_newline(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthr")
    lines, offset = files.read_lines(path)
    assert (lines, offset) == ([b"one", b"two"], 8)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert files.read_lines(path, offset) == ([b"three"], 14)
    assert files.read_lines(path, 14) == ([], 14)


def test_only_newlines_end_lines(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\rb\x0bc\x85d\n\n")
    assert files.read_lines(path) == ([b"a\rb\x0bc\x85d", b""], 9)


def test_listings_are_sorted_and_leave_out_unfinished_work(tmp_path):
    for name in ("b", "a", ".b.12.0.tmp", ".hidden"):
        (tmp_path / name).touch()
    assert files.list_folder(tmp_path) == [".hidden", "a", "b"]


def test_a_dangling_link_exists(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert files.exists(tmp_path / "link")
    assert not files.exists(tmp_path / "nowhere")


# Folders


def test_making_a_folder_makes_its_parents_for_us_alone(tmp_path):
    files.make_folder(tmp_path / "a" / "b", durable=True)
    files.make_folder(tmp_path / "a" / "b")
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700


def test_a_durable_folder_survives_a_power_cut(tmp_path):
    record = recorded(tmp_path, lambda record: files.make_folder(tmp_path / "a/b", durable=True))
    states = [state.tree for state in power_loss_states(record, record.calls, seed=0)]
    assert states == [{"a": {"b": {}}}]


def test_more_files_than_descriptors_can_be_synced(tmp_path):
    paths = [tmp_path / str(number) for number in range(1500)]
    for path in paths:
        path.touch()
    files.sync_paths(paths)
    files.sync_paths([])
    files.Syncing(paths).wait()


@pytest.mark.parametrize("count", [0, 1, 128, 129, 300])
@pytest.mark.parametrize("aside", [False, True], ids=["at once", "aside"])
def test_each_of_many_is_synced_once(tmp_path, count, aside):
    paths = [tmp_path / str(number) for number in range(count)]
    for path in paths:
        path.touch()

    def act(record) -> None:
        files.Syncing(paths).wait() if aside else files.sync_paths(paths)

    synced = recorded(tmp_path, act).trace
    assert sorted(what.rpartition("/")[2] for what in synced) == sorted(path.name for path in paths)
    assert all(what.startswith("sync") for what in synced)


def test_every_sync_is_awaited_and_an_error_is_told(tmp_path, operations, monkeypatch):
    synced = []
    started = threading.Event()

    def fsync(fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")
        if path.endswith("0"):
            started.wait(10)
            raise OSError(errno.EIO, "broken disk")
        synced.append(path)
        started.set()

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(operations_module._side_by_side, "_way", PythonThreads())
    for name in "012":
        (tmp_path / name).touch()
    for order in ("012", "120"):
        synced.clear()
        with pytest.raises(OSError, match="broken disk"):
            files.sync_paths([tmp_path / name for name in order])
        assert len(synced) == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs what cannot be synced")
def test_the_error_of_any_sync_is_told_when_all_have_ended(tmp_path):
    for name in "012":
        (tmp_path / name).touch()
    for place in range(4):
        paths = [tmp_path / name for name in "012"]
        paths.insert(place, Path("/proc/self/status"))
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            files.sync_paths(paths)
        begun = files.Syncing(paths)
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            begun.wait()
        begun.wait()
    files.sync_paths(tmp_path / name for name in "012")


def test_a_tree_with_hostile_names_is_removed_and_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    tree = tmp_path / "tree"
    for name in HOSTILE_NAMES:
        (tree / "folders" / name).mkdir(parents=True)
        (tree / "folders" / name / name).touch()
    (tree / "link").symlink_to(outside)
    os.mkfifo(tree / "pipe")
    files.remove_tree(tree)
    files.remove_tree(tree)
    assert not tree.exists()
    assert (outside / "precious").exists()


def test_a_link_and_a_file_are_removed_like_a_tree(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    files.remove_tree(tmp_path / "link")
    files.remove_tree(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_tree_deeper_than_any_path_is_removed(tmp_path):
    name = "d" * 200
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(50):
            os.mkdir(name)
            os.chdir(name)
    finally:
        os.chdir(here)
    files.remove_tree(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_refuses_entry_is_removed(tmp_path, operations, monkeypatch):
    (tmp_path / "tree" / "closed").mkdir(parents=True)
    changed = []

    class Chmod(files.Operations):
        def chmod(self, path: str, mode: int) -> None:
            changed.append((path, mode))

    operations(Chmod())
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("closed"))
    files.remove_tree(tmp_path / "tree")
    assert changed == [(str(tmp_path / "tree" / "closed"), 0o700)]


# Whole files


def test_a_new_file_is_never_written_over_an_old_one(tmp_path):
    files.write_new(tmp_path / "file", b"one", mode=0o444)
    with pytest.raises(FileExistsError):
        files.write_new(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert mode_of(tmp_path / "file") == 0o444


def test_a_file_is_created_once(tmp_path):
    assert files.create_once(tmp_path / "file", b"one")
    assert not files.create_once(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["file"]


def test_replacing_with_the_same_content_writes_nothing(tmp_path):
    path = tmp_path / "file"
    assert files.replace(path, b"one")
    before = path.stat().st_ino
    assert not files.replace(path, b"one")
    assert path.stat().st_ino == before
    assert files.replace(path, b"two", durable=True)
    assert path.read_bytes() == b"two"


def test_a_folder_in_the_place_of_a_file_is_set_aside(tmp_path):
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "content").touch()
    assert files.replace(tmp_path / "file", b"one")
    assert (tmp_path / "file").read_bytes() == b"one"
    aside = next(path for path in tmp_path.iterdir() if "set-aside" in path.name)
    assert (aside / "content").exists()


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path, operations):
    files.replace(tmp_path / "file", b"old")
    operations(RefusingOperations(2))
    with pytest.raises(OSError, match="full"):
        files.replace(tmp_path / "file", b"newer")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("durable", [False, True])
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path, durable):
    path = tmp_path / "file"

    def replace() -> None:
        files.replace(path, b"new content", durable=durable)

    for at, how in points(run_killed(replace, 0)):
        path.write_bytes(b"old")
        run_killed(replace, at, how)
        assert path.read_bytes() in (b"old", b"new content")


def test_a_power_cut_leaves_the_old_file_or_the_new_one_when_that_was_durable(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    record = recorded(tmp_path, lambda record: files.replace(path, b"new content", durable=True))
    for at in range(record.calls + 1):
        for state in power_loss_states(record, at, seed=at):
            assert state.tree["file"] in (b"old", b"new content"), state.name
    assert state.tree == {"file": b"new content"}


def test_overwriting_in_place_cuts_off_what_follows(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        files.overwrite(path, b"x")
    path.write_bytes(b"a longer content")
    inode = path.stat().st_ino
    files.overwrite(path, b"short", durable=True)
    assert (path.read_bytes(), path.stat().st_ino) == (b"short", inode)


def test_a_detached_file_is_no_longer_anybody_elses(tmp_path):
    path, other = tmp_path / "log", tmp_path / "other"
    path.write_bytes(b"so far\n")
    os.link(path, other)
    with open(path, "ab") as writer:
        assert files.detach(path, temporary=tmp_path / "copy", mode=0o444)
        writer.write(b"and on\n")
    assert path.read_bytes() == b"so far\n"
    assert other.read_bytes() == b"so far\nand on\n"
    assert mode_of(path) == 0o444
    assert not files.detach(tmp_path / "none", temporary=tmp_path / "copy")
    assert sorted(os.listdir(tmp_path)) == ["log", "other"]


# Append-only files


def test_append_heals_a_torn_tail(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"whole\ntor")
    files.append(path, lambda tail: b"next\n")
    assert path.read_bytes() == b"whole\ntor\nnext\n"


def test_append_shows_the_last_lines_and_may_be_declined(tmp_path):
    path = tmp_path / "log"
    seen: list[list[bytes]] = []

    def decline(tail: list[bytes]) -> bytes:
        seen.append(tail)
        return b""

    assert files.append(path, decline) == b""
    path.write_bytes(b"one\ntwo\ntorn")
    assert files.append(path, decline) == b""
    assert seen == [[], [b"one", b"two", b"torn"]]
    assert path.read_bytes() == b"one\ntwo\ntorn"


def test_append_shows_a_last_line_that_is_longer_than_its_window(tmp_path):
    path = tmp_path / "log"
    long = b"x" * 300_000
    path.write_bytes(b"first\n" + long + b"\n")
    seen: list[list[bytes]] = []
    files.append(path, lambda tail: seen.append(tail) or b"")
    assert seen[0][-1] == long


def test_append_cuts_back_when_the_disk_refuses(tmp_path, operations):
    path = tmp_path / "log"
    files.append(path, lambda tail: b"whole\n")
    operations(RefusingOperations(3))
    with pytest.raises(OSError, match="full"):
        files.append(path, lambda tail: b"another\n")
    assert path.read_bytes() == b"whole\n"


def test_no_kill_costs_a_line_that_was_written(tmp_path):
    path = tmp_path / "log"

    def two() -> None:
        files.append(path, lambda tail: b"second\n", durable=True)
        files.append(path, lambda tail: b"third\n", durable=True)

    for at, how in points(run_killed(two, 0)):
        path.write_bytes(b"first\n")
        run_killed(two, at, how)
        files.append(path, lambda tail: b"last\n")
        lines = files.read_lines(path)[0]
        assert (lines[0], lines[-1]) == (b"first", b"last")
        assert at < 4 or b"second" in lines  # it was written when the third was begun


def test_appending_from_many_threads_loses_nothing(tmp_path):
    path = tmp_path / "log"

    def work(name: int) -> None:
        for number in range(50):
            line = b"%d.%d\n" % (name, number)
            files.append(path, lambda tail, line=line: line)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(path.read_bytes().splitlines())) == 200


def test_who_waits_to_append_finds_the_rewritten_file(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    waiting = threading.Thread(target=files.append, args=(path, lambda tail: b"appended\n"))

    def rewritten() -> bytes:
        waiting.start()
        return path.read_bytes() + b"rewritten\n"

    assert files.rewrite_locked(path, rewritten)
    waiting.join()
    assert path.read_bytes() == b"old\nrewritten\nappended\n"
    assert not files.rewrite_locked(path, path.read_bytes())


# Names


def test_a_claim_has_one_winner(tmp_path):
    (tmp_path / "thing").mkdir()
    won = [files.claim(tmp_path / "thing", tmp_path / f"mine.{number}") for number in range(3)]
    assert won == [True, False, False]


def test_publishing_never_replaces_not_even_an_empty_folder(tmp_path):
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    assert not files.publish_folder(tmp_path / "source", tmp_path / "target")
    (tmp_path / "target").rmdir()
    (tmp_path / "target").symlink_to("nowhere")
    assert not files.publish_folder(tmp_path / "source", tmp_path / "target")


def test_temporary_names_tell_what_they_are_for_and_by_whom(tmp_path):
    name = files.temporary_beside(tmp_path / "a.b.json").name
    assert files.is_temporary(name)
    assert files.temporary_for(name) == "a.b.json"
    assert files.temporary_owner(name) == os.getpid()
    assert files.temporary_owner(".something.tmp") is None
    assert not files.is_temporary("a.b.json")


def test_a_temporary_name_that_a_crash_left_behind_is_not_taken(tmp_path, monkeypatch):
    import itertools

    monkeypatch.setattr(temporary, "_counter", itertools.count())
    files.temporary_beside(tmp_path / "file").touch()
    monkeypatch.setattr(temporary, "_counter", itertools.count())  # as after a restart, same id
    assert files.replace(tmp_path / "file", b"content")


# Locks


def test_a_lock_is_held_once_and_free_again_afterwards(tmp_path):
    path = tmp_path / "lock"
    taken = files.locked(path, wait_seconds=0)
    with taken as first, files.locked(path, wait_seconds=0.01) as second:
        assert (first, second) == (True, False)
    with files.locked(path, wait_seconds=0) as again:
        assert again


def test_a_lock_is_not_inherited_by_commands(tmp_path):
    with files.locked(tmp_path / "lock", wait_seconds=0):
        held = [
            fd
            for fd in map(int, os.listdir("/proc/self/fd"))
            if os.path.lexists(f"/proc/self/fd/{fd}")
            and os.readlink(f"/proc/self/fd/{fd}") == str(tmp_path / "lock")
        ]
        assert len(held) == 1
        assert fcntl.fcntl(held[0], fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_what_is_set_aside_is_kept_under_a_name_of_its_own(tmp_path):
    (tmp_path / "file").write_text("kept")
    kept = files.set_aside(tmp_path / "file")
    assert kept.read_text() == "kept"
    assert files.set_aside(tmp_path / "file") is None


def test_only_a_folder_is_set_aside_where_a_file_may_just_have_come(tmp_path):
    (tmp_path / "file").write_text("the right one")
    assert files.set_aside(tmp_path / "file", only_folder=True) is None
    assert (tmp_path / "file").read_text() == "the right one"
    (tmp_path / "folder").mkdir()
    assert files.set_aside(tmp_path / "folder", only_folder=True).is_dir()


@pytest.mark.parametrize("use", [files.read, files.read_lines, lambda path: _append(path)])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, use):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a file") as refused:
        use(tmp_path / "pipe")
    assert refused.value.filename == str(tmp_path / "pipe")


def _append(path):
    return files.append(path, lambda tail: b"line\n")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_file_is_not_detached(tmp_path, kind):
    path = tmp_path / "log"
    (tmp_path / "secret").write_text("not ours")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "secret")
    assert not files.detach(path, temporary=tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_word_of_the_system_on_one_file_harms_that_file_alone(tmp_path):
    with pytest.raises(OSError, match="directory") as found:
        files.read(tmp_path)
    assert str(tmp_path) in broken_file(found.value).message
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path))
    assert broken_file(full) is None
