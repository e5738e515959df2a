"""Plain data that knows the line of each of its parts, so that a refusal can name it.

Pure. Whoever reads a user's file into data makes one; whoever checks the data refuses with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hermes.errors import SpecError
from hermes.model import Json

Place: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

MAX_BYTES = 64 * 1024
"""The longest text of a user's that is read into data."""

_LONGEST_SHOWN = 60
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Located:
    """Plain data, the text it was read from, and the line (from 1) of every part of it."""

    data: dict[str, Json]
    source: str
    text: str
    lines: Mapping[Place, int]
    spans: Mapping[Place, tuple[int, int]]

    def line(self, place: Sequence[str | int]) -> int:
        """Return the line of ``place``, or of the nearest part around it that has one."""
        spot = tuple(place)
        while spot and spot not in self.lines:
            spot = spot[:-1]
        return self.lines.get(spot, 1)

    def refuse(self, place: Sequence[str | int], what: str, remedy: str) -> SpecError:
        """Return the error that says what is wrong at ``place``."""
        return refusal(self.source, self.line(place), place, what, remedy)


def refusal(
    source: str, line: int, place: Sequence[str | int], what: str, remedy: str
) -> SpecError:
    """Return the error ``source:line: key: what``, with its remedy on a second line."""
    name = f" {_name(place)}:" if place else ""
    return SpecError(f"{one_line(source)}:{line}:{name} {what}", remedy)


def _name(place: Sequence[str | int]) -> str:
    name = ""
    for part in place:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return shown(name.removeprefix("."))


def shown(value: object) -> str:
    """Return ``value`` as one short line for a message."""
    text = one_line(value if isinstance(value, str) else repr(value))
    return _shortened(text)


def quoted(value: object) -> str:
    """Return ``value`` as Python writes it, as one short line for a message."""
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def one_line(text: str) -> str:
    """Return ``text`` without anything that would break or colour the line it is shown in."""
    return ascii(text) if _UNPRINTABLE.search(text) else text
