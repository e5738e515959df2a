"""Student's t distribution: what lies above a value, and the value above which a share lies.

Pure; called by ``differences``. By the regularised incomplete beta function (NIST Digital Library
of Mathematical Functions, 8.17), whose continued fraction (8.17.22) is summed by Lentz's method
(W. J. Lentz, Applied Optics 15, 1976). Right to about twelve digits, in the far tail too.
"""

from __future__ import annotations

import math
from functools import lru_cache

_SMALL = 1e-300  # stands for a zero that would be divided by
_PRECISION = 1e-15
_MOST_TERMS = 100_000  # it takes some times the square root of the degrees of freedom


def above(t: float, degrees: int) -> float:
    """Return the probability that Student's t with ``degrees`` of freedom exceeds ``t``.

    ``degrees`` is at least 1. It is half the incomplete beta function of degrees/2 and 1/2 at
    degrees/(degrees + t²) for a positive ``t`` (M. Abramowitz, I. Stegun, 26.5.27).
    """
    if t < 0:
        return 1.0 - above(-t, degrees)
    square = t * t
    x = degrees / (degrees + square)
    rest = 1.0 if math.isinf(square) else square / (degrees + square)
    return _beta(x, rest, degrees / 2, 0.5) / 2


@lru_cache(maxsize=4096)
def exceeded_by(share: float, degrees: int) -> float:
    """Return the value that Student's t exceeds with probability ``share`` (0 < share < 1/2)."""
    low, high = 0.0, 1.0
    while above(high, degrees) > share:
        low, high = high, 2 * high
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return high
        if above(middle, degrees) > share:
            low = middle
        else:
            high = middle


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """Return I_x(a, b); ``rest`` is 1 - x, given for the digits that the difference would lose."""
    if x <= 0:
        return 0.0
    if rest <= 0:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # there the fraction of the complement is the quicker one
        return 1.0 - _beta(rest, x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(x) + b * math.log(rest))
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Sum 1/(1 + d1/(1 + d2/(1 + …))) with the terms d of DLMF 8.17.23."""
    value, upper, lower = _SMALL, _SMALL, 0.0
    for term in range(_MOST_TERMS):
        part = _term(term, x, a, b)
        lower = 1.0 / _away_from_zero(1.0 + part * lower)
        upper = _away_from_zero(1.0 + part / upper)
        change = upper * lower
        value *= change
        if abs(change - 1.0) < _PRECISION:
            break
    return value


def _term(number: int, x: float, a: float, b: float) -> float:
    """Return the numerator that stands before the fraction's ``number``-th denominator."""
    if number == 0:
        return 1.0
    m = number // 2
    if number % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
