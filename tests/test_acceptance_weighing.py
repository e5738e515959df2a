"""Verdicts: what is compared, what it takes to win, and what keeps a winner out."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from acceptance_cases import DOWN, LONG, SAME, SHORT, UP, case, measured_out, samples, standing
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.acceptance import Case, Method, Standing, Subject, Verdict, standing_after, weigh
from hermes.measured import Measurement
from hermes.spec import Acceptance, Guard

ACCEPT, REJECT = Verdict.ACCEPT, Verdict.REJECT
UNDECIDED, MORE = Verdict.INCONCLUSIVE, Verdict.MEASURE_MORE
FIVE = Acceptance(repeats=5)
NOISY = standing(9.0, 10.0, 11.0, 9.5, 10.5)
CALM = standing(10.0, 10.0, 10.0, 10.0, 10.0)
BASE = (10.0, 9.0, 11.0, 10.5, 9.5)


def shifted(by: float, values: tuple[float, ...] = BASE) -> list[float]:
    """The same values a little mixed, and better by about so much."""
    wobble = (0.1, -0.2, 0.15, 0.05, -0.1)
    return [value + by + wobble[i % 5] for i, value in enumerate(values)]


# A baseline


def test_a_baseline_is_measured_repeats_times_and_then_accepted():
    asked = weigh(case(rule=FIVE))
    assert asked.verdict is MORE
    assert asked.turns == (Subject.CANDIDATE,) * 5
    assert weigh(case([1.0, 3.0], rule=FIVE)).turns == (Subject.CANDIDATE,) * 3
    done = weigh(case([1.0, 3.0, 2.0, 2.0, 2.0], rule=FIVE))
    assert done.verdict is ACCEPT
    assert done.comparison is None
    assert done.noise_floor == pytest.approx(0.5**0.5)


def test_a_baseline_that_breaks_a_guard_or_fails_its_hold_out_is_what_there_is_and_says_so():
    rule = Acceptance(guards={"size": Guard(max=5.0)})
    found = weigh(case([1.0], rule=rule, secondary={"size": 6.0}))
    assert found.verdict is ACCEPT
    assert "size is 6 where at most 5 is asked for" in found.reason
    found = weigh(case([1.0], holdout_fault="it ended with status 1"))
    assert found.verdict is ACCEPT
    assert "it ended with status 1" in found.reason


def test_a_baseline_without_any_measurement_is_inconclusive():
    assert weigh(case(rule=FIVE), final=True).verdict is UNDECIDED
    assert weigh(case([1.0], rule=FIVE), final=True).verdict is ACCEPT


# One measurement


@pytest.mark.parametrize(
    ("value", "direction", "rule", "verdict"),
    [
        (10.4, UP, Acceptance(min_improvement=0.5), REJECT),
        (10.5, UP, Acceptance(min_improvement=0.5), ACCEPT),
        (9.5, DOWN, Acceptance(min_improvement=0.5), ACCEPT),
        (10.5, DOWN, Acceptance(), REJECT),
        (10.9, UP, Acceptance(min_improvement=0.1, relative=True), REJECT),
        (11.0, UP, Acceptance(min_improvement=0.1, relative=True), ACCEPT),
        (10.0, UP, Acceptance(), REJECT),
    ],
)
def test_one_measurement_is_compared_with_the_recorded_value(value, direction, rule, verdict):
    asked = weigh(case(rule=rule, against=standing(9.0, 11.0), direction=direction))
    assert asked.turns == (Subject.CANDIDATE,)
    found = weigh(case([value], rule=rule, against=standing(9.0, 11.0), direction=direction))
    assert found.verdict is verdict
    assert found.comparison is not None
    assert found.comparison.method is Method.SINGLE
    assert found.comparison.incumbent == 10.0


def test_of_two_that_measure_the_same_the_shorter_one_wins():
    verdicts = [
        weigh(case([10.0], against=standing(10.0), lines=lines)).verdict
        for lines in (SHORT, SAME, LONG)
    ]
    assert verdicts == [ACCEPT, REJECT, REJECT]
    tie = weigh(case([10.0], against=standing(10.0), lines=SHORT))
    assert tie.complexity.broke_tie
    assert "8 lines instead of 10" in tie.reason
    assert not weigh(case([11.0], against=standing(10.0), lines=SHORT)).complexity.broke_tie


def test_a_share_of_zero_is_zero_so_anything_better_wins():
    rule = Acceptance(min_improvement=0.1, relative=True)
    assert weigh(case([1e-9], against=standing(0.0), rule=rule)).verdict is ACCEPT
    assert weigh(case([0.0], against=standing(0.0), rule=rule)).verdict is REJECT


# In turns with the incumbent


def test_a_pair_comes_first_then_repeats_pairs_then_twice_as_many():
    first = weigh(case(rule=FIVE, against=NOISY))
    assert first.turns == (Subject.CANDIDATE, Subject.INCUMBENT)
    second = weigh(case([10.0], [10.0], rule=FIVE, against=NOISY))
    assert second.turns.count(Subject.CANDIDATE) == second.turns.count(Subject.INCUMBENT) == 4
    barely = [11.0, 9.2, 10.8, 10.9, 9.4]
    third = weigh(case(barely, BASE, rule=FIVE, against=NOISY))
    assert third.verdict is MORE
    assert len(third.turns) == 10


def test_one_that_is_better_beyond_noise_wins_at_the_first_look():
    found = weigh(case(shifted(3.0), BASE, rule=FIVE, against=NOISY))
    assert found.verdict is ACCEPT
    numbers = found.comparison
    assert numbers is not None
    assert numbers.method is Method.PAIRED
    assert numbers.pairs == 5
    assert numbers.degrees_of_freedom == 4
    assert numbers.gain == pytest.approx(3.0)
    assert numbers.lower is not None
    assert 2 < numbers.lower < numbers.gain
    assert numbers.looks == (5, 10, 20)
    assert numbers.looked == 1
    assert numbers.spent == numbers.level == pytest.approx(0.025 / 3)
    assert numbers.p_value is not None
    assert numbers.p_value < numbers.level


def test_one_that_is_not_ahead_at_a_look_is_rejected():
    assert weigh(case(shifted(-0.1), BASE, rule=FIVE, against=NOISY)).verdict is REJECT


def test_the_recorded_value_of_the_incumbent_never_wins_for_a_candidate():
    """The record was unlucky, 5 instead of 10: the candidate beats it, and not the incumbent."""
    unlucky = standing(4.0, 5.0, 6.0, 4.5, 5.5)
    assert weigh(case(shifted(-0.1), BASE, rule=FIVE, against=unlucky)).verdict is REJECT


def test_a_lucky_record_does_not_turn_a_better_one_away():
    lucky = standing(29.0, 30.0, 31.0, 29.5, 30.5)
    assert weigh(case([13.0], [10.0], rule=FIVE, against=lucky)).verdict is MORE
    assert weigh(case(shifted(3.0), BASE, rule=FIVE, against=lucky)).verdict is ACCEPT


def test_one_that_is_much_worse_is_rejected_after_one_pair():
    found = weigh(case([2.0], [10.0], rule=FIVE, against=NOISY))
    assert found.verdict is REJECT
    assert found.comparison is not None
    assert found.comparison.method is Method.FIRST_PAIR
    assert weigh(case([8.0], [10.0], rule=FIVE, against=NOISY)).verdict is MORE
    assert weigh(case([2.0], [10.0], rule=FIVE, against=standing(10.0))).verdict is MORE


def test_what_is_undecided_at_max_repeats_is_inconclusive():
    rule = Acceptance(repeats=5, max_repeats=5)
    barely = [11.0, 9.2, 10.8, 10.9, 9.4]
    found = weigh(case(barely, BASE, rule=rule, against=NOISY))
    assert found.verdict is UNDECIDED
    assert found.turns == ()
    assert "not beyond noise" in found.reason


def test_the_gain_must_be_beyond_what_is_asked_for_not_only_beyond_zero():
    asked = replace(FIVE, min_improvement=2.9)
    assert weigh(case(shifted(3.0), BASE, rule=asked, against=NOISY)).verdict is MORE
    asked = replace(FIVE, min_improvement=0.2, relative=True)
    assert weigh(case(shifted(3.0), BASE, rule=asked, against=NOISY)).verdict is ACCEPT
    asked = replace(FIVE, min_improvement=0.4, relative=True)
    assert weigh(case(shifted(3.0), BASE, rule=asked, against=NOISY)).verdict is REJECT


def test_where_the_incumbent_is_zero_a_share_asks_for_nothing():
    rule = replace(FIVE, min_improvement=0.5, relative=True)
    found = weigh(case([1.0, 1.1, 0.9, 1.2, 1.0], [0.0] * 5, rule=rule, against=standing(0.0, 0.0)))
    assert found.verdict is ACCEPT
    assert found.comparison is not None
    assert found.comparison.min_improvement == 0.0


def test_an_evaluator_without_noise_is_decided_at_the_first_look():
    better = [11.0] * 5
    assert weigh(case(better, [10.0] * 5, rule=FIVE, against=CALM)).verdict is ACCEPT
    assert weigh(case([10.0] * 5, [10.0] * 5, rule=FIVE, against=CALM)).verdict is REJECT
    exactly = replace(FIVE, min_improvement=1.0)
    assert weigh(case(better, [10.0] * 5, rule=exactly, against=CALM)).verdict is ACCEPT
    assert weigh(case([9.0], [10.0], rule=FIVE, against=CALM)).verdict is REJECT


def test_two_equal_gains_are_too_few_to_win():
    rule = Acceptance(repeats=2, max_repeats=2)
    found = weigh(case([11.0, 11.0], [10.0, 10.0], rule=rule, against=CALM))
    assert found.verdict is UNDECIDED
    assert "too few" in found.reason
    rule = Acceptance(repeats=2)
    assert weigh(case([11.0] * 2, [10.0] * 2, rule=rule, against=CALM)).verdict is MORE
    assert weigh(case([11.0] * 4, [10.0] * 4, rule=rule, against=CALM)).verdict is ACCEPT


def test_the_largest_values_are_weighed_like_others():
    huge = [1e308, 1.1e308, 1.05e308, 1.02e308, 1.08e308]
    found = weigh(case(huge, [-value for value in huge], rule=FIVE, against=NOISY))
    assert found.verdict is ACCEPT
    found = weigh(case([-value for value in huge], huge, rule=FIVE, against=NOISY))
    assert found.verdict is REJECT


def test_samples_left_over_from_an_interruption_are_filled_up_first():
    found = weigh(case([10.0] * 3, [10.0] * 2, rule=FIVE, against=NOISY))
    assert found.turns.count(Subject.CANDIDATE) == 2
    assert found.turns.count(Subject.INCUMBENT) == 3
    assert found.turns[0] is Subject.INCUMBENT


# When nothing more can be measured


@pytest.mark.parametrize("pairs", range(5))
def test_with_too_few_pairs_a_final_decision_is_inconclusive(pairs):
    found = weigh(case(shifted(3.0)[:pairs], BASE[:pairs], rule=FIVE, against=NOISY), final=True)
    assert found.verdict is UNDECIDED


def test_a_final_decision_between_two_looks_takes_the_place_of_the_next():
    rule = Acceptance(repeats=4)
    found = weigh(case(shifted(3.0), BASE, rule=rule, against=NOISY), final=True)
    assert found.verdict is ACCEPT
    assert found.comparison is not None
    assert found.comparison.looked == 2
    assert weigh(case(shifted(3.0), BASE, rule=rule, against=NOISY)).verdict is MORE


def test_a_winner_over_an_incumbent_that_is_no_more_is_inconclusive():
    late = weigh(case(shifted(3.0), BASE, rule=FIVE, against=NOISY, compared_with="RUN-A"))
    assert late.verdict is UNDECIDED
    assert "RUN-A" in late.reason
    assert "RUN-B" in late.reason
    worse = case(shifted(-0.1), BASE, rule=FIVE, against=NOISY, compared_with="RUN-A", lines=SHORT)
    assert weigh(worse).verdict is REJECT
    tied = case([10.0] * 5, [10.0] * 5, rule=FIVE, against=CALM, compared_with="RUN-A", lines=SHORT)
    assert weigh(tied).verdict is REJECT
    same = case(shifted(3.0), BASE, rule=FIVE, against=NOISY, compared_with="RUN-B")
    assert weigh(same).verdict is ACCEPT


@settings(deadline=None)
@given(st.data())
def test_a_final_decision_never_asks_for_more_and_an_open_one_always_says_what(data):
    values = st.lists(st.floats(-100, 100), max_size=24)
    rule = Acceptance(
        repeats=data.draw(st.integers(1, 6)),
        min_improvement=data.draw(st.sampled_from([0.0, 1.0])),
        max_repeats=data.draw(st.sampled_from([None, 6, 20])),
    )
    known = data.draw(st.none() | st.lists(st.floats(-100, 100), min_size=1, max_size=6))
    weighed = case(
        data.draw(values),
        data.draw(values),
        rule=rule,
        against=None if known is None else standing(*known),
        lines=data.draw(st.sampled_from([SHORT, SAME])),
    )
    assert weigh(weighed, final=True).verdict is not MORE
    found = weigh(weighed)
    assert bool(found.turns) == (found.verdict is MORE)


# Less code


def test_of_two_without_noise_the_shorter_one_wins_only_when_they_measure_the_same():
    def weighed(value, lines):
        return weigh(case([value] * 5, [10.0] * 5, rule=FIVE, against=CALM, lines=lines))

    assert weighed(10.0, SHORT).verdict is ACCEPT
    assert weighed(10.0, SHORT).complexity.broke_tie
    assert weighed(10.0, LONG).verdict is REJECT
    assert weighed(9.999, SHORT).verdict is REJECT


def test_with_noise_less_code_wins_only_within_min_improvement():
    wide, narrow = replace(FIVE, min_improvement=1.0), replace(FIVE, min_improvement=0.1)
    equal = shifted(-0.05)
    found = weigh(case(equal, BASE, rule=wide, against=NOISY, lines=SHORT))
    assert found.verdict is ACCEPT
    assert found.complexity.broke_tie
    assert 0 < found.complexity.ceded <= found.complexity.allowance == 1.0
    assert weigh(case(equal, BASE, rule=wide, against=NOISY, lines=SAME)).verdict is REJECT
    assert weigh(case(equal, BASE, rule=narrow, against=NOISY, lines=SHORT)).verdict is MORE
    assert weigh(case(equal, BASE, rule=FIVE, against=NOISY, lines=SHORT)).verdict is REJECT


def test_a_first_pair_that_shows_an_allowed_loss_ends_nothing_when_the_code_is_shorter():
    rule = replace(FIVE, min_improvement=1.0)
    first = [weigh(case([9.5], [10.0], rule=rule, against=CALM, lines=n)) for n in (SHORT, SAME)]
    assert [found.verdict for found in first] == [MORE, REJECT]


def test_what_earlier_ties_ceded_is_not_to_be_had_again():
    rule = replace(FIVE, min_improvement=1.0)

    def weighed(by, ceded):
        known = replace(NOISY, ceded=ceded)
        return weigh(case(shifted(by), BASE, rule=rule, against=known, lines=SHORT), final=True)

    assert weighed(-0.3, 0.0).verdict is ACCEPT
    again = weighed(-0.3, 0.45)
    assert again.verdict is UNDECIDED
    assert again.complexity.ceded == 0.45
    assert weighed(-0.05, 0.45).complexity.ceded > 0.45
    assert weighed(3.0, 0.45).complexity.ceded == 0.0


def test_once_half_of_min_improvement_is_ceded_there_are_no_more_ties_until_a_win():
    rule = replace(FIVE, min_improvement=1.0)
    for ceded, verdict in ((0.49, ACCEPT), (0.5, REJECT)):
        spent = replace(NOISY, ceded=ceded)
        found = weigh(case(shifted(-0.05), BASE, rule=rule, against=spent, lines=SHORT))
        assert found.verdict is verdict


def test_the_next_standing_knows_the_samples_the_lines_and_what_was_ceded():
    rule = replace(FIVE, min_improvement=1.0)
    found = weigh(case(shifted(-0.05), BASE, rule=rule, against=NOISY, lines=SHORT))
    after = standing_after("RUN-C", found)
    assert after == Standing("RUN-C", samples(shifted(-0.05)), SHORT, found.complexity.ceded)


def test_two_hundred_shorter_candidates_lead_downhill_by_no_more_than_min_improvement():
    """Each is truly worse by a fifth of the noise, and there is always a shorter one."""
    rng = random.Random(7)
    rule = Acceptance(repeats=5, min_improvement=1.0)
    true, kept, accepted = 0.0, standing(*(rng.gauss(0, 1) for _ in range(5))), 0
    for number in range(200):
        worse = true - 0.2
        found = measured_out(
            lambda worse=worse: rng.gauss(worse, 1),
            lambda true=true: rng.gauss(true, 1),
            rule=rule,
            against=kept,
            lines=kept.lines - 1,
        )
        if found.verdict is ACCEPT:
            true, accepted = worse, accepted + 1
            kept = standing_after(f"RUN-{number}", found)
    assert accepted > 0
    assert true >= -1.0


# Guards


@pytest.mark.parametrize(
    ("guard", "kept"),
    [
        (Guard(min=5.0), True),
        (Guard(min=5.1), False),
        (Guard(max=5.0), True),
        (Guard(max=4.9), False),
        (Guard(min=4.0, max=6.0), True),
    ],
)
def test_a_guard_vetoes_by_the_mean_of_its_metric(guard, kept):
    measured = tuple(
        replace(sample, secondary={"size": size})
        for sample, size in zip(samples([11.0, 11.0]), (4.0, 6.0), strict=True)
    )
    rule = Acceptance(guards={"size": guard})
    found = weigh(Case(UP, rule, Measurement(measured, lines=SAME), standing(10.0)))
    assert found.verdict is (ACCEPT if kept else REJECT)
    assert found.guards[0].mean == 5.0
    assert found.guards[0].kept is kept


def test_a_guard_whose_metric_is_missing_vetoes_at_once_and_says_so():
    rule = replace(FIVE, guards={"size": Guard(max=5.0)})
    found = weigh(case([10.0], [10.0], rule=rule, against=NOISY))
    assert found.verdict is REJECT
    assert found.reason == "A guard is broken: the guarded metric size was not measured."
    assert found.guards[0].mean is None


def test_a_guard_whose_metric_one_sample_lacks_vetoes_too():
    rule = Acceptance(guards={"size": Guard(max=5.0)})
    measured = (*samples([11.0], size=4.0), *samples([11.0]))
    found = weigh(Case(UP, rule, Measurement(measured, lines=SAME), standing(10.0)))
    assert found.verdict is REJECT


def test_a_broken_guard_ends_measuring_once_there_are_repeats_samples():
    rule = replace(FIVE, guards={"size": Guard(max=5.0)})
    open_ = weigh(case([10.0], [10.0], rule=rule, against=NOISY, secondary={"size": 6.0}))
    assert open_.verdict is MORE
    barely = [11.0, 9.2, 10.8, 10.9, 9.4]
    ended = weigh(case(barely, BASE, rule=rule, against=NOISY, secondary={"size": 6.0}))
    assert ended.verdict is REJECT
    assert ended.turns == ()


# The hold-out


def test_a_winner_whose_hold_out_failed_is_withdrawn():
    fault = {"holdout_fault": "it ended with status 1"}
    found = weigh(case([11.0], against=standing(10.0), **fault))
    assert found.verdict is REJECT
    assert "the hold-out failed: it ended with status 1" in found.reason
    assert not found.complexity.broke_tie
    tie = weigh(case([10.0], against=standing(10.0), lines=SHORT, **fault))
    assert tie.verdict is REJECT
    assert not tie.complexity.broke_tie


def test_a_winner_that_is_worse_on_the_hold_out_is_withdrawn():
    found = weigh(case([11.0], against=standing(10.0), holdout=6.9, holdout_before=7.0))
    assert found.verdict is REJECT
    assert found.holdout is not None
    assert found.holdout.gain == pytest.approx(-0.1)
    assert found.holdout.gap == pytest.approx(1.1)
    lower = weigh(
        case([9.0], against=standing(10.0), holdout=6.9, holdout_before=7.0, direction=DOWN)
    )
    assert lower.verdict is ACCEPT
    assert lower.holdout is not None
    assert lower.holdout.gap == pytest.approx(0.9)


def test_the_hold_out_may_be_worse_by_min_improvement_or_by_the_noise_of_two_measurements():
    rule = Acceptance(min_improvement=0.5)
    found = weigh(case([11.0], against=standing(10.0), rule=rule, holdout=6.6, holdout_before=7.0))
    assert found.verdict is ACCEPT
    found = weigh(case(shifted(3.0), BASE, rule=FIVE, against=NOISY, holdout=6, holdout_before=7))
    assert found.verdict is ACCEPT
    assert found.holdout is not None
    assert found.holdout.tolerance == pytest.approx(2.132 * 2**0.5 * 0.625**0.5, rel=1e-3)
    found = weigh(case(shifted(3.0), BASE, rule=FIVE, against=NOISY, holdout=4, holdout_before=7))
    assert found.verdict is REJECT


def test_the_first_hold_out_has_nothing_to_be_compared_with():
    found = weigh(case([11.0], against=standing(10.0), holdout=7.0))
    assert found.verdict is ACCEPT
    assert found.holdout is not None
    assert found.holdout.gap is None


def test_a_hold_out_that_was_not_run_yet_or_not_earned_decides_nothing():
    assert weigh(case([11.0], against=standing(10.0), holdout_before=7.0)).holdout is None
    assert weigh(case([9.0], against=standing(10.0), holdout_fault="broken")).holdout is None
