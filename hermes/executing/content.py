"""What a file of a candidate holds; ``surface``, ``patch`` and ``applying`` build upon it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Content:
    """A regular file: its bytes, and whether its owner may execute it."""

    data: bytes
    executable: bool = False


Tree: TypeAlias = Mapping[str, Content]
"""Files by their path, relative and with ``/`` between folders."""
