from __future__ import annotations

import logging
import math
import random
import subprocess
import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import run_line
from render_cases import HOSTILE

from hermes import codec
from hermes.analysis import ped_anova
from hermes.analysis.columns import column, rank_shares
from hermes.analysis.correlation import epsilon_squared, measure
from hermes.analysis.findings import Importance, Method, Missing
from hermes.analysis.importance import NEEDED, importance
from hermes.model import Direction

DOWN, UP = Direction.MINIMIZE, Direction.MAXIMIZE
METHODS = list(Method)


@pytest.fixture(params=METHODS, ids=lambda method: method.value)
def method(request, monkeypatch):
    """Run a test by each method; where Optuna is not there, by the built-in one."""
    if request.param is Method.PED_ANOVA:
        pytest.importorskip("optuna", minversion="5.0")
    else:
        without_optuna(monkeypatch)
    return request.param


def without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)


def runs_of(points, value):
    return [run_line(seq, value=value(point), params=point) for seq, point in enumerate(points, 1)]


def drawn(count=200, seed=1):
    rng = random.Random(seed)
    return [{name: rng.random() for name in ("strong", "weak", "idle")} for _ in range(count)]


def loss(point):
    return 4 * point["strong"] + point["weak"]


def shares(found: Importance) -> dict:
    return {item.name: item.importance for item in found.parameters}


def order(found: Importance) -> list[str]:
    return [item.name for item in found.parameters]


# both methods


def test_what_matters_more_stands_first(method):
    found = importance(runs_of(drawn(), loss), DOWN)
    assert (found.method, found.missing, found.runs) == (method, None, 200)
    assert order(found) == ["strong", "weak", "idle"]
    assert shares(found)["idle"] < 0.1
    assert sum(shares(found).values()) == pytest.approx(1.0)


def test_maximizing_is_minimizing_the_negated(method):
    down = importance(runs_of(drawn(), loss), DOWN)
    up = importance(runs_of(drawn(), lambda point: -loss(point)), UP)
    assert shares(up) == pytest.approx(shares(down))


def test_neither_a_logarithmic_scale_nor_a_wild_value_changes_the_answer(method):
    plain = importance(runs_of(drawn(), loss), DOWN)
    bent = [{name: 10 ** (9 * value) for name, value in point.items()} for point in drawn()]
    wild = [{**point, "strong": point["strong"] * 1e300} for point in drawn()]
    by_log = importance(
        runs_of(
            bent,
            lambda point: math.exp(4 * math.log10(point["strong"]) + math.log10(point["weak"])),
        ),
        DOWN,
    )
    assert shares(by_log) == pytest.approx(shares(plain))
    far = importance(
        runs_of(wild, lambda point: loss({**point, "strong": point["strong"] / 1e300})), DOWN
    )
    assert shares(far) == pytest.approx(shares(plain))


def test_categories_and_conditional_parameters_are_measured_too(method):
    rng = random.Random(2)
    points = []
    for _ in range(300):
        point = {
            "kind": rng.choice(["a", "b", "c"]),
            "flag": rng.random() < 0.5,
            "idle": rng.random(),
        }
        if point["kind"] == "b":
            point["only_b"] = rng.random()
        points.append(point)

    def value(point):
        return {"a": 3.0, "b": 0.0, "c": 4.0}[point["kind"]] + point.get("only_b", 0.0)

    found = importance(runs_of(points, value), DOWN)
    counts = {item.name: item.runs for item in found.parameters}
    assert counts["only_b"] == sum(point["kind"] == "b" for point in points)
    assert set(order(found)[:2]) == {"kind", "only_b"}
    assert min(shares(found)["kind"], shares(found)["only_b"]) > 5 * shares(found)["flag"]


def test_a_parameter_that_never_changes_does_not_matter(method):
    points = [{**point, "fixed": 1, "word": "always"} for point in drawn()]
    found = shares(importance(runs_of(points, loss), DOWN))
    assert (found["fixed"], found["word"]) == (0.0, 0.0)
    alone = importance(runs_of([{"fixed": 1}] * 40, lambda _: random.random()), DOWN)
    assert shares(alone) == {"fixed": 0.0}


