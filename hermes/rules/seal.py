"""When a run that has ended enters history, and when more of them follow in the same call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hermes.cli import signals
from hermes.rules import turns
from hermes.rules.view import view


def task_seal() -> Iterator[dict[str, Any]]:
    """Close a run's bundle and enter it into history."""
    yield {"name": None, "doc": "Close a run's bundle and enter it into history."}
    for experiment in view().chained:
        layout = view().lab.layout.experiment(experiment)
        yield {
            "name": experiment,
            "doc": f"Seal the executed run of {experiment}.",
            "file_dep": [str(layout.executed)],
            "actions": [(seal_run, [experiment])],
            "targets": [str(layout.sealed)],
        }


def task_iterate() -> Iterator[dict[str, Any]]:
    """Plan, execute and seal the further runs that this call may make."""
    yield {"name": None, "doc": "Plan, execute and seal the further runs of this call."}
    for experiment in view().chained:
        layout = view().lab.layout.experiment(experiment)
        yield {
            "name": experiment,
            "doc": f"Go on with {experiment} for as many runs as this call may make.",
            "file_dep": [str(layout.sealed)],
            "actions": [(iterate_runs, [experiment])],
        }


def seal_run(experiment: str) -> None:
    """Seal the run in hand, if there is one, and pass its token on."""
    from hermes.steps.plan import FENCED
    from hermes.steps.seal import seal

    lab, turn = view().lab, turns.turn(experiment)
    layout = lab.layout.experiment(experiment)
    with turns.put_down_on_error(experiment, attended=view().is_attended):
        if turn.session and turn.planned and turn.execution:
            line = seal(turn.session, turn.planned, turn.execution)
            if line is None:
                turn.tally.stopped = FENCED
            else:
                turn.tally.add(line)
                turns.tell(line)
    lab.projections.write_token(layout.sealed, lab.projections.read_token(layout.executed))


def iterate_runs(experiment: str) -> None:
    """Make the runs that are left of the quota, then give the lease back."""
    from hermes.modes.loop import iterate

    turn = turns.turn(experiment)
    try:
        with turns.put_down_on_error(experiment, attended=view().is_attended), signals.finishing():
            if turn.session is not None and turn.tally.stopped is None:
                left = view().quotas[experiment] - turn.tally.runs
                iterate(turn.session, turn.tally, left, on_run=turns.tell, slots=turn.slots)
    finally:
        turns.close(experiment)
