"""Bayesian search: the contract for each sampler, what the samplers are told, and refusals."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from absent import without
from labs import a_lab, an_experiment, burst
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
from hermes.search import libraries, optuna_samplers
from hermes.search.base import SearchContext, Strategy
from hermes.search.bayesian import BayesianSearch
from hermes.search.contract import StrategyContract
from hermes.search.generated_spaces import parsed, small_space
from hermes.search.random_search import RandomSearch
from hermes.search.registry import check, make

SAMPLERS = {
    "tpe": {"n_startup_trials": 3},
    "tpe in groups": {"sampler": "tpe", "n_startup_trials": 3, "group": True},
    "tpe one by one": {"sampler": "tpe", "n_startup_trials": 3, "multivariate": False},
    "cmaes": {"sampler": "cmaes", "popsize": 4},
    "qmc": {"sampler": "qmc"},
    "nsga2": {"sampler": "nsga2", "population_size": 4},
}


class Contract(StrategyContract):
    examples = 5  # a draw takes milliseconds, and a property some hundreds of draws
    length = 14
    sampler = "tpe"

    def make(self, context: SearchContext) -> Strategy:
        return BayesianSearch(replace(context, options=SAMPLERS[self.sampler]))


class TestTpe(Contract):
    pass


class TestTpeInGroups(Contract):
    sampler = "tpe in groups"


class TestCmaEs(Contract):
    sampler = "cmaes"

    def make(self, context: SearchContext) -> Strategy:
        return OwnName(replace(context, options=SAMPLERS["cmaes"]))


class TestQmc(Contract):
    sampler = "qmc"


class TestNsga2(Contract):
    sampler = "nsga2"


class OwnName(BayesianSearch):
    """Takes the contract's trials for its own."""

    name = "contract"


def mixed(options: dict, **more: object) -> SearchContext:
    return SearchContext(parsed(MIXED), Direction.MINIMIZE, options=options, **more)


# Replay


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_with_failures_and_points_of_others_is_resumed_as_it_went(sampler):
    assert_resumes(BayesianSearch, mixed(SAMPLERS[sampler], seed=3), 24)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_another_seed_gives_another_sequence(sampler):
    first, again, other = (
        [trial.params for trial in eventful(BayesianSearch(asked), asked, range(1, 8))]
        for asked in (mixed(SAMPLERS[sampler], seed=seed) for seed in (1, 1, 2))
    )
    assert first == again
    assert first[0] != other[0]
    assert first[-1] != other[-1]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_another_process_proposes_the_same_and_optuna_says_nothing(sampler):
    asked = mixed(SAMPLERS[sampler], seed=5)
    trials = eventful(BayesianSearch(asked), asked, range(1, 16))
    code = f"asked = mixed(SAMPLERS[{sampler!r}], seed=5); made = BayesianSearch(asked)"
    for printed in played_elsewhere("test_bayesian", code, 15):
        assert printed == [dict(trial.params) for trial in trials]


def test_what_a_long_history_shows_to_the_sampler_is_bounded_and_replayed(monkeypatch):
    monkeypatch.setattr(optuna_samplers, "_LATEST", 6)
    monkeypatch.setattr(optuna_samplers, "_BEST", 2)
    monkeypatch.setattr(optuna_samplers, "_CMA_EPOCH", 9)
    for sampler in ("tpe", "cmaes"):
        assert_resumes(BayesianSearch, mixed(SAMPLERS[sampler]), 30)


def test_no_history_is_read_twice_in_a_process(monkeypatch):
    strategy = BayesianSearch(bowl(options=SAMPLERS["cmaes"]))
    taken = []
    take = optuna_samplers.CmaEs._take
    monkeypatch.setattr(
        optuna_samplers.CmaEs, "_take", lambda self, told: taken.append(told) or take(self, told)
    )
    best_of(strategy, range(1, 31))
    assert len(taken) == 29  # the last is taken at the next question


# What samplers are told


