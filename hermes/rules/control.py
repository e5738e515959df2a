"""When a person decides: a lab is made, an experiment registered, paused, resumed, completed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hermes.cli import console
from hermes.model import Phase
from hermes.rules.asked import asked
from hermes.rules.view import view

LIFECYCLE = {"pause": Phase.PAUSED, "resume": Phase.ACTIVE, "complete": Phase.COMPLETED}


def task_init() -> dict[str, Any]:
    """Make the data root; running it again changes nothing."""
    return asked("init", make_lab)


def task_create() -> dict[str, Any]:
    """Register an experiment from a SPEC; all or nothing."""
    return asked("create", register)


def task_lifecycle() -> Iterator[dict[str, Any]]:
    """Set an experiment's phase, then let the graph project it."""
    experiment = view().given("exp", str)
    known = experiment in view().names
    yield {
        "basename": "_decide",
        "doc": "Write a person's decision into the journal.",
        "actions": [console.action(decide)],
        "uptodate": [False],
    }
    after = ["_decide", *([f"project:{experiment}"] if known else []), "project:lab"]
    for name in LIFECYCLE:
        yield asked(name, report_phase, after=after if view().request.command == name else ())


def make_lab() -> None:
    """Make the data root and say where it is."""
    from hermes import shipped
    from hermes.steps.init import init
    from hermes.steps.project import project_lab

    lab = view().lab
    fresh = init(lab)
    project_lab(lab)
    console.say(f"{'Made a lab' if fresh else 'There is a lab'} at {lab.layout.root}.")
    if fresh:
        console.say(f"Templates to begin with: {shipped.templates()}")
        console.say(f"Next: {view().request.again} create spec=YOUR-SPEC.yaml")


def register() -> None:
    """Register an experiment and say what of its SPEC has no effect yet."""
    from hermes.steps.create import create
    from hermes.steps.project import project, project_lab

    request, lab = view().request, view().lab
    created = create(lab, view().need("spec", Path), experiment=view().given("id", str))
    project(lab, created.experiment)
    project_lab(lab, {created.experiment})
    for notice in created.notices:
        console.notice(notice)
    console.say(f"Created {created.experiment}.")
    burst = f"{request.again} burst exp={created.experiment}"
    if created.waits_for_agents:
        ask = f"{request.again} agent_next exp={created.experiment} worker=NAME"
        console.say(f"Next: {burst} n=1")
        console.say(f"Then: {ask}")
    else:
        console.say(f"Next: {burst} n=10")


def decide() -> None:
    """Write the decision down."""
    from hermes.steps.lifecycle import set_phase

    request = view().request
    assert request.command is not None
    set_phase(
        view().lab,
        view().need("exp", str),
        LIFECYCLE[request.command],
        view().given("reason", str) or "",
    )


def report_phase() -> None:
    """Say what the phase is now."""
    from hermes.steps.project import read_status

    experiment = view().need("exp", str)
    status = read_status(view().lab, experiment)
    if status is not None:
        console.say(f"{experiment} is {status.phase.value}.")
