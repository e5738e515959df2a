from __future__ import annotations

import dataclasses

import pytest
from records import created_line, phase_line, run_line, time_of

from hermes import cadence, policy
from hermes.decisions import Intent, JournalRecord
from hermes.exchange import Spending
from hermes.model import Direction, Outcome, Phase, Priority
from hermes.spec import AgentBudget, spec_from_mapping
from hermes.state import ExperimentState, fold_intent, fold_run
from hermes.status import status_of


def a_spec(**fields):
    return spec_from_mapping(
        {"id": "x", "goal": "g", "metric": "loss", "metric_direction": "minimize", **fields}
    )


def a_state(*records):
    state = fold_intent(ExperimentState(Direction.MINIMIZE), created_line())
    for record in records:
        fold = fold_run if hasattr(record, "run_id") else fold_intent
        state = fold(state, record)
    return state


def a_status(spec=None, state=None, **changes):
    status = status_of(spec or a_spec(), "f" * 64, state or a_state())
    return dataclasses.replace(status, **changes)


def failed(count, start=1):
    return [run_line(seq, Outcome.FAILED) for seq in range(start, start + count)]


def test_urgent_goes_first_and_among_equals_the_longest_waiting():
    low = a_status(id="low", priority=Priority.LOW, last_run_at=time_of(1))
    late = a_status(id="late", last_run_at=time_of(9))
    early = a_status(id="early", last_run_at=time_of(5))
    urgent = a_status(id="urgent", priority=Priority.URGENT, last_run_at=time_of(99))
    order = [status.id for status in policy.in_turn([low, late, early, urgent])]
    assert order == ["urgent", "early", "late", "low"]


def test_three_experiments_of_equal_priority_take_turns_and_none_starves():
    waiting = {name: time_of(0) for name in "abc"}
    turns = []
    for second in range(1, 10):
        statuses = [a_status(id=name, last_run_at=at) for name, at in waiting.items()]
        chosen = policy.in_turn(statuses)[0].id
        turns.append(chosen)
        waiting[chosen] = time_of(second)
    assert turns == list("abc") * 3


def test_a_cycle_gives_each_one_run_before_anybody_gets_a_second():
    turns = [a_status(id=name, max_iterations_per_run=5) for name in "ab"]
    assert policy.shares(turns, 3) == {"a": 2, "b": 1}
    assert policy.shares(turns, 1) == {"a": 1}
    assert policy.shares([], 3) == {}


def test_a_cadence_holds_the_next_run_back_until_its_time():
    spec = a_spec(cadence="every-10-minutes")
    status = a_status(spec, a_state(run_line(1)))
    assert status.next_due_at == time_of(601)
    assert not policy.is_due(status, time_of(600))
    assert policy.is_due(status, time_of(601))


def test_a_first_run_is_due_at_once_whatever_the_cadence():
    assert policy.is_due(a_status(a_spec(cadence="weekly")), time_of(0))


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.COMPLETED, Phase.AWAITING_HUMAN])
def test_what_is_held_is_never_due_and_says_why(phase):
    state = a_state(phase_line(2, phase, reason="lunch"))
    status = a_status(state=state)
    assert not policy.is_due(status, time_of(10**4))
    assert status.blocked_reason == "lunch"
    assert "lunch" in policy.refusal(state, attended=False)


def test_a_person_may_run_what_waits_for_a_person_but_not_what_is_paused():
    waiting = a_state(phase_line(2, Phase.AWAITING_HUMAN))
    assert policy.refusal(waiting, attended=True) is None
    assert policy.refusal(a_state(phase_line(2, Phase.PAUSED)), attended=True)


def test_what_a_person_guides_runs_at_that_persons_word_alone():
    begun = JournalRecord(2, time_of(2), Intent.GUIDED, "human", 0, runs=3, since=0)
    state = a_state(begun)
    assert "a person guides it" in policy.refusal(state, attended=False)
    assert policy.refusal(state, attended=True) is None
    assert policy.refusal(state, attended=True, begun=True) is None
    assert not policy.is_due(a_status(state=state), time_of(10**4))
    held = a_state(begun, phase_line(3, Phase.PAUSED, reason="lunch"))
    assert a_status(state=held).blocked_reason == "lunch"


@pytest.mark.parametrize(
    ("failures", "phase"),
    [(2, None), (3, Phase.AWAITING_HUMAN), (4, Phase.AWAITING_HUMAN), (5, Phase.PAUSED)],
)
def test_unattended_failures_call_for_a_person_and_then_pause(failures, phase):
    change = policy.review(a_state(*failed(failures)), a_spec(), attended=False)
    assert (change.phase if change else None) is phase


def test_a_burst_bears_twenty_failures_but_only_five_of_what_never_worked():
    spec = a_spec()
    assert policy.review(a_state(*failed(4)), spec, attended=True) is None
    assert policy.review(a_state(*failed(5)), spec, attended=True)
    worked = [run_line(1), *failed(19, 2)]
    assert policy.review(a_state(*worked), spec, attended=True) is None
    assert policy.review(a_state(*worked, run_line(21, Outcome.FAILED)), spec, attended=True)


