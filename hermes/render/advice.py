"""Who has to act, why, and with which command: one answer for every page. For ``render`` alone.

Limit first: it speaks of the phase that was set; what a later cycle will find is ``policy``'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hermes.decisions import Decision
from hermes.model import Phase, Priority
from hermes.render.text import command
from hermes.status import Status

_PHASE_ORDER = (
    Phase.AWAITING_HUMAN,
    Phase.ACTIVE,
    Phase.QUEUED,
    Phase.PAUSED,
    Phase.COMPLETED,
)
_PHASE_RANK = {phase: rank for rank, phase in enumerate(_PHASE_ORDER)}
_PRIORITY_RANK = {priority: rank for rank, priority in enumerate(Priority)}


@dataclass(frozen=True)
class Advice:
    """What stands in the way of an experiment's next run, and what a person can do about it."""

    why: str
    before: str
    look: str | None
    command: str


def advice(status: Status) -> Advice | None:
    """Return what to do about an experiment; None while it runs by itself."""
    if status.blocked_reason is None:
        return None
    if status.guided:
        return _guidance(status, status.blocked_reason)
    look = command("show", exp=status.id, run=status.last_run) if status.last_run else None
    return Advice(status.blocked_reason, _before(status), look, command("resume", exp=status.id))


def _guidance(status: Status, why: str) -> Advice:
    """Return how the person who guides an experiment goes on."""
    if not status.approvals:
        return Advice(why, "", None, command("guided", exp=status.id))
    look = command("show", exp=status.id)
    return Advice(why, "", look, answers(status.id, status.approvals[0].id)[0])


def answers(experiment: str, approval: str) -> list[str]:
    """Return the commands that answer a proposal; the first approves it as it is."""
    said = {
        "approve": {},
        "edit": {"params": "JSON"},
        "skip": {"note": "WHY"},
        "stop": {},
    }
    return [
        command("approve", exp=experiment, id=approval, decision=decision, **more)
        for decision, more in said.items()
    ]


def _before(status: Status) -> str:
    """Return what must change first, or the same reason stops the experiment again."""
    if status.phase is Phase.COMPLETED:
        return "To go on, change what ended it in SPEC.yaml"
    if status.failure_streak:
        return "Mend what made the runs fail"
    return ""


def refusal(status: Status) -> Advice | None:
    """Return what to do about an accepted change that could not be promoted; None without one."""
    last = status.promotion
    if last is None or last.decision is not Decision.REFUSED:
        return None
    why = f"the change of {last.run_id} was accepted, and not promoted: {last.reason}"
    look = command("show", exp=status.id, run=last.run_id)
    return Advice(why, "", look, command("export", exp=status.id, format="patches", out="DIR"))


def asked(status: Status) -> Advice | None:
    """Return what a person is asked to do; None when there is nothing."""
    return advice(status) or refusal(status)


def needs_person(status: Status) -> bool:
    """Say whether the experiment waits for a decision (a pause without failures was one)."""
    if status.phase is Phase.AWAITING_HUMAN or refusal(status) is not None:
        return True
    return status.phase is Phase.PAUSED and status.failure_streak > 0


def by_phase(statuses: Iterable[Status]) -> list[tuple[Phase, int]]:
    """Count experiments by phase; those that wait for a person come first."""
    counts = dict.fromkeys(_PHASE_ORDER, 0)
    for status in statuses:
        counts[status.phase] += 1
    return [(phase, count) for phase, count in counts.items() if count]


def ranked(statuses: Iterable[Status]) -> list[Status]:
    """Order experiments for reading: by phase (who waits, who runs), priority, then id."""
    return sorted(
        statuses, key=lambda item: (_PHASE_RANK[item.phase], _PRIORITY_RANK[item.priority], item.id)
    )