def test_a_parameter_that_hardly_any_run_has_is_left_open(method):
    points = [{**point, **({"rare": n} if n < 5 else {})} for n, point in enumerate(drawn())]
    (rare,) = (
        item for item in importance(runs_of(points, loss), DOWN).parameters if item.name == "rare"
    )
    assert (rare.importance, rare.measure, rare.runs) == (None, None, 5)


def test_of_very_many_runs_an_even_part_is_looked_at(method):
    found = importance(runs_of(drawn(3000), loss), DOWN)
    assert found.runs == 1000
    assert order(found) == ["strong", "weak", "idle"]


def test_very_many_parameters_do_no_harm(method):
    rng = random.Random(3)
    points = [{f"p{n}": rng.random() for n in range(550)} for _ in range(120)]
    found = importance(runs_of(points, lambda point: point["p7"]), DOWN)
    assert len(found.parameters) == 500
    assert found.parameters[0].name == "p7"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_values_are_only_names_and_values(method, hostile):
    points = [{hostile: hostile if n % 2 else n % 7, "n": n} for n in range(60)]
    found = importance(runs_of(points, lambda point: point["n"]), DOWN)
    assert order(found)[0] == "n"
    assert hostile in order(found)


def test_equal_values_at_the_top_are_no_error(method):
    points = drawn(100)
    found = importance(runs_of(points, lambda point: max(0.0, point["strong"] - 0.9)), DOWN)
    assert order(found)
    assert all(0 <= share <= 1 for share in shares(found).values())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.dictionaries(
                st.sampled_from("abcd"),
                st.booleans()
                | st.integers(-(10**400), 10**400)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(max_size=2),
                max_size=4,
            ),
        ),
        min_size=NEEDED,
        max_size=NEEDED + 10,
    ),
    st.booleans(),
)
def test_whatever_was_tried_the_answer_is_finite(results, with_optuna):
    runs = [run_line(n, value=value, params=point) for n, (value, point) in enumerate(results, 1)]
    with pytest.MonkeyPatch.context() as patch:
        if not with_optuna:
            without_optuna(patch)
        found = importance(runs, DOWN)
    codec.to_json(found)
    assert (found.method is None) is (found.missing is not None)


# when there is no answer


def test_it_takes_enough_runs_and_says_how_many():
    found = importance(runs_of(drawn(NEEDED - 1), loss), DOWN)
    assert found == Importance(None, Missing.TOO_FEW_RUNS, NEEDED, NEEDED - 1)
    assert importance(runs_of(drawn(NEEDED), loss), DOWN).method is not None
    assert importance([], DOWN).missing is Missing.TOO_FEW_RUNS


def test_runs_without_parameters_or_with_equal_values_say_nothing():
    assert importance(runs_of([{}] * 40, lambda _: 1.0), DOWN).missing is Missing.NO_PARAMETERS
    equal = importance(runs_of(drawn(40), lambda _: 1.0), DOWN)
    assert (equal.missing, equal.parameters) == (Missing.EQUAL_VALUES, ())


# PED-ANOVA


def test_without_optuna_or_with_an_older_one_the_built_in_measure_answers(monkeypatch):
    runs = runs_of(drawn(), loss)
    without_optuna(monkeypatch)
    assert importance(runs, DOWN).method is Method.CORRELATION_RATIO
    older = types.ModuleType("optuna")
    older.__version__ = "4.1.0"
    inner = types.ModuleType("optuna.importance")
    inner.PedAnovaImportanceEvaluator = object
    monkeypatch.setitem(sys.modules, "optuna", older)
    monkeypatch.setitem(sys.modules, "optuna.importance", inner)
    assert importance(runs, DOWN).method is Method.CORRELATION_RATIO


def test_ped_anova_agrees_with_optuna_asked_directly():
    optuna = pytest.importorskip("optuna", minversion="5.0")
    points = [{"x": n / 99, "y": (n * 37 % 100) / 99} for n in range(100)]
    study = optuna.create_study()
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in "xy"}
    for point in points:
        study.add_trial(
            optuna.trial.create_trial(params=point, distributions=space, value=point["x"])
        )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    direct = optuna.importance.get_param_importances(study, evaluator=evaluator)
    ours = shares(importance(runs_of(points, lambda point: point["x"]), DOWN))
    assert ours == pytest.approx(direct)


