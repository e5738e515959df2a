"""The operating system's calls that change files: the seam at which the crash tests stand."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from hermes.files.side_by_side import SideBySide, sync, try_sync

_side_by_side = SideBySide()
os.register_at_fork(after_in_child=_side_by_side.begin_anew)


class Operations:
    """The operating system's calls that change files; a seam for the crash tests."""

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
        sync(fd)

    def sync_all(self, fds: Sequence[int]) -> None:
        """Make all of ``fds`` durable; side by side, for the disk then commits them together."""
        wait = _side_by_side.begin(fds[1:])
        first = try_sync(fds[0])
        for error in [*([first] if first else []), *wait()]:  # all have ended: they are closed next
            raise error

    def begin_sync(self, fds: Sequence[int]) -> Callable[[], None]:
        """Begin to make all of ``fds`` durable; they are when the function returned returns."""
        wait = _side_by_side.begin(fds)

        def settle() -> None:
            for error in wait():
                raise error

        return settle

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
