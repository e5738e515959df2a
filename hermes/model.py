"""The lab's records and closed sets: frozen, typed, and spelled on disk as they are here.

Pure data: no module here reads, writes, or asks for the time. Times are ISO 8601 strings in UTC
(see ``clock``), durations seconds, sizes bytes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias, Union

from hermes.exchange import Exchange, Spending
from hermes.measured import Code, Measurement

SCHEMA_VERSION = 1
DERIVED_VERSION = 9  # another number whenever a projection, or the state behind it, changes form
DEFAULT_TIER = "default"
LARGEST = sys.float_info.max

ParamValue: TypeAlias = bool | int | float | str
Params: TypeAlias = Mapping[str, ParamValue]
Json: TypeAlias = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]  # noqa: UP007  names itself

EMPTY: Mapping[str, ParamValue] = MappingProxyType({})
BY_A_PERSON = "human"  # stands where the name of a strategy does


def parameter_variable(name: str) -> str:
    """Return the environment variable that hands the parameter ``name`` to a command."""
    return "LAB_PARAM_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


class Direction(str, Enum):
    """Which way the metric is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def better(self, value: float, than: float) -> bool:
        """Say whether ``value`` is strictly better than ``than``."""
        return value > than if self is Direction.MAXIMIZE else value < than

    def gain(self, value: float, over: float) -> float:
        """Return by how much ``value`` is better than ``over``; negative when it is worse.

        Always finite: what no float can hold is the largest that one can.
        """
        difference = value - over if self is Direction.MAXIMIZE else over - value
        return max(-LARGEST, min(difference, LARGEST))


class Priority(str, Enum):
    """How soon an experiment gets its turn."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Phase(str, Enum):
    """Where an experiment is in its life."""

    QUEUED = "queued"
    ACTIVE = "active"
    AWAITING_HUMAN = "awaiting-human"
    PAUSED = "paused"
    COMPLETED = "completed"


class Origin(str, Enum):
    """Who had the idea of a run."""

    STRATEGY = "strategy"
    BASELINE = "baseline"
    AGENT = "agent"
    RETRY = "retry"
    HUMAN = "human"
    PLAIN = "plain"


class Outcome(str, Enum):
    """What came of a run."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NO_METRIC = "no-metric"
    INVALID_METRIC = "invalid-metric"
    TAMPERED = "tampered"
    OUT_OF_BOUNDS = "out-of-bounds"
    NO_OP = "no-op"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    INFRA = "infra"
    STUB = "stub"

    @property
    def is_failure(self) -> bool:
        """Say whether it counts towards a streak of failures."""
        return self in _FAILURES

    @property
    def ends_streak(self) -> bool:
        """Say whether it shows that the executor works, so that a streak of failures ends."""
        return self in _WORKING

    @property
    def is_retried(self) -> bool:
        """Say whether the lab or the machine is to blame, so that the same trial runs again."""
        return self in (Outcome.INTERRUPTED, Outcome.INFRA)

    @property
    def is_charged(self) -> bool:
        """Say whether it uses up one of the iterations that the experiment may have."""
        return not self.is_retried and self is not Outcome.SKIPPED


_FAILURES = frozenset(
    {
        Outcome.FAILED,
        Outcome.TIMEOUT,
        Outcome.NO_METRIC,
        Outcome.INVALID_METRIC,
        Outcome.TAMPERED,
        Outcome.OUT_OF_BOUNDS,
    }
)
_WORKING = frozenset({Outcome.SUCCESS, Outcome.REJECTED, Outcome.INCONCLUSIVE})


@dataclass(frozen=True)
class Proposal:
    """What to try: parameters, who proposed them, and why.

    ``parents`` are the runs it builds upon; ``duplicates_avoided`` counts the points that were
    drawn before it and put back because they had been tried. ``exchange`` is there when an agent
    was asked; the run's plan keeps it.
    """

    params: Params
    strategy: str
    origin: Origin
    note: str = ""
    parents: tuple[str, ...] = ()
    duplicates_avoided: int = 0
    exchange: Exchange | None = None


