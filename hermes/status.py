"""What programs and people see of an experiment: the content of ``STATUS.json``.

Pure: ``status_of`` derives it from the SPEC, the folded state, and nothing else, so that a
rebuilt status equals the first one byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hermes.model import Direction, IndexLine, Params, Phase, Priority
from hermes.promotions import Promotion

if TYPE_CHECKING:  # whoever only reads statuses derives none
    from hermes.spec import Spec
    from hermes.state import ExperimentState, Scored
    from hermes.steering import Waiting


@dataclass(frozen=True)
class AsOf:
    """What a projection was made from: the SPEC's digest and the bytes folded of both streams."""

    spec_sha256: str
    journal_bytes: int
    metrics_bytes: int


@dataclass(frozen=True)
class Approval:
    """A proposal that waits for a person's answer; ``approve id=`` answers it."""

    id: str
    asked_at: str
    trial: int
    strategy: str
    params: Params
    note: str


@dataclass(frozen=True)
class Status:
    """An experiment at a glance; field by field what ``STATUS.json`` holds.

    ``requests`` is how many points and ideas of people wait for their turn. ``promotion`` is what
    became of the change that was accepted last.
    ``waits_for_agents``: nobody is called to change the code, agents come and ask for work.
    """

    id: str
    phase: Phase
    phase_reason: str
    goal: str
    metric: str
    metric_direction: Direction
    priority: Priority
    autonomous: bool
    executor_class: str
    tags: tuple[str, ...]
    created_at: str | None
    run_count: int
    success_count: int
    run_count_by_tier: Mapping[str, int]
    best_run: str | None
    best_metric_value: float | None
    best_run_by_tier: Mapping[str, str]
    best_metric_by_tier: Mapping[str, float]
    current_fidelity_tier: str
    next_fidelity_tier: str | None
    last_run: str | None
    last_run_at: str | None
    last_outcome: str | None
    failure_streak: int
    next_due_at: str | None
    blocked_reason: str | None
    max_iterations_per_run: int
    as_of: AsOf
    guided: bool = False
    approvals: tuple[Approval, ...] = ()
    requests: int = 0
    promotion: Promotion | None = None
    waits_for_agents: bool = False

    @property
    def waiting_since(self) -> str:
        """Since when it has not had a turn; earlier is more urgent among equals."""
        return self.last_run_at or self.created_at or ""


def status_of(spec: Spec, spec_sha256: str, state: ExperimentState) -> Status:
    """Return the status of an experiment from its SPEC and its folded history."""
    from hermes.state import current_tier

    tier = current_tier(state, spec.first_tier)
    best, by_tier = overall_best(spec, state), dict(_best_by_tier(spec, state))
    last = state.last
    return Status(
        id=spec.id,
        phase=_shown_phase(state),
        phase_reason=guidance(state) or state.phase_reason,
        goal=spec.goal,
        metric=spec.metric,
        metric_direction=spec.metric_direction,
        priority=spec.priority,
        autonomous=spec.autonomous,
        executor_class=spec.executor_class,
        tags=spec.tags,
        created_at=state.created_at,
        run_count=state.run_count,
        success_count=state.success_count,
        run_count_by_tier=state.runs_by_tier,
        best_run=best.run_id if best else None,
        best_metric_value=best.value if best else None,
        best_run_by_tier={name: item.run_id for name, item in by_tier.items()},
        best_metric_by_tier={name: item.value for name, item in by_tier.items()},
        current_fidelity_tier=tier,
        next_fidelity_tier=spec.next_tier(tier),
        last_run=last.run_id if last else None,
        last_run_at=_began(last) if last else None,
        last_outcome=last.outcome.value if last else None,
        failure_streak=state.failure_streak,
        next_due_at=_next_due(spec, state),
        blocked_reason=_blocked(state),
        max_iterations_per_run=spec.max_iterations_per_run,
        as_of=AsOf(spec_sha256, state.journal_bytes, state.metrics_bytes),
        guided=guidance(state) is not None,
        approvals=_approvals(state),
        requests=len(state.steering.requests),
        promotion=state.promotions.last,
        waits_for_agents=spec.at_tier(tier).waits_for_agents,
    )


def overall_best(spec: Spec, state: ExperimentState) -> Scored | None:
    """Return the best run of the highest tier that has one; tiers are never compared.

    In the code loop that is the incumbent: of noisy numbers the luckiest says little.
    """
    by_tier = dict(_best_by_tier(spec, state))
    return next((by_tier[tier] for tier in reversed(spec.tiers) if tier in by_tier), None)


def _best_by_tier(spec: Spec, state: ExperimentState) -> Iterator[tuple[str, Scored]]:
    for tier in state.top_by_tier:
        is_code = spec.at_tier(tier).is_code_loop
        best = state.incumbents.get(tier) if is_code else state.best(tier)
        if best is not None:
            yield tier, best


def guidance(state: ExperimentState) -> str | None:
    """Return why nothing but what a person lets run is run; None when nobody guides it.

    An experiment that is paused, completed or waits for a person anyway says so instead.
    """
    if not state.is_guided or state.phase not in (Phase.QUEUED, Phase.ACTIVE):
        return None
    waiting = state.waiting
    if waiting is not None:
        return f"a person guides it, and the proposal {waiting.id} waits for an answer"
    return "a person guides it, and no proposal waits: `guided` goes on"


def _shown_phase(state: ExperimentState) -> Phase:
    return state.phase if guidance(state) is None else Phase.AWAITING_HUMAN


def _approvals(state: ExperimentState) -> tuple[Approval, ...]:
    return () if state.waiting is None else (approval_of(state.waiting),)


def approval_of(waiting: Waiting) -> Approval:
    """Return what people and programs see of a proposal that waits."""
    made = waiting.proposal
    return Approval(
        waiting.id, waiting.at, waiting.asked.trial, made.strategy, made.params, made.note
    )


def _next_due(spec: Spec, state: ExperimentState) -> str | None:
    """Return when the cadence allows the next run; None when that is at once or not at all.

    A trial that was cut off had its turn already, so it need not wait for another.
    """
    if _shown_phase(state) not in (Phase.QUEUED, Phase.ACTIVE):
        return None
    if state.last is None:
        return None
    if state.memory.resets_at is not None:  # the agent's account has reached a limit
        return state.memory.resets_at
    if state.retries:
        return None
    from hermes import cadence

    return cadence.next_due(spec.cadence, _began(state.last))


def _began(run: IndexLine) -> str:
    """Return when a run was planned; after the clock went back, what the clock really said."""
    return min(run.planned_at, run.completed_at)


def _blocked(state: ExperimentState) -> str | None:
    if state.phase in (Phase.QUEUED, Phase.ACTIVE):
        return guidance(state)
    return state.phase_reason or f"the phase is {state.phase.value}"
