"""Holds ``hermes.tried``: what a code loop remembers of its candidates."""

from __future__ import annotations

from records import run_line

from hermes.exchange import Spending
from hermes.measured import Code
from hermes.model import Outcome
from hermes.tried import MOST_DROPPED, MOST_KEPT, Memory, fold_run


def code_line(seq, *, accepted=False, outcome=Outcome.REJECTED, **code):
    given = {"evaluator": "e", "candidate": f"c{seq}", "compared_with": "RUN-0", **code}
    value = 1.0 if accepted else None
    outcome = Outcome.SUCCESS if accepted else outcome
    return run_line(seq, outcome, value, accepted=accepted, code=Code(**given))


def folded(*lines):
    memory = Memory()
    for line in lines:
        memory = fold_run(memory, line)
    return memory


def test_what_was_kept_and_what_was_not_are_remembered_apart():
    memory = folded(
        code_line(1, accepted=True, hypothesis="caching", measured=1.0),
        code_line(2, hypothesis="threads", measured=3.0),
    )
    assert [(item.seq, item.hypothesis) for item in memory.kept] == [(1, "caching")]
    assert [(item.seq, item.measured) for item in memory.dropped] == [(2, 3.0)]


def test_baselines_runs_that_were_cut_off_and_searches_leave_nothing():
    memory = folded(
        run_line(1),
        code_line(2, accepted=True, compared_with=None),
        code_line(3, outcome=Outcome.INFRA),
    )
    assert (memory.kept, memory.dropped, memory.count) == ((), (), 0)


def test_its_size_does_not_grow_with_history():
    memory = folded(*(code_line(seq, accepted=seq % 2 == 0) for seq in range(1, 500)))
    assert (len(memory.kept), len(memory.dropped), memory.count) == (MOST_KEPT, MOST_DROPPED, 499)
    assert memory.dropped[-1].seq == 499


def test_what_agents_took_adds_up_also_where_nothing_came_of_it():
    spent = Spending(calls=1, input_tokens=10, output_tokens=5, cost_usd=0.5, seconds=3.0)
    memory = folded(
        code_line(1, spending=spent),
        code_line(2, outcome=Outcome.INFRA, spending=spent, resets_at="2026-01-01T00:00:00.0Z"),
        code_line(3),
    )
    assert memory.spending == Spending(2, 20, 10, 1.0, 6.0)
    assert (memory.agent_runs, memory.resets_at) == (2, None)


def test_asking_an_agent_for_parameters_counts_too():
    memory = folded(run_line(1, asked=Spending(calls=2, cost_usd=0.25)), run_line(2))
    assert (memory.spending, memory.agent_runs) == (Spending(calls=2, cost_usd=0.25), 1)
