"""Makes, syncs and removes folders."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hermes.files import operations
from hermes.files.temporary import temporary_beside

_SYNC_BATCH = 128  # open at a time: a process has 1,024 descriptors, and not all are ours
_LONG_PATH = 2048  # half of what the system takes; a name of 255 bytes more still fits


def make_folder(path: Path, *, durable: bool = False, mode: int = 0o700) -> None:
    """Create ``path`` and its missing parents.

    Writes: folders, of that mode before the umask; with ``durable`` also syncs each parent.
    """
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            operations.current.mkdir(str(folder), mode)
        if durable:
            sync_folder(folder.parent)


def sync_folder(path: Path | str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        operations.current.fsync(fd)
    finally:
        os.close(fd)


def sync_paths(paths: Iterable[Path | str]) -> None:
    """Make the content of the files and the names in the folders among ``paths`` durable."""
    waiting = list(paths)
    for start in range(0, len(waiting), _SYNC_BATCH):
        _sync_batch(waiting[start : start + _SYNC_BATCH])


def _sync_batch(paths: Sequence[Path | str]) -> None:
    fds = _opened(paths)
    try:
        if fds:
            operations.current.sync_all(fds)
    finally:
        _close(fds)


class Syncing:
    """Files and folders that are on their way to the disk; ``wait`` returns when they are there.

    Until then the descriptors of some of them are open; of many, most are there at once.
    """

    def __init__(self, paths: Iterable[Path | str]) -> None:
        waiting = list(paths)
        sync_paths(waiting[:-_SYNC_BATCH])
        self._fds = _opened(waiting[-_SYNC_BATCH:])
        self._begun: Callable[[], None] | None = None
        try:
            self._begun = operations.current.begin_sync(self._fds)
        except BaseException:
            _close(self._fds)
            raise

    def wait(self) -> None:
        """Return when all are durable. Fine to call again; OSError is raised the first time.

        After a wait that an exception cut short nobody knows: whoever needs it syncs anew.
        """
        begun, self._begun = self._begun, None
        if begun is None:
            return
        try:
            begun()
        finally:
            _close(self._fds)


def _opened(paths: Iterable[Path | str]) -> list[int]:
    """Open what can be synced; the caller closes it."""
    fds: list[int] = []
    try:
        for path in paths:
            fds.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            if stat.S_ISFIFO(os.fstat(fds[-1]).st_mode):
                os.close(fds.pop())  # holds nothing that could be made durable
    except BaseException:
        _close(fds)
        raise
    return fds


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def remove_tree(path: Path | str) -> None:
    """Remove a file, or a folder with all that is in it; fine when there is none.

    However deep it is, and when others remove it too.

    Writes: only removals, and moves of what lies too deep; links are removed, never followed.
    """
    top = os.fspath(path)
    try:
        if not stat.S_ISDIR(os.lstat(top).st_mode):
            remove(top)
            return
    except FileNotFoundError:
        return
    folders = [top]
    for folder in folders:  # grows on the way
        folders.extend(_empty_folder(folder, top))
    for folder in reversed(folders):
        with contextlib.suppress(FileNotFoundError):
            operations.current.rmdir(folder)


def _empty_folder(folder: str, top: str) -> list[str]:
    """Remove what is in a folder except for its folders, which are returned."""
    folders = []
    for entry in _entries(folder):
        if not entry.is_dir(follow_symlinks=False):
            remove(entry.path)
        elif len(entry.path) < _LONG_PATH:
            folders.append(entry.path)
        else:
            nearer = str(temporary_beside(Path(top, "far")))
            operations.current.rename(entry.path, nearer)
            folders.append(nearer)
    return folders


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder that is about to be emptied, made accessible if need be."""
    try:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            operations.current.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def remove_folder(path: Path | str) -> bool:
    """Remove a folder that is empty; False when it is not, or no folder.

    Writes: one removal.
    """
    try:
        operations.current.rmdir(os.fspath(path))
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def set_mode(path: Path | str, mode: int) -> None:
    """Change a file's permissions. Writes: those alone."""
    operations.current.chmod(os.fspath(path), mode)


def remove(path: Path | str) -> bool:
    """Remove a file's name; False when it was gone already."""
    try:
        operations.current.unlink(os.fspath(path))
    except FileNotFoundError:
        return False
    return True
