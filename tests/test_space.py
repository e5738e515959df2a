"""The search space: what is accepted, what is refused and how, and which points there are."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from itertools import islice, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import hermes
from hermes.errors import SpecError
from hermes.search.generated_spaces import declarations, parsed
from hermes.search.space import Space, load_space, parse_space

SCHEMA = Path(hermes.__file__).parent / "schema" / "search_space.schema.json"
FAST = settings(max_examples=60, deadline=None)
FLOAT = {"type": "float", "low": 0, "high": 1}


def one(**declaration: object) -> Space:
    return parsed({"p": declaration})


def refusal(raw: object) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        parse_space(raw, source="space.json")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2, lines
    assert lines[0].startswith("space.json: ")
    return lines[0], lines[1]


def draws(space: Space, count: int = 400, seed: int = 1) -> list[dict]:
    rng = random.Random(seed)
    return [space.sample(rng) for _ in range(count)]


# What is refused

STRUCTURE = [
    ([1], "object", '{"name"'),
    ({}, "no parameter", '{"name"'),
    ({"p": [0, 1]}, "'p' is [0, 1]", "Write"),
    ({"p": {}}, "'p' has no \"type\"", "float, int, categorical, bool"),
    ({"p": {"type": "flaot", "low": 0, "high": 1}}, '"flaot"', "'float'"),
    ({"p": {"type": 3}}, "unknown type 3", "Write one of"),
    ({"p": {**FLOAT, "hihg": 1}}, 'unknown key "hihg"', "'high'"),
    ({"p": {**FLOAT, "zzz": 1}}, 'unknown key "zzz"', "type, low, high"),
    ({"p": {**FLOAT, "choices": [1]}}, "of type float, which has no", "Its keys are"),
    ({"p": {"type": "bool", "low": 0}}, "of type bool, which has no", "Its keys are"),
    ({"p": {"type": "float", "low": 0}}, 'no "high"', "Write"),
    ({"p": {"type": "float", "low": "1e-3", "high": 1}}, "not a number", "without quotes"),
    ({"p": {"type": "float", "low": True, "high": 1}}, "not a number", "without quotes"),
    ({"p": {"type": "int", "low": 0.5, "high": 1}}, '"low" 0.5 is not whole', "float"),
    ({"p": {"type": "int", "low": 1, "high": 9, "step": 1.5}}, "not whole", "float"),
    ({"p": {**FLOAT, "step": 0}}, '"step" 0', "greater than 0"),
    ({"p": {**FLOAT, "step": -0.1}}, '"step" -0.1', "greater than 0"),
    ({"p": {**FLOAT, "log": 1}}, '"log" 1', "true"),
    ({"p": {"type": "categorical"}}, 'needs "choices"', "Write"),
    ({"p": {"type": "categorical", "choices": []}}, 'needs "choices"', "Write"),
    ({"p": {"type": "categorical", "choices": "ab"}}, 'needs "choices"', "Write"),
    ({"p": {"type": "categorical", "choices": [1, 1.0]}}, "1.0 twice", "Remove"),
    ({"p": {"type": "categorical", "choices": [None]}}, "null", '"none"'),
    ({"p": {"type": "categorical", "choices": [[1]]}}, "[1]", "name"),
    ({"p": {**FLOAT, "when": {}}}, '"when" {}', "leave it out"),
    ({"p": {**FLOAT, "when": "q"}}, '"when" "q"', "leave it out"),
    ({"p": {**FLOAT, "when": {"q": []}}, "q": {"type": "bool"}}, "no value", "Write"),
    ({"a b": FLOAT}, '"a b" cannot be the name', "letters"),
    ({"../x": FLOAT}, "cannot be the name", "letters"),
    ({"": FLOAT}, "cannot be the name", "letters"),
    ({"p" * 65: FLOAT}, "cannot be the name", "64"),
    ({"p\n": FLOAT}, "cannot be the name", "letters"),
]
MEANING = [
    ({"p": {"type": "float", "low": 2, "high": 1}}, "'p' has \"low\" 2.0 above", "Exchange"),
    ({"p": {"type": "int", "low": 2, "high": 1}}, 'has "low" 2 above', "Exchange"),
    ({"p": {**FLOAT, "log": True}}, "not above 0", "Raise"),
    ({"p": {"type": "int", "low": -1, "high": 5, "log": True}}, "not above 0", "Raise"),
    ({"p": {**FLOAT, "step": 1.5}}, "only 0.0 is left", "at most 1.0"),
    ({"p": {"type": "float", "low": 1e17, "high": 2e17, "step": 1}}, "too small", "larger"),
    ({"p": {**FLOAT, "step": 1e-200}}, "too small", "larger"),
    ({"p": {"type": "float", "low": 1e17, "high": 1e17 + 512, "step": 1}}, "too small", "larger"),
    ({"p": {"type": "float", "low": -1, "high": 1, "step": 2**-53}}, "too small", "larger"),
    ({"p": {"type": "float", "low": 0, "high": 10**400}}, "not finite", "finite"),
    ({"p": {"type": "float", "low": 0, "high": math.inf}}, "not finite", "finite"),
    ({"p": {"type": "float", "low": math.nan, "high": 1}}, "not finite", "finite"),
    ({"p": {"type": "int", "low": 0, "high": math.inf}}, "not whole", "whole"),
    ({"p": {"type": "int", "low": 0, "high": 2**60}}, "reads exactly", "float"),
    ({"p": {"type": "categorical", "choices": [math.nan]}}, "NaN", "name"),
    ({"p": {"type": "categorical", "choices": ["a\0"]}}, "environment", "NUL"),
    ({"p": {"type": "categorical", "choices": ["\ud800"]}}, "environment", "surrogates"),
    ({"a.b": FLOAT, "a-b": FLOAT}, "'a.b' and 'a-b' would both be LAB_PARAM_A_B", "Rename"),
    ({"lr": FLOAT, "LR": FLOAT}, "LAB_PARAM_LR", "Rename"),
    ({"p": {**FLOAT, "when": {"kernl": 1}}, "kernel": {"type": "bool"}}, "kernl", "'kernel'"),
    ({"p": {**FLOAT, "when": {"p": 1}}}, "never has an exact value", "step"),
    ({"p": {**FLOAT, "when": {"x": 1}}, "x": FLOAT}, "'x', a float without", "categorical"),
    ({"p": {**FLOAT, "when": {"q": 1}}, "q": {"type": "bool"}}, "which it never is", "False"),
    (
        {"p": {**FLOAT, "when": {"q": 2}}, "q": {"type": "int", "low": 1, "high": 5, "step": 2}},
        "'q' being 2",
        "from 1 to 5 in steps of 2",
    ),
    (
        {
            "a": {"type": "bool", "when": {"b": True}},
            "b": {"type": "bool", "when": {"c": True}},
            "c": {"type": "bool", "when": {"a": True}},
        },
        "a → b → c → a",
        "Remove",
    ),
    ({f"p{n}": FLOAT for n in range(501)}, "501 parameters", "at most 500"),
]


@pytest.mark.parametrize(("raw", "fault", "remedy"), STRUCTURE + MEANING)
def test_a_wrong_space_is_refused_in_two_lines_with_fault_and_remedy(raw, fault, remedy):
    first, second = refusal(raw)
    assert fault in first
    assert remedy in second


def test_the_refusal_of_a_huge_value_stays_short():
    first, second = refusal({"p": {"type": "x" * 100_000}})
    assert len(first) + len(second) < 300


def parse_or_refuse(raw: object) -> tuple[Space | None, SpecError | None]:
    try:
        return parse_space(raw, source="space.json"), None
    except SpecError as error:
        return None, error


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(["type", "low", "high", "log", "step", "choices", "when"])
KINDS = st.sampled_from(["float", "int", "categorical", "bool"])
DECLARED = st.dictionaries(KEYS, JUNK).flatmap(
    lambda raw: KINDS.map(lambda kind: {**raw, "type": kind})
)


@settings(max_examples=400, deadline=None)
@given(JUNK | st.dictionaries(st.sampled_from(["a", "b", "c.d", "$schema"]), DECLARED | JUNK))
def test_no_input_gives_anything_but_a_space_or_a_refusal(raw):
    space, error = parse_or_refuse(raw)
    if space is None:
        assert len(str(error).splitlines()) == 2
    else:
        assert all(space.contains(point) == [] for point in draws(space, 5))


# The schema for editors


def schema_accepts(raw: object) -> bool:
    return Draft202012Validator(json.loads(SCHEMA.read_text())).is_valid(raw)


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


@FAST
@given(declarations())
def test_the_schema_accepts_what_the_lab_accepts(raw):
    assert schema_accepts(raw)
    named = {"$schema": "search_space.schema.json", **raw}
    assert schema_accepts(named)
    assert parsed(named) == parsed(raw)


@pytest.mark.parametrize("raw", [raw for raw, *_ in STRUCTURE if raw != {"p\n": FLOAT}])
def test_the_schema_refuses_what_has_the_wrong_structure(raw):
    equal_numbers = raw == {"p": {"type": "categorical", "choices": [1, 1.0]}}
    assert not schema_accepts(raw) or equal_numbers


# Values


def test_a_float_is_uniform_within_its_bounds():
    values = [point["p"] for point in draws(one(type="float", low=-2, high=2), 4000)]
    assert all(type(value) is float and -2 <= value <= 2 for value in values)
    assert abs(sum(values) / len(values)) < 0.1
    assert sum(value > 1 for value in values) / len(values) == pytest.approx(0.25, abs=0.03)


def test_a_logarithmic_float_has_as_many_values_in_each_decade():
    values = [point["p"] for point in draws(one(type="float", low=1e-4, high=1, log=True), 4000)]
    assert all(1e-4 <= value <= 1 for value in values)
    decades = Counter(math.floor(math.log10(value)) for value in values)
    assert all(decades[place] / 4000 == pytest.approx(0.25, abs=0.03) for place in range(-4, 0))


def test_every_int_is_as_likely_as_the_others():
    counts = Counter(point["p"] for point in draws(one(type="int", low=3, high=7), 5000))
    assert set(counts) == {3, 4, 5, 6, 7}
    assert all(type(value) is int for value in counts)
    assert all(count / 5000 == pytest.approx(0.2, abs=0.03) for count in counts.values())


def test_a_logarithmic_int_prefers_small_values_and_reaches_both_ends():
    counts = Counter(point["p"] for point in draws(one(type="int", low=1, high=8, log=True), 4000))
    assert set(counts) == set(range(1, 9))
    assert counts[1] > 2 * counts[3] > 2 * counts[8]


def test_a_logarithmic_int_stands_for_half_a_step_to_either_side():
    values = [point["p"] for point in draws(one(type="int", low=1, high=2, log=True), 4000)]
    share = math.log(2.5 / 1.5) / math.log(2.5 / 0.5)
    assert values.count(2) / 4000 == pytest.approx(share, abs=0.03)


def test_a_bound_of_minus_zero_is_zero():
    assert str(one(type="float", low=-0.0, high=1)["p"].low) == "0.0"


def test_a_logarithmic_grid_stays_on_its_grid():
    space = one(type="float", low=0.1, high=1, step=0.1, log=True)
    counts = Counter(point["p"] for point in draws(space, 4000))
    assert sorted(counts) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert counts[0.1] > counts[0.5] > counts[1.0] > 0


def test_values_of_a_grid_are_what_a_person_would_write():
    space = one(type="float", low=0, high=0.7, step=0.1)
    assert [point["p"] for point in space.grid()] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert {point["p"] for point in draws(space)} == {point["p"] for point in space.grid()}


def test_a_step_that_does_not_reach_high_ends_below_it():
    assert [point["p"] for point in one(type="int", low=1, high=9, step=3).grid()] == [1, 4, 7]
    space = one(type="float", low=0, high=1, step=0.3)
    assert [point["p"] for point in space.grid()] == [0.0, 0.3, 0.6, 0.9]
    assert space.contains({"p": 1.0}) != []


def test_equal_bounds_fix_the_value():
    for extra in ({}, {"log": True}, {"step": 0.5}):
        space = one(type="float", low=3, high=3, **extra)
        assert space.size() == 1
        assert {point["p"] for point in draws(space, 20)} == {3.0}


MOST = 1.7976931348623157e308
LEAST = 5e-324


@pytest.mark.parametrize(
    "declaration",
    [
        {"low": -MOST, "high": MOST},
        {"low": -MOST, "high": MOST, "step": 1e308},
        {"low": LEAST, "high": MOST, "log": True},
        {"low": LEAST, "high": MOST, "log": True, "step": 1e307},
        {"low": LEAST, "high": 2e-323, "log": True, "step": LEAST},
        {"low": 1, "high": MOST, "log": True, "step": MOST / 2},
        {"low": 0, "high": LEAST},
    ],
)
def test_the_ends_of_the_number_line_can_be_drawn_from(declaration):
    space = one(type="float", **declaration)
    assert all(space.contains(point) == [] for point in draws(space))
    if "step" in declaration:
        assert space.size() == len({point["p"] for point in space.grid()})


def test_one_true_and_the_text_one_are_three_choices():
    space = one(type="categorical", choices=[1, True, "1"])
    assert space.size() == 3
    assert len({space.key(point) for point in space.grid()}) == 3
    assert {repr(point["p"]) for point in draws(space)} == {"1", "True", "'1'"}
    assert space.contains({"p": False}) != []


@FAST
@given(declarations(), st.integers(0, 2**64))
def test_every_drawn_point_is_of_the_space(raw, seed):
    space = parsed(raw)
    for point in draws(space, 20, seed):
        assert space.contains(point) == []
        assert list(point) == [name for name in space.names if name in point]
        assert space.contains(json.loads(json.dumps(point))) == []
        for name, value in point.items():
            expected = {"float": float, "int": int, "bool": bool}.get(raw[name]["type"])
            assert expected is None or type(value) is expected
            assert "low" not in raw[name] or raw[name]["low"] <= value <= raw[name]["high"]


# Conditions

CONDITIONAL = {
    "gamma": {"type": "float", "low": 0.1, "high": 0.2, "step": 0.1, "when": {"kernel": "rbf"}},
    "kernel": {"type": "categorical", "choices": ["linear", "rbf", "poly"]},
    "degree": {"type": "int", "low": 2, "high": 4, "when": {"kernel": ["poly", "rbf"]}},
    "cubic": {"type": "bool", "when": {"degree": 3, "kernel": "poly"}},
}


def test_a_parameter_whose_condition_does_not_hold_is_absent():
    space = parsed(CONDITIONAL)
    assert space.names == ("kernel", "gamma", "degree", "cubic")
    for point in draws(space):
        assert ("gamma" in point) == (point["kernel"] == "rbf")
        assert ("degree" in point) == (point["kernel"] != "linear")
        assert ("cubic" in point) == (point["kernel"] == "poly" and point["degree"] == 3)


def test_conditions_are_counted_and_listed_alike():
    space = parsed(CONDITIONAL)
    points = list(space.grid())
    assert space.size() == len(points) == 1 + 2 * 3 + 2 + 2
    assert points[0] == {"kernel": "linear"}
    assert points[1] == {"kernel": "rbf", "gamma": 0.1, "degree": 2}
    assert points[-1] == {"kernel": "poly", "degree": 4}


def test_a_condition_on_true_does_not_hold_for_one():
    space = parsed(
        {
            "p": {"type": "categorical", "choices": [1, True]},
            "q": {"type": "bool", "when": {"p": True}},
            "r": {"type": "bool", "when": {"p": 1}},
        }
    )
    points = [{**point} for point in space.grid()]
    assert space.size() == len(points) == 4
    assert [sorted(point) for point in points] == [["p", "r"]] * 2 + [["p", "q"]] * 2


def test_problems_name_the_parameter_and_what_it_should_be():
    space = parsed(CONDITIONAL)
    problems = space.contains({"kernel": "linear", "degree": 2, "gama": 1})
    assert problems == [
        "gama: no such parameter; did you mean 'gamma'?",
        "degree: must be absent, for its condition does not hold",
    ]
    assert space.contains({"kernel": "poly"}) == [
        "degree: is missing; it is a whole number from 2 to 4"
    ]
    [problem] = space.contains({"kernel": "lin"})
    assert problem == "kernel: 'lin' is not one of 'linear', 'rbf', 'poly'"


@pytest.mark.parametrize(
    ("declaration", "wrong"),
    [
        ({"type": "int", "low": 0, "high": 5}, [1.0, True, "1", None, 6, -1, math.nan]),
        ({"type": "float", "low": 0, "high": 5}, [True, "1", None, 5.1, math.nan, math.inf, []]),
        ({"type": "float", "low": 0, "high": 5, "step": 0.5}, [0.25, 4.999, 1e-6]),
        ({"type": "bool"}, [0, 1, "true", None]),
    ],
)
def test_values_of_another_kind_or_off_the_grid_are_problems(declaration, wrong):
    space = one(**declaration)
    for value in wrong:
        assert len(space.contains({"p": value})) == 1, value


@FAST
@given(declarations(), st.integers(0, 2**64))
def test_a_single_thing_that_is_wrong_keeps_a_point_out_of_the_space(raw, seed):
    space = parsed(raw)
    [point] = draws(space, 1, seed)
    assert space.contains({**point, "a stranger": 1}) != []
    for name in space.names:
        value = point.get(name, space[name].sample(random.Random(seed)))
        assert space.contains({**point, name: [value]}) != []
        if name in point:
            assert space.contains({key: point[key] for key in point if key != name}) != []
        else:
            assert space.contains({**point, name: value}) != []


# Identity


def test_equal_points_have_one_key_however_they_are_spelled():
    space = parsed(
        {"x": FLOAT, "s": {**FLOAT, "step": 0.1}, "n": {"type": "int", "low": 0, "high": 2}}
    )
    first = space.key({"x": 1, "s": 0.30000000000000004, "n": 2})
    assert first == space.key({"n": 2, "s": 0.3, "x": 1.0})
    assert space.key({"x": -0.0, "s": -0.0, "n": 0}) == space.key({"x": 0, "s": 0, "n": 0})


def test_points_of_no_space_have_keys_too():
    space = parsed({"x": FLOAT})
    points = [{}, {"x": 9}, {"x": "9"}, {"x": True}, {"y": 1}, {"y": "1"}, {"x": 1, "y": 1}]
    assert len({space.key(point) for point in points}) == len(points)


@FAST
@given(declarations(finite=True))
def test_keys_tell_every_point_of_a_grid_apart(raw):
    space = parsed(raw)
    points = list(islice(space.grid(), 500))
    assert len({space.key(point) for point in points}) == len(points)


# All points


def test_the_last_parameter_of_a_grid_changes_fastest():
    space = parsed(
        {
            "b": {"type": "bool"},
            "n": {"type": "int", "low": 1, "high": 2},
            "c": {"type": "categorical", "choices": ["z", "a"]},
        }
    )
    expected = list(product([False, True], [1, 2], ["z", "a"]))
    assert [tuple(point.values()) for point in space.grid()] == expected


@settings(max_examples=150, deadline=None)
@given(declarations(finite=True))
def test_the_size_is_the_length_of_the_grid(raw):
    space = parsed(raw)
    size = space.size()
    assert size is not None
    if size <= 3000:
        points = list(space.grid())
        assert len(points) == size
        assert all(space.contains(point) == [] for point in points[:50])


def test_a_huge_finite_space_is_counted_without_listing_it():
    space = parsed({f"p{n}": {"type": "int", "low": 1, "high": 1000} for n in range(20)})
    assert space.size() == 1000**20


def test_a_space_with_a_float_without_step_has_no_size_and_no_grid():
    space = parsed({"x": FLOAT, "n": {"type": "int", "low": 0, "high": 2}, "lr": FLOAT})
    assert space.size() is None
    with pytest.raises(SpecError, match=r"x, lr") as caught:
        space.grid()
    assert '"step"' in caught.value.remedy


def test_conditions_too_entangled_to_count_give_no_size():
    switches = {f"s{n}": {"type": "bool"} for n in range(20)}
    late = {"z": {"type": "bool", "when": dict.fromkeys(switches, True)}}
    assert parsed({**switches, **late}).size() is None


# Reading a file


def test_a_file_is_read_and_named_in_errors(tmp_path):
    path = tmp_path / "search_space.json"
    path.write_text(json.dumps({"x": FLOAT}))
    assert load_space(path).names == ("x",)
    path.write_text(json.dumps({"x": {"type": "float"}}))
    with pytest.raises(SpecError) as caught:
        load_space(path)
    assert str(caught.value).startswith(f"{path}: parameter 'x'")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "line 1"),
        (b'{"x": \n  oops}', "line 2"),
        (b'{"x": {"type": "float", "low": NaN, "high": 1}}', "NaN"),
        (b'{"x": {"type": "bool"}, "x": {"type": "bool"}}', '"x" stands there twice'),
        (b'{"x": {"type": "float", "low": 0, "high": 1e999}}', "too large"),
        (b"\xff\xfe{}", "utf-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * (1024 * 1024 + 1), "1 MiB"),
    ],
)
def test_a_broken_file_is_refused_with_its_name(tmp_path, content, fault):
    path = tmp_path / "space.json"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_space(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert fault in caught.value.message
    assert caught.value.remedy


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "no.json", tmp_path):
        with pytest.raises(SpecError, match="cannot be read"):
            load_space(path)
