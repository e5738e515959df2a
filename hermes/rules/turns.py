"""What the chain's tasks hand on within one process: the session, the planned run, the tally.

The files say where a run stands; this only spares reading them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hermes.cli import console, signals
from hermes.errors import Fault, LabError, broken_file
from hermes.rules.progress import Progress
from hermes.rules.view import view

if TYPE_CHECKING:  # a command that runs nothing loads no step
    from hermes.model import Execution, IndexLine
    from hermes.modes.loop import Tally
    from hermes.modes.slots import Slots
    from hermes.steps.plan import Planned
    from hermes.steps.session import Session


def _new_tally() -> Tally:
    from hermes.modes.loop import Tally

    return Tally()


@dataclass
class Turn:
    """One experiment's turn in this call."""

    session: Session | None = None
    slots: Slots | None = None
    planned: Planned | None = None
    execution: Execution | None = None
    tally: Tally = field(default_factory=_new_tally)


progress = Progress()
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
        found = broken_file(error) if isinstance(error, OSError) else error
        if attended:
            raise (found or error) from None
        message = found.message if found else str(error)
        put_down(Fault(f"{experiment}: {message}", found.remedy if found else ""))


@contextmanager
def put_down_if_broken() -> Iterator[None]:
    """Let a broken file stop nothing but what it belongs to."""
    try:
        yield
    except LabError as error:
        put_down(error)
    except OSError as error:
        found = broken_file(error)
        if found is None:
            raise
        put_down(found)


def close(experiment: str) -> None:
    """End the experiment's turn: give the lease back. Fine to call twice."""
    current = turns.get(experiment)
    if current is not None and current.session is not None:
        session, current.session = current.session, None
        slots, current.slots = current.slots, None
        if slots is not None:
            slots.close()
        session.close()


def put_down(error: LabError) -> None:
    """Remember a problem of one experiment that must not stop the others."""
    problems.append(error)
    console.notice(str(error))


def tell(line: IndexLine) -> None:
    """Say in one line what a sealed run brought; of many a second, only some."""
    if progress.count == 0:
        if progress.total is None and view().is_attended:
            progress.total = sum(view().quotas.values())
        if progress.total and view().request.environ.get("TERM") != "dumb":
            progress.show_bar(console.bar(progress.total))
        signals.at_interrupt(_last_words)
    progress.tell(line)


def _last_words() -> str:
    """Say what an interrupted command has done, and what makes the rest."""
    left = (progress.total or 0) - progress.count
    return progress.last_words(f"; n={left} makes the rest" if left and view().quotas else "")
