"""When somebody asks: status, experiments, show. What they print is projected first."""

from __future__ import annotations

from typing import Any

from hermes.cli import console
from hermes.rules.asked import asked
from hermes.rules.view import view


def task_status() -> dict[str, Any]:
    """Show the lab at a glance."""
    return asked("status", show_status, after=["project:lab"])


def task_experiments() -> dict[str, Any]:
    """Show one line per experiment."""
    return asked("experiments", show_experiments, after=["project:lab"])


def task_show() -> dict[str, Any]:
    """Show one experiment, or one run of it."""
    return asked("show", show, after=["project:lab"])


def show_status() -> None:
    """Print the lab at a glance."""
    from hermes.render.overview import status_text
    from hermes.steps.project import read_index

    view().lab.require()
    if view().wants_json:
        console.raw(_read(view().lab.layout.lab_index))
    else:
        statuses = list(read_index(view().lab).values())
        console.say(status_text(statuses, width=console.width()))


def show_experiments() -> None:
    """Print one line per experiment."""
    from hermes.render.overview import experiments_text
    from hermes.steps.project import read_index

    view().lab.require()
    if view().wants_json:
        console.raw(_read(view().lab.layout.lab_index))
    else:
        statuses = list(read_index(view().lab).values())
        console.say(experiments_text(statuses, width=console.width()))


def show() -> None:
    """Print one experiment, or one run."""
    experiment = view().need("exp", str)
    view().lab.experiment(experiment)
    run = view().given("run", str)
    if run is None:
        _show_experiment(experiment)
    else:
        _show_run(experiment, run)


def _show_experiment(experiment: str) -> None:
    from hermes import history
    from hermes.render.overview import show_text

    if view().wants_json:
        console.raw(_read(view().lab.layout.experiment(experiment).status))
        return
    past = history.read(view().lab, experiment)
    console.say(show_text(past.status(), past.state, width=console.width()))


def _show_run(experiment: str, run: str) -> None:
    from hermes.errors import UnknownName
    from hermes.render.overview import run_text

    bundles = view().lab.bundles
    if run not in bundles.list(experiment):
        raise UnknownName(
            "run", run, bundles.list(experiment), f"See `show exp={experiment}` for its runs."
        )
    manifest, metrics, _ = bundles.read(experiment, run)
    if view().wants_json:
        console.document({"manifest": manifest, "metrics": metrics})
    else:
        console.say(run_text(manifest, metrics, width=console.width()))


def _read(path: Any) -> bytes:
    from hermes import files

    return files.read(path) or b""