@pytest.mark.parametrize("attended", [True, False])
def test_max_failure_streak_sets_the_limit_for_both(attended):
    spec = a_spec(max_failure_streak=7)
    assert policy.review(a_state(*failed(6)), spec, attended=attended) is None
    assert policy.review(a_state(*failed(7)), spec, attended=attended)


def test_the_budget_of_iterations_completes_and_does_not_count_what_was_cut_off():
    spec = a_spec(max_iterations_total=2)
    cut = run_line(2, Outcome.INTERRUPTED)
    assert policy.review(a_state(run_line(1), cut), spec, attended=True) is None
    change = policy.review(a_state(run_line(1), cut, run_line(3)), spec, attended=True)
    assert change.phase is Phase.COMPLETED
    assert "max_iterations_total (2)" in change.reason


def test_without_autonomy_each_unattended_run_waits_to_be_looked_at():
    spec = a_spec(autonomous=False)
    assert policy.review(a_state(), spec, attended=False) is None
    seen = a_state(run_line(1))
    assert policy.review(seen, spec, attended=False).phase is Phase.AWAITING_HUMAN
    assert policy.review(seen, spec, attended=True) is None
    resumed = fold_intent(seen, phase_line(2, Phase.ACTIVE, after_runs=1))
    assert policy.review(resumed, spec, attended=False) is None


def test_roles_take_turns():
    spec = a_spec(worker_roles=["scout", "builder"])
    assert [policy.role_for(spec, i) for i in (1, 2, 3)] == ["scout", "builder", "scout"]


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("hourly", "2026-01-01T01:00:01.000000Z"),
        ("daily", "2026-01-02T00:00:01.000000Z"),
        ("weekly", "2026-01-08T00:00:01.000000Z"),
        ("every-2-hours", "2026-01-01T02:00:01.000000Z"),
        ("30 6 * * *", "2026-01-01T06:30:00.000000Z"),
    ],
)
def test_cadences_are_words_or_cron_expressions_in_utc(words, due):
    assert cadence.check(words) is None
    assert cadence.next_due(words, time_of(1)) == due


@pytest.mark.parametrize("words", ["soon", "every-0-minutes", "* * *", "99 * * * *", "0 0 31 2 *"])
def test_a_cadence_that_means_nothing_is_told_so(words):
    assert cadence.check(words)


def test_the_status_is_blind_to_failures_when_it_names_the_best():
    lines = [run_line(1, value=5.0), run_line(2, Outcome.TIMEOUT), run_line(3, value=7.0)]
    status = a_status(state=a_state(*lines))
    assert (status.best_metric_value, status.best_run) == (5.0, lines[0].run_id)
    assert status.last_outcome == "success"


def test_the_best_of_all_is_the_best_of_the_highest_tier_that_has_one():
    spec = a_spec(fidelity_tiers=["smoke", "full"])
    state = a_state(
        run_line(1, value=1.0, fidelity_tier="smoke"), run_line(2, value=9.0, fidelity_tier="full")
    )
    assert a_status(spec, state).best_metric_value == 9.0
    assert a_status(spec, state).best_metric_by_tier == {"smoke": 1.0, "full": 9.0}


# What agents may take


def spent(budget, runs=3, **more):
    taken = {"input_tokens": 900, "output_tokens": 100, "cost_usd": 1.25, "seconds": 90.0, **more}
    return policy.overspent(budget, Spending(calls=4, **taken), runs, experiment="exp")


def test_without_a_budget_and_within_it_agents_go_on():
    assert spent(AgentBudget()) is None
    assert spent(AgentBudget(runs=4, tokens=1001, usd=1.2501, minutes=1.51)) is None


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (AgentBudget(runs=3), "3 of 3 runs"),
        (AgentBudget(tokens=1000), "1000 of 1000 tokens"),
        (AgentBudget(usd=1.25), "1.25 of 1.25 US dollars"),
        (AgentBudget(minutes=1.5), "1.5 of 1.5 minutes"),
        (AgentBudget(runs=0), "3 of 0 runs"),
    ],
)
def test_each_limit_of_the_budget_ends_it_by_itself(budget, said):
    assert spent(budget) == (
        f"agent_budget is spent ({said}); "
        "raise agent_budget in SPEC.yaml, then `hermes-lab resume exp=exp`"
    )


def test_a_spent_budget_says_what_was_spent_of_what_the_reached_limits_first():
    note = spent(AgentBudget(runs=10, tokens=10**6, usd=1.0, minutes=60))
    words = "1.25 of 1 US dollars, 3 of 10 runs, 1000 of 1000000 tokens, 1.5 of 60 minutes"
    assert f"({words})" in note


def test_a_budget_of_nothing_allows_nothing():
    assert policy.overspent(AgentBudget(usd=0.0), Spending(), 0) is not None
