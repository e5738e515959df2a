"""Evolutionary search: the contract for several optimizers, what they are told, and refusals."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from search_replays import (
    MIXED,
    assert_resumes,
    best_of,
    bowl,
    eventful,
    played_elsewhere,
    sealed,
    sphere,
)

from hermes.errors import RequestError, UnknownName
from hermes.model import Direction
from hermes.search import evolution, nevergrad_course
from hermes.search.base import SearchContext, Strategy
from hermes.search.contract import StrategyContract
from hermes.search.evolution import EvolutionSearch
from hermes.search.generated_spaces import parsed, small_space
from hermes.search.random_search import RandomSearch
from hermes.search.registry import check, make

CMA: dict = {}
ONE = {"optimizer": "OnePlusOne"}
DE = {"optimizer": "TwoPointsDE"}
OPTIMIZERS = pytest.mark.parametrize("options", [CMA, ONE, DE], ids=["CMA", "One", "DE"])


class OwnName(EvolutionSearch):
    """Takes the contract's trials for its own."""

    name = "contract"


class TestCma(StrategyContract):
    examples = 3  # an optimizer takes tens of milliseconds to make, and each property makes many
    length = 14
    options = CMA

    def make(self, context: SearchContext) -> Strategy:
        return OwnName(replace(context, options=self.options))


class TestOnePlusOne(TestCma):
    options = ONE


class TestTwoPointsDE(TestCma):
    options = DE

    def make(self, context: SearchContext) -> Strategy:
        return EvolutionSearch(replace(context, options=self.options))


def mixed(options: dict, **more: object) -> SearchContext:
    return SearchContext(parsed(MIXED), Direction.MINIMIZE, options=options, **more)