@dataclass(frozen=True)
class Trial:
    """What a strategy is told of a sealed run: its point, and a value only when it succeeded.

    ``parents`` are the runs that its proposal was built upon; ``reason`` says in words why it did
    not succeed, and may quote what the command printed.
    """

    number: int
    params: Params
    outcome: Outcome
    value: float | None
    strategy: str
    run_id: str
    fidelity_tier: str
    parents: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class FileDigest:
    """What a manifest says of one file of its bundle."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Usage:
    """What a run cost: seconds of wall and CPU time, bytes of peak resident memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Manifest:
    """A run's identity (from planning on) and, once sealed, its outcome and checksums.

    ``request`` is the person's request that the run answers, ``ideas`` those in words that its
    plan repeats. ``asked`` is what it took to ask an agent for the proposal, if one was asked.
    The outcome of a draft is ``skipped`` when nothing is to be run, else None.
    """

    schema_version: int
    run_id: str
    experiment: str
    role: str
    iteration: int
    trial: int
    strategy: str
    origin: Origin
    params: Params
    note: str
    parents: tuple[str, ...]
    parent_run: str | None
    seed: int
    fidelity_tier: str
    executor_class: str
    lease_id: str
    spec_sha256: str
    planned_at: str
    duplicates_avoided: int = 0
    request: str | None = None
    ideas: tuple[str, ...] = ()
    seq: int | None = None
    outcome: Outcome | None = None
    reason: str = ""
    started_at: str | None = None
    completed_at: str | None = None
    exit_status: int | None = None
    usage: Usage | None = None
    workspace: Mapping[str, Json] = field(default_factory=dict)
    machine: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, FileDigest] = field(default_factory=dict)
    previous_sha256: str | None = None
    code: Code | None = None
    asked: Spending | None = None


@dataclass(frozen=True)
class RunMetrics:
    """``metrics.json`` of a bundle: what came of the run, for programs."""

    metric: str
    value: float | None
    params: Params
    accepted: bool
    outcome: Outcome
    secondary: Mapping[str, float]


@dataclass(frozen=True)
class Execution:
    """What executing a package gave, before it is judged and sealed."""

    outcome: Outcome
    reason: str
    value: float | None
    secondary: Mapping[str, float]
    exit_status: int | None
    started_at: str
    completed_at: str
    usage: Usage
    workspace: Mapping[str, Json]
    machine: Mapping[str, Json]
    code: Code | None = None
    measurement: Measurement | None = None


@dataclass(frozen=True)
class IndexLine:
    """One line of ``metrics.jsonl``: a sealed run, in sealing order (``seq`` from 1)."""

    seq: int
    run_id: str
    iteration: int
    trial: int
    role: str
    origin: Origin
    strategy: str
    fidelity_tier: str
    planned_at: str
    completed_at: str
    outcome: Outcome
    reason: str
    value: float | None
    accepted: bool
    params: Params
    secondary: Mapping[str, float]
    wall_seconds: float
    parent_run: str | None
    sha256: str
    duplicates_avoided: int = 0
    parents: tuple[str, ...] = ()
    request: str | None = None
    ideas: tuple[str, ...] = ()
    code: Code | None = None
    asked: Spending | None = None

    @property
    def begins_segment(self) -> bool:
        """Say whether it is a baseline: nothing of its tier before it is compared with it.

        In the code loop a run that was compared with nothing is one; it has an evaluator of its
        own, or one that measures other code from now on.
        """
        return self.accepted and self.code is not None and self.code.compared_with is None

    def trial_record(self) -> Trial:
        """Return what a strategy is told of this run."""
        return Trial(
            self.trial,
            self.params,
            self.outcome,
            self.value,
            self.strategy,
            self.run_id,
            self.fidelity_tier,
            parents=self.parents,
            reason=self.reason,
        )


@dataclass(frozen=True)
class Event:
    """One line of ``registry/events.jsonl``; ``previous`` is the digest of the line before."""

    seq: int
    at: str
    kind: str
    experiment: str | None
    run_id: str | None
    detail: str
    previous: str | None


@dataclass(frozen=True)
class Lease:
    """The right to work on an experiment; ``token`` only ever grows."""

    experiment: str
    token: int
    held: bool
    owner: str
    host: str
    boot_id: str
    pid: int
    pid_started: str
    acquired_at: str
    acquired_monotonic: float
    term_seconds: float

    @property
    def lease_id(self) -> str:
        """The name by which records speak of this lease."""
        return f"{self.experiment}.{self.token}"
