"""What an agent finds in the folder that it works in; for the adapters."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hermes.agents.base import Settings
from hermes.executing import trees
from hermes.executing.surface import Surface

_NEVER_LOOKED_INTO = frozenset({".git", "node_modules", ".venv", "__pycache__"})


def files_of(work: Path, settings: Settings) -> tuple[str, ...]:
    """Return the regular files that may be changed, relative to ``work``, sorted."""
    surface = Surface(settings.mutable_paths, settings.read_only_paths)
    listing = trees.scan(os.fspath(work), names=_NEVER_LOOKED_INTO)
    return tuple(
        sorted(
            path
            for path, sign in listing.items()
            if stat.S_ISREG(sign[0]) and surface.holds(path) and path.isprintable()
        )
    )
