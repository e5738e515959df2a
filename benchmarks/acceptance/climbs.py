"""A climb of many iterations: what is accepted is built upon, so a wrong verdict is inherited."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from noises import NOISES
from weighed import Judge, Weighing, shifted


@dataclass(frozen=True)
class Landscape:
    """How candidates come out: shares are truly worse and truly better, the others change nothing.

    A loss lies anywhere between 0 and ``worst``, a gain between 0 and ``best``, in sigma.
    """

    name: str
    worse: float
    better: float
    worst: float = 2.0
    best: float = 2.0

    def draw(self, rng: random.Random) -> float:
        """Return the true gain of a candidate."""
        chance = rng.random()
        if chance < self.worse:
            return -rng.uniform(0, self.worst)
        return rng.uniform(0, self.best) if chance < self.worse + self.better else 0.0


FEW_GAINS = Landscape("few gains", worse=0.45, better=0.10)
NO_GAINS = Landscape("no gains", worse=0.50, better=0.0, worst=1.0)


@dataclass(frozen=True)
class Climb:
    """The true value after each iteration, from 0; and what the judge made of it."""

    values: tuple[float, ...]
    offered: float
    accepted: int
    harmful: int
    measurements: int
    recorded: float

    @property
    def end(self) -> float:
        """The true value at the end."""
        return self.values[-1]

    @property
    def luck(self) -> float:
        """By how much the record at the end is better than the truth."""
        return self.recorded - self.end

    @property
    def fall(self) -> float:
        """The deepest that it was below an earlier true value."""
        peak = deepest = 0.0
        for value in self.values:
            peak = max(peak, value)
            deepest = max(deepest, peak - value)
        return deepest


def climb(judge: Judge, landscape: Landscape, kind: str, iterations: int, seed: str) -> Climb:
    """Let ``judge`` decide about candidates that are each made from the incumbent of the moment."""
    ideas, noise = random.Random(f"ideas {seed}"), NOISES[kind](random.Random(f"noise {seed}"))
    judge.begin(noise)
    true = offered = 0.0
    values, accepted, harmful, measurements = [], 0, 0, 0
    for _ in range(iterations):
        gain, lines = landscape.draw(ideas), judge.lines + ideas.randint(-5, 5)
        offered += max(0.0, gain)
        found = judge.judge(shifted(noise, true + gain), shifted(noise, true), lines)
        measurements += found.measurements
        if found.accepted:
            true, accepted, harmful = true + gain, accepted + 1, harmful + (gain < 0)
        values.append(true)
    return Climb(tuple(values), offered, accepted, harmful, measurements, judge.recorded)


def shrinking(judge: Weighing, loss: float, count: int, seed: str, *, anew: bool) -> float:
    """Offer ever shorter code, each truly worse by ``loss``; return the true value at the end.

    With ``anew`` each tie may cede the whole of ``min_improvement``, which the lab does not allow.
    """
    noise = NOISES["normal"](random.Random(seed))
    judge.begin(noise)
    true = 0.0
    for _ in range(count):
        if anew and judge.standing is not None:
            judge.standing = replace(judge.standing, ceded=0.0)
        worse = shifted(noise, true - loss)
        if judge.judge(worse, shifted(noise, true), judge.lines - 1).accepted:
            true -= loss
    return true
