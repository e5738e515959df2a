"""Names of what is still being made: they say what for, and which process makes it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

_counter = itertools.count()


def next_number() -> int:
    """Return a number that this process has not used in a name yet."""
    return next(_counter)


def is_temporary(name: str) -> bool:
    """Say whether ``name`` is that of a file or folder still being made."""
    return name.startswith(".") and name.endswith(".tmp")


def temporary_beside(path: Path) -> Path:
    """Return a new temporary name in the folder of ``path``; it names this process.

    One that a crashed process of the same id (in a container, always the same) left is not taken.
    """
    while True:
        name = path.with_name(f".{path.name}.{os.getpid()}.{next_number()}.tmp")
        if not os.path.lexists(name):
            return name


def temporary_for(name: str) -> str:
    """Return the name that something with this temporary name was to get."""
    return name[1:].rsplit(".", 3)[0]


def temporary_owner(name: str) -> int | None:
    """Return the process id in a temporary name, or None when it has none."""
    parts = name.rsplit(".", 3)
    return int(parts[1]) if len(parts) == 4 and parts[1].isdigit() else None
