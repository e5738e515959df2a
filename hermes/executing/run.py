"""Executes one planned run: workspace, commands, logs, metric, artifacts; the steps call it.

Limits first. One executor serves one slot of one experiment, one run at a time.
The time budget covers all commands of a run together, the setup command too when it is run.

The order: the workspace is made (or reset), the setup command runs when it was made (without the
parameters, for what it makes serves other runs too), the parameters go into the configuration
file, then ``executor_command`` and ``validation_command`` run, the metric is read, the artifacts
are taken. Whatever a command does ends in an outcome; what the lab or the machine could not do is
the outcome ``infra``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hermes import files
from hermes.clock import Clock, format_time
from hermes.errors import LabError, RequestError
from hermes.executing import artifacts, local, parameters, placeholders, provenance, trees
from hermes.executing.logs import Log
from hermes.executing.metric import MAX_BYTES, read_metric
from hermes.executing.workspaces import Order, Workspace, Workspaces
from hermes.layout import BundleLayout
from hermes.model import EMPTY, Execution, Json, Manifest, Outcome, Params, Usage
from hermes.spec import Command, Spec

_METRICS = "metrics.json"
_SETUP_LOG = "setup.log"
_PULSE_SECONDS = 1.0
_MOST_NAMED = 20
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Job:
    """One run to execute.

    ``spec`` stands at the run's tier. ``bundle`` is in the making: its folder is there.
    ``sandbox`` holds the sandbox of the slot. ``environment`` is all that commands get.
    ``ready`` is called before anything of the run is written, and returns when the plan is
    durable; ``begun`` is called when a command has been started.
    """

    spec: Spec
    manifest: Manifest
    bundle: BundleLayout
    sandbox: Path
    data_root: Path
    environment: Mapping[str, str]
    ready: Callable[[], None] = lambda: None
    begun: Callable[[], object] = lambda: None


class Executor:
    """Executes the runs of one slot, and keeps their sandbox warm in between."""

    def __init__(self, clock: Clock, *, grace_seconds: float = local.GRACE_SECONDS) -> None:
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._workspaces = Workspaces()

    def execute(self, job: Job, *, tick: Callable[[], None]) -> Execution:
        """Run the commands of ``job`` and say what came of it; of one to skip, run nothing.

        ``tick`` is called about every second meanwhile; when it raises, everything that was
        started is killed and the exception goes on.

        Writes: logs and artifacts in the bundle; the sandbox.
        """
        started_at = format_time(self._clock.now())
        if job.manifest.outcome is Outcome.SKIPPED:
            with contextlib.suppress(OSError):  # without a command nothing depends on it
                job.ready()
            return passed_over(job.manifest, started_at)
        run = _Run(job, self._workspaces, self._clock, self._grace_seconds, tick)
        try:
            result = run.execute()
        except (LabError, OSError) as error:
            result = _Result(Outcome.INFRA, _one_line(error))
        return Execution(
            outcome=result.outcome,
            reason=result.reason,
            value=result.value,
            secondary=result.secondary,
            exit_status=run.exit_status,
            started_at=started_at,
            completed_at=format_time(self._clock.now()),
            usage=run.usage,
            workspace=run.facts,
            machine=provenance.machine(),
        )

    def close(self) -> None:
        """Remove the sandbox. Nothing of the bundles is touched.

        Writes: removals.
        """
        with contextlib.suppress(OSError):
            self._workspaces.close()


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


@dataclass(frozen=True)
class _Result:
    """What came of a run: a value, and other numbers, with ``SUCCESS`` only."""

    outcome: Outcome
    reason: str = ""
    value: float | None = None
    secondary: Mapping[str, float] = field(default_factory=dict)


class _Run:
    """One run on its way; what it has cost and where it took place so far."""

    def __init__(
        self,
        job: Job,
        workspaces: Workspaces,
        clock: Clock,
        grace_seconds: float,
        tick: Callable[[], None],
    ) -> None:
        self.usage = Usage(0.0, 0.0, 0)
        self.exit_status: int | None = None
        self.facts: dict[str, Json] = {}
        self._job = job
        self._spec = job.spec
        self._workspaces = workspaces
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._tick = tick
        self._next_pulse = time.monotonic() + _PULSE_SECONDS
        self._deadline = 0.0

    def execute(self) -> _Result:
        """Run everything. Raises LabError and OSError for what is not the command's doing."""
        if not self._spec.has_command:
            self._job.ready()
            for path in (self._job.bundle.stdout, self._job.bundle.stderr):
                Log(path).close()
            return _Result(Outcome.STUB, "there is no executor_command and no validation_command")
        order = Order(self._spec, self._job.sandbox, self._job.data_root, self._job.environment)
        workspace = self._workspaces.prepare(order, self._pulse)
        self.facts.update(workspace.facts)
        self._job.ready()
        result = self._logged(order, workspace)
        self._take_artifacts(workspace)
        return result

    def _logged(self, order: Order, workspace: Workspace) -> _Result:
        bundle = self._job.bundle
        if not files.exists(bundle.artifacts):
            files.make_folder(bundle.artifacts)
        with contextlib.ExitStack() as logs:
            stdout, stderr = Log(bundle.stdout), Log(bundle.stderr)
            logs.callback(stderr.close)
            logs.callback(stdout.close)
            self._deadline = time.monotonic() + self._spec.time_budget_minutes * 60.0
            failed = self._set_up(order, workspace) or self._give_parameters(workspace)
            return failed or self._measured(workspace, stdout, stderr)

    def _set_up(self, order: Order, workspace: Workspace) -> _Result | None:
        """Run the setup command when the workspace is new; None when all is well."""
        if not workspace.needs_setup:
            return None
        if self._spec.setup_command is not None:
            log = Log(self._job.bundle.artifacts / _SETUP_LOG)
            try:
                failed = self._stage("setup_command", workspace, EMPTY, log, None)
            finally:
                log.close()
            if failed is not None:
                return failed
        self._workspaces.set_up(order)
        return None

    def _give_parameters(self, workspace: Workspace) -> _Result | None:
        params = self._job.manifest.params
        if not params or workspace.is_users_own or self._spec.workspace_root is None:
            return None
        try:
            target = parameters.params_file(self._spec, workspace.folder)
            if target is not None:
                parameters.merge(workspace.folder, target, params)
                self.facts["params_file"] = target.path
        except RequestError as error:
            return _Result(Outcome.FAILED, error.message)
        return None

    def _measured(self, workspace: Workspace, stdout: Log, stderr: Log) -> _Result:
        """Run the commands that make up the run, and read the metric."""
        before = self._metrics_before(workspace)
        marks: list[int] = []
        for name in ("executor_command", "validation_command"):
            if getattr(self._spec, name) is not None:
                marks.append(stdout.printed)
                params = self._job.manifest.params
                failed = self._stage(name, workspace, params, stdout, stderr)
                if failed is not None:
                    return failed
        reading = read_metric(
            self._spec.metric,
            documents=self._documents(before),
            outputs=_outputs(stdout, marks),
        )
        return _Result(reading.outcome, reading.reason, reading.value, reading.secondary)

    def _stage(
        self, name: str, workspace: Workspace, params: Params, stdout: Log, stderr: Log | None
    ) -> _Result | None:
        """Run one command; None when it succeeded."""
        command: Command = getattr(self._spec, name)
        left = self._deadline - time.monotonic()
        if left <= 0:
            return self._late(name)
        ended = local.run(
            placeholders.fill(command, params),
            folder=workspace.folder,
            environment=workspace.environment if params else _without_params(workspace.environment),
            stdout=stdout,
            stderr=stderr,
            limit_seconds=left,
            grace_seconds=self._grace_seconds,
            tick=self._tick,
            begun=self._job.begun,
            monotonic=self._clock.monotonic,
        )
        self.usage = _sum(self.usage, ended.usage)
        self.exit_status = ended.exit_status
        if ended.timed_out:
            return self._late(name)
        if ended.exit_status == 0:
            return None
        return _Result(Outcome.FAILED, f"{name}: {local.explained(ended, stderr or stdout)}")

    def _late(self, name: str) -> _Result:
        minutes = self._spec.time_budget_minutes
        return _Result(
            Outcome.TIMEOUT, f"{name}: the time budget of {minutes:g} minutes was used up"
        )

    def _metrics_before(self, workspace: Workspace) -> dict[Path, trees.Signature | None]:
        """Return the places of metrics.json and what stands there before the commands run.

        In a sandbox such a file gets an older time, so that even one that is written again at
        once, with the same content, is told from it.
        """
        own = workspace.folder / _METRICS
        if not workspace.is_users_own:
            with contextlib.suppress(OSError):
                then = os.lstat(own).st_mtime_ns - _SECOND_NS
                os.utime(own, ns=(then, then), follow_symlinks=False)
        bundle = self._job.bundle
        places = (own, bundle.artifacts / _METRICS, bundle.metrics)
        return {place: _sign(place) for place in places}

    def _documents(self, before: Mapping[Path, trees.Signature | None]) -> list[tuple[str, bytes]]:
        """Read the metrics.json files that were written since ``before``."""
        found = []
        for place, sign in before.items():
            now = _sign(place)
            content = _content(place) if now is not None and now != sign else None
            if content is not None:
                own = place.parent == self._job.bundle.artifacts
                found.append((f"artifacts/{_METRICS}" if own else _METRICS, content))
        return found

    def _take_artifacts(self, workspace: Workspace) -> None:
        artifacts.tidy(self._job.bundle)
        if not self._spec.egress_files and not self._spec.artifacts_expected:
            return
        kept = artifacts.collect(
            workspace.folder,
            self._job.bundle.artifacts,
            egress=self._spec.egress_files,
            expected=self._spec.artifacts_expected,
            pulse=self._pulse,
        )
        if kept.missing:
            self.facts["missing_artifacts"] = list(kept.missing)
        if kept.missing_egress:
            self.facts["missing_egress"] = list(kept.missing_egress)
        if kept.left_out:
            self.facts["left_out"] = list(kept.left_out[:_MOST_NAMED])
            self.facts["left_out_count"] = len(kept.left_out)

    def _pulse(self) -> None:
        """Tick when a second has gone by; for the lab's own long work."""
        now = time.monotonic()
        if now >= self._next_pulse:
            self._next_pulse = now + _PULSE_SECONDS
            self._tick()


def _outputs(stdout: Log, marks: list[int]) -> list[bytes]:
    """Return what each command printed on standard output, the last command's first."""
    found = []
    behind = 0
    for mark in reversed(marks):
        printed = stdout.since(mark)
        found.append(printed[: len(printed) - behind] if behind < len(printed) else b"")
        behind = stdout.printed - mark
    return found


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.wall_seconds + other.wall_seconds,
        one.cpu_seconds + other.cpu_seconds,
        max(one.peak_memory_bytes, other.peak_memory_bytes),
    )


def _one_line(error: LabError | OSError) -> str:
    if isinstance(error, LabError):
        return error.message
    place = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{place}"


def _without_params(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in environment.items() if not k.startswith("LAB_PARAM_")}
    return {**kept, "LAB_PARAMS_JSON": "{}"}


def _sign(path: Path) -> trees.Signature | None:
    try:
        return trees.signature(os.lstat(path))
    except OSError:
        return None


def _content(path: Path) -> bytes | None:
    """Read a regular file in its own folder, also through a link that stays there, bounded."""
    real = os.path.realpath(path)
    if not trees.is_inside(real, os.path.realpath(path.parent)):
        return None
    try:
        fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, MAX_BYTES + 1) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)
