"""When a run is planned: an experiment is due, or a command asks for it by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hermes.cli import console, signals
from hermes.errors import Busy, PersonNeeded, RequestError
from hermes.plain_text import sentence
from hermes.rules import turns
from hermes.rules.view import view

if TYPE_CHECKING:  # a command that runs nothing loads no step
    from hermes.steps.session import Order, Session

BUSY = "is being worked on by another process"
WAIT_SECONDS = 20.0  # for a passing cycle to let go of an experiment that a person names


def task_plan() -> Iterator[dict[str, Any]]:
    """Decide what to try next and write it down."""
    yield {"name": None, "doc": "Decide what to try next and write it down."}
    for experiment in view().chained:
        layout = view().lab.layout.experiment(experiment)
        yield {
            "name": experiment,
            "doc": f"Plan the next run of {experiment}, when it is due.",
            "task_dep": ["reclaim"],
            "actions": [(plan_run, [experiment])],
            "targets": [str(layout.planned)],
            "uptodate": [experiment not in view().quotas],
            "teardown": [(turns.close, [experiment])],
        }


def plan_run(experiment: str) -> None:
    """Take the lease and plan one run; leave a token that names its package, or none."""
    from hermes.steps.plan import Stop, plan

    lab, turn, order = view().lab, turns.turn(experiment), view().order(experiment)
    layout = lab.layout.experiment(experiment)
    with turns.put_down_on_error(experiment, attended=order.attended):
        if experiment in view().quotas and not signals.halt():
            turn.session = take(experiment, order)
            planned = plan(turn.session) if turn.session else Stop(BUSY)
            if isinstance(planned, Stop):
                turn.tally.stop(planned)
            else:
                turn.planned = planned
    package = turn.planned.folder.folder.name if turn.planned else None
    if package is not None or lab.projections.read_token(layout.planned) is None:
        lab.projections.write_token(layout.planned, package)
    if order.attended:
        _insist(experiment, turn)


def take(experiment: str, order: Order) -> Session | None:
    """Take the lease, for a person after a little wait; None when somebody else keeps it."""
    from hermes.steps.opening import open_session

    lab = view().lab
    session = open_session(lab, experiment, order)
    if session is None and order.attended:
        console.notice(f"{experiment} {BUSY}{_holder(experiment)}: waiting a little.")
        session = open_session(lab, experiment, order, wait_seconds=WAIT_SECONDS)
    return session


def busy(experiment: str) -> Busy:
    """Return the answer to whoever asked for an experiment that somebody else keeps."""
    return Busy(
        f"{experiment} {BUSY}{_holder(experiment)}.",
        f"Wait for it, or run `hermes-lab pause exp={experiment}`: it stops after its run.",
    )


def _holder(experiment: str) -> str:
    """Say who holds an experiment, in words that follow "another process"."""
    lease = view().lab.leases.read(experiment)
    if lease is None or not lease.held:
        return ""
    return f" ({lease.pid} on {lease.host.split('/')[0]}, since {lease.acquired_at[:19]} UTC)"


def _insist(experiment: str, turn: turns.Turn) -> None:
    """Turn what an unattended cycle passes over into an answer for the person who asked."""
    if turn.session is None:
        raise busy(experiment)
    if turn.planned is None:
        turns.close(experiment)
        error = PersonNeeded if turn.tally.for_person else RequestError
        what = sentence(f"No run of {experiment} was planned: {turn.tally.stopped}")
        raise error(what, turn.tally.remedy)
