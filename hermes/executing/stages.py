"""The commands of one run, one after the other, within one time budget; the runs use it.

Limit first: whatever a command does is a result; only what is not its doing is an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hermes.clock import Clock
from hermes.executing import local, placeholders
from hermes.executing.job import Job
from hermes.executing.logs import Log
from hermes.executing.workspaces import Workspace
from hermes.measured import Code, Measurement
from hermes.model import Outcome, Params, Usage
from hermes.spec import Command

_PULSE_SECONDS = 1.0


@dataclass(frozen=True)
class Result:
    """What came of a run: a value, and other numbers, with ``SUCCESS`` only."""

    outcome: Outcome
    reason: str = ""
    value: float | None = None
    secondary: Mapping[str, float] = field(default_factory=dict)
    code: Code | None = None
    measurement: Measurement | None = None


class Stages:
    """Runs the commands of a job; what they have cost so far, and how the last one ended."""

    def __init__(
        self, job: Job, clock: Clock, grace_seconds: float, tick: Callable[[], None]
    ) -> None:
        self.usage = Usage(0.0, 0.0, 0)
        self.exit_status: int | None = None
        self.left_running = 0
        self._job = job
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._tick = tick
        self._next_pulse = time.monotonic() + _PULSE_SECONDS
        self._deadline = 0.0

    def begin(self) -> None:
        """Let the time budget begin (anew)."""
        self._deadline = time.monotonic() + self._job.spec.time_budget_minutes * 60.0

    @property
    def left_seconds(self) -> float:
        """How much of the time budget is left."""
        return self._deadline - time.monotonic()

    def run(
        self, name: str, workspace: Workspace, params: Params, stdout: Log, stderr: Log | None
    ) -> Result | None:
        """Run the command that the SPEC has by that name; None when it succeeded."""
        command: Command = getattr(self._job.spec, name)
        left = self.left_seconds
        if left <= 0:
            return self.late(name)
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
            count_left=name == "mutation_command",
        )
        self.usage = _sum(self.usage, ended.usage)
        self.exit_status = ended.exit_status
        self.left_running = ended.left_running
        if ended.timed_out:
            return self.late(name)
        if ended.exit_status == 0:
            return None
        return Result(Outcome.FAILED, f"{name}: {local.explained(ended, stderr or stdout)}")

    def late(self, name: str) -> Result:
        """Say that the time budget was used up by a command."""
        minutes = self._job.spec.time_budget_minutes
        return Result(
            Outcome.TIMEOUT, f"{name}: the time budget of {minutes:g} minutes was used up"
        )

    def pulse(self) -> None:
        """Tick when a second has gone by; for the lab's own long work."""
        now = time.monotonic()
        if now >= self._next_pulse:
            self._next_pulse = now + _PULSE_SECONDS
            self._tick()

    def tick(self) -> None:
        """Tick at once. Raises what that raises."""
        self._tick()


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.wall_seconds + other.wall_seconds,
        one.cpu_seconds + other.cpu_seconds,
        max(one.peak_memory_bytes, other.peak_memory_bytes),
    )


def _without_params(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in environment.items() if not k.startswith("LAB_PARAM_")}
    return {**kept, "LAB_PARAMS_JSON": "{}"}
