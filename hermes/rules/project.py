"""When projections are derived anew: what they are made from changed, or one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hermes.rules import turns
from hermes.rules.view import view

_done: set[str] = set()


def task_project() -> Iterator[dict[str, Any]]:
    """Derive the projections of what changed."""
    yield {"name": None, "doc": "Derive the projections of what changed."}
    for experiment in view().projected:
        yield _project_experiment(experiment)
    layout = view().lab.layout
    yield {
        "name": "lab",
        "doc": "Derive the lab's own projections.",
        "task_dep": [f"project:{name}" for name in view().projected],
        "actions": [project_lab],
        "targets": [str(layout.lab_status), str(layout.lab_index)],
        "uptodate": [lab_is_fresh],
    }


def _project_experiment(experiment: str) -> dict[str, Any]:
    from hermes.steps.project import inputs

    layout = view().lab.layout.experiment(experiment)
    return {
        "name": experiment,
        "doc": f"Derive the projections of {experiment}.",
        "task_dep": view().runs_before(experiment),
        "file_dep": [str(path) for path in inputs(layout) if path.is_file()],
        "actions": [(project_experiment, [experiment])],
        "targets": [str(path) for path in layout.projections()],
        "uptodate": [(is_as_recorded, [experiment])],
    }


def is_as_recorded(
    task: object,  # noqa: ARG001  doit passes it by this name, to reach the second
    values: dict[str, Any],
    experiment: str,
) -> bool:
    """Say whether the inputs still are what the projections were made from."""
    from hermes.steps.project import signature

    return values.get("inputs") == signature(view().lab.layout.experiment(experiment))


def project_experiment(experiment: str) -> dict[str, Any]:
    """Project one experiment; a broken one is told of and does not stop the others."""
    from hermes.steps.project import project, signature

    _done.add(experiment)
    with turns.put_down_if_broken():
        projected = project(view().lab, experiment)
        as_of = projected.as_of
        return {
            "inputs": projected.signature,
            "as_of": [as_of.spec_sha256, as_of.journal_bytes, as_of.metrics_bytes],
        }
    return {"inputs": signature(view().lab.layout.experiment(experiment)), "as_of": None}


def lab_is_fresh() -> bool:
    """Say whether nothing was projected in this call and the lab's index was right before it."""
    return not _done and (not view().lab.is_there or view().lab_is_fresh)


def project_lab() -> None:
    """Project the lab from the statuses that changed and the index as it was."""
    from hermes.steps.project import project_lab

    if not view().lab.is_there:
        return
    with turns.put_down_if_broken():
        project_lab(view().lab, _done | set(view().unindexed))
