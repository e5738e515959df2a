"""The slots of one session: each executes one run at a time, in a sandbox of its own.

Limits first. All slots are of one process and under one lease; planning, sealing and signs of
life are the caller's thread alone, threads of their own only execute. A single slot needs no
thread: it executes when its end is waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType

from hermes.model import Execution
from hermes.steps.execute import execute, job_for, perform
from hermes.steps.plan import Planned
from hermes.steps.session import Session, TakenOver

_BEAT_SECONDS = 1.0


@dataclass(frozen=True)
class Finished:
    """A run whose commands have ended; ``execution`` is None when it was stopped for another."""

    planned: Planned
    execution: Execution | None


@dataclass(frozen=True)
class _Ended:
    """What a thread hands back; ``error`` is what the lab did not expect."""

    slot: int
    finished: Finished
    error: BaseException | None = None


class Slots:
    """``count`` slots over a session; close them before the session."""

    def __init__(self, session: Session, count: int) -> None:
        self.meanwhile: Callable[[], object] = lambda: None  # called when a run is under way
        self._session = session
        self._free = list(range(count))[::-1]
        self._alone = count == 1
        self._waiting: list[Planned] = []
        self._threads: dict[int, threading.Thread] = {}
        self._ended: SimpleQueue[_Ended] = SimpleQueue()
        self._stop = threading.Event()

    @property
    def has_room(self) -> bool:
        """Say whether another run can be started."""
        return bool(self._free) and not self._waiting

    @property
    def busy(self) -> int:
        """How many runs were started and not yet waited for."""
        return len(self._waiting) + len(self._threads)

    def start(self, planned: Planned) -> None:
        """Begin to execute a planned run in a free slot."""
        if self._alone:
            self._waiting.append(planned)
            return
        slot = self._free.pop()
        job = job_for(self._session, planned, slot)
        executor = self._session.executor(slot)

        def work() -> None:
            execution, error = None, None
            try:
                execution = perform(self._session, planned, job, executor, tick=self._tick)
            except BaseException as raised:  # noqa: BLE001  the waiting thread raises it
                error = raised
            self._ended.put(_Ended(slot, Finished(planned, execution), error))

        self._threads[slot] = threading.Thread(target=work, name=f"slot-{slot}", daemon=True)
        self._threads[slot].start()

    def wait(self) -> Finished:
        """Wait for one of the runs to end, giving signs of life meanwhile."""
        if self._alone:
            planned = self._waiting.pop()
            return Finished(planned, execute(self._session, planned, meanwhile=self.meanwhile))
        self.meanwhile()
        while True:
            try:
                ended = self._ended.get(timeout=_BEAT_SECONDS)
            except Empty:
                self._session.beat()
                self._session.order.halt()
                if self._session.fenced_out:
                    self._stop.set()
                continue
            self._threads.pop(ended.slot).join()
            self._free.append(ended.slot)
            if ended.error is not None:
                raise ended.error
            return ended.finished

    def close(self) -> None:
        """End what still runs, and wait until nothing is left of it. Fine to call twice."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()
        self._threads.clear()

    def __enter__(self) -> Slots:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tick(self) -> None:
        if self._stop.is_set():
            raise TakenOver
