"""Points that people write: read, held against the space, changed in part, refused in two lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RequestError
from hermes.search.base import chance
from hermes.search.generated_spaces import declarations, parsed
from hermes.search.points import edited, example_of, point, read_given
from hermes.search.space import parse_space

SPACE = parse_space(
    {
        "lr": {"type": "float", "low": 0.001, "high": 1, "log": True},
        "layers": {"type": "int", "low": 1, "high": 4},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
        "momentum": {"type": "float", "low": 0, "high": 1, "when": {"optimizer": "sgd"}},
    },
    source="test",
)
ADAM = {"lr": 0.1, "layers": 2, "optimizer": "adam"}
SGD = {"lr": 0.1, "layers": 2, "optimizer": "sgd", "momentum": 0.5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{x: 1}", "is not JSON"),
        ("lr=0.1", "is not JSON"),
        ("[1]", "is [1], not an object"),
        ("{}", "is {}, not an object"),
        ('{"x": NaN}', "NaN is not JSON"),
        ('{"x": 1, "x": 2}', "stands there twice"),
        ('{"x": [1]}', "x: [1] is not a number, a text, true or false"),
        ('{"x": "a\\u0000b"}', "cannot be handed over"),
        ('{"2x": 1}', '"2x" cannot be the name of a parameter'),
        ('{"x": "' + "y" * 70_000 + '"}', "longer than 64 KiB"),
        ("{" + ", ".join(f'"p{i}": 1' for i in range(501)) + "}", "has 501 parameters"),
    ],
)
def test_what_is_no_point_is_refused_with_an_example(text, told):
    with pytest.raises(RequestError) as refused:
        read_given(text, example={"x": 0.5})
    assert told in refused.value.message
    assert refused.value.remedy
    if "Write JSON" in refused.value.remedy:
        assert "params='{\"x\":0.5}'" in refused.value.remedy


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lr": 2}, "lr: 2 is not a number from 0.001 to 1"),
        ({"layers": 1.5}, "layers: 1.5 is not a whole number from 1 to 4"),
        ({"optimizer": "sdg"}, "optimizer: 'sdg' is not one of 'sgd', 'adam'"),
        ({"layer": 2}, "layer: no such parameter; did you mean 'layers'?"),
        ({"momentum": 0.5}, "momentum: must be absent, for its condition does not hold"),
        ({"optimizer": "sgd"}, "momentum: is missing; it is a number from 0"),
        ({"lr": None}, "lr: is missing"),
    ],
)
def test_a_point_outside_of_the_space_names_parameter_and_remedy(changes, told):
    for refuse in (
        lambda: point(SPACE, {**ADAM, **changes}),
        lambda: edited(SPACE, ADAM, changes),
    ):
        with pytest.raises(RequestError) as refused:
            refuse()
        assert refused.value.message.startswith("No such point: ")
        assert told in refused.value.message
        assert refused.value.remedy.startswith("Give a point such as params='{")


def test_only_what_is_no_json_is_told_to_be_written_as_json():
    for text in ("{lr: 1}", "[1]"):
        with pytest.raises(RequestError) as refused:
            read_given(text, example=ADAM)
        assert refused.value.remedy.startswith("Write JSON in quotes, such as params='{")
    with pytest.raises(RequestError) as refused:
        read_given('{"lr": [1]}', example=ADAM)
    assert refused.value.remedy.startswith("Give a point such as params='{")


def test_the_example_of_a_refusal_is_a_point():
    with pytest.raises(RequestError) as refused:
        edited(SPACE, ADAM, {"optimizer": "sgd"})
    text = refused.value.remedy.split("params='")[1].split("'.")[0]
    assert SPACE.contains(read_given(text, example={})) == []


def test_values_are_spelled_as_the_space_spells_them_and_stand_in_its_order():
    made = point(SPACE, {"optimizer": "adam", "layers": 2, "lr": 1})
    assert made == {"lr": 1.0, "layers": 2, "optimizer": "adam"}
    assert list(made) == ["lr", "layers", "optimizer"]
    assert type(made["lr"]) is float


def test_an_edit_changes_what_it_names_and_drops_what_has_no_meaning_any_more():
    assert edited(SPACE, ADAM, {"layers": 3}) == {**ADAM, "layers": 3}
    assert edited(SPACE, SGD, {"optimizer": "adam"}) == ADAM
    assert edited(SPACE, ADAM, {"optimizer": "sgd", "momentum": 0.5}) == SGD
    with pytest.raises(RequestError, match="momentum: must be absent"):
        edited(SPACE, SGD, {"optimizer": "adam", "momentum": 0.5})


def test_without_a_space_any_flat_object_is_a_point_and_null_takes_away():
    assert point(None, {"any.name": "text", "flag": True}) == {"any.name": "text", "flag": True}
    assert edited(None, {"a": 1, "b": 2}, {"b": None, "c": 3}) == {"a": 1, "c": 3}
    assert example_of(None)


@given(declarations(), st.integers(0, 50), st.integers(0, 50))
def test_any_point_of_any_space_is_taken_and_can_be_edited_into_any_other(raw, one, other):
    space = parsed(raw)
    first = space.sample(chance("test", 0, one))
    second = space.sample(chance("test", 1, other))
    assert point(space, first) == first
    assert edited(space, first, second) == second
