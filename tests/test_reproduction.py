"""Whether a second run agrees with a record: the comparison alone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.measured import Sample
from hermes.model import Usage
from hermes.reproduction.comparing import compare
from hermes.reproduction.noise import values
from hermes.reproduction.records import Account, Condition, Match, Verdict

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SOME = st.lists(FINITE, max_size=6)


def account(*measured, outcome="success", **fields):
    samples = tuple(Sample(value) for value in measured)
    given = {"reason": "", "exit_status": 0, "files": {}, "usage": Usage(1.0, 0.5, 1024)}
    return Account(outcome=outcome, samples=samples, **{**given, **fields})


def compared(recorded, again, **more):
    return compare(recorded, again, **{"confidence": 0.95, "root": "/lab", **more})


def test_the_same_value_is_equal_and_another_is_different_without_a_spread():
    assert values([1.5], [1.5], 0.95).match is Match.EQUAL
    assert values([1.5], [1.5, 1.5], 0.95).match is Match.EQUAL
    found = values([1.5], [1.25], 0.95)
    assert (found.match, found.difference, found.noise) == (Match.DIFFERENT, -0.25, None)


def test_the_recorded_spread_tells_how_far_means_may_be_apart():
    """By hand: s = 1, t(0.975; 2) = 4.302653, and 4.302653 · √(1/3 + 1/3) = 3.513101."""
    found = values([10.0, 11.0, 12.0], [12.0, 13.0, 14.0], 0.95)
    assert found.match is Match.WITHIN_NOISE
    assert found.noise is not None
    assert (found.noise.told_by, found.noise.deviation) == ("recorded", 1.0)
    assert found.noise.reach == pytest.approx(3.513101, abs=1e-6)
    assert values([10.0, 11.0, 12.0], [15.0, 15.0, 15.0], 0.95).match is Match.DIFFERENT


def test_new_measurements_tell_the_spread_where_only_one_is_on_record():
    found = values([10.0], [9.0, 10.5, 11.0], 0.95)
    assert (found.match, found.noise.told_by) == (Match.WITHIN_NOISE, "again")


def test_measurements_that_were_all_alike_leave_nothing_to_noise():
    found = values([2.0, 2.0, 2.0], [2.0, 2.0, 2.5], 0.95)
    assert (found.match, found.noise.reach) == (Match.DIFFERENT, 0.0)


def test_of_honest_repetitions_the_share_that_is_turned_down_is_as_stated():
    draw = random.Random(5)
    turned_down = 0
    for _ in range(2000):
        then, now = ([draw.gauss(3.0, 0.7) for _ in range(4)] for _ in range(2))
        turned_down += values(then, now, 0.95).match is Match.DIFFERENT
    assert 70 <= turned_down <= 135  # 100 are expected, with a deviation of 9.7


@given(SOME, SOME)
def test_whatever_is_measured_gives_finite_numbers_and_a_plain_answer(then, now):
    found = values(then, now, 0.95)
    assert (found.match is Match.MISSING) == (not then or not now)
    numbers = [found.difference, found.noise.reach if found.noise else None]
    assert all(number is None or abs(number) < float("inf") for number in numbers)


def test_a_value_that_is_the_same_is_reproduced():
    found = compared(account(1.5), account(1.5))
    assert (found.verdict, found.reason) == (Verdict.REPRODUCED, "the same value again: 1.5")
    assert found.next == ""


def test_a_single_value_that_differs_is_not_reproduced_and_the_next_step_is_to_measure_more():
    found = compared(account(1.5), account(1.75))
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert found.reason.startswith("1.75 against 1.5, 0.25 apart; one measurement of each")
    assert "repeats=5" in found.next


def test_noise_is_told_with_its_numbers():
    found = compared(account(10.0, 11.0, 12.0), account(12.0, 13.0, 14.0))
    assert found.verdict is Verdict.WITHIN_NOISE
    assert found.reason == (
        "13 against 11, 2 apart, as noise takes the means 3.5131 apart at most (95 % prediction"
        " interval; the deviation of one measurement is 1, told by the 3 recorded ones)"
    )


def test_what_was_changed_is_to_be_put_back_first():
    conditions = [
        Condition("spec", "a", "b", same=False),
        Condition("workspace", "a", "a", same=None),
    ]
    found = compared(account(1.5), account(1.75), conditions=conditions)
    assert found.next == "First make these what they were, then try again: spec."


def test_another_ending_is_not_reproduced():
    failed = account(outcome="failed", reason="executor_command: exit status 1", exit_status=1)
    assert compared(account(1.5), failed).verdict is Verdict.NOT_REPRODUCED
    assert compared(failed, account(1.5)).reason == "it ended as success"


@pytest.mark.parametrize(
    ("reason", "status", "verdict"),
    [
        ("exit status 3: /lab/scratch/b/work/a.py: took 0.75 s", 3, Verdict.REPRODUCED),
        ("exit status 3: /lab/scratch/b/work/b.py: took 0.75 s", 3, Verdict.NOT_REPRODUCED),
        ("exit status 4: /lab/scratch/a/work/a.py: took 0.5 s", 4, Verdict.NOT_REPRODUCED),
    ],
)
def test_a_failure_is_the_same_but_for_what_was_measured_and_where(reason, status, verdict):
    before = "exit status 3: /lab/scratch/a/work/a.py: took 0.5 s"
    recorded = account(outcome="failed", reason=before, exit_status=3)
    again = replace(recorded, reason=reason, exit_status=status)
    assert compared(recorded, again).verdict is verdict


def test_secondary_metrics_and_files_are_compared_and_decide_nothing():
    then = Account(
        "success", "", 0, (Sample(1.0, {"a": 1.0, "b": 2.0}),), {"x": "1", "y": "2"}, None
    )
    now = Account(
        "success", "", 0, (Sample(1.0, {"a": 1.5, "c": 2.0}),), {"y": "3", "z": "4"}, None
    )
    found = compared(then, now)
    assert found.verdict is Verdict.REPRODUCED
    assert {name: item.match.value for name, item in found.secondary.items()} == {
        "a": "different",
        "b": "missing",
        "c": "missing",
    }
    kept = found.files
    assert (kept.same, kept.different, kept.missing, kept.new) == (0, ("y",), ("x",), ("z",))
