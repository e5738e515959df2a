"""Real processes that race under SIGKILL and SIGSTOP; the referee reads what they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from memory import MEMORY
from store_racers import EXP, Entry, read_log

from hermes.clock import SystemClock
from hermes.layout import Layout
from hermes.store.journal import Journal, first_line
from hermes.store.leases import Leases

TESTS = Path(__file__).parent


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        Layout(Path(folder)).locks.mkdir(parents=True)
        yield Path(folder)


def race(what: str, root: Path, *options: object) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, TESTS / "store_racers.py", what, root, *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, int] = json.loads(done.stdout)
    return figures


class Referee:
    """Reads the log in order and notes, in words, every commit that should not have been."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.owners: dict[int, int] = {}
        self.killed: set[int] = set()
        self.open: Entry | None = None
        self.newest = self.number = 0

    def read(self, entry: Entry) -> None:
        if entry.what == "kill":
            self.killed.add(entry.who)
        elif entry.what in ("took", "begin"):
            if self.owners.setdefault(entry.token, entry.who) != entry.who:
                self.found.append(f"{entry}: the token is {self.owners[entry.token]}'s")
            if entry.what == "begin":
                self.begin(entry)
        elif entry.what == "end":
            if self.open is None or self.open.token != entry.token:
                self.found.append(f"{entry}: ends another's commit")
            self.open = None

    def begin(self, entry: Entry) -> None:
        if entry.token < self.newest:
            self.found.append(f"{entry}: {self.newest} had committed already")
        if entry.number != self.number + 1:
            self.found.append(f"{entry}: {self.number} was the last commit")
        if self.open is not None and self.open.who not in self.killed:
            self.found.append(f"{entry}: in the middle of {self.open}")
        self.newest, self.number, self.open = max(self.newest, entry.token), entry.number, entry


def violations(log: list[Entry]) -> list[str]:
    """Return every commit that should not have been."""
    judge = Referee()
    for entry in log:
        judge.read(entry)
    return judge.found


def robberies(log: list[Entry]) -> list[str]:
    """Return every taking of a lease whose holder neither gave it back nor was killed."""
    found = []
    killed: set[int] = set()
    given: set[int] = set()
    holder: Entry | None = None
    for entry in log:
        if entry.what == "kill":
            killed.add(entry.who)
        elif entry.what == "gives":
            given.add(entry.token)
        elif entry.what == "took":
            if holder is not None and holder.token not in given and holder.who not in killed:
                found.append(f"{entry}: robbed {holder}")
            holder = entry
    return found


def referee(root: Path, figures: dict[str, int], *, at_least: int) -> list[Entry]:
    """Check what must hold after every race, and print its figures."""
    log = read_log(root)
    whats = [entry.what for entry in log]
    figures |= {what: whats.count(what) for what in ("took", "begin", "refused")}
    print(figures)
    assert violations(log) == []
    assert figures["took"] >= at_least
    assert figures["begin"] >= at_least
    leases = Leases(Layout(root), SystemClock())
    lease = leases.acquire(EXP)
    assert lease is not None, "a lock that lasts for ever"
    assert lease.token > max(entry.token for entry in log)
    assert leases.unreadable() == []
    return log


def race_with_stops(root: Path, seconds: float, *options: object) -> dict[str, int]:
    return race("leases", root, "--seconds", seconds, "--stops", *options)


def race_with_kills(root: Path, seconds: float, *options: object) -> dict[str, int]:
    return race("leases", root, "--seconds", seconds, "--term", 60, *options)


def test_no_commit_is_doubled_and_none_comes_late_under_kills_and_stops(root: Path) -> None:
    figures = race_with_stops(root, 2.0)
    log = referee(root, figures, at_least=20)
    assert any(entry.what == "refused" for entry in log), "nobody was fenced out: proves nothing"


def test_no_living_owner_is_robbed_under_kills(root: Path) -> None:
    figures = race_with_kills(root, 1.5)
    log = referee(root, figures, at_least=20)
    assert robberies(log) == []
    assert not any(entry.what == "refused" for entry in log)


@pytest.mark.slow
def test_no_commit_is_doubled_in_a_long_race_under_kills_and_stops(root: Path) -> None:
    figures = race_with_stops(root, 35.0, "--seed", 2)
    referee(root, figures, at_least=1000)


@pytest.mark.slow
def test_no_living_owner_is_robbed_in_a_long_race_under_kills(root: Path) -> None:
    figures = race_with_kills(root, 20.0, "--seed", 2)
    log = referee(root, figures, at_least=1000)
    assert robberies(log) == []


@pytest.mark.slow
@pytest.mark.parametrize("fence", ["guard", "none"])
def test_the_race_finds_out_a_lab_without_the_fence(root: Path, fence: str) -> None:
    """A test of the tests: with the guard alone, or with nothing, there are violations."""
    figures = race_with_stops(root, 6.0, "--fence", fence)
    found = violations(read_log(root))
    print(fence, figures, len(found), found[:2])
    assert found


def check_journal(root: Path, figures: dict[str, int]) -> list[str]:
    """Return what is wrong: an acknowledged record that is not there, or not as it was."""
    log = read_log(root)
    journal = Journal(root / "journal.jsonl")
    part = journal.read()
    present = {record.seq: f"{record.at}" for record in part.records}
    acknowledged = [entry for entry in log if entry.what == "appended"]
    figures |= {"acknowledged": len(acknowledged), "scars": part.skipped}
    figures["records"] = len(part.records)
    print(figures)
    missing = [
        f"{entry} is missing"
        for entry in acknowledged
        if present.get(entry.token) != f"{entry.who}/{entry.number}"
    ]
    order = [record.seq for record in part.records]
    disorder = [] if order == list(range(1, len(order) + 1)) else ["seq has gaps or repeats"]
    return missing + disorder + journal.check()


def begin_journal(root: Path) -> None:
    line = first_line(at="0/0", by="human", spec_sha256="")
    (root / "journal.jsonl").write_bytes(line)


def test_every_acknowledged_line_of_a_journal_survives_kills(root: Path) -> None:
    begin_journal(root)
    figures = race("journal", root, "--seconds", 1.5)
    assert check_journal(root, figures) == []
    assert figures["acknowledged"] >= 100


@pytest.mark.slow
def test_every_acknowledged_line_of_a_journal_survives_thousands_of_kills(root: Path) -> None:
    begin_journal(root)
    figures = race("journal", root, "--seconds", 20, "--pause", 0.002)
    assert check_journal(root, figures) == []
    assert figures["kills"] >= 1000


@pytest.mark.slow
def test_the_race_finds_out_a_journal_without_the_lock(root: Path) -> None:
    """A test of the tests: plain O_APPEND writes break the chain."""
    begin_journal(root)
    figures = race("journal", root, "--seconds", 3, "--fence", "none")
    assert check_journal(root, figures)
