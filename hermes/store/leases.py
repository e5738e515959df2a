"""Owns ``registry/locks``: who has the right to work on which experiment, and the fence.

Called by the steps and by whoever reports on them. Limits first.
A lease does not stop its former owner from working: it stops him from committing, for a commit
happens inside ``fenced``. An owner who is silent for longer than his term may lose it though he
lives. Hosts that share a lab must agree on the time to within a term; within one boot of one
host the clock may be set at will, and suspended time does not count.

The guard is held for moments, and never while anything of a user's runs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from hermes import files
from hermes.clock import Clock, format_time, parse_time
from hermes.errors import BrokenFile, Busy, broken_file
from hermes.layout import Layout
from hermes.model import Lease
from hermes.store import processes
from hermes.store.lease_files import Beat, LeaseFiles
from hermes.store.processes import ProcessIdentity, StartOf

_BEAT_GUARD_SECONDS = 0.05  # a beat can wait for the next time; what its owner waits on cannot
_BEATS_A_TERM = 4
_POLL_SECONDS = 0.05


class Leases:
    """The leases of one data root, as one process (or one that is pretended) sees them."""

    def __init__(
        self,
        layout: Layout,
        clock: Clock,
        *,
        term_seconds: float = 300.0,
        me: ProcessIdentity | None = None,
        start_of: StartOf = processes.start_time,
        sleep: Callable[[float], None] = time.sleep,
        guard_seconds: float = 10.0,
    ) -> None:
        self._layout = layout
        self._files = LeaseFiles(layout)
        self._clock = clock
        self._term_seconds = term_seconds
        self._given = me
        self._start_of = start_of
        self._sleep = sleep
        self._guard_seconds = guard_seconds
        self._beaten: dict[str, float] = {}

    def acquire(self, experiment: str, *, wait_seconds: float = 0.0) -> Lease | None:
        """Take the lease, or return None while a living owner (this process too) holds it.

        Raises Busy when the guard stays taken, BrokenFile when it is none.

        Writes: the guard's number and the lease file, both synced.
        """
        files.make_folder(self._layout.locks)
        lease = self._attempt(experiment, held=True)
        for _ in range(math.ceil(wait_seconds / _POLL_SECONDS)):
            if lease is not None:
                break
            self._sleep(_POLL_SECONDS)
            lease = self._attempt(experiment, held=True)
        return lease

    def renew(self, lease: Lease) -> bool:
        """Give a sign of life; False when the lease is no longer ours.

        Does nothing until a quarter of the term has passed since the last one, and leaves it for
        the next time when somebody has the guard just now.

        Writes: the beat, by rename, not synced.
        """
        last = self._beaten.get(lease.lease_id, lease.acquired_monotonic)
        if self._clock.monotonic() - last < lease.term_seconds / _BEATS_A_TERM:
            return True
        try:
            with self._guard(lease.experiment, at_most=_BEAT_GUARD_SECONDS):
                ours = self._files.is_current(lease)
                if ours:
                    self._beat(lease)
        except Busy:
            return True
        return ours

    def release(self, lease: Lease) -> bool:
        """Give the lease back; False when it was not ours any more. Raises Busy, BrokenFile.

        Writes: the lease file, synced.
        """
        self._beaten.pop(lease.lease_id, None)
        with self._guard(lease.experiment):
            ours = self._files.is_current(lease)
            if ours:
                self._files.write_lease(replace(lease, held=False))
        return ours

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[bool]:
        """Hold the guard for the body, which is told whether the lease is still ours.

        The body commits if it is, by a rename or a write, and does nothing that takes long.
        Raises Busy when the guard stays taken, BrokenFile when it is none.
        """
        with self._guard(lease.experiment):
            yield self._files.is_current(lease)

    def read(self, experiment: str) -> Lease | None:
        """Return the lease as it stands; None when it was never taken or cannot be read."""
        try:
            return self._files.parse(experiment, self._files.content(experiment))
        except OSError:
            return None

    def is_stale(self, lease: Lease) -> bool:
        """Say whether it is held by an owner who is dead, or silent for longer than his term."""
        return lease.held and (self._is_dead(lease) or self._is_silent(lease))

    def stale(self) -> list[Lease]:
        """Return every stale lease, by experiment."""
        return [lease for lease in self._files.held() if self.is_stale(lease)]

    def unreadable(self) -> list[Path]:
        """Return every lease, beat and guard that does not hold what belongs there."""
        return self._files.all_damaged()

    def reclaim(self, experiment: str) -> bool:
        """Free a lease that is stale, or whose files cannot be read; False when all is well.

        The token grows, so that the former owner is fenced out. Raises Busy, BrokenFile.

        Writes: as ``acquire``.
        """
        lease = self.read(experiment)
        if (lease is None or not lease.held) and not self._files.damaged(experiment):
            return False
        return self._attempt(experiment, held=False) is not None

    def _attempt(self, experiment: str, *, held: bool) -> Lease | None:
        """Take the lease (or, with ``held`` false, free it) unless a living owner holds it."""
        while True:
            seen = self._files.content(experiment)
            lease = self._files.parse(experiment, seen)
            # Asked before the guard is taken, for it may cost a process; death is for ever.
            free = lease is None or not lease.held or self._is_dead(lease)
            if not (free or self._is_silent(lease)):
                return None
            with self._guard(experiment):
                unchanged = self._files.content(experiment) == seen
                if unchanged and (free or self._is_silent(lease)):
                    return self._take(experiment, held=held)

    def _take(self, experiment: str, *, held: bool) -> Lease:
        """Write a lease of our own with a token larger than any before; mend a broken beat.

        The guard's number goes first: it lasts when the lease file does not.
        """
        lease = self._new_lease(experiment, held=held)
        self._files.write_number(experiment, lease.token)
        damaged = self._layout.heartbeat(experiment) in self._files.damaged(experiment)
        self._files.write_lease(lease)
        if damaged:
            self._beat(lease)
        return lease

    def _new_lease(self, experiment: str, *, held: bool) -> Lease:
        me = self._me()
        return Lease(
            experiment=experiment,
            token=self._next_token(experiment),
            held=held,
            owner=f"{me.host}:{me.pid}",
            host=me.host,
            boot_id=me.boot_id,
            pid=me.pid,
            pid_started=me.started,
            acquired_at=format_time(self._clock.now()),
            acquired_monotonic=self._clock.monotonic(),
            term_seconds=self._term_seconds,
        )

    def _next_token(self, experiment: str) -> int:
        known = self._files.largest_token(experiment)
        if not known and files.exists(self._layout.lease(experiment)):
            # All three records are lost. Leases are taken less often than once a millisecond.
            known = int(self._clock.now().timestamp() * 1000)
        return known + 1

    def _beat(self, lease: Lease) -> None:
        now = self._clock.monotonic()
        beat = Beat(lease.token, format_time(self._clock.now()), now)
        self._files.write_beat(lease.experiment, beat)
        self._beaten[lease.lease_id] = now

    @contextmanager
    def _guard(self, experiment: str, *, at_most: float = math.inf) -> Iterator[None]:
        path = self._layout.guard(experiment)
        wait_seconds = min(self._guard_seconds, at_most)
        with ExitStack() as stack:
            try:
                taken = stack.enter_context(files.locked(path, wait_seconds=wait_seconds))
            except OSError as error:
                if broken_file(error) is None:
                    raise
                raise BrokenFile(
                    str(path),
                    f"cannot be locked ({error.strerror})",
                    "Remove what stands there; the lab makes a new one.",
                ) from None
            if not taken:
                raise Busy(
                    f"The lease of {experiment!r} is being changed by another process.",
                    "Try again in a moment.",
                )
            yield

    def _me(self) -> ProcessIdentity:
        return self._given or processes.this_process()  # anew each time: there may be forks

    def _is_dead(self, lease: Lease) -> bool:
        owner = ProcessIdentity(lease.host, lease.boot_id, lease.pid, lease.pid_started)
        return processes.is_dead(owner, self._me(), self._start_of)

    def _is_silent(self, lease: Lease | None) -> bool:
        """Say whether the sign of life is older than the term, or from an incredible future."""
        if lease is None:
            return True
        beat = self._files.beat(lease.experiment)
        if beat is None or beat.token != lease.token:
            beat = Beat(lease.token, lease.acquired_at, lease.acquired_monotonic)
        if lease.boot_id and lease.boot_id == self._me().boot_id:
            age = self._clock.monotonic() - beat.monotonic
        else:
            age = (self._clock.now() - parse_time(beat.wall)).total_seconds()
        return abs(age) > lease.term_seconds
