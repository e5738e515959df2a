"""Gives names by renaming, with one winner, and holds lock files."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hermes.files import operations
from hermes.files.folders import Syncing, sync_paths
from hermes.files.reading import check_is_file

_POLL_SECONDS = 0.002


def claim(source: Path, target: Path) -> bool:
    """Rename with exactly one winner; False for everybody else.

    Writes: one rename; ``target`` must be a name that only this claim would make.
    """
    try:
        operations.current.rename(str(source), str(target))
    except FileNotFoundError:
        return False
    return True


def publish_folder(source: Path, target: Path) -> bool:
    """Give a finished folder its place, durably; False when something stands there already.

    Writes: one rename and the sync of the target's parent. After a power cut the folder may stand
    in its old place as well, so whoever recovers looks for it in the new one first.
    The caller holds the lock that every publisher of this place takes (a rename onto an empty
    folder would otherwise succeed).
    """
    if os.path.lexists(target):
        return False
    operations.current.rename(str(source), str(target))
    sync_paths([target.parent])
    return True


def place_folder(source: Path, target: Path, *, together: Sequence[str]) -> Syncing | None:
    """Give a folder its place, durable when what is returned was waited for; None when it is taken.

    ``together`` are paths inside it, relative, that become durable in the same moment as its
    name: for a place whose readers check what they find and take a half-made one for none.

    Writes: as ``publish_folder``, and the syncs of ``together``.
    """
    if os.path.lexists(target):
        return None
    operations.current.rename(str(source), str(target))
    return Syncing([target.parent, *(f"{target}/{path}" for path in together)])


@contextlib.contextmanager
def locked(path: Path | str, *, wait_seconds: float) -> Iterator[bool]:
    """Hold the lock file ``path`` for the body, or yield False when it stayed taken.

    The file is created once and never removed or renamed. It is opened anew each time, for a
    descriptor shared with a forked child would share the lock too.
    """
    fd = operations.current.open(os.fspath(path), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        check_is_file(fd, os.fspath(path))
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
