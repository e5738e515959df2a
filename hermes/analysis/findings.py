"""What an analysis finds: the content of ``analyze format=json``, field by field.

Pure data. Limits first: values are compared within the present segment of a tier only; long lists
hold the part that their comment names, and a count beside them tells how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hermes.discoveries import Discovery, StrategyTally
from hermes.model import Direction, Outcome, Params
from hermes.state import Scored


class Verdict(str, Enum):
    """Whether a tier's search has come to a plateau."""

    NO_SUCCESS = "no-success"
    TOO_EARLY = "too-early"
    IMPROVING = "improving"
    SLOWING = "slowing"
    PLATEAU = "plateau"


class Method(str, Enum):
    """By what the importance of parameters was measured."""

    PED_ANOVA = "ped-anova"
    CORRELATION_RATIO = "correlation-ratio"


class Missing(str, Enum):
    """Why the importance of parameters cannot be told."""

    NO_PARAMETERS = "no-parameters"
    TOO_FEW_RUNS = "too-few-runs"
    EQUAL_VALUES = "equal-values"


@dataclass(frozen=True)
class Segment:
    """A baseline of the code loop: only what ``evaluator`` measured from it on is compared."""

    seq: int
    run_id: str
    completed_at: str
    evaluator: str


@dataclass(frozen=True)
class Level:
    """The value of a tier's best from the run ``seq`` on, up to the next level."""

    seq: int
    value: float


@dataclass(frozen=True)
class Plateau:
    """How long a tier has been without an improvement.

    ``share`` is that of ``runs_since`` among the runs that are compared. ``chance`` is the
    probability that draws which owe nothing to each other go on without a new best for as long; in
    the code loop the draws are all candidates that were measured, the rejected ones too.
    """

    verdict: Verdict
    runs_since: int | None
    share: float | None
    chance: float | None


@dataclass(frozen=True)
class NearMiss:
    """A success that was never the best; ``gap`` is what it lacks to it."""

    seq: int
    run_id: str
    value: float
    gap: float
    strategy: str
    params: Params


@dataclass(frozen=True)
class NearMisses:
    """The ``count`` successes within ``share`` of the spread from the best; ``runs``: the nearest.

    The spread is the way from the best value to the median; ``within`` is that share of it.
    """

    share: float
    within: float | None
    count: int
    runs: tuple[NearMiss, ...]


@dataclass(frozen=True)
class Parameter:
    """How much a parameter matters: ``importance`` is its share of all parameters' ``measure``.

    ``runs`` of those that were looked at have it. Both are None for one that too few have, and 0
    for one that never changes.
    """

    name: str
    importance: float | None
    measure: float | None
    runs: int


@dataclass(frozen=True)
class Importance:
    """Which parameters matter most, from the ``runs`` looked at; the most important first.

    Without a ``method`` there is no answer, and ``missing`` says why; ``needed`` is how many runs
    it takes.
    """

    method: Method | None
    missing: Missing | None
    needed: int
    runs: int
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class TierFindings:
    """What the runs of one tier say; ``improvements`` are the last ones, the newest last.

    Counts and time are of all its runs. From ``best`` on all is of the present segment, the last
    of ``segments``, which are the last of ``segment_count``; a search has none, and is one.
    ``best_so_far`` has a level for each run that was the best in its turn (in the code loop the
    incumbent), and the last for the last run; of very many an even part.
    """

    tier: str
    run_count: int
    success_count: int
    accepted: int
    keep_rate: float | None
    wall_seconds: float
    best: Scored | None
    best_so_far: tuple[Level, ...]
    improvement_count: int
    improvements: tuple[Discovery, ...]
    plateau: Plateau
    near_misses: NearMisses
    importance: Importance
    segment_count: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Failure:
    """Runs that gave no value for the same reason, but for what was measured in it.

    ``reason`` has the words, and the numbers, of the last of them.
    """

    outcome: Outcome
    reason: str
    count: int
    last_run: str
    last_seq: int


@dataclass(frozen=True)
class StrategyShare(StrategyTally):
    """What one strategy brought; ``keep_rate`` is the share of its runs that were accepted."""

    keep_rate: float | None = None


@dataclass(frozen=True)
class Findings:
    """All that ``analyze`` says of an experiment; tiers with runs, the highest first."""

    schema_version: int
    id: str
    metric: str
    metric_direction: Direction
    current_fidelity_tier: str
    run_count: int
    success_count: int
    accepted: int
    keep_rate: float | None
    wall_seconds: float
    duplicates_avoided: int
    outcomes: Mapping[str, int]
    failures: tuple[Failure, ...]
    strategies: Mapping[str, StrategyShare]
    tiers: tuple[TierFindings, ...]
