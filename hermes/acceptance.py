"""Whether a measured value makes a candidate the new incumbent.

Pure decisions; the SPEC says how much better is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from hermes.model import Direction, Measurement, Sample
from hermes.spec import Acceptance


def improves(
    value: float, incumbent: float | None, direction: Direction, acceptance: Acceptance
) -> bool:
    """Say whether ``value`` beats ``incumbent`` by at least what ``acceptance`` asks for.

    ``min_improvement`` is in the metric's unit, or a share of the incumbent's magnitude when
    ``relative`` is set. Anything beats no incumbent. Equal is never better.
    """
    if incumbent is None:
        return True
    if not direction.better(value, incumbent):
        return False
    scale = abs(incumbent) if acceptance.relative else 1.0
    return abs(value - incumbent) >= (acceptance.min_improvement or 0.0) * scale


@dataclass(frozen=True)
class Standing:
    """The incumbent as it is known before a run: its samples, and the lines of its code."""

    run_id: str
    samples: tuple[Sample, ...]
    lines: int


@dataclass(frozen=True)
class Case:
    """What is to be decided, by which rule."""

    direction: Direction
    rule: Acceptance
    measurement: Measurement
    standing: Standing | None


@dataclass(frozen=True)
class Decision:
    """A verdict, or what has to be measured first."""

    verdict: str
    reason: str
    case: Case
    wants: str | None = None


def weigh(case: Case, *, final: bool = False) -> Decision:
    """Decide about a candidate, or say what to measure next."""
    taken = case.measurement
    if len(taken.candidate) < case.rule.repeats and not final:
        return Decision("measure", "", case, "candidate")
    if case.standing is None:
        return Decision("accept", "the first measurement by this evaluator", case)
    value = fmean(sample.value for sample in taken.candidate)
    before = fmean(sample.value for sample in case.standing.samples)
    better = improves(value, before, case.direction, case.rule)
    return Decision("accept" if better else "reject", f"{value!r} against {before!r}", case)
