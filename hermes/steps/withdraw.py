"""The withdrawal of what ``enqueue`` asked for, while it still waits.

Limits first. What is in flight, or was cut off and runs again, is not taken back: it is on record.
An answer to a proposal stands. Whether a request still waits is looked at while nobody can append
to the journal, and ``plan`` takes a request up in the same way: so a withdrawn one is never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from hermes import history
from hermes.decisions import Intent
from hermes.errors import RequestError, UnknownName
from hermes.lab import Lab
from hermes.model import Manifest, Params
from hermes.state import ExperimentState
from hermes.steering import Request
from hermes.steps.enqueue import check_text

_MOST_NAMED = 5


@dataclass(frozen=True)
class Withdrawn:
    """What was taken back (``params`` is None for an idea), and how many requests still wait."""

    id: str
    params: Params | None
    left: int


def withdraw(lab: Lab, experiment: str, name: str, note: str) -> Withdrawn:
    """Take a waiting request back. Raises RequestError; nothing is written then.

    Takes no lease: a running burst sees it at its next iteration.

    Writes: a line of the journal, durable, and an event.
    """
    check_text(note)
    lab.experiment(experiment)
    before = history.read(lab, experiment).state
    found: list[tuple[Request, int]] = []

    def check() -> None:
        flying = _in_flight(lab, experiment, name)  # first, for its end is in the history
        state = history.advance(lab, experiment, before)
        _refuse_taken(experiment, name, flying)
        request = _waiting(lab, experiment, name, state)
        found.append((request, len(state.steering.requests) - 1))

    lab.journal(experiment).append(
        at=lab.now(),
        intent=Intent.WITHDRAW,
        by="human",
        after_runs=before.sealed_count,
        reason=note,
        request=name,
        check=check,
    )
    lab.record("withdraw", experiment, detail=f"{name}: {note}" if note else name)
    request, left = found[-1]
    return Withdrawn(name, request.proposal.params if request.proposal else None, left)


def _in_flight(lab: Lab, experiment: str, name: str) -> Manifest | None:
    """Return the plan that takes the request up, of those that wait or run."""
    drafts = lab.packages.drafts(experiment)
    return next((draft for draft in drafts if name in (draft.request, *draft.ideas)), None)


def _refuse_taken(experiment: str, name: str, draft: Manifest | None) -> None:
    if draft is None:
        return
    what = "is in flight" if draft.request == name else "went with the proposal that is in flight"
    raise RequestError(
        f"{name} cannot be withdrawn: it {what} as {draft.run_id}.",
        f"Its run is recorded; `hermes-lab pause exp={experiment}` stops what comes after it.",
    )


def _waiting(lab: Lab, experiment: str, name: str, state: ExperimentState) -> Request:
    request = state.steering.requests.get(name)
    if request is None:
        _refuse_gone(lab, experiment, name, state)
    if request.decided:
        raise RequestError(
            f"{name} was not enqueued: it is the answer to a proposal, which stands.",
            f"`hermes-lab pause exp={experiment}` keeps it from being run.",
        )
    return request


def _refuse_gone(lab: Lab, experiment: str, name: str, state: ExperimentState) -> NoReturn:
    """Say why the request does not wait."""
    waiting = [item.id for item in state.steering.requests.values() if not item.decided]
    fate = _fate(lab, experiment, name, state)
    listed = ", ".join(waiting[:_MOST_NAMED])
    remedy = f"What waits: {listed}." if waiting else "No point or idea waits."
    if fate is None:
        raise UnknownName("request", name, waiting, remedy)
    raise RequestError(f"{name} cannot be withdrawn: {fate}.", remedy)


def _fate(lab: Lab, experiment: str, name: str, state: ExperimentState) -> str | None:
    """Say what became of a request; None when there never was one of that name."""
    again = next((item for item in state.retries if item.request == name), None)
    if again is not None:
        return f"{again.run_id}, which was cut off, answers it and runs again"
    for line in reversed(lab.index(experiment).read().lines):
        if name in (line.request, *line.ideas):
            how = "answered" if line.request == name else "heard"
            return f"it was {how} by {line.run_id}"
    records = lab.journal(experiment).read().records
    gone = [item for item in records if item.request == name and item.intent is Intent.WITHDRAW]
    return f"it was withdrawn already, at {gone[-1].at[:19]} UTC" if gone else None
