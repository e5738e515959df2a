"""What keeps a better candidate from being accepted: its guards, and its hold-out.

Pure; called by ``weighing``. Limit first: a guard looks at a mean alone, and a hold-out is one
measurement of each, whose noise is taken to be that of the visible metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from hermes.acceptance import student
from hermes.acceptance.differences import deviation, finite, mean
from hermes.acceptance.records import Case, GuardCheck, HoldoutCheck
from hermes.improvement import least_improvement
from hermes.measured import Sample
from hermes.spec import Guard


def guard_checks(case: Case) -> tuple[GuardCheck, ...]:
    """Return what each guard says of the candidate's samples, of which there is at least one."""
    samples = case.measurement.candidate
    guards = sorted(case.rule.guards.items())
    return tuple(_guard_check(name, guard, samples) for name, guard in guards)


def _guard_check(metric: str, guard: Guard, samples: Sequence[Sample]) -> GuardCheck:
    values = [sample.secondary[metric] for sample in samples if metric in sample.secondary]
    found = mean(values) if len(values) == len(samples) else None
    kept = found is not None and not (
        (guard.min is not None and found < guard.min)
        or (guard.max is not None and found > guard.max)
    )
    return GuardCheck(metric, guard.min, guard.max, found, kept)


def broken(checks: Sequence[GuardCheck]) -> str:
    """Say which guards are broken, and by what; empty when all are kept."""
    return "; ".join(_fault(check) for check in checks if not check.kept)


def _fault(check: GuardCheck) -> str:
    if check.mean is None:
        return f"the guarded metric {check.metric} was not measured"
    bounds = " and ".join(_bounds(check))
    return f"{check.metric} is {check.mean:.6g} where {bounds} is asked for"


def _bounds(check: GuardCheck) -> Iterator[str]:
    if check.min is not None:
        yield f"at least {check.min:.6g}"
    if check.max is not None:
        yield f"at most {check.max:.6g}"


def noise_samples(case: Case) -> Sequence[float]:
    """Return the samples of one piece of code that tell how much measurements vary."""
    measured, standing = case.measurement, case.standing
    if standing is None:
        return values(measured.candidate)
    return values(standing.samples if len(standing.samples) > 1 else measured.incumbent)


def noise_floor(case: Case) -> float | None:
    """Return the standard deviation of one measurement; None when it was not measured twice."""
    samples = noise_samples(case)
    return deviation(samples) if len(samples) > 1 else None


def values(samples: Sequence[Sample]) -> list[float]:
    """Return what the samples measured."""
    return [sample.value for sample in samples]


def holdout_check(case: Case, visible_gain: float | None) -> HoldoutCheck | None:
    """Return what the hold-out says; None when it was not asked."""
    measured = case.measurement
    after, before, fault = measured.holdout, measured.holdout_before, measured.holdout_fault
    if after is None and not fault:
        return None
    if fault or after is None or before is None:
        return HoldoutCheck(after, before, fault, None, None, None, not fault)
    gain = case.direction.gain(after, before)
    tolerance = _tolerance(case, before)
    gap = None if visible_gain is None else finite(visible_gain - gain)
    return HoldoutCheck(after, before, "", gain, tolerance, gap, gain >= -tolerance)


def _tolerance(case: Case, before: float) -> float:
    """Return what two single measurements may differ by at the SPEC's confidence.

    It is the one-sided prediction interval of a difference (G. J. Hahn, Journal of the American
    Statistical Association 64, 1969), and never less than ``min_improvement``.
    """
    least = least_improvement(case.rule, before)
    samples = noise_samples(case)
    if len(samples) < 2:
        return least
    reach = student.exceeded_by(1.0 - case.rule.confidence, len(samples) - 1)
    return max(least, finite(reach * math.sqrt(2) * deviation(samples)))


def withdrawal(check: HoldoutCheck) -> str:
    """Say why a hold-out that was not passed withdraws the candidate."""
    if check.fault:
        return f"the hold-out failed: {check.fault}"
    return (
        f"the hold-out became worse, from {check.incumbent:.6g} to {check.candidate:.6g},"
        f" by more than {check.tolerance:.6g}"
    )
