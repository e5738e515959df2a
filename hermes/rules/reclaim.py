"""When work that a crash cut off is completed: first, and only when there is some."""

from __future__ import annotations

from typing import Any

from hermes.rules import turns
from hermes.rules.view import view


def task_reclaim() -> dict[str, Any]:
    """Complete runs that a crashed process left; living work is never touched."""
    return {"actions": [reclaim_all], "uptodate": [nothing_to_reclaim]}


def nothing_to_reclaim() -> bool:
    """Say whether all work is in living hands: every package, and every item of an agent."""
    from hermes.steps.items import overdue
    from hermes.steps.reclaim import reclaimable

    lab = view().lab
    return not (lab.is_there and (reclaimable(lab) or overdue(lab)))


def reclaim_all() -> None:
    """Reclaim each experiment on its own, so that a broken one does not stop the others."""
    from hermes.steps import items
    from hermes.steps.reclaim import reclaim, reclaimable

    lab = view().lab
    for experiment in items.overdue(lab):
        with turns.put_down_if_broken():
            items.clear(lab, experiment)
    for experiment in reclaimable(lab):
        with turns.put_down_if_broken():
            reclaim(lab, experiment)