def test_optuna_prints_nothing_and_its_logging_stays_as_it_was(capfd):
    pytest.importorskip("optuna", minversion="5.0")
    before = logging.getLogger("optuna").level
    assert ped_anova.measures({"x": column("x", [{"x": n} for n in range(50)])}, range(50))
    assert logging.getLogger("optuna").level == before
    assert capfd.readouterr() == ("", "")


def test_optuna_is_imported_by_nobody_who_does_not_measure():
    code = (
        "import sys, hermes.analysis.examine, hermes.render.analysis, hermes.rules.reporting;"
        "sys.exit('optuna' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# the correlation ratio


def test_it_is_one_where_the_parameter_decides_and_none_where_chance_does():
    assert epsilon_squared({0: [1.0, 1.0], 1: [2.0, 2.0], 2: [3.0, 3.0]}) == 1.0
    rng = random.Random(4)
    means = []
    for _ in range(200):
        groups = {n: [rng.random() for _ in range(10)] for n in range(5)}
        values = [value for group in groups.values() for value in group]
        within = sum((value - sum(g) / 10) ** 2 for g in groups.values() for value in g)
        total = sum((value - sum(values) / 50) ** 2 for value in values)
        means.append(1 - (within / 45) / (total / 49))
        assert epsilon_squared(groups) == pytest.approx(max(0.0, means[-1]))
    assert sum(means) / 200 == pytest.approx(0.0, abs=0.02)  # chance alone gives none on average


def test_of_ranks_it_is_the_effect_size_of_kruskal_and_wallis():
    ranks = list(range(1, 31))
    random.Random(5).shuffle(ranks)
    groups = {n: [float(rank) for rank in ranks[n * 10 : n * 10 + 10]] for n in range(3)}
    groups[0] = [float(rank) for rank in sorted(ranks)[:10]]
    rest = sorted(ranks)[10:]
    groups[1], groups[2] = [float(r) for r in rest[::2]], [float(r) for r in rest[1::2]]
    h = 12 / (30 * 31) * sum(sum(group) ** 2 / 10 for group in groups.values()) - 3 * 31
    expected = 1 - (1 - h / 29) * 29 / 27
    assert epsilon_squared(groups) == pytest.approx(expected)
    assert expected > 0.5


def test_groups_that_say_nothing_have_no_ratio():
    assert epsilon_squared({}) == 0.0
    assert epsilon_squared({0: [1.0], 1: [2.0]}) == 0.0
    assert epsilon_squared({0: [1.0, 1.0], 1: [1.0]}) == 0.0


def test_a_parameter_that_half_of_the_runs_have_explains_half_at_most():
    points = [{"x": n} if n % 2 else {} for n in range(100)]
    losses = rank_shares(range(100))
    assert 0.4 < measure(column("x", points), losses) <= 0.5


# columns


@given(st.lists(st.integers(0, 5), max_size=30))
def test_equal_numbers_share_their_mean_rank(values):
    shares_ = rank_shares(values)
    ordered = sorted(values)
    for value, share in zip(values, shares_, strict=True):
        places = [place for place, other in enumerate(ordered) if other == value]
        mean = sum(places) / len(places)
        assert share == pytest.approx(mean / max(len(values) - 1, 1))


def test_categories_are_told_apart_as_the_search_space_does():
    points = [{"k": value} for value in (1, True, "1", 1.0, "x")]
    made = column("k", points)
    assert made.distinct == 4
    assert made.values[0] == made.values[3]
    numbers = column("k", [{"k": 1}, {}, {"k": 2.5}])
    assert (list(numbers.rows), numbers.categories, list(numbers.values)) == ([0, 2], 0, [0.0, 1.0])


def test_the_rarest_of_many_categories_are_taken_together():
    made = column("k", [{"k": f"c{n % 50}" if n < 80 else "c0"} for n in range(200)])
    assert (made.distinct, made.categories) == (50, 20)
    assert made.values[0] == 0
