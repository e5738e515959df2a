from __future__ import annotations

import dataclasses
import hashlib
import random
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import created_line, phase_line, run_line

from hermes import codec
from hermes.discoveries import RECENT_DISCOVERIES
from hermes.measured import Code
from hermes.model import DERIVED_VERSION, LARGEST, Direction, Outcome, Phase
from hermes.state import MOST_RETRIES, ExperimentState, fold_intent, fold_run

FAILURES = [outcome for outcome in Outcome if outcome.is_failure]


def folded(lines, direction=Direction.MINIMIZE):
    state = ExperimentState(direction)
    for line in lines:
        state = fold_run(state, line)
    return state


outcomes = st.lists(st.sampled_from(list(Outcome)), max_size=30)
values = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(
    st.lists(st.tuples(st.sampled_from(list(Outcome)), values), max_size=30),
    st.sampled_from(list(Direction)),
)
def test_only_successes_decide_what_is_best(runs, direction):
    lines = [run_line(i, outcome, value) for i, (outcome, value) in enumerate(runs, 1)]
    successes = [line for line in lines if line.outcome is Outcome.SUCCESS]
    pick = max if direction is Direction.MAXIMIZE else min
    best = folded(lines, direction).best("default")
    if not successes:
        assert best is None
    else:
        expected = pick(line.value for line in successes)
        assert best.value == expected
        first = next(line for line in successes if line.value == expected)
        assert best.run_id == first.run_id


@given(outcomes, st.data())
def test_a_fold_that_is_resumed_equals_one_from_zero(kinds, data):
    lines = [run_line(i, outcome) for i, outcome in enumerate(kinds, 1)]
    cut = data.draw(st.integers(0, len(lines)))
    early = codec.decode(ExperimentState, codec.from_json(codec.to_json(folded(lines[:cut]))))
    for line in lines[cut:]:
        early = fold_run(early, line)
    assert codec.to_json(early) == codec.to_json(folded(lines))


