"""What the chain's tasks hand on within one process: the session, the planned run, the tally.

The files say where a run stands; this only spares reading them again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hermes.cli import console
from hermes.errors import Fault, LabError
from hermes.model import Execution, IndexLine
from hermes.modes.loop import Tally
from hermes.steps.plan import Planned
from hermes.steps.session import Session


@dataclass
class Turn:
    """One experiment's turn in this call."""

    session: Session | None = None
    planned: Planned | None = None
    execution: Execution | None = None
    tally: Tally = field(default_factory=Tally)


_TELLING_SECONDS = 0.2
_next_telling = 0.0
turns: dict[str, Turn] = {}
problems: list[LabError] = []


def turn(experiment: str) -> Turn:
    """Return the experiment's turn, made at first use."""
    return turns.setdefault(experiment, Turn())


def runs() -> int:
    """Return how many runs this call has made or has in hand."""
    return sum(max(item.tally.runs, item.planned is not None) for item in turns.values())


@contextmanager
def put_down_on_error(experiment: str, *, attended: bool) -> Iterator[None]:
    """Let an error of one experiment's turn end that turn, and no other's.

    To whoever asked for this experiment by name the error is the answer, so it goes on.
    """
    try:
        yield
    except (LabError, OSError) as error:
        close(experiment)
        if attended:
            raise
        remedy = error.remedy if isinstance(error, LabError) else ""
        message = error.message if isinstance(error, LabError) else str(error)
        put_down(Fault(f"{experiment}: {message}", remedy))


def close(experiment: str) -> None:
    """End the experiment's turn: give the lease back. Fine to call twice."""
    current = turns.get(experiment)
    if current is not None and current.session is not None:
        session, current.session = current.session, None
        session.close()


def put_down(error: LabError) -> None:
    """Remember a problem of one experiment that must not stop the others."""
    problems.append(error)
    console.notice(str(error))


def tell(line: IndexLine) -> None:
    """Say in one line what a sealed run brought; of many a second, only what is best so far."""
    global _next_telling  # noqa: PLW0603  one terminal a process
    now = time.monotonic()
    if not line.accepted and now < _next_telling:
        return
    _next_telling = now + _TELLING_SECONDS
    value = line.outcome.value if line.value is None else f"{line.value:.6g}"
    best = "  best so far" if line.accepted else ""
    console.notice(f"{line.run_id}  {line.strategy}  {value}{best}")
