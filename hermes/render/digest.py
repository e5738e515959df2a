"""The digest of one completed day: what happened, what was found, what needs a decision.

Pure; called by the step ``digest``. Limit first: of what it is given it takes the day's runs and
events; the decisions are those that the statuses given show as open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hermes.model import Event, IndexLine, Outcome
from hermes.plain_text import sentence
from hermes.render.advice import asked, needs_person, ranked
from hermes.render.tables import table
from hermes.render.text import CUT, NONE, cell, code, duration, number, params, plural, prose, when
from hermes.status import Status

_MOST_ROWS = 100
_MOST_EVENTS = 50
_REASON = 300
_UNTOLD = frozenset({"planned", "executed", "sealed", "proposal"})  # the runs tell of these

Runs = Mapping[str, Sequence[IndexLine]]


def daily(
    day: str, statuses: Sequence[Status], runs_by_experiment: Runs, events: Sequence[Event]
) -> bytes:
    """Return the digest of ``day`` (``YYYY-MM-DD``, UTC) as Markdown."""
    runs = {
        name: [run for run in lines if run.completed_at[:10] == day]
        for name, lines in sorted(runs_by_experiment.items())
    }
    runs = {name: lines for name, lines in runs.items() if lines}
    told = [event for event in events if event.at[:10] == day and event.kind not in _UNTOLD]
    metrics = {status.id: status for status in statuses}
    parts = [
        f"# Digest of {cell(day)}",
        "\n\n".join(["## What happened", _headline(runs), *_per_experiment(runs, metrics)]),
        "\n".join(["## What was found", "", *_found(runs, metrics)]),
        "\n".join(["## What needs a decision", "", *_decisions(statuses)]),
        _events(told),
        "All times are UTC.",
    ]
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def _headline(runs: Runs) -> str:
    lines = [run for found in runs.values() for run in found]
    if not lines:
        return "No run was completed."
    outcomes = Counter(run.outcome for run in lines)
    told = ", ".join(f"{outcomes[kind]} {kind.value}" for kind in Outcome if outcomes[kind])
    spent = duration(sum(run.wall_seconds for run in lines))
    return f"{plural(len(lines), 'run')} in {plural(len(runs), 'experiment')}: {told}; {spent}."


_HEADERS = ("Experiment", "Runs", "Succeeded", "Accepted", "Failed", "Last outcome", "Best now")


def _per_experiment(runs: Runs, statuses: Mapping[str, Status]) -> list[str]:
    if not runs:
        return []
    names = list(runs)[:_MOST_ROWS]
    rows = [_row(name, runs[name], statuses.get(name)) for name in names]
    return [table(_HEADERS, rows, align="lrrrrll"), *_more(len(runs), _MOST_ROWS)]


def _row(name: str, runs: Sequence[IndexLine], status: Status | None) -> tuple[str, ...]:
    best = NONE
    if status is not None and status.best_metric_value is not None:
        best = f"{cell(status.metric)} = {number(status.best_metric_value)}"
    return (
        cell(name),
        str(len(runs)),
        str(sum(run.outcome is Outcome.SUCCESS for run in runs)),
        str(sum(run.accepted for run in runs)),
        str(sum(run.outcome.is_failure for run in runs)),
        runs[-1].outcome.value,
        best,
    )


def _more(count: int, limit: int) -> list[str]:
    return [f"{CUT} and {count - limit} more."] if count > limit else []


def _found(runs: Runs, statuses: Mapping[str, Status]) -> list[str]:
    """Name, of each experiment and tier, the last run of the day that became the best."""
    lines: list[str] = []
    for name, found in runs.items():
        latest = {run.fidelity_tier: run for run in found if run.accepted}
        lines.extend(_finding(name, run, statuses.get(name)) for run in latest.values())
    if not lines:
        return ["No new best."]
    return [*lines[:_MOST_ROWS], *_more(len(lines), _MOST_ROWS)]


def _finding(name: str, run: IndexLine, status: Status | None) -> str:
    metric = cell(status.metric) if status else "value"
    tried = f" with {code(params(run.params), 160)}" if run.params else ""
    return (
        f"- {code(name)}, tier {code(run.fidelity_tier, 24)}: {metric} = {number(run.value)}"
        f"{tried} (strategy {code(run.strategy, 24)}, {code(run.run_id)})"
    )


def _decisions(statuses: Sequence[Status]) -> list[str]:
    waiting = [status for status in ranked(statuses) if needs_person(status)]
    if not waiting:
        return ["Nothing waits for a person."]
    return [*map(_decision, waiting[:_MOST_ROWS]), *_more(len(waiting), _MOST_ROWS)]


def _decision(status: Status) -> str:
    told = asked(status)
    then = f" Then: `{told.command}`" if told else ""
    why = prose(told.why, _REASON) if told else "no reason is given"
    what = sentence(f"- {code(status.id)} is {status.phase.value}: {why}")
    return f"{what}{then}"


def _events(events: Sequence[Event]) -> str:
    if not events:
        return ""
    lines = [
        f"- {when(event.at)[11:]} {cell(event.kind, 24)}"
        f"{' ' + code(event.experiment) if event.experiment else ''}"
        f"{': ' + cell(event.detail, 200) if event.detail else ''}"
        for event in events[-_MOST_EVENTS:]
    ]
    if len(events) > _MOST_EVENTS:
        lines.insert(0, f"- {CUT} {len(events) - _MOST_EVENTS} before these, see the ledger.")
    return "\n".join(["## What else was noted", "", *lines])
