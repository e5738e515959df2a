"""What the runs of one tier say: the best so far, how long it stands, and what came near it.

Pure; called by ``examine``. Limits first: only runs of the present segment are compared; a plateau
is told from few runs only by ``too-early``, and a near miss is one by its value alone: whether it
is one within the noise is not known. A rejected candidate has no value, and is none.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from hermes.analysis import segments
from hermes.analysis.findings import (
    Level,
    NearMiss,
    NearMisses,
    Plateau,
    TierFindings,
    Verdict,
)
from hermes.analysis.importance import importance
from hermes.discoveries import Discovery
from hermes.model import Direction, IndexLine, Outcome
from hermes.state import Scored

MOST_IMPROVEMENTS = 100
MOST_LEVELS = 200
MOST_NEAR_MISSES = 10
MOST_SEGMENTS = 20
NEAR = 0.05  # of the way from the best value to the median
EARLY = 10  # fewer values say nothing of a plateau
SLOWING, PLATEAU = 0.25, 0.5  # shares of the runs since the best


def tier_findings(
    tier: str, runs: Sequence[IndexLine], direction: Direction, *, is_code_loop: bool = False
) -> TierFindings:
    """Return what the runs of a tier, in sealing order, say.

    In the code loop the best is the incumbent: of noisy numbers the luckiest says little.
    """
    compared, begun = segments.present(runs), segments.segments(runs)
    scored = _scored(compared)
    found = segments.improvements(compared, direction)
    bests = segments.incumbents(compared, direction) if is_code_loop else _runs(scored, found)
    drawn = segments.measured(compared) if is_code_loop else scored
    accepted = sum(run.accepted for run in runs)
    return TierFindings(
        tier=tier,
        run_count=len(runs),
        success_count=len(_scored(runs)),
        accepted=accepted,
        keep_rate=keep_rate(accepted, len(runs)),
        wall_seconds=sum(run.wall_seconds for run in runs),
        best=_best(bests),
        best_so_far=tuple(_levels(bests, runs[-1].seq)),
        improvement_count=len(found),
        improvements=tuple(found[-MOST_IMPROVEMENTS:]),
        plateau=_plateau(compared, drawn, bests),
        near_misses=_near_misses(scored, bests, direction),
        importance=importance(scored, direction),
        segment_count=len(begun),
        segments=tuple(begun[-MOST_SEGMENTS:]),
    )


def keep_rate(accepted: int, runs: int) -> float | None:
    """Return the share of runs that were accepted; None where there are none."""
    return accepted / runs if runs else None


def _scored(runs: Sequence[IndexLine]) -> list[IndexLine]:
    return [run for run in runs if run.outcome is Outcome.SUCCESS and run.value is not None]


def _runs(scored: Sequence[IndexLine], found: Sequence[Discovery]) -> list[IndexLine]:
    seqs = {item.seq for item in found}
    return [run for run in scored if run.seq in seqs]


def _levels(bests: Sequence[IndexLine], last_seq: int) -> list[Level]:
    """Return the value of the best over the runs as a stair, at most so many steps of it."""
    levels = [Level(run.seq, _value(run)) for run in bests]
    if levels and last_seq > levels[-1].seq:
        levels.append(Level(last_seq, levels[-1].value))
    if len(levels) <= MOST_LEVELS:
        return levels
    last = len(levels) - 1
    return [levels[round(i * last / (MOST_LEVELS - 1))] for i in range(MOST_LEVELS)]


def _value(run: IndexLine) -> float:
    assert run.value is not None, f"{run.run_id} has no value"
    return run.value


def _best(bests: Sequence[IndexLine]) -> Scored | None:
    if not bests:
        return None
    run = bests[-1]
    return Scored(run.run_id, run.seq, _value(run), run.params, run.strategy, run.completed_at)


def _plateau(
    runs: Sequence[IndexLine], drawn: Sequence[IndexLine], bests: Sequence[IndexLine]
) -> Plateau:
    """Say how long the best stands; ``drawn`` are the runs that might have been a better one.

    Runs that were cut off do not count.

    The place of the best among n values that owe nothing to each other is uniform, so that the
    last k of them hold no new best with probability 1 - k/n (Rényi 1962, Théorie des éléments
    saillants d'une suite d'observations).
    """
    if not bests:
        return Plateau(Verdict.NO_SUCCESS, None, None, None)
    best = bests[-1].seq
    counted = [run.seq for run in runs if not run.outcome.is_retried]
    since = sum(seq > best for seq in counted)
    share = since / len(counted)
    later = sum(run.seq > best for run in drawn)
    chance = 1 - later / len(drawn) if drawn else None
    return Plateau(_verdict(len(drawn), since, share), since, share, chance)


def _verdict(values: int, since: int, share: float) -> Verdict:
    if values < EARLY:
        return Verdict.TOO_EARLY
    if since < EARLY or share < SLOWING:
        return Verdict.IMPROVING
    return Verdict.SLOWING if share < PLATEAU else Verdict.PLATEAU


def _near_misses(
    scored: Sequence[IndexLine], bests: Sequence[IndexLine], direction: Direction
) -> NearMisses:
    if not bests:
        return NearMisses(NEAR, None, 0, ())
    best = _value(bests[-1])
    were_best = {run.seq for run in bests}
    gaps = [(direction.gain(best, _value(run)), run) for run in scored]
    within = NEAR * statistics.median_low(gap for gap, _ in gaps)
    near = sorted(
        (
            NearMiss(run.seq, run.run_id, _value(run), gap, run.strategy, run.params)
            for gap, run in gaps
            if gap <= within and run.seq not in were_best
        ),
        key=lambda miss: (miss.gap, miss.seq),
    )
    return NearMisses(NEAR, within, len(near), tuple(near[:MOST_NEAR_MISSES]))
