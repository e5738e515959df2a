"""Experiments that people steer, for the tests of ``enqueue``, ``guided`` and ``approve``."""

from __future__ import annotations

import json
import time
from pathlib import Path

from forked import Answer, command, done
from labs import lines

from hermes import history
from hermes.lab import Lab
from hermes.steering import Waiting
from hermes.steps.session import Order

GRID = {"x": {"type": "int", "low": 1, "high": 9}}
ATTENDED = Order(attended=True)


def ask(root: Path, n: int, *more: str) -> Answer:
    """Call ``guided`` for ``n`` runs."""
    return command(root, "guided", "exp=exp", f"n={n}", *more)


def waiting(lab: Lab) -> Waiting | None:
    """Return the proposal that waits for an answer."""
    return history.read(lab, "exp").state.waiting


def approve(lab: Lab, root: Path, decision: str, *more: str) -> Answer:
    """Answer what waits, which is to succeed."""
    words = ("exp=exp", f"id={waiting(lab).id}", f"decision={decision}")
    return done(root, "approve", *words, *more)


def tried(lab: Lab) -> list[object]:
    """Return x of each trial, whatever came of it."""
    return [line.params.get("x") for line in lines(lab) if not line.outcome.is_retried]


def refused(answer: Answer) -> list[str]:
    """Return the two lines that say what is wrong with a request, and the next step."""
    said = answer.err[answer.err.index("ERROR: ") + 7 :].splitlines()
    assert (answer.code, len(said)) == (3, 2), answer
    return said


def status(root: Path, name: str = "exp") -> dict:
    """Return STATUS.json."""
    return json.loads((root / "experiments" / name / "STATUS.json").read_text())


def answers_in(folder: Path, text: str, name: str = "answers") -> str:
    """Write a file of answers, and return the variable that names it."""
    path = folder / name
    path.write_text(text)
    return f"answers={path}"


def wait_for(path: Path, seconds: float = 20.0) -> None:
    """Wait until there is a file."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.005)
