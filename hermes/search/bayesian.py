"""Bayesian search by Optuna: a model of what was told says what to try; made by ``registry``.

Each answer is a pure function of what was told, the seed, the number and the points in flight:
a sampler is made for it with a seed of its own, reads the told trials, and is forgotten.

Limits: a failure is told as a trial that failed, which Optuna's samplers leave out of account;
it is not proposed again. A sampler that proposes known points gets eight draws a trial, and then
a point is drawn at random. What each sampler sees of a long history stands in
``optuna_samplers``, and which options there are in ``sampler_options``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from hermes.model import Direction, Json, Params, Proposal, Trial
from hermes.search.base import SearchContext, Seen, chance
from hermes.search.sampler_options import STRATEGY
from hermes.search.sampler_options import check as check_sampler
from hermes.search.untried import Candidate, anywhere, propose

_DRAWS = 8


class BayesianSearch:
    """Proposes what an Optuna sampler makes of everything told.

    Raises RequestError for options that are wrong, and for a library that is missing.
    """

    name = STRATEGY

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse wrong options, and a library that is missing. Raises RequestError."""
        check_sampler(options)

    def __init__(self, context: SearchContext) -> None:
        self._sampler, options = check_sampler(context.options)
        from hermes.search.optuna_search import OptunaSearch

        self._space = context.space
        self._seed = context.seed
        self._sign = -1.0 if context.direction is Direction.MAXIMIZE else 1.0
        self._seen = Seen(context.space)
        self._runs: set[str] = set()
        seed = _seed_from(self._chance(0))
        self._library = OptunaSearch(context.space, self._sampler, options, seed=seed)

    def _chance(self, number: int) -> Random:
        return chance(f"{self.name}:{self._sampler}", self._seed, number)

    def tell(self, trial: Trial) -> None:
        """Remember the point, and hand its result or its failure to the sampler."""
        if trial.run_id in self._runs:
            return
        self._runs.add(trial.run_id)
        self._seen.add(trial.params)
        if not self._space.contains(trial.params):
            loss = None if trial.value is None else self._sign * trial.value
            self._library.tell(trial.params, loss, own=trial.strategy == self.name)

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return what the sampler draws for trial ``number``; None when no point is left."""
        return propose(self.name, self._candidates(number, pending), self._seen, pending)

    def _candidates(self, number: int, pending: Sequence[Params]) -> Iterator[Candidate]:
        rng, after = self._chance(number), f"after {self._library.count} results"
        running = [params for params in pending if not self._space.contains(params)]
        for attempt in range(_DRAWS):
            seeds = _seed_from(rng), _seed_from(rng)
            drawn = self._library.draw(number, attempt, seeds, running)
            yield Candidate(drawn, f"drawn by {self._sampler}, {after}")
        yield from anywhere(self._space, rng, f"drawn at random, {after}")


def _seed_from(rng: Random) -> int:
    return int(rng.random() * 2**32)
