"""The step ``approve``, and the question that it answers: a proposal that waits for a person.

The question and its answer are lines of the journal; the file in ``control/approvals`` is derived
from them. Of several answers to one question the first line counts, and the others are refused
while the journal is locked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hermes import codec, history
from hermes.decisions import Asked, Decision, Intent, JournalRecord
from hermes.errors import RequestError, UnknownName
from hermes.history import History
from hermes.lab import Lab
from hermes.layout import approval_id
from hermes.model import Params
from hermes.state import ExperimentState, current_tier
from hermes.steering import Waiting
from hermes.steps.enqueue import check_text
from hermes.steps.guiding import going_on
from hermes.steps.proposing import basis, new_ideas, next_trial, propose, space_of
from hermes.steps.session import Session

_SAID = {
    Decision.APPROVE: "approved",
    Decision.EDIT: "edited",
    Decision.SKIP: "skipped",
    Decision.STOP: "answered with stop",
}


@dataclass(frozen=True)
class Reply:
    """A person's answer to a proposal; ``params`` is JSON of what to change in it."""

    decision: Decision
    params: str | None = None
    note: str = ""


# The question


def question(session: Session) -> Waiting | None:
    """Return the proposal that waits; make one if there is none, or None when no point is left.

    One that was made from something else (another strategy or seed, an edited search space, or
    before runs that were sealed since) is replaced: the strategy would not propose it any more.

    Writes: a line of the journal, durable, and an event.
    """
    made_from, number = basis(session), next_trial(session)
    waiting = session.state.waiting
    if waiting is not None and (waiting.asked.basis, waiting.asked.trial) == (made_from, number):
        return waiting
    proposal = propose(session, number)
    if proposal is None:
        return None
    named = session.order.search_space
    asked = Asked(
        number,
        made_from,
        proposal,
        search_space=str(named) if named is not None else None,
        ideas=new_ideas(session),
    )
    approval = _id(session.experiment, asked)
    session.lab.journal(session.experiment).append(
        at=session.lab.now(),
        intent=Intent.PROPOSAL,
        by="lab",
        after_runs=session.state.sealed_count,
        request=approval,
        asked=asked,
    )
    session.lab.record("proposal", session.experiment, detail=approval)
    session.catch_up()
    return session.state.waiting


def _id(experiment: str, asked: Asked) -> str:
    told = codec.to_json([asked.trial, asked.basis, asked.proposal.strategy, asked.proposal.params])
    return approval_id(experiment, asked.trial, codec.digest(told)[:8])


# The answer


def answer(lab: Lab, experiment: str, approval: str, reply: Reply) -> None:
    """Write a person's answer down. Raises RequestError; nothing is written then.

    Takes no lease. The first answer counts; whoever comes second is told so.

    Writes: a line of the journal, durable, and an event.
    """
    lab.experiment(experiment)
    check_text(reply.note)
    past = history.read(lab, experiment)
    waiting = _waiting(lab, experiment, approval, past.state)
    params = _edited(lab, past, waiting, reply)
    lab.journal(experiment).append(
        at=lab.now(),
        intent=Intent.DECISION,
        by="human",
        after_runs=past.state.sealed_count,
        reason=reply.note,
        request=approval,
        decision=reply.decision,
        params=params,
        check=_still_waits(lab, experiment, approval, past.state),
    )
    lab.record("decision", experiment, detail=f"{reply.decision.value} {approval}")


def _still_waits(
    lab: Lab, experiment: str, approval: str, state: ExperimentState
) -> Callable[[], None]:
    def check() -> None:
        _waiting(lab, experiment, approval, history.advance(lab, experiment, state))

    return check


def _waiting(lab: Lab, experiment: str, approval: str, state: ExperimentState) -> Waiting:
    """Return the proposal that is answered; raises RequestError when it does not wait."""
    waiting = state.waiting
    if waiting is not None and waiting.id == approval:
        if not _is_being_made(lab, experiment, waiting):
            return waiting
        waiting = None
    remedy = f"`hermes-lab {going_on(experiment, state)}` goes on."
    if waiting is not None:
        remedy = f"{waiting.id} waits; see `hermes-lab show exp={experiment}`."
    lines = [line for line in lab.journal(experiment).read().records if line.request == approval]
    if any(line.intent is Intent.PROPOSAL for line in lines):
        raise RequestError(f"{approval} does not wait for an answer: {_fate(lines)}.", remedy)
    raise UnknownName("proposal", approval, [waiting.id] if waiting else [], remedy)


def _fate(lines: list[JournalRecord]) -> str:
    """Say what became of a proposal, by the lines of the journal that speak of it."""
    last = lines[-1]
    if last.decision is not None:
        return f"it was {_SAID[last.decision]} at {last.at[:19]} UTC"
    return "other runs were made since, or another proposal took its place"


def _is_being_made(lab: Lab, experiment: str, waiting: Waiting) -> bool:
    """Say whether somebody makes the proposal's trial without having asked."""
    drafts = lab.packages.drafts(experiment)
    return any(draft.trial >= waiting.asked.trial for draft in drafts)


def _edited(lab: Lab, past: History, waiting: Waiting, reply: Reply) -> Params | None:
    """Return the whole point that an edit makes; None for the other answers."""
    from hermes.search.points import edited, read_given

    if reply.decision is not Decision.EDIT:
        if reply.params is not None:
            raise RequestError(
                f"decision={reply.decision.value} takes no params=.", "Say decision=edit."
            )
        return None
    proposed = waiting.proposal.params
    if reply.params is None:
        raise RequestError(
            "decision=edit needs params=.",
            "Give what is to change as JSON: params='{\"name\": value}'.",
        )
    from hermes.executing.parameters import check_parameters

    spec = past.spec.spec.at_tier(current_tier(past.state, past.spec.spec.first_tier))
    source = str(lab.layout.experiment(past.spec.spec.id).spec)
    space = space_of(spec, waiting.asked.search_space, source=source)
    params = edited(space, proposed, read_given(reply.params, example=proposed))
    check_parameters(spec, params)
    return params
