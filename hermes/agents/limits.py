"""Reads, in what an agent's tool printed, that its account's limit is reached and when it ends.

Pure. Limits first: the last ``MOST_LINES`` lines are read, of each the last ``LINE_CHARACTERS``
characters. A time more than ``FARTHEST`` away is none. The last line that tells a time counts.

A time of day is taken in the zone that stands beside it, else in ``zone``: it is the next one, or
the one that has just passed. Where a clock is set back and shows it twice, the earlier one that
is still to come counts; where it is set forward over it, so much later. Whoever says when a limit
ends rounds, and clocks differ: what has just passed is answered by ``AGAIN_AFTER`` from now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

UNKNOWN_WAIT = timedelta(minutes=30)
"""How long to wait when nothing says when the limit ends."""

AGAIN_AFTER = timedelta(minutes=1)
JUST_PASSED = timedelta(minutes=10)
FARTHEST = timedelta(days=32)
MOST_LINES = 200
LINE_CHARACTERS = 4000
_FIRST_CHARACTERS = 16
_UTC = timezone.utc

_HIT = re.compile(
    r"""
    limit\ (?:has\ been\ |was\ )?(?:reached|exceeded|hit)
    | (?:hit|reached|exceeded)\ (?:your|the|its)\ (?:[\w-]+\ ){0,4}(?:limit|quota)
    | rate[ _-]?limit | usage[ _-]?limit | too\ many\ requests | resource_?exhausted
    | quota\ (?:exceeded|exhausted) | out\ of\ (?:credits|quota) | credit\ balance\ is\ too\ low
    | \b(?:http|status|error|code)\W{0,3}429\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SPAN = r"""\d{1,9}(?:\.\d{1,9})?\s?
    (?:milliseconds?|ms|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])"""
