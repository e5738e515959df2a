"""Makes runs of what agents sent: the next one to plan, and the candidate that it measures.

Limits first. What cannot be measured any more (the bundle it was made from is lost, the SPEC names
other mutable_paths now, the lab failed at it again and again) is set aside with the reason, so that
it holds up nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hermes.errors import AgentError, BrokenFile
from hermes.lab import Lab
from hermes.model import EMPTY, Manifest, Origin, Proposal
from hermes.state import MOST_RETRIES, Retry
from hermes.steps.items import waiting
from hermes.steps.session import Session
from hermes.store.items import Held

if TYPE_CHECKING:
    from hermes.executing.candidate import Changes, Given
    from hermes.executing.surface import Surface
    from hermes.spec import Spec
    from hermes.submission import Submission, WorkItem

BY_AN_AGENT = "agent"


def next_submission(session: Session) -> Held | None:
    """Return the oldest answer of an agent that no run on its way measures; None without one.

    Writes: perhaps what cannot be measured, set aside.
    """
    flying = {planned.manifest.request for planned in session.in_flight}
    if session.sealing is not None:  # judged, and not in the index yet
        flying.add(session.sealing.line.request)
    only = session.order.item
    for held in waiting(session.lab, session.experiment):
        if held.dispatch_id in flying or only not in (None, held.dispatch_id):
            continue
        fault = _fault(session, held)
        if fault is None:
            return held
        with session.lab.items.lock(session.experiment):
            session.lab.items.set_aside(held.dispatch_id, fault, held.submission)
    return None


def is_there(session: Session, planned: Manifest | Retry) -> bool:
    """Say whether what a run is to measure is still there; for all but an agent's it always is."""
    if planned.origin is not Origin.AGENT or planned.request is None:
        return True
    return session.lab.items.submission(planned.request) is not None


def proposal_of(held: Held) -> Proposal:
    """Return what a run is planned from that measures an agent's answer."""
    assert held.submission is not None, "only what was sent is measured"
    assert held.item is not None, "only the answer to an item is measured"
    incumbent = held.item.incumbent_run
    return Proposal(
        EMPTY,
        BY_AN_AGENT,
        Origin.AGENT,
        _note(held.submission, held.item.worker),
        (incumbent,) if incumbent is not None else (),
    )


def _note(submission: Submission, worker: str) -> str:
    said = [text.strip() for text in (submission.hypothesis, submission.reasoning)]
    return "\n\n".join([f"sent by {worker}", *filter(None, said)])


def _fault(session: Session, held: Held) -> str | None:
    """Say why an answer cannot be measured any more; None when it can."""
    from hermes.submission import check_bounds

    assert held.submission is not None
    assert held.item is not None
    try:
        check_bounds(held.submission, bounds_of(session.spec.at_tier(session.tier)))
        code_before(session.lab, held.item)
    except (AgentError, BrokenFile) as error:
        return error.message
    lines = session.lab.index(session.experiment).read().lines
    lost = sum(line.request == held.dispatch_id and line.outcome.is_retried for line in lines)
    return f"the lab failed to measure it {lost} times" if lost > MOST_RETRIES else None


def bounds_of(spec: Spec) -> Surface:
    """Return the surface of a SPEC that stands at its tier."""
    from hermes.executing.surface import Surface

    return Surface(spec.mutable_paths, spec.read_only_paths)


def code_before(lab: Lab, item: WorkItem) -> Changes:
    """Return how the code that an agent was shown differs from the user's workspace.

    Raises BrokenFile.
    """
    from hermes.executing import candidate

    if item.incumbent_run is None:
        return {}
    layout = lab.layout.experiment(item.experiment)
    return candidate.load(layout.run(item.incumbent_run))[0]


def given(session: Session, dispatch_id: str) -> Given:
    """Return the candidate that an agent sent. Raises BrokenFile, also when it is gone."""
    from hermes.executing.candidate import Given
    from hermes.executing.content import Content
    from hermes.hypothesis import hypothesis_of

    held = session.lab.items.read(dispatch_id)
    if held is None or held.item is None or held.submission is None:
        where = session.lab.layout.item(dispatch_id).folder
        raise BrokenFile(str(where), "what an agent sent is gone")
    executable = set(held.item.executable)
    sent = {
        path: None if text is None else Content(text.encode(), executable=path in executable)
        for path, text in held.submission.changes.items()
    }
    said = held.submission.hypothesis or held.submission.reasoning
    return Given({**code_before(session.lab, held.item), **sent}, hypothesis_of(said))
