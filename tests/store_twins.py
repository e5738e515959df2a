"""In-memory twins of the stores of possession and of the append-only records.

Each does what its store promises, by the shortest way and without a file; the state machines of
``test_leases``, ``test_journal`` and ``test_items`` hold the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from hermes.clock import Clock, format_time
from hermes.model import Lease
from hermes.store.processes import ProcessIdentity
from hermes.submission import Submission, WorkItem

QUARTER = 4


@dataclass(frozen=True)
class Sign:
    """A sign of life: of which lease, and when by both clocks of the one who gave it."""

    token: int
    monotonic: float
    wall: datetime


@dataclass
class TwinLease:
    """What there is to know of the lease of one experiment."""

    lease: Lease | None = None  # None: never taken, or its file is damaged
    taken: Sign | None = None
    beat: Sign | None = None
    number: int = 0
    damaged: set[str] = field(default_factory=set)


class TwinLeases:
    """All leases of a lab. ``living`` is the truth: who is alive, everywhere."""

    def __init__(self, living: set[ProcessIdentity], term_seconds: float) -> None:
        self.living = living
        self.term = term_seconds
        self.leases: dict[str, TwinLease] = {}
        self.beaten: dict[tuple[ProcessIdentity, str], float] = {}

    def of(self, experiment: str) -> TwinLease:
        return self.leases.setdefault(experiment, TwinLease())

    def acquire(self, experiment: str, me: ProcessIdentity, clock: Clock) -> Lease | None:
        known = self.of(experiment)
        held = known.lease is not None and known.lease.held
        if held and not self.is_stale(known.lease, me, clock):  # type: ignore[arg-type]
            return None
        return self._take(known, experiment, me, clock, held=True)

    def reclaim(self, experiment: str, me: ProcessIdentity, clock: Clock) -> bool:
        known = self.of(experiment)
        held = known.lease is not None and known.lease.held
        if held and not self.is_stale(known.lease, me, clock):  # type: ignore[arg-type]
            return False
        if not held and not known.damaged:
            return False
        self._take(known, experiment, me, clock, held=False)
        return True

    def _take(
        self, known: TwinLease, experiment: str, me: ProcessIdentity, clock: Clock, *, held: bool
    ) -> Lease:
        token = 1 + max(
            known.lease.token if known.lease else 0,
            known.beat.token if known.beat else 0,
            known.number,
        )
        lease = Lease(
            experiment,
            token,
            held,
            f"{me.host}:{me.pid}",
            me.host,
            me.boot_id,
            me.pid,
            me.started,
            format_time(clock.now()),
            clock.monotonic(),
            self.term,
        )
        known.lease, known.number = lease, token
        known.taken = Sign(token, clock.monotonic(), clock.now())
        if "beat" in known.damaged:
            known.beat = known.taken
        known.damaged.clear()
        return lease

    def is_current(self, lease: Lease) -> bool:
        return self.of(lease.experiment).lease == lease

    def renew(self, lease: Lease, me: ProcessIdentity, clock: Clock) -> bool:
        now = clock.monotonic()
        last = self.beaten.get((me, lease.lease_id), lease.acquired_monotonic)
        if now - last < self.term / QUARTER:
            return True
        if not self.is_current(lease):
            return False
        known = self.of(lease.experiment)
        known.beat = Sign(lease.token, now, clock.now())
        known.damaged.discard("beat")
        self.beaten[me, lease.lease_id] = now
        return True

    def release(self, lease: Lease) -> bool:
        if not self.is_current(lease):
            return False
        self.of(lease.experiment).lease = replace(lease, held=False)
        return True

    def is_stale(self, lease: Lease, me: ProcessIdentity, clock: Clock) -> bool:
        owner = ProcessIdentity(lease.host, lease.boot_id, lease.pid, lease.pid_started)
        if owner.host == me.host and owner not in self.living:
            return lease.held
        known = self.of(lease.experiment)
        sign = known.beat if known.beat and known.beat.token == lease.token else known.taken
        assert sign is not None
        if owner.boot_id == me.boot_id:
            age = clock.monotonic() - sign.monotonic
        else:
            age = (clock.now() - sign.wall).total_seconds()
        return lease.held and not -self.term <= age <= self.term

    def stale(self, me: ProcessIdentity, clock: Clock) -> list[Lease]:
        leases = [known.lease for _, known in sorted(self.leases.items()) if known.lease]
        return [lease for lease in leases if self.is_stale(lease, me, clock)]

    def damage(self, experiment: str, kind: str) -> None:
        known = self.of(experiment)
        known.damaged.add(kind)
        if kind == "lease":
            known.lease = None
        elif kind == "beat":
            known.beat = None
        else:
            known.number = 0


@dataclass
class TwinChain:
    """An append-only file: the texts that are in it, and the bytes a crash may have left."""

    texts: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    waiting: str | None = None  # whole but for its newline: nobody sees it yet
    torn: bool = False
    scars: int = 0

    def append(self, text: str) -> int:
        """Append and return the line's ``seq``."""
        self.heal()
        self._enter(text)
        return len(self.texts)

    def heal(self) -> None:
        """Close off what a crash left: it is a line now, or a scar."""
        if self.waiting is not None:
            self._enter(self.waiting)
        elif self.torn:
            self.scars += 1
        self.waiting, self.torn = None, False

    def _enter(self, text: str) -> None:
        self.texts.append(text)
        self.unread.append(text)

    def read_on(self) -> list[str]:
        """Return what the previous reading had not seen."""
        seen, self.unread = self.unread, []
        return seen


@dataclass
class TwinItems:
    """Work items by id, with what was sent for each; and all that was set aside."""

    given: dict[str, WorkItem] = field(default_factory=dict)
    sent: dict[str, Submission] = field(default_factory=dict)
    aside: list[tuple[str, str, Submission | None]] = field(default_factory=list)

    def publish(self, item: WorkItem) -> bool:
        if item.dispatch_id in self.given:
            return False
        self.given[item.dispatch_id] = item
        return True

    def submit(self, submission: Submission) -> bool:
        if submission.dispatch_id not in self.given:
            raise FileNotFoundError
        if submission.dispatch_id in self.sent:
            return False
        self.sent[submission.dispatch_id] = submission
        return True

    def remove(self, dispatch_id: str) -> bool:
        self.sent.pop(dispatch_id, None)
        return self.given.pop(dispatch_id, None) is not None

    def set_aside(self, dispatch_id: str, reason: str, submission: Submission | None) -> None:
        was_there = dispatch_id in self.given
        kept = [(name, what) for name, _, what in self.aside]
        if was_there or submission is None or (dispatch_id, submission) not in kept:
            self.aside.append((dispatch_id, reason, submission))
        self.remove(dispatch_id)
