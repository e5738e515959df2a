"""What the runs of one tier say: the best so far, how long it stands, and what came near it.

Pure; called by ``examine``. Limits first: a plateau is told from few runs only by ``too-early``,
and a near miss is one by its value alone: whether it is one within the noise is not known.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from hermes.analysis.findings import (
    Level,
    NearMiss,
    NearMisses,
    Plateau,
    TierFindings,
    Verdict,
)
from hermes.analysis.importance import importance
from hermes.discoveries import Discovery, discovery
from hermes.model import Direction, IndexLine, Outcome
from hermes.state import Scored

MOST_IMPROVEMENTS = 100
MOST_LEVELS = 200
MOST_NEAR_MISSES = 10
NEAR = 0.05  # of the way from the best value to the median
EARLY = 10  # fewer successes say nothing of a plateau
SLOWING, PLATEAU = 0.25, 0.5  # shares of a tier's runs since its last improvement


def tier_findings(tier: str, runs: Sequence[IndexLine], direction: Direction) -> TierFindings:
    """Return what the runs of a tier, in sealing order, say."""
    found = _improvements(runs, direction)
    accepted = sum(run.accepted for run in runs)
    scored = [run for run in runs if run.outcome is Outcome.SUCCESS and run.value is not None]
    return TierFindings(
        tier=tier,
        run_count=len(runs),
        success_count=len(scored),
        accepted=accepted,
        keep_rate=keep_rate(accepted, len(runs)),
        wall_seconds=sum(run.wall_seconds for run in runs),
        best=_best(scored, found),
        best_so_far=tuple(_levels(found, runs[-1].seq)),
        improvement_count=len(found),
        improvements=tuple(found[-MOST_IMPROVEMENTS:]),
        plateau=_plateau(runs, scored, found),
        near_misses=_near_misses(scored, found, direction),
        importance=importance(scored, direction),
    )


def keep_rate(accepted: int, runs: int) -> float | None:
    """Return the share of runs that were accepted; None where there are none."""
    return accepted / runs if runs else None


def _improvements(runs: Sequence[IndexLine], direction: Direction) -> list[Discovery]:
    """Return each run that was better than all before it."""
    found: list[Discovery] = []
    for run in runs:
        improvement = discovery(run, found[-1].value if found else None, direction)
        if improvement is not None:
            found.append(improvement)
    return found


def _levels(found: Sequence[Discovery], last_seq: int) -> list[Level]:
    """Return the best value over the runs as a stair, at most so many steps of it."""
    levels = [Level(item.seq, item.value) for item in found]
    if found and last_seq > found[-1].seq:
        levels.append(Level(last_seq, found[-1].value))
    if len(levels) <= MOST_LEVELS:
        return levels
    last = len(levels) - 1
    return [levels[round(i * last / (MOST_LEVELS - 1))] for i in range(MOST_LEVELS)]


def _best(scored: Sequence[IndexLine], found: Sequence[Discovery]) -> Scored | None:
    """Return the last improvement with its parameters."""
    if not found:
        return None
    last = found[-1]
    params = next(run.params for run in scored if run.seq == last.seq)
    return Scored(last.run_id, last.seq, last.value, params, last.strategy, last.completed_at)


def _plateau(
    runs: Sequence[IndexLine], scored: Sequence[IndexLine], found: Sequence[Discovery]
) -> Plateau:
    """Say how long there was no improvement; runs that were cut off do not count.

    The place of the best among n values that owe nothing to each other is uniform, so that the
    last k of them hold no new best with probability 1 - k/n (Rényi 1962, Théorie des éléments
    saillants d'une suite d'observations).
    """
    if not found:
        return Plateau(Verdict.NO_SUCCESS, None, None, None)
    counted = [run.seq for run in runs if not run.outcome.is_retried]
    since = sum(seq > found[-1].seq for seq in counted)
    share = since / len(counted)
    later = sum(run.seq > found[-1].seq for run in scored)
    verdict = _verdict(len(scored), since, share)
    return Plateau(verdict, since, share, 1 - later / len(scored))


def _verdict(successes: int, since: int, share: float) -> Verdict:
    if successes < EARLY:
        return Verdict.TOO_EARLY
    if since < EARLY or share < SLOWING:
        return Verdict.IMPROVING
    return Verdict.SLOWING if share < PLATEAU else Verdict.PLATEAU


def _near_misses(
    scored: Sequence[IndexLine], found: Sequence[Discovery], direction: Direction
) -> NearMisses:
    if not found:
        return NearMisses(NEAR, None, 0, ())
    best = found[-1].value
    were_best = {item.seq for item in found}
    gaps = [(direction.gain(best, run.value), run) for run in scored if run.value is not None]
    within = NEAR * statistics.median_low(gap for gap, _ in gaps)
    near = sorted(
        (
            NearMiss(run.seq, run.run_id, run.value, gap, run.strategy, run.params)
            for gap, run in gaps
            if run.value is not None and gap <= within and run.seq not in were_best
        ),
        key=lambda miss: (miss.gap, miss.seq),
    )
    return NearMisses(NEAR, within, len(near), tuple(near[:MOST_NEAR_MISSES]))
