# ruff: noqa: D102  the name of a test is its sentence
"""The tests that every strategy passes: subclass ``StrategyContract`` and say how to make yours.

Needs pytest and Hypothesis, and is imported by tests only::

    from hermes.search.contract import StrategyContract
    from my_package.search import HillClimb

    class TestHillClimb(StrategyContract):
        def make(self, context):
            return HillClimb(context)

Limits: the tests compare sequences of some tens of proposals, in one process. They cannot see
whether a strategy searches well, nor chance that only another process would reveal (the time,
``hash()`` of a text, the order of a set).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from hypothesis import HealthCheck, given, settings

from hermes.model import Direction, Outcome, Params, Proposal, Trial
from hermes.search.base import SearchContext, Strategy
from hermes.search.generated_spaces import SMALL_SIZE, declarations, parsed, small_space
from hermes.search.space import Space


class StrategyContract:
    """What the lab relies on; a subclass makes the strategy and sets what does not apply."""

    finite_only = False
    """True for a strategy that refuses a space with uncountable values."""
    length = 20
    """How many trials a sequence has."""
    examples = 25
    """How many generated spaces each property is tried on."""

    def make(self, context: SearchContext) -> Strategy:
        """Return a new strategy for ``context``."""
        raise NotImplementedError

    # What a subclass may use, too

    def fresh(self, space: Space, *, direction: str = "minimize", seed: int = 7) -> Strategy:
        """Return a new strategy with the common context."""
        context = SearchContext(space, Direction(direction), seed=seed, budget=self.length)
        return self.make(context)

    def every_space(self, check: Callable[[Space], None]) -> None:
        """Run ``check`` on generated spaces, and on the small one."""
        check(small_space())
        spaces = declarations(finite=self.finite_only).map(parsed)
        quiet = settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        quiet(given(spaces)(check))()

    def play(self, strategy: Strategy, space: Space, numbers: Iterable[int]) -> list[Trial]:
        """Ask for each trial, tell its result, and return the trials until there is no more."""
        trials: list[Trial] = []
        for number in numbers:
            proposal = strategy.ask(number)
            if proposal is None:
                break
            trials.append(made(number, proposal, space))
            strategy.tell(trials[-1])
        return trials

    # The contract

    def test_every_proposal_is_a_point_of_the_space(self) -> None:
        def check(space: Space) -> None:
            for trial in self.play(self.fresh(space), space, self._numbers()):
                assert space.contains(trial.params) == []
                for name, value in trial.params.items():
                    assert type(value) is type(space[name].canonical(value))

        self.every_space(check)

    def test_a_proposal_says_who_made_it(self) -> None:
        strategy = self.fresh(small_space())
        proposal = strategy.ask(1)
        assert isinstance(proposal, Proposal)
        assert proposal.strategy == strategy.name

    def test_the_same_question_gets_the_same_answer(self) -> None:
        def check(space: Space) -> None:
            strategy, other = self.fresh(space), self.fresh(space)
            for number in self._numbers():
                first = strategy.ask(number)
                assert strategy.ask(number) == first
                assert other.ask(number) == first
                if first is not None:
                    strategy.tell(made(number, first, space))
                    other.tell(made(number, first, space))

        self.every_space(check)

    def test_an_answer_does_not_depend_on_other_questions(self) -> None:
        space = small_space()
        strategy = self.fresh(space)
        self._points(strategy, range(1, 6))
        assert strategy.ask(9) == self.fresh(space).ask(9)

    def test_replaying_the_history_equals_having_gone_on(self) -> None:
        def check(space: Space) -> None:
            trials = self.play(self.fresh(space), space, self._numbers())
            for done in {0, 1, len(trials) // 2, len(trials) - 1} - {-1}:
                resumed = self.fresh(space)
                _tell_all(resumed, trials[:done])
                rest = self.play(resumed, space, self._numbers(done))
                assert trials[done:] == rest

        self.every_space(check)

    def test_the_direction_is_obeyed(self) -> None:
        """Maximizing the negated metric is the same search as minimizing the metric."""

        def check(space: Space) -> None:
            down, up = self.fresh(space), self.fresh(space, direction="maximize")
            for number in self._numbers():
                proposal = down.ask(number)
                assert _params(up.ask(number)) == _params(proposal)
                if proposal is None:
                    break
                down.tell(made(number, proposal, space))
                up.tell(made(number, proposal, space, sign=-1.0))

        self.every_space(check)

    def test_a_failure_has_no_number_and_is_not_proposed_again(self) -> None:
        outcomes = [item for item in Outcome if item is not Outcome.SUCCESS]

        def check(space: Space) -> None:
            strategy, seen = self.fresh(space), set[str]()
            for number in self._numbers():
                proposal = strategy.ask(number)
                if proposal is None:
                    break
                assert space.contains(proposal.params) == []
                assert space.key(proposal.params) not in seen
                seen.add(space.key(proposal.params))
                outcome = outcomes[number % len(outcomes)]
                strategy.tell(trial(number, proposal.params, outcome=outcome))

        self.every_space(check)

    def test_points_in_flight_are_not_proposed(self) -> None:
        def check(space: Space) -> None:
            strategy, pending = self.fresh(space), list[Params]()
            for number in range(1, 6):
                proposal = strategy.ask(number, tuple(pending))
                if proposal is None:
                    assert len(pending) == space.size()
                    break
                assert _key(space, proposal) not in {space.key(point) for point in pending}
                pending.append(proposal.params)

        self.every_space(check)

    def test_a_point_no_longer_in_flight_may_be_proposed(self) -> None:
        space = small_space()
        strategy, points = self.fresh(space), list(space.grid())
        _tell_all(strategy, [result(n, point, space) for n, point in enumerate(points[1:], 1)])
        assert strategy.ask(20, [points[0]]) is None
        assert _params(strategy.ask(21)) == points[0]

    def test_nothing_is_proposed_twice_and_the_end_is_none(self) -> None:
        space = small_space()
        assert space.size() == SMALL_SIZE
        strategy = self.fresh(space)
        trials = self.play(strategy, space, range(1, 2 * SMALL_SIZE))
        assert sorted(space.key(item.params) for item in trials) == sorted(
            map(space.key, space.grid())
        )
        assert strategy.ask(2 * SMALL_SIZE) is None

    def test_a_point_from_elsewhere_is_not_proposed(self) -> None:
        space = small_space()
        by_hand = list(islice(space.grid(), 0, None, 2))
        strategy = self.fresh(space)
        _tell_all(strategy, [result(n, point, space) for n, point in enumerate(by_hand, 1)])
        trials = self.play(strategy, space, range(len(by_hand) + 1, 2 * SMALL_SIZE))
        told = {space.key(point) for point in by_hand}
        assert len(trials) == SMALL_SIZE - len(by_hand)
        assert not told & {space.key(item.params) for item in trials}

    def test_a_point_outside_the_space_does_no_harm(self) -> None:
        space = small_space()
        strategy = self.fresh(space)
        strangers: list[Params] = [{}, {"other": "text"}, {"layers": 99, "rate": "0.1"}]
        for number, params in enumerate(strangers, 1):
            strategy.tell(trial(number, params, value=-1e9))
        proposal = strategy.ask(len(strangers) + 1)
        assert proposal is not None
        assert space.contains(proposal.params) == []

    def test_told_twice_is_told_once(self) -> None:
        def check(space: Space) -> None:
            trials = self.play(self.fresh(space), space, self._numbers())
            once, twice = self.fresh(space), self.fresh(space)
            for item in trials[: len(trials) // 2]:
                once.tell(item)
                twice.tell(item)
                twice.tell(item)
            _tell_all(twice, trials[: len(trials) // 2])
            assert once.ask(self.length + 1) == twice.ask(self.length + 1)

        self.every_space(check)

    def test_numbers_may_have_gaps(self) -> None:
        space = small_space()
        trials = self.play(self.fresh(space), space, range(3, 3 + 7 * SMALL_SIZE, 7))
        assert len({space.key(item.params) for item in trials}) == SMALL_SIZE

    def test_what_the_caller_holds_is_not_changed(self) -> None:
        space = small_space()
        strategy, other = self.fresh(space), self.fresh(space)
        first = strategy.ask(1)
        assert first is not None
        pending = [dict(first.params)]
        strategy.ask(2, pending)
        assert pending == [dict(first.params)]
        if isinstance(first.params, dict):
            first.params.clear()
        assert strategy.ask(1) == other.ask(1)

    def _numbers(self, done: int = 0) -> range:
        return range(done + 1, self.length + 1)

    def _points(self, strategy: Strategy, numbers: Iterable[int]) -> list[Params | None]:
        return [_params(strategy.ask(number)) for number in numbers]


# Trials


def trial(
    number: int,
    params: Params,
    *,
    value: float | None = None,
    outcome: Outcome = Outcome.SUCCESS,
) -> Trial:
    """Return a sealed run as a strategy is told of it."""
    return Trial(number, dict(params), outcome, value, "contract", f"RUN-{number}", "default")


def result(number: int, params: Params, space: Space, *, sign: float = 1.0) -> Trial:
    """Return a success whose value is a smooth function of the point's place in the space."""
    places = [_place(space, name, params) for name in space.names]
    value = sum((place - 0.3) ** 2 for place in places if place is not None)
    return trial(number, params, value=sign * value)


def made(number: int, proposal: Proposal, space: Space, *, sign: float = 1.0) -> Trial:
    """Return the ``result`` of a proposal, which says who made it and what it was built upon."""
    measured = result(number, proposal.params, space, sign=sign)
    return replace(measured, strategy=proposal.strategy, parents=proposal.parents)


def _place(space: Space, name: str, params: Params) -> float | None:
    dimension, value = space[name], params.get(name)
    if value is None:
        return None
    if dimension.count is None:
        low, high = dimension.low, dimension.high
        return (float(value) - low) / (high - low)
    return dimension.index(value) / dimension.count


def _tell_all(strategy: Strategy, trials: Sequence[Trial]) -> None:
    for item in trials:
        strategy.tell(item)


def _params(proposal: Proposal | None) -> Params | None:
    return None if proposal is None else proposal.params


def _key(space: Space, proposal: Proposal) -> str:
    return space.key(proposal.params)
