"""What is weighed and what comes of it, as records: ``decision.json`` is a ``Decision``.

Pure data; for whoever weighs, shows or replays a decision. Values, gains and errors are in the
metric's unit; a gain is positive where the candidate is better, whatever the direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hermes.measured import Measurement, Sample
from hermes.model import SCHEMA_VERSION, Direction
from hermes.spec import Acceptance


class Verdict(str, Enum):
    """What is to become of a candidate."""

    ACCEPT = "accept"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"
    MEASURE_MORE = "measure-more"


class Subject(str, Enum):
    """Whose code is measured."""

    CANDIDATE = "candidate"
    INCUMBENT = "incumbent"


class Method(str, Enum):
    """How the candidate is compared."""

    SINGLE = "single-measurement"
    FIRST_PAIR = "first-pair"
    PAIRED = "paired-t"


@dataclass(frozen=True)
class Standing:
    """The incumbent as it is known before the run.

    ``samples`` are those that it was accepted with, at least one, and so a little lucky. ``ceded``
    is the loss, in the metric's unit, that cannot be excluded for the acceptances by less code
    since the last win in value.
    """

    run_id: str
    samples: tuple[Sample, ...]
    lines: int
    ceded: float = 0.0


@dataclass(frozen=True)
class Case:
    """All that a decision rests on; no ``standing`` makes it a baseline.

    The ``holdout_before`` of the measurement is that of the run in ``standing``.
    """

    direction: Direction
    rule: Acceptance
    measurement: Measurement
    standing: Standing | None


@dataclass(frozen=True)
class Comparison:
    """How the candidate compares with the incumbent.

    ``gain`` has the bounds ``lower`` and ``upper``, each wrong with probability ``level`` at most;
    ``p_value`` is of no more gain than ``min_improvement``, ``p_equal`` of a loss that is more
    than what less code may cost, None where that is not asked. ``looks`` are the numbers of pairs
    after which a verdict may fall, ``looked`` how often that was, ``spent`` the error used up.
    ``recorded`` is the mean of the incumbent's recorded samples. What the method does not know is
    None.
    """

    method: Method
    pairs: int
    candidate: float
    incumbent: float
    gain: float
    min_improvement: float
    recorded: float
    candidate_error: float | None = None
    incumbent_error: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: int | None = None
    statistic: float | None = None
    p_value: float | None = None
    p_equal: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    looks: tuple[int, ...] = ()
    looked: int = 0
    spent: float = 0.0


@dataclass(frozen=True)
class GuardCheck:
    """What a guard says: ``mean`` is None when a sample lacks the metric, and then it is broken."""

    metric: str
    min: float | None
    max: float | None
    mean: float | None
    kept: bool


@dataclass(frozen=True)
class Complexity:
    """The sizes in lines of both, and whether the smaller one decided.

    ``allowance`` is the loss that less code may cost in all until the next win in value, ``ceded``
    what of it is used up when the candidate is accepted.
    """

    candidate: int
    incumbent: int | None
    broke_tie: bool = False
    allowance: float = 0.0
    ceded: float = 0.0


@dataclass(frozen=True)
class HoldoutCheck:
    """What the hold-out says of a candidate that would be accepted.

    ``gain`` may be as low as ``-tolerance``. ``gap`` is by how much the visible gain is more than
    the gain on the hold-out. None is what was not measured.
    """

    candidate: float | None
    incumbent: float | None
    fault: str
    gain: float | None
    tolerance: float | None
    gap: float | None
    passed: bool


@dataclass(frozen=True)
class Decision:
    """A verdict, every number behind it, and the case, from which it can be made again.

    ``turns`` is who is to be measured next, one after the other; empty unless the verdict is
    ``measure-more``. ``noise_floor`` is the standard deviation of one measurement: that of the
    incumbent's recorded samples, of a baseline's own; None when there are not two.
    """

    verdict: Verdict
    reason: str
    turns: tuple[Subject, ...]
    comparison: Comparison | None
    noise_floor: float | None
    guards: tuple[GuardCheck, ...]
    complexity: Complexity
    holdout: HoldoutCheck | None
    final: bool
    case: Case
    schema_version: int = SCHEMA_VERSION
