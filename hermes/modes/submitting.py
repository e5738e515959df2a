"""Measures what one agent sent, with the loop that every mode uses; inside one session.

Limit first: at most a few runs are made: the one that measures it, and those without which it
cannot be measured (a baseline, a repetition of what was cut off).
"""

from __future__ import annotations

from collections.abc import Callable

from hermes.model import IndexLine
from hermes.modes.loop import Tally, iterate
from hermes.steps import items
from hermes.steps.session import Session

_MOST_RUNS = 6


def submitted(
    session: Session, tally: Tally, *, on_run: Callable[[IndexLine], None]
) -> IndexLine | None:
    """Return the run that measured the answer which the session's order names.

    None when it was not measured: ``tally`` tells why, and the answer waits for the next owner.

    Writes: as ``iterate``.
    """
    item = session.order.item
    assert item is not None, "the order names an answer"
    for _ in range(_MOST_RUNS):
        measured = items.answers(session.lab, session.experiment).get(item)
        if measured is not None:
            return measured
        iterate(session, tally, 1, on_run=on_run)
        last = tally.last
        if tally.stopped is not None or (last is not None and _is_in_vain(last)):
            break
    return items.answers(session.lab, session.experiment).get(item)


def _is_in_vain(line: IndexLine) -> bool:
    """Say whether a run failed that had to succeed before anything sent can be measured."""
    return line.outcome.is_failure and not items.is_answer(line)
