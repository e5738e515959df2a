"""A lab without processes: candidates of a known true value, measured and judged as ``weigh`` asks.

Everything is maximised, and the noise has a sigma of 1, so all values are in units of sigma.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Protocol

from noises import NOISES, Noise

from hermes.acceptance import Case, Decision, Standing, Subject, Verdict, standing_after, weigh
from hermes.measured import Measurement, Sample
from hermes.model import Direction
from hermes.spec import Acceptance

LINES = 1000


@dataclass(frozen=True)
class Judgement:
    """What became of a candidate, and how many measurements that took, of both codes together."""

    accepted: bool
    measurements: int


class Judge(Protocol):
    """Decides about one candidate after another; knows the true values of none."""

    def begin(self, baseline: Noise) -> None:
        """Measure the baseline."""
        ...

    def judge(self, candidate: Noise, incumbent: Noise, lines: int) -> Judgement:
        """Judge a candidate by measuring both; an accepted one is the next incumbent."""
        ...

    @property
    def recorded(self) -> float:
        """The value on record for the incumbent."""
        ...

    @property
    def lines(self) -> int:
        """The size of the incumbent."""
        ...


@dataclass
class Weighing:
    """The lab's own judge: ``weigh``, called as the executor calls it."""

    rule: Acceptance
    standing: Standing | None = None
    number: int = field(default=0)

    def begin(self, baseline: Noise) -> None:
        """Measure the baseline."""
        self.standing = None
        self.judge(baseline, baseline, LINES)

    def judge(self, candidate: Noise, incumbent: Noise, lines: int) -> Judgement:
        """Measure in the turns that are asked for until there is a verdict."""
        samples: dict[Subject, list[Sample]] = {subject: [] for subject in Subject}
        sources = {Subject.CANDIDATE: candidate, Subject.INCUMBENT: incumbent}
        while True:
            decision = weigh(self._case(samples, lines))
            if decision.verdict is not Verdict.MEASURE_MORE:
                break
            for subject in decision.turns:
                samples[subject].append(Sample(sources[subject]()))
        self._keep(decision)
        return Judgement(decision.verdict is Verdict.ACCEPT, sum(map(len, samples.values())))

    def _case(self, samples: dict[Subject, list[Sample]], lines: int) -> Case:
        measured = Measurement(
            tuple(samples[Subject.CANDIDATE]),
            tuple(samples[Subject.INCUMBENT]),
            self.standing.run_id if self.standing else None,
            lines,
        )
        return Case(Direction.MAXIMIZE, self.rule, measured, self.standing)

    def _keep(self, decision: Decision) -> None:
        self.number += 1
        if decision.verdict is Verdict.ACCEPT:
            self.standing = standing_after(f"RUN-{self.number}", decision)

    @property
    def recorded(self) -> float:
        """The mean of the samples on record."""
        assert self.standing is not None
        return sum(sample.value for sample in self.standing.samples) / len(self.standing.samples)

    @property
    def lines(self) -> int:
        """The size of the incumbent."""
        assert self.standing is not None
        return self.standing.lines


@dataclass
class OnceBetter:
    """A naive judge: both are measured once, side by side, and the better one is kept."""

    recorded: float = 0.0
    lines: int = LINES

    def begin(self, baseline: Noise) -> None:
        """Measure the baseline."""
        self.recorded = baseline()

    def judge(self, candidate: Noise, incumbent: Noise, lines: int) -> Judgement:
        """Keep the better one."""
        value, other = candidate(), incumbent()
        if value > other:
            self.recorded, self.lines = value, lines
        return Judgement(value > other, 2)


def shifted(noise: Noise, true: float) -> Noise:
    """Return what measures a true value."""
    return lambda: true + noise()


# Candidates that are all alike


@dataclass(frozen=True)
class Shares:
    """What became of candidates of one true gain."""

    accepted: float
    measurements: float


def alike(judge: Weighing, kind: str, gain: float, count: int, seed: str) -> Shares:
    """Judge ``count`` candidates, each ``gain`` better than an incumbent that does not change."""
    noise = NOISES[kind](random.Random(seed))
    accepted = measurements = 0
    for _ in range(count):
        judge.begin(noise)
        found = judge.judge(shifted(noise, gain), noise, LINES)
        accepted += found.accepted
        measurements += found.measurements
    return Shares(accepted / count, measurements / count)


def nulls(judge: Judge, kind: str, count: int, seed: str, *, luck: float = 0.0) -> Shares:
    """Judge ``count`` candidates that change nothing, in a row; accepted ones replace each other.

    The baseline's record is by ``luck`` better than it would have been.
    """
    noise = NOISES[kind](random.Random(seed))
    judge.begin(shifted(noise, luck))
    found = [judge.judge(noise, noise, LINES) for _ in range(count)]
    accepted = sum(each.accepted for each in found)
    return Shares(accepted / count, sum(each.measurements for each in found) / count)
