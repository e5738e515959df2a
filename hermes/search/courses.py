"""Lines through a space, searched step by step from bases that move; for ``climbing``.

Limits: a course assumes that what is gained along it is gained from any base; it measures each step
against the base from which the step was made, and tries the best place at last from where it is.
So several courses can be under way at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hermes.model import Params, Trial
from hermes.search.lines import Line
from hermes.search.places import Moves, Places

_SAME = 1e-6
_STRAYED = 0.1


class Base(NamedTuple):
    """A successful run from which steps are made; the smaller its value, the better."""

    value: float
    run_id: str
    params: Params
    places: Places


def base_of(moves: Moves, trial: Trial, value: float | None, bar: float | None) -> Base | None:
    """Return a run as a base: when ``value`` is better than ``bar``, and its point is of the space.

    ``value`` is the run's, turned so that smaller ones are better.
    """
    if value is None or (bar is not None and value >= bar):
        return None
    point = moves.point(trial.params)
    if point is None:
        return None
    return Base(value, trial.run_id, point, moves.places(point))


class Course:
    """A line from ``base`` in ``direction``, as far as the space goes; one step is its length."""

    def __init__(self, base: Base, direction: Mapping[str, float]) -> None:
        self.direction = direction
        square = sum(way * way for way in direction.values())
        self._parts = [(name, base.places[name], way / square) for name, way in direction.items()]
        ends = [
            ((0 - base.places[name]) / way, (1 - base.places[name]) / way)
            for name, way in direction.items()
        ]
        self._line = Line(0.0, max(map(min, ends)), min(map(max, ends)))
        self._is_confirmed = False

    def passes(self, base: Base) -> bool:
        """Say whether the base has all numbers of the course."""
        return all(name in base.places for name in self.direction)

    def place(self, places: Mapping[str, float]) -> float:
        """Return how many steps along the course something lies, wherever else it lies."""
        along = 0.0
        for name, origin, share in self._parts:
            along += (places[name] - origin) * share
        return along

    def meets(self, base: Base, here: Mapping[str, float]) -> bool:
        """Say whether a step from ``base`` goes along the course, as nearly as grids allow."""
        if not self.passes(base) or here.keys() != base.places.keys():
            return False
        step = self.place(here) - self.place(base.places)
        strayed = all_of = 0.0
        for name, place in here.items():
            way = place - base.places[name]
            all_of += way * way
            strayed += (way - step * self.direction.get(name, 0.0)) ** 2
        return strayed <= _STRAYED * all_of

    def tell(self, base: Base, here: Mapping[str, float], value: float | None) -> None:
        """Learn the value of a step from ``base``; None when it has none."""
        if self._line.wanted is None:
            self._is_confirmed = True
            return
        gain = None if value is None else value - base.value
        start = self._line.value(self.place(base.places))
        self._line.tell(self.place(here), None if gain is None else start + gain)

    def wanted(self, base: Base) -> Mapping[str, float] | None:
        """Return the places to try next from ``base``; None when the course is done."""
        if not self.passes(base):
            return None
        now, wanted = self.place(base.places), self._line.wanted
        if wanted is None and not self._is_confirmed and abs(self._line.best - now) > _SAME:
            wanted = self._line.best
        if wanted is None:
            return None
        return {
            name: base.places[name] + (wanted - now) * way for name, way in self.direction.items()
        }
