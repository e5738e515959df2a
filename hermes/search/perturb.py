"""Local search: climbs from the best of a few points, with steps that adapt; made by ``registry``.

Limits first.
It finds the best point near where a climb begins; when a climb is stuck it begins another one
elsewhere, so it meets several such points in time.
A history is taken up as if its first points were draws; after that only steps from points that it
has climbed to, whoever made them, and better points that others find, tell it anything.

A climb is worked out when it is asked for a proposal, so that those which have ended cost nothing
when a long history is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hermes.model import Direction, Json, Params, Proposal, Trial
from hermes.search.base import SearchContext, Seen, chance, check_options, number_option
from hermes.search.climbing import Climb, Tried
from hermes.search.courses import Base, base_of
from hermes.search.draws import Spread
from hermes.search.places import Moves
from hermes.search.untried import Candidate, anywhere, propose

_STEP = 0.2
_MOST_DRAWS = 1000


class _Told(NamedTuple):
    """The mark of a point when it was new, and the run when it may mean something to a climb."""

    mark: int | None
    trial: Trial | None = None
    value: float | None = None
    is_record: bool = False


class _Ascent:
    """A climb, and what it has not been told yet: to it, those points are not tried yet."""

    def __init__(self, begin: Callable[[Tried], Climb], seen: Seen) -> None:
        self._begin, self._seen = begin, seen
        self._climb: Climb | None = None
        self._told: list[_Told] = []
        self._ahead: set[int] = set()

    def keep(self, told: _Told) -> None:
        """Keep what is to be told."""
        if told.mark is not None:
            self._ahead.add(told.mark)
        if told.mark is not None or told.trial is not None:
            self._told.append(told)

    def climb(self) -> Climb:
        """Return the climb, with everything told to it."""
        if self._climb is None:
            self._climb = self._begin(self._is_tried)
        for told in self._told:
            if told.mark is not None:
                self._ahead.discard(told.mark)
            if told.trial is not None:
                parent = next(iter(told.trial.parents), None)
                self._climb.tell(told.trial, told.value, parent=parent, is_record=told.is_record)
        self._told.clear()
        return self._climb

    def _is_tried(self, params: Params) -> bool:
        mark = self._seen.mark(params)
        return mark in self._seen and mark not in self._ahead


def _read(options: Mapping[str, Json], *, few: int) -> tuple[float, int]:
    """Return the first step and the number of draws, ``few`` unless it is set."""
    check_options(Perturb.name, options, ("step", "draws"))
    step = number_option(Perturb.name, options, "step", _STEP, low=0.02, high=0.5)
    draws = number_option(Perturb.name, options, "draws", few, low=1, high=_MOST_DRAWS, whole=True)
    return step, int(draws)


class Perturb:
    """Draws a few points, climbs from the best of them, and begins again where that ends.

    Options: ``step``, the first step as a share of a parameter's range; ``draws``, how many points
    are drawn before a climb. Raises RequestError for other ones.
    """

    name = "perturb"

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse options that it does not have, or cannot use. Raises RequestError."""
        _read(options, few=1)

    def __init__(self, context: SearchContext) -> None:
        few = min(2 + len(context.space.dimensions) // 3, 10)
        self._step, self._draws = _read(context.options, few=few)
        self._space, self._seed = context.space, context.seed
        self._sign = -1.0 if context.direction is Direction.MAXIMIZE else 1.0
        self._moves, self._seen = Moves(context.space), Seen(context.space)
        self._runs: set[str] = set()
        self._best: float | None = None
        self._drawn = self._climbs = 0
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._left = self._draws
        self._first: Base | None = None
        self._ascent: _Ascent | None = None
        self._last_draw = 0
        self._first_step: int | None = None

    # Being told

    def tell(self, trial: Trial) -> None:
        """Learn of a run: a draw, a step of the climb, or somebody else's point."""
        if trial.run_id in self._runs:
            return
        self._runs.add(trial.run_id)
        mark = self._seen.add_new(trial.params)
        if not trial.outcome.is_retried:
            self._learn(trial, mark)
        elif self._ascent is not None:  # nothing is known of the trial; it runs again
            self._ascent.keep(_Told(mark))

    def _learn(self, trial: Trial, mark: int | None) -> None:
        value = None if trial.value is None else self._sign * trial.value
        record = base_of(self._moves, trial, value, self._best)
        self._best = self._best if record is None else record.value
        is_own = trial.strategy == self.name
        is_draw = is_own and not trial.parents
        self._drawn += is_draw
        if is_draw and self._ends_climb(trial):
            self._climbs += 1
            self._begin_anew()
        if self._ascent is not None:
            self._note_step(trial)
            told = trial if is_own or trial.parents or record else None
            self._ascent.keep(_Told(mark, told, value, record is not None))
        elif is_draw or record is not None or not self._climbs:
            self._count(trial, value, is_draw=is_draw)

    def _ends_climb(self, draw: Trial) -> bool:
        """Say whether a draw was made because the climb is stuck, and not before it began.

        Its number tells: who draws for a climb does so before the first step of it.
        """
        return self._first_step is not None and draw.number > self._first_step

    def _note_step(self, trial: Trial) -> None:
        is_step = trial.strategy == self.name and trial.parents and trial.number > self._last_draw
        if is_step and (self._first_step is None or trial.number < self._first_step):
            self._first_step = trial.number

    def _count(self, trial: Trial, value: float | None, *, is_draw: bool) -> None:
        """Count a draw, or what stands for one: each of the first runs of all, later a record."""
        self._left = self._left - 1 if is_draw or not self._climbs else 0
        self._last_draw = max(self._last_draw, trial.number)
        bar = None if self._first is None else self._first.value
        self._first = base_of(self._moves, trial, value, bar) or self._first
        if self._left <= 0 and self._first is not None:
            self._ascent = _Ascent(self._climb_from(self._first), self._seen)

    def _climb_from(self, first: Base) -> Callable[[Tried], Climb]:
        return lambda tried: Climb(
            self._moves,
            first,
            is_tried=tried,
            step=self._step,
            seed=self._seed,
            number=self._climbs,
        )

    # Being asked

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return what the climb wants to try, or a draw for its beginning."""
        rng = chance(self.name, self._seed, number)
        return propose(self.name, self._candidates(rng, len(pending)), self._seen, pending)

    def _candidates(self, rng: random.Random, flying: int) -> Iterator[Candidate]:
        note = "drawn, to climb from the best of a few"
        if self._ascent is not None:
            climb = self._ascent.climb()
            if not climb.is_stuck:
                yield from climb.steps()
                yield from climb.nearby(rng)
            note = f"drawn, for climb {self._climbs + 1} is at its end"
        spread = Spread(self.name, self._seed, self._drawn + flying)
        yield Candidate(self._space.sample(spread), note)
        yield from anywhere(self._space, rng, note)
