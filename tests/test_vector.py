"""Points as vectors: there and back, and what lies between."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings

from hermes.search.dimensions import Choice, Number
from hermes.search.generated_spaces import declarations, parsed
from hermes.search.vector import Vectors

NUMBERS = [
    Number("x", False, -2.0, 6.0, None, False),
    Number("x", False, 1e-6, 10.0, None, True),
    Number("x", False, -1.7e308, 1.7e308, None, False),
    Number("x", True, 3, 40, 4, False),
    Number("x", True, 1, 9, 1, True),
    Number("x", False, 0.1, 0.9, 0.2, True),
]


@settings(deadline=None, max_examples=60)
@given(declarations())
def test_a_point_comes_back_from_its_vector(raw):
    space = parsed(raw)
    vectors, rng = Vectors(space), random.Random(1)
    for _ in range(5):
        params = space.sample(rng)
        vector = vectors.to_vector(params)
        assert len(vector) == vectors.size
        assert all(0 <= place <= 1 for place in vector)
        back = vectors.to_point(vector)
        assert back.keys() == params.keys()
        for name, value in params.items():
            assert back[name] == value or math.isclose(
                back[name], value, rel_tol=1e-9, abs_tol=1e-9
            )


@settings(deadline=None, max_examples=60)
@given(declarations())
def test_every_vector_is_a_point(raw):
    space = parsed(raw)
    vectors, rng = Vectors(space), random.Random(2)
    for _ in range(5):
        vector = [rng.uniform(-0.2, 1.2) for _ in range(vectors.size)]
        assert space.contains(vectors.to_point(vector)) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_shares_go_from_the_lowest_to_the_highest(number):
    values = [number.at_share(share / 100) for share in range(101)]
    assert values == sorted(values)
    last = number.high if number.count is None else number.at(number.count - 1)
    assert (values[0], values[-1]) == pytest.approx((number.low, last), rel=1e-12)
    shares = [number.share(value) for value in values]
    assert shares == sorted(shares)
    assert [number.at_share(share) for share in shares] == pytest.approx(values, rel=1e-9)


def test_a_choice_takes_a_coordinate_for_each_value_beyond_two():
    space = parsed(
        {
            "one": {"type": "categorical", "choices": ["only"]},
            "two": {"type": "bool"},
            "many": {"type": "categorical", "choices": ["a", "b", "c"]},
        }
    )
    vectors = Vectors(space)
    assert vectors.size == 1 + 3
    assert vectors.to_vector({"one": "only", "two": True, "many": "c"}) == [0.75, 0.25, 0.25, 0.75]
    assert vectors.to_point([0.4, 0.1, 0.9, 0.3]) == {"one": "only", "two": False, "many": "b"}


def test_what_a_point_lacks_has_the_middle():
    space = parsed(
        {"on": {"type": "bool"}, "x": {"type": "float", "low": 0, "high": 1, "when": {"on": True}}}
    )
    assert Vectors(space).to_vector({"on": False}) == [0.25, 0.5]
    assert replace(space.dimensions[0], name="other") == Choice("other", "bool", (False, True))
