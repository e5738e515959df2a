"""What becomes of work items: which wait to be measured, and which are taken back.

Limit first: an item whose time is up is taken back by whoever comes next, not at that moment.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from hermes.clock import format_time, parse_time
from hermes.errors import Busy
from hermes.lab import Lab
from hermes.model import IndexLine, Origin
from hermes.store.items import Held

if TYPE_CHECKING:  # a cycle with nothing due looks for overdue items alone
    from hermes.spec import Spec

_GRACE = timedelta(seconds=5)  # for an answer that is on its way
_LONGEST_MINUTES = 366 * 24 * 60.0


def deadline(spec: Spec, now: str) -> str:
    """Return until when an agent may think that is asked ``now``: the time budget and a little."""
    budget = timedelta(minutes=min(spec.time_budget_minutes, _LONGEST_MINUTES))
    return format_time(parse_time(now) + budget + _GRACE)


def is_answer(line: IndexLine) -> bool:
    """Say whether a run measured what an agent sent, or found that it cannot be measured.

    One that the lab or the machine cut off is none; nor is one that found another evaluator and
    measured the code as it is in the place of what was sent.
    """
    return (
        line.origin is Origin.AGENT
        and line.request is not None
        and not line.outcome.is_retried
        and line.code is not None
        and line.code.compared_with is not None
    )


def answers(lab: Lab, experiment: str) -> dict[str, IndexLine]:
    """Return the runs that measured what agents sent, by the item's id."""
    lines = lab.index(experiment).read().lines
    return {line.request: line for line in lines if line.request is not None and is_answer(line)}


def waiting(lab: Lab, experiment: str) -> list[Held]:
    """Return the items with an answer that nobody has measured yet, the oldest first."""
    sent = [held for held in lab.items.held(experiment) if held.submission is not None]
    if not sent:
        return []
    done = answers(lab, experiment)
    left = [held for held in sent if held.item is not None and held.dispatch_id not in done]
    return sorted(left, key=_age)


def _age(held: Held) -> tuple[str, str]:
    return held.item.created_at if held.item is not None else "", held.dispatch_id


def overdue(lab: Lab) -> list[str]:
    """Return the experiments that have an item whose time is up, or that cannot be read."""
    now = lab.now()
    found = {held.experiment for held in lab.items.held() if held.is_over(now)}
    return sorted(found.intersection(lab.experiments())) if found else []


def clear(lab: Lab, experiment: str) -> None:
    """Take back the items of an experiment that nothing more will come of. Raises Busy.

    Writes: removals in ``dispatch/agents``, and an event for each whose time is up; what cannot be
    read is set aside.
    """
    now = lab.now()
    found = lab.items.held(experiment)
    sent = any(held.submission is not None for held in found)
    if not sent and not any(held.is_over(now) for held in found):
        return
    done = answers(lab, experiment) if sent else {}
    with lab.items.lock(experiment):
        for held in lab.items.held(experiment):
            if held.item is None:
                lab.items.set_aside(held.dispatch_id, "its item.json cannot be read", None)
            elif held.dispatch_id in done:
                lab.items.remove(held.dispatch_id)
            elif held.is_over(now):
                lab.items.remove(held.dispatch_id)
                lab.record("expired", experiment, detail=held.dispatch_id)


def put_by(lab: Lab, experiment: str, line: IndexLine) -> None:
    """Take back the item that a sealed run has answered, if it did.

    Left for whoever clears next when others are at the experiment's items just now.

    Writes: a removal in ``dispatch/agents``.
    """
    if is_answer(line) and line.request is not None:
        with suppress(Busy), lab.items.lock(experiment):
            lab.items.remove(line.request)
