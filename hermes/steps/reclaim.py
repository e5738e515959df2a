"""The step ``reclaim``: completes what a crashed owner left; never touches a living one's work."""

from __future__ import annotations

from hermes.lab import Lab


def reclaimable(lab: Lab) -> list[str]:
    """Return the experiments with work that nobody alive is doing."""
    packages = lab.packages
    waiting = {
        found.name.experiment
        for found in packages.running()
        if packages.stage_of(found.layout) != "planned"  # it waits for its experiment's next turn
    }
    known = {name for name in waiting if lab.layout.experiment(name).folder.is_dir()}
    return sorted(name for name in known if not is_worked_on(lab, name))


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
