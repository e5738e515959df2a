"""Student's t, against printed tables and closed forms."""

from __future__ import annotations

import math

import pytest

from hermes.acceptance.student import above, exceeded_by

TABLE = {  # degrees of freedom: the values that t exceeds with these probabilities
    1: (3.078, 6.314, 12.706, 31.821, 63.657),
    2: (1.886, 2.920, 4.303, 6.965, 9.925),
    4: (1.533, 2.132, 2.776, 3.747, 4.604),
    9: (1.383, 1.833, 2.262, 2.821, 3.250),
    20: (1.325, 1.725, 2.086, 2.528, 2.845),
    30: (1.310, 1.697, 2.042, 2.457, 2.750),
    120: (1.289, 1.658, 1.980, 2.358, 2.617),
}
SHARES = (0.10, 0.05, 0.025, 0.01, 0.005)


@pytest.mark.parametrize("degrees", TABLE)
def test_the_values_are_those_of_the_printed_table(degrees):
    found = tuple(round(exceeded_by(share, degrees), 3) for share in SHARES)
    assert found == TABLE[degrees]


@pytest.mark.parametrize("t", [0.0, 1e-9, 0.3, 1.0, 7.0, 1e4, 1e150])
def test_one_and_two_degrees_are_the_closed_forms(t):
    of_one = 0.5 if t == 0 else math.atan(1 / t) / math.pi
    root = math.sqrt(2 + t * t)
    of_two = 1 / (root * (root + t))  # (1 - t/root)/2 without cancellation
    assert above(t, 1) == pytest.approx(of_one, rel=1e-11)
    assert above(t, 2) == pytest.approx(of_two, rel=1e-11)


def test_many_degrees_come_near_the_normal_distribution():
    for t in (0.5, 1.0, 1.96, 3.0, 5.0):
        assert above(t, 10**7) == pytest.approx(math.erfc(t / math.sqrt(2)) / 2, rel=1e-4)


def test_the_two_tails_make_one_and_no_value_is_too_large():
    assert above(-1.5, 7) == pytest.approx(1 - above(1.5, 7))
    assert above(1e200, 3) == 0.0
    assert above(-1e200, 3) == 1.0


@pytest.mark.parametrize("degrees", [1, 2, 5, 50, 39_999])
@pytest.mark.parametrize("share", [0.49, 0.2, 0.00833, 1e-6, 1e-18])
def test_the_value_that_is_exceeded_undoes_the_probability(degrees, share):
    assert above(exceeded_by(share, degrees), degrees) == pytest.approx(share, rel=1e-9)
