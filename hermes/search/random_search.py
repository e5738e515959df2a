"""Random search: uniform or log-uniform over the space; made by ``registry``.

Limits: what is told changes no probability; it only keeps points from being drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hermes.model import Json, Params, Proposal, Trial
from hermes.search.base import SearchContext, Seen, chance, check_options
from hermes.search.untried import anywhere, propose


class RandomSearch:
    """Draws each trial's point from the seed and the trial's number."""

    name = "random"

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse options, for there are none. Raises RequestError."""
        check_options(RandomSearch.name, options)

    def __init__(self, context: SearchContext) -> None:
        self.check(context.options)
        self._space = context.space
        self._seed = context.seed
        self._seen = Seen(context.space)

    def tell(self, trial: Trial) -> None:
        """Remember the point; it will not be drawn again."""
        self._seen.add(trial.params)

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return a point drawn for trial ``number``; None when no other is left."""
        rng = chance(self.name, self._seed, number)
        candidates = anywhere(self._space, rng, "drawn at random")
        return propose(self.name, candidates, self._seen, pending)
