"""Means and spreads that no finite value breaks, and what a mean of differences can be said to be.

Pure; called by the modules of this package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hermes.acceptance import student
from hermes.model import LARGEST, Direction


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one finite value; that of equal values is exactly the value."""
    low, high = min(values), max(values)
    if low == high:
        return low
    scale = max(abs(low), abs(high))  # a plain sum may be more than a float holds
    middle = scale * (math.fsum(value / scale for value in values) / len(values))
    return max(low, min(middle, high))


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample of at least two; exactly 0 for equal values."""
    middle = mean(values)
    away = [Direction.MAXIMIZE.gain(value, middle) for value in values]
    scale = max(map(abs, away))
    if scale == 0:
        return 0.0
    squares = math.fsum((value / scale) ** 2 for value in away)
    return finite(scale * math.sqrt(squares / (len(values) - 1)))


def finite(value: float) -> float:
    """Return ``value``, or the nearest that is finite."""
    return max(-LARGEST, min(value, LARGEST))


@dataclass(frozen=True)
class Estimate:
    """The mean of at least two independent differences, and how sure it is."""

    mean: float
    standard_error: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Estimate the mean that ``values`` are drawn around."""
        error = deviation(values) / math.sqrt(len(values))
        return cls(mean(values), error, len(values))

    @property
    def degrees(self) -> int:
        """The degrees of freedom of its t."""
        return self.count - 1

    def lower(self, level: float) -> float:
        """Return what the true mean falls short of with probability ``level`` at most."""
        return finite(self.mean - self._reach(level))

    def upper(self, level: float) -> float:
        """Return what the true mean exceeds with probability ``level`` at most."""
        return finite(self.mean + self._reach(level))

    def _reach(self, level: float) -> float:
        return student.exceeded_by(level, self.degrees) * self.standard_error

    def statistic(self, threshold: float) -> float | None:
        """Return how many standard errors the mean lies above ``threshold``; None without any."""
        over = Direction.MAXIMIZE.gain(self.mean, threshold)
        return finite(over / self.standard_error) if self.standard_error > 0 else None

    def p_value(self, threshold: float) -> float:
        """Return how probable such a mean is, at most, when the true one is ``threshold`` or less.

        By the one-sample t test (Student, Biometrika 6, 1908), and never below ``coincidence``.
        Differences that are all alike have no error: then the mean itself is compared.
        """
        statistic = self.statistic(threshold)
        if statistic is None:
            return coincidence(self.count) if self.mean >= threshold else 1.0
        return max(student.above(statistic, self.degrees), coincidence(self.count))


def coincidence(pairs: int) -> float:
    """Return how probable it is at most that noise alone gives two or more equal gains in a row.

    Two draws from one distribution differ by exactly d > 0 with probability 1/4 at most (T. S.
    Motzkin, E. G. Straus, Canadian Journal of Mathematics 17, 1965: such differences join values
    into chains, and a chain has no triangle), and with no more than s, that of two equal draws (by
    Cauchy and Schwarz); all d > 0 together have (1 - s)/2. The sum of the powers of what is so
    bounded is greatest for s = 1/4. It is what noise of few values does to a test that sees only
    their spread.
    """
    return 1.5 * 0.25**pairs
