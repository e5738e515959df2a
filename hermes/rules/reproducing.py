"""When somebody wants a sealed run to be run again: ``reproduce``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hermes.cli import console, signals
from hermes.errors import CheckFailed
from hermes.rules.asked import asked
from hermes.rules.view import view
from hermes.rules.which_run import run_asked_for

if TYPE_CHECKING:
    from hermes.model import Manifest


def task_reproduce() -> dict[str, Any]:
    """Run a sealed run again from its record, and compare."""
    return asked("reproduce", reproduce_run)


def reproduce_run() -> None:
    """Say whether the record of a run holds; exit 1 when it does not, or cannot be told."""
    from hermes.render.reproduction import reproduction_text, verdict
    from hermes.steps.reproduce import Call, reproduce

    experiment = view().need("exp", str)
    view().lab.experiment(experiment)
    run = run_asked_for(experiment, view().need("run", str))
    signals.at_interrupt(lambda: f"{run} is as it was; nothing of the second run is kept.")
    call = Call(view().given("repeats", int), _go_on, _announce, signals.later)
    found = reproduce(view().lab, experiment, run, call)
    if view().wants_json:
        console.document(found)
    else:
        console.say(reproduction_text(found, width=console.width()))
    if not found.verdict.holds:
        raise CheckFailed(f"{verdict(found)}.", found.next)


def _go_on() -> None:
    signals.halt()


def _announce(manifest: Manifest) -> None:
    """Tell a person at a terminal how long it may take."""
    from hermes.render.text import duration

    took = f"; it took {duration(manifest.usage.wall_seconds)} then" if manifest.usage else ""
    console.notice(f"Running {manifest.run_id} again{took}.")
