"""The local search: it climbs, adapts, begins again, and is a function of what it was told."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import pytest
from played_searches import (
    MIXED,
    PLANE,
    asked_elsewhere,
    best,
    bowl,
    busy_history,
    failing,
    made,
    mixture,
    sealed,
    search,
)
from records import plain

from hermes.errors import RequestError
from hermes.model import Outcome
from hermes.search.base import SearchContext, Strategy
from hermes.search.climbing import Climb
from hermes.search.contract import StrategyContract
from hermes.search.perturb import Perturb


class TestPerturb(StrategyContract):
    length = 40

    def make(self, context: SearchContext) -> Strategy:
        return Perturb(context)


def others(trials):
    """The same runs, as if a strategy that builds upon nothing had made them."""
    return [replace(trial, strategy="random", parents=()) for trial in trials]


# It searches


@pytest.mark.parametrize(
    ("raw", "function", "share"),
    [(PLANE, bowl, 0.01), (PLANE, failing(bowl), 0.01), (MIXED, mixture, 0.3)],
    ids=["smooth", "failing", "mixed"],
)
def test_it_leaves_random_search_far_behind_in_a_hundred_runs(raw, function, share):
    seeds = range(1, 8)
    found, drawn = (
        sorted(best(search(made(name, raw, seed=seed), function, range(1, 101))) for seed in seeds)
        for name in ("perturb", "random")
    )
    assert found[3] < share * drawn[3]


@pytest.mark.parametrize(("count", "draws"), [(1, 2), (5, 3), (9, 5), (60, 10)])
def test_it_begins_with_draws_whose_number_depends_on_the_parameters(count, draws):
    raw = {f"x{n}": PLANE["a"] for n in range(count)}
    trials = search(made("perturb", raw), lambda point: point["x0"], range(1, draws + 2))
    assert [bool(trial.parents) for trial in trials] == [False] * draws + [True]


def test_a_step_is_built_upon_the_best_run_before_it():
    trials = search(made("perturb", PLANE), bowl, range(1, 40))
    for place, trial in enumerate(trials[3:], 3):
        leader = min(trials[:place], key=lambda one: one.value)
        assert trial.parents == (leader.run_id,)


def test_steps_shrink_where_they_lead_nowhere():
    trials = search(made("perturb", PLANE), lambda point: 1.0, range(1, 34))
    start = trials[0].params
    ways = [max(abs(trial.params[x] - start[x]) for x in PLANE) for trial in trials[3:]]
    sweeps = [max(ways[place : place + 10]) for place in (0, 10, 20)]
    assert sweeps == pytest.approx([2.0, 0.6, 0.18])


def test_steps_grow_where_they_lead_far():
    trials = search(made("perturb", PLANE, step=0.02), lambda point: -point["a"], range(1, 60))
    ways = [abs(after.params["a"] - before.params["a"]) for before, after in pairwise(trials[3:])]
    assert max(ways) > 5 * 0.02 * 10


def test_it_begins_again_elsewhere_when_it_is_stuck_and_remembers_the_best():
    strategy = made("perturb", PLANE)
    trials = search(strategy, bowl, range(1, 200))
    draws = [trial for trial in trials if not trial.parents]
    assert len(draws) >= 9
    assert len({trial.params["a"] for trial in draws}) == len(draws)
    proposal = strategy.ask(200)
    good = replace(sealed(200, proposal, best(trials) - 1), strategy="bayesian", parents=())
    strategy.tell(good)
    assert strategy.ask(201).parents == ("RUN-200",)


def test_what_others_find_is_gone_on_from():
    strategy = made("perturb", PLANE)
    for trial in others(search(made("random", PLANE), bowl, range(1, 31))):
        strategy.tell(trial)
    better = sealed(31, made("random", PLANE).ask(99), -1.0, strategy="enqueued", run_id="BETTER")
    assert strategy.ask(32).parents != ("BETTER",)
    strategy.tell(better)
    assert strategy.ask(32).parents == ("BETTER",)
    strategy.tell(replace(better, run_id="WORSE", value=0.0, params={**better.params, "a": 1.0}))
    assert strategy.ask(33).parents == ("BETTER",)


def test_a_step_that_another_strategy_makes_from_its_base_teaches_what_its_own_would():
    """In a swarm others try what lies around the best point; what fails there is known then."""

    def goes_on(strategy_name):
        strategy = made("perturb", PLANE)
        trials = search(strategy, bowl, range(1, 12))
        step = strategy.ask(12)
        assert step.parents == (best_run(trials),)
        worse = sealed(12, step, max(trial.value for trial in trials))
        strategy.tell(replace(worse, strategy=strategy_name))
        return strategy.ask(13).params

    def best_run(trials):
        return min(trials, key=lambda trial: trial.value).run_id

    assert goes_on("tree") == goes_on("perturb")


def test_a_history_of_others_is_a_warm_start():
    strategy = made("perturb", PLANE)
    history = others(search(made("random", PLANE), bowl, range(1, 31)))
    for trial in history:
        strategy.tell(trial)
    trials = search(strategy, bowl, range(31, 61))
    assert all(trial.parents for trial in trials)
    assert best(trials) < 0.05 * best(history)


def test_a_choice_is_tried_and_what_it_brings_to_life_is_drawn():
    trials = search(made("perturb", MIXED), mixture, range(1, 101))
    steps = [trial for trial in trials if trial.parents]
    assert {trial.params["kind"] for trial in steps} == {"x", "y", "z"}
    assert all(("depth" in trial.params) == (trial.params["kind"] == "y") for trial in trials)
    assert len({trial.params["depth"] for trial in steps if "depth" in trial.params}) > 3


def test_whole_numbers_move_by_whole_steps():
    raw = {f"n{n}": {"type": "int", "low": 0, "high": 30} for n in range(3)}
    trials = search(
        made("perturb", raw), lambda point: sum((n - 11) ** 2 for n in point.values()), range(1, 61)
    )
    assert best(trials) == 0


def test_no_point_is_tried_twice_where_there_are_only_a_few():
    raw = {"n": {"type": "int", "low": 1, "high": 6}, "m": {"type": "bool"}}
    strategy = made("perturb", raw)
    trials = search(strategy, lambda point: point["n"], range(1, 13))
    assert len({str(trial.params) for trial in trials}) == 12
    assert strategy.ask(13) is None


# It is a function of what it was told


def test_another_process_proposes_the_same_after_any_history():
    history = busy_history(made("perturb", PLANE), failing(bowl))
    told = [trial for trial, _ in history]
    strategy = made("perturb", PLANE)
    for trial in told:
        strategy.tell(trial)
    expected = plain(strategy.ask(500, history[-1][1]))
    assert asked_elsewhere("perturb", PLANE, told, history[-1][1], 500) == [expected, expected]
    assert expected["parents"]


def test_it_does_not_matter_when_it_is_asked():
    """A climb is worked out when it is asked: late or at once, with failures, cuts and others."""
    for raw, function in [(PLANE, failing(bowl)), (PLANE, lambda point: round(bowl(point)))]:
        asked = made("perturb", raw)
        history = busy_history(asked, function)
        for upto in range(1, len(history), 7):
            late = made("perturb", raw)
            for trial, _ in history[:upto]:
                late.tell(trial)
            often = made("perturb", raw)
            for trial, pending in history[:upto]:
                often.ask(trial.number, pending)
                often.tell(trial)
            pending = history[upto - 1][1]
            assert late.ask(900, pending) == often.ask(900, pending)


def test_the_names_of_the_runs_do_not_matter():
    plain, renamed = made("perturb", PLANE), made("perturb", PLANE)
    for number in range(1, 150):
        proposal, other = plain.ask(number), renamed.ask(number)
        assert other.params == proposal.params
        plain.tell(sealed(number, proposal, bowl(proposal.params)))
        renamed.tell(sealed(number, other, bowl(other.params), run_id=f"{number * 7919 % 1009}-x"))


def test_a_trial_that_was_cut_off_and_runs_again_changes_nothing():
    whole, cut = made("perturb", PLANE), made("perturb", PLANE)
    for number in range(1, 120):
        proposal = whole.ask(number)
        assert cut.ask(number) == proposal
        trial = sealed(number, proposal, bowl(proposal.params))
        whole.tell(trial)
        if number % 3 == 0:
            cut.tell(
                replace(trial, outcome=Outcome.INTERRUPTED, value=None, run_id=f"CUT-{number}")
            )
        cut.tell(trial)


def test_several_in_flight_are_all_different_and_still_find_the_way():
    strategy, flying, trials = made("perturb", PLANE), [], []
    for number in range(1, 101):
        proposal = strategy.ask(number, [params.params for _, params in flying])
        assert proposal.params not in [params.params for _, params in flying]
        flying.append((number, proposal))
        if len(flying) == 4:
            done, last = flying.pop(number % 3)
            trials.append(sealed(done, last, bowl(last.params)))
            strategy.tell(trials[-1])
    drawn = search(made("random", PLANE), bowl, range(1, 98))
    assert best(trials) < 0.02 * best(drawn)


def test_draws_that_end_late_do_not_end_the_climb_that_has_begun():
    strategy, flying = made("perturb", PLANE), []
    for number in range(1, 7):
        flying.append(strategy.ask(number, [proposal.params for proposal in flying]))
    for number, proposal in enumerate(flying[:3], 1):
        strategy.tell(sealed(number, proposal, bowl(proposal.params)))
    step = strategy.ask(7, [proposal.params for proposal in flying[3:]])
    assert step.parents
    strategy.tell(sealed(7, step, bowl(step.params)))
    for number, proposal in enumerate(flying[3:], 4):
        strategy.tell(sealed(number, proposal, 1e6))
    assert strategy.ask(8).parents[0] in ("RUN-7", *step.parents)


# It costs little


def test_a_long_history_costs_the_climbs_that_have_ended_nothing(monkeypatch):
    trials = search(made("perturb", PLANE), bowl, range(1, 600))
    looked = []
    tell = Climb.tell
    monkeypatch.setattr(
        Climb, "tell", lambda self, *args, **more: looked.append(1) or tell(self, *args, **more)
    )
    strategy = made("perturb", PLANE)
    for trial in trials:
        strategy.tell(trial)
    strategy.ask(600)
    last = max(place for place, trial in enumerate(trials) if not trial.parents)
    assert 0 < len(looked) <= len(trials) - last
    strategy.ask(600)
    assert len(looked) <= len(trials) - last


def test_twenty_thousand_runs_of_others_take_less_than_five_mebibytes():
    strategy, drawn = made("perturb", PLANE), made("random", PLANE)
    trials = [sealed(n, drawn.ask(n), float(n), strategy="random") for n in range(1, 2001)]
    tracemalloc.start()
    for trial in trials:
        strategy.tell(trial)
    strategy.ask(2001)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 10 * used < 5 * 2**20


# Its options


@pytest.mark.parametrize(
    ("option", "value"),
    [("step", 0.6), ("step", "wide"), ("step", True), ("draws", 0), ("draws", 2.5)],
)
def test_an_option_out_of_its_range_is_refused(option, value):
    with pytest.raises(RequestError, match=f"'{option}'.*'perturb'"):
        made("perturb", PLANE, **{option: value})


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(RequestError) as caught:
        made("perturb", PLANE, steps=0.1)
    assert caught.value.remedy == "Did you mean 'step'?"


def test_the_number_of_draws_can_be_set():
    trials = search(made("perturb", PLANE, draws=7), bowl, range(1, 10))
    assert sum(not trial.parents for trial in trials) == 7
