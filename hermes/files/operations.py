"""The operating system's calls that change files: the seam at which the crash tests stand."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_SYNC_THREADS = 8
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def _sync(fd: int) -> None:
    """Sync to the medium: on macOS ``fsync`` alone stops at the drive's own cache."""
    if _FULL_SYNC is not None:
        fcntl.fcntl(fd, _FULL_SYNC)
    else:
        os.fsync(fd)


class Operations:
    """The operating system's calls that change files; a seam for the crash tests."""

    _pool: ThreadPoolExecutor | None = None
    _pool_owner = 0

    def open(self, path: str, flags: int, mode: int) -> int:
        """Open ``path``, perhaps creating it."""
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def write(self, fd: int, data: bytes) -> None:
        """Write all of ``data``."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def fsync(self, fd: int) -> None:
        """Make the file's data and size durable, or a folder's names."""
        _sync(fd)

    def sync_all(self, fds: Sequence[int]) -> None:
        """Make all of ``fds`` durable; side by side, for the disk then commits them together."""
        futures = [self._threads().submit(_sync, fd) for fd in fds[1:]]
        try:
            _sync(fds[0])
        finally:
            errors = [future.exception() for future in futures]  # all: the caller closes next
        for error in filter(None, errors):
            raise error

    def _threads(self) -> ThreadPoolExecutor:
        """Return the pool; a new one after a fork, which takes no thread along."""
        if self._pool is None or self._pool_owner != os.getpid():
            from concurrent.futures import ThreadPoolExecutor

            Operations._pool = ThreadPoolExecutor(_SYNC_THREADS, "hermes-sync")
            Operations._pool_owner = os.getpid()
        assert self._pool is not None
        return self._pool

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        os.ftruncate(fd, size)

    def rename(self, source: str, target: str) -> None:
        """Rename; a file at ``target`` is replaced."""
        os.rename(source, target)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; fails when ``target`` exists."""
        os.link(source, target)

    def unlink(self, path: str) -> None:
        """Remove a file's name."""
        os.unlink(path)

    def mkdir(self, path: str, mode: int) -> None:
        """Create a folder."""
        os.mkdir(path, mode)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        os.rmdir(path)

    def chmod(self, path: str, mode: int) -> None:
        """Change a file's permissions."""
        os.chmod(path, mode)


current = Operations()


def use(operations: Operations) -> Operations:
    """Put ``operations`` in the place of the present ones, which are returned."""
    global current
    previous, current = current, operations
    return previous
