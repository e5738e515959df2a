"""When a person decides: a lab is made, an experiment registered, paused, resumed, completed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hermes.cli import console
from hermes.model import Phase
from hermes.rules.view import view

LIFECYCLE = {"pause": Phase.PAUSED, "resume": Phase.ACTIVE, "complete": Phase.COMPLETED}
_PURPOSE = {
    "pause": "Hold an experiment; a running burst stops at its next iteration.",
    "resume": "Let an experiment go on, and forgive its failures.",
    "complete": "End an experiment.",
}


def task_init() -> dict[str, Any]:
    """Make the data root; running it again changes nothing."""
    return {"actions": [console.action(make_lab)], "uptodate": [False]}


def task_create() -> dict[str, Any]:
    """Register an experiment from a SPEC; all or nothing."""
    return {"actions": [console.action(register)], "uptodate": [False]}


def task_lifecycle() -> Iterator[dict[str, Any]]:
    """Set an experiment's phase, then let the graph project it."""
    experiment = view().request.maybe("exp")
    known = experiment in view().names
    yield {
        "basename": "_decide",
        "doc": "Write a person's decision into the journal.",
        "actions": [console.action(decide)],
        "uptodate": [False],
    }
    for name in LIFECYCLE:
        projected = [f"project:{experiment}", "project:lab"] if known else []
        yield {
            "basename": name,
            "doc": _PURPOSE[name],
            "task_dep": ["_decide", *projected] if view().request.command == name else [],
            "actions": [console.action(report_phase)],
            "uptodate": [False],
        }


def make_lab() -> None:
    """Make the data root and say where it is."""
    from hermes.steps.init import init
    from hermes.steps.project import project_lab

    lab = view().lab
    fresh = init(lab)
    project_lab(lab)
    console.say(f"{'Made a lab' if fresh else 'There is a lab'} at {lab.layout.root}.")
    if fresh:
        console.say(f"Next: {view().request.program} create spec=YOUR-SPEC.yaml")


def register() -> None:
    """Register an experiment and say what of its SPEC has no effect yet."""
    from hermes.steps.create import create
    from hermes.steps.project import project, project_lab

    request, lab = view().request, view().lab
    created = create(lab, request.path("spec"), experiment=request.maybe("id"))
    project(lab, created.experiment)
    project_lab(lab, {created.experiment})
    for notice in created.notices:
        console.notice(notice)
    console.say(f"Created {created.experiment}.")
    console.say(f"Next: {request.program} burst exp={created.experiment} n=10")


def decide() -> None:
    """Write the decision down."""
    from hermes.steps.lifecycle import set_phase

    request = view().request
    assert request.command is not None
    set_phase(
        view().lab,
        request.text("exp"),
        LIFECYCLE[request.command],
        request.maybe("reason") or "",
    )


def report_phase() -> None:
    """Say what the phase is now."""
    from hermes.steps.project import read_status

    experiment = view().request.text("exp")
    status = read_status(view().lab, experiment)
    if status is not None:
        console.say(f"{experiment} is {status.phase.value}.")
