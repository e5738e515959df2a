"""Processes that race for leases, or append to one journal, while they are killed and stopped.

Run as a program by ``test_lease_races``: it forks the racers, harries them, and prints figures as
JSON. What the racers did stands in ``log`` in lines of 64 bytes, which no kill can tear, for a
write is cut at page boundaries only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hermes import codec, files
from hermes.clock import SystemClock
from hermes.decisions import Intent
from hermes.layout import Layout
from hermes.model import Lease
from hermes.store.journal import Journal
from hermes.store.leases import Leases

EXP = "opt"
LINE = 64


@dataclass(frozen=True)
class Entry:
    """One line of the log: what who did, with which token (or line), as which number."""

    what: str
    who: int
    token: int
    number: int


class Log:
    """The record of what truly happened, in the order in which it did."""

    def __init__(self, root: Path) -> None:
        self._fd = os.open(root / "log", os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)

    def say(self, what: str, who: int, token: int = 0, number: int = 0) -> None:
        os.write(self._fd, f"{what} {who} {token} {number}".ljust(LINE - 1).encode() + b"\n")

    def last_number(self) -> int:
        """Return the number of the latest commit; only commits and refusals have one."""
        end = os.fstat(self._fd).st_size
        while end >= LINE:
            end -= LINE
            entry = parse(os.pread(self._fd, LINE, end))
            if entry.what == "begin":
                return entry.number
        return 0


def parse(line: bytes) -> Entry:
    what, who, token, number = line.decode().split()
    return Entry(what, int(who), int(token), int(number))


def read_log(root: Path) -> list[Entry]:
    data = (root / "log").read_bytes()
    assert len(data) % LINE == 0
    return [parse(line) for line in data.splitlines()]


# What a racer does until it is killed


def race_for_leases(root: Path, who: int, args: argparse.Namespace) -> None:
    rng = random.Random(f"{args.seed} {who}")
    log = Log(root)
    leases = Leases(Layout(root), SystemClock(), term_seconds=args.term)
    fence = {"whole": leases.fenced, "guard": lambda lease: blind(leases, lease), "none": open_gate}
    while True:
        lease = leases.acquire(EXP)
        if lease is None:
            time.sleep(rng.random() * 0.002)
            continue
        log.say("took", who, lease.token)
        for _ in range(rng.randrange(1, 8)):
            time.sleep(rng.random() * args.work)
            leases.renew(lease)
            with fence[args.fence](lease) as ours:
                if ours:
                    number = log.last_number() + 1
                    log.say("begin", who, lease.token, number)
                    log.say("end", who, lease.token, number)
                else:
                    log.say("refused", who, lease.token)
            if not ours:
                break
        else:
            log.say("gives", who, lease.token)
            leases.release(lease)


@contextmanager
def blind(leases: Leases, lease: Lease) -> Iterator[bool]:
    """The mutant that locks and does not look at the token."""
    with leases.fenced(lease):
        yield True


@contextmanager
def open_gate(lease: Lease) -> Iterator[bool]:
    """The mutant without any fence."""
    yield True


def append_for_ever(root: Path, who: int, args: argparse.Namespace) -> None:
    rng = random.Random(f"{args.seed} {who}")
    log = Log(root)
    journal = Journal(root / "journal.jsonl")
    if args.fence == "none":
        journal = PlainJournal(root / "journal.jsonl")  # type: ignore[assignment]
    for number in range(sys.maxsize):
        size = rng.choice((0, 10, 100, 1000, 9000))
        record = journal.append(
            at=f"{who}/{number}", intent=Intent.NOTE, by="x" * size, after_runs=number
        )
        log.say("appended", who, record.seq, number)


class PlainJournal(Journal):
    """The mutant that writes with O_APPEND alone: no lock, no healing."""

    def append(self, **what: object) -> object:  # type: ignore[override]
        tail = files.read(self._path) or b""
        line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
        raw = codec.parse_line(line) or {"seq": 0}
        from hermes.decisions import JournalRecord

        record = JournalRecord(
            seq=raw["seq"] + 1,
            previous=codec.digest(line.removesuffix(b"\n")),
            **what,  # type: ignore[arg-type]
        )
        with self._path.open("ab", buffering=0) as stream:
            stream.write(codec.to_line(record))
        return record


# Who harries them


class Racers:
    """Forked racers, each with a number of its own; a killed one is followed by another."""

    def __init__(self, root: Path, args: argparse.Namespace) -> None:
        self.root, self.args, self.log = root, args, Log(root)
        self.rng = random.Random(args.seed)
        self.pids: dict[int, int] = {}
        self.stopped: dict[int, float] = {}
        self.started = self.kills = self.stops = 0
        for _ in range(args.racers):
            self.start()

    def start(self) -> None:
        self.started += 1
        who = self.started
        race: Callable[[Path, int, argparse.Namespace], None] = {
            "leases": race_for_leases,
            "journal": append_for_ever,
        }[self.args.what]
        pid = os.fork()
        if pid == 0:
            try:
                race(self.root, who, self.args)
            finally:  # a racer only ends by an error, which the caller's traceback shows
                traceback.print_exc()
                os._exit(3)
        self.pids[who] = pid

    def kill(self, who: int) -> None:
        self.log.say("kill", who)
        pid = self.pids.pop(who)
        self.stopped.pop(who, None)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            raise SystemExit(f"racer {who} failed")
        self.kills += 1

    def stop(self, who: int, seconds: float) -> None:
        if who not in self.stopped:
            os.kill(self.pids[who], signal.SIGSTOP)
            self.stopped[who] = time.monotonic() + seconds
            self.stops += 1

    def go_on(self) -> None:
        for who, until in list(self.stopped.items()):
            if time.monotonic() >= until:
                del self.stopped[who]
                os.kill(self.pids[who], signal.SIGCONT)

    def victim(self) -> int:
        """Return anybody, or, twice in three times, who holds the lease and runs just now."""
        lease = Leases(Layout(self.root), SystemClock()).read(EXP)
        running = [who for who in self.pids if who not in self.stopped] or list(self.pids)
        holders = [who for who in running if lease and lease.pid == self.pids[who]]
        if holders and self.rng.random() < 2 / 3:
            return holders[0]
        return self.rng.choice(running if self.rng.random() < 0.95 else list(self.pids))

    def harry(self) -> None:
        end = time.monotonic() + self.args.seconds
        while time.monotonic() < end:
            time.sleep(self.rng.random() * self.args.pause)
            self.go_on()
            who = self.victim()
            if self.args.stops and self.rng.random() < 0.4:
                self.stop(who, self.rng.random() ** 2 * 3 * self.args.term)
            else:
                self.kill(who)
                self.start()

    def end(self) -> None:
        for who in list(self.pids):
            self.kill(who)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["leases", "journal"])
    parser.add_argument("root", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--racers", type=int, default=8)
    parser.add_argument("--term", type=float, default=0.05)
    parser.add_argument("--work", type=float, default=0.0005)
    parser.add_argument("--pause", type=float, default=0.005)
    parser.add_argument("--stops", action="store_true")
    parser.add_argument("--fence", choices=["whole", "guard", "none"], default="whole")
    args = parser.parse_args()
    racers = Racers(args.root, args)
    try:
        racers.harry()
    finally:
        racers.end()
    print(json.dumps({"kills": racers.kills, "stops": racers.stops}))


if __name__ == "__main__":
    main()