def test_a_failure_is_told_as_a_trial_that_failed_and_has_no_number():
    from optuna.trial import TrialState

    strategy = BayesianSearch(bowl())
    told = {"x0": 1.0, "x1": 2.0, "x2": 0.0, "x3": 0.0}
    strategy.tell(sealed(1, told, "random", None))
    strategy.tell(sealed(2, {**told, "x0": 2.0}, "random", 4.0))
    failed, done = strategy._library._main._known()
    assert (failed.state, failed.value) == (TrialState.FAIL, None)
    assert (done.state, done.value) == (TrialState.COMPLETE, 4.0)


def test_maximizing_tells_the_negated_value():
    strategy = BayesianSearch(replace(bowl(), direction=Direction.MAXIMIZE))
    strategy.tell(sealed(1, {f"x{n}": 0.0 for n in range(4)}, "random", 4.0))
    assert [trial.value for trial in strategy._library._main._known()] == [-4.0]


def test_points_in_flight_move_the_next_proposal():
    asked = mixed(SAMPLERS["tpe"])
    strategy = BayesianSearch(asked)
    eventful(strategy, asked, range(1, 12))
    alone, other = strategy.ask(12), RandomSearch(mixed({}))
    with_others = strategy.ask(12, [other.ask(40 + n).params for n in range(6)])
    assert alone.params != with_others.params
    assert strategy.ask(12) == alone


def test_points_put_back_are_counted():
    space = small_space()
    strategy = BayesianSearch(SearchContext(space, Direction.MINIMIZE, options=SAMPLERS["tpe"]))
    counts = []
    for number in range(1, 13):
        proposal = strategy.ask(number)
        counts.append(proposal.duplicates_avoided)
        strategy.tell(sealed(number, proposal.params, "bayesian", float(number)))
    assert counts[0] == 0
    assert max(counts) > 3


def test_every_kind_of_sampler_searches():
    at_random = best_of(RandomSearch(bowl()), range(1, 81))
    for name in ("tpe", "cmaes", "nsga2"):
        options = {**SAMPLERS[name]}
        assert best_of(BayesianSearch(bowl(options=options)), range(1, 81)) < at_random / 2, name


def test_cma_es_keeps_its_distribution_from_generation_to_generation():
    strategy = BayesianSearch(bowl(options=SAMPLERS["cmaes"]))
    best_of(strategy, range(1, 43))
    strategy.ask(43)
    # The first is drawn at random; then each four move the distribution once.
    assert strategy._library._main._notes == {"cma:generation": 10}
    late = [strategy.ask(number).params for number in range(43, 63)]
    early = [BayesianSearch(bowl(options=SAMPLERS["cmaes"])).ask(n).params for n in range(43, 63)]
    assert max(map(sphere, late)) < min(map(sphere, early))


def test_cma_es_starts_from_what_others_found():
    options = SAMPLERS["cmaes"]
    strategy, cold = BayesianSearch(bowl(options=options)), BayesianSearch(bowl(options=options))
    others = RandomSearch(bowl(seed=4))
    for number in range(1, 101):
        params = others.ask(number).params
        strategy.tell(sealed(number, params, "random", sphere(params)))
    warm = [sphere(strategy.ask(number).params) for number in range(101, 121)]
    assert sum(warm) < sum(sphere(cold.ask(number).params) for number in range(101, 121)) / 2


def test_nsga2_breeds_from_points_of_others_too():
    strategy = BayesianSearch(bowl(options=SAMPLERS["nsga2"]))
    for number in range(1, 5):
        params = {f"x{n}": float(number) for n in range(4)}
        strategy.tell(sealed(number, params, "random", sphere(params)))
    child = strategy.ask(5).params
    assert sum(value in (1.0, 2.0, 3.0, 4.0) for value in child.values()) >= 2


