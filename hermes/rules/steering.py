"""When a person steers: enqueues, answers a proposal, or guides an experiment run by run.

Each has a task of its own that does it, then the graph projects, then the command says what came
of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes.cli import console, signals
from hermes.decisions import Decision
from hermes.errors import CheckFailed, LabError, PersonNeeded, RequestError
from hermes.model import Phase
from hermes.plain_text import sentence
from hermes.rules import turns
from hermes.rules.asked import asked
from hermes.rules.modes import say_result
from hermes.rules.plan import busy, take
from hermes.rules.view import GUIDED, GUIDING, view

if TYPE_CHECKING:
    from hermes.modes.guided import Answers, Question
    from hermes.modes.loop import Tally
    from hermes.steps.enqueue import Enqueued
    from hermes.steps.withdraw import Withdrawn

_left: list[Question] = []
_broken_off: list[LabError] = []
_enqueued: list[Enqueued] = []
_withdrawn: list[Withdrawn] = []


def task_steering() -> Iterator[dict[str, Any]]:
    """Do what a person asks for, then let the graph project it."""
    yield _doing("_enqueue", "Write a person's request into the journal.", request)
    yield _doing("_answer", "Write a person's answer into the journal.", answer)
    yield _doing(GUIDING, "Run what a person lets run.", guide)
    yield _asked("enqueue", report_request, "_enqueue")
    yield _asked("approve", report_answer, "_answer")
    yield _asked(GUIDED, report_guided, GUIDING)


def _doing(name: str, doc: str, function: Callable[[], None]) -> dict[str, Any]:
    return {
        "basename": name,
        "doc": doc,
        "actions": [console.action(function)],
        "uptodate": [False],
    }


def _asked(name: str, report: Callable[[], None], doing: str) -> dict[str, Any]:
    experiment = view().given("exp", str)
    known = [f"project:{experiment}"] if experiment in view().names else []
    after = [doing, *known, "project:lab"] if view().request.command == name else ()
    return asked(name, report, after=after)


# enqueue


def request() -> None:
    """Write down what a person asks for, or takes back."""
    from hermes.steps.enqueue import enqueue
    from hermes.steps.withdraw import withdraw

    params, note = view().given("params", str), view().given("note", str) or ""
    name = view().given("withdraw", str)
    if name is not None:
        if params is not None:
            raise RequestError("withdraw= takes no params=.", "Enqueue the other point by itself.")
        _withdrawn.append(withdraw(view().lab, view().need("exp", str), name, note))
        return
    _enqueued.append(enqueue(view().lab, view().need("exp", str), params, note))


def report_request() -> None:
    """Say what was asked for, and when it is tried; or what was taken back."""
    from hermes.render.advice import advice
    from hermes.render.text import params, plural

    if _withdrawn:
        back = _withdrawn[-1]
        what = "the idea" if back.params is None else params(back.params)
        console.say(f"Withdrawn {back.id}: {what}; {plural(back.left, 'request')} left.")
        return
    done, experiment = _enqueued[-1], view().need("exp", str)
    what = "the idea" if done.params is None else params(done.params)
    before = f", behind {plural(done.before, 'other')}" if done.before else ""
    console.say(f"Enqueued as {done.id}: {what}{before}.")
    status = done.status
    if status.phase in (Phase.QUEUED, Phase.ACTIVE):
        _say_next(f"burst exp={experiment} n=1")
    else:
        told = advice(status)
        then = f": `{told.command}`" if told is not None else ""
        console.say(f"{experiment} is {status.phase.value}; it is tried when that goes on{then}.")


# approve


def answer() -> None:
    """Write down a person's answer."""
    from hermes.steps.approving import Reply, answer

    reply = Reply(
        Decision(view().need("decision", str)),
        view().given("params", str),
        view().given("note", str) or "",
    )
    answer(view().lab, view().need("exp", str), view().need("id", str), reply)


