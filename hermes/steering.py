"""What people asked of an experiment and have not got yet: a part of its state.

Pure and resumable, as ``state`` is: journal and index may be folded in any interleaving.
A request is answered by the run that names it, or withdrawn. A run may be folded before the line
of the journal that made its request; then the id is kept until that line comes.

Limit: of ids that no line has made yet, 1,000 are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from hermes.decisions import Asked, Decision, Intent, JournalRecord
from hermes.model import BY_A_PERSON, EMPTY, IndexLine, Origin, Params, Proposal

MOST_REQUESTS = 1000  # that may wait; who appends to the journal keeps it
_MOST_EARLY = 1000
_MOST_CHANGES = 20


@dataclass(frozen=True)
class Request:
    """What a person asked for: a point to try, or (``proposal`` is None) an idea in words.

    ``decided`` says that it is an answer to a proposal, and ``skip`` that it is not to be run;
    ``ideas`` are those in words that the proposal was made after.
    """

    id: str
    at: str
    text: str
    proposal: Proposal | None = None
    decided: bool = False
    skip: bool = False
    ideas: tuple[str, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A proposal that waits for a person's answer."""

    id: str
    at: str
    asked: Asked

    @property
    def proposal(self) -> Proposal:
        """What is proposed."""
        return self.asked.proposal


@dataclass(frozen=True)
class GuidedSession:
    """Proposals that a person answers one by one, until ``runs`` were answered for.

    ``since`` is how many runs had been answered for when it began, ``decisions`` how many of its
    proposals have their answer. ``stopped`` says that a person wants no further ones.
    """

    runs: int
    since: int
    at: str
    decisions: int = 0
    stopped: bool = False


@dataclass(frozen=True)
class Steering:
    """All that people asked for and that is still to be done.

    ``answered`` counts the runs that ended and were a person's request.
    """

    requests: Mapping[str, Request] = field(default_factory=dict)
    early: tuple[str, ...] = ()
    answered: int = 0
    waiting: Waiting | None = None
    session: GuidedSession | None = None

    @property
    def points(self) -> list[Request]:
        """What is to be tried, in its order: what was enqueued, then what was decided."""
        points = [item for item in self.requests.values() if item.proposal is not None]
        return sorted(points, key=lambda item: item.decided)

    @property
    def ideas(self) -> list[Request]:
        """What people wrote in words and no plan has repeated yet, the oldest first."""
        return [item for item in self.requests.values() if item.proposal is None]

    @property
    def done(self) -> int:
        """How many runs of the guided session were answered for and have ended."""
        return self.answered - self.session.since if self.session else 0


# Runs


def fold_run(steering: Steering, run: IndexLine) -> Steering:
    """Return what is left to do after one more sealed run.

    A run that repeats another names a request that was taken then, so no line of it is to come.
    """
    asked = None if run.origin is Origin.AGENT else run.request
    named = [name for name in (asked, *run.ideas) if name is not None]
    if not named:
        return steering
    requests = dict(steering.requests)
    early = [name for name in named if requests.pop(name, None) is None and not run.parent_run]
    ended = asked is not None and not run.outcome.is_retried
    return replace(
        steering,
        requests=requests,
        early=_early(steering, early),
        answered=steering.answered + ended,
    )


# Intents


def fold_intent(steering: Steering, record: JournalRecord) -> Steering:
    """Return what is to be done after one more line of the journal."""
    if record.intent is Intent.ENQUEUE:
        return _enqueued(steering, record)
    if record.intent is Intent.WITHDRAW:
        return _without(steering, record.request or "")
    if record.intent is Intent.GUIDED:
        return _guided(steering, record)
    if record.intent is Intent.PROPOSAL:
        return replace(steering, waiting=_waiting(record))
    if record.intent is Intent.DECISION:
        return _decided(steering, record)
    return steering


def _enqueued(steering: Steering, record: JournalRecord) -> Steering:
    proposal = None
    if record.params is not None:
        proposal = Proposal(record.params, BY_A_PERSON, Origin.HUMAN, record.reason)
    return _with(steering, Request(record.request or "", record.at, record.reason, proposal))


def _guided(steering: Steering, record: JournalRecord) -> Steering:
    """Begin a session of guided runs, or end it; what was asked then goes with it."""
    if record.runs is None:
        return replace(steering, session=None, waiting=None)
    return replace(steering, session=GuidedSession(record.runs, record.since or 0, record.at))


def _waiting(record: JournalRecord) -> Waiting | None:
    if record.asked is None or record.request is None:
        return None
    return Waiting(record.request, record.at, record.asked)


def _decided(steering: Steering, record: JournalRecord) -> Steering:
    """Take an answer to the proposal that waits; one to any other came too late."""
    waiting, session = steering.waiting, steering.session
    if waiting is None or waiting.id != record.request:
        return steering
    stopped = record.decision is Decision.STOP
    if session is not None:
        session = replace(session, decisions=session.decisions + 1, stopped=stopped)
    steering = replace(steering, waiting=None, session=session)
    return steering if stopped else _with(steering, _request(waiting, record))


def _request(waiting: Waiting, record: JournalRecord) -> Request:
    proposal, ideas = waiting.proposal, waiting.asked.ideas
    if record.decision is Decision.EDIT:
        params = EMPTY if record.params is None else record.params
        note = _joined(_changes(proposal, params), record.reason)
        proposal = replace(
            proposal, params=params, strategy=BY_A_PERSON, origin=Origin.HUMAN, note=note
        )
    elif record.decision is Decision.APPROVE and record.reason:
        proposal = replace(proposal, note=_joined(proposal.note, f"approved: {record.reason}"))
    skip = record.decision is Decision.SKIP
    return Request(
        waiting.id,
        record.at,
        record.reason,
        proposal,
        decided=True,
        skip=skip,
        ideas=() if skip else ideas,
    )


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _changes(proposal: Proposal, params: Params) -> str:
    """Say what a person changed of a proposal."""
    before = proposal.params
    names = [name for name in {**before, **params} if before.get(name) != params.get(name)]
    shown = [
        f"{name} {before.get(name, 'absent')!s} → {params.get(name, 'absent')!s}"
        for name in names[:_MOST_CHANGES]
    ]
    more = f", {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    what = f"{', '.join(shown)}{more}" if shown else "nothing changed"
    return f"edited from what {proposal.strategy} proposed: {what}"


def _with(steering: Steering, request: Request) -> Steering:
    """Add a request, unless its run was folded already."""
    if request.id in steering.early:
        early = tuple(name for name in steering.early if name != request.id)
        return replace(steering, early=early)
    return replace(steering, requests={**steering.requests, request.id: request})


def _without(steering: Steering, name: str) -> Steering:
    """Take a request away; the id of one that is not there is kept, as that of a run is."""
    requests = dict(steering.requests)
    gone = requests.pop(name, None) is None
    return replace(steering, requests=requests, early=_early(steering, [name] if gone else []))


def _early(steering: Steering, names: Iterable[str]) -> tuple[str, ...]:
    """Return the ids that wait for their line; in an order that does not tell which came first."""
    return tuple(sorted((*steering.early, *names))[-_MOST_EARLY:])
