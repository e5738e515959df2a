"""The changes that were kept, as texts speak of them: for ``promote`` and ``export``."""

from __future__ import annotations

from collections.abc import Iterable

from hermes.model import IndexLine
from hermes.render.commit_text import Change


def change_of(experiment: str, metric: str, lines: Iterable[IndexLine], line: IndexLine) -> Change:
    """Return an accepted change with the value that it was compared with."""
    against = line.code.compared_with if line.code is not None else None
    before = next((other.value for other in lines if other.run_id == against), None)
    return Change(experiment, metric, line, before)
