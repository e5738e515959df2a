"""The step ``reclaim``: completes what a crashed owner left; never touches a living one's work."""

from __future__ import annotations

from hermes.lab import Lab
from hermes.store.packages import Found


def reclaimable(lab: Lab) -> list[str]:
    """Return the experiments with work that nobody alive is doing."""
    waiting = {found.name.experiment for found in lab.packages.running() if _is_left(lab, found)}
    known = {name for name in waiting if lab.layout.experiment(name).folder.is_dir()}
    return sorted(name for name in known if not is_worked_on(lab, name))


def _is_left(lab: Lab, found: Found) -> bool:
    """Say whether a package is to be settled; one that is only planned waits for its next turn."""
    draft = lab.packages.read(found.layout)
    if draft is None or lab.packages.stage_of(found.layout) != "planned":
        return True
    return lab.bundles.has(draft.experiment, draft.run_id)  # of which only the folder is left


def reclaim(lab: Lab, experiment: str) -> bool:
    """Complete one experiment's unfinished work; False when somebody alive is at it."""
    from hermes.steps.opening import opened
    from hermes.steps.session import Order

    with opened(lab, experiment, Order()) as session:
        return session is not None


def is_worked_on(lab: Lab, experiment: str) -> bool:
    """Say whether somebody alive holds the experiment's lease."""
    lease = lab.leases.read(experiment)
    return lease is not None and lease.held and not lab.leases.is_stale(lease)
