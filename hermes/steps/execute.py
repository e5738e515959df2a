"""The step ``execute``: runs the commands of a planned package and records what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import status
from hermes.lab import Lab
from hermes.layout import PackageLayout, dispatch_id
from hermes.model import Execution, Manifest
from hermes.spec import Spec
from hermes.state import Scored
from hermes.steps.plan import Planned
from hermes.steps.session import Session, TakenOver

if TYPE_CHECKING:
    from hermes.executing.job import Job
    from hermes.executing.run import Executor

_REPO_ROOT = Path(__file__).resolve().parents[2]


def execute(
    session: Session, planned: Planned, *, meanwhile: Callable[[], object] = lambda: None
) -> Execution | None:
    """Run a planned package to its end; None when another process took the experiment over.

    ``meanwhile`` is called once a command has been started.

    Writes: logs and artifacts in the package's ``run/``, then its ``execution.json``.
    A package whose command has ended already is not run again.
    """
    job = job_for(session, planned, begun=meanwhile)
    return perform(session, planned, job, session.executor(), tick=session.hold)


def perform(
    session: Session, planned: Planned, job: Job, executor: Executor, *, tick: Callable[[], None]
) -> Execution | None:
    """Execute ``job``, which ``job_for`` made of the package; None when ``tick`` stopped it.

    Several may run side by side, each with an executor of its own.

    Writes: as ``execute``. Raises nothing for what the commands do.
    """
    packages = session.lab.packages
    recorded = None if planned.is_new else packages.read_execution(planned.folder)
    if recorded is not None:
        return recorded
    try:
        execution = executor.execute(job, tick=tick)
    except TakenOver:
        return None
    packages.record_execution(planned.folder, execution)
    return execution


def job_for(
    session: Session,
    planned: Planned,
    slot: int = 0,
    *,
    begun: Callable[[], object] = lambda: None,
) -> Job:
    """Return what a planned package asks of an executor, in the sandbox of a slot.

    ``begun`` is called when a command has been started.
    """
    from hermes.executing.job import Job
    from hermes.steps.coding import code_order

    sandbox = session.lab.layout.sandbox(session.experiment, slot)
    return Job(
        spec=session.spec.at_tier(planned.manifest.fidelity_tier),
        manifest=planned.manifest,
        bundle=planned.folder.run,
        sandbox=sandbox,
        data_root=session.lab.layout.root,
        environment=_environment(session, planned, sandbox),
        ready=planned.make_durable,
        begun=begun,
        code=code_order(session, planned),
    )


def _environment(session: Session, planned: Planned, sandbox: Path) -> dict[str, str]:
    told = contract(
        session.lab,
        session.spec,
        planned.manifest,
        planned.folder,
        sandbox=sandbox,
        best=status.overall_best(session.spec, session.state),
    )
    return {**session.base_environment, **told}


def contract(
    lab: Lab,
    spec: Spec,
    manifest: Manifest,
    package: PackageLayout,
    *,
    sandbox: Path,
    best: Scored | None,
) -> dict[str, str]:
    """Return what the environment of a run's commands says of it: every ``LAB_*`` variable.

    ``spec`` stands at no tier yet; ``best`` is the best run when it is planned.
    """
    from hermes.executing import environment

    layout = lab.layout.experiment(manifest.experiment)
    return environment.contract(
        environment.RunContext(
            spec=spec.at_tier(manifest.fidelity_tier),
            manifest=manifest,
            data_root=lab.layout.root,
            repo_root=_REPO_ROOT,
            run_dir=package.run.folder,
            artifacts_dir=package.run.artifacts,
            sandbox=sandbox,
            spec_path=layout.spec,
            summary_path=layout.summary,
            next_path=layout.outlook,
            context_path=layout.context,
            program_path=lab.layout.program,
            next_tier=spec.next_tier(manifest.fidelity_tier),
            best_run_id=best.run_id if best else None,
            best_value=best.value if best else None,
            dispatch_id=dispatch_id(manifest.experiment, manifest.iteration),
            dispatch_dir=package.folder,
            dispatch_stage="running",
        )
    )
