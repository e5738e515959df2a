"""Time, as an argument: the only code that asks the machine what time it is.

Limit first: the wall clock may jump; nothing that must only grow is derived from it alone.
Whoever needs an order uses sequence numbers, whoever needs a duration uses ``monotonic``.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

UTC = timezone.utc
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Clock(Protocol):
    """What the lab asks of a clock."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since boot, suspended time left out; comparable between processes."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        time.sleep(seconds)


class FixedClock:
    """A clock that stands still until it is told to move; for tests and rebuilds."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the time it was last moved to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it was moved by, from an arbitrary start."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both the wall time and the monotonic time on by ``seconds``."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def sleep(self, seconds: float) -> None:
        """Move on by ``seconds`` at once."""
        self.advance(seconds)

    def set_wall(self, moment: datetime) -> None:
        """Move the wall time alone, as an administrator or NTP would."""
        self._now = moment


def format_time(moment: datetime) -> str:
    """Write an aware time as ISO 8601 in UTC with microseconds and a ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """Read what ``format_time`` wrote. Raises ValueError on anything else."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
