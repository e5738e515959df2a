"""Writes files that appear whole or not at all, under temporary names until they are."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from hermes.files import operations
from hermes.files.folders import remove, sync_folder
from hermes.files.reading import read
from hermes.files.temporary import next_number, temporary_beside

_COPY_BYTES = 1024 * 1024


def write_new(path: Path | str, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Write a file that must not exist yet, in a folder nobody else looks at.

    Writes: ``path``; raises FileExistsError when it is there.
    """
    fd = operations.current.open(os.fspath(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        operations.current.write(fd, data)
        if durable:
            operations.current.fsync(fd)
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
            operations.current.link(str(temporary), str(path))
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
            operations.current.rename(str(temporary), str(path))
        except IsADirectoryError:
            set_aside(path, only_folder=True)
            operations.current.rename(str(temporary), str(path))
    except BaseException:
        remove(temporary)
        raise
    if durable:
        sync_folder(path.parent)
    return True


def overwrite(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write over the first bytes of a file where it stands, for one that must never be replaced.

    A crash leaves either the old or the new where the content has a fixed width that fits a disk
    sector; else it must be a line with a checksum, so that readers know a torn one. Raises
    FileNotFoundError when there is no such file.

    Writes: ``path``, in place, whatever follows cut off; syncs it if ``durable``.
    """
    fd = operations.current.open(os.fspath(path), os.O_WRONLY, 0o600)
    try:
        operations.current.write(fd, data)
        if os.fstat(fd).st_size > len(data):
            operations.current.truncate(fd, len(data))
        if durable:
            operations.current.fsync(fd)
    finally:
        os.close(fd)


def give_name(path: Path, name: Path) -> None:
    """Give a file a second name; raises FileExistsError when that is taken. Writes: the name."""
    operations.current.link(str(path), str(name))


def detach(path: Path, *, temporary: Path, mode: int = 0o600) -> bool:
    """Give a file a content that nobody else has open or linked; False when there is no file.

    A folder, link or pipe of that name is none.

    Writes: a copy at ``temporary`` (on the same file system), then a rename over ``path``.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return False
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return False
    with open(fd, "rb") as stream:
        _copy(stream, temporary, mode)
    operations.current.rename(str(temporary), str(path))
    return True


def _copy(stream: BinaryIO, target: Path, mode: int) -> None:
    fd = operations.current.open(str(target), os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        while data := stream.read(_COPY_BYTES):
            operations.current.write(fd, data)
    finally:
        os.close(fd)


def set_aside(path: Path, *, only_folder: bool = False) -> Path | None:
    """Move what stands in the place of something else out of the way; nothing is deleted.

    Returns its new name; None when it was gone or, with ``only_folder``, is no folder: another
    process may just have put the right file there.

    Writes: one rename.
    """
    kept = path.with_name(f"{path.name}.set-aside-{os.getpid()}-{next_number()}")
    try:
        operations.current.rename(f"{path}/" if only_folder else str(path), str(kept))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return kept
