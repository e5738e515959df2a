"""When a planned run is executed: its token changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hermes.cli import signals
from hermes.rules import turns
from hermes.rules.view import view

if TYPE_CHECKING:  # a command that runs nothing loads no step
    from hermes.steps.plan import Planned
    from hermes.steps.session import Session


def task_execute() -> Iterator[dict[str, Any]]:
    """Run the commands of a planned run."""
    yield {"name": None, "doc": "Run the commands of a planned run."}
    for experiment in view().chained:
        layout = view().lab.layout.experiment(experiment)
        yield {
            "name": experiment,
            "doc": f"Run the commands of the planned run of {experiment}.",
            "file_dep": [str(layout.planned)],
            "actions": [(execute_run, [experiment])],
            "targets": [str(layout.executed)],
        }


def execute_run(experiment: str) -> None:
    """Execute the run in hand, if there is one, and pass its token on.

    Where several may be in flight, the others are started beside it; the first to end is sealed
    first, and the loop of ``iterate`` goes on with the rest.
    """
    lab, turn = view().lab, turns.turn(experiment)
    layout = lab.layout.experiment(experiment)
    with turns.put_down_on_error(experiment, attended=view().is_attended), signals.finishing():
        if turn.session is not None and turn.planned is not None and not signals.halt():
            _execute(turn, turn.session, turn.planned, view().quotas[experiment])
    lab.projections.write_token(layout.executed, lab.projections.read_token(layout.planned))


def _execute(turn: turns.Turn, session: Session, planned: Planned, quota: int) -> None:
    from hermes.modes.loop import fill
    from hermes.modes.slots import Slots
    from hermes.steps.plan import FENCED

    turn.slots = Slots(session, min(session.parallel, quota))
    turn.slots.start(planned)
    fill(session, turn.slots, quota)
    finished = turn.slots.wait()
    turn.planned, turn.execution = finished.planned, finished.execution
    turn.tally.stopped = None if turn.execution else FENCED
