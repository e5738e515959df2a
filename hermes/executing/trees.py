"""Looks at folders, and copies and removes what is in them; for the sandbox, which is scratch.

Limits first. Permissions and times of modification are kept, owners and extended attributes are
not. Hard links become files of their own. What is written here is not made durable: a sandbox
does not outlive its process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import TypeAlias

Signature: TypeAlias = tuple[int, ...]
"""What tells whether an entry was touched: a folder's mode; of anything else also the size,
time of modification, inode and time of change, which no program can set back."""

Listing: TypeAlias = dict[str, Signature]
"""Everything below a folder, by its path relative to it."""

NOTHING: frozenset[str] = frozenset()
_CHUNK = 8 * 1024 * 1024
_NO_COPY_RANGE = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}
_PERMISSIONS = 0o777


_real_names: dict[str, str] = {}


def real(path: str | os.PathLike[str]) -> str:
    """Return ``os.path.realpath``, which asks about each part, from memory while it still holds.

    It does while both names lead to the same entry.
    """
    name = os.fspath(path)
    known = _real_names.get(name)
    with contextlib.suppress(OSError):
        if known is not None and os.path.samefile(name, known):
            return known
    known = os.path.realpath(name)
    if os.path.lexists(known):
        _real_names[name] = known
    return known


def signature(entry: os.stat_result) -> Signature:
    """Return the signature of an entry."""
    mode = entry.st_mode
    if stat.S_ISDIR(mode):
        return (mode,)
    return (mode, entry.st_size, entry.st_mtime_ns, entry.st_ino, entry.st_ctime_ns)


def is_folder(sign: Signature) -> bool:
    """Say whether a signature is a folder's."""
    return len(sign) == 1


def is_ordinary(sign: Signature) -> bool:
    """Say whether a signature is that of a folder, a file or a link."""
    return is_folder(sign) or stat.S_ISREG(sign[0]) or stat.S_ISLNK(sign[0])


def scan(
    root: str,
    *,
    names: frozenset[str] = NOTHING,
    paths: frozenset[str] = NOTHING,
    ours: bool = False,
    most: int = sys.maxsize,
) -> Listing:
    """List everything below ``root``, but for certain names and certain paths.

    What vanishes meanwhile, may not be read, or lies deeper than the system has names for, is left
    out; but in a folder that is ``ours`` permissions are opened (and the folder is listed as it
    was found). No further folder is entered when ``most`` entries were found.
    """
    found: Listing = {}
    waiting = [("", root)]
    while waiting and len(found) < most:
        prefix, folder = waiting.pop()
        for entry in _entries(folder, ours=ours):
            path = prefix + entry.name
            if entry.name in names or path in paths:
                continue
            try:
                sign = signature(entry.stat(follow_symlinks=False))
            except OSError as error:
                _pass_over_what_is_not_there(error)
                continue
            found[path] = sign
            if is_folder(sign):
                waiting.append((f"{path}/", entry.path))
    return found


def _pass_over_what_is_not_there(error: OSError) -> None:
    if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
        raise error


def _entries(folder: str, *, ours: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError:
        if not ours:
            return []
    except OSError as error:
        _pass_over_what_is_not_there(error)
        return []
    os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        return list(entries)


def make_folder(path: str) -> None:
    """Create a folder that we may write to.

    Writes: one folder of the sandbox.
    """
    os.mkdir(path, 0o700)


def copy_file(source: str, target: str) -> None:
    """Copy a regular file with its permissions and time. Raises OSError; FileExistsError too.

    Writes: ``target``, a new file of the sandbox.
    """
    with _regular(source, os.O_RDONLY) as (reading, entry):
        writing = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            _pour(reading, entry, writing)
        finally:
            os.close(writing)


def refill_file(source: str, target: str) -> bool:
    """Give a regular file the content, permissions and time of another, where it stands.

    False, and nothing is done, when it has another name somewhere: that must not change with it.

    Writes: ``target``, in place; cut off behind the content, for ext4 hurries to the disk with a
    file that was emptied first. Raises OSError.
    """
    original, present = _regular(source, os.O_RDONLY), _regular(target, os.O_WRONLY)
    with original as (reading, entry), present as (writing, before):
        if before.st_nlink != 1:
            return False
        _pour(reading, entry, writing)
    return True


@contextlib.contextmanager
def _regular(name: str, flags: int) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for the body. Raises FileNotFoundError for anything else."""
    fd = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        entry = os.fstat(fd)
        if not stat.S_ISREG(entry.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file any more", name)
        yield fd, entry
    finally:
        os.close(fd)


def _pour(reading: int, entry: os.stat_result, writing: int) -> None:
    _copy_content(reading, writing, entry.st_size)
    os.ftruncate(writing, os.lseek(writing, 0, os.SEEK_CUR))
    os.fchmod(writing, stat.S_IMODE(entry.st_mode) & _PERMISSIONS)
    os.utime(writing, ns=(entry.st_atime_ns, entry.st_mtime_ns))


def _copy_content(reading: int, writing: int, size: int) -> None:
    """Copy to the end; by the kernel where it can, which shares blocks on some file systems."""
    if size > _CHUNK and hasattr(os, "copy_file_range"):
        try:
            while os.copy_file_range(reading, writing, _CHUNK):
                pass
        except OSError as error:
            if error.errno not in _NO_COPY_RANGE:
                raise
    while True:
        data = os.read(reading, _CHUNK)
        if not data:
            return
        view = memoryview(data)
        while view:
            view = view[os.write(writing, view) :]


def remove(name: str, sign: Signature) -> None:
    """Remove one entry; a folder must be empty. Raises OSError.

    Writes: a removal in the sandbox.
    """
    with contextlib.suppress(FileNotFoundError):
        if is_folder(sign):
            os.rmdir(name)
        else:
            os.unlink(name)


def set_mode(name: str, sign: Signature) -> None:
    """Give a folder the permissions of its signature.

    Writes: permissions of a folder in the sandbox.
    """
    os.chmod(name, stat.S_IMODE(sign[0]) & _PERMISSIONS)


def is_inside(path: str, folder: str) -> bool:
    """Say whether an absolute path is ``folder`` or lies in it, by their names alone."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
