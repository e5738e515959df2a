"""A decision written as JSON gives the same decision again."""

from __future__ import annotations

import pytest
from acceptance_cases import case, standing
from hypothesis import given, settings
from hypothesis import strategies as st
from records import plain

from hermes import codec
from hermes.acceptance import Case, Decision, Standing, Verdict, replay, weigh
from hermes.measured import Measurement, Sample
from hermes.model import Direction
from hermes.spec import Acceptance, Guard

finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = finite | st.floats(9.0, 11.0) | st.sampled_from([0.0, 10.0])
names = st.sampled_from(["size", "memory"])
sample = st.builds(Sample, numbers, st.dictionaries(names, numbers, max_size=2))
bounds = st.none() | numbers
measurements = st.builds(
    Measurement,
    candidate=st.lists(sample, max_size=9).map(tuple),
    incumbent=st.lists(sample, max_size=9).map(tuple),
    compared_with=st.sampled_from([None, "RUN-A", "RUN-B"]),
    lines=st.integers(0, 20),
    holdout=bounds,
    holdout_before=bounds,
    holdout_fault=st.sampled_from(["", "it failed"]),
)
rules = st.builds(
    Acceptance,
    min_improvement=st.floats(0, 1e308) | st.sampled_from([0.0, 0.5]),
    relative=st.booleans(),
    repeats=st.integers(1, 5),
    confidence=st.floats(0.51, 0.999999),
    max_repeats=st.none() | st.integers(5, 12),
    guards=st.dictionaries(names, st.builds(Guard, bounds, bounds), max_size=2),
)
standings = st.builds(
    Standing,
    st.just("RUN-A"),
    st.lists(sample, min_size=1, max_size=6).map(tuple),
    st.integers(0, 20),
    st.floats(0, 2),
)
cases = st.builds(Case, st.sampled_from(Direction), rules, measurements, st.none() | standings)


@settings(deadline=None, max_examples=300)
@given(cases, st.booleans())
def test_replaying_the_file_gives_the_same_verdict_and_numbers(weighed, final):
    decision = weigh(weighed, final=final)
    written = plain(decision)
    again = replay(written)
    assert again == decision
    assert plain(again) == written
    assert codec.decode(Decision, written) == decision


def test_the_samples_decide_and_not_the_verdict_that_stands_there():
    decision = weigh(case([9.0], against=standing(10.0)))
    assert decision.verdict is Verdict.REJECT
    forged = plain(decision) | {"verdict": "accept"}
    assert replay(forged).verdict is Verdict.REJECT


def test_what_is_no_decision_is_refused_by_the_name_of_the_field():
    with pytest.raises(ValueError, match="verdict is missing"):
        replay({})
    written = plain(weigh(case([9.0], against=standing(10.0))))
    written["case"]["rule"]["repeats"] = "many"
    with pytest.raises(ValueError, match="repeats"):
        replay(written)
