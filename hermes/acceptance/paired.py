"""The comparison of a candidate with the incumbent that was measured in turns with it.

Pure; called by ``weighing``. A pair is the n-th sample of each, so what changes slowly between
pairs cancels. Where both are alike, a pair's difference is symmetric however skewed the noise is,
and the t test of symmetric differences errs on the safe side under heavy tails (B. Efron, Journal
of the American Statistical Association 64, 1969; N. K. Bakirov, G. J. Székely, Zapiski Nauchnykh
Seminarov POMI 328, 2005). It does not hold where a candidate changes the noise itself, and skews
it: then a difference has a mean of 0 and is not symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hermes.acceptance import looks, student
from hermes.acceptance.differences import Estimate, coincidence, deviation, finite, mean
from hermes.acceptance.records import Case, Comparison, Method, Standing
from hermes.acceptance.vetoes import values
from hermes.improvement import least_improvement
from hermes.model import Direction


@dataclass(frozen=True)
class Pairs:
    """The pairs of a case, at least one, and what they say.

    ``final`` tells that this look is the last, also where none was planned.
    """

    case: Case
    standing: Standing
    final: bool

    @cached_property
    def count(self) -> int:
        """The number of whole pairs."""
        return pairs_measured(self.case)

    @cached_property
    def candidate(self) -> list[float]:
        """The candidate's values, pair by pair."""
        return values(self.case.measurement.candidate[: self.count])

    @cached_property
    def incumbent(self) -> list[float]:
        """The incumbent's values, pair by pair."""
        return values(self.case.measurement.incumbent[: self.count])

    @cached_property
    def gains(self) -> list[float]:
        """By how much the candidate is better, pair by pair."""
        both = zip(self.candidate, self.incumbent, strict=True)
        return [self.case.direction.gain(value, over) for value, over in both]

    @cached_property
    def gain(self) -> float:
        """The mean of the gains."""
        return mean(self.gains)

    @cached_property
    def beyond(self) -> Estimate:
        """By how much the gains are more than what is asked for."""
        both = zip(self.gains, self.margins, strict=True)
        return Estimate.of([Direction.MAXIMIZE.gain(gain, margin) for gain, margin in both])

    @cached_property
    def within(self) -> Estimate:
        """How far the gains are from being a loss that matters."""
        both = zip(self.gains, self.margins, strict=True)
        return Estimate.of([finite(gain + margin) for gain, margin in both])

    @cached_property
    def margins(self) -> list[float]:
        """What is asked for, pair by pair: a share of each of the incumbent's values, or a number.

        Taken pair by pair, a share is tested without an error of its own (E. C. Fieller, Journal
        of the Royal Statistical Society B 16, 1954).
        """
        return [least_improvement(self.case.rule, value) for value in self.incumbent]

    @cached_property
    def margin(self) -> float:
        """The mean of what is asked for."""
        return mean(self.margins)

    @cached_property
    def level(self) -> float:
        """The error that one look may make on one side."""
        return looks.level(self.case.rule)

    @property
    def are_enough(self) -> bool:
        """Say whether so many pairs can show anything at all at the level."""
        return coincidence(self.count) <= self.level

    # Better

    @cached_property
    def p_value(self) -> float:
        """How probable such gains are, at most, when there is no more than what is asked for."""
        return self.beyond.p_value(0.0)

    @property
    def wins(self) -> bool:
        """Say whether the candidate is better beyond noise."""
        return self.gain > 0 and self.p_value <= self.level

    @property
    def may_win(self) -> bool:
        """Say whether it is ahead so far."""
        return self.gain > 0 and self.beyond.mean >= 0

    # Equal, with less code

    @cached_property
    def is_shorter(self) -> bool:
        """Say whether the candidate has less code than the incumbent that it was measured with."""
        return not is_outdated(self.case) and self.case.measurement.lines < self.standing.lines

    @property
    def is_identical(self) -> bool:
        """Say whether each pair measured the same value twice."""
        return not any(self.gains)

    @cached_property
    def p_equal(self) -> float | None:
        """How probable such gains are, at most, when the loss is more than may be ceded.

        A test of non-inferiority whose margin is ``min_improvement`` less what earlier ties ceded:
        with the same margin anew for each, a row of ties would lead downhill (bio-creep: S.
        Everson-Stewart, S. S. Emerson, Statistics in Medicine 29, 2010). None where it is not
        asked: also once half is ceded, or many tries at the rest would find what is lucky.
        """
        if not self.is_shorter or 2 * self.standing.ceded >= self.margin:
            return None
        return self.within.p_value(self.standing.ceded)

    @property
    def ties(self) -> bool:
        """Say whether the candidate is as good, with less code."""
        if self.is_shorter and self.is_identical:
            return self.are_enough
        return self.p_equal is not None and self.p_equal <= self.level

    @property
    def may_tie(self) -> bool:
        """Say whether it is as good so far, with less code."""
        if self.is_shorter and self.is_identical:
            return True
        return self.p_equal is not None and self.within.mean > self.standing.ceded

    @property
    def ceded(self) -> float:
        """The loss that cannot be excluded once this candidate is accepted for less code."""
        if self.is_identical:
            return self.standing.ceded
        surely = self.within.lower(self.level)
        return finite(self.standing.ceded + max(0.0, self.margin - surely))

    # The first pair

    def is_hopeless(self) -> bool:
        """Say whether the pairs tell, by the noise that is on record, that it is surely worse.

        Only the spread of the recorded samples counts, not their mean: a lucky record, or a machine
        that became slower, does not turn a candidate away.
        """
        known = values(self.standing.samples)
        if len(known) < 2:
            return False
        reach = student.exceeded_by(looks.side(self.case.rule), len(known) - 1)
        noise = finite(reach * deviation(known) * math.sqrt(2 / self.count))
        least = self.margin
        if self.is_shorter:
            least = min(0.0, self.standing.ceded - self.margin)
        return finite(self.gain + noise) < least

    # All numbers

    def comparison(self) -> Comparison:
        """Return every number of the comparison."""
        first = Comparison(
            Method.FIRST_PAIR,
            pairs=self.count,
            candidate=mean(self.candidate),
            incumbent=mean(self.incumbent),
            gain=self.gain,
            min_improvement=self.margin,
            recorded=mean(values(self.standing.samples)),
            looks=looks.planned(self.case.rule),
        )
        return first if self.count == 1 else self._tested(first)

    def _tested(self, first: Comparison) -> Comparison:
        raw, looked = Estimate.of(self.gains), self._looked(first.looks)
        return replace(
            first,
            method=Method.PAIRED,
            candidate_error=Estimate.of(self.candidate).standard_error,
            incumbent_error=Estimate.of(self.incumbent).standard_error,
            standard_error=raw.standard_error,
            degrees_of_freedom=raw.degrees,
            statistic=self.beyond.statistic(0.0),
            p_value=self.p_value,
            p_equal=self.p_equal,
            lower=raw.lower(self.level),
            upper=raw.upper(self.level),
            level=self.level,
            looked=looked,
            spent=looked * self.level,
        )

    def _looked(self, planned: Sequence[int]) -> int:
        """Count the looks until now; a last one that comes early stands for the next planned."""
        passed = sum(pairs <= self.count for pairs in planned)
        early = self.final and self.count not in planned
        return min(passed + early, len(planned))


def pairs_measured(case: Case) -> int:
    """Return how many whole pairs there are."""
    return min(len(case.measurement.candidate), len(case.measurement.incumbent))


def is_outdated(case: Case) -> bool:
    """Say whether the candidate was measured beside another incumbent than it has to beat now."""
    beside, standing = case.measurement.compared_with, case.standing
    return beside is not None and standing is not None and beside != standing.run_id
