"""The loop over plan, execute and seal, shared by every mode; it runs inside one session."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from hermes.errors import LabError, RequestError
from hermes.model import IndexLine, Outcome
from hermes.modes.slots import Slots
from hermes.steps.plan import FENCED, HALTED, Planned, Stop, plan
from hermes.steps.project import project
from hermes.steps.promote import changes_workspace
from hermes.steps.seal import judge, settle, write_small_bundle
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
    worked: int = 0  # runs that measured something, whatever was decided of it
    stopped: str | None = None
    remedy: str = ""
    for_person: bool = False
    outcomes: dict[Outcome, int] = field(default_factory=dict)

    def add(self, line: IndexLine) -> None:
        """Count one sealed run."""
        self.runs += 1
        self.successes += line.outcome is Outcome.SUCCESS
        self.worked += line.outcome.ends_streak
        self.accepted += line.accepted
        self.last = line
        self.outcomes[line.outcome] = self.outcomes.get(line.outcome, 0) + 1

    def stop(self, stop: Stop) -> None:
        """Note why there are no more runs."""
        self.stopped, self.remedy = stop.reason, stop.remedy
        self.for_person = stop.for_person


def iterate(
    session: Session,
    tally: Tally,
    runs: int,
    *,
    on_run: Callable[[IndexLine], None],
    slots: Slots | None = None,
) -> None:
    """Bring up to ``runs`` iterations to their end, into ``tally``; ``on_run`` hears of each.

    Those in flight in ``slots`` count among them. A run enters history while the command of the
    next one is at work already.

    Writes: what its steps write, and now and then the experiment's projections, so that whoever
    reads them during a long loop is not left behind.
    """
    if slots is None:
        with Slots(session, min(session.parallel, max(runs, 1))) as own:
            iterate(session, tally, runs, on_run=on_run, slots=own)
        return
    course = _Course(session, tally, slots, on_run)
    try:
        course.run(runs)
    finally:
        course.collect()


class _Course:
    """One loop over the steps."""

    def __init__(
        self, session: Session, tally: Tally, slots: Slots, on_run: Callable[[IndexLine], None]
    ) -> None:
        self._session = session
        self._tally = tally
        self._slots = slots
        self._on_run = on_run
        self._keeper = _Keeper(session)
        self._any = tally.runs > 0
        self._failure: LabError | OSError | None = None
        slots.meanwhile = session.meanwhile = self._meanwhile

    def run(self, runs: int) -> None:
        """Bring up to ``runs`` runs to their end; the last may still be on its way to history."""
        for left in range(runs, 0, -1):
            if self._any:
                self._rest()
            stop = self._fill(left)
            if not self._slots.busy:
                self._tally.stop(stop or Stop(HALTED))
                return
            finished = self._slots.wait()
            if self._failure is not None:
                raise self._failure
            self._any = True
            if not self.collect() or finished.execution is None:
                self._tally.stopped = FENCED
                return
            judge(self._session, finished.planned, finished.execution)
            self._write()
            if changes_workspace(self._session) and not self.collect():
                return  # it is done while nothing of the next run looks at the workspace
            self._keeper.project_now_and_then()

    def _fill(self, most: int) -> Stop | None:
        """Fill the slots; wait first where nothing but time is in the way of a person's order."""
        order = self._session.order
        while True:
            stop = fill(self._session, self._slots, most, collect=self.collect)
            waits = stop is not None and stop.until is not None and order.attended
            if stop is None or not waits or self._slots.busy or order.halt():
                return stop
            order.waiting(stop.reason)
            self._wait_until(stop.until or "")

    def _wait_until(self, moment: str) -> None:
        while self._session.lab.now() < moment and not self._session.order.halt():
            self.collect()
            self._session.lab.clock.sleep(_BEAT_SECONDS)
            self._session.beat()

    def collect(self) -> bool:
        """Take in the run that is on its way into history; False when it does not get there."""
        if self._session.sealing is None:
            return True
        with self._session.order.uncut():
            line = settle(self._session)
            if line is None:
                self._tally.stopped = FENCED
                return False
            self._tally.add(line)
            self._on_run(line)
        return True

    def _write(self) -> None:
        """Write the bundle of the run just judged: while the next is planned it becomes durable."""
        with self._session.order.uncut():
            write_small_bundle(self._session)

    def _meanwhile(self) -> None:
        """Collect while another run is at work, which an error of this one must not spoil."""
        try:
            self.collect()
        except (LabError, OSError) as error:
            self._failure = error

    def _rest(self) -> None:
        """Wait between two runs for as long as was asked, and give signs of life meanwhile."""
        order = self._session.order
        until = time.monotonic() + order.pause_seconds
        while (left := until - time.monotonic()) > 0 and not order.halt():
            self.collect()
            time.sleep(min(left, _BEAT_SECONDS))
            self._session.beat()


def fill(
    session: Session, slots: Slots, most: int, *, collect: Callable[[], bool] = lambda: True
) -> Stop | None:
    """Plan and start runs until the slots are full or ``most`` are in flight; say why not.

    With runs in flight a refusal waits for their end: they are not given up for it.
    """
    while slots.has_room and slots.busy < most:
        if session.order.halt():
            return Stop(HALTED)
        try:
            planned = _plan(session, collect)
        except RequestError as error:
            if not slots.busy:
                raise
            return Stop(error.message, error.remedy)
        if isinstance(planned, Stop):
            return planned
        slots.start(planned)
    return None


def _plan(session: Session, collect: Callable[[], bool]) -> Planned | Stop:
    """Plan a run; a refusal counts once nothing is on its way into history any more."""
    try:
        planned = plan(session)
    except RequestError:
        if session.sealing is None:
            raise
    else:
        if isinstance(planned, Planned) or session.sealing is None:
            return planned
    collect()
    return plan(session)


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
