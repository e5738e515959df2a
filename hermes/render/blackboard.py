"""BLACKBOARD.md: what the strategies of a search share, for people. Called by ``experiment``.

Pure. Limit first: the blackboard holds the last trials and discoveries, so the page stops there;
``metrics.jsonl`` lists every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hermes.blackboard import Blackboard, InFlight
from hermes.discoveries import Discovery, StrategyTally
from hermes.model import Trial
from hermes.render.tables import table
from hermes.render.text import CUT, NONE, cell, code, duration, number, params, when

_MOST_ROWS = 20
_MOST_TIERS = 3
_NAME = 24
_PARAMS = 160


def blackboard_page(board: Blackboard) -> str:
    """Return BLACKBOARD.md without its foot."""
    parts = [
        f"# Blackboard of {cell(board.id)}",
        _standing(board),
        f"## In flight\n\n{_in_flight(board.in_flight)}",
        f"## Discoveries\n\n{_discoveries(board.discoveries)}",
        f"## Strategies\n\n{strategy_table(board.strategies)}",
        f"## Recent trials\n\n{_trials(board.recent)}",
    ]
    return "\n\n".join(parts) + "\n"


def _standing(board: Blackboard) -> str:
    best = "none yet, no run has succeeded"
    if board.best_run is not None:
        best = f"{number(board.best_metric_value)} in {code(board.best_run)}"
    return "\n".join(
        [
            f"- Metric: {cell(board.metric)}, to {board.metric_direction.value}",
            f"- Tier: {code(board.current_fidelity_tier, _NAME)}",
            f"- Runs: {board.run_count}, of which {board.success_count} succeeded",
            f"- Best: {best}",
        ]
    )


def _in_flight(points: Sequence[InFlight]) -> str:
    if not points:
        return "Nothing was in flight when this was written."
    rows = [
        (
            code(point.run_id),
            str(point.trial),
            cell(point.strategy, _NAME),
            point.origin.value,
            cell(point.fidelity_tier, _NAME),
            code(params(point.params), _PARAMS),
            when(point.planned_at),
        )
        for point in points[:_MOST_ROWS]
    ]
    heads = ("Run", "Trial", "Strategy", "Origin", "Tier", "Params", "Planned")
    return table(heads, rows, align="lrlllll") + _more(len(points))


def _discoveries(found: Sequence[Discovery]) -> str:
    if not found:
        return "None yet."
    rows = [
        (
            str(item.seq),
            number(item.value),
            number(item.gain),
            "yes" if item.accepted else "no",
            cell(item.strategy, _NAME),
            cell(item.fidelity_tier, _NAME),
            code(item.run_id),
            when(item.completed_at),
        )
        for item in reversed(found)
    ]
    heads = ("Seq", "Value", "Gain", "Accepted", "Strategy", "Tier", "Run", "Completed")
    said = "The newest first; each was better than every run before it that it is compared with."
    return f"{said}\n\n{table(heads, rows, align='rrrlllll')}"


def strategy_table(tallies: Mapping[str, StrategyTally]) -> str:
    """Return what each strategy brought as a Markdown table; several tiers stand in one cell."""
    if not tallies:
        return "None yet."
    tiers = {tier for tally in tallies.values() for tier in tally.best_by_tier}
    rows = [
        (
            cell(name, _NAME),
            str(tally.runs),
            str(tally.successes),
            str(tally.accepted),
            _by_tier(tally.best_by_tier, named=len(tiers) > 1),
            _by_tier(tally.improvement_by_tier, named=len(tiers) > 1),
            duration(tally.wall_seconds),
            str(tally.duplicates_avoided),
        )
        for name, tally in list(tallies.items())[:_MOST_ROWS]
    ]
    heads = ("Strategy", "Runs", "Succeeded", "Accepted", "Best", "Improvement", "Time")
    text = table((*heads, "Duplicates avoided"), rows, align="lrrrrrrr")
    return text + _more(len(tallies))


def _by_tier(values: Mapping[str, float], *, named: bool) -> str:
    if not named:
        return number(next(iter(values.values()), None))
    told = [f"{cell(tier, _NAME)} {number(values[tier])}" for tier in list(values)[:_MOST_TIERS]]
    if len(values) > _MOST_TIERS:
        told.append(f"{CUT} {len(values) - _MOST_TIERS} more")
    return ", ".join(told) or NONE


def _trials(trials: Sequence[Trial]) -> str:
    if not trials:
        return "None yet."
    rows = [
        (
            str(trial.number),
            trial.outcome.value,
            number(trial.value),
            cell(trial.strategy, _NAME),
            cell(trial.fidelity_tier, _NAME),
            code(params(trial.params), _PARAMS),
        )
        for trial in reversed(trials)
    ]
    heads = ("Trial", "Outcome", "Value", "Strategy", "Tier", "Params")
    text = table(heads, rows, align="rlrlll")
    return f"The newest first; `SUMMARY.md` says more of each.\n\n{text}"


def _more(count: int) -> str:
    return f"\n\n{CUT} and {count - _MOST_ROWS} more." if count > _MOST_ROWS else ""
