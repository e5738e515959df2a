"""Cases for the acceptance tests, and a lab that measures for them without a process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hermes.acceptance import Case, Decision, Standing, Subject, Verdict, weigh
from hermes.measured import Measurement, Sample
from hermes.model import Direction
from hermes.spec import Acceptance

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE
SHORT, SAME, LONG = 8, 10, 12
"""Lines of a candidate; the incumbent has ``SAME``."""


def samples(values: Iterable[float], **secondary: float) -> tuple[Sample, ...]:
    return tuple(Sample(value, secondary) for value in values)


def standing(*values: float, ceded: float = 0.0) -> Standing:
    return Standing("RUN-B", samples(values), SAME, ceded)


def case(
    candidate: Iterable[float] = (),
    incumbent: Iterable[float] = (),
    *,
    against: Standing | None = None,
    rule: Acceptance | None = None,
    direction: Direction = UP,
    lines: int = SAME,
    secondary: dict[str, float] | None = None,
    **measured: object,
) -> Case:
    measurement = Measurement(
        samples(candidate, **(secondary or {})), samples(incumbent), lines=lines, **measured
    )
    return Case(direction, rule or Acceptance(), measurement, against)


def measured_out(
    candidate: Callable[[], float],
    incumbent: Callable[[], float],
    *,
    rule: Acceptance,
    against: Standing,
    lines: int = SAME,
) -> Decision:
    """Measure as the decisions ask until there is a verdict; the incumbent's code is unchanged."""
    mine: list[float] = []
    theirs: list[float] = []
    while True:
        decision = weigh(case(mine, theirs, against=against, rule=rule, lines=lines))
        if decision.verdict is not Verdict.MEASURE_MORE:
            return decision
        for subject in decision.turns:
            if subject is Subject.CANDIDATE:
                mine.append(candidate())
            else:
                theirs.append(incumbent())
