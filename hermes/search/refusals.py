"""How a search space is refused: file, parameter and fault on one line, the remedy on the next."""

from __future__ import annotations

import json

from hermes.errors import SpaceError


class Place:
    """Where a parameter is declared; makes the refusals that name it."""

    def __init__(self, source: str, name: str) -> None:
        self.source = source
        self.name = name

    def refuse(self, fault: str, remedy: str) -> SpaceError:
        """Return the error; ``fault`` goes on after the parameter's name."""
        return SpaceError(self.source, (self.name,), f"parameter {self.name!r} {fault}", remedy)


def shown(value: object) -> str:
    """Return ``value`` as JSON on one line, cut short."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
