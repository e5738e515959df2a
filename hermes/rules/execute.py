"""When a planned run is executed: its token changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hermes.rules import turns
from hermes.rules.view import view


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
    """Execute the run in hand, if there is one, and pass its token on."""
    from hermes.steps.execute import execute
    from hermes.steps.plan import FENCED

    lab, turn = view().lab, turns.turn(experiment)
    layout = lab.layout.experiment(experiment)
    with turns.put_down_on_error(experiment, attended=view().is_attended):
        if turn.session is not None and turn.planned is not None:
            turn.execution = execute(turn.session, turn.planned)
            turn.tally.stopped = None if turn.execution else FENCED
    lab.projections.write_token(layout.executed, lab.projections.read_token(layout.planned))
