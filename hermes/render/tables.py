"""Tables: of Markdown for files, of aligned columns for a terminal. For ``render`` alone.

Limit first: cells are short and on one line already (see ``text``); a terminal's table is never
wider than asked for, so narrow ones lose columns, the least needed first, and then text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hermes.render.text import CUT

_GAP = 2
_NARROWEST = 8
_LABEL = 12
_RULES = {"l": "---", "r": "--:"}

Rows = Sequence[Sequence[str]]


def table(headers: Sequence[str], rows: Rows, *, align: str = "") -> str:
    """Return a Markdown table; ``align`` has an ``l`` or ``r`` for each column.

    Cells must have come through ``text.cell`` or ``text.code``, or be known words.
    """
    align = align or "l" * len(headers)
    rule = [_RULES[side] for side in align]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headers, rule, *rows))


@dataclass(frozen=True)
class Column:
    """One column of a terminal's table.

    ``need`` orders columns: the lowest is given up first when there is no room. A column that
    has a ``least`` may shrink to so many cells, and none grows beyond ``most``.
    """

    title: str
    need: int = 0
    least: int | None = None
    most: int = 60
    right: bool = False


def columns(heads: Sequence[Column], rows: Rows, *, width: int) -> str:
    """Return aligned columns, each line at most ``width`` cells wide."""
    natural = [
        min(head.most, max([cells(head.title), *(cells(row[i]) for row in rows)]))
        for i, head in enumerate(heads)
    ]
    least = [
        size if head.least is None else min(size, head.least)
        for head, size in zip(heads, natural, strict=True)
    ]
    kept = _kept(heads, least, width)
    widths = _shrunk([natural[i] for i in kept], [least[i] for i in kept], width)
    sides = [heads[i].right for i in kept]
    lines = [[heads[i].title for i in kept], *([row[i] for i in kept] for row in rows)]
    return "\n".join(_line(line, widths, sides) for line in lines)


def _kept(heads: Sequence[Column], least: Sequence[int], width: int) -> list[int]:
    """Return which columns have room at their least width."""
    kept = list(range(len(heads)))
    while len(kept) > 1 and sum(least[i] + _GAP for i in kept) - _GAP > width:
        kept.remove(min(kept, key=lambda i: heads[i].need))
    return kept


def _shrunk(natural: list[int], least: list[int], width: int) -> list[int]:
    """Take what is too much from the columns that can spare most."""
    widths = list(natural)
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    while over > 0:
        spare = [size - floor for size, floor in zip(widths, least, strict=True)]
        place = max(range(len(widths)), key=spare.__getitem__)
        if not spare[place]:
            widths[place] = max(1, widths[place] - over)
            break
        widths[place] -= 1
        over -= 1
    return widths


def _line(texts: Sequence[str], widths: Sequence[int], sides: Sequence[bool]) -> str:
    parts = [pad(fit(t, w), w, right=s) for t, w, s in zip(texts, widths, sides, strict=True)]
    return (" " * _GAP).join(parts).rstrip()


def cells(text: str) -> int:
    """Return how many cells of a terminal ``text`` takes: wide characters two, marks none."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def _cells_of(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` cells; ``…`` shows a cut."""
    if cells(text) <= width:
        return text
    return _start(text, width - 1) + CUT


def _start(text: str, width: int) -> str:
    """Return as much of the start of ``text`` as ``width`` cells hold."""
    if text.isascii():
        return text[: max(0, width)]
    taken = 0
    for place, character in enumerate(text):
        taken += _cells_of(character)
        if taken > width:
            return text[:place]
    return text


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return ``text`` with spaces up to ``width`` cells."""
    spaces = " " * (width - cells(text))
    return spaces + text if right else text + spaces


def wrap(text: str, width: int, *, indent: str = "") -> list[str]:
    """Return lines of at most ``width`` cells; later ones begin with ``indent``.

    A word that has no room on a line of its own is broken, a path after a slash.
    """
    width = max(width, _NARROWEST)
    lines: list[str] = []
    current: str | None = None
    for word in text.split(" "):
        joined = word if current is None else f"{current} {word}"
        if cells(joined) > width:
            head, *rest = _broken(word, width - len(indent))
            if current is not None and (current.strip() or lines):
                lines.append(current.rstrip())
                head = indent + head
            lines.extend([head, *(indent + piece for piece in rest)])
            joined = lines.pop()
        current = joined
    return [*lines, (current or "").rstrip()]


def _broken(word: str, width: int) -> list[str]:
    pieces = []
    while cells(word) > width:
        start = _start(word, width) or word[0]
        start = start[: start.rfind("/") + 1] or start
        pieces.append(start)
        word = word[len(start) :]
    return [*pieces, word]


def labelled(facts: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Return labelled lines, each at most ``width`` cells; what says nothing is left out."""
    lines: list[str] = []
    for label, text in facts:
        margins = itertools.chain([f"{label:<{_LABEL}}"], itertools.repeat(" " * _LABEL))
        told = wrap(text, width - _LABEL) if text else []
        lines.extend(margin + line for margin, line in zip(margins, told, strict=False))
    return lines


def broken_command(command: str, width: int) -> list[str]:
    """Return a shell command in lines of at most ``width`` cells that still is that command.

    The shell joins a line that ends in a backslash to the next, so a long command is copied
    whole, wherever it is broken.
    """
    lines = []
    while len(command) > width:
        lines.append(command[: width - 1] + "\\")
        command = command[width - 1 :]
    return [*lines, command]
