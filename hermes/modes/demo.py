"""The demo: the bundled example, end to end, in a data root of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import Busy, CheckFailed
from hermes.lab import Lab
from hermes.model import IndexLine, Params
from hermes.modes.loop import Tally, iterate
from hermes.shipped import example
from hermes.status import overall_best
from hermes.steps.create import create
from hermes.steps.init import init
from hermes.steps.opening import opened
from hermes.steps.project import project, project_lab
from hermes.steps.session import Order

EXPERIMENT = "optimize-rosenbrock"
RUNS = 40
_WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and where it is."""

    data_root: Path
    experiment: str
    metric: str
    runs: int
    successes: int
    value: float
    params: Params
    run_id: str


def demo(lab: Lab, order: Order, *, on_run: Callable[[IndexLine], None]) -> DemoResult:
    """Make a lab, register the example, make the runs of ``order``, project it.

    Run again, it goes on.
    Raises CheckFailed when nothing succeeded, Busy when another process is at it.
    """
    init(lab)
    if EXPERIMENT not in lab.experiments():
        create(lab, example("optimize-function") / "spec.yaml")
    tally = Tally()
    with opened(lab, EXPERIMENT, order, wait_seconds=_WAIT_SECONDS) as session:
        if session is None:
            raise Busy(f"{EXPERIMENT} is being worked on by another process.", "Try again later.")
        iterate(session, tally, order.runs, on_run=on_run)
        best = overall_best(session.spec, session.state)
        metric = session.spec.metric
    project(lab, EXPERIMENT)
    project_lab(lab)
    if best is None:
        raise CheckFailed("No run of the demo succeeded.", f"Look into {lab.layout.root}.")
    return DemoResult(
        data_root=lab.layout.root,
        experiment=EXPERIMENT,
        metric=metric,
        runs=tally.runs,
        successes=tally.successes,
        value=best.value,
        params=best.params,
        run_id=best.run_id,
    )