def report_answer() -> None:
    """Say what follows from the answer."""
    from hermes import history
    from hermes.steps.guiding import going_on

    experiment, approval = view().need("exp", str), view().need("id", str)
    decision = view().need("decision", str)
    console.say(f"{approval}: {decision}.")
    if decision != Decision.STOP.value:
        state = history.read(view().lab, experiment).state
        _say_next(going_on(experiment, state))


def _say_next(command: str) -> None:
    """Say what takes it up: whoever works on the experiment now, or else a command."""
    leases = view().lab.leases
    lease = leases.read(view().need("exp", str))
    if lease is not None and lease.held and not leases.is_stale(lease):
        console.say("The command that runs now takes it up before its next iteration.")
    else:
        console.say(f"Next: {view().request.again} {command}")


# guided


def guide() -> None:
    """Take the lease, and run what a person lets run.

    An error after the first run waits until what was made is told of.
    """
    turn = turns.turn(view().need("exp", str))
    try:
        _guide(turn)
    except LabError as error:
        if not turn.tally.runs:
            raise
        _broken_off.append(error)


def _guide(turn: turns.Turn) -> None:
    from hermes.modes.guided import guided

    experiment, answers = view().need("exp", str), _answers()
    try:
        with turns.put_down_on_error(experiment, attended=True), signals.finishing():
            turn.session = take(experiment, view().order(experiment))
            if turn.session is None:
                raise busy(experiment)
            left = guided(
                turn.session, turn.tally, view().need("n", int), answers, on_run=turns.tell
            )
            _left.extend([left] if left is not None else [])
    finally:
        turns.close(experiment)


def _answers() -> Answers:
    """Return who answers: a file, the person at the terminal, or nobody here."""
    from hermes.cli.answers import Nobody, read_answers
    from hermes.cli.prompt import Lines, Prompt

    path = view().given("answers", Path)
    if path is not None:
        return read_answers(path)
    at_terminal = console.is_at_terminal()
    return Prompt(Lines(0), before=turns.progress.flush) if at_terminal else Nobody()


def report_guided() -> None:
    """Say what was made; exit 4 when a proposal waits, 1 when all that was run failed."""
    experiment = view().need("exp", str)
    tally = turns.turn(experiment).tally
    if tally.runs:
        say_result(experiment, tally, goes_on=bool(_left or _broken_off))
    elif not _left:
        _explain(experiment, tally)
    if _broken_off:
        raise _broken_off[-1]
    if _left:
        raise _waiting(experiment, _left[-1])
    if _all_failed(tally):
        raise CheckFailed(
            f"No iteration of {experiment} succeeded.",
            f"See `{view().request.again} show exp={experiment} run=last`.",
        )


def _explain(experiment: str, tally: Tally) -> None:
    """Say why no run was made; to be held back is an error, a person's word is none."""
    from hermes.modes.guided import STOPPED

    if tally.stopped is not None and tally.stopped != STOPPED and signals.asked() is None:
        what = sentence(f"No run of {experiment} was planned: {tally.stopped}")
        raise RequestError(what, tally.remedy)
    told = (
        "no run was left to make" if tally.stopped is None else f"no run was made, {tally.stopped}"
    )
    console.say(f"{experiment}: {told}.")


def _waiting(experiment: str, question: Question) -> PersonNeeded:
    from hermes.render.advice import answers
    from hermes.render.text import params

    waiting = question.waiting
    made = waiting.proposal
    what = f"{made.strategy} proposes {params(made.params, 200)}"
    return PersonNeeded(
        f"{waiting.id} ({question.number} of {question.runs}) waits for an answer: {what}.",
        f"Answer with `{answers(experiment, waiting.id)[0]}` (or edit, skip, stop), "
        "then run the same command again.",
    )


def _all_failed(tally: Tally) -> bool:
    from hermes.model import Outcome
    from hermes.modes.guided import STOPPED

    run = tally.runs - tally.outcomes.get(Outcome.SKIPPED, 0)
    return run > 0 and not tally.worked and tally.stopped != STOPPED
