"""Syncs several files at a time, for the disk then commits them together; ``operations`` calls it.

Limits first. A process that was forked has none of the threads that its parent had, so it begins
anew, with Python's own. Where a descriptor is closed before its sync has ended, nobody knows of
what that became.

Python's threads take turns, and hand over at each call of the system: for the ten files of a run
that took as long as the disk. The C library's own threads (POSIX ``aio_fsync``) need no turn, so
they do it where there is glibc; Python's do it elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

_THREADS = 8
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
_SIGEV_NONE = 1

Wait = Callable[[], list[OSError]]


def sync(fd: int) -> None:
    """Sync to the medium: on macOS ``fsync`` alone stops at the drive's own cache."""
    if _FULL_SYNC is not None:
        fcntl.fcntl(fd, _FULL_SYNC)
    else:
        os.fsync(fd)


def try_sync(fd: int) -> OSError | None:
    """Sync, and return what went wrong."""
    try:
        sync(fd)
    except OSError as error:
        return error
    return None


class SideBySide:
    """Syncs several files at a time, in the quickest way that there is here."""

    def __init__(self) -> None:
        self._way: _Way | None = None

    def begin(self, fds: Sequence[int]) -> Wait:
        """Begin to sync all; the function returned waits for the end and says what went wrong."""
        if not fds:
            return list
        if self._way is None:
            self._way = _quickest()
        return self._way.begin(fds)

    def begin_anew(self) -> None:
        """Go on in a process that was forked: the library does not know that it was."""
        self._way = PythonThreads()


class _Way(Protocol):
    def begin(self, fds: Sequence[int]) -> Wait: ...


class PythonThreads:
    """Threads that sync what they are handed, started when first needed.

    A pool of ``concurrent.futures`` does the same, but its bookkeeping took as long as the disk.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[int, SimpleQueue[OSError | None]]] = SimpleQueue()
        self._started = 0

    def begin(self, fds: Sequence[int]) -> Wait:
        """As ``SideBySide`` says."""
        done: SimpleQueue[OSError | None] = SimpleQueue()
        self._start(len(fds))
        for fd in fds:
            self._tasks.put((fd, done))

        def wait() -> list[OSError]:
            return [error for error in [done.get() for _ in fds] if error is not None]

        return wait

    def _start(self, wanted: int) -> None:
        while self._started < min(wanted, _THREADS):
            Thread(target=self._work, name="hermes-sync", daemon=True).start()
            self._started += 1

    def _work(self) -> None:
        while True:
            fd, done = self._tasks.get()
            done.put(try_sync(fd))


class LibraryThreads:
    """The C library's threads: POSIX.1 ``aio_fsync``, as glibc has it.

    Raises OSError, when it is made, where there is none.
    """

    def __init__(self) -> None:
        import ctypes

        class Request(ctypes.Structure):
            """``struct aiocb``: the fields up to those that are set, and room for the rest."""

            _fields_ = (
                ("descriptor", ctypes.c_int),
                ("operation", ctypes.c_int),
                ("priority", ctypes.c_int),
                ("buffer", ctypes.c_void_p),
                ("length", ctypes.c_size_t),
                ("signal_value", ctypes.c_void_p),
                ("signal", ctypes.c_int),
                ("notify", ctypes.c_int),
                ("rest", ctypes.c_char * 256),
            )

        try:
            os.confstr("CS_GNU_LIBC_VERSION")
            library = ctypes.CDLL(None)
            self._fsync, self._error = library.aio_fsync, library.aio_error
            self._suspend, self._return = library.aio_suspend, library.aio_return
        except (AttributeError, ValueError) as error:
            raise OSError(errno.ENOSYS, "no aio_fsync") from error
        self._request, self._byref, self._pointer = Request, ctypes.byref, ctypes.pointer
        self._under_way: dict[int, Any] = {}  # the library writes into them, waited for or not

    def begin(self, fds: Sequence[int]) -> Wait:
        """As ``SideBySide`` says."""
        requests = (self._request * len(fds))()
        self._under_way[id(requests)] = requests
        begun, failed = [], []
        for request, fd in zip(requests, fds, strict=True):
            request.descriptor, request.notify = fd, _SIGEV_NONE
            if self._fsync(os.O_SYNC, self._byref(request)) == 0:
                begun.append(request)
            else:  # no thread to be had, say
                failed.append(try_sync(fd))

        def wait() -> list[OSError]:
            codes = [self._ended(request) for request in begun]
            self._under_way.pop(id(requests), None)
            errors = [OSError(code, os.strerror(code)) for code in codes if code]
            return [*errors, *(error for error in failed if error is not None)]

        return wait

    def _ended(self, request: Any) -> int:
        """Wait for one; return 0, or the number of the error."""
        place = self._byref(request)
        while (code := int(self._error(place))) == errno.EINPROGRESS:
            self._suspend(self._byref(self._pointer(request)), 1, None)
        self._return(place)
        return code


def _quickest() -> _Way:
    try:
        return LibraryThreads() if _FULL_SYNC is None else PythonThreads()
    except OSError:
        return PythonThreads()
