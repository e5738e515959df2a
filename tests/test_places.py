"""Points as places, the moves between them, and what is drawn for them."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.search import blends
from hermes.search.draws import Later, Spread, normal, shuffled
from hermes.search.generated_spaces import declarations, parsed
from hermes.search.places import Moves

MIXED = {
    "kind": {"type": "categorical", "choices": ["a", "b"]},
    "rate": {"type": "float", "low": 1e-4, "high": 1, "log": True},
    "size": {"type": "int", "low": 1, "high": 9},
    "deep": {"type": "int", "low": 1, "high": 3, "when": {"kind": "b"}},
    "fixed": {"type": "int", "low": 4, "high": 4},
}
BASE = {"kind": "a", "rate": 0.01, "size": 5, "fixed": 4}


def moves(raw=MIXED) -> Moves:
    return Moves(parsed(raw))


# Axes


def test_a_logarithmic_number_has_its_place_by_its_logarithm():
    assert moves().axes["rate"].place(0.01) == pytest.approx(0.5)
    assert moves().axes["rate"].value(0.25) == pytest.approx(1e-3)


def test_the_ends_are_the_bounds_to_the_last_digit():
    wide = moves({"x": {"type": "float", "low": -1e308, "high": 1e308}}).axes["x"]
    steep = moves({"x": {"type": "float", "low": 3e-300, "high": 7e300, "log": True}}).axes["x"]
    assert [wide.value(0.0), wide.value(0.5), wide.value(1.0)] == [-1e308, 0.0, 1e308]
    assert [steep.value(0.0), steep.value(1.0)] == [3e-300, 7e300]


def test_a_number_of_one_value_has_no_place():
    assert moves().places(BASE) == {"rate": pytest.approx(0.5), "size": 0.5}


@given(declarations(), st.integers(0, 2**32), st.floats(0, 1))
def test_every_place_is_a_value_and_every_value_a_place(raw, seed, place):
    space = parsed(raw)
    made = Moves(space)
    for axis in made.axes.values():
        value = axis.value(place)
        assert axis.number.canonical(value) == value
        assert axis.value(axis.place(value)) == pytest.approx(value, rel=1e-9, abs=1e-9)
    point = space.sample(random.Random(seed))
    assert made.point(made.at(point, made.places(point), random.Random(1))) is not None


# Moves


def test_a_number_moves_by_a_step_of_its_grid_at_least():
    assert moves().at(BASE, {"size": 0.51}, random.Random(1))["size"] == 6
    assert moves().at(BASE, {"size": 0.49}, random.Random(1))["size"] == 4
    assert moves().at({**BASE, "size": 9}, {"size": 1.2}, random.Random(1))["size"] == 9


def test_what_comes_alive_is_drawn_and_what_dies_is_left_out():
    alive = moves().with_values(BASE, {"kind": "b"}, random.Random(1))
    assert list(alive) == ["kind", "rate", "size", "deep", "fixed"]
    assert moves().with_values(alive, {"kind": "a"}, random.Random(1)) == BASE


def test_a_value_for_what_is_not_alive_is_left_out():
    assert moves().with_values(BASE, {"deep": 2}, random.Random(1)) == BASE


@given(declarations(), st.integers(0, 2**32))
def test_every_blend_of_two_points_is_a_point(raw, seed):
    space, rng = parsed(raw), random.Random(seed)
    made, one, other = Moves(space), space.sample(rng), space.sample(rng)
    for blend in (blends.half_way, blends.mixed):
        assert space.contains(blend(made, one, other, rng)) == []
    assert blends.distance(made, one, one) == 0
    assert blends.distance(made, one, other) == blends.distance(made, other, one)


def test_half_way_is_the_mean_and_for_a_logarithm_the_geometric_one():
    other = {**BASE, "rate": 0.0001, "size": 9}
    point = blends.half_way(moves(), BASE, other, random.Random(1))
    assert (point["rate"], point["size"]) == (pytest.approx(0.001), 7)


# Draws


def test_spread_numbers_leave_smaller_gaps_than_drawn_ones():
    def widest(numbers):
        ordered = [0.0, *sorted(numbers), 1.0]
        return max(after - before for before, after in pairwise(ordered))

    spread = [Spread("a", 1, index).random() for index in range(20)]
    assert all(0 <= number < 1 for number in spread)
    assert widest(spread) < min(
        widest([random.Random(seed).random() for seed in range(20 * n, 20 * n + 20)])
        for n in range(20)
    )


def test_spread_numbers_do_not_run_out():
    draws = Spread("a", 1, 3)
    assert len({draws.random() for _ in range(100)}) == 100


def test_a_source_of_chance_is_made_when_it_is_used():
    made = []
    later = Later(lambda: made.append(1) or random.Random(5))
    assert made == []
    assert [later.random(), later.random()] == [0.6229016948897019, 0.7417869892607294]
    assert made == [1]


def test_normal_draws_have_mean_zero_and_variance_one():
    rng = random.Random(1)
    drawn = [normal(rng) for _ in range(4000)]
    assert abs(sum(drawn)) / 4000 < 0.05
    assert sum(number**2 for number in drawn) / 4000 == pytest.approx(1, abs=0.1)


def test_a_drawn_order_has_every_item_once():
    orders = {tuple(shuffled("abc", random.Random(seed))) for seed in range(60)}
    assert len(orders) == 6
    assert all(sorted(order) == list("abc") for order in orders)
