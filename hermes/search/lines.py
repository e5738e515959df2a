"""The search for the best place on a line, from few values; for strategies that move along lines.

Limits first.
It ends where more values would hardly help, not at an exact minimum.
A value that is missing, because a run failed, bounds the line and says nothing else.

It goes on while that pays, turns round when it does not, and ends with the vertex of the parabola
through the best place and its neighbours (W. H. Swann's bracketing, 1964, and the parabolic step
of R. P. Brent, Algorithms for Minimization without Derivatives, 1973, chapter 5).
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

_MOST_VALUES = 5
_STRETCHES = (0.3, 3.0)
_DOUBLE = 2.0
_NEAR = 0.05
_FINE = 64
_SAME = 1e-6


class _Point(NamedTuple):
    place: float
    value: float


class Line:
    """A line through a point of known ``value``, which is place 0; the first to try is 1.

    Places from ``lowest`` to ``highest`` exist; smaller values are better.
    """

    def __init__(self, value: float, lowest: float, highest: float) -> None:
        self._bounds = lowest, highest
        self._points = [_Point(0.0, value)]
        self._best = 0
        self._failed: list[float] = []
        self._wanted = self._next()

    @property
    def best(self) -> float:
        """The place of the best value; of equal ones the nearest to 0."""
        return self._points[self._best].place

    @property
    def wanted(self) -> float | None:
        """The place to try next; None when the line is done."""
        return self._wanted

    def value(self, place: float) -> float:
        """Return the value at the told place that is nearest to ``place``."""
        gaps = [abs(point.place - place) for point in self._points]
        return self._points[gaps.index(min(gaps))].value

    def tell(self, place: float, value: float | None) -> None:
        """Learn the value at ``place``; None when there is none."""
        was_vertex = self._is_bracketed
        if value is None:
            self._failed.append(place)
        else:
            insort(self._points, _Point(place, value))
            ranks = [(point.value, abs(point.place)) for point in self._points]
            self._best = ranks.index(min(ranks))
        self._wanted = None if was_vertex else self._next()

    @property
    def _is_bracketed(self) -> bool:
        return 0 < self._best < len(self._points) - 1

    def _next(self) -> float | None:
        if len(self._points) + len(self._failed) > _MOST_VALUES:
            return None
        lowest, highest = self._bounds
        for place in self._ideas():
            within = max(lowest, min(place, highest))
            if not self._is_known(within):
                return within
        return None

    def _is_known(self, place: float) -> bool:
        near = _SAME * (1 + abs(place))
        known = [*self._failed, *(point.place for point in self._points)]
        return min(abs(place - other) for other in known) <= near

    def _ideas(self) -> Iterator[float]:
        """Yield places to try, the better idea first."""
        points, best = self._points, self._best
        if len(points) == 1:
            yield 1.0
            yield -1.0
        elif self._is_bracketed:
            yield from self._inside(best)
        elif len(points) == 2 and points[best].place == 0:
            yield -points[1 - best].place
        else:
            yield from self._outside(best)

    def _inside(self, best: int) -> Iterator[float]:
        """Yield the vertex, unless it is where the best place is."""
        left, middle, right = self._points[best - 1 : best + 2]
        place = _vertex(left, middle, right)
        if place is not None and abs(place - middle.place) > _NEAR * (right.place - left.place):
            yield place

    def _outside(self, best: int) -> Iterator[float]:
        """Yield a place beyond the best one, which is an end; none when a run failed there."""
        end = self._points[best].place
        gap = end - self._points[1 if best == 0 else best - 1].place
        if any((place - end) * gap > 0 for place in self._failed):
            return
        if len(self._points) == 2:
            yield end + gap
            return
        place = _vertex(*(self._points[:3] if best == 0 else self._points[-3:]))
        least, most = _STRETCHES
        stretch = _DOUBLE if place is None else max(least, min((place - end) / gap, most))
        yield end + stretch * gap


def _vertex(left: _Point, middle: _Point, right: _Point) -> float | None:
    """Return about where the parabola through three points is least; None when nowhere.

    It is rounded: so a metric of another scale or with another zero leads to the very same place.
    """
    if not left.place < middle.place < right.place:
        return None
    before = (middle.value - left.value) / (middle.place - left.place)
    after = (right.value - middle.value) / (right.place - middle.place)
    curvature = (after - before) / (right.place - left.place)
    if not 0 < curvature < math.inf:  # also what is too large to be subtracted
        return None
    place = (left.place + middle.place) / 2 - before / (2 * curvature)
    return round(place * _FINE) / _FINE
