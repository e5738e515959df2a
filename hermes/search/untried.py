"""Points that nobody has tried yet: the first of several candidates, and candidates from anywhere.

For strategies. Limits: whether a space with uncountable values has a point left is found by
draws, so one that has a few left in a corner may pass for used up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hermes.model import Origin, Params, ParamValue, Proposal
from hermes.search.base import Seen
from hermes.search.dimensions import Dimension, Draws, values_from
from hermes.search.space import Space

_DRAWS = 32


class Candidate(NamedTuple):
    """A point that might be proposed, why, and the runs that it builds upon."""

    params: Params
    note: str
    parents: tuple[str, ...] = ()


def propose(
    strategy: str, candidates: Iterable[Candidate], seen: Seen, pending: Sequence[Params]
) -> Proposal | None:
    """Return the first candidate that is neither told nor in flight; None when there is none."""
    busy = seen.marks(pending)
    for put_back, (params, note, parents) in enumerate(candidates):
        mark = seen.mark(params)
        if mark not in seen and mark not in busy:
            return Proposal(params, strategy, Origin.STRATEGY, note, parents, put_back)
    return None


def anywhere(space: Space, rng: Draws, note: str) -> Iterator[Candidate]:
    """Draw some points; then go through the space from a drawn place, and round.

    The second part meets each point once, so it finds any that is left, and the cost of all
    asks together stays near that of listing the space ``log(size)`` times.
    """
    for _ in range(_DRAWS):
        yield Candidate(space.sample(rng), note)
    for point in space.walk(lambda dimension: _values(dimension, rng)):
        yield Candidate(point, note)


def _values(dimension: Dimension, rng: Draws) -> Iterable[ParamValue]:
    if dimension.count is None:
        return (dimension.sample(rng) for _ in range(_DRAWS))
    return values_from(dimension, dimension.index(dimension.sample(rng)))
