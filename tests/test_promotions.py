"""Holds ``hermes.promotions``: what the workspace is owed, whatever is folded first."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from records import run_line, time_of

from hermes.decisions import Decision, Intent, JournalRecord
from hermes.measured import Code
from hermes.promotions import Mark, Promotions, Refusal, Written, fold_intent, fold_run

MUTATED = Code("e", "c", "RUN-000001-worker")


def accepted(seq: int, **fields):
    return run_line(seq, accepted=True, **{"code": MUTATED, **fields})


def told(seq: int, run: int, decision: Decision = Decision.APPLIED) -> JournalRecord:
    request = f"RUN-{run:06d}-worker"
    return JournalRecord(
        seq, time_of(seq), Intent.PROMOTION, "lab", run, request=request, decision=decision
    )


def folded(*items) -> Promotions:
    state = Promotions()
    for item in items:
        fold = fold_intent if isinstance(item, JournalRecord) else fold_run
        state = fold(state, item)
    return state


def test_the_run_accepted_last_is_owed_until_a_line_names_it() -> None:
    assert folded().owed is None
    assert folded(accepted(2)).owed == "RUN-000002-worker"
    assert folded(accepted(2), told(1, 2)).owed is None
    assert folded(accepted(2), told(1, 2), accepted(3)).owed == "RUN-000003-worker"
    assert folded(accepted(2), accepted(3), told(1, 3)).owed is None


def test_a_baseline_a_plain_run_and_one_that_was_turned_down_bring_nothing() -> None:
    baseline = replace(MUTATED, compared_with=None)
    for line in (accepted(2, code=baseline), accepted(2, code=None), run_line(2, code=MUTATED)):
        assert folded(line).owed is None


def test_a_refusal_ends_what_is_owed_and_is_no_commit() -> None:
    state = folded(
        *(accepted(2), told(1, 2, Decision.COMMITTED)),
        *(accepted(3), told(2, 3, Decision.REFUSED)),
    )
    assert state.owed is None
    assert state.committed == "RUN-000002-worker"
    assert state.last is not None
    assert state.last.decision is Decision.REFUSED


@given(st.lists(st.booleans(), max_size=12), st.randoms(use_true_random=False))
def test_journal_and_index_may_be_folded_in_any_interleaving(decisions, random) -> None:
    runs = [accepted(number + 2) for number in range(len(decisions))]
    lines = [
        told(number + 1, number + 2, Decision.COMMITTED if done else Decision.REFUSED)
        for number, done in enumerate(decisions)
    ]
    order = [True] * len(runs) + [False] * len(lines)
    random.shuffle(order)
    left, right = iter(runs), iter(lines)
    assert folded(*(next(left if first else right) for first in order)) == folded(*runs, *lines)


def test_what_is_allowed_to_stand_there_is_what_was_found_or_written() -> None:
    before, after = Mark("1", executable=False), Mark("2", executable=False)
    entry = Written(None, before, after)
    assert entry.allows(before)
    assert entry.allows(after)
    assert not entry.allows(None)
    assert not entry.allows(replace(after, executable=True))


def test_a_refusal_says_why_and_what_to_do() -> None:
    assert str(Refusal("it is checked out", "check out another")) == (
        "it is checked out; check out another"
    )
