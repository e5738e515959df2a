"""Measures what stands in a workspace: the parameters go in, the commands run, the metric is read.

Limit first: only what the commands write and print meanwhile counts; a ``metrics.json`` that lay
there before does not.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping

from hermes.errors import RequestError
from hermes.executing import parameters, trees
from hermes.executing.job import Job
from hermes.executing.logs import Log
from hermes.executing.metric import MAX_BYTES, read_metric
from hermes.executing.stages import Result, Stages
from hermes.executing.workspaces import Workspace
from hermes.model import Json, Outcome

METRICS = "metrics.json"
_TOO_MUCH = (
    "so much was printed on standard output that it cannot be checked for a second metric: "
    "let the evaluator print less, or into a file"
)
_SECOND_NS = 1_000_000_000


class Measuring:
    """Measures for one run."""

    def __init__(self, job: Job, stages: Stages, *, strict: bool = False) -> None:
        self.facts: dict[str, Json] = {}
        self._job = job
        self._spec = job.spec
        self._stages = stages
        self._strict = strict

    def give_parameters(self, workspace: Workspace) -> Result | None:
        """Merge the parameters into the configuration file; None when all is well."""
        params = self._job.manifest.params
        if not params or workspace.is_users_own or self._spec.workspace_root is None:
            return None
        try:
            target = parameters.params_file(self._spec, workspace.folder)
            if target is not None:
                parameters.merge(workspace.folder, target, params)
                self.facts["params_file"] = target.path
        except RequestError as error:
            return Result(Outcome.FAILED, error.message)
        return None

    def measure(
        self,
        workspace: Workspace,
        stdout: Log,
        stderr: Log,
        *,
        between: Callable[[], None] = lambda: None,
    ) -> Result:
        """Run the commands that make up the run, and read the metric.

        ``between`` is called after the first when there is a second, and may raise.
        """
        before = self._metrics_before(workspace)
        marks: list[int] = []
        for name in ("executor_command", "validation_command"):
            if getattr(self._spec, name) is not None:
                if marks:
                    between()
                marks.append(stdout.printed)
                params = self._job.manifest.params
                failed = self._stages.run(name, workspace, params, stdout, stderr)
                if failed is not None:
                    return failed
        if self._strict and stdout.printed - marks[0] > len(stdout.since(marks[0])):
            return Result(Outcome.INVALID_METRIC, _TOO_MUCH)
        reading = read_metric(
            self._spec.metric,
            documents=self._documents(before),
            outputs=_outputs(stdout, marks),
            strict=self._strict,
        )
        return Result(reading.outcome, reading.reason, reading.value, reading.secondary)

    def _metrics_before(self, workspace: Workspace) -> dict[str, trees.Signature | None]:
        """Return the places of metrics.json and what stands there before the commands run.

        In a sandbox such a file gets an older time, so that even one that is written again at
        once, with the same content, is told from it.
        """
        own = f"{workspace.folder}/{METRICS}"
        if not workspace.is_users_own:
            with contextlib.suppress(OSError):
                then = os.lstat(own).st_mtime_ns - _SECOND_NS
                os.utime(own, ns=(then, then), follow_symlinks=False)
        bundle = self._job.bundle
        places = (own, f"{bundle.artifacts}/{METRICS}", str(bundle.metrics))
        return {place: _sign(place) for place in places}

    def _documents(self, before: Mapping[str, trees.Signature | None]) -> list[tuple[str, bytes]]:
        """Read the metrics.json files that were written since ``before``."""
        found = []
        for place, sign in before.items():
            now = _sign(place)
            content = _content(place) if now is not None and now != sign else None
            if content is not None:
                own = os.path.dirname(place) == str(self._job.bundle.artifacts)
                found.append((f"artifacts/{METRICS}" if own else METRICS, content))
        return found


def _outputs(stdout: Log, marks: list[int]) -> list[bytes]:
    """Return what each command printed on standard output, the last command's first."""
    found = []
    behind = 0
    for mark in reversed(marks):
        printed = stdout.since(mark)
        found.append(printed[: len(printed) - behind] if behind < len(printed) else b"")
        behind = stdout.printed - mark
    return found


def _sign(path: str) -> trees.Signature | None:
    try:
        return trees.signature(os.lstat(path))
    except OSError:
        return None


def _content(path: str) -> bytes | None:
    """Read a regular file in its own folder, also through a link that stays there, bounded."""
    real = os.path.realpath(path)
    if not trees.is_inside(real, os.path.realpath(os.path.dirname(path))):
        return None
    try:
        fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, MAX_BYTES + 1) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)
