"""The best so far as a stair, drawn in a terminal's characters. For ``analysis`` alone.

Pure. Limits first: values are drawn, not read off, the exact ones stand beside the plot; and what
was found at the very beginning is cut off when it would make a flat line of all that follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hermes.render.tables import pad
from hermes.render.text import number

_WIDEST = 100
_NARROW = 70  # below that a plot is lower, too
_LOG_FROM = 100  # a logarithmic scale, when the largest is so many times the least
_BEGINNING = 0.05  # of the way
_CLIFF = 10  # the beginning is cut off when it is so many times as far from the end as the rest

Points = Sequence[tuple[int, float]]


def is_log(points: Points) -> bool:
    """Say whether the scale is logarithmic: all values are positive, and far apart."""
    ends = points[0][1], points[-1][1]
    return min(ends) > 0 and max(ends) / _LOG_FROM >= min(ends)


def step_plot(points: Points, *, width: int) -> list[str]:
    """Return the lines of a plot of ``(run, value)``, from the first value to the last.

    Each lasts until the next; one that lies beyond both is drawn at the nearer edge. At most
    ``width`` cells wide; no lines when the first and the last are equal.
    """
    if not points or points[0][1] == points[-1][1]:
        return []
    edge, best = _edge(points), points[-1][1]
    is_rising, height = best > edge, 6 if width < _NARROW else 8
    labels = [""] * height
    labels[-1 if is_rising else 0] = _edge_label(points, edge)
    labels[0 if is_rising else -1] = number(best)
    margin = max(map(len, labels))
    columns = max(2, min(width, _WIDEST) - margin - 2)
    row_of = _scale(min(edge, best), max(edge, best), height, log=is_log(points))
    drawn = _drawn([row_of(value) for value in _sampled(points, columns)], height)
    return [
        *(
            f"{pad(label, margin, right=True)} {'┤' if label else '│'}{''.join(line).rstrip()}"
            for label, line in zip(labels, drawn, strict=True)
        ),
        *_axis(points, margin, columns),
    ]


def _edge(points: Points) -> float:
    """Return the worst value that is drawn: the first, unless that would hide the others."""
    first, best = points[0][1], points[-1][1]
    until = points[0][0] + (points[-1][0] - points[0][0]) * _BEGINNING
    early = [value for run, value in points if run <= until][-1]
    is_cliff = early != best and abs(first - best) > _CLIFF * abs(early - best)
    return early if is_cliff and not is_log(points) else first


def _edge_label(points: Points, edge: float) -> str:
    if edge == points[0][1]:
        return number(edge)
    return f"{'≤' if edge < points[-1][1] else '≥'} {number(edge)}"


def _axis(points: Points, margin: int, columns: int) -> list[str]:
    first, last = f"run {points[0][0]}", f"run {points[-1][0]}"
    between = columns - len(first) - len(last)
    told = f"{first}{' ' * between}{last}" if between > 0 else last
    return [f"{' ' * margin} └{'─' * columns}", f"{' ' * margin}  {told}"]


def _scale(low: float, high: float, height: int, *, log: bool) -> Callable[[float], int]:
    """Return what puts a value into its row; ``high`` is in row 0, and what lies beyond beside."""

    def place(value: float) -> float:
        return math.log(value) if log else value / 2  # halves: the way between may be too large

    bottom, top = place(low), place(high)

    def row_of(value: float) -> int:
        inside = place(max(low, min(value, high)))
        return round((top - inside) / (top - bottom) * (height - 1))

    return row_of


def _sampled(points: Points, columns: int) -> list[float]:
    """Return the value that holds in each column."""
    first, last = points[0][0], points[-1][0]
    found, at = [], 0
    for column in range(columns):
        until = first + (last - first) * column / (columns - 1)
        while at + 1 < len(points) and points[at + 1][0] <= until:
            at += 1
        found.append(points[at][1])
    return found


def _drawn(rows: Sequence[int], height: int) -> list[list[str]]:
    """Return the canvas with a line through the row of each column."""
    canvas = [[" "] * len(rows) for _ in range(height)]
    canvas[rows[0]][0] = "─"
    for column in range(1, len(rows)):
        before, now = rows[column - 1], rows[column]
        if before == now:
            canvas[now][column] = "─"
            continue
        canvas[before][column], canvas[now][column] = "╮╰" if now > before else "╯╭"
        for row in range(min(before, now) + 1, max(before, now)):
            canvas[row][column] = "│"
    return canvas
