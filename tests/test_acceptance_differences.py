"""Means, spreads and bounds, of any finite values."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermes.acceptance.differences import Estimate, coincidence, deviation, mean
from hermes.acceptance.looks import level, planned, turns
from hermes.acceptance.records import Subject
from hermes.spec import Acceptance

LARGEST = sys.float_info.max
any_finite = st.floats(allow_nan=False, allow_infinity=False)
usual = st.floats(min_value=-1e9, max_value=1e9)

# Means and spreads


@given(st.lists(usual, min_size=2, max_size=20))
def test_they_are_what_the_standard_library_finds(values):
    size = max(map(abs, values))
    assert mean(values) == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-12 * size)
    spread = statistics.stdev(values)
    assert deviation(values) == pytest.approx(spread, rel=1e-9, abs=1e-12 * size)


@given(st.lists(any_finite, min_size=2, max_size=20))
@example([LARGEST, LARGEST, -LARGEST])
@example([5e-324, 0.0])
def test_no_finite_values_break_them(values):
    assert min(values) <= mean(values) <= max(values)
    assert 0 <= deviation(values) <= LARGEST
    estimate = Estimate.of(values)
    for number in (estimate.lower(0.01), estimate.upper(0.01), estimate.p_value(LARGEST)):
        assert math.isfinite(number)
    assert estimate.lower(0.01) <= estimate.mean <= estimate.upper(0.01)


@given(any_finite, st.integers(2, 20))
def test_equal_values_have_exactly_their_mean_and_no_spread(value, count):
    assert mean([value] * count) == value
    assert deviation([value] * count) == 0.0


# Bounds


def test_an_example_of_student_is_reproduced():
    """The additional hours of sleep by two drugs (Biometrika 6, 1908): his odds were 0.9985."""
    one = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
    other = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
    found = Estimate.of([b - a for a, b in zip(one, other, strict=True)])
    assert found.mean == pytest.approx(1.58)
    assert found.statistic(0.0) == pytest.approx(4.0621, abs=1e-4)
    assert found.p_value(0.0) == pytest.approx(0.001416, abs=1e-6)
    assert found.lower(0.025) == pytest.approx(0.7001, abs=1e-4)
    assert found.upper(0.025) == pytest.approx(2.4599, abs=1e-4)


def test_a_bound_fails_as_often_as_its_level_says():
    rng = random.Random(4)
    wrong = sum(
        Estimate.of([rng.gauss(0, 1) for _ in range(4)]).lower(0.05) > 0 for _ in range(4000)
    )
    assert 150 < wrong < 250


def test_equal_differences_prove_no_more_than_noise_of_few_values_could_feign():
    assert Estimate.of([1.0] * 3).p_value(0.0) == coincidence(3) > 0.02
    assert Estimate.of([0.0] * 3).p_value(0.5) == 1.0
    nearly = [1.0, 1.0 + 1e-12, 1.0]
    assert Estimate.of(nearly).p_value(0.0) == coincidence(3)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=7), st.integers(2, 5))
@example([1, 1], 2)
@example([1, 2, 1], 3)
def test_no_noise_gives_equal_gains_more_often_than_the_bound(weights, pairs):
    total = sum(weights) or 1
    shares = [weight / total for weight in weights]
    differences = {}
    for (i, p), (j, q) in itertools.product(enumerate(shares), repeat=2):
        if i > j:
            differences[i - j] = differences.get(i - j, 0.0) + p * q
    assert sum(share**pairs for share in differences.values()) <= coincidence(pairs)


# Looks


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Acceptance(repeats=5), (5, 10, 20)),
        (Acceptance(repeats=2), (2, 4, 8)),
        (Acceptance(repeats=5, max_repeats=5), (5,)),
        (Acceptance(repeats=5, max_repeats=6), (5, 6)),
        (Acceptance(repeats=3, max_repeats=40), (3, 6, 11, 21, 40)),
    ],
)
def test_looks_double_from_repeats_to_max_repeats(rule, expected):
    assert planned(rule) == expected


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.floats(0.51, 0.9999))
def test_all_looks_together_spend_half_of_what_confidence_leaves(repeats, more, confidence):
    most = max(repeats, more)
    rule = Acceptance(repeats=repeats, max_repeats=most, confidence=confidence)
    looks = planned(rule)
    assert looks[0] == repeats
    assert looks[-1] == most
    assert list(looks) == sorted(set(looks))
    assert level(rule) * len(looks) == pytest.approx((1 - confidence) / 2)


def test_the_first_of_a_pair_changes_from_pair_to_pair():
    one, other = Subject.CANDIDATE, Subject.INCUMBENT
    assert turns(0, 0, 3) == (one, other, other, one, one, other)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 12))
def test_turns_fill_up_whatever_was_measured_before(mine, theirs, pairs):
    found = turns(mine, theirs, pairs)
    assert found.count(Subject.CANDIDATE) == max(0, pairs - mine)
    assert found.count(Subject.INCUMBENT) == max(0, pairs - theirs)
    whole = turns(0, 0, pairs)
    if mine + theirs <= len(whole) and whole[: mine + theirs].count(Subject.CANDIDATE) == mine:
        assert found == whole[mine + theirs :]
