"""Evolutionary search by Nevergrad; made by ``registry``.

The optimizer is asked when it has no candidate open, and never otherwise, so its state is a
function of the points told and of their order. A candidate whose point is known gets the known
result at once and costs no trial.

Limits: an optimizer lives for 400 results; the next begins with the best 20 of all before it, so
a long history is not replayed whole. ``budget`` is told to it up to that length.
An optimizer that was asked cannot be put back. So while all its candidates are in flight, points
are drawn beside them instead, with the spread that its latest candidates have; each one that is
told raises by one how many candidates are kept open from then on.
Of others, the optimizer is told what is better than all it knows: CMA-ES bounds the step to such
a point (Hansen, "Injecting External Solutions Into CMA-ES", 2011), and is led astray by the rest.
A failure of its own is told as worse than all results of its time, by as much as the worst lies
behind the best: it can never be the best, and repels. Before the first result there is no such
number: the failures wait, and points are drawn at random until one succeeds. A failure of
others is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from hermes.errors import RequestError
from hermes.model import Direction, Json, Params, Proposal, Trial
from hermes.search.base import SearchContext, Seen, chance, check_options
from hermes.search.libraries import need
from hermes.search.untried import Candidate, anywhere, propose
from hermes.search.vector import Vectors

if TYPE_CHECKING:
    from hermes.search.nevergrad_course import Candidate as Asked
    from hermes.search.nevergrad_course import Course

NAME = "evolution"
_EPOCH = 400
_ELITE = 20
_MOST_ASKS = 8
_MOST_RESERVE = 64
_DRAWS = 8


@dataclass(frozen=True)
class _Result:
    """A told point of the space; ``place`` counts them, the loss of a failure is None."""

    place: int
    params: Params
    mark: int
    loss: float | None
    own: bool


@dataclass(frozen=True)
class _Open:
    """A candidate that was asked and not told, with the point it stands for."""

    candidate: Asked
    params: Params
    mark: int


class EvolutionSearch:
    """Proposes the candidates of a Nevergrad optimizer, which learns from what is told.

    Raises RequestError for options that are wrong, and when Nevergrad is missing.
    """

    name = NAME

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse wrong options, and a missing library. Raises RequestError."""
        _checked(options)

    def __init__(self, context: SearchContext) -> None:
        self._optimizer, budget = _checked(context.options)
        self._space = context.space
        self._seed = context.seed
        self._sign = -1.0 if context.direction is Direction.MAXIMIZE else 1.0
        self._budget = min(budget or context.budget or _EPOCH, _EPOCH)
        self._seen = Seen(context.space)
        self._runs: set[str] = set()
        self._vectors = Vectors(context.space)
        self._results: list[_Result] = []  # of this epoch
        self._elite: list[_Result] = []  # of the epochs before
        self._known: dict[int, _Result] = {}
        self._count = 0
        self._population: _Population | None = None
        if context.options.get("optimizer") and self._vectors.size:
            self._make_course().ask()  # so that one that cannot be driven is refused now

    def tell(self, trial: Trial) -> None:
        """Remember the result; the optimizer learns of it before the next answer."""
        if trial.run_id in self._runs:
            return
        self._runs.add(trial.run_id)
        mark = self._seen.add(trial.params)
        if self._space.contains(trial.params):
            return  # a point of another space
        loss = None if trial.value is None else self._sign * trial.value
        own = trial.strategy == self.name
        result = _Result(self._count, dict(trial.params), mark, loss, own)
        self._count += 1
        self._results.append(result)
        self._known.setdefault(result.mark, result)
        if len(self._results) == _EPOCH:
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        best = sorted(
            (result for result in self._elite + self._results if result.loss is not None),
            key=lambda result: (result.loss, result.place),
        )
        self._elite = best[:_ELITE]
        self._results = []
        self._population = None

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return an open candidate that is not in flight, or a point beside the latest ones.

        None when no point is left.
        """
        population = self._caught_up()
        busy = self._seen.marks(pending)
        ready = [item.params for item in population.open if item.mark not in busy]
        rng = chance(f"{self.name}:{self._optimizer}", self._seed, number)
        found = propose(self.name, self._candidates(ready, population, rng), self._seen, pending)
        if found is None:
            return None
        avoided = population.avoided + found.duplicates_avoided
        return replace(found, duplicates_avoided=avoided)

    def _candidates(
        self, ready: Sequence[Params], population: _Population, rng: Random
    ) -> Iterator[Candidate]:
        after = f"{self._optimizer}, after {self._count} results"
        for params in ready:
            yield Candidate(dict(params), f"by {after}")
        for _ in range(_DRAWS):
            beside = population.beside(rng)
            if beside is not None:
                yield Candidate(beside, f"beside {after}")
        yield from anywhere(self._space, rng, f"beside {after}")

    def _caught_up(self) -> _Population:
        """Return the population after every result told so far."""
        if self._population is None:
            course = self._make_course() if self._vectors.size else None
            self._population = _Population(self._vectors, self._seen, self._known, course)
            self._population.inherit(self._elite)
        for result in self._results[self._population.heard :]:
            self._population.refill(result.place)
            self._population.learn(result)
        self._population.refill(self._count)
        return self._population

    def _make_course(self) -> Course:
        from hermes.search.nevergrad_course import Course

        epoch = (self._count - len(self._results)) // _EPOCH
        seed = int(chance(f"{self.name}:epoch", self._seed, epoch).random() * 2**32)
        return Course(self._optimizer, self._vectors.size, budget=self._budget, seed=seed)


class _Population:
    """A course, its open candidates, and what it heard of."""

    def __init__(
        self,
        vectors: Vectors,
        seen: Seen,
        known: Mapping[int, _Result],
        course: Course | None,
    ) -> None:
        self._vectors = vectors
        self._seen = seen
        self._known = known
        self._course = course
        self.open: list[_Open] = []
        self.heard = 0
        self.avoided = 0
        """How many candidates were known points, since the last result."""
        self._asks_left = self._asks_after = _MOST_ASKS
        self._reserve = 0  # how many candidates stay open while one is in use
        self._waiting: list[Asked] = []
        self._best = self._worst = 0.0
        self._has_loss = False

    def refill(self, place: int) -> None:
        """Ask until enough candidates are open whose point no result before ``place`` has.

        Does so once a result. Gives up after some asks; after that a result allows a single
        one, until something new turns up. Asks for none while failures wait, for the optimizer
        would only repeat itself.
        """
        if self._course is None or self._waiting:
            return
        while len(self.open) <= self._reserve and self._asks_left > 0:
            made = self._course.ask()
            self._asks_left -= len(made)
            for candidate in made:
                self._sort_in(candidate, place)
        self._asks_after = _MOST_ASKS if self.open else 1

    def _sort_in(self, candidate: Asked, place: int) -> None:
        params = self._vectors.to_point(candidate.vector)
        mark = self._seen.mark(params)
        known = self._known.get(mark)
        if known is not None and known.place < place:
            self.avoided += 1
            self._tell(candidate, known.loss)
        else:
            self.open.append(_Open(candidate, params, mark))

    def inherit(self, elite: Sequence[_Result]) -> None:
        """Begin with the best results of the epochs before; with whole populations of them."""
        if self._course is not None:
            whole = len(elite) - len(elite) % self._course.block
            for result in elite[:whole]:
                self._tell_other(result)

    def learn(self, result: _Result) -> None:
        """Take in one result: of open candidates with its point, or of a point of others."""
        self.heard += 1
        self.avoided = 0
        self._asks_left = self._asks_after
        if self._course is None:
            return
        own = [item for item in self.open if item.mark == result.mark]
        self.open = [item for item in self.open if item.mark != result.mark]
        for item in own:
            self._tell(item.candidate, result.loss)
        if not own and result.own and not self._waiting:  # it was drawn when none was free
            self._reserve = min(self._reserve + 1, _MOST_RESERVE)
        if not own and self._is_best(result.loss):
            self._tell_other(result)

    def _is_best(self, loss: float | None) -> bool:
        return loss is not None and (loss < self._best or not self._has_loss)

    def _tell_other(self, result: _Result) -> None:
        assert self._course is not None
        assert result.loss is not None
        self._note(result.loss)
        self._course.tell_other(self._vectors.to_vector(result.params), result.loss)

    def _tell(self, candidate: Asked, loss: float | None) -> None:
        """Tell a candidate's loss, or that it failed."""
        assert self._course is not None
        if loss is None and not self._has_loss:
            self._waiting.append(candidate)
            return
        if loss is not None:
            self._note(loss)
        self._course.tell(candidate, self._penalty() if loss is None else loss)

    def _note(self, loss: float) -> None:
        """Keep the range of losses; the first one says what the failures before it are told as."""
        assert self._course is not None
        self._best = min(self._best, loss) if self._has_loss else loss
        self._worst = max(self._worst, loss) if self._has_loss else loss
        self._has_loss = True
        while self._waiting:
            self._course.tell(self._waiting.pop(0), self._penalty())

    def _penalty(self) -> float:
        """Return a loss above all so far; among equal ones, above by their size, or by 1."""
        spread = self._worst - self._best
        return self._worst + (spread or abs(self._worst) or 1.0)

    def beside(self, rng: Random) -> Params | None:
        """Return a point with the spread of the latest candidates, if there are enough.

        None while failures wait: there is nothing near them.
        """
        vector = None if self._course is None or self._waiting else self._course.beside(rng)
        return None if vector is None else self._vectors.to_point(vector)


def _checked(options: Mapping[str, Json]) -> tuple[str, int | None]:
    """Return the optimizer's name and the budget given. Raises RequestError."""
    check_options(NAME, options, ("optimizer", "budget"))
    need(f"The strategy {NAME!r}", "nevergrad", least=1, install="'hermes-lab[evolution]'")
    from hermes.search.nevergrad_course import DEFAULT, check_optimizer

    budget = options.get("budget")
    if budget is not None and (type(budget) is not int or budget < 1):
        raise RequestError(
            f"strategy_options: budget cannot be {budget!r}.", "Write a whole number from 1."
        )
    optimizer = options.get("optimizer", DEFAULT)
    check_optimizer(str(optimizer))
    return str(optimizer), budget
