"""What a search found, and which strategy it owes that to: a part of the fold in ``state``.

Pure. Limit first: values are compared within a segment of a tier only, and a gain is always finite:
what no float can hold is the largest that one can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hermes.model import LARGEST, Direction, IndexLine, Outcome

RECENT_DISCOVERIES = 20


@dataclass(frozen=True)
class Discovery:
    """A success that was better than every one before it in its tier.

    ``gain`` says by how much, in units of the metric; None for the first of its tier, or of its
    segment: with a baseline of the code loop a tier begins anew.
    """

    seq: int
    run_id: str
    completed_at: str
    fidelity_tier: str
    strategy: str
    value: float
    gain: float | None
    accepted: bool


@dataclass(frozen=True)
class StrategyTally:
    """What one strategy brought; tiers are kept apart wherever values are compared."""

    runs: int = 0
    successes: int = 0
    accepted: int = 0
    wall_seconds: float = 0.0
    duplicates_avoided: int = 0
    best_by_tier: Mapping[str, float] = field(default_factory=dict)
    improvement_by_tier: Mapping[str, float] = field(default_factory=dict)


def discovery(run: IndexLine, best: float | None, direction: Direction) -> Discovery | None:
    """Return what ``run`` found; None unless it is better than ``best``, its tier's until then."""
    if run.outcome is not Outcome.SUCCESS or run.value is None:
        return None
    if best is not None and not direction.better(run.value, best):
        return None
    return Discovery(
        seq=run.seq,
        run_id=run.run_id,
        completed_at=run.completed_at,
        fidelity_tier=run.fidelity_tier,
        strategy=run.strategy,
        value=run.value,
        gain=None if best is None else direction.gain(run.value, best),
        accepted=run.accepted,
    )


def takes_the_place(run: IndexLine, incumbent: float | None, direction: Direction) -> bool:
    """Say whether ``run`` is the incumbent from now on; ``incumbent`` is the value so far.

    In the code loop whatever is accepted is: what was measured in turns with the incumbent, or
    has less code, may have a value that is no better than the one on record.
    """
    if not run.accepted or run.value is None:
        return False
    return run.code is not None or incumbent is None or direction.better(run.value, incumbent)


def forgotten(tallies: Mapping[str, StrategyTally], tier: str) -> Mapping[str, StrategyTally]:
    """Return the tallies without the values of ``tier``, where a new evaluator measures now."""
    return {
        name: replace(
            tally,
            best_by_tier=_without(tally.best_by_tier, tier),
            improvement_by_tier=_without(tally.improvement_by_tier, tier),
        )
        for name, tally in tallies.items()
    }


def _without(values: Mapping[str, float], tier: str) -> Mapping[str, float]:
    return {name: value for name, value in values.items() if name != tier}


def latest(before: tuple[Discovery, ...], found: Discovery | None) -> tuple[Discovery, ...]:
    """Return the last discoveries, the newest last."""
    return before if found is None else (*before[-(RECENT_DISCOVERIES - 1) :], found)


def tallied(
    tallies: Mapping[str, StrategyTally],
    run: IndexLine,
    found: Discovery | None,
    direction: Direction,
) -> Mapping[str, StrategyTally]:
    """Return the tallies of all strategies after one more run, which found ``found``."""
    tally = tallies.get(run.strategy, StrategyTally())
    updated = StrategyTally(
        runs=tally.runs + 1,
        successes=tally.successes + (run.outcome is Outcome.SUCCESS),
        accepted=tally.accepted + run.accepted,
        wall_seconds=tally.wall_seconds + run.wall_seconds,
        duplicates_avoided=tally.duplicates_avoided + run.duplicates_avoided,
        best_by_tier=_best(tally.best_by_tier, run, direction),
        improvement_by_tier=_improvement(tally.improvement_by_tier, found),
    )
    return {**tallies, run.strategy: updated}


def _best(before: Mapping[str, float], run: IndexLine, direction: Direction) -> Mapping[str, float]:
    if run.outcome is not Outcome.SUCCESS or run.value is None:
        return before
    best = before.get(run.fidelity_tier)
    if best is not None and not direction.better(run.value, best):
        return before
    return {**before, run.fidelity_tier: run.value}


def _improvement(before: Mapping[str, float], found: Discovery | None) -> Mapping[str, float]:
    if found is None or found.gain is None:
        return before
    total = before.get(found.fidelity_tier, 0.0) + found.gain
    return {**before, found.fidelity_tier: min(total, LARGEST)}