@given(
    outcomes,
    st.lists(st.tuples(st.sampled_from(list(Phase)), st.integers(0, 30)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_order_between_the_two_streams_does_not_matter(kinds, phases, shuffler):
    runs = [run_line(i, outcome) for i, outcome in enumerate(kinds, 1)]
    intents = [created_line()] + [
        phase_line(i, phase, min(after, len(runs))) for i, (phase, after) in enumerate(phases, 2)
    ]
    expected = interleaved(runs, intents, lambda: True)
    assert interleaved(runs, intents, lambda: False) == expected
    assert interleaved(runs, intents, lambda: shuffler.random() < 0.5) == expected


def interleaved(runs, intents, runs_first):
    state, runs, intents = ExperimentState(Direction.MINIMIZE), list(runs), list(intents)
    while runs or intents:
        if runs and (not intents or runs_first()):
            state = fold_run(state, runs.pop(0))
        else:
            state = fold_intent(state, intents.pop(0))
    return state


@pytest.mark.parametrize("outcome", FAILURES)
def test_failures_in_a_row_make_a_streak_and_a_success_ends_it(outcome):
    lines = [run_line(1), run_line(2, outcome), run_line(3, outcome)]
    assert folded(lines).failure_streak == 2
    assert folded([*lines, run_line(4)]).failure_streak == 0


def test_what_is_neither_working_nor_failing_leaves_the_streak_alone():
    lines = [run_line(1, Outcome.FAILED), run_line(2, Outcome.STUB), run_line(3, Outcome.SKIPPED)]
    assert folded([*lines, run_line(4, Outcome.INTERRUPTED)]).failure_streak == 1


def test_resuming_forgives_the_failures_before_it_and_not_those_after():
    state = folded([run_line(i, Outcome.FAILED) for i in (1, 2, 3)])
    state = fold_intent(state, phase_line(2, Phase.ACTIVE, after_runs=3))
    assert state.failure_streak == 0
    assert fold_run(state, run_line(4, Outcome.FAILED)).failure_streak == 1


def test_an_interrupted_trial_waits_to_run_again_until_it_has():
    state = folded([run_line(1), run_line(2, Outcome.INTERRUPTED)])
    assert [retry.trial for retry in state.retries] == [2]
    assert state.charged_count == 1
    assert fold_run(state, run_line(3, trial=2)).retries == ()


def test_a_trial_that_runs_again_is_built_upon_the_same_runs():
    cut = run_line(2, Outcome.INTERRUPTED, parents=("RUN-1", "RUN-0"))
    assert folded([run_line(1), cut]).retries[0].parents == ("RUN-1", "RUN-0")


def test_a_trial_that_is_cut_off_again_and_again_is_given_up():
    lines = [run_line(i, Outcome.INTERRUPTED, trial=1) for i in range(1, MOST_RETRIES + 2)]
    assert folded(lines[:-1]).retries != ()
    assert folded(lines).retries == ()


def test_tiers_are_ranked_apart():
    lines = [run_line(1, value=5.0, fidelity_tier="smoke"), run_line(2, value=9.0)]
    state = folded(lines)
    assert state.best("smoke").value == 5.0
    assert state.best("default").value == 9.0


def test_a_queued_experiment_becomes_active_with_its_first_run():
    state = ExperimentState(Direction.MINIMIZE)
    assert state.phase is Phase.QUEUED
    assert fold_run(state, run_line(1)).phase is Phase.ACTIVE


def test_the_state_does_not_grow_with_history():
    generator = random.Random(0)
    state = ExperimentState(Direction.MAXIMIZE)
    sizes = []
    for i in range(1, 2001):
        outcome = generator.choice([Outcome.SUCCESS, Outcome.FAILED, Outcome.TIMEOUT])
        state = fold_run(state, run_line(i, outcome))
        if i in (200, 2000):
            sizes.append(len(codec.to_json(state)))
    assert sizes[1] < sizes[0] * 1.2


def shape(kind, seen=()) -> str:
    """Return the fields of a record and of the records in it, with their types, as text."""
    if dataclasses.is_dataclass(kind) and kind not in seen:
        hints = typing.get_type_hints(kind)
        inner = [f"{name}:{shape(hint, (*seen, kind))}" for name, hint in hints.items()]
        return f"{kind.__name__}({','.join(inner)})"
    origin = typing.get_origin(kind)
    inside = ",".join(shape(item, seen) for item in typing.get_args(kind))
    if origin in (typing.Union, types.UnionType):
        return f"({inside})"  # spelled differently from one version of Python to the next
    return f"{origin.__name__}[{inside}]" if origin else getattr(kind, "__name__", repr(kind))


def test_whoever_changes_the_state_gives_what_is_derived_another_version():
    """Else a checkpoint from before would be taken for a state that has all its fields."""
    fingerprint = hashlib.sha256(shape(ExperimentState).encode()).hexdigest()[:8]
    assert (DERIVED_VERSION, fingerprint) == (9, "4a06b012")


# what was found, and by whom


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Outcome)),
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from("ab"),
            st.sampled_from(["fast", "full"]),
        ),
        max_size=60,
    ),
    st.sampled_from(list(Direction)),
)
def test_the_tallies_agree_with_a_count_by_hand(runs, direction):
    lines = [
        run_line(i, outcome, value, strategy=strategy, fidelity_tier=tier, wall_seconds=2.0)
        for i, (outcome, value, strategy, tier) in enumerate(runs, 1)
    ]
    state = folded(lines, direction)
    codec.to_json(state)  # nothing in it is infinite
    found, improvements = by_hand(lines, direction)
    assert [(item.seq, item.gain) for item in state.discoveries] == found[-RECENT_DISCOVERIES:]
    pick = max if direction is Direction.MAXIMIZE else min
    assert set(state.by_strategy) == {line.strategy for line in lines}
    for name, tally in state.by_strategy.items():
        own = [line for line in lines if line.strategy == name]
        assert (tally.runs, tally.wall_seconds) == (len(own), 2.0 * len(own))
        for tier in ("fast", "full"):
            values = [line.value for line in own if line.fidelity_tier == tier]
            values = [value for value in values if value is not None]
            assert tally.best_by_tier.get(tier) == (pick(values) if values else None)
            assert tally.improvement_by_tier.get(tier) == improvements.get((name, tier))


