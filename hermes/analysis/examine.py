"""Examines an experiment: all that its records say of its search. Called by the command.

Pure. Limit first: runs of different tiers, or of former evaluators of a code loop, are never
compared, so all that rests on values is found tier by tier, in the present segment of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from hermes.analysis.findings import Failure, Findings, StrategyShare, TierFindings
from hermes.analysis.tiers import keep_rate, tier_findings
from hermes.discoveries import StrategyTally
from hermes.model import SCHEMA_VERSION, IndexLine, Outcome
from hermes.spec import Spec
from hermes.state import ExperimentState, current_tier

MOST_FAILURES = 10
_MEASURED = re.compile(r"\d+\.\d+(?:[eE][+-]?\d+)?|\d{5,}")  # unlike an exit status
_JUDGED = Outcome.REJECTED, Outcome.INCONCLUSIVE
_OF_ONE_RUN = re.compile(
    r"\bRUN-[\w.-]*\w|(?<![\w.])[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf)(?!\w)"
)


def examine(spec: Spec, state: ExperimentState, runs: Sequence[IndexLine]) -> Findings:
    """Return what is found in ``runs``, the experiment's in sealing order, and in its state."""
    tallies = state.by_strategy
    accepted = sum(tally.accepted for tally in tallies.values())
    return Findings(
        schema_version=SCHEMA_VERSION,
        id=spec.id,
        metric=spec.metric,
        metric_direction=spec.metric_direction,
        current_fidelity_tier=current_tier(state, spec.first_tier),
        run_count=state.run_count,
        success_count=state.success_count,
        accepted=accepted,
        keep_rate=keep_rate(accepted, state.run_count),
        wall_seconds=state.wall_seconds,
        duplicates_avoided=sum(tally.duplicates_avoided for tally in tallies.values()),
        outcomes=state.outcome_counts,
        failures=_failures(runs),
        strategies={name: _share(tally) for name, tally in tallies.items()},
        tiers=tuple(_tiers(spec, runs)),
    )


def _share(tally: StrategyTally) -> StrategyShare:
    return StrategyShare(**vars(tally), keep_rate=keep_rate(tally.accepted, tally.runs))


def _tiers(spec: Spec, runs: Sequence[IndexLine]) -> Iterable[TierFindings]:
    """Return what each tier with runs says: the SPEC's, the highest first, then former ones."""
    by_tier: dict[str, list[IndexLine]] = {}
    for run in runs:
        by_tier.setdefault(run.fidelity_tier, []).append(run)
    former = [tier for tier in by_tier if tier not in spec.tiers]
    for tier in (*reversed(spec.tiers), *former):
        if tier in by_tier:
            is_code = spec.at_tier(tier).is_code_loop
            yield tier_findings(tier, by_tier[tier], spec.metric_direction, is_code_loop=is_code)


def _failures(runs: Iterable[IndexLine]) -> tuple[Failure, ...]:
    """Return the commonest reasons for having no value; the newest run of each gives its words."""
    last: dict[tuple[Outcome, str], IndexLine] = {}
    counts: dict[tuple[Outcome, str], int] = {}
    for run in runs:
        if run.outcome is not Outcome.SUCCESS:
            kind = run.outcome, _kind(run)
            last[kind] = run
            counts[kind] = counts.get(kind, 0) + 1
    return _commonest(counts, last)


def _kind(run: IndexLine) -> str:
    """Return what a reason has in common with others; a verdict's, its words without a number."""
    if run.outcome in _JUDGED:
        return _OF_ONE_RUN.sub("#", run.reason)
    return without_measurements(run.reason)


def without_measurements(reason: str) -> str:
    """Return a reason as it reads whatever was measured in it."""
    return _MEASURED.sub("#", reason)


def _commonest(
    counts: Mapping[tuple[Outcome, str], int], last: Mapping[tuple[Outcome, str], IndexLine]
) -> tuple[Failure, ...]:
    kinds = sorted(counts, key=lambda kind: -counts[kind])[:MOST_FAILURES]
    return tuple(
        Failure(kind[0], newest.reason, counts[kind], newest.run_id, newest.seq)
        for kind, newest in ((kind, last[kind]) for kind in kinds)
    )
