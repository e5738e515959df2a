"""Whole labs for tests: made in a folder, driven in process or through the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from hermes.lab import Lab
from hermes.modes.loop import Tally, iterate
from hermes.steps.create import create
from hermes.steps.init import init
from hermes.steps.opening import opened
from hermes.steps.project import project, project_lab
from hermes.steps.session import Order

ENVIRON = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
QUADRATIC = {"x": {"type": "float", "low": -5, "high": 5}}
LOSS_OF_X = """printf '{"loss": %s}' "$LAB_PARAM_X" """
PROJECTED = (
    *("STATUS.json", "RUNBOOK.md", "SUMMARY.md", "NEXT.md", "context.md", "best.md"),
    *("BLACKBOARD.md", "blackboard.json"),
)


def a_lab(root: Path, clock=None) -> Lab:
    """Return an initialised lab."""
    lab = Lab(root, clock=clock, environ=ENVIRON)
    init(lab)
    return lab


def write_spec(folder: Path, name: str = "exp", **fields) -> Path:
    """Write a SPEC that searches one number for the smallest loss; fields may be changed."""
    spec = {
        "id": name,
        "goal": "find the smallest loss",
        "metric": "loss",
        "metric_direction": "minimize",
        "executor_command": LOSS_OF_X,
        "strategy": "random",
        "search_space": QUADRATIC,
        **fields,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps({key: value for key, value in spec.items() if value is not None}))
    return path


def an_experiment(lab: Lab, folder: Path, name: str = "exp", **fields) -> str:
    """Register an experiment and return its id."""
    return create(lab, write_spec(folder, name, **fields)).experiment


def burst(lab: Lab, experiment: str, n: int, **order) -> Tally:
    """Make n iterations in this process, as the mode does, and project."""
    tally = Tally()
    with opened(lab, experiment, Order(attended=True, runs=n, **order)) as session:
        assert session is not None, "the experiment is held by somebody else"
        iterate(session, tally, n, on_run=lambda line: None)
    project(lab, experiment)
    project_lab(lab)
    return tally


def lines(lab: Lab, experiment: str = "exp"):
    """Return the index of sealed runs."""
    return lab.index(experiment).read().lines


def views(lab: Lab) -> dict[str, bytes]:
    """Return every projection of the lab by its path in the data root."""
    root = lab.layout.root
    paths = [root / "LAB-STATUS.md", root / "LAB-INDEX.json"]
    for name in lab.experiments():
        folder = lab.layout.experiment(name).folder
        paths += [folder / projection for projection in PROJECTED]
        paths += [folder / "checkpoints" / point for point in ("latest-run.txt", "best-run.txt")]
        paths += sorted(folder.glob("checkpoints/trials-*.jsonl"))
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def hermes(root: Path, *words: str, cwd: Path | None = None, **more) -> subprocess.CompletedProcess:
    """Run the real command on a data root."""
    environ = {**os.environ, "HERMES_LAB_DATA_ROOT": str(root), **more.pop("environ", {})}
    return subprocess.run(
        [sys.executable, "-m", "hermes", *words],
        cwd=cwd or root.parent,
        env=environ,
        capture_output=True,
        text=True,
        timeout=more.pop("timeout", 120),
        check=False,
        **more,
    )
