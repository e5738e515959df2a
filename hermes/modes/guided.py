"""The mode ``guided``: a person answers each proposal before it is run; inside one session.

Limits first. One proposal waits at a time. What is asked for by ``enqueue``, and what was cut
off, needs no further word: a person has let it run. The loop is the burst's, a run at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from hermes.errors import LabError, RequestError
from hermes.model import IndexLine
from hermes.modes.loop import Tally, iterate
from hermes.state import Scored
from hermes.steering import Waiting
from hermes.steps.approving import Reply, answer, question
from hermes.steps.guiding import begin, end
from hermes.steps.plan import FENCED, HALTED, UNASKED, Stop, exhausted, held_back
from hermes.steps.project import project, project_lab
from hermes.steps.proposing import made_strategy
from hermes.steps.session import Halted, Session, TakenOver

STOPPED = "a person stopped it"


@dataclass(frozen=True)
class Question:
    """A proposal, for the person who answers: the session's ``number``-th of ``runs``.

    ``decisions`` is how many of its proposals were answered before; ``best`` the best run so far.
    """

    waiting: Waiting
    number: int
    runs: int
    decisions: int
    metric: str
    best: Scored | None


class Answers(Protocol):
    """Where answers come from: a person at a terminal, a file, or nowhere."""

    def ask(self, question: Question, is_over: Callable[[], bool]) -> Reply | None:
        """Return the answer; None when there is none now, or when ``is_over``.

        Whoever waits for a person asks ``is_over`` about every second: whether the question has
        been answered elsewhere, or cannot be answered any more.
        """
        ...

    def refuse(self, error: RequestError) -> None:
        """Hear that the last answer is refused. Returns when another may be given, else raises."""
        ...


def guided(
    session: Session,
    tally: Tally,
    runs: int,
    answers: Answers,
    *,
    on_run: Callable[[IndexLine], None],
) -> Question | None:
    """Run what a person lets run, into ``tally``; return the question that waits, if one does.

    Goes on with the session that an earlier call left open.

    Writes: what the steps write; the experiment's projections before each question.
    """
    stop = held_back(session)
    if stop is not None:
        tally.stop(stop)
        return None
    session.only_let = True
    made_strategy(session)  # one that cannot be made is told of before a session is begun
    begin(session, runs)
    while tally.stopped is None and not _is_over(session, tally):
        known = _known(session)
        if known:
            iterate(session, tally, min(known, _left(session)), on_run=on_run)
            if tally.stopped == UNASKED:
                tally.stopped = None  # the strategy's turn, then
            continue
        if session.order.halt():
            tally.stop(Stop(HALTED))
            return None
        asked = _next_question(session, tally)
        if asked is not None and not _is_answered(session, tally, asked, answers):
            return asked
    return None


def _is_over(session: Session, tally: Tally) -> bool:
    """End the session when it has made its runs, or a person wants no more."""
    steering = session.state.steering
    if steering.session is None:  # somebody let the experiment run by itself
        tally.stop(Stop("its guided session was ended", "Run it again to begin another."))
    elif steering.session.stopped:
        tally.stop(Stop(STOPPED, "Run it again to begin another session."))
        _end(session, STOPPED)
    elif _left(session) <= 0:
        _end(session, "its runs are made")
    else:
        return False
    return True


def _end(session: Session, why: str) -> None:
    end(session.lab, session.experiment, session.state, why)
    session.catch_up()


def _left(session: Session) -> int:
    """Return how many runs of the open session are not made yet."""
    steering = session.state.steering
    return steering.session.runs - steering.done if steering.session else 0


def _known(session: Session) -> int:
    """Return how many runs need no further word: they were cut off, or asked for."""
    return len(session.state.retries) + len(session.state.steering.points)


def _next_question(session: Session, tally: Tally) -> Question | None:
    """Return the proposal that a person is to be asked about; None, and why, when there is none."""
    stop = held_back(session)
    if stop is None and _known(session):
        return None  # something was enqueued just now
    waiting = None
    try:
        waiting = question(session) if stop is None else None
    except TakenOver:  # while an agent was asked for a proposal, as the next one
        stop = Stop(FENCED)
    except Halted:
        stop = Stop(HALTED)
    if waiting is None:
        tally.stop(stop or exhausted(session))
        if stop is None:
            _end(session, "no point is left")
        return None
    with suppress(LabError):  # a SPEC that is just being edited, say, concerns nobody's answer
        project(session.lab, session.experiment)
        project_lab(session.lab, {session.experiment})
    steering = session.state.steering
    assert steering.session is not None, "a question is asked within a session"
    return Question(
        waiting,
        number=steering.done + 1,
        runs=steering.session.runs,
        decisions=steering.session.decisions,
        metric=session.spec.metric,
        best=session.state.best(session.tier),
    )


def _is_answered(session: Session, tally: Tally, asked: Question, answers: Answers) -> bool:
    """Get the answer and write it down; False when the proposal is left waiting."""
    while _waits(session, asked):
        reply = answers.ask(asked, lambda: not _waits(session, asked))
        if reply is None:
            break
        try:
            answer(session.lab, session.experiment, asked.waiting.id, reply)
        except RequestError as error:
            if _waits(session, asked):  # else somebody else was quicker
                answers.refuse(error)
    if session.fenced_out:
        tally.stopped = FENCED
        return True
    return not _waits(session, asked)


def _waits(session: Session, asked: Question) -> bool:
    """Say whether the question is still open, giving a sign of life."""
    session.beat()
    session.catch_up()
    waiting = session.state.waiting
    return not session.fenced_out and waiting is not None and waiting.id == asked.waiting.id