class Spy:
    """Notes what the optimizer is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.own: list[float] = []
        self.others: list[float] = []
        tell, tell_other = nevergrad_course.Course.tell, nevergrad_course.Course.tell_other
        monkeypatch.setattr(
            nevergrad_course.Course,
            "tell",
            lambda course, item, loss: self.own.append(loss) or tell(course, item, loss),
        )
        monkeypatch.setattr(
            nevergrad_course.Course,
            "tell_other",
            lambda course, item, loss: self.others.append(loss) or tell_other(course, item, loss),
        )


# Replay


@OPTIMIZERS
def test_a_search_with_failures_and_points_of_others_is_resumed_as_it_went(options):
    assert_resumes(EvolutionSearch, mixed(options, seed=3), 24)


@OPTIMIZERS
def test_another_seed_gives_another_sequence(options):
    first, again, other = (
        [trial.params for trial in eventful(EvolutionSearch(asked), asked, range(1, 8))]
        for asked in (mixed(options, seed=seed) for seed in (1, 1, 2))
    )
    assert first == again
    assert first[-1] != other[-1]


def test_another_process_proposes_the_same_and_nevergrad_says_nothing():
    asked = mixed(CMA, seed=5)
    trials = eventful(EvolutionSearch(asked), asked, range(1, 16))
    code = "asked = mixed(CMA, seed=5); made = EvolutionSearch(asked)"
    for printed in played_elsewhere("test_evolution", code, 15):
        assert printed == [dict(trial.params) for trial in trials]


def test_chance_that_others_draw_from_numpy_changes_nothing_and_is_not_changed():
    asked = mixed({"optimizer": "DiscreteDE"})
    np.random.seed(1)
    expected = np.random.rand(2).tolist()
    np.random.seed(1)
    first = eventful(EvolutionSearch(asked), asked, range(1, 14))
    assert np.random.rand(2).tolist() == expected
    np.random.seed(99)
    assert eventful(EvolutionSearch(asked), asked, range(1, 14)) == first


def test_an_optimizer_ends_after_an_epoch_and_the_best_are_handed_on(monkeypatch):
    monkeypatch.setattr(evolution, "_EPOCH", 9)
    monkeypatch.setattr(evolution, "_ELITE", 3)
    assert_resumes(EvolutionSearch, mixed(CMA), 30)
    spy, strategy = Spy(monkeypatch), EvolutionSearch(bowl(options=ONE))
    values = [float(number % 7) + number / 100 for number in range(1, 21)]
    for number, value in enumerate(values, 1):
        params = {f"x{n}": number / 10 for n in range(4)}
        strategy.tell(sealed(number, params, "random", value))
    strategy.ask(21)
    assert spy.others[:3] == sorted(values[:18])[:3]  # two epochs of nine have ended
    assert len(spy.others) <= 5


def test_no_history_is_read_twice_in_a_process(monkeypatch):
    spy, strategy = Spy(monkeypatch), EvolutionSearch(bowl())
    best_of(strategy, range(1, 31))
    assert len(spy.own) == 29  # the last is told at the next question


# What the optimizer is told


def test_candidates_are_told_as_such_and_of_others_only_what_is_better(monkeypatch):
    spy, strategy = Spy(monkeypatch), EvolutionSearch(bowl())
    for number, value in enumerate((5.0, 7.0, 3.0, 4.0), 1):
        strategy.tell(sealed(number, {f"x{n}": number / 10 for n in range(4)}, "random", value))
    proposal = strategy.ask(5)
    strategy.tell(sealed(5, proposal.params, "evolution", 6.0))
    strategy.ask(6)
    assert (spy.others, spy.own) == ([5.0, 3.0], [6.0])


def test_a_failure_is_told_as_worse_than_all_and_never_before_a_result(monkeypatch):
    spy, strategy = Spy(monkeypatch), EvolutionSearch(bowl())
    values = [None, None, 8.0, 2.0, None, 30.0, None]
    for number, value in enumerate(values, 1):
        strategy.tell(sealed(number, strategy.ask(number).params, "evolution", value))
        strategy.ask(number + 1)
        if number == 2:
            assert spy.own == spy.others == []
    # 8 + 8 for the two before a result; then 8 + (8 - 2), and 30 + (30 - 2).
    assert spy.own == [16.0, 16.0, 8.0, 2.0, 14.0, 30.0, 58.0]


def test_points_are_drawn_at_random_until_one_succeeds(monkeypatch):
    """An optimizer that is told of no failure would stay where everything fails."""
    spy, strategy = Spy(monkeypatch), EvolutionSearch(bowl(options=ONE))
    points = []
    for number in range(1, 12):
        points.append(strategy.ask(number).params)
        strategy.tell(sealed(number, points[-1], "evolution", 5.0 if number == 11 else None))
    assert strategy.ask(12).note.startswith("by OnePlusOne")
    assert spy.others == [5.0]
    assert spy.own == [10.0]
    assert len({round(point["x0"]) for point in points}) > 5


def test_a_direction_turns_the_sign(monkeypatch):
    spy = Spy(monkeypatch)
    strategy = EvolutionSearch(replace(bowl(), direction=Direction.MAXIMIZE))
    strategy.tell(sealed(1, strategy.ask(1).params, "evolution", 4.0))
    strategy.ask(2)
    assert spy.own == [-4.0]


def test_a_candidate_whose_point_is_known_gets_its_result_at_once_and_is_counted(monkeypatch):
    spy, space = Spy(monkeypatch), small_space()
    strategy = EvolutionSearch(SearchContext(space, Direction.MINIMIZE))
    value_of: dict[str, float] = {}
    avoided = 0
    for number in range(1, 13):
        proposal = strategy.ask(number)
        avoided += proposal.duplicates_avoided
        value_of[space.key(proposal.params)] = float(number)
        strategy.tell(sealed(number, proposal.params, "evolution", float(number)))
    assert len(value_of) == 12
    assert avoided > 0
    assert len(spy.own) > len(set(spy.own))
    assert set(spy.own) <= set(value_of.values())


# Search


@OPTIMIZERS
def test_every_optimizer_searches(options):
    at_random = best_of(RandomSearch(bowl()), range(1, 81))
    assert best_of(EvolutionSearch(bowl(options=options)), range(1, 81)) < at_random / 2


def test_several_in_flight_search_as_well():
    """With points that are only near its own, CMA once came no further than chance."""
    at_random = best_of(RandomSearch(bowl()), range(1, 81))
    assert best_of(EvolutionSearch(bowl()), range(1, 81), flying=4) < at_random / 10


def test_candidates_in_flight_are_passed_over_and_more_are_kept_ready_then(monkeypatch):
    strategy, flying = EvolutionSearch(bowl()), []
    for number in range(1, 12):
        proposal = strategy.ask(number, flying)
        assert proposal.params not in flying
        flying.append(proposal.params)
    assert strategy.ask(12, flying).note.startswith("beside CMA")
    for number, params in enumerate(flying, 1):
        strategy.tell(sealed(number, params, "evolution", sphere(params)))
    assert len(strategy._caught_up().open) > 3


# Refusals


@pytest.mark.parametrize(
    ("options", "fault", "remedy"),
    [
        ({"optimizer": "OnePlusTwo"}, "'OnePlusTwo'", "Did you mean 'OnePlusOne'?"),
        ({"optimizer": "zzzz"}, "'zzzz'", "Some are: CMA"),
        ({"optimiser": "CMA"}, "no option 'optimiser'", "Did you mean 'optimizer'?"),
        ({"budget": 0}, "budget cannot be 0", "Write a whole number from 1."),
        ({"budget": True}, "budget cannot be True", "Write a whole number from 1."),
    ],
)
def test_wrong_options_are_refused_with_the_right_ones(options, fault, remedy):
    for refuse in (lambda: check("evolution", options), lambda: make("evolution", mixed(options))):
        with pytest.raises(RequestError) as caught:
            refuse()
        assert fault in caught.value.message
        assert remedy in caught.value.remedy
        assert len(str(caught.value).splitlines()) == 2


def test_an_unknown_optimizer_is_an_unknown_name():
    with pytest.raises(UnknownName):
        check("evolution", {"optimizer": "zzzz"})


def test_an_optimizer_that_runs_in_a_thread_is_refused_and_its_thread_ends():
    before = set(threading.enumerate())
    with pytest.raises(RequestError, match="'Cobyla' of Nevergrad runs as one long call"):
        make("evolution", mixed({"optimizer": "Cobyla"}))
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_a_space_of_one_point_is_used_up():
    asked = SearchContext(parsed({"x": {"type": "int", "low": 3, "high": 3}}), Direction.MINIMIZE)
    strategy = EvolutionSearch(asked)
    assert strategy.ask(1).params == {"x": 3}
    strategy.tell(sealed(1, {"x": 3}, "evolution", 1.0))
    assert strategy.ask(2) is None
