"""Code loops for the tests of agents that come by themselves: measured in a millisecond."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from labs import a_lab, write_spec

from hermes.lab import Lab
from hermes.model import IndexLine
from hermes.modes.loop import Tally
from hermes.modes.submitting import submitted
from hermes.steps.agent_next import Wish, Work, next_work
from hermes.steps.agent_submit import receive
from hermes.steps.create import create
from hermes.steps.opening import opened
from hermes.steps.project import project, project_lab, read_status
from hermes.steps.session import Order

VALUE = "src/value.txt"
marks = itertools.count(1)


def a_workspace(folder: Path, value: str = "10\n") -> Path:
    """Make a workspace whose metric is the number in one file."""
    root = folder / "workspace"
    (root / "src" / "kept").mkdir(parents=True)
    (root / VALUE).write_text(value)
    (root / "src" / "kept" / "tool.sh").write_text("#!/bin/sh\n")
    (root / "src" / "kept" / "tool.sh").chmod(0o755)
    (root / "src" / "logo.bin").write_bytes(b"\0\1\2")
    (root / "src" / "link").symlink_to("kept")
    (root / "bench.sh").write_text("cat src/value.txt\n")
    return root


def loop_fields(folder: Path, **fields) -> dict:
    """Return what makes a SPEC of ``labs`` a code loop that waits for agents."""
    root = folder / "workspace"
    return {
        "strategy": None,
        "search_space": None,
        "workspace_root": str(root if root.exists() else a_workspace(folder)),
        "mutable_paths": ["src/**"],
        "read_only_paths": ["bench.sh", "src/kept/*"],
        "executor_command": "sh bench.sh",
        "agent_provider": "dispatch",
        **fields,
    }


def a_loop(lab: Lab, folder: Path, name: str = "exp", **fields) -> str:
    """Register a code loop and project it."""
    made = create(lab, write_spec(folder, name, **loop_fields(folder, **fields))).experiment
    project(lab, made)
    project_lab(lab)
    return made


def a_lab_with_a_loop(root: Path, folder: Path, clock=None, **fields) -> Lab:
    lab = a_lab(root, clock)
    a_loop(lab, folder, **fields)
    return lab


def ask(lab: Lab, worker: str = "ada", **wish) -> Work:
    """Ask for work as ``agent_next`` does."""
    statuses = [read_status(lab, name, anew=True) for name in lab.experiments()]
    return next_work(lab, Wish(worker, lambda: f"{next(marks):08x}", **wish), statuses)


def sent(item: str, value: object, **fields) -> bytes:
    """Return what an agent sends that changes the value."""
    changes = {VALUE: None if value is None else f"{value}\n"}
    return json.dumps({"dispatch_id": item, "changes": changes, **fields}).encode()


def measure(lab: Lab, item: str, experiment: str = "exp") -> IndexLine | None:
    """Measure what was sent, as ``agent_submit`` does."""
    tally = Tally()
    with opened(lab, experiment, Order(attended=True, item=item)) as session:
        assert session is not None, "the experiment is held by somebody else"
        line = submitted(session, tally, on_run=lambda line: None)
    project(lab, experiment)
    project_lab(lab)
    return line


def submit(lab: Lab, data: bytes, worker: str = "ada") -> IndexLine | None:
    """Take an answer and measure it."""
    taken = receive(lab, data, worker)
    return taken.measured or measure(lab, taken.dispatch_id, taken.experiment)


def turn(lab: Lab, value: object, worker: str = "ada") -> IndexLine:
    """Ask, answer, and have it measured."""
    line = submit(lab, sent(ask(lab, worker).item.dispatch_id, value), worker)
    assert line is not None
    return line
