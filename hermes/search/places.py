"""Points as places between 0 and 1, and the points beside them; for strategies that make moves.

Limits first.
Only a number of which there is more than one value has a place; a choice has none.
A place between the values of a grid means the nearest of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from hermes.model import Params, ParamValue
from hermes.search.dimensions import Choice, Draws, Number, exists
from hermes.search.space import Space

Places: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Axis:
    """A numeric parameter as the unit interval: by its logarithm where it is logarithmic."""

    number: Number

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The bounds in the measure of the axis; halved, so that their difference is finite."""
        low, high = self.number.low, self.number.high
        return (math.log(low), math.log(high)) if self.number.log else (low / 2, high / 2)

    def place(self, value: ParamValue) -> float:
        """Return where ``value`` lies: 0 at the lower bound, 1 at the upper one."""
        low, high = self._ends
        measured = math.log(float(value)) if self.number.log else float(value) / 2
        return (measured - low) / (high - low)

    def value(self, place: float) -> ParamValue:
        """Return the value at ``place`` from 0 to 1, or the nearest there is on the grid."""
        number = self.number
        low, high = self._ends
        measured = low * (1 - place) + high * place
        exact = math.exp(measured) if number.log else measured * 2
        ends = {0.0: number.low, 1.0: number.high}  # which rounding may have missed
        within = ends.get(place, max(number.low, min(exact, number.high)))
        return float(within) if number.count is None else number.at(number.index(within))

    def beside(self, value: ParamValue, side: float) -> ParamValue:
        """Return the grid's next value, upwards for a positive ``side``; its end is its own."""
        count = self.number.count
        if count is None:
            return value
        index = self.number.index(value) + (1 if side > 0 else -1)
        return self.number.at(max(0, min(index, count - 1)))

    def grain(self, value: ParamValue) -> float:
        """Return how far the nearest other value of the grid is; 0 where there is no grid."""
        if self.number.count is None:
            return 0.0
        here = self.place(value)
        gaps = (abs(self.place(self.beside(value, side)) - here) for side in (-1.0, 1.0))
        return min((gap for gap in gaps if gap), default=0.0)


class Moves:
    """Makes points out of a point: the one with other places, or with other values."""

    def __init__(self, space: Space) -> None:
        varied = [item for item in space.dimensions if item.count != 1]
        self.axes = {item.name: Axis(item) for item in varied if isinstance(item, Number)}
        self.choices = {item.name: item for item in varied if isinstance(item, Choice)}
        self._space = space
        self._deciding = {one.parent for item in space.dimensions for one in item.when}

    def point(self, params: Params) -> dict[str, ParamValue] | None:
        """Return ``params`` as the space spells them; None when they are no point of it."""
        if self._space.contains(params):
            return None
        spelled = {
            item.name: item.canonical(params.get(item.name)) for item in self._space.dimensions
        }
        return {name: value for name, value in spelled.items() if value is not None}

    def places(self, params: Params) -> Places:
        """Return the places of the numbers that the point ``params`` has."""
        return {
            name: axis.place(params[name]) for name, axis in self.axes.items() if name in params
        }

    def at(self, base: Params, places: Mapping[str, float], rng: Draws) -> dict[str, ParamValue]:
        """Return the point ``base`` with other places; they are cut to what is from 0 to 1.

        A place that is given alone moves its value by a step of the grid at least.
        """
        values = {
            name: self.axes[name].value(max(0.0, min(place, 1.0))) for name, place in places.items()
        }
        if len(places) == 1:
            ((name, place),) = places.items()
            if values[name] == base[name]:
                axis = self.axes[name]
                values[name] = axis.beside(base[name], place - axis.place(base[name]))
        return self.with_values(base, values, rng)

    def with_values(self, base: Params, values: Params, rng: Draws) -> dict[str, ParamValue]:
        """Return ``base`` with other values; what comes alive is drawn, what dies goes."""
        if self._deciding.isdisjoint(values) and values.keys() <= base.keys():
            return {**base, **values}
        point: dict[str, ParamValue] = {}
        for item in self._space.dimensions:
            if exists(item, point):
                known = values.get(item.name, base.get(item.name))
                point[item.name] = item.sample(rng) if known is None else known
        return point
