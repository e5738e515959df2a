"""Points as vectors of numbers from 0 to 1, and back; for libraries that move vectors.

A number takes one coordinate, the share of its range. A choice of two takes one as well, a
larger one as many as it has values, and the largest of these says which it is. A parameter with
one value takes none.

Limits: a vector has all parameters, a point only those that exist in it. Where a point lacks
one, its vector has the middle.
"""

from __future__ import annotations

from collections.abc import Sequence

from hermes.model import Params, ParamValue
from hermes.search.dimensions import Choice, Dimension, exists
from hermes.search.space import Space

_CHOSEN, _OTHER = 0.75, 0.25


class Vectors:
    """The vectors of a space; ``size`` is how many coordinates one has, perhaps none."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._places: dict[str, slice] = {}
        self.size = 0
        for dimension in space.dimensions:
            width = _width(dimension)
            self._places[dimension.name] = slice(self.size, self.size + width)
            self.size += width

    def to_vector(self, params: Params) -> list[float]:
        """Return the vector of a point of the space."""
        vector = [0.5] * self.size
        for name, value in params.items():
            vector[self._places[name]] = _coordinates(self._space[name], value)
        return vector

    def to_point(self, vector: Sequence[float]) -> dict[str, ParamValue]:
        """Return the point of a vector; coordinates outside 0 to 1 count as the nearer end."""
        chosen: dict[str, ParamValue] = {}
        for dimension in self._space.dimensions:
            if exists(dimension, chosen):
                part = vector[self._places[dimension.name]]
                chosen[dimension.name] = _value(dimension, part)
        return chosen


def _width(dimension: Dimension) -> int:
    if dimension.count == 1:
        return 0
    return dimension.count if isinstance(dimension, Choice) and dimension.count > 2 else 1


def _coordinates(dimension: Dimension, value: ParamValue) -> list[float]:
    width = _width(dimension)
    if not isinstance(dimension, Choice):
        return [dimension.share(value)] * width
    place = dimension.index(value)
    if width == 1:
        return [_CHOSEN if place else _OTHER]
    return [_CHOSEN if other == place else _OTHER for other in range(width)]


def _value(dimension: Dimension, part: Sequence[float]) -> ParamValue:
    if not part:
        return dimension.at(0)
    if isinstance(dimension, Choice):
        largest = max(range(len(part)), key=lambda place: part[place])
        return dimension.at(largest if len(part) > 1 else int(part[0] >= 0.5))
    return dimension.at_share(max(0.0, min(float(part[0]), 1.0)))
