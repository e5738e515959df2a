"""The lab at a glance: LAB-STATUS.md, LAB-INDEX.json, and the same for a terminal.

Pure; called by the step that projects the lab and by the commands that show it.
Limit first: a terminal's overview stops at 25 experiments, LAB-STATUS.md names them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hermes import codec
from hermes.model import SCHEMA_VERSION
from hermes.render.advice import asked, by_phase, needs_person, ranked
from hermes.render.tables import Column, broken_command, columns, table, wrap
from hermes.render.text import (
    CUT,
    NONE,
    cell,
    clip,
    code,
    command,
    number,
    plural,
    prose,
    when,
)
from hermes.status import Status

_MOST_ROWS = 25
_MOST_DECISIONS = 20
_REASON = 300
_INDENT = "    "


# files


def lab_index(statuses: Iterable[Status]) -> bytes:
    """Return LAB-INDEX.json: each experiment's status on a line of its own, in the order given."""
    lines = b",\n".join(codec.to_json(status).rstrip(b"\n") for status in statuses)
    head = b'{"schema_version":%d,"experiments":[' % SCHEMA_VERSION
    return b"%s\n%s\n]}\n" % (head, lines) if lines else head + b"]}\n"


def lab_status(statuses: Sequence[Status]) -> bytes:
    """Return LAB-STATUS.md: counts, what waits for a person, and every experiment."""
    shown = ranked(statuses)
    parts = [f"# Lab status\n\n{_headline(shown)}", _decisions(shown), _experiments(shown)]
    parts.append("All times are UTC.\nDerived from the records: do not edit, it is rebuilt.")
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def _headline(statuses: Sequence[Status]) -> str:
    phases = ", ".join(f"{count} {phase.value}" for phase, count in by_phase(statuses))
    runs = sum(status.run_count for status in statuses)
    latest = max((status.last_run_at or "" for status in statuses), default="")
    about = f"{plural(len(statuses), 'experiment')}{f' ({phases})' if phases else ''}"
    planned = f", the last planned at {when(latest)}" if latest else ""
    return f"{about}, {plural(runs, 'run')}{planned}."


def _decisions(statuses: Sequence[Status]) -> str:
    waiting = [status for status in statuses if needs_person(status)]
    if not waiting:
        return "Nothing waits for a person." if statuses else ""
    lines = ["## Needs a person first", "", *map(_decision, waiting[:_MOST_DECISIONS])]
    if len(waiting) > _MOST_DECISIONS:
        lines.append(f"- {CUT} and {len(waiting) - _MOST_DECISIONS} more, see the table.")
    return "\n".join(lines)


def _decision(status: Status) -> str:
    told = asked(status)
    if told is None:
        return f"- {code(status.id)} is {status.phase.value}."
    look = f"\n  Look: `{told.look}`." if told.look else ""
    before = f" {told.before} first." if told.before else ""
    return (
        f"- {code(status.id)} is {status.phase.value}: {prose(told.why, _REASON)}.{look}"
        f"\n  Then:{before} `{told.command}`"
    )


_HEADERS = (
    "Experiment",
    "Phase",
    "Priority",
    "Runs",
    "Succeeded",
    "Best",
    "Metric",
    "Last outcome",
    "Last run",
    "Next due",
    "Goal",
)


def _experiments(statuses: Sequence[Status]) -> str:
    if not statuses:
        return f"There are no experiments yet: `{command('create', spec='FILE')}` registers one."
    rows = table(_HEADERS, [_row(status) for status in statuses], align="lllrrllllll")
    return f"## Experiments\n\n{rows}"


def _row(status: Status) -> tuple[str, ...]:
    return (
        cell(status.id),
        status.phase.value,
        status.priority.value,
        str(status.run_count),
        str(status.success_count),
        number(status.best_metric_value),
        cell(f"{status.metric}, {status.metric_direction.value}"),
        cell(status.last_outcome or NONE),
        when(status.last_run_at),
        _next_due(status),
        cell(status.goal),
    )


def _next_due(status: Status) -> str:
    """Return when the next run may be planned, or who is to ask for it."""
    return "agent_next" if status.waits_for_agents else when(status.next_due_at)


