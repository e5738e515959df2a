from __future__ import annotations

import pytest
from records import run_line
from render_cases import HOSTILE, blocked, folded, history, hostile_experiment, spec, status
from render_reading import check_readable, check_tables, section

from hermes.model import Event, Outcome, Phase
from hermes.render.digest import daily

DAY = "2026-01-01"


def event(seq: int, kind: str, detail: str = "", at: str = f"{DAY}T10:20:30.000000Z") -> Event:
    return Event(seq, at, kind, "tune-it", None, detail, None)


def page(statuses=None, runs=None, events=()) -> str:
    statuses = [status()] if statuses is None else statuses
    runs = {"tune-it": history()} if runs is None else runs
    return daily(DAY, statuses, runs, list(events)).decode()


def test_the_digest_counts_the_runs_of_the_day():
    told = section(page(), "What happened")
    assert "30 runs in 1 experiment: 26 success, 4 failed; 15 s." in told
    assert "| tune-it | 30 | 26 | 17 | 4 | success | loss = 0.0344828 |" in told


def test_runs_and_events_of_other_days_are_left_out():
    other = run_line(99, completed_at="2026-01-02T00:00:00.000000Z", accepted=True)
    late = event(9, "phase", "tomorrow", at="2026-01-02T00:00:00.000000Z")
    assert page(runs={"tune-it": [*history(), other]}, events=[late]) == page()


def test_the_digest_names_the_last_new_best_of_each_tier():
    runs = [
        run_line(1, value=3.0, accepted=True, fidelity_tier="fast"),
        run_line(2, value=2.0, accepted=True, fidelity_tier="fast"),
        run_line(3, value=9.0, accepted=True, fidelity_tier="full", params={"lr": 0.5}),
        run_line(4, Outcome.FAILED, fidelity_tier="full"),
    ]
    told = section(page(runs={"tune-it": runs}), "What was found")
    assert told.count("\n") == 1
    assert "tier `fast`: loss = 2 " in told
    assert "tier `full`: loss = 9 with `lr=0.5`" in told


def test_the_digest_says_what_needs_a_decision():
    waiting = status(spec(id="other"), blocked(Phase.AWAITING_HUMAN, "look at it"))
    told = section(page([status(), waiting]), "What needs a decision")
    assert "- `other` is awaiting-human: look at it. Then: `hermes-lab resume exp=other`" in told
    assert "tune-it" not in told


def test_a_quiet_day_says_so():
    told = page(runs={})
    assert "No run was completed." in told
    assert "No new best." in told
    assert "Nothing waits for a person." in told


def test_the_digest_tells_events_that_the_runs_do_not_tell():
    told = page(events=[event(1, "sealed"), event(2, "phase", "paused: budget")])
    assert "- 10:20:30 phase `tune-it`: paused: budget" in section(told, "What else was noted")
    assert "sealed" not in told


def test_many_events_are_cut():
    told = page(events=[event(n, "phase", f"detail {n}") for n in range(200)])
    assert "… 150 before these" in told
    assert "detail 149" not in told
    assert "detail 199" in told


def test_experiments_stand_in_the_order_of_their_names_whatever_order_they_come_in():
    runs = {"b": history(3), "a": history(3)}
    assert page(runs=runs) == page(runs=dict(reversed(runs.items())))
    assert page(runs=runs).index("| a |") < page(runs=runs).index("| b |")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_does_not_break_the_digest(hostile):
    _, state, made = hostile_experiment(hostile)
    runs = {"tune-it": list(state.recent), hostile: history(3)}
    told = page([made], runs, [event(1, hostile, hostile)])
    check_tables(told)
    check_readable(told)
    assert len(told.encode()) < 40_000


def test_an_experiment_whose_status_cannot_be_read_still_counts():
    told = page([], {"gone": history(3)})
    assert "| gone | 3 |" in told
    assert "value = " in section(told, "What was found")
    assert page([status(state=folded())], {"tune-it": history(3)}).count("| - |") == 1
