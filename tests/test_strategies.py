"""The strategies that come with the lab, held to the contract, and the contract to its word."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hermes.errors import RequestError, SpecError
from hermes.model import Direction, Origin, Params, Proposal, Trial
from hermes.search.base import SearchContext, Seen, Strategy, chance
from hermes.search.contract import StrategyContract, result
from hermes.search.generated_spaces import parsed, small_space
from hermes.search.grid import GridSearch
from hermes.search.random_search import RandomSearch
from hermes.search.space import Space

PLANE = {
    "x": {"type": "float", "low": -2, "high": 2},
    "rate": {"type": "float", "low": 1e-5, "high": 1, "log": True},
}
NUMBERS = {
    "a": {"type": "int", "low": 1, "high": 40},
    "b": {"type": "float", "low": 0, "high": 1, "step": 0.1},
}
PINNED = [-0.11526210563446515, -1.2902014011245106]


class TestRandom(StrategyContract):
    def make(self, context: SearchContext) -> Strategy:
        return RandomSearch(context)


class TestGrid(StrategyContract):
    finite_only = True

    def make(self, context: SearchContext) -> Strategy:
        return GridSearch(context)


def context(raw: dict, *, seed: int = 1, **more: object) -> SearchContext:
    return SearchContext(parsed(raw), Direction.MINIMIZE, seed=seed, **more)


def burst(strategy: Strategy, space: Space, numbers: range) -> list[Params]:
    points = []
    for number in numbers:
        proposal = strategy.ask(number)
        if proposal is None:
            break
        points.append(proposal.params)
        strategy.tell(result(number, proposal.params, space))
    return points


# Random


def test_random_proposes_another_sequence_for_another_seed():
    asked = context(PLANE)
    first, again, other = (
        burst(RandomSearch(replace(asked, seed=seed)), asked.space, range(1, 6))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert not [point for point in first if point in other]


def test_random_gives_each_trial_number_its_own_point():
    strategy = RandomSearch(context(PLANE))
    points = [strategy.ask(number).params for number in range(1, 200)]
    assert len({str(point) for point in points}) == 199


def test_a_second_burst_does_not_repeat_the_first():
    asked = context(NUMBERS)
    first = burst(RandomSearch(asked), asked.space, range(1, 101))
    later = RandomSearch(asked)
    for number, point in enumerate(first, 1):
        later.tell(result(number, point, asked.space))
    second = burst(later, asked.space, range(101, 201))
    keys = [asked.space.key(point) for point in first + second]
    assert len(set(keys)) == 200


def test_random_goes_through_a_whole_space_of_hundreds():
    asked = context(NUMBERS)
    points = burst(RandomSearch(asked), asked.space, range(1, 1000))
    assert len({asked.space.key(point) for point in points}) == len(points) == 440


def test_random_finds_the_rare_points_that_are_left():
    """A draw meets the float behind ten switches once in a thousand; the others are used up."""
    raw: dict = {"s0": {"type": "bool"}}
    for n in range(1, 10):
        raw[f"s{n}"] = {"type": "bool", "when": {f"s{n - 1}": True}}
    raw["x"] = {"type": "float", "low": 0, "high": 1, "when": {"s9": True}}
    raw["n"] = {"type": "int", "low": 1, "high": 5, "when": {"s9": True}}
    asked = context(raw)
    points = burst(RandomSearch(asked), asked.space, range(1, 41))
    assert len({asked.space.key(point) for point in points}) == 40
    assert sum("x" in point for point in points) >= 30
    assert {point["n"] for point in points if "n" in point} == {1, 2, 3, 4, 5}


def test_using_a_space_up_costs_little_more_than_listing_it_a_few_times(monkeypatch):
    asked = context(NUMBERS)
    looked = []
    key = Space.key
    monkeypatch.setattr(Space, "key", lambda self, point: looked.append(1) or key(self, point))
    burst(RandomSearch(asked), asked.space, range(1, 1000))
    assert len(looked) < 30 * 440


def test_random_counts_the_points_it_put_back():
    asked = context({"n": {"type": "int", "low": 1, "high": 3}})
    strategy = RandomSearch(asked)
    rng = chance("random", 1, 9)
    draws = [asked.space.sample(rng) for _ in range(40)]
    strategy.tell(result(1, draws[0], asked.space))
    fresh = next(place for place, point in enumerate(draws) if point != draws[0])
    proposal = strategy.ask(9)
    assert (proposal.params, proposal.duplicates_avoided) == (draws[fresh], fresh)
    assert fresh > 0
    pending = [proposal.params]
    assert strategy.ask(9, pending).duplicates_avoided > fresh
    assert RandomSearch(asked).ask(9).duplicates_avoided == 0


def test_the_sequence_is_the_same_in_another_process_and_version():
    """These numbers must never change: whoever resumes a search relies on them."""
    strategy = RandomSearch(context(PLANE, seed=42))
    assert [strategy.ask(number).params["x"] for number in (1, 2)] == PINNED
    code = (
        "import json; from hermes.search.registry import make;"
        "from hermes.search.base import SearchContext; from hermes.model import Direction;"
        "from hermes.search.space import parse_space;"
        f"s = parse_space(json.loads({json.dumps(json.dumps(PLANE))}), source='');"
        "print(make('random', SearchContext(s, Direction.MINIMIZE, seed=42)).ask(1).params['x'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert float(ran.stdout) == PINNED[0]


def test_chance_depends_on_strategy_seed_and_number():
    streams = [chance("a", 1, 1), chance("b", 1, 1), chance("a", 2, 1), chance("a", 1, 2)]
    assert len({stream.random() for stream in streams}) == 4


def test_twenty_thousand_points_take_less_than_four_mebibytes():
    asked = context(PLANE)
    seen = Seen(asked.space)
    points = [{"x": n / 10_000, "rate": 0.5} for n in range(20_000)]
    tracemalloc.start()
    for point in points:
        seen.add(point)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 4 * 2**20


# Grid


def test_a_grid_goes_through_the_space_in_its_order():
    space = small_space()
    strategy = GridSearch(SearchContext(space, Direction.MINIMIZE))
    assert burst(strategy, space, range(1, 100)) == list(space.grid())


def test_a_grid_says_where_it_is():
    strategy = GridSearch(context(NUMBERS))
    assert strategy.ask(1) == Proposal(
        {"a": 1, "b": 0.0}, "grid", Origin.STRATEGY, "combination 1 of 440"
    )


def test_a_grid_comes_back_to_a_point_that_was_dropped_in_flight():
    space = small_space()
    strategy, points = GridSearch(SearchContext(space, Direction.MINIMIZE)), list(space.grid())
    assert strategy.ask(2, [points[0]]).params == points[1]
    strategy.tell(result(2, points[1], space))
    assert strategy.ask(3).params == points[0]
    assert strategy.ask(3, [points[0]]).params == points[2]


def test_a_grid_looks_at_each_point_once(monkeypatch):
    asked = context(NUMBERS)
    looked = []
    key = Space.key
    monkeypatch.setattr(Space, "key", lambda self, point: looked.append(1) or key(self, point))
    burst(GridSearch(asked), asked.space, range(1, 1000))
    assert len(looked) == 2 * 440  # once when it is read, once when it is told


def test_a_grid_refuses_a_float_without_a_step():
    with pytest.raises(SpecError, match="x, rate"):
        GridSearch(context(PLANE))


@pytest.mark.parametrize("made", [RandomSearch, GridSearch])
def test_an_option_that_a_strategy_does_not_have_is_refused(made):
    with pytest.raises(RequestError, match="no option 'sampler'"):
        made(context(NUMBERS, options={"sampler": "tpe"}))


# The contract catches what breaks it


class Forgetful(RandomSearch):
    """Proposes what it was told."""

    def tell(self, trial: Trial) -> None:
        pass


class Careless(RandomSearch):
    """Does not look at what is in flight."""

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        return super().ask(number)


class Endless(RandomSearch):
    """Begins again when the space is exhausted."""

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        rng = chance("endless", 0, number)
        again = Proposal(self._space.sample(rng), self.name, Origin.STRATEGY)
        return super().ask(number, pending) or again


class Moody(RandomSearch):
    """Answers by how often it was asked."""

    asked = 0

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        self.asked += 1
        return super().ask(number + self.asked // 2, pending)


class Sloppy(RandomSearch):
    """Leaves the bounds, now and then."""

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        proposal = super().ask(number, pending)
        if proposal is None or number % 3:
            return proposal
        moved = {
            name: value + 0.01 if type(value) is float else value
            for name, value in proposal.params.items()
        }
        return replace(proposal, params=moved)


class Follower(RandomSearch):
    """Learns from every result above 0.2, whichever way is better, and from each telling."""

    told = 0

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        self.told += trial.value is not None and trial.value > 0.2

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        return super().ask(number + 1000 * self.told, pending)


class Optimist(Follower):
    """Takes a failure for a number."""

    def tell(self, trial: Trial) -> None:
        RandomSearch.tell(self, trial)
        assert trial.value is not None


class Miner(RandomSearch):
    """Trips over points that are not of the space."""

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        assert self._space.contains(trial.params) == []


BROKEN = [
    (Forgetful, "test_nothing_is_proposed_twice_and_the_end_is_none"),
    (Forgetful, "test_a_failure_has_no_number_and_is_not_proposed_again"),
    (Forgetful, "test_a_point_from_elsewhere_is_not_proposed"),
    (Forgetful, "test_numbers_may_have_gaps"),
    (Careless, "test_points_in_flight_are_not_proposed"),
    (Careless, "test_a_point_no_longer_in_flight_may_be_proposed"),
    (Endless, "test_nothing_is_proposed_twice_and_the_end_is_none"),
    (Moody, "test_the_same_question_gets_the_same_answer"),
    (Moody, "test_an_answer_does_not_depend_on_other_questions"),
    (Moody, "test_replaying_the_history_equals_having_gone_on"),
    (Sloppy, "test_every_proposal_is_a_point_of_the_space"),
    (Follower, "test_the_direction_is_obeyed"),
    (Follower, "test_told_twice_is_told_once"),
    (Optimist, "test_a_failure_has_no_number_and_is_not_proposed_again"),
    (Miner, "test_a_point_outside_the_space_does_no_harm"),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN)
def test_the_contract_catches(broken, test):
    class Contract(StrategyContract):
        def make(self, context: SearchContext) -> Strategy:
            return broken(context)

    with pytest.raises(AssertionError):
        getattr(Contract(), test)()
