"""What comparing a candidate with the incumbent says, before any veto: the verdict and why.

Pure; called by ``weighing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hermes.acceptance import looks, vetoes
from hermes.acceptance.differences import mean
from hermes.acceptance.paired import Pairs, is_outdated, pairs_measured
from hermes.acceptance.records import (
    Case,
    Comparison,
    Method,
    Standing,
    Subject,
    Verdict,
)
from hermes.improvement import improves, least_improvement


@dataclass(frozen=True)
class Finding:
    """What the comparison alone says; ``ceded`` is as in ``Complexity``."""

    verdict: Verdict
    reason: str
    comparison: Comparison | None = None
    turns: tuple[Subject, ...] = ()
    broke_tie: bool = False
    ceded: float = 0.0


def compared(case: Case, *, final: bool) -> Finding:
    """Compare by the method that fits; with ``final`` never ask for more."""
    if case.standing is None:
        return _baseline(case, final=final)
    if case.rule.repeats == 1:
        return _once(case, case.standing, final=final)
    if is_outdated(case):
        return _outdated(case, case.standing)
    return _in_turns(case, case.standing, final=final)


# A baseline


def _baseline(case: Case, *, final: bool) -> Finding:
    """Measure it ``repeats`` times, so that the noise is known; then it is accepted."""
    have = len(case.measurement.candidate)
    wanted = max(0, case.rule.repeats - have)
    if wanted and not final:
        return _more((Subject.CANDIDATE,) * wanted, None, f"{have} baseline measurements so far")
    if not have:
        return Finding(Verdict.INCONCLUSIVE, "Nothing was measured.")
    return Finding(Verdict.ACCEPT, "It is the first that was measured: there is nothing to beat.")


# One measurement


def _once(case: Case, standing: Standing, *, final: bool) -> Finding:
    if not case.measurement.candidate:
        if final:
            return Finding(Verdict.INCONCLUSIVE, "Nothing was measured.", ceded=standing.ceded)
        return _more((Subject.CANDIDATE,), None, "nothing was measured yet")
    numbers = _single(case, standing)
    value, against = numbers.candidate, numbers.incumbent
    both = f"{value:.6g} against {against:.6g}"
    asked = f"{numbers.min_improvement:.6g} was asked for"
    if improves(value, against, case.direction, case.rule):
        reason = f"It is better by {numbers.gain:.6g}, {both}; {asked}."
        return Finding(Verdict.ACCEPT, reason, numbers)
    if value == against and case.measurement.lines < standing.lines:
        reason = f"It is equal, {both}, with less code: {_lines(case, standing)}."
        return Finding(Verdict.ACCEPT, reason, numbers, broke_tie=True, ceded=standing.ceded)
    reason = f"It is not better: {both}, a gain of {numbers.gain:.6g}; {asked}."
    return Finding(Verdict.REJECT, reason, numbers, ceded=standing.ceded)


def _single(case: Case, standing: Standing) -> Comparison:
    value = mean(vetoes.values(case.measurement.candidate))
    against = mean(vetoes.values(standing.samples))
    return Comparison(
        Method.SINGLE,
        pairs=0,
        candidate=value,
        incumbent=against,
        gain=case.direction.gain(value, against),
        min_improvement=least_improvement(case.rule, against),
        recorded=against,
    )


# In turns with the incumbent


def _in_turns(case: Case, standing: Standing, *, final: bool) -> Finding:
    planned, count = looks.planned(case.rule), pairs_measured(case)
    pairs = Pairs(case, standing, final) if count else None
    if count >= planned[0] and (final or count in planned or count > planned[-1]):
        assert pairs is not None
        return _looked(pairs, planned)
    numbers = pairs.comparison() if pairs else None
    if pairs and count == 1 and pairs.is_hopeless():
        reason = f"The first pair tells that it is not better: a gain of {pairs.gain:.6g}."
        return Finding(Verdict.REJECT, reason, numbers, ceded=standing.ceded)
    if final:
        reason = f"Only {count} of {planned[0]} pairs were measured."
        return Finding(Verdict.INCONCLUSIVE, reason, numbers, ceded=standing.ceded)
    stops = planned if count or len(standing.samples) < 2 else (1, *planned)
    wanted = next(stop for stop in stops if stop > count)
    return _more(_turns(case, wanted), numbers, f"{count} of {wanted} pairs were measured")


def _looked(pairs: Pairs, planned: Sequence[int]) -> Finding:
    case, standing, numbers = pairs.case, pairs.standing, pairs.comparison()
    if pairs.wins:
        return Finding(Verdict.ACCEPT, _won(numbers), numbers)
    if pairs.ties:
        reason = f"It is as good, with less code: {_lines(case, standing)}; {_gain(numbers)}."
        return Finding(Verdict.ACCEPT, reason, numbers, broke_tie=True, ceded=pairs.ceded)
    if not (pairs.may_win or pairs.may_tie):
        reason = f"It is not ahead: {_gain(numbers)}, {numbers.min_improvement:.6g} was asked for."
        return Finding(Verdict.REJECT, reason, numbers, ceded=standing.ceded)
    later = [look for look in planned if look > pairs.count]
    if later and not pairs.final:
        return _more(_turns(case, later[0]), numbers, _undecided(pairs, numbers))
    reason = f"{_undecided(pairs, numbers)}."
    return Finding(Verdict.INCONCLUSIVE, _sentence(reason), numbers, ceded=standing.ceded)


def _outdated(case: Case, standing: Standing) -> Finding:
    """Judge a candidate that was measured beside an incumbent that is no more.

    What was not better than that one is not better than its successor either; what was, is not
    known to be.
    """
    finding = replace(_in_turns(case, standing, final=True), ceded=standing.ceded)
    if finding.verdict is not Verdict.ACCEPT:
        return finding
    beside = case.measurement.compared_with
    reason = (
        f"It beats {beside}, but {standing.run_id} took its place and was not measured with it."
    )
    return replace(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)


def _turns(case: Case, pairs: int) -> tuple[Subject, ...]:
    measured = case.measurement
    return looks.turns(len(measured.candidate), len(measured.incumbent), pairs)


# In words


def _more(turns: tuple[Subject, ...], numbers: Comparison | None, why: str) -> Finding:
    reason = _sentence(f"{why}; {len(turns)} measurements are to come.")
    return Finding(Verdict.MEASURE_MORE, reason, numbers, turns)


def _won(numbers: Comparison) -> str:
    return f"It is better: {_gain(numbers)}, {_beyond_noise(numbers)}."


def _undecided(pairs: Pairs, numbers: Comparison) -> str:
    if not pairs.are_enough:
        return f"{pairs.count} pairs are too few to show a gain at this confidence"
    return f"it is ahead, but not beyond noise: {_gain(numbers)}, {_beyond_noise(numbers)}"


def _gain(numbers: Comparison) -> str:
    bounds = f"between {numbers.lower:.6g} and {numbers.upper:.6g}"
    return f"a gain of {numbers.gain:.6g} over {numbers.pairs} pairs, {bounds}"


def _beyond_noise(numbers: Comparison) -> str:
    asked = f"{numbers.min_improvement:.6g} was asked for"
    return f"where {asked} (p {numbers.p_value:.3g}, {numbers.level:.3g} allowed)"


def _lines(case: Case, standing: Standing) -> str:
    return f"{case.measurement.lines} lines instead of {standing.lines}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
