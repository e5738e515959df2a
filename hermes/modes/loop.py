"""The loop over plan, execute and seal, shared by every mode; it runs inside one session."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from hermes.errors import LabError, RequestError
from hermes.model import IndexLine, Outcome
from hermes.modes.slots import Finished, Slots
from hermes.steps.plan import FENCED, Stop, plan
from hermes.steps.project import project
from hermes.steps.seal import seal
from hermes.steps.session import Session

_PROJECT_SHARE = 20  # projecting may take one part in so many of the loop's time
_PROJECT_PAUSE = 0.5  # seconds; nobody reads a projection more often
_BEAT_SECONDS = 1.0
HALTED = "it was asked to stop"


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
    session: Session,
    tally: Tally,
    runs: int,
    *,
    on_run: Callable[[IndexLine], None],
    slots: Slots | None = None,
) -> None:
    """Bring up to ``runs`` iterations to their end, into ``tally``; ``on_run`` hears of each.

    Those in flight in ``slots`` count among them.

    Writes: what its steps write, and now and then the experiment's projections, so that whoever
    reads them during a long loop is not left behind.
    """
    if slots is None:
        with Slots(session, min(session.parallel, max(runs, 1))) as own:
            iterate(session, tally, runs, on_run=on_run, slots=own)
        return
    keeper = _Keeper(session)
    for left in range(runs, 0, -1):
        if tally.runs:
            _rest(session)
        stop = fill(session, slots, left)
        if not slots.busy:
            tally.stop(stop or Stop(HALTED))
            return
        if not settle(session, slots.wait(), tally, on_run=on_run):
            return
        keeper.project_now_and_then()


def fill(session: Session, slots: Slots, most: int) -> Stop | None:
    """Plan and start runs until the slots are full or ``most`` are in flight; say why not.

    With runs in flight a refusal waits for their end: they are not given up for it.
    """
    while slots.has_room and slots.busy < most:
        if session.order.halt():
            return Stop(HALTED)
        try:
            planned = plan(session)
        except RequestError as error:
            if not slots.busy:
                raise
            return Stop(error.message, error.remedy)
        if isinstance(planned, Stop):
            return planned
        slots.start(planned)
    return None


def _rest(session: Session) -> None:
    """Wait between two runs for as long as was asked, and give signs of life meanwhile."""
    until = time.monotonic() + session.order.pause_seconds
    while (left := until - time.monotonic()) > 0 and not session.order.halt():
        time.sleep(min(left, _BEAT_SECONDS))
        session.beat()


def settle(
    session: Session, finished: Finished, tally: Tally, *, on_run: Callable[[IndexLine], None]
) -> bool:
    """Seal one run that has ended; False when the lease is no longer ours."""
    execution = finished.execution
    line = seal(session, finished.planned, execution) if execution is not None else None
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
