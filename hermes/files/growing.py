"""Writes files that grow: append-only ones under their lock, and logs of one writer."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hermes.files import operations
from hermes.files.reading import check_is_file
from hermes.files.whole import replace

_TAIL_BYTES = 8 * 1024


class Stream:
    """A new file that its only owner writes piece by piece and may read back and shorten.

    Writes: ``path``, which must not exist yet; raises FileExistsError when it does.
    """

    def __init__(self, path: Path | str, *, mode: int = 0o600) -> None:
        self.path = os.fspath(path)
        self._fd = operations.current.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def write(self, data: bytes) -> None:
        """Write ``data`` at the present place, at first the beginning."""
        operations.current.write(self._fd, data)

    def move_to(self, offset: int) -> None:
        """Make ``offset`` the place of the next writing."""
        os.lseek(self._fd, offset, os.SEEK_SET)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; the place of writing stays."""
        return os.pread(self._fd, size, offset)

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        operations.current.truncate(self._fd, size)

    def still_named(self) -> bool:
        """Say whether its name still leads to it."""
        try:
            named = os.lstat(self.path)
        except OSError:
            return False
        opened = os.fstat(self._fd)
        return (opened.st_ino, opened.st_dev) == (named.st_ino, named.st_dev)

    def close(self) -> None:
        """Close the file; whatever else is asked of it after that fails."""
        os.close(self._fd)


def append(
    path: Path, make: Callable[[list[bytes]], bytes], *, durable: bool = False, mode: int = 0o600
) -> bytes:
    """Append the lines that ``make`` returns, and return them.

    ``make`` is given the last lines of the file (at least one complete one if there is any,
    oldest first) and runs under the file's lock, so it must be quick; what it returns ends in a
    newline (or is empty, then nothing is written). A torn last line is among them: closing it off
    makes it a line, and it may be whole but for its newline.

    Writes: ``path``, under its ``flock``: closes off a torn last line, appends all at once,
    syncs if ``durable``, and cuts back to the old size when the disk refuses.
    """
    fd = _open_locked(path, mode)
    try:
        size = os.fstat(fd).st_size
        tail, torn = _tail(fd, size)
        data = make(tail)
        if not data:
            return data
        try:
            operations.current.write(fd, b"\n" + data if torn else data)
            if durable:
                operations.current.fsync(fd)
        except OSError:
            with contextlib.suppress(OSError):
                operations.current.truncate(fd, size)
            raise
    finally:
        os.close(fd)
    return data


@contextlib.contextmanager
def held(path: Path, *, mode: int = 0o600) -> Iterator[None]:
    """Keep everybody from appending to ``path`` during the body, which must be quick.

    The body may not append to it itself.
    """
    fd = _open_locked(path, mode)
    try:
        yield
    finally:
        os.close(fd)


def rewrite_locked(path: Path, data: bytes | Callable[[], bytes], *, mode: int = 0o600) -> bool:
    """Replace an append-only file durably while no one can append to it.

    ``data`` may be a function: it is called under the lock, so what it reads of the file is all
    that was ever appended.

    Writes: as ``replace``; whoever waits to append notices the new file and opens that.
    """
    with held(path, mode=mode):
        return replace(path, data if isinstance(data, bytes) else data(), durable=True, mode=mode)


def _open_locked(path: Path, mode: int) -> int:
    """Open for appending under an exclusive lock, and make sure it is still the named file."""
    name = str(path)
    while True:
        fd = operations.current.open(name, os.O_CREAT | os.O_RDWR | os.O_APPEND, mode)
        try:
            check_is_file(fd, name)
            fcntl.flock(fd, fcntl.LOCK_EX)
            opened = os.fstat(fd)
            named = os.stat(name)
            if (opened.st_ino, opened.st_dev) == (named.st_ino, named.st_dev):
                return fd
        except FileNotFoundError:
            pass  # replaced and removed meanwhile: open what is there now
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _tail(fd: int, size: int) -> tuple[list[bytes], bool]:
    """Return the last lines and whether the last of them is torn."""
    length = _TAIL_BYTES
    while True:
        start = max(0, size - length)
        data = os.pread(fd, size - start, start)
        torn = bool(data) and not data.endswith(b"\n")
        lines = data.split(b"\n") if torn else data.split(b"\n")[:-1]
        if start == 0:
            return lines, torn
        if len(lines) > 1 + torn:
            return lines[1:], torn  # the first may have begun before what was read
        length *= 4
