"""The step ``digest``: sums up a completed UTC day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from hermes import codec, files
from hermes.clock import format_time, parse_time
from hermes.errors import BrokenFile
from hermes.lab import Lab
from hermes.model import IndexLine
from hermes.status import Status, status_of

_DAY = 10  # characters of an ISO date
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.md\Z", re.ASCII)
_SUM_DIGITS = 16


def yesterday(now: str) -> str:
    """Return the UTC day before ``now``, as ``2026-01-31``."""
    return format_time(parse_time(now) - timedelta(days=1))[:_DAY]


def digest_path(lab: Lab, day: str) -> Path:
    """Return where the digest of ``day`` stands."""
    return lab.layout.daily_digests / f"{day}.md"


def is_digested(lab: Lab) -> bool:
    """Say whether yesterday has its digest, or the lab did not exist then."""
    day = yesterday(lab.now())
    if files.exists(digest_path(lab, day)):
        return True
    first = lab.ledger.first()
    return first is None or first.at[:_DAY] > day


def overdue(lab: Lab) -> list[str]:
    """Return the days that a cycle is to sum up: yesterday, and before it those with events."""
    last = yesterday(lab.now())
    days = {event.at[:_DAY] for event in lab.ledger.read().records}
    return _undigested(lab, [*sorted(day for day in days if day < last), last])


def missing(lab: Lab) -> list[str]:
    """Return every completed day since the lab's first event that has no digest."""
    first = lab.ledger.first()
    return _undigested(lab, _days(first.at, yesterday(lab.now())) if first else ())


def _undigested(lab: Lab, days: Iterable[str]) -> list[str]:
    written = set(files.list_folder(lab.layout.daily_digests))
    return [day for day in days if digest_path(lab, day).name not in written]


def _days(first_moment: str, last: str) -> Iterator[str]:
    moment = parse_time(first_moment)
    while (day := format_time(moment)[:_DAY]) <= last:
        yield day
        moment += timedelta(days=1)


def digest(lab: Lab, day: str) -> bool:
    """Write the digest of ``day``; False when another process was first.

    Writes: one file in ``digests/daily``, once.
    """
    from hermes.render.digest import daily

    statuses = [status for name in lab.experiments() if (status := _status_at(lab, name, day))]
    runs = {status.id: _runs_of(lab, status.id, day) for status in statuses}
    events = [event for event in lab.ledger.read().records if event.at[:_DAY] == day]
    text = daily(day, statuses, runs, events)
    return lab.projections.write_once(digest_path(lab, day), text + _sum_line(text))


def damaged(lab: Lab) -> list[Path]:
    """Return the digests that are not as they were written."""
    paths = [digest_path(lab, day) for day in _days_written(lab)]
    return [path for path in paths if not _is_whole(path)]


def _days_written(lab: Lab) -> list[str]:
    names = files.list_folder(lab.layout.daily_digests)
    return [name.removesuffix(".md") for name in names if _NAME.match(name)]


def _sum_line(text: bytes) -> bytes:
    """Return the last line of a digest, by which it shows that the others are all there."""
    return b"\n<!-- sum: %s -->\n" % codec.digest(text)[:_SUM_DIGITS].encode()


def _is_whole(path: Path) -> bool:
    try:
        data = files.read(path) or b""
    except OSError:
        return False
    text = data[: -len(_sum_line(b""))]
    return data == text + _sum_line(text)


def _status_at(lab: Lab, experiment: str, day: str) -> Status | None:
    """Return the status as it was when ``day`` ended, so that a rebuilt digest equals the first.

    None for an experiment that was not there yet, or whose SPEC or index cannot be read.
    """
    from hermes.state import ExperimentState, fold_intent, fold_run
    from hermes.store.specs import load

    try:
        spec = load(lab.layout.experiment(experiment))
        lines = lab.index(experiment).read().lines
    except BrokenFile:
        return None
    state = ExperimentState(spec.spec.metric_direction)
    for record in lab.journal(experiment).read().records:
        state = fold_intent(state, record) if record.at[:_DAY] <= day else state
    for line in lines:
        state = fold_run(state, line) if line.completed_at[:_DAY] <= day else state
    return status_of(spec.spec, spec.sha256, state) if state.created_at else None


def _runs_of(lab: Lab, experiment: str, day: str) -> list[IndexLine]:
    lines = lab.index(experiment).read().lines
    return [line for line in lines if line.completed_at[:_DAY] == day]
