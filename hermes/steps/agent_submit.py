"""The step ``agent_submit``: takes what an agent made of its item, whole and durably, or refuses.

Limits first. Nothing is measured here: who holds the lease does that. What is refused changes
nothing, and the item stays the agent's; what comes too late is kept, and is never measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hermes import history
from hermes.errors import AgentError
from hermes.lab import Lab
from hermes.layout import item_owner
from hermes.model import IndexLine
from hermes.steps import items
from hermes.steps.agent_next import check_worker, shown_to
from hermes.steps.submitted import bounds_of
from hermes.store.items import Held
from hermes.submission import MOST_BYTES, Submission, WorkItem, check, parse, shown


@dataclass(frozen=True)
class Taken:
    """What an agent sent, and the run that has measured it already, if one has."""

    dispatch_id: str
    experiment: str
    measured: IndexLine | None = None


def receive(lab: Lab, data: bytes, worker: str) -> Taken:
    """Take an agent's answer to its item. Raises AgentError, Busy; nothing is lost then.

    Taken once, it is taken: sent again it changes nothing, and once it was measured the run is
    named that measured it.

    Writes: ``submission.json`` in the item's folder, durable, and an event; what comes too late is
    set aside.
    """
    check_worker(worker)
    lab.require()
    submission = parse(data)
    experiment = _experiment(lab, submission, worker)
    measured = _measured(lab, submission)
    if measured is None:
        with lab.items.lock(experiment):
            item = _open_item(lab, submission, worker)
        if item is not None:
            past = history.read(lab, experiment)
            bounds = bounds_of(past.spec.spec.at_tier(item.fidelity_tier))
            check(submission, bounds, shown_to(lab, item, past).present)
            _write(lab, submission, worker)
        measured = _measured(lab, submission)
    return Taken(submission.dispatch_id, experiment, measured)


def _measured(lab: Lab, submission: Submission) -> IndexLine | None:
    experiment = item_owner(submission.dispatch_id) or ""
    return items.answers(lab, experiment).get(submission.dispatch_id)


def _experiment(lab: Lab, submission: Submission, worker: str) -> str:
    experiment = item_owner(submission.dispatch_id)
    if experiment is None or experiment not in lab.experiments():
        raise _unknown(submission, worker)
    return experiment


def _unknown(submission: Submission, worker: str) -> AgentError:
    return AgentError(
        "unknown-item", f"No work item has the id {shown(submission.dispatch_id)}.", _ask(worker)
    )


def _write(lab: Lab, submission: Submission, worker: str) -> None:
    with lab.items.lock(item_owner(submission.dispatch_id) or ""):
        item = _open_item(lab, submission, worker)
        if item is not None and lab.items.submit(submission):
            lab.record("submitted", item.experiment, detail=submission.dispatch_id)


def _open_item(lab: Lab, submission: Submission, worker: str) -> WorkItem | None:
    """Return the item that is answered; None when the same was measured and put by meanwhile.

    The caller holds the lock of the experiment's items. Raises AgentError when an answer cannot
    count any more.
    """
    held = lab.items.read(submission.dispatch_id)
    if held is None and _measured(lab, submission) is not None:
        return None
    if held is None or held.item is None:
        if _was_given(lab, submission.dispatch_id):
            raise _late(lab, submission, held, worker)
        raise _unknown(submission, worker)
    if held.item.worker != worker:
        raise AgentError(
            "not-yours",
            f"{held.dispatch_id} is in the hands of another worker than {worker}.",
            f"Submit as the worker that asked for it: worker={held.item.worker}.",
        )
    if held.submission is not None and held.submission != submission:
        raise AgentError(
            "answered",
            f"Another change was sent for {held.dispatch_id} before; that one is measured.",
            f"Submit that one again for its result. {_ask(worker)}",
        )
    if held.is_over(lab.now()):
        raise _late(lab, submission, held, worker)
    return held.item


def _late(lab: Lab, submission: Submission, held: Held | None, worker: str) -> AgentError:
    """Keep what came too late, and say so.

    Writes: a folder in ``dispatch/complete``.
    """
    item = held.item if held is not None else None
    until = f" ({item.deadline[:19]} UTC)" if item is not None else ""
    kept = lab.items.set_aside(
        submission.dispatch_id, f"it was sent after the item's deadline{until}", submission
    )
    return AgentError(
        "late",
        f"The time for {submission.dispatch_id} is up{until}; what was sent is kept in {kept}.",
        _ask(worker),
    )


def _ask(worker: str) -> str:
    return f"Ask for another one with `hermes-lab agent_next worker={worker}`."


def _was_given(lab: Lab, dispatch_id: str) -> bool:
    """Say whether an item of that id was ever given out, as the ledger tells."""
    return any(
        event.kind == "item" and event.detail.partition(" ")[0] == dispatch_id
        for event in lab.ledger.read().records
    )


def read_file(path: Path) -> bytes:
    """Read the file that an agent wrote. Raises AgentError."""
    try:
        with path.open("rb") as stream:  # a pipe too: file=/dev/stdin
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise AgentError(
            "no-file", f"{path} cannot be read: {error.strerror}.", "Write the submission there."
        ) from None
