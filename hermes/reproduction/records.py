"""What came of running a sealed run again: the content of ``reproduce format=json``.

Pure data. Limits first: values are in the metric's unit; what cannot be told is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from hermes.measured import Sample
from hermes.model import Params, Usage

MEASURED = "measured"
"""How a run of the code loop ended that gave samples, whatever was decided of them."""


class Verdict(str, Enum):
    """What can be said of a record."""

    REPRODUCED = "reproduced"
    WITHIN_NOISE = "reproduced-within-noise"
    NOT_REPRODUCED = "not-reproduced"
    CANNOT = "cannot-be-reproduced"

    @property
    def holds(self) -> bool:
        """Say whether the record was borne out."""
        return self in (Verdict.REPRODUCED, Verdict.WITHIN_NOISE)


class Match(str, Enum):
    """How two sets of measurements of one metric compare."""

    EQUAL = "equal"
    WITHIN_NOISE = "within-noise"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True)
class Account:
    """What is known of one execution.

    ``outcome`` is an outcome's word, or ``measured`` in the code loop. ``files`` holds digests.
    """

    outcome: str
    reason: str
    exit_status: int | None
    samples: tuple[Sample, ...]
    files: Mapping[str, str]
    usage: Usage | None


@dataclass(frozen=True)
class Noise:
    """How far the means of two sets of measurements may be apart by noise alone: ``reach``.

    ``deviation`` is the standard deviation of one measurement, told by the set ``told_by``.
    """

    confidence: float
    told_by: str
    deviation: float
    reach: float


@dataclass(frozen=True)
class Values:
    """The measurements of one metric, of then and of now, their means, and how they compare.

    ``noise`` is None when they are equal, and when there are not two measurements to tell it.
    """

    match: Match
    recorded: tuple[float, ...]
    again: tuple[float, ...]
    recorded_mean: float | None = None
    again_mean: float | None = None
    difference: float | None = None
    noise: Noise | None = None


@dataclass(frozen=True)
class Ending:
    """How an execution ended."""

    outcome: str
    reason: str
    exit_status: int | None


@dataclass(frozen=True)
class FilesKept:
    """The artifacts by their digests: so many are the same, and the names of all others."""

    same: int
    different: tuple[str, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """What a run depends on: as it was, as it is now, and whether that is the same.

    ``same`` is None where it cannot be told; ``note`` says more in words.
    """

    name: str
    recorded: str
    now: str
    same: bool | None
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """What a comparison found; ``next`` is the next step, empty when the record holds.

    ``recorded_usage`` is None where it is of more than measuring.
    """

    verdict: Verdict
    reason: str
    next: str = ""
    recorded: Ending | None = None
    again: Ending | None = None
    value: Values | None = None
    secondary: Mapping[str, Values] = field(default_factory=dict)
    files: FilesKept | None = None
    recorded_usage: Usage | None = None
    usage: Usage | None = None


@dataclass(frozen=True, kw_only=True)
class Reproduction(Findings):
    """The whole answer: what was found, of which run, under what conditions."""

    schema_version: int
    experiment: str
    run_id: str
    seq: int | None
    fidelity_tier: str
    params: Params
    seed: int
    metric: str
    conditions: tuple[Condition, ...]
