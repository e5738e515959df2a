"""The only code that writes to the data root: create_once, append, claim, publish and replace.

Limits first.
Renames, links and locks are as good as the file system: local disks and NFSv4 are meant.
A write is durable only where the caller asks for it, and a rename without replacing is safe
only under a lock that every writer of that place takes.

Every call to the operating system that changes something goes through ``Operations``.
The crash tests put their own in its place, count the calls, and kill the process at each.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_SYNC_THREADS = 8
_SYNC_BATCH = 128  # open at a time: a process has 1,024 descriptors, and not all are ours
_LONG_PATH = 2048  # half of what the system takes; a name of 255 bytes more still fits
_TAIL_BYTES = 8 * 1024
_COPY_BYTES = 1024 * 1024
_POLL_SECONDS = 0.002
_counter = itertools.count()


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
        os.fsync(fd)

    def sync_all(self, fds: Sequence[int]) -> None:
        """Make all of ``fds`` durable; side by side, for the disk then commits them together."""
        futures = [self._threads().submit(os.fsync, fd) for fd in fds[1:]]
        try:
            os.fsync(fds[0])
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


_ops = Operations()


def use(operations: Operations) -> Operations:
    """Put ``operations`` in the place of the present ones, which are returned."""
    global _ops
    previous, _ops = _ops, operations
    return previous


# Reading


def read(path: Path | str) -> bytes | None:
    """Return a file's content, or None when there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_lines(path: Path | str, offset: int = 0) -> tuple[list[bytes], int]:
    """Return the complete lines after ``offset`` and the offset behind the last of them.

    Takes no lock. A line still being written (no newline yet) is left for the next reading.
    """
    try:
        with open(path, "rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], offset + end


def read_before(path: Path | str, offset: int, length: int) -> bytes:
    """Return up to ``length`` bytes that end at ``offset``; b"" when the file is shorter."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, offset - length))
            data = stream.read(min(length, offset))
    except (FileNotFoundError, NotADirectoryError):
        return b""
    return data if len(data) == min(length, offset) else b""


def list_folder(path: Path | str) -> list[str]:
    """Return the names in a folder, sorted; temporary files left out; [] when it is missing."""
    try:
        return sorted(name for name in os.listdir(path) if not is_temporary(name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def exists(path: Path | str) -> bool:
    """Say whether something (a dangling link too) is called ``path``."""
    return os.path.lexists(path)


# Folders


def make_folder(path: Path, *, durable: bool = False) -> None:
    """Create ``path`` and its missing parents.

    Writes: folders, mode 0700 before the umask; with ``durable`` also syncs each parent.
    """
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            _ops.mkdir(str(folder), 0o700)
        if durable:
            sync_folder(folder.parent)


def sync_folder(path: Path | str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _ops.fsync(fd)
    finally:
        os.close(fd)


def sync_paths(paths: Iterable[Path | str]) -> None:
    """Make the content of the files and the names in the folders among ``paths`` durable."""
    waiting = list(paths)
    for start in range(0, len(waiting), _SYNC_BATCH):
        _sync_batch(waiting[start : start + _SYNC_BATCH])


def _sync_batch(paths: Sequence[Path | str]) -> None:
    fds: list[int] = []
    try:
        fds.extend(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)
        _ops.sync_all(fds)
    finally:
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
            _ops.rmdir(folder)


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
            _ops.rename(entry.path, nearer)
            folders.append(nearer)
    return folders


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder that is about to be emptied, made accessible if need be."""
    try:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            _ops.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def set_mode(path: Path | str, mode: int) -> None:
    """Change a file's permissions. Writes: those alone."""
    _ops.chmod(os.fspath(path), mode)


def remove(path: Path | str) -> bool:
    """Remove a file's name; False when it was gone already."""
    try:
        _ops.unlink(os.fspath(path))
    except FileNotFoundError:
        return False
    return True


# Whole files


def is_temporary(name: str) -> bool:
    """Say whether ``name`` is that of a file or folder still being made."""
    return name.startswith(".") and name.endswith(".tmp")


def temporary_beside(path: Path) -> Path:
    """Return a new temporary name in the folder of ``path``; it names this process.

    One that a crashed process of the same id (in a container, always the same) left is not taken.
    """
    while True:
        name = path.with_name(f".{path.name}.{os.getpid()}.{next(_counter)}.tmp")
        if not os.path.lexists(name):
            return name


def temporary_for(name: str) -> str:
    """Return the name that something with this temporary name was to get."""
    return name[1:].rsplit(".", 3)[0]


def temporary_owner(name: str) -> int | None:
    """Return the process id in a temporary name, or None when it has none."""
    parts = name.rsplit(".", 3)
    return int(parts[1]) if len(parts) == 4 and parts[1].isdigit() else None


def write_new(path: Path | str, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Write a file that must not exist yet, in a folder nobody else looks at.

    Writes: ``path``; raises FileExistsError when it is there.
    """
    fd = _ops.open(os.fspath(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        _ops.write(fd, data)
        if durable:
            _ops.fsync(fd)
    finally:
        os.close(fd)


def create_once(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Publish a whole file durably unless one of that name exists; False when it does.

    Writes: a temporary file beside ``path``, its sync, the link, the sync of the folder.
    """
    temporary = temporary_beside(path)
    try:
        write_new(temporary, data, mode=mode, durable=True)
        try:
            _ops.link(str(temporary), str(path))
        except FileExistsError:
            return False
    finally:
        remove(temporary)
    sync_folder(path.parent)
    return True


def replace(path: Path, data: bytes, *, durable: bool = False, mode: int = 0o600) -> bool:
    """Put ``data`` in the place of a file, whole; False when it held just that already.

    Writes: a temporary file beside ``path``, then a rename over it; syncs both if ``durable``.
    """
    with contextlib.suppress(OSError):
        if read(path) == data:
            return False
    temporary = temporary_beside(path)
    try:
        write_new(temporary, data, mode=mode, durable=durable)
        try:
            _ops.rename(str(temporary), str(path))
        except IsADirectoryError:
            _set_aside_folder(path)
            _ops.rename(str(temporary), str(path))
    except BaseException:
        remove(temporary)
        raise
    if durable:
        sync_folder(path.parent)
    return True


def overwrite(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write over the first bytes of a file where it stands, for one that must never be replaced.

    The content must have a fixed width that fits a disk sector: then a crash leaves either the
    old or the new. Raises FileNotFoundError when there is no such file.

    Writes: ``path``, in place, whatever follows cut off; syncs it if ``durable``.
    """
    fd = _ops.open(os.fspath(path), os.O_WRONLY, 0o600)
    try:
        _ops.write(fd, data)
        if os.fstat(fd).st_size > len(data):
            _ops.truncate(fd, len(data))
        if durable:
            _ops.fsync(fd)
    finally:
        os.close(fd)


def give_name(path: Path, name: Path) -> None:
    """Give a file a second name; raises FileExistsError when that is taken. Writes: the name."""
    _ops.link(str(path), str(name))


def detach(path: Path, *, temporary: Path, mode: int = 0o600) -> bool:
    """Give a file a content that nobody else has open or linked; False when there is no file.

    Writes: a copy at ``temporary`` (on the same file system), then a rename over ``path``.
    """
    try:
        with open(path, "rb") as stream:
            _copy(stream, temporary, mode)
    except FileNotFoundError:
        return False
    _ops.rename(str(temporary), str(path))
    return True


def _copy(stream: BinaryIO, target: Path, mode: int) -> None:
    fd = _ops.open(str(target), os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        while data := stream.read(_COPY_BYTES):
            _ops.write(fd, data)
    finally:
        os.close(fd)


def _set_aside_folder(path: Path) -> None:
    """Move a folder that stands where a file belongs out of the way; nothing is deleted."""
    _ops.rename(str(path), f"{path}.set-aside-{os.getpid()}-{next(_counter)}")


# Files that grow while something runs


class Stream:
    """A new file that its only owner writes piece by piece and may read back and shorten.

    Writes: ``path``, which must not exist yet; raises FileExistsError when it does.
    """

    def __init__(self, path: Path | str, *, mode: int = 0o600) -> None:
        self.path = os.fspath(path)
        self._fd = _ops.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def write(self, data: bytes) -> None:
        """Write ``data`` at the present place, at first the beginning."""
        _ops.write(self._fd, data)

    def move_to(self, offset: int) -> None:
        """Make ``offset`` the place of the next writing."""
        os.lseek(self._fd, offset, os.SEEK_SET)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; the place of writing stays."""
        return os.pread(self._fd, size, offset)

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        _ops.truncate(self._fd, size)

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


# Append-only files


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
            _ops.write(fd, b"\n" + data if torn else data)
            if durable:
                _ops.fsync(fd)
        except OSError:
            with contextlib.suppress(OSError):
                _ops.truncate(fd, size)
            raise
    finally:
        os.close(fd)
    return data


def rewrite_locked(path: Path, data: bytes | Callable[[], bytes], *, mode: int = 0o600) -> bool:
    """Replace an append-only file durably while no one can append to it.

    ``data`` may be a function: it is called under the lock, so what it reads of the file is all
    that was ever appended.

    Writes: as ``replace``; whoever waits to append notices the new file and opens that.
    """
    fd = _open_locked(path, mode)
    try:
        return replace(path, data if isinstance(data, bytes) else data(), durable=True, mode=mode)
    finally:
        os.close(fd)


def _open_locked(path: Path, mode: int) -> int:
    """Open for appending under an exclusive lock, and make sure it is still the named file."""
    name = str(path)
    while True:
        fd = _ops.open(name, os.O_CREAT | os.O_RDWR | os.O_APPEND, mode)
        try:
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


# Names


def claim(source: Path, target: Path) -> bool:
    """Rename with exactly one winner; False for everybody else.

    Writes: one rename; ``target`` must be a name that only this claim would make.
    """
    try:
        _ops.rename(str(source), str(target))
    except FileNotFoundError:
        return False
    return True


def publish_folder(source: Path, target: Path, *, together: Sequence[str] = ()) -> bool:
    """Give a finished folder its place; False when something stands there already.

    ``together`` are paths inside it, relative, that become durable in the same moment as its
    name: for a place whose readers check what they find and take a half-made one for none.

    Writes: one rename and the sync of the target's parent. After a power cut the folder may stand
    in its old place as well, so whoever recovers looks for it in the new one first.
    The caller holds the lock that every publisher of this place takes (a rename onto an empty
    folder would otherwise succeed).
    """
    if os.path.lexists(target):
        return False
    _ops.rename(str(source), str(target))
    sync_paths([target.parent, *(f"{target}/{path}" for path in together)])
    return True


# Locks


@contextlib.contextmanager
def locked(path: Path | str, *, wait_seconds: float) -> Iterator[bool]:
    """Hold the lock file ``path`` for the body, or yield False when it stayed taken.

    The file is created once and never removed or renamed. It is opened anew each time, for a
    descriptor shared with a forked child would share the lock too.
    """
    fd = _ops.open(os.fspath(path), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield _take(fd, wait_seconds)
    finally:
        os.close(fd)


def _take(fd: int, wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
