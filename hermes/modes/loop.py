"""The loop over plan, execute and seal, shared by every mode; it runs inside one session."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from hermes.errors import LabError
from hermes.model import IndexLine, Outcome
from hermes.steps.execute import execute
from hermes.steps.plan import FENCED, Planned, Stop, plan
from hermes.steps.project import project
from hermes.steps.seal import seal
from hermes.steps.session import Session

_PROJECT_SHARE = 20  # projecting may take one part in so many of the loop's time
_PROJECT_PAUSE = 0.5  # seconds; nobody reads a projection more often
_BEAT_SECONDS = 1.0


@dataclass
class Tally:
    """What a loop did: its runs, the best among them, why it stopped and what to do then."""

    runs: int = 0
    successes: int = 0
    accepted: int = 0
    last: IndexLine | None = None
    stopped: str | None = None
    remedy: str = ""
    outcomes: dict[Outcome, int] = field(default_factory=dict)

    def add(self, line: IndexLine) -> None:
        """Count one sealed run."""
        self.runs += 1
        self.successes += line.outcome is Outcome.SUCCESS
        self.accepted += line.accepted
        self.last = line
        self.outcomes[line.outcome] = self.outcomes.get(line.outcome, 0) + 1

    def stop(self, stop: Stop) -> None:
        """Note why there are no more runs."""
        self.stopped, self.remedy = stop.reason, stop.remedy


def iterate(
    session: Session, tally: Tally, runs: int, *, on_run: Callable[[IndexLine], None]
) -> None:
    """Run up to ``runs`` iterations into ``tally``; ``on_run`` hears of each sealed run.

    Writes: what its steps write, and now and then the experiment's projections, so that whoever
    reads them during a long loop is not left behind.
    """
    keeper = _Keeper(session)
    for _ in range(runs):
        if tally.runs:
            _rest(session)
        planned = plan(session)
        if isinstance(planned, Stop):
            tally.stop(planned)
            return
        if not finish(session, planned, tally, on_run=on_run):
            return
        keeper.project_now_and_then()


def _rest(session: Session) -> None:
    """Wait between two runs for as long as was asked, and give signs of life meanwhile."""
    until = time.monotonic() + session.order.pause_seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _BEAT_SECONDS))
        session.beat()


def finish(
    session: Session, planned: Planned, tally: Tally, *, on_run: Callable[[IndexLine], None]
) -> bool:
    """Execute and seal one planned run; False when the lease is no longer ours."""
    execution = execute(session, planned)
    line = seal(session, planned, execution) if execution is not None else None
    if line is None:
        tally.stopped = FENCED
        return False
    tally.add(line)
    on_run(line)
    return True


class _Keeper:
    """Projects during a loop, but never for more than a small share of its time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._next = time.monotonic() + _PROJECT_PAUSE

    def project_now_and_then(self) -> None:
        began = time.monotonic()
        if began < self._next:
            return
        with suppress(LabError):  # a SPEC that is just being edited, say, concerns no run in hand
            project(self._session.lab, self._session.experiment)
        took = time.monotonic() - began
        self._next = began + max(_PROJECT_PAUSE, took * _PROJECT_SHARE)