_DURATION = re.compile(
    rf"""
    (?:try\ again|retry|retry[ _-]?delay|resets?|reset[ _-]after|available|wait)
    (?:[ _-](?:in|after|again\ in))?["']?\s{{0,3}}[:=]?\s{{0,3}}["']?
    (?:about\ )?(?P<length>(?:{_SPAN}[\s,]{{0,3}}(?:and\s)?){{1,6}})
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|milli|[dhms])", re.IGNORECASE)
_UNITS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COUNT = re.compile(
    r"""(?:retry[ _-]after|resets?[ _-](?:in|after))(?P<unit>[_-](?:seconds|secs|ms))?
    ["']?\s{0,3}[:=]?\s{0,3}["']?(?P<count>\d{1,9}(?:\.\d{1,9})?)(?![\w.:/-])""",
    re.IGNORECASE | re.VERBOSE,
)
_EPOCH = re.compile(
    r"""(?:resets?[ _-]?(?:at|time)?|limit\ reached|ratelimit-reset[a-z-]{0,20})["']?\s{0,3}
    [:=|]\s{0,3}["']?(?P<epoch>\d{10}(?:\d{3})?)(?!\d)""",
    re.IGNORECASE | re.VERBOSE,
)
_ISO = re.compile(
    r"""(?:resets?|retry|try\ again|available|until).{0,30}?
    (?P<moment>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)
    \ ?(?P<offset>Z|UTC|GMT|[+-]\d\d:?\d\d)?""",
    re.IGNORECASE | re.VERBOSE,
)
_HTTP_DATE = re.compile(
    r"retry-after\W{1,4}(?P<date>[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d GMT)", re.IGNORECASE
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(
    rf"""
    (?:resets?|try\ again|available(?:\ again)?|until|opens)(?:\ (?:at|on))?\s{{1,3}}
    (?:
        (?P<month>{"|".join(_MONTHS)})[a-z]{{0,6}}\.?\ (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s
            (?:(?P<year>\d{{4}}),?\s)?(?:at\s)?
        | (?P<tomorrow>tomorrow)\s(?:at\s)?
        | (?P<weekday>{"|".join(_DAYS)})[a-z]{{0,6}},?\s(?:at\s)?
    )?
    (?P<hour>\d{{1,2}})(?::(?P<minute>\d\d))?(?::\d\d)?\s?(?P<half>[ap]\.?m\b\.?)?
    (?:\s?\((?P<zone>[^()]{{1,40}})\)|\s(?P<plain>UTC|GMT)\b)?
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Limit:
    """That a limit is reached: the line that said so, and the end of it (aware, UTC).

    ``is_told`` is False when nothing said when it ends.
    """

    said: str
    resets_at: datetime
    is_told: bool = True


def find_limit(text: str, *, now: datetime, zone: tzinfo) -> Limit | None:
    """Return the limit that a failed call tells of; None when it failed for another reason."""
    hit = None
    for line in reversed(_lines(text)):
        moment = reset_of(line, now=now, zone=zone)
        if moment is not None:
            return Limit(line.strip(), moment)
        if hit is None and _HIT.search(line):
            hit = Limit(line.strip(), now.astimezone(_UTC) + UNKNOWN_WAIT, is_told=False)
    return hit


def is_notice(text: str, *, now: datetime, zone: tzinfo) -> bool:
    """Say whether a whole answer is but the notice of a limit, with the time at which it ends.

    That is one short line that begins with it: whoever worked on limits says more.
    """
    line = text.strip()
    hit = _HIT.search(line) if len(line) <= 200 and len(line.splitlines()) == 1 else None
    is_first = hit is not None and hit.start() <= _FIRST_CHARACTERS
    return is_first and reset_of(line, now=now, zone=zone) is not None


def reset_of(line: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """Return when the limit ends that a line speaks of (aware, UTC); None when it tells none."""
    now = now.astimezone(_UTC)
    for read in (_epoch, _iso, _http_date, _count, _duration, _clock):
        for found in _moments(read, line, now, zone):
            if now - FARTHEST <= found <= now + FARTHEST:
                return found if found > now else now + AGAIN_AFTER
    return None


_Reader = Callable[[str, datetime, tzinfo], Iterator[datetime]]


def _moments(read: _Reader, line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Return what a reader finds, up to the first thing that no calendar has."""
    try:
        yield from read(line, now, zone)
    except (ValueError, OverflowError, LookupError, OSError):
        return


def _lines(text: str) -> list[str]:
    return [line[-LINE_CHARACTERS:] for line in text.splitlines()[-MOST_LINES:]]


# One reader a way to say it


def _epoch(line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    del now, zone
    for match in _EPOCH.finditer(line):
        digits = match["epoch"]
        yield datetime.fromtimestamp(int(digits) / (1000 if len(digits) == 13 else 1), _UTC)


def _iso(line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    del now
    for match in _ISO.finditer(line):
        moment = datetime.fromisoformat(match["moment"][:19].replace(" ", "T"))
        offset = (match["offset"] or "").upper()
        known = zone if not offset else _UTC if offset in ("Z", "UTC", "GMT") else _fixed(offset)
        yield moment.replace(tzinfo=known).astimezone(_UTC)


def _fixed(offset: str) -> tzinfo:
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    length = timedelta(hours=hours, minutes=minutes)
    return timezone(-length if offset[0] == "-" else length)


def _http_date(line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    del now, zone
    for match in _HTTP_DATE.finditer(line):
        yield parsedate_to_datetime(match["date"]).astimezone(_UTC)


def _count(line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    del zone
    for match in _COUNT.finditer(line):
        scale = 0.001 if (match["unit"] or "").lower().endswith("ms") else 1.0
        yield now + timedelta(seconds=float(match["count"]) * scale)


def _duration(line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    del zone
    for match in _DURATION.finditer(line):
        pieces = _PIECE.findall(match["length"])
        yield now + timedelta(seconds=sum(float(n) * _UNITS[unit.lower()] for n, unit in pieces))


def _clock(line: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    for match in _CLOCK.finditer(line):
        has_date = match["month"] or match["tomorrow"] or match["weekday"]
        if not (match["half"] or match["minute"] or has_date):
            continue  # a bare number is no time of day
        yield _on_the_clock(match, now, _named_zone(match["zone"] or match["plain"]) or zone)


def _named_zone(name: str | None) -> tzinfo | None:
    """Return the zone that stands beside a time; None for other words that do.

    Raises LookupError or ValueError for what can only be the name of an unknown zone.
    """
    try:
        return ZoneInfo(name) if name else None
    except (LookupError, ValueError, OSError):
        if "/" in str(name):
            raise
        return None


def _on_the_clock(match: re.Match[str], now: datetime, zone: tzinfo) -> datetime:
    """Return the moment that a clock in ``zone`` shows. Raises ValueError for no time of day."""
    at = _time_of_day(match)
    today = now.astimezone(zone).date()
    if match["month"]:
        moments = [_at(day, at, zone) for day in _dates(match, today)]
        return min(moments, key=lambda moment: abs(moment - now))
    if match["tomorrow"]:
        return _at(today + timedelta(days=1), at, zone)
    days = (today + timedelta(days=number) for number in range(-1, 9))
    if match["weekday"]:
        wanted = _DAYS.index(match["weekday"].lower())
        days = (day for day in days if day.weekday() == wanted)
    moments = sorted(moment for day in days for moment in _shown(day, at, zone))
    return next(moment for moment in moments if moment >= now - JUST_PASSED)


def _time_of_day(match: re.Match[str]) -> time:
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("not an hour of half a day")
        hour = hour % 12 + (12 if match["half"][0].lower() == "p" else 0)
    return time(hour, int(match["minute"] or 0))


def _dates(match: re.Match[str], today: date) -> Iterator[date]:
    """Return the days that may be meant: in the year that is told, else in one of three."""
    month, day = _MONTHS.index(match["month"].lower()) + 1, int(match["day"])
    years = [int(match["year"])] if match["year"] else range(today.year - 1, today.year + 2)
    for year in years:
        if (month, day) != (2, 29) or year % 4 == 0:
            yield date(year, month, day)


def _shown(day: date, at: time, zone: tzinfo) -> Iterator[datetime]:
    """Return the moments of a day at which its clock shows a time: one, or two when set back."""
    yield _at(day, at, zone)
    again = _at(day, at.replace(fold=1), zone)
    if again.astimezone(zone).time() == at:
        yield again


def _at(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(_UTC)
