"""How a candidate differs from the code that it was made from, as a patch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from hermes.executing.content import Tree


def changed_lines(before: Tree, after: Tree) -> tuple[int, int]:
    """Return how many lines were added and removed."""
    text = diff(before, after, Path(), {}).splitlines()
    added = sum(line.startswith(b"+") and not line.startswith(b"+++") for line in text)
    return added, sum(line.startswith(b"-") and not line.startswith(b"---") for line in text)


def diff(before: Tree, after: Tree, scratch: Path, environment: Mapping[str, str]) -> bytes:
    """Return the patch."""
    parts: list[bytes] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = (tree[path].data if path in tree else b"" for tree in (before, after))
        lines = difflib.diff_bytes(
            difflib.unified_diff,
            old.splitlines(True),
            new.splitlines(True),
            f"a/{path}".encode(),
            f"b/{path}".encode(),
        )
        parts.extend(lines)
    return b"".join(parts)
