"""Completes what an earlier owner of an experiment left; whoever opens a session calls it."""

from __future__ import annotations

from contextlib import suppress

from hermes import codec, files
from hermes.errors import Busy
from hermes.layout import PackageLayout, parse_package
from hermes.model import Execution, Manifest, Outcome, Usage
from hermes.steps import items
from hermes.steps.coding import is_whole
from hermes.steps.consulting import clear_calls
from hermes.steps.plan import Planned
from hermes.steps.seal import seal
from hermes.steps.session import Session


def reconcile(session: Session) -> None:
    """Bring the packages of an experiment we hold into order.

    What was planned and never started is left for the session to take up.

    Writes: sealed bundles for runs that had ended or were cut off, and the removal of what is
    left over.
    """
    packages = session.lab.packages
    packages.clear_unfinished(session.experiment)
    clear_calls(session.lab, session.experiment)
    with suppress(Busy):  # whoever has them just now clears them by himself
        items.clear(session.lab, session.experiment)
    for found in packages.running(session.experiment):
        folder = packages.take_over(found.layout, worker=session.worker)
        if folder is not None:
            _settle(session, folder)


def _settle(session: Session, folder: PackageLayout) -> None:
    """Do with a package what its place and its files call for (docs/FORMAT.md, section 7)."""
    packages = session.lab.packages
    draft = packages.read(folder)
    stage = packages.stage_of(folder)
    if stage == "empty" or _is_past(session, folder) or _holds_sealed_run(session, folder):
        packages.discard(folder)
    elif draft is None:
        packages.set_aside(folder, "its dispatch.json cannot be read")
    else:
        packages.restore(folder)
        if stage == "planned":
            session.left_planned.append(folder)
        else:
            _seal_remains(session, folder, draft)


def _is_past(session: Session, folder: PackageLayout) -> bool:
    """Say whether the package's iteration is sealed, by its owner or by who took over from it."""
    name = parse_package(folder.folder.name)
    if name is None or name.iteration > session.state.last_iteration:
        return False
    lines = session.lab.index(session.experiment).read().lines
    return any(line.iteration == name.iteration for line in lines)


def _holds_sealed_run(session: Session, folder: PackageLayout) -> bool:
    """Say whether ``run/`` is a sealed bundle's old name, as losing power may bring it back.

    The folder carried the next package by then, of which nothing was durable yet.
    """
    try:
        manifest = codec.read_record(Manifest, files.read(folder.run.manifest) or b"")
    except (OSError, ValueError):
        return False
    return session.lab.bundles.has(session.experiment, manifest.run_id)


def _seal_remains(session: Session, folder: PackageLayout, manifest: Manifest) -> None:
    from hermes.executing.run import passed_over
    from hermes.executing.strays import stop_marked

    packages = session.lab.packages
    execution = packages.read_execution(folder)
    if execution is not None and not is_whole(folder.run, execution.code):
        execution = None  # losing power took a part of what was measured
    if execution is None:
        stop_marked(f"LAB_RUN_ID={manifest.run_id}")  # what a killed owner left running
        packages.detach_logs(folder)
        if manifest.outcome is Outcome.SKIPPED:
            execution = passed_over(manifest, session.lab.now())
        else:
            execution = _interrupted(session, manifest)
            session.lab.record("interrupted", session.experiment, manifest.run_id)
    seal(session, Planned(folder, manifest), execution)


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