# terminal

_DUE = "NEXT DUE"
_KEPT = 9
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)")
_NO_BREAK = "\u00a0"
_COLUMNS = (
    Column("EXPERIMENT", need=10, least=16, most=64),
    Column("PHASE", need=9),
    Column("RUNS", need=8, right=True),
    Column("BEST", need=7, right=True),
    Column("METRIC", need=4, least=8, most=24),
    Column("LAST OUTCOME", need=6),
    Column("PRIORITY", need=2),
    Column("TIER", need=1, least=7, most=16),
    Column("LAST RUN", need=5),
    Column(_DUE, need=3),
    Column("GOAL", need=0, least=16, most=50),
)


def status_text(statuses: Sequence[Status], *, width: int) -> str:
    """Return the lab at a glance for a terminal ``width`` cells wide."""
    shown = ranked(statuses)
    parts = ["\n".join(_headline_text(shown, width)), _decisions_text(shown, width)]
    if shown:
        parts.append(_table_text(shown[:_MOST_ROWS], width))
    else:
        parts.append(f"Next: {command('create', spec='FILE')}")
    if len(shown) > _MOST_ROWS:
        parts.append(f"{CUT} and {len(shown) - _MOST_ROWS} more, see `{command('experiments')}`")
    return "\n\n".join(part for part in parts if part)


def _headline_text(statuses: Sequence[Status], width: int) -> list[str]:
    """Return the headline in lines that break between words, and never inside a time."""
    utc = " Times are UTC." if any(map(_has_time, statuses)) else ""
    whole = _TIME.sub(f"\\1{_NO_BREAK}\\2", _headline(statuses) + utc)
    return [line.replace(_NO_BREAK, " ") for line in wrap(whole, width)]


def _has_time(status: Status) -> bool:
    return bool(status.last_run_at or status.next_due_at)


def experiments_text(statuses: Sequence[Status], *, width: int) -> str:
    """Return one line an experiment, all of them, under a line of titles."""
    if not statuses:
        return f"There are no experiments.\nNext: {command('create', spec='FILE')}"
    return _table_text(ranked(statuses), width, mark=" (UTC)")


def _table_text(statuses: Sequence[Status], width: int, *, mark: str = "") -> str:
    heads = _heads(any(status.next_due_at or status.waits_for_agents for status in statuses), mark)
    return columns(heads, [_row_text(status) for status in statuses], width=width)


def _heads(any_due: bool, mark: str) -> list[Column]:
    """Return the columns; when anything has a time to come, that column stays.

    ``mark`` says at the first time that is sure to be shown which zone it is in.
    """
    kept, marked = (_DUE, _DUE) if any_due else ("", "LAST RUN")
    return [
        replace(
            column,
            title=column.title + (mark if column.title == marked else ""),
            need=_KEPT if column.title == kept else column.need,
        )
        for column in _COLUMNS
    ]


def _row_text(status: Status) -> tuple[str, ...]:
    return (
        clip(status.id, 64),
        status.phase.value,
        str(status.run_count),
        number(status.best_metric_value),
        clip(status.metric, 24),
        clip(status.last_outcome or NONE, 14),
        status.priority.value,
        clip(status.current_fidelity_tier, 16),
        when(status.last_run_at),
        _next_due(status),
        clip(status.goal, 60),
    )


def _decisions_text(statuses: Sequence[Status], width: int) -> str:
    waiting = [status for status in statuses if needs_person(status)]
    if not waiting:
        return ""
    lines = ["Needs a person first:"]
    for status in waiting[:_MOST_ROWS]:
        lines.extend(_decision_text(status, width))
    if len(waiting) > _MOST_ROWS:
        lines.append(f"{CUT} and {len(waiting) - _MOST_ROWS} more")
    return "\n".join(lines)


def _decision_text(status: Status, width: int) -> list[str]:
    told = asked(status)
    why = clip(told.why, _REASON) if told else ""
    head = f"  {status.id} ({status.phase.value}): {why}"
    return [
        *wrap(head, width, indent=_INDENT),
        *(broken_command(f"{_INDENT}{told.command}", width) if told else ()),
    ]
