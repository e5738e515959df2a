"""SUMMARY.md, what happened so far, and best.md, the best of it. Called by ``experiment``.

Pure. Limit first: the state remembers the last runs and each tier's best few, so both pages stop
there; ``metrics.jsonl`` lists every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hermes.discoveries import StrategyTally
from hermes.model import IndexLine
from hermes.render.blackboard import strategy_table
from hermes.render.tables import table
from hermes.render.text import (
    CUT,
    NONE,
    cell,
    code,
    duration,
    json_block,
    number,
    params,
    plural,
    prose,
    when,
)
from hermes.spec import Spec
from hermes.state import RECENT_RUNS, ExperimentState, Scored
from hermes.status import Status, overall_best
from hermes.tried import Memory

_MOST_ROWS = 20
_MOST_TIERS = 12
_NOTE = 300


def summary_page(state: ExperimentState, status: Status) -> str:
    """Return SUMMARY.md without its foot."""
    parts = [
        f"# Summary of {cell(status.id)}",
        _standing(state, status),
        _counts("Outcomes", "Outcome", state.outcome_counts),
        _counts("Runs by tier", "Tier", status.run_count_by_tier),
        _recent(state.recent),
        _accepted(state.recent),
        _strategies(state.by_strategy),
        _notes(state),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _standing(state: ExperimentState, status: Status) -> str:
    reason = f": {prose(status.phase_reason, _NOTE)}" if status.phase_reason else ""
    return "\n".join(
        [
            f"- Goal: {prose(status.goal)}",
            f"- Metric: {cell(status.metric)}, to {status.metric_direction.value}",
            f"- Phase: {status.phase.value}{reason}",
            f"- Runs: {status.run_count}, of which {status.success_count} succeeded",
            f"- Time spent running: {duration(state.wall_seconds)}",
            f"- Best: {_best_line(status)}",
            f"- Created: {when(status.created_at)}, last run planned: {when(status.last_run_at)}",
            f"- Failures in a row: {status.failure_streak}",
        ]
    )


def _best_line(status: Status) -> str:
    if status.best_run is None:
        return "none yet, no run has succeeded"
    return f"{number(status.best_metric_value)} in {code(status.best_run)}, see `best.md`"


def _counts(title: str, head: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    names = list(counts)[:_MOST_ROWS]
    rows = [(cell(name), str(counts[name])) for name in names]
    return f"## {title}\n\n{table((head, 'Runs'), rows, align='lr')}{_more(len(counts))}"


def _more(count: int) -> str:
    return f"\n\n{CUT} and {count - _MOST_ROWS} more." if count > _MOST_ROWS else ""


_PARAMS, _HYPOTHESIS = "Params", "Hypothesis"
_RECENT = ("Seq", "Run", "Outcome", "Value", "Accepted", "Tier", "Strategy", _PARAMS, "Reason")


def _recent(runs: tuple[IndexLine, ...]) -> str:
    if not runs:
        return "## Recent runs\n\nNone yet."
    rows = [_recent_row(run) for run in reversed(runs)]
    is_code = any(run.code is not None for run in runs)
    heads = [_HYPOTHESIS if is_code and head == _PARAMS else head for head in _RECENT]
    text = table(heads, rows, align="rllrlllll")
    return f"## Recent runs\n\nThe newest first; each in its folder under `runs/`.\n\n{text}"


def _recent_row(run: IndexLine) -> tuple[str, ...]:
    return (
        str(run.seq),
        code(run.run_id),
        run.outcome.value,
        number(run.value),
        "yes" if run.accepted else "no",
        cell(run.fidelity_tier, 24),
        cell(run.strategy, 24),
        code(params(run.params), 160) if run.code is None else cell(run.code.hypothesis) or NONE,
        cell(run.reason),
    )


def _accepted(runs: tuple[IndexLine, ...]) -> str:
    taken = [run for run in reversed(runs) if run.accepted]
    if not runs:
        return ""
    if not taken:
        return f"## Accepted lately\n\nNone of the last {plural(len(runs), 'run')}."
    lines = [
        f"- {when(run.completed_at)}: {number(run.value)} in {code(run.run_id)}, "
        f"tier {code(run.fidelity_tier, 24)}, {code(params(run.params), 160)}"
        for run in taken[:RECENT_RUNS]
    ]
    return "\n".join(["## Accepted lately", "", *lines])


def _strategies(tallies: Mapping[str, StrategyTally]) -> str:
    if not tallies:
        return ""
    return f"## Strategies\n\n{strategy_table(tallies)}"


def _notes(state: ExperimentState) -> str:
    if not state.notes:
        return ""
    lines = [
        f"- {when(note.at)}, {cell(note.by, 40)}: {prose(note.text, _NOTE)}"
        for note in reversed(state.notes)
    ]
    return "\n".join(["## Notes", "", *lines])


# best.md


def best_page(spec: Spec, state: ExperimentState, status: Status) -> str:
    """Return best.md without its foot."""
    best = overall_best(spec, state)
    head = f"# Best of {cell(status.id)}\n\nMetric: {cell(status.metric)}, to "
    head += f"{status.metric_direction.value}.\nRuns of different tiers are never compared."
    tiers = [tier for tier in reversed(spec.tiers) if state.best(tier)]
    parts = [head, _overall(best, tiers, state.memory), *_top_tables(state, tiers[:_MOST_TIERS])]
    if len(tiers) > _MOST_TIERS:
        parts.append(f"{CUT} and {len(tiers) - _MOST_TIERS} more tiers, see `STATUS.json`.")
    return "\n\n".join(parts) + "\n"


def _overall(best: Scored | None, tiers: list[str], memory: Memory) -> str:
    if best is None:
        return "No run has succeeded yet, so nothing is best."
    facts = [
        f"- Value: {best.value!r}",
        f"- Run: {code(best.run_id)}, sealed as number {best.seq}",
        f"- Tier: {code(tiers[0])}, the highest that has a success",
        f"- Strategy: {code(best.strategy)}",
        f"- Completed: {when(best.completed_at)}",
        f"- Bundle: `runs/{cell(best.run_id)}/`, its egress files in `artifacts/`",
    ]
    change = next((item for item in memory.kept if item.run_id == best.run_id), None)
    if change is not None:
        facts.append(f"- Change: +{change.added} -{change.removed} lines, `artifacts/diff.patch`")
        facts.append(f"- Hypothesis: {prose(change.hypothesis) or 'none was stated'}")
        return "\n".join(["## Best", "", *facts])
    block = json_block(best.params, "its metrics.json") if best.params else "None."
    return "\n".join(["## Best", "", *facts, "", "Parameters:", "", block])


def _top_tables(state: ExperimentState, tiers: Iterable[str]) -> Iterable[str]:
    for tier in tiers:
        rows = [
            (
                str(place),
                number(entry.value),
                code(entry.run_id),
                cell(entry.strategy, 24),
                code(params(entry.params), 160),
            )
            for place, entry in enumerate(state.top_by_tier[tier], start=1)
        ]
        text = table(("Rank", "Value", "Run", "Strategy", "Params"), rows, align="rrlll")
        yield f"## Top of tier {code(tier)}\n\n{text}"