def test_qmc_gives_each_trial_its_own_place_in_the_sequence():
    strategy = BayesianSearch(bowl(options=SAMPLERS["qmc"]))
    points = [strategy.ask(number).params["x0"] for number in range(1, 17)]
    cells = sorted(int((value + 5) / 10 * 16) for value in points)
    assert cells == list(range(16))  # a scrambled Sobol sequence has one in each sixteenth


# Refusals


@pytest.mark.parametrize(
    ("options", "fault", "remedy"),
    [
        ({"sampler": "cmeas"}, "'cmeas'", "Did you mean 'cmaes'?"),
        ({"sampler": 7}, "'7'", "There are: tpe, gp, cmaes, qmc, nsga2."),
        ({"popsize": 8}, "no option 'popsize'", "Its options are: sampler, n_startup"),
        ({"multivariat": True}, "no option", "Did you mean 'multivariate'?"),
        ({"multivariate": 1}, "multivariate cannot be 1", "Write true or false."),
        ({"n_startup_trials": -1}, "cannot be -1", "Write a whole number from 0."),
        ({"n_startup_trials": True}, "cannot be True", "Write a whole number from 0."),
        ({"sampler": "nsga2", "mutation_prob": 2}, "cannot be 2", "a number from 0 to 1."),
        ({"sampler": "qmc", "qmc_type": "sobel"}, "'sobel'", "Write sobol or halton."),
        ({"group": True, "multivariate": False}, "group needs", "Leave out multivariate"),
    ],
)
def test_wrong_options_are_refused_with_the_right_ones(options, fault, remedy):
    for refuse in (lambda: check("bayesian", options), lambda: make("bayesian", mixed(options))):
        with pytest.raises(RequestError) as caught:
            refuse()
        assert fault in caught.value.message
        assert remedy in caught.value.remedy
        assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("package", "options", "install"),
    [
        ("optuna", {}, "pip install 'hermes-lab[bayesian]'"),
        ("cmaes", {"sampler": "cmaes"}, "pip install 'hermes-lab[bayesian]'"),
        ("scipy", {"sampler": "qmc"}, "pip install 'hermes-lab[bayesian]'"),
        ("torch", {"sampler": "gp"}, "pip install torch"),
    ],
)
def test_a_missing_library_is_named_with_its_install_line(monkeypatch, package, options, install):
    without(monkeypatch, package)
    for refuse in (lambda: check("bayesian", options), lambda: make("bayesian", mixed(options))):
        with pytest.raises(RequestError, match=f"needs {package}, which is not inst") as caught:
            refuse()
        assert install in caught.value.remedy


def test_an_optuna_that_is_too_old_is_refused(monkeypatch):
    monkeypatch.setattr(libraries, "version", lambda package: "4.9.1")
    with pytest.raises(RequestError, match=r"optuna 5 or later, and 4\.9\.1 is installed"):
        check("bayesian")


def test_nothing_is_created_without_the_library(tmp_path, monkeypatch):
    lab = a_lab(tmp_path / "lab")
    without(monkeypatch, "torch", "nevergrad")
    for strategy, options in (("bayesian", {"sampler": "gp"}), ("evolution", {})):
        with pytest.raises(RequestError, match="not installed"):
            an_experiment(lab, tmp_path, strategy=strategy, strategy_options=options)
    with pytest.raises(UnknownName):
        an_experiment(lab, tmp_path, strategy="bayesian", strategy_options={"sampler": "tp"})
    assert list((lab.layout.root / "experiments").iterdir()) == []


def test_an_experiment_is_searched_by_it(tmp_path):
    lab = a_lab(tmp_path / "lab")
    an_experiment(lab, tmp_path, strategy="bayesian", strategy_options={"n_startup_trials": 2})
    burst(lab, "exp", 4)
    lines = lab.index("exp").read().lines
    assert [(line.strategy, line.outcome) for line in lines] == [("bayesian", "success")] * 4


def test_a_check_imports_no_library():
    code = (
        "import sys; from hermes.search.registry import check; check('bayesian');"
        "check('evolution'); print({'optuna', 'nevergrad', 'numpy'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "set()"