def by_hand(lines, direction):
    """Return ``(seq, gain)`` of each discovery, and the sum of gains by strategy and tier."""
    best, found, sums = {}, [], {}
    for line in (line for line in lines if line.value is not None):
        tier, before = line.fidelity_tier, best.get(line.fidelity_tier)
        if before is not None and not direction.better(line.value, before):
            continue
        gain = None if before is None else min(abs(line.value - before), LARGEST)
        found.append((line.seq, gain))
        if gain is not None:
            key = (line.strategy, tier)
            sums[key] = min(sums.get(key, 0.0) + gain, LARGEST)
        best[tier] = line.value
    return found, sums


def test_a_discovery_names_run_strategy_value_and_gain():
    lines = [
        run_line(1, value=9.0),
        run_line(2, Outcome.FAILED),
        run_line(3, value=7.5, strategy="perturb", accepted=True),
        run_line(4, value=7.5),
    ]
    first, second = folded(lines).discoveries
    assert (first.seq, first.value, first.gain, first.strategy) == (1, 9.0, None, "random")
    assert (second.run_id, second.value, second.gain) == ("RUN-000003-worker", 7.5, 1.5)
    assert (second.strategy, second.accepted, first.accepted) == ("perturb", True, False)


def test_the_last_discoveries_are_kept():
    state = folded([run_line(i, value=-float(i)) for i in range(1, 101)])
    assert [item.seq for item in state.discoveries] == list(range(81, 101))
    assert state.by_strategy["random"].improvement_by_tier == {"default": 99.0}


def test_the_duplicates_that_strategies_avoided_are_added_up():
    lines = [run_line(i, strategy="ab"[i % 2], duplicates_avoided=i) for i in range(1, 5)]
    tallies = folded(lines).by_strategy
    assert (tallies["a"].duplicates_avoided, tallies["b"].duplicates_avoided) == (6, 4)


def baseline(seq, value, evaluator, **changes):
    code = Code(evaluator, f"c{seq}", measured=value)
    return run_line(
        seq, value=value, accepted=True, strategy="baseline", params={}, code=code, **changes
    )


def test_a_baseline_is_no_improvement_and_begins_the_tallies_of_its_tier_anew():
    lines = [
        baseline(1, 9.0, "old"),
        run_line(2, value=4.0, accepted=True, strategy="mutation", code=Code("old", "c2", "RUN-1")),
        run_line(3, value=7.0, fidelity_tier="other"),
        run_line(4, value=5.0, fidelity_tier="other"),
        baseline(5, 3.0, "new"),
    ]
    state = folded(lines)
    assert [(item.seq, item.gain) for item in state.discoveries] == [(3, None), (4, 2.0), (5, None)]
    tallies = state.by_strategy
    assert (tallies["mutation"].runs, tallies["mutation"].accepted) == (1, 1)
    assert (tallies["mutation"].best_by_tier, tallies["mutation"].improvement_by_tier) == ({}, {})
    assert tallies["baseline"].best_by_tier == {"default": 3.0}
    assert tallies["baseline"].improvement_by_tier == {}
    assert tallies["random"].improvement_by_tier == {"other": 2.0}
    later = run_line(6, value=1.0, accepted=True, strategy="mutation", code=Code("new", "c6", "R"))
    found = fold_run(state, later)
    assert found.discoveries[-1].gain == 2.0
    assert found.by_strategy["mutation"].improvement_by_tier == {"default": 2.0}


def test_what_a_code_loop_accepted_last_is_the_incumbent_though_its_value_is_no_better():
    first = run_line(1, value=1.0, accepted=True, code=Code("e", "c1"))
    shorter = run_line(2, value=1.25, accepted=True, code=Code("e", "c2", first.run_id))
    assert folded([first, shorter]).incumbents["default"].run_id == shorter.run_id
    plain = run_line(2, value=1.25, accepted=True)
    assert folded([run_line(1, value=1.0, accepted=True), plain]).incumbents["default"].seq == 1
