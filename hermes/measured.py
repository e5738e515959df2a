"""What a run of the code loop measured, as records: pure data, below ``model`` and open to all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hermes.exchange import NOTHING_SPENT, Spending


@dataclass(frozen=True)
class Sample:
    """One measurement by the evaluator: a finite value, and other numbers beside it."""

    value: float
    secondary: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """What a run of the code loop measured.

    ``candidate`` are the samples of its own code; ``incumbent`` those of the incumbent's, measured
    afresh in turns with them. ``compared_with`` is the incumbent's run, None for a baseline;
    ``replaces`` is the incumbent whose measurements hold no longer when there is a baseline.
    ``lines`` is the size of the candidate's surface. ``holdout`` is what the hold-out said of a
    candidate that would be accepted, and ``holdout_before`` what it said of the incumbent.
    """

    candidate: tuple[Sample, ...] = ()
    incumbent: tuple[Sample, ...] = ()
    compared_with: str | None = None
    lines: int = 0
    holdout: float | None = None
    holdout_before: float | None = None
    holdout_fault: str = ""
    replaces: str | None = None


@dataclass(frozen=True)
class Code:
    """What a record says of a run of the code loop.

    ``evaluator`` is the digest of all that measures: only runs that share it are compared.
    ``candidate`` is the digest of the code that was measured, None when there was none.
    ``measured`` is the mean of its samples, also when it was not accepted. ``reached_out`` says
    that something outside of the sandbox was changed while the code was.
    """

    evaluator: str
    candidate: str | None = None
    compared_with: str | None = None
    hypothesis: str = ""
    measured: float | None = None
    added: int = 0
    removed: int = 0
    spending: Spending = NOTHING_SPENT
    resets_at: str | None = None
    reached_out: bool = False
