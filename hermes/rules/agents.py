"""When an agent comes by itself: it asks for work, and sends what it made of it.

Whatever comes of it is one JSON document on standard output, an error too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes.cli import console, signals
from hermes.errors import AgentError, ExitCode, LabError, NothingToDo
from hermes.plain_text import sentence
from hermes.rules import turns
from hermes.rules.asked import asked
from hermes.rules.plan import busy, take
from hermes.rules.view import view

if TYPE_CHECKING:
    from hermes.model import IndexLine
    from hermes.steps.agent_submit import Taken


def task_agent_next() -> dict[str, Any]:
    """Give an agent a piece of work."""
    return asked("agent_next", give_work, after=["project:lab"])


def task_agent_submit() -> dict[str, Any]:
    """Measure what an agent made of its work."""
    return asked("agent_submit", take_work)


def give_work() -> ExitCode:
    """Print a work item; ``{}`` when there is none."""
    return _answering(_given)


def take_work() -> ExitCode:
    """Print what came of an agent's change."""
    return _answering(_measured)


def _answering(function: Callable[[], ExitCode]) -> ExitCode:
    from hermes.render.work import error_document

    try:
        return function()
    except NothingToDo as error:
        console.document({})
        console.notice(str(error))
        return ExitCode.NOTHING
    except LabError as error:
        console.document(error_document(error))
        return ExitCode(error.exit_code)


# agent_next


def _given() -> ExitCode:
    from hermes.render.work import work_document
    from hermes.steps.agent_next import Wish, next_work, texts_for

    lab = view().lab
    wish = Wish(
        worker=view().need("worker", str),
        mark=lambda: secrets.token_hex(4),
        experiment=view().given("exp", str),
        executor_class=view().given("executor_class", str),
    )
    work = next_work(lab, wish, view().statuses())
    spec = work.past.spec.spec.at_tier(work.item.fidelity_tier)
    code = {path: content.data for path, content in work.shown.tree.items()}
    again = view().request.again
    console.document(
        work_document(work.item, spec, work.past.status(), code, texts_for(lab, work), again)
    )
    return ExitCode.DONE


# agent_submit


def _measured() -> ExitCode:
    from hermes.steps.agent_submit import read_file, receive

    lab, path = view().lab, view().need("file", Path)
    taken = receive(lab, read_file(path), view().need("worker", str))
    line = taken.measured or _measure(taken)
    _report(taken, line)
    return ExitCode.FAILED if line.outcome.is_failure else ExitCode.DONE


def _measure(taken: Taken) -> IndexLine:
    """Take the lease and measure; what was sent is kept, whatever comes in between."""
    from hermes.modes.submitting import submitted
    from hermes.steps import items
    from hermes.steps.session import Order

    experiment, turn = taken.experiment, turns.turn(taken.experiment)
    order = Order(attended=True, item=taken.dispatch_id, halt=signals.halt, uncut=signals.later)
    try:
        with turns.put_down_on_error(experiment, attended=True), signals.finishing():
            turn.session = take(experiment, order)
            if turn.session is not None:
                line = submitted(turn.session, turn.tally, on_run=turns.tell)
            else:
                line = items.answers(view().lab, experiment).get(taken.dispatch_id)
    finally:
        had_session = turn.session is not None
        turns.close(experiment)
    _project(experiment)
    if line is None:
        raise _put_off(taken, turn) if had_session else _busy(taken)
    return line


def _project(experiment: str) -> None:
    from hermes.steps.project import project, project_lab

    project(view().lab, experiment)
    project_lab(view().lab, {experiment})


def _busy(taken: Taken) -> LabError:
    error = busy(taken.experiment)
    error.remedy = (
        "What was sent is kept, and measured in its turn; submit it again for the result."
    )
    return error


def _put_off(taken: Taken, turn: turns.Turn) -> AgentError:
    """Say why nothing was measured; what was sent is kept."""
    last = turn.tally.last
    again = "What was sent is kept; submit it again when that is mended."
    if turn.tally.stopped is None and last is not None:
        why = f"the code as it is could not be measured: {last.outcome.value}, {last.reason}"
        return AgentError("not-measured", sentence(why), f"See {last.run_id}. {again}")
    return AgentError(
        "held-back",
        sentence(f"{taken.dispatch_id} was not measured: {turn.tally.stopped}"),
        f"{turn.tally.remedy} {again}".strip(),
    )


def _report(taken: Taken, line: IndexLine) -> None:
    from hermes import history
    from hermes.render.work import measured_document

    lab, again = view().lab, view().request.again
    status = history.read(lab, taken.experiment).status()
    console.document(
        measured_document(
            line,
            taken.experiment,
            status,
            worker=view().need("worker", str),
            command=lambda rest: f"{again} {rest}",
        )
    )
