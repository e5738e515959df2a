"""The step ``reclaim``: completes what a crashed owner left; never touches a living one's work."""

from __future__ import annotations

from hermes.lab import Lab
from hermes.layout import PackageLayout
from hermes.model import Execution, Manifest, Outcome, Package, Usage
from hermes.steps.plan import Planned
from hermes.steps.session import Order, Session, opened


def reconcile(session: Session) -> None:
    """Bring the packages of an experiment we hold into order.

    Writes: sealed bundles for runs that had ended or were cut off, and the removal of what is
    left over.
    """
    packages = session.lab.packages
    packages.clear_unfinished(session.experiment)
    for found in packages.running(session.experiment):
        folder = packages.take_over(found.layout, worker=session.worker)
        if folder is not None:
            _settle(session, folder)


def _settle(session: Session, folder: PackageLayout) -> None:
    """Do with a package what its place and its files call for (docs/FORMAT.md, section 7)."""
    packages = session.lab.packages
    content = packages.read(folder)
    stage = packages.stage_of(folder)
    if content is None and stage in ("started", "executed"):
        packages.set_aside(folder, "its dispatch.json or its plan cannot be read")
    elif content is None or stage == "empty" or _is_past(session, content[1]):
        packages.discard(folder)
    elif stage != "planned":
        _seal_remains(session, folder, *content)


def _is_past(session: Session, manifest: Manifest) -> bool:
    """Say whether the run is sealed, or its iteration is, by whoever took over from its owner."""
    if session.lab.bundles.has(session.experiment, manifest.run_id):
        return True
    if manifest.iteration > session.state.last_iteration:
        return False
    lines = session.lab.index(session.experiment).read().lines
    return any(line.iteration == manifest.iteration for line in lines)


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
    with opened(lab, experiment, Order()) as session:
        return session is not None


def is_worked_on(lab: Lab, experiment: str) -> bool:
    """Say whether somebody alive holds the experiment's lease."""
    lease = lab.leases.read(experiment)
    return lease is not None and lease.held and not lab.leases.is_stale(lease)


def _seal_remains(
    session: Session, folder: PackageLayout, package: Package, manifest: Manifest
) -> None:
    from hermes.executing.strays import stop_marked
    from hermes.steps.seal import seal

    packages = session.lab.packages
    execution = packages.read_execution(folder)
    if execution is None:
        stop_marked(f"LAB_RUN_ID={manifest.run_id}")  # what a killed owner left running
        packages.detach_logs(folder)
        execution = _interrupted(session, manifest)
        session.lab.record("interrupted", session.experiment, manifest.run_id)
    seal(session, Planned(package, folder, manifest), execution)


def _interrupted(session: Session, manifest: Manifest) -> Execution:
    return Execution(
        outcome=Outcome.INTERRUPTED,
        reason="the process that ran it ended before the run did",
        value=None,
        secondary={},
        exit_status=None,
        started_at=manifest.planned_at,
        completed_at=session.lab.now(),
        usage=Usage(0.0, 0.0, 0),
        workspace={},
        machine={},
    )
