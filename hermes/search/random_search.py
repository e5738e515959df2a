"""Random search: uniform or log-uniform over the space; made by ``registry``.

Limits: what is told changes no probability; it only keeps points from being drawn again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from hermes.model import Origin, Params, ParamValue, Proposal, Trial
from hermes.search.base import SearchContext, Seen, chance, check_options
from hermes.search.dimensions import Dimension, values_from
from hermes.search.space import Space

_DRAWS = 32


class RandomSearch:
    """Draws each trial's point from the seed and the trial's number."""

    name = "random"

    def __init__(self, context: SearchContext) -> None:
        check_options(self.name, context.options)
        self._space = context.space
        self._seed = context.seed
        self._seen = Seen(context.space)

    def tell(self, trial: Trial) -> None:
        """Remember the point; it will not be drawn again."""
        self._seen.add(trial.params)

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return a point drawn for trial ``number``; None when no other is left."""
        points = candidates(self._space, chance(self.name, self._seed, number))
        found = self._seen.first_new(points, pending)
        if found is None:
            return None
        params, put_back = found
        note = "drawn at random"
        return Proposal(params, self.name, Origin.STRATEGY, note, duplicates_avoided=put_back)


def candidates(space: Space, rng: random.Random) -> Iterator[Params]:
    """Draw some points; then go through the space from a drawn place, and round.

    The second part meets each point once, so it finds any that is left, and the cost of all
    asks together stays near that of listing the space ``log(size)`` times.
    """
    for _ in range(_DRAWS):
        yield space.sample(rng)
    yield from space.walk(lambda dimension: _values(dimension, rng))


def _values(dimension: Dimension, rng: random.Random) -> Iterable[ParamValue]:
    if dimension.count is None:
        return (dimension.sample(rng) for _ in range(_DRAWS))
    return values_from(dimension, dimension.index(dimension.sample(rng)))
