"""Grid search: every combination in the order of ``Space.grid``; made by ``registry``.

Limits: every parameter needs countable values. A point in flight is passed over, and proposed
again only when it is no longer in flight and no sealed run has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hermes.model import Json, Origin, Params, Proposal, Trial
from hermes.search.base import SearchContext, Seen, check_options
from hermes.search.space import Space


class _Point(NamedTuple):
    place: int
    params: Params
    mark: int


class GridSearch:
    """Proposes the first combination that nobody has tried; what is told moves it on.

    Raises SpecError when a parameter has no countable values.
    """

    name = "grid"

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse options, for there are none. Raises RequestError."""
        check_options(GridSearch.name, options)

    @staticmethod
    def check_space(space: Space, options: Mapping[str, Json]) -> None:  # noqa: ARG004  as others
        """Refuse a parameter without countable values. Raises SpecError."""
        space.grid()

    def __init__(self, context: SearchContext) -> None:
        self.check(context.options)
        self._seen = Seen(context.space)
        self._size = context.space.size()
        self._rest = enumerate(context.space.grid(), 1)
        self._passed: list[_Point] = []  # in order, read from the rest, not told when last seen

    def tell(self, trial: Trial) -> None:
        """Remember the point; it will not be proposed."""
        self._seen.add(trial.params)

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:  # noqa: ARG002  the order is the same for all
        """Return the first combination neither told nor pending; None at the end."""
        busy = self._seen.marks(pending)
        self._passed = [point for point in self._passed if point.mark not in self._seen]
        free = (point for point in self._passed if point.mark not in busy)
        point = next(free, None) or self._read_on(busy)
        return None if point is None else self._proposal(point)

    def _read_on(self, busy: frozenset[int]) -> _Point | None:
        for place, params in self._rest:
            point = _Point(place, params, self._seen.mark(params))
            if point.mark in self._seen:
                continue
            self._passed.append(point)
            if point.mark not in busy:
                return point
        return None

    def _proposal(self, point: _Point) -> Proposal:
        of = "" if self._size is None else f" of {self._size}"
        note = f"combination {point.place}{of}"
        return Proposal(dict(point.params), self.name, Origin.STRATEGY, note)
