"""The search benchmark: its problems are what they say, its figures add up, and it runs."""

from __future__ import annotations

import csv
import math
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from hermes.model import Direction

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
RUN = BENCHMARKS / "search" / "run.py"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.syspath_prepend(BENCHMARKS / "search")


def part(name: str):
    return import_module(name)


def run(*more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(RUN), "--size", "tiny", "--processes", "1", *more]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended


# It runs


def test_the_tiny_size_compares_every_method_that_can_run_here(tmp_path):
    ended = run("--folder", str(tmp_path))
    for told in ("## All problems", "rank 12", "share 12", "ms 12", "### digits", "optimum is 0"):
        assert told in ended.stdout
    methods = part("searching").METHODS
    with open(tmp_path / "raw.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert "in an error of its own" not in ended.stderr
    for name in methods:
        made = {row["problem"] for row in rows if row["method"] == name}
        if f"`{name}` is left out" not in ended.stdout:
            assert made == {"branin", "mixed", "failing", "digits"}
        else:
            assert made == set()
    assert all(float(row["ms"]) >= 0 for row in rows)


def test_a_second_run_makes_only_what_is_missing(tmp_path):
    words = ("--folder", str(tmp_path), "--problems", "branin", "--methods", "random")
    assert "1 searches to make, 0 are there" in run(*words).stderr
    before = (tmp_path / "raw.csv").read_bytes()
    assert "0 searches to make, 1 are there" in run(*words).stderr
    assert (tmp_path / "raw.csv").read_bytes() == before
    assert "1 searches to make, 0 are there" in run(*words, "--redo", "random").stderr


# Problems


def test_there_are_the_functions_and_tasks_that_the_page_speaks_of():
    assert len(part("functions").FUNCTIONS) >= 10
    assert len(part("tasks").TASKS) >= 3
    kinds = {problem.direction for problem in part("searching").PROBLEMS.values()}
    assert kinds == set(Direction)


BEST = {
    "sphere": [0] * 5,
    "rosenbrock": [1] * 5,
    "branin": [math.pi, 2.275],
    "hartmann6": [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573],
    "ackley": [0] * 10,
    "rastrigin": [0] * 5,
    "levy": [0] * 8,
    "ellipsoid": [0] * 5,
}


@pytest.mark.parametrize("name", BEST)
def test_a_function_is_best_where_the_literature_says(name):
    functions = part("functions")
    function = getattr(functions, name)
    optimum = {"branin": 0.39788735772973816, "hartmann6": -3.322368011415515}.get(name, 0.0)
    assert function(BEST[name]) == pytest.approx(optimum, abs=1e-9)
    rng = random.Random(name)
    for _ in range(50):
        assert function([value + rng.gauss(0, 0.1) for value in BEST[name]]) > optimum


def test_no_point_is_better_than_the_optimum():
    for problem in part("functions").FUNCTIONS:
        space, rng = problem.space, random.Random(problem.name)
        truth = problem.instance(3).truth
        assert min(truth(space.sample(rng)) for _ in range(300)) > problem.optimum


def test_an_optimum_that_moves_stays_inside_the_bounds():
    functions, problems = part("functions"), part("problems")
    for problem in functions.FUNCTIONS:
        seen = set()
        for seed in range(20):
            instance, again = problem.instance(seed), problem.instance(seed)
            point = problem.space.sample(random.Random(1))
            seen.add(instance.truth(point))
            assert instance.truth(point) == again.truth(point)
        assert len(seen) == (1 if problem.name in ("rosenbrock", "branin", "hartmann6") else 20)
    reached = [problems.somewhere(random.Random(seed), 5, -3, 3) for seed in range(20)]
    assert all(-3 <= value <= 3 for point in reached for value in point)


def test_a_quarter_of_the_failing_space_fails_and_the_optimum_does_not():
    problem, failed = part("searching").PROBLEMS["failing"], 0
    instance, rng, space = problem.instance(0), random.Random(1), problem.space
    for _ in range(2000):
        try:
            instance.measure(space.sample(rng))
        except part("problems").Failed:
            failed += 1
    assert failed / 2000 == pytest.approx(0.25, abs=0.03)


def test_a_noisy_measure_is_the_truth_on_average_and_the_same_for_every_method():
    problem = part("searching").PROBLEMS["noisy"]
    point = problem.space.sample(random.Random(1))
    instance, again = problem.instance(2), problem.instance(2)
    measured = [instance.measure(point) for _ in range(400)]
    assert measured == [again.measure(point) for _ in range(400)]
    assert sum(measured) / 400 == pytest.approx(instance.truth(point), abs=0.2)
    assert len(set(measured)) == 400


# Searches


class Steps:
    """Walks along the first coordinate of sphere, and fails where it is told to."""

    def __init__(self) -> None:
        self.told = []

    def ask(self):
        return {f"x{n}": float(len(self.told)) if n == 0 else 0.0 for n in range(5)}

    def tell(self, value):
        self.told.append(value)


def marks(values, truths=None):
    searching, problems = part("searching"), part("problems")
    measured, true = iter(values), iter(truths or values)

    def measure(params):
        value = next(measured)
        if value is None:
            raise problems.Failed
        return value

    instance = problems.Instance(measure, lambda params: next(true))
    searcher = Steps()
    problem = searching.PROBLEMS["sphere"]
    found = [m.found for m in searching._marks(searcher, problem, instance, len(values))]
    assert searcher.told == list(values)
    return found


def test_what_counts_is_the_best_so_far_and_failures_find_nothing():
    assert marks([None, 5.0, 7.0, None, 2.0], [5.0, 2.0]) == [None, 5.0, 5.0, 5.0, 2.0]


def test_what_is_found_is_the_worth_of_the_point_that_measured_best():
    assert marks([5.0, 3.0, 4.0], [4.5, 6.0]) == [4.5, 6.0, 6.0]


@pytest.mark.filterwarnings("ignore")  # what the libraries warn of is theirs
def test_a_method_that_announces_no_budget_does_not_depend_on_it():
    searching = part("searching")
    for method in searching.available(searching.METHODS.values())[0]:
        if not method.announces and not method.slow:
            points = [proposals(method, budget) for budget in (30, 300)]
            assert points[0] == points[1], method.name


def proposals(method, budget: int) -> list:
    problem = part("searching").PROBLEMS["sphere"]
    searcher, value, points = method.make(problem, 1, budget), problem.instance(1).truth, []
    for _ in range(25):
        points.append(dict(searcher.ask()))
        searcher.tell(value(points[-1]))
    return points


def test_a_method_whose_library_is_missing_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    searching = part("searching")
    found, missing = searching.available([searching.METHODS["optuna-gp"]])
    assert found == []
    assert "torch" in missing["optuna-gp"]


def test_an_error_of_a_method_ends_one_search_only(monkeypatch):
    searching, figures = part("searching"), part("figures")

    def broken(problem, seed, budget):
        raise ValueError("of its own")

    method = part("methods").Method("bad", "broken", broken)
    monkeypatch.setattr(searching, "METHODS", {"bad": method})
    key = figures.Key("bad", "branin", 0, 3)
    assert searching.attempt(key, (3,)) == searching.Broken(key, "ValueError: of its own")


def test_a_slow_method_gets_fewer_seeds_for_larger_budgets():
    searching, methods = part("searching"), part("methods")
    slow = methods.Method("slow", "", lambda *_: None, slow=True)
    plain = methods.Method("plain", "", lambda *_: None)
    wizard = methods.Method("wizard", "", lambda *_: None, announces=True)
    campaign = searching.Campaign((3, 12), 3, 1, {3: 2, 12: 1}, ("branin", "digits"))
    keys = campaign.keys([slow, plain, wizard])
    assert sorted(key[1:] for key in keys if key.method == "slow") == [
        ("branin", 0, 12),
        ("branin", 1, 3),
        ("digits", 0, 12),
    ]
    assert [key.announced for key in keys if key.method == "plain"] == [12] * 4
    assert sorted(key.announced for key in keys if key.method == "wizard") == [3] * 4 + [12] * 4


# Figures


def some(method: str, seed: int, *found: float | None, problem: str = "sphere"):
    figures = part("figures")
    taken = tuple(figures.Mark(at, value, 0.5) for at, value in zip((3, 12), found, strict=True))
    return figures.Search(figures.Key(method, problem, seed, 12), taken)


def test_figures_are_read_as_they_were_added(tmp_path):
    figures = part("figures").Figures(tmp_path / "raw.csv")
    for search in (some("b", 1, None, 2.0), some("a", 0, 1 / 3, 1e-9)):
        figures.add(search)
    again = part("figures").Figures(tmp_path / "raw.csv").searches
    assert [key.method for key in again] == ["a", "b"]
    assert again[some("b", 1, None, 2.0).key] == some("b", 1, None, 2.0)
    assert again[some("a", 0, 0, 0).key].marks[0].found == pytest.approx(1 / 3)


@pytest.mark.parametrize("cut", [1, 5, 12, 30])
def test_half_a_search_left_by_a_kill_is_made_again(tmp_path, cut):
    path = tmp_path / "raw.csv"
    figures = part("figures").Figures(path)
    figures.add(some("a", 0, 3.0, 2.0))
    figures.add(some("b", 0, 3.0, 2.0))
    path.write_bytes(path.read_bytes()[:-cut])
    again = part("figures").Figures(path)
    assert [key.method for key in again.searches] == ["a"]
    again.add(some("b", 0, 3.0, 2.0))
    assert len(part("figures").Figures(path).searches) == 2


def test_figures_that_are_forgotten_are_gone_from_the_file(tmp_path):
    figures = part("figures").Figures(tmp_path / "raw.csv")
    figures.add(some("a", 0, 3.0, 2.0))
    figures.add(some("b", 0, 3.0, 2.0))
    figures.forget(lambda key: key.method == "a")
    assert [key.method for key in part("figures").Figures(tmp_path / "raw.csv").searches] == ["b"]


# Standing


def standing(*searches):
    problems = part("searching").PROBLEMS
    names = {search.key.problem for search in searches}
    return part("standing").Standing(searches, {name: problems[name] for name in sorted(names)})


def test_ranks_go_by_the_median_regret_and_equals_share_theirs():
    found = standing(
        *[some("random", seed, 4.0, 4.0) for seed in range(3)],
        *[some("good", seed, 4.0, 1.0) for seed in range(3)],
        *[some("lucky", seed, 9.0, 0.1 if seed == 0 else 9.0) for seed in range(3)],
    )
    names = ["random", "good", "lucky"]
    assert found.average_ranks(names, 3) == {"random": 1.5, "good": 1.5, "lucky": 3}
    assert found.average_ranks(names, 12) == {"good": 1, "random": 2, "lucky": 3}
    place = part("standing").place
    assert [place(name, found.average_ranks(names, 12)) for name in names] == [2, 1, 3]


def test_a_share_is_of_randoms_regret_on_the_same_seeds():
    found = standing(
        *[some("random", seed, 8.0, 4.0 * (seed + 1)) for seed in range(3)],
        some("half", 0, 4.0, 2.0),
        *[some("random", seed, 1.0, 1.0, problem="levy") for seed in range(3)],
        some("half", 0, 0.125, 0.0, problem="levy"),
    )
    assert found.share("random", 12) == pytest.approx(1)
    assert found.share("half", 3) == pytest.approx(0.25)
    assert found.share("half", 12) == pytest.approx(math.sqrt(0.5 * 0.001))
    assert found.share("nobody", 12) is None


def test_a_search_that_found_nothing_is_the_worst():
    found = standing(some("random", 0, None, 1.0), some("other", 0, 3.0, 1.0))
    assert found.average_ranks(["random", "other"], 3) == {"other": 1, "random": 2}
    assert found.values("random", "sphere", 3) == [math.inf]


def test_the_best_of_a_task_is_what_anybody_found_on_the_same_split():
    found = standing(
        some("a", 0, 0.7, 0.9, problem="cancer"),
        some("b", 0, 0.6, 0.8, problem="cancer"),
        some("b", 1, 0.1, 0.2, problem="cancer"),
    )
    assert found.regrets("a", "cancer", 3) == {0: pytest.approx(0.2)}
    assert found.regrets("b", "cancer", 12) == {0: pytest.approx(0.1), 1: 0}


def test_a_duel_counts_seed_by_seed():
    found = standing(
        *[some("random", seed, 8.0, 8.0) for seed in range(4)],
        *[some("a", seed, 1.0, value) for seed, value in enumerate((1.0, 2.0, 3.0, 4.0))],
        *[some("b", seed, 1.0, value) for seed, value in enumerate((2.0, 2.0, 1.0, 5.0))],
    )
    assert found.duel("a", "b", 12) == part("standing").Duel(2, 1, 1, 2.5 / 2.0)
    assert found.duel("a", "nobody", 12) is None
