"""Pure decisions about who runs next, who may not, and when an experiment needs a person.

Everything is an argument: the state, the SPEC, the time. Hands elsewhere carry the answers out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hermes.exchange import Spending
from hermes.model import Outcome, Phase, Priority
from hermes.status import Status, guidance

if TYPE_CHECKING:  # whoever only asks who is due folds nothing
    from hermes.spec import AgentBudget, Spec
    from hermes.state import ExperimentState

_RANK = {
    Priority.URGENT: 0,
    Priority.HIGH: 1,
    Priority.NORMAL: 2,
    Priority.LOW: 3,
}
_ELIGIBLE = (Phase.QUEUED, Phase.ACTIVE)
ASK_AFTER = 3
_PAUSE_AFTER = 5
_BURST_LIMIT = 20
_NEVER_WORKED_LIMIT = 5
_MINUTE = 60.0


@dataclass(frozen=True)
class PhaseChange:
    """A phase to set and the reason to write beside it."""

    phase: Phase
    reason: str


def is_due(status: Status, now: str) -> bool:
    """Say whether an unattended cycle may run the experiment at ``now`` (ISO 8601, UTC).

    A last run from the future tells that the clock went back: what was due then is unknown, and
    the experiment must not wait for the clock to come there again.
    """
    if status.phase not in _ELIGIBLE:
        return False
    if status.next_due_at is None or status.next_due_at <= now:
        return True
    return status.last_run_at is not None and status.last_run_at > now


def has_turn(status: Status, now: str, *, sent: bool) -> bool:
    """Say whether an unattended cycle has a run to make; ``sent``: an agent's answer waits.

    Where agents come by themselves there is nothing to make but the first baseline, and what they
    sent, which has waited for its turn already.
    """
    if sent and status.phase in _ELIGIBLE:
        return True
    idle = status.waits_for_agents and status.best_run is not None
    return not idle and is_due(status, now)


def in_turn(statuses: Iterable[Status], *, now: str | None = None) -> list[Status]:
    """Order experiments: urgent before high before normal before low, longest-waiting first.

    One that had its turn after ``now``, by a clock that went back since, goes first: else it
    would starve until the clock comes there again.
    """

    def rank(item: Status) -> tuple[int, str, str]:
        since = item.waiting_since
        return _RANK[item.priority], "" if now is not None and since > now else since, item.id

    return sorted(statuses, key=rank)


def shares(turns: list[Status], max_runs: int) -> dict[str, int]:
    """Share ``max_runs`` runs of a cycle among experiments in their order.

    Each gets one; what is left goes, in the same order, to those that may have several in a row
    (``max_iterations_per_run``).
    """
    chosen = turns[:max_runs]
    quota = {status.id: 1 for status in chosen}
    left = max_runs - len(chosen)
    for status in chosen:
        extra = min(left, status.max_iterations_per_run - 1)
        quota[status.id] += extra
        left -= extra
    return quota


def refusal(state: ExperimentState, *, attended: bool, begun: bool = False) -> str | None:
    """Return why the experiment may not run now, or None.

    A person's own command (``attended``) also runs what is guided, and until it has ``begun``
    what awaits a human; but not while what a run changed outside of its sandbox may stand there
    still: that a person says by ``resume``.
    """
    allowed = (*_ELIGIBLE, Phase.AWAITING_HUMAN) if attended and not begun else _ELIGIBLE
    held = state.phase is Phase.AWAITING_HUMAN and has_reached_out(state)
    if state.phase in allowed and not held:
        return None if attended else guidance(state)
    why = f": {state.phase_reason}" if state.phase_reason else ""
    return f"it is {state.phase.value}{why}"


def remedy(state: ExperimentState, spec: Spec) -> str:
    """Return the next step for a person whose experiment may not run now."""
    resume = f"`hermes-lab resume exp={spec.id}`"
    if is_spent(state, spec):
        return f"Raise max_iterations_total in SPEC.yaml, then {resume}."
    return f"Run {resume} if it is to go on."


def review(state: ExperimentState, spec: Spec, *, attended: bool) -> PhaseChange | None:
    """Return the change of phase that the history calls for, or None.

    Asked after each run and before each plan, so that a change that a crash cut off is made up.
    """
    if state.phase in (Phase.PAUSED, Phase.COMPLETED):
        return None
    if is_spent(state, spec):
        reason = f"max_iterations_total ({spec.max_iterations_total}) is reached"
        return PhaseChange(Phase.COMPLETED, reason)
    change = _reach_change(state) or _budget_change(state, spec)
    change = change or _streak_change(state, spec, attended=attended)
    if change is None and not spec.autonomous and not attended and _has_new_run(state):
        change = PhaseChange(Phase.AWAITING_HUMAN, "autonomous is false: look at the last run")
    if change is not None and change.phase is state.phase:
        return None
    return change


def _reach_change(state: ExperimentState) -> PhaseChange | None:
    """Stop where something outside of the sandbox was changed: it may be what measures next."""
    if not has_reached_out(state) or state.last is None:
        return None
    reason = f"put right what was changed first: {state.last.reason}"
    return PhaseChange(Phase.AWAITING_HUMAN, reason)


def has_reached_out(state: ExperimentState) -> bool:
    """Say whether the last run changed something outside, and nobody has let it go on since."""
    last = state.last
    if last is None or last.code is None or last.seq <= state.forgiven_seq:
        return False
    return last.code.reached_out


def _budget_change(state: ExperimentState, spec: Spec) -> PhaseChange | None:
    memory = state.memory
    note = overspent(spec.agent_budget, memory.spending, memory.agent_runs, experiment=spec.id)
    return None if note is None else PhaseChange(Phase.AWAITING_HUMAN, note)


def is_spent(state: ExperimentState, spec: Spec, *, in_flight: int = 0) -> bool:
    """Say whether the runs sealed and ``in_flight`` are all that the experiment may have."""
    total = spec.max_iterations_total
    return total is not None and state.charged_count + in_flight >= total


def overspent(
    budget: AgentBudget, spending: Spending, runs: int, *, experiment: str = "ID"
) -> str | None:
    """Return why no agent may be asked any more, and how to go on; None while one may.

    ``runs`` are those for which an agent was asked, ``spending`` is what that took. Each limit of
    the budget is told, those that are reached first.
    """
    tokens = spending.input_tokens + spending.output_tokens
    told = [
        _spent(runs, budget.runs, "runs"),
        _spent(tokens, budget.tokens, "tokens"),
        _spent(spending.cost_usd, budget.usd, "US dollars"),
        _spent(spending.seconds / _MINUTE, budget.minutes, "minutes"),
    ]
    limited = [item for item in told if item is not None]
    if not any(is_reached for is_reached, _ in limited):
        return None
    words = ", ".join(text for _, text in sorted(limited, key=lambda item: not item[0]))
    go_on = f"raise agent_budget in SPEC.yaml, then `hermes-lab resume exp={experiment}`"
    return f"agent_budget is spent ({words}); {go_on}"


def _spent(amount: float, limit: float | None, unit: str) -> tuple[bool, str] | None:
    """Say whether a limit is reached, and how much is spent of it; None without a limit."""
    if limit is None:
        return None
    return amount >= limit, f"{_rounded(amount)} of {_rounded(limit)} {unit}"


def _rounded(amount: float) -> str:
    return str(amount) if isinstance(amount, int) else f"{amount:.2f}".rstrip("0").rstrip(".")


def _has_new_run(state: ExperimentState) -> bool:
    """Say whether a run was sealed after the phase was last set by a person."""
    return state.sealed_count > state.forgiven_seq and state.phase is not Phase.AWAITING_HUMAN


def _streak_change(state: ExperimentState, spec: Spec, *, attended: bool) -> PhaseChange | None:
    from hermes.state import RECENT_RUNS  # no longer streak of lost runs is remembered

    if _infra_streak(state) >= RECENT_RUNS:
        reason = f"the lab or the machine failed {RECENT_RUNS} runs in a row, the last: "
        return PhaseChange(Phase.AWAITING_HUMAN, reason + state.recent[-1].reason)
    limited = attended or spec.max_failure_streak is not None
    streak, least = state.failure_streak, streak_limit(state, spec) if limited else ASK_AFTER
    if streak < least:
        return None
    phase = Phase.PAUSED if not limited and streak >= _PAUSE_AFTER else Phase.AWAITING_HUMAN
    return PhaseChange(phase, f"{streak} failures in a row, the last: {last_failure(state)}")


def _infra_streak(state: ExperimentState) -> int:
    """Count the last runs in a row that were lost; no budget of the experiment's ends these."""
    count = 0
    for run in reversed(state.recent):
        if run.outcome is not Outcome.INFRA or run.seq <= state.forgiven_seq:
            break
        count += 1
    return count


def streak_limit(state: ExperimentState, spec: Spec) -> int:
    """Return how many failures in a row a search may have.

    Failing points are part of searching, so 20; but only 5 while nothing has ever worked.
    """
    if spec.max_failure_streak is not None:
        return spec.max_failure_streak
    return _BURST_LIMIT if state.success_count else _NEVER_WORKED_LIMIT


def last_failure(state: ExperimentState) -> str:
    """Return the outcome and reason of the last failure that is still remembered."""
    for run in reversed(state.recent):
        if run.outcome.is_failure:
            return f"{run.outcome.value}, {run.reason}" if run.reason else run.outcome.value
    return "unknown"


def role_for(spec: Spec, iteration: int) -> str:
    """Return the hat of ``iteration`` (from 1): the roles take turns."""
    return spec.worker_roles[(iteration - 1) % len(spec.worker_roles)]
