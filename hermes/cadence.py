"""When a cadence lets an experiment run again: words like ``hourly``, or a cron expression.

Pure. Cron expressions have five fields and are read in UTC (by the library ``cronsim``, which
is imported only for them).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from hermes.clock import format_time, parse_time

_NAMED = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
}
_EVERY = re.compile(r"every-(\d{1,6})-(minute|hour|day)s?\Z")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def next_due(cadence: str | None, last_planned_at: str) -> str | None:
    """Return the earliest time of the next run, in ISO 8601, or None for at once.

    ``last_planned_at`` is when the last run was planned. Raises ValueError for a cadence that is
    neither a known word nor a cron expression.
    """
    if not cadence:
        return None
    last = parse_time(last_planned_at)
    period = _period(cadence)
    if period is not None:
        return format_time(last + period)
    return format_time(_after(cadence, last_planned_at))


def check(cadence: str) -> str | None:
    """Return what is wrong with a cadence, or None when it is understood."""
    if _period(cadence) is not None:
        return None
    try:
        _after(cadence, "2026-01-01T00:00:00.000000Z")
    except ValueError as error:
        return str(error)
    return None


def _period(cadence: str) -> timedelta | None:
    if cadence in _NAMED:
        return _NAMED[cadence]
    match = _EVERY.match(cadence)
    if match and int(match[1]) > 0:
        return int(match[1]) * _UNITS[match[2]]
    return None


def _after(expression: str, moment: str) -> datetime:
    from cronsim import CronSim, CronSimError

    if len(expression.split()) != 5:
        raise ValueError(f"{expression!r} is neither a known cadence nor five cron fields")
    try:
        return next(CronSim(expression, parse_time(moment)))
    except CronSimError as error:
        raise ValueError(f"{expression!r} is not a cron expression: {error}") from None
    except StopIteration:
        raise ValueError(f"{expression!r} names no day that exists") from None
