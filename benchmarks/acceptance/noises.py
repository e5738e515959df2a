"""Noise of one sigma in several shapes, as evaluators have it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

Noise = Callable[[], float]
"""What one measurement adds to the true value, in units of sigma; its mean is 0."""


def normal(rng: random.Random) -> Noise:
    """The usual one."""
    return lambda: rng.gauss(0, 1)


def skewed(rng: random.Random) -> Noise:
    """Exponential: as times are, which are now and then much longer and never shorter."""
    return lambda: rng.expovariate(1) - 1


def heavy(rng: random.Random) -> Noise:
    """Student's t with three degrees of freedom, scaled to a standard deviation of 1."""
    return lambda: _student(rng, 3) / math.sqrt(3)


def wild(rng: random.Random) -> Noise:
    """Student's t with two degrees of freedom, which has no standard deviation."""
    return lambda: _student(rng, 2)


def two_valued(rng: random.Random) -> Noise:
    """One of two values: as of a flaky test, or of a machine that has a fast and a slow mode."""
    return lambda: 1.0 if rng.random() < 0.5 else -1.0


def drifting(rng: random.Random) -> Noise:
    """Normal noise over a random walk of 0.3 a measurement: a machine that warms up and cools."""
    level = 0.0

    def draw() -> float:
        nonlocal level
        level += rng.gauss(0, 0.3)
        return level + rng.gauss(0, 1)

    return draw


def _student(rng: random.Random, degrees: int) -> float:
    return rng.gauss(0, 1) / math.sqrt(rng.gammavariate(degrees / 2, 2) / degrees)


NOISES: dict[str, Callable[[random.Random], Noise]] = {
    "normal": normal,
    "skewed": skewed,
    "heavy-tailed": heavy,
    "without variance": wild,
    "two-valued": two_valued,
    "drifting": drifting,
}
