"""Executes one planned run: workspace, commands, logs, metric, artifacts; the steps call it.

Limits first. One executor serves one slot of one experiment, one run at a time.
The time budget covers all commands of a run together, the setup command too when it is run; in
the code loop the change has one budget, and each measurement has one.

The order: the workspace is made (or reset), the setup command runs when it was made (without the
parameters, for what it makes serves other runs too), the parameters go into the configuration
file, then ``executor_command`` and ``validation_command`` run, the metric is read, the artifacts
are taken. Whatever a command does ends in an outcome; what the lab or the machine could not do is
the outcome ``infra``. How a candidate is made before that says ``code_run``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from hermes.clock import Clock, format_time
from hermes.errors import LabError
from hermes.executing import artifacts, local, provenance
from hermes.executing.desk import Desk, logged
from hermes.executing.job import Job
from hermes.executing.logs import Log
from hermes.executing.measuring import Measuring
from hermes.executing.stages import Result, Stages
from hermes.model import Execution, Json, Manifest, Outcome, Usage

if TYPE_CHECKING:  # a run that changes no code pays for nothing of it
    from hermes.executing.code_run import CodeRun


class Executor:
    """Executes the runs of one slot, and keeps their sandboxes warm in between."""

    def __init__(self, clock: Clock, *, grace_seconds: float = local.GRACE_SECONDS) -> None:
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._desk = Desk()

    def execute(self, job: Job, *, tick: Callable[[], None]) -> Execution:
        """Run the commands of ``job`` and say what came of it; of one to skip, run nothing.

        ``tick`` is called about every second meanwhile; when it raises, everything that was
        started is killed and the exception goes on.

        Writes: logs and artifacts in the bundle; the sandboxes.
        """
        started_at = format_time(self._clock.now())
        if job.manifest.outcome is Outcome.SKIPPED:
            with contextlib.suppress(OSError):  # without a command nothing depends on it
                job.ready()
            return passed_over(job.manifest, started_at)
        stages = Stages(job, self._clock, self._grace_seconds, tick)
        run = self._run(job, stages)
        try:
            result = run.execute()
        except (LabError, OSError) as error:
            result = Result(Outcome.INFRA, _one_line(error))
        return Execution(
            outcome=result.outcome,
            reason=result.reason,
            value=result.value,
            secondary=result.secondary,
            exit_status=stages.exit_status,
            started_at=started_at,
            completed_at=format_time(self._clock.now()),
            usage=stages.usage,
            workspace=run.facts,
            machine=provenance.machine(),
            code=result.code,
            measurement=result.measurement,
        )

    def _run(self, job: Job, stages: Stages) -> _PlainRun | CodeRun:
        if job.code is None:
            return _PlainRun(job, self._desk, stages)
        from hermes.executing.code_run import CodeRun

        return CodeRun(job, self._desk, stages)

    def close(self) -> None:
        """Remove the sandboxes. Nothing of the bundles is touched.

        Writes: removals.
        """
        self._desk.close()


def passed_over(draft: Manifest, now: str) -> Execution:
    """Return the end of a run that a person wants passed over: nothing is made, nothing run."""
    return Execution(
        outcome=Outcome.SKIPPED,
        reason=draft.reason,
        value=None,
        secondary={},
        exit_status=None,
        started_at=now,
        completed_at=now,
        usage=Usage(0.0, 0.0, 0),
        workspace={},
        machine={},
    )


class _PlainRun:
    """One run of the user's code as it is, on its way; and where it took place."""

    def __init__(self, job: Job, desk: Desk, stages: Stages) -> None:
        self.facts: dict[str, Json] = {}
        self._job = job
        self._desk = desk
        self._stages = stages

    def execute(self) -> Result:
        """Run everything. Raises LabError and OSError for what is not the command's doing."""
        job = self._job
        if not job.spec.has_command:
            job.ready()
            for path in (job.bundle.stdout, job.bundle.stderr):
                Log(path).close()
            return Result(Outcome.STUB, "there is no executor_command and no validation_command")
        place = self._desk.measuring(job)
        workspace = place.prepare(self._stages.pulse)
        self.facts.update(workspace.facts)
        job.ready()
        with logged(job.bundle) as (stdout, stderr):
            self._stages.begin()
            measuring = Measuring(job, self._stages)
            failed = place.set_up(workspace, self._stages) or measuring.give_parameters(workspace)
            self.facts.update(measuring.facts)
            result = failed or measuring.measure(workspace, stdout, stderr)
        self.facts.update(artifacts.take(job, workspace, self._stages.pulse))
        return result


def _one_line(error: LabError | OSError) -> str:
    if isinstance(error, LabError):
        return error.message
    place = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{place}"
