"""When the limit of an agent's account ends: each way in which tools say it, as a moment in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hermes.agents.limits import (
    AGAIN_AFTER,
    FARTHEST,
    JUST_PASSED,
    UNKNOWN_WAIT,
    find_limit,
    is_notice,
    reset_of,
)

UTC = timezone.utc
NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 4, 1, 30, tzinfo=UTC)  # Wednesday; the evening before in New York
EPOCH = int(NOW.timestamp())
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham"]
ZONES += ["Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Kiritimati", "Africa/Casablanca"]


def reset(line: str, now: datetime = NOW, zone=UTC) -> datetime | None:
    return reset_of(line, now=now, zone=zone)


def after(**length: float) -> datetime:
    return NOW + timedelta(**length)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        # times of day
        ("5-hour limit reached ∙ resets 5:30am", datetime(2026, 3, 4, 5, 30, tzinfo=UTC)),
        (
            "You've hit your session limit · resets 8pm (America/New_York)",
            datetime(2026, 3, 5, 1, 0, tzinfo=UTC),
        ),
        (
            "You've hit your session limit · resets 9pm (America/New_York)",
            datetime(2026, 3, 4, 2, 0, tzinfo=UTC),
        ),
        ("limit reached; resets at 17:05", datetime(2026, 3, 4, 17, 5, tzinfo=UTC)),
        ("usage limit: try again at 3:05 PM.", datetime(2026, 3, 4, 15, 5, tzinfo=UTC)),
        ("resets 12am", datetime(2026, 3, 5, 0, 0, tzinfo=UTC)),
        ("resets 12:45 p.m. (UTC)", datetime(2026, 3, 4, 12, 45, tzinfo=UTC)),
        ("resets 4pm UTC", datetime(2026, 3, 4, 16, 0, tzinfo=UTC)),
        # days
        (
            "Weekly limit reached · resets Mar 9 at 9:30am",
            datetime(2026, 3, 9, 9, 30, tzinfo=UTC),
        ),
        ("resets March 9, 10am (UTC)", datetime(2026, 3, 9, 10, 0, tzinfo=UTC)),
        (
            "You've hit your usage limit, or try again at Mar 20th, 2026 8:19 PM.",
            datetime(2026, 3, 20, 20, 19, tzinfo=UTC),
        ),
        ("resets tomorrow at 3pm", datetime(2026, 3, 5, 15, 0, tzinfo=UTC)),
        ("resets Mon 12:00 AM", datetime(2026, 3, 9, 0, 0, tzinfo=UTC)),
        ("resets Wednesday at 1am", datetime(2026, 3, 11, 1, 0, tzinfo=UTC)),
        # lengths
        ("Rate limited, try again in 17 minutes", after(minutes=17)),
        ("retry-after: 45s", after(seconds=45)),
        ("Retry-After: 45", after(seconds=45)),
        ("retry_after_ms = 1500", after(seconds=1.5)),
        ("Please retry in 34.07s.", after(seconds=34.07)),
        ('"retryDelay": "34s"', after(seconds=34)),
        ("try again in 5 days 22 hours 11 minutes.", after(days=5, hours=22, minutes=11)),
        ("try again in 1 hour and 5 minutes", after(hours=1, minutes=5)),
        ("Your quota will reset after 3h20m10s.", after(hours=3, minutes=20, seconds=10)),
        ("resets in 2h 15m", after(hours=2, minutes=15)),
        ('{"resets_in_seconds":13872}', after(seconds=13872)),
        ("try again in 250ms", after(seconds=0.25)),
        # moments
        (f'"resetsAt": {EPOCH + 3600}', after(hours=1)),
        (f'{{"resets_at":{EPOCH + 60}000}}', after(minutes=1)),
        (f"Claude AI usage limit reached|{EPOCH + 7200}", after(hours=2)),
        (f"x-ratelimit-reset-requests: {EPOCH + 90}", after(seconds=90)),
        ('"resets_at": "2026-03-04T02:00:00.123Z"', after(minutes=30)),
        ("resets at 2026-03-04T05:00:00+02:00", after(hours=1, minutes=30)),
        ("available again at 2026-03-04 03:30 UTC", after(hours=2)),
        ("Retry-After: Wed, 04 Mar 2026 01:40:00 GMT", after(minutes=10)),
    ],
)
def test_each_way_to_say_when_a_limit_ends_is_understood(line, moment):
    assert reset(line) == moment
    assert reset(f"noise before: {line.upper()}") == moment or "(" in line


@pytest.mark.parametrize(
    "line",
    [
        "resets 25:00",
        "resets 13pm",
        "resets 0am",
        "resets 5",
        "resets 8pm (Mars/Olympus)",
        "resets 8pm (../../etc/passwd)",
        "resets Feb 30 at 5am",
        "the counter resets",
        "try again",
        "limit reached",
        "retry-after: soon",
        "retry-after: 1.2.3.4",
        '"resetsAt": 9999999999',
        '"resetsAt": 12345',
        "try again in 99999999 days",
        "resets at 2026-13-45T99:99:99Z",
        "resets at 1999-01-01T00:00:00Z",
        "see 2026-03-04 03:30 UTC",
    ],
)
def test_what_is_no_time_is_none(line):
    assert reset(line) is None


def test_a_time_that_has_just_passed_is_now_and_not_tomorrow():
    at = datetime(2026, 3, 4, 5, 30, tzinfo=UTC)
    said = "5-hour limit reached ∙ resets 5:30am"
    assert reset(said, at - timedelta(seconds=1)) == at
    for late in (timedelta(0), timedelta(seconds=30), JUST_PASSED):
        assert reset(said, at + late) == at + late + AGAIN_AFTER
    later = JUST_PASSED + timedelta(seconds=1)
    assert reset(said, at + later) == at + timedelta(days=1)
    assert reset(f'"resetsAt": {EPOCH - 5}') == NOW + AGAIN_AFTER
    assert reset("resets Mar 3 at 1:00am") == NOW + AGAIN_AFTER


def test_a_time_of_day_is_of_the_machines_zone_where_none_is_named():
    assert reset("resets 5:30am", zone=BERLIN) == datetime(2026, 3, 4, 4, 30, tzinfo=UTC)
    assert reset("resets 5:30am (America/New_York)", zone=BERLIN) == datetime(
        2026, 3, 4, 10, 30, tzinfo=UTC
    )


def test_when_the_clock_is_set_forward_a_time_that_it_skips_is_so_much_later():
    before = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)  # one in the morning in New York
    assert reset("resets 2:30am", before, NEW_YORK) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert reset("resets 3am", before, NEW_YORK) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_when_the_clock_is_set_back_the_earlier_that_is_still_to_come_counts():
    first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))
    said = "resets 1:30am (America/New_York)"
    assert reset(said, first - timedelta(hours=2)) == first
    assert reset(said, first + timedelta(minutes=20)) == second
    assert reset(said, second + timedelta(minutes=20)) == second + timedelta(days=1)


def test_the_year_is_the_nearest_one():
    eve = datetime(2026, 12, 30, 12, 0, tzinfo=UTC)
    assert reset("resets Jan 2 at 9am", eve) == datetime(2027, 1, 2, 9, 0, tzinfo=UTC)
    leap = datetime(2028, 2, 27, 12, 0, tzinfo=UTC)
    assert reset("resets Feb 29 at 9am", leap) == datetime(2028, 2, 29, 9, 0, tzinfo=UTC)


def test_the_last_line_that_tells_a_time_counts():
    text = "retry-after: 45s\nYou've hit your session limit · resets 8:00am\nError: status 429\n"
    found = find_limit(text, now=NOW, zone=UTC)
    assert found.resets_at == datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
    assert found.said == "You've hit your session limit · resets 8:00am"
    assert found.is_told


@pytest.mark.parametrize(
    "said",
    [
        "You have exceeded your current quota, please check your plan",
        "Error: status code 429",
        "Too Many Requests",
        "Rate limit exceeded",
        "RESOURCE_EXHAUSTED",
        "Credit balance is too low",
        "You've hit your limit",
    ],
)
def test_a_limit_without_a_time_is_waited_for_half_an_hour(said):
    found = find_limit(f"thinking\n{said}\nbye", now=NOW, zone=UTC)
    assert (found.said, found.is_told) == (said, False)
    assert found.resets_at == NOW + UNKNOWN_WAIT


@pytest.mark.parametrize("said", ["", "exit status 1", "AssertionError: 429 != 430", "no credit"])
def test_another_failure_is_no_limit(said):
    assert find_limit(said, now=NOW, zone=UTC) is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("5-hour limit reached ∙ resets 5:30am\n", True),
        ("You've hit your session limit · resets 8pm (America/New_York)", True),
        ("I raised the rate limit.", False),
        ("The client waits now: You've hit your limit · resets 9pm", False),
        ("I added a retry:\nrate limit, try again in 17 minutes", False),
        ("The rate limit resets 8pm; " + "so I did more. " * 30, False),
        ("resets 5:30am", False),
        ("", False),
    ],
)
def test_an_answer_about_limits_is_not_taken_for_the_notice_of_one(text, is_one):
    assert is_notice(text, now=NOW, zone=UTC) is is_one


moments = st.integers(int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()), 2 * 10**9).map(
    lambda epoch: datetime.fromtimestamp(epoch, UTC)
)
zones = st.sampled_from(ZONES).map(ZoneInfo)


@settings(max_examples=300, deadline=None)
@given(moments, zones, st.integers(0, 23), st.integers(0, 59), st.booleans(), st.booleans())
@example(datetime(2026, 3, 8, 6, tzinfo=UTC), NEW_YORK, 2, 30, False, True)
@example(datetime(2026, 11, 1, 5, 50, tzinfo=UTC), NEW_YORK, 1, 30, True, False)
def test_a_time_of_day_is_the_next_moment_at_which_the_clock_shows_it(
    now, zone, hour, minute, has_half, is_named
):
    half = f"{(hour - 1) % 12 + 1}:{minute:02}{'am' if hour < 12 else 'pm'}"
    shown = half if has_half else f"{hour:02}:{minute:02}"
    line = f"limit reached ∙ resets {shown}" + (f" ({zone.key})" if is_named else "")
    found = reset(line, now, UTC if is_named else zone)
    assert now < found <= now + timedelta(hours=26)
    if found == now + AGAIN_AFTER:
        return  # it has just passed, or is a minute away
    local = found.astimezone(zone)
    assert (local.hour, local.minute) == (hour, minute) or _is_skipped(local, hour, minute, zone)
    minutes = range(1, int((found - now).total_seconds() // 60))
    earlier = ((now + timedelta(minutes=number)).astimezone(zone) for number in minutes)
    assert (hour, minute) not in {(at.hour, at.minute) for at in earlier}


def _is_skipped(local: datetime, hour: int, minute: int, zone: ZoneInfo) -> bool:
    """Say whether the clock skips that time on the day before, of, or after ``local``."""
    for days in (-1, 0, 1):
        day = (local + timedelta(days=days)).replace(tzinfo=None, fold=0)
        wanted = day.replace(hour=hour, minute=minute)
        back = wanted.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        if back != wanted:
            return True
    return False


@settings(max_examples=200, deadline=None)
@given(moments, st.integers(1, 10**6), zones)
def test_a_length_and_a_moment_say_the_same_in_every_zone(now, seconds, zone):
    wanted = now + timedelta(seconds=seconds)
    days, rest = divmod(seconds, 86400)
    length = f"{days} days {rest // 3600} hours {rest // 60 % 60} minutes {rest % 60} seconds"
    lines = [
        f"try again in {length}",
        f"retry-after: {seconds}",
        f'"resetsAt": {int(wanted.timestamp())}',
        f"resets at {wanted.isoformat()}",
    ]
    shown = wanted.astimezone(zone).replace(tzinfo=None)
    if not shown.fold:  # a text cannot say which of two moments it means
        lines.append(f"resets at {shown.isoformat()}")
    for line in lines:
        assert reset(line, now, zone) == wanted, line


PIECES = ["resets", "try again in", "retry-after:", "at", "limit reached", "Feb 30", "(", ")", "99"]
PIECES += ["9" * 40, "am", "12:", "60pm", "2026-02-30T25:61:00Z", "d h m s", "|", "\ud800", "٣٤s"]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map(" ".join)), moments)
def test_whatever_is_printed_nothing_breaks_and_no_wait_is_endless(text, now):
    found = find_limit(text, now=now, zone=BERLIN)
    if found is not None:
        assert now < found.resets_at <= now + FARTHEST
        assert re.search(r"\S", found.said)


def test_a_flood_is_read_quickly():
    flood = ("resets " * 500 + "\n") * 5000 + "9" * 10**6
    assert find_limit(flood, now=NOW, zone=UTC) is None
