"""When somebody asks: status, experiments, show, analyze. What they print is projected first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hermes.cli import console
from hermes.rules.asked import asked
from hermes.rules.view import view
from hermes.rules.which_run import run_asked_for

if TYPE_CHECKING:
    from hermes.model import Manifest
    from hermes.render.code_show import Trail


def task_status() -> dict[str, Any]:
    """Show the lab at a glance."""
    return asked("status", show_status, after=["project:lab"])


def task_experiments() -> dict[str, Any]:
    """Show one line per experiment."""
    return asked("experiments", show_experiments, after=["project:lab"])


def task_show() -> dict[str, Any]:
    """Show one experiment, or one run of it."""
    return asked("show", show, after=["project:lab"])


def task_analyze() -> dict[str, Any]:
    """Say what an experiment's runs tell of its search."""
    return asked("analyze", analyze, after=["project:lab"])


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
    from hermes.render.show import show_text

    if view().wants_json:
        console.raw(_read(view().lab.layout.experiment(experiment).status))
        return
    past = history.read(view().lab, experiment)
    console.say(show_text(past.status(), past.state, width=console.width()))


def _show_run(experiment: str, asked: str) -> None:
    from hermes.render.show import run_text

    run = run_asked_for(experiment, asked)
    manifest, metrics, _ = view().lab.bundles.read(experiment, run)
    trail = _trail(experiment, manifest)
    if view().wants_json:
        console.document({"manifest": manifest, "metrics": metrics, **_as_json(trail)})
    else:
        stderr = _end_of_stderr(experiment, manifest)
        console.say(run_text(manifest, metrics, width=console.width(), stderr=stderr, trail=trail))


def _trail(experiment: str, manifest: Manifest) -> Trail | None:
    """Return what a run of the code loop left beside its manifest; None for any other run.

    Raises BrokenFile for a decision that is none any more.
    """
    from hermes import files
    from hermes.render.code_show import Trail
    from hermes.steps.coding import read_decision

    if manifest.code is None:
        return None
    bundle = view().lab.layout.experiment(experiment).run(manifest.run_id)
    decision = read_decision(bundle) if files.exists(bundle.decision) else None
    return Trail(decision, files.read(bundle.patch), files.read(bundle.mutation_log))


def _as_json(trail: Trail | None) -> dict[str, object]:
    """Return the same for programs; nothing for a run that is no part of the code loop."""
    if trail is None:
        return {}
    patch, log = (
        None if content is None else content.decode("utf-8", "replace")
        for content in (trail.patch, trail.log)
    )
    return {"decision": trail.decision, "patch": patch, "log": log}


def _end_of_stderr(experiment: str, manifest: Manifest) -> bytes:
    from hermes import files
    from hermes.render.show import LAST_BYTES

    log = view().lab.layout.experiment(experiment).run(manifest.run_id).stderr
    entry = manifest.files.get(log.name)
    return files.read_before(log, entry.size, LAST_BYTES) if entry else b""


def analyze() -> None:
    """Print what an experiment's runs tell of its search."""
    from hermes import history
    from hermes.analysis.examine import examine
    from hermes.render.analysis import analysis_text

    experiment = view().need("exp", str)
    view().lab.experiment(experiment)
    past = history.read(view().lab, experiment)
    lines = view().lab.index(experiment).read().lines
    known = [line for line in lines if line.seq <= past.state.sealed_count]  # not those since
    found = examine(past.spec.spec, past.state, known)
    if view().wants_json:
        console.document(found)
    else:
        console.say(analysis_text(found, width=console.width()))


def _read(path: Any) -> bytes:
    from hermes import files

    return files.read(path) or b""
