"""The step ``execute``: runs the commands of a planned package and records what came of it."""

from __future__ import annotations

from pathlib import Path

from hermes import status
from hermes.model import Execution
from hermes.steps.plan import Planned
from hermes.steps.session import Session

_REPO_ROOT = Path(__file__).resolve().parents[2]


class _TakenOver(Exception):
    """The lease is no longer ours."""


def execute(session: Session, planned: Planned) -> Execution | None:
    """Run a planned package to its end; None when another process took the experiment over.

    Writes: logs and artifacts in the package's ``run/``, then its ``execution.json``.
    A package whose command has ended already is not run again.
    """
    from hermes.executing.run import Job

    packages = session.lab.packages
    recorded = packages.read_execution(planned.folder)
    if recorded is not None:
        return recorded
    job = Job(
        spec=session.spec.at_tier(planned.manifest.fidelity_tier),
        manifest=planned.manifest,
        bundle=planned.folder.run,
        sandbox=session.lab.layout.sandbox(session.experiment),
        data_root=session.lab.layout.root,
        environment=_environment(session, planned),
    )
    try:
        execution = session.executor.execute(job, tick=lambda: _beat(session))
    except _TakenOver:
        return None
    packages.record_execution(planned.folder, execution)
    return execution


def _beat(session: Session) -> None:
    """Give a sign of life; a command that can no longer be sealed is stopped."""
    session.beat()
    if session.fenced_out:
        raise _TakenOver


def _environment(session: Session, planned: Planned) -> dict[str, str]:
    from hermes.executing import environment

    spec = session.spec.at_tier(planned.manifest.fidelity_tier)
    best = status.overall_best(session.spec, session.state)
    layout = session.layout
    context = environment.RunContext(
        spec=spec,
        manifest=planned.manifest,
        data_root=session.lab.layout.root,
        repo_root=_REPO_ROOT,
        run_dir=planned.folder.run.folder,
        artifacts_dir=planned.folder.run.artifacts,
        sandbox=session.lab.layout.sandbox(session.experiment),
        spec_path=layout.spec,
        summary_path=layout.folder / "SUMMARY.md",
        next_path=layout.folder / "NEXT.md",
        context_path=layout.folder / "context.md",
        program_path=session.lab.layout.program,
        next_tier=session.spec.next_tier(session.tier),
        best_run_id=best.run_id if best else None,
        best_value=best.value if best else None,
        dispatch_id=planned.package.dispatch_id,
        dispatch_dir=planned.folder.folder,
        dispatch_stage="running",
    )
    return {**session.base_environment, **environment.contract(context)}
