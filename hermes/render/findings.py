"""The tables of an analysis for a terminal: one function a table. For ``analysis`` alone.

Pure. Limit first: each table has at most ten rows, and says what it leaves out. A narrow one
gives up its columns from the least needed on; ``format=json`` has them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hermes.analysis.findings import (
    Failure,
    Findings,
    Importance,
    Method,
    NearMisses,
    Parameter,
    StrategyShare,
    TierFindings,
)
from hermes.discoveries import Discovery
from hermes.render.show import short_reason
from hermes.render.tables import Column, Rows, columns, wrap
from hermes.render.text import CUT, NONE, clip, duration, number, params, when

MOST_ROWS = 10
_MOST_NEAR = 5
_MOST_TIERS = 3
_BAR = 20
_METHODS = {
    Method.PED_ANOVA: "PED-ANOVA (Optuna)",
    Method.CORRELATION_RATIO: "the correlation ratio of ranks",
}


def percent(share: float) -> str:
    """Return a share in per cent, with two significant digits."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _titled(title: str, heads: tuple[Column, ...], rows: Rows, width: int) -> list[str]:
    return [*wrap(f"{title}:", width), columns(heads, rows, width=width)]


def _left(count: int, shown: int) -> list[str]:
    return [f"{CUT} and {count - shown} more"] if count > shown else []


# improvements

_IMPROVEMENTS = (
    Column("SEQ", need=9, right=True),
    Column("VALUE", need=8, right=True),
    Column("GAIN", need=7, right=True),
    Column("KEPT", need=1),
    Column("STRATEGY", need=6, least=8, most=16),
    Column("COMPLETED (UTC)", need=2),
    Column("RUN", need=5, most=64),
)


def improvements(tier: TierFindings, width: int) -> list[str]:
    """Return the last improvements of a tier, the newest first."""
    if not tier.improvements:
        return []
    rows = [_improvement(item) for item in reversed(tier.improvements[-MOST_ROWS:])]
    shown = f"the last {len(rows)} of " if tier.improvement_count > len(rows) else ""
    title = f"Improvements ({shown}{tier.improvement_count}), the newest first"
    return _titled(title, _IMPROVEMENTS, rows, width)


def _improvement(item: Discovery) -> tuple[str, ...]:
    return (
        str(item.seq),
        number(item.value),
        number(item.gain),
        "yes" if item.accepted else NONE,
        clip(item.strategy, 16),
        when(item.completed_at),
        clip(item.run_id, 64),
    )


# near misses

_NEAR = (
    Column("SEQ", need=9, right=True),
    Column("VALUE", need=8, right=True),
    Column("SHORT BY", need=7, right=True),
    Column("STRATEGY", need=3, least=8, most=16),
    Column("PARAMS", need=6, least=12, most=80),
    Column("RUN", need=2, most=64),
)


def nearness(near: NearMisses) -> str:
    """Return in words how near a near miss is."""
    reach = f"{percent(near.share)} of the way from the best to the median"
    return f"within {reach} ({number(near.within)})"


def near_misses(near: NearMisses, width: int) -> list[str]:
    """Return the successes that came nearest to the best without ever being it."""
    rows = [
        (
            str(miss.seq),
            number(miss.value),
            number(miss.gap),
            clip(miss.strategy, 16),
            params(miss.params, 80),
            clip(miss.run_id, 64),
        )
        for miss in near.runs[:_MOST_NEAR]
    ]
    if not rows:
        return []
    nearest = f", the nearest {len(rows)}" if near.count > len(rows) else ""
    return _titled(f"Near misses: {near.count} {nearness(near)}{nearest}", _NEAR, rows, width)


# importance

_IMPORTANCE = (
    Column("PARAMETER", need=9, least=12, most=40),
    Column("SHARE", need=8, right=True),
    Column("", need=3),
)
_IN_RUNS = Column("IN RUNS", need=2, right=True)


def importance(found: Importance, width: int) -> list[str]:
    """Return how much each parameter matters; in how many runs it is, where some lack one."""
    if found.method is None:
        return []
    method = f"by {_METHODS[found.method]}, from {found.runs} runs"
    shown = found.parameters[:MOST_ROWS]
    if not any(item.importance for item in shown):
        return wrap(f"Importance of parameters: none stands out, {method}.", width)
    rows = [_parameter(item) for item in shown]
    everywhere = all(item.runs == found.runs for item in shown)
    heads = _IMPORTANCE if everywhere else (*_IMPORTANCE, _IN_RUNS)
    table = _titled(f"Importance of parameters, {method}", heads, rows, width)
    return [*table, *_left(len(found.parameters), len(rows))]


def _parameter(item: Parameter) -> tuple[str, ...]:
    share = NONE if item.importance is None else percent(item.importance)
    return clip(item.name, 40), share, bar(item.importance or 0.0), str(item.runs)


def bar(share: float) -> str:
    """Return a share as a bar; anything more than nothing shows."""
    return "█" * round(share * _BAR) or ("▏" if share else "")


# strategies

_STRATEGIES = (
    Column("STRATEGY", need=9, least=8, most=24),
    Column("RUNS", need=8, right=True),
    Column("SUCCEEDED", need=3, right=True),
    Column("KEPT", need=5, right=True),
    Column("TIME", need=4, right=True),
    Column("A RUN", need=2, right=True),
    Column("DUPLICATES", need=1, right=True),
)
_BEST = Column("BEST", need=7, right=True)
_IMPROVEMENT = Column("IMPROVEMENT", need=6, right=True)


def strategies(found: Findings, width: int) -> list[str]:
    """Return what each strategy brought; of several tiers each has columns of its own."""
    if not found.strategies:
        return []
    tiers = [tier.tier for tier in found.tiers[:_MOST_TIERS]]
    named = tiers if len(found.tiers) > 1 else [""]
    heads = [
        replace(column, title=f"{column.title} {clip(tier, 12)}".rstrip())
        for tier in named
        for column in (_BEST, _IMPROVEMENT)
    ]
    shown = list(found.strategies.items())[:MOST_ROWS]
    rows = [_strategy(name, share, tiers) for name, share in shown]
    table = _titled(
        "What each strategy brought", (*_STRATEGIES[:4], *heads, *_STRATEGIES[4:]), rows, width
    )
    return [*table, *_left(len(found.strategies), len(rows))]


def _strategy(name: str, share: StrategyShare, tiers: Sequence[str]) -> tuple[str, ...]:
    values = [
        number(values.get(tier))
        for tier in tiers
        for values in (share.best_by_tier, share.improvement_by_tier)
    ]
    return (
        clip(name, 24),
        str(share.runs),
        str(share.successes),
        f"{share.accepted} ({percent(share.keep_rate or 0.0)})",
        *values,
        duration(share.wall_seconds),
        duration(share.wall_seconds / max(share.runs, 1)),
        str(share.duplicates_avoided),
    )


# failures

_FAILURES = (
    Column("RUNS", need=9, right=True),
    Column("OUTCOME", need=8),
    Column("REASON", need=7, least=12, most=100),
    Column("LAST SEQ", need=3, right=True),
)


def failures(found: tuple[Failure, ...], width: int) -> list[str]:
    """Return the commonest reasons for having no value."""
    if not found:
        return []
    rows = [
        (
            str(item.count),
            item.outcome.value,
            clip(short_reason(item.reason), 100) or NONE,
            str(item.last_seq),
        )
        for item in found[:MOST_ROWS]
    ]
    return _titled("Why runs gave no value, the commonest first", _FAILURES, rows, width)
