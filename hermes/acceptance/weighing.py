"""Weighs a candidate: accepted, rejected, inconclusive, or to be measured again.

Pure; called by the executor for what to measure next, and by the seal step for the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hermes import codec
from hermes.acceptance import vetoes
from hermes.acceptance.findings import Finding, compared
from hermes.acceptance.records import Case, Complexity, Decision, GuardCheck, Standing, Verdict
from hermes.model import Json


def weigh(case: Case, *, final: bool = False) -> Decision:
    """Decide about a candidate from what was measured so far.

    With ``final`` nothing more can be measured, and what is undecided is inconclusive.
    """
    guards = vetoes.guard_checks(case) if case.measurement.candidate else ()
    finding = _guarded(case, compared(case, final=final), guards)
    gain = finding.comparison.gain if finding.comparison else None
    would_be_accepted = finding.verdict is Verdict.ACCEPT
    holdout = vetoes.holdout_check(case, gain) if would_be_accepted else None
    if holdout is not None and not holdout.passed:
        finding = _withdrawn(case, finding, vetoes.withdrawal(holdout))
    return Decision(
        verdict=finding.verdict,
        reason=finding.reason,
        turns=finding.turns,
        comparison=finding.comparison,
        noise_floor=vetoes.noise_floor(case),
        guards=guards,
        complexity=_complexity(case, finding),
        holdout=holdout,
        final=final,
        case=case,
    )


def replay(decision: Mapping[str, Json]) -> Decision:
    """Decide again from the case that the JSON form of a decision holds.

    Raises ValueError that names the field when it is not a decision.
    """
    recorded = codec.decode(Decision, dict(decision))
    return weigh(recorded.case, final=recorded.final)


def standing_after(run_id: str, decision: Decision) -> Standing:
    """Return the incumbent that the accepted candidate of ``run_id`` is for those after it."""
    measured = decision.case.measurement
    return Standing(run_id, measured.candidate, measured.lines, decision.complexity.ceded)


# Vetoes


def _guarded(case: Case, finding: Finding, guards: Sequence[GuardCheck]) -> Finding:
    """Reject what breaks a guard, as soon as that is sure; a baseline is only told of it."""
    fault = vetoes.broken(guards)
    if not fault or finding.verdict is Verdict.REJECT:
        return finding
    is_missing = any(check.mean is None for check in guards)
    if not is_missing and len(case.measurement.candidate) < case.rule.repeats:
        return finding
    if case.standing is None:
        return _despite(finding, fault)
    return _rejected(case.standing, finding, f"A guard is broken: {fault}.")


def _withdrawn(case: Case, finding: Finding, fault: str) -> Finding:
    if case.standing is None:
        return _despite(finding, fault)
    return _rejected(case.standing, finding, f"It is withdrawn: {fault}. {finding.reason}")


def _despite(finding: Finding, fault: str) -> Finding:
    """Keep the baseline, which is what there is, and say what is wrong with it."""
    if finding.verdict is not Verdict.ACCEPT:
        return finding
    return replace(finding, reason=f"{finding.reason} It would be no candidate: {fault}.")


def _rejected(standing: Standing, finding: Finding, reason: str) -> Finding:
    return replace(
        finding,
        verdict=Verdict.REJECT,
        reason=reason,
        turns=(),
        broke_tie=False,
        ceded=standing.ceded,
    )


def _complexity(case: Case, finding: Finding) -> Complexity:
    numbers = finding.comparison
    return Complexity(
        candidate=case.measurement.lines,
        incumbent=case.standing.lines if case.standing else None,
        broke_tie=finding.broke_tie,
        allowance=numbers.min_improvement if numbers else 0.0,
        ceded=finding.ceded,
    )
