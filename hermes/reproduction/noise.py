"""Whether two sets of measurements of one metric agree. Pure; ``comparing`` asks it.

Limits first. A spread is told by two measurements or more, the recorded ones if there are so many.
Of honest repetitions the share ``1 - confidence`` is taken for something else, and a record that
was kept because it was the best of many is a little better than its repetitions by luck alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hermes.acceptance import student
from hermes.acceptance.differences import deviation, finite, mean
from hermes.model import Direction
from hermes.reproduction.records import Match, Noise, Values


def values(recorded: Sequence[float], again: Sequence[float], confidence: float) -> Values:
    """Compare measurements of then and of now."""
    found = Values(Match.MISSING, tuple(recorded), tuple(again), _mean(recorded), _mean(again))
    if found.recorded_mean is None or found.again_mean is None:
        return found
    apart = Direction.MAXIMIZE.gain(found.again_mean, found.recorded_mean)
    if _are_equal(recorded, again):
        return replace(found, match=Match.EQUAL, difference=apart)
    noise = _noise(recorded, again, confidence)
    within = noise is not None and abs(apart) <= noise.reach
    match = Match.WITHIN_NOISE if within else Match.DIFFERENT
    return replace(found, match=match, difference=apart, noise=noise)


def _mean(measured: Sequence[float]) -> float | None:
    return mean(measured) if measured else None


def _are_equal(recorded: Sequence[float], again: Sequence[float]) -> bool:
    """Say whether both are the same measurements, or all of them are one value."""
    return sorted(recorded) == sorted(again) or len({*recorded, *again}) == 1


def _noise(recorded: Sequence[float], again: Sequence[float], confidence: float) -> Noise | None:
    """Return the half-width of the prediction interval for a mean; None without a spread.

    It is t·s·√(1/n + 1/m), where s is the standard deviation of the set that tells it, t Student's
    quantile with its degrees of freedom, and n and m are the sizes of both (G. J. Hahn and W. Q.
    Meeker, Statistical Intervals, 1991, chapter 4).
    """
    told_by = "recorded" if len(recorded) > 1 else "again"
    told = recorded if told_by == "recorded" else again
    if len(told) < 2:
        return None
    spread = deviation(told)
    quantile = student.exceeded_by((1.0 - confidence) / 2.0, len(told) - 1)
    reach = finite(quantile * spread * math.sqrt(1.0 / len(recorded) + 1.0 / len(again)))
    return Noise(confidence, told_by, spread, reach)
