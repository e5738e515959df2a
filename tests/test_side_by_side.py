"""Syncing several files at a time, by either kind of threads."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap

import pytest

from hermes.files import side_by_side
from hermes.files.side_by_side import LibraryThreads, PythonThreads, SideBySide


def _library() -> LibraryThreads:
    try:
        return LibraryThreads()
    except OSError:
        pytest.skip("this C library has no aio_fsync")


@pytest.fixture(params=[_library, PythonThreads], ids=["library", "python"])
def way(request):
    return request.param()


def opened(folder, count):
    fds = []
    for number in range(count):
        fds.append(os.open(folder / f"{number}", os.O_CREAT | os.O_RDWR, 0o600))
        os.write(fds[-1], b"x" * 100)
    return fds


@pytest.mark.parametrize("count", [1, 2, 9, 120])
def test_what_was_synced_without_a_fault_is_told_so(way, tmp_path, count):
    fds = opened(tmp_path, count)
    assert way.begin(fds)() == []
    assert way.begin([*fds, os.open(tmp_path, os.O_RDONLY)])() == []


def test_each_fault_is_told_and_the_others_are_synced(way, tmp_path):
    good, (read, write) = opened(tmp_path, 3), os.pipe()  # a pipe cannot be synced
    errors = way.begin([good[0], read, good[1], write, good[2]])()
    assert [type(error) for error in errors] == [OSError, OSError]
    assert {error.strerror for error in errors} == {os.strerror(error.errno) for error in errors}
    assert way.begin(good)() == []


def test_several_may_be_under_way_and_end_in_any_order(way, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    waits = [way.begin(opened(tmp_path / name, 5)) for name in ("a", "b", "c")]
    assert [wait() for wait in reversed(waits)] == [[], [], []]


def test_one_that_nobody_waits_for_harms_nothing(way, tmp_path):
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        fds = opened(folder, 4)
        way.begin(fds)
        for fd in fds:
            os.close(fd)
        gc.collect()
    (tmp_path / "last").mkdir()
    assert way.begin(opened(tmp_path / "last", 4))() == []


def test_the_library_is_asked_where_there_is_glibc():
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
    except ValueError:
        pytest.skip("another C library")
    assert isinstance(side_by_side._quickest(), LibraryThreads)


def test_where_the_library_has_none_pythons_threads_do_it(monkeypatch, tmp_path):
    def refuse(self):
        raise OSError("no aio_fsync")

    monkeypatch.setattr(LibraryThreads, "__init__", refuse)
    chosen = SideBySide()
    assert chosen.begin(opened(tmp_path, 3))() == []
    assert isinstance(chosen._way, PythonThreads)


def test_a_thread_that_is_not_to_be_had_is_done_without(tmp_path):
    way = _library()
    way._fsync = lambda operation, request: -1
    read, _ = os.pipe()
    assert way.begin(opened(tmp_path, 3))() == []
    assert len(way.begin([read])()) == 1


def test_nothing_is_synced_at_once():
    assert SideBySide().begin([])() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_process_that_was_forked_syncs_too(tmp_path):
    script = textwrap.dedent(
        """
        import os, pathlib, sys
        from hermes import files
        folder = pathlib.Path(sys.argv[1])
        def write(name):
            names = [folder / f"{name}{number}" for number in range(6)]
            for path in names:
                path.write_text("x")
            files.sync_paths([folder, *names])
        write("before")
        child = os.fork()
        write("after")
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
