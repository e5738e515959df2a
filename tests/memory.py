"""Where tests put what thousands of labs write: in memory, if the system has room there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLACE = "/dev/shm"
_LEAST_ROOM = 512 * 2**20


def _memory() -> str | None:
    try:
        room = os.statvfs(_PLACE)
    except OSError:
        return None
    is_enough = room.f_bavail * room.f_frsize >= _LEAST_ROOM
    return _PLACE if is_enough and os.access(_PLACE, os.W_OK) else None


MEMORY = _memory()
"""For ``tempfile``: a folder in memory, or None where the usual one must do."""


@contextmanager
def in_memory() -> Iterator[Path]:
    """Make a folder for the body.

    What is killed is a process, and what a power cut leaves is worked out from what was synced:
    the disk has no part in either, and to wait for it takes most of the time.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder).resolve()
