from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import MEMORY
from store_crashes import at_each_call, dying, recording
from store_twins import TwinLeases

from hermes import codec, files
from hermes.clock import UTC, FixedClock
from hermes.errors import BrokenFile, Busy, ExitCode
from hermes.layout import Layout
from hermes.model import Lease
from hermes.store.leases import Leases
from hermes.store.processes import ProcessIdentity

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
TERM = 100.0
EXP = "opt"
GARBAGE = b"\xff\x00 not what belongs here\n"


class World:
    """Machines with their clocks and boots, and the processes that live on them.

    ``a`` and ``a/container`` are two hosts by name on one machine.
    """

    machines: ClassVar = {"a": "a", "a/container": "a", "b": "b"}

    def __init__(self) -> None:
        self.clocks = {machine: FixedClock(START) for machine in ("a", "b")}
        self.boots = {"a": 1, "b": 1}
        self.living: set[ProcessIdentity] = set()
        self.starts = count(1)

    def clock(self, host: str) -> FixedClock:
        return self.clocks[self.machines[host]]

    def start(self, host: str, pid: int) -> ProcessIdentity:
        machine = self.machines[host]
        boot = f"boot-{machine}-{self.boots[machine]}"
        process = ProcessIdentity(host, boot, pid, str(next(self.starts)))
        self.living.add(process)
        return process

    def end(self, process: ProcessIdentity) -> None:
        self.living.discard(process)

    def start_of(self, host: str, pid: int) -> str | None:
        starts = [one.started for one in self.living if (one.host, one.pid) == (host, pid)]
        return starts[0] if starts else None

    def reboot(self, machine: str) -> None:
        self.living = {one for one in self.living if self.machines[one.host] != machine}
        self.boots[machine] += 1
        self.clocks[machine] = FixedClock(self.clocks[machine].now())


@dataclass
class Owner:
    """A pretended process and the leases it believes it holds."""

    me: ProcessIdentity
    clock: FixedClock
    leases: Leases
    held: list[Lease] = field(default_factory=list)


class Lab:
    """A data root's locks, and processes of a world that use them."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.layout.locks.mkdir(parents=True)
        self.world = World()
        self.pids = count(100)

    def owner(self, host: str = "a", pid: int | None = None) -> Owner:
        world = self.world
        me = world.start(host, next(self.pids) if pid is None else pid)
        leases = Leases(
            self.layout,
            world.clock(host),
            term_seconds=TERM,
            me=me,
            start_of=lambda pid: world.start_of(host, pid),
            sleep=world.clock(host).advance,
        )
        return Owner(me, world.clock(host), leases)

    def end(self, owner: Owner) -> None:
        self.world.end(owner.me)

    def damage(self, kind: str, how: str, experiment: str = EXP) -> Path:
        path = {
            "lease": self.layout.lease,
            "beat": self.layout.heartbeat,
            "guard": self.layout.guard,
        }[kind](experiment)
        spoil(path, how)
        return path


def spoil(path: Path, how: str) -> None:
    """Damage a file in place, as a broken disk or a slip of the hand would."""
    data = path.read_bytes() if path.is_file() else b""
    if how == "folder" or path.is_dir():
        files.remove_tree(path)
    if how == "folder":
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "garbage": GARBAGE, "half": data[: len(data) // 2]}[how])


def is_fenced_in(owner: Owner, lease: Lease) -> bool:
    with owner.leases.fenced(lease) as ours:
        return ours


def take(owner: Owner, experiment: str = EXP) -> Lease:
    lease = owner.leases.acquire(experiment)
    assert lease is not None
    return lease


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def test_the_first_lease_has_token_one_and_says_who_holds_it(lab: Lab) -> None:
    owner = lab.owner()
    lease = take(owner)
    assert (lease.token, lease.held, lease.lease_id) == (1, True, "opt.1")
    assert (lease.host, lease.pid, lease.pid_started) == ("a", owner.me.pid, owner.me.started)
    assert owner.leases.read(EXP) == lease
    assert codec.read_record(Lease, lab.layout.lease(EXP).read_bytes()) == lease


def test_a_living_owner_is_not_robbed(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    assert second.leases.acquire(EXP) is None
    assert is_fenced_in(first, lease)


def test_a_process_cannot_take_twice_what_it_holds(lab: Lab) -> None:
    owner = lab.owner()
    take(owner)
    assert owner.leases.acquire(EXP) is None


def test_a_released_lease_goes_to_the_next_with_a_larger_token(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    assert first.leases.release(lease)
    assert not first.leases.release(lease)
    assert take(second).token == 2


def test_experiments_do_not_share_leases(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    take(first, "one")
    assert second.leases.acquire("two") is not None


def test_a_dead_owners_lease_is_free_at_once(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    take(first)
    lab.end(first)
    assert take(second).token == 2


def test_a_pid_that_was_given_to_another_process_is_a_dead_owner(lab: Lab) -> None:
    first, second = lab.owner(pid=7), lab.owner()
    take(first)
    lab.end(first)
    lab.owner(pid=7)
    assert take(second).token == 2


def test_after_a_reboot_every_lease_of_the_host_is_free(lab: Lab) -> None:
    first = lab.owner()
    take(first)
    lab.world.reboot("a")
    lab.world.start("a", first.me.pid)
    assert take(lab.owner()).token == 2


def test_a_dead_owner_on_another_host_keeps_the_lease_for_its_term(lab: Lab) -> None:
    first, second = lab.owner("a"), lab.owner("b")
    take(first)
    lab.end(first)
    assert second.leases.acquire(EXP) is None
    second.clock.advance(TERM + 1)
    assert take(second).token == 2


def test_a_silent_owner_loses_the_lease_after_its_term(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    first.clock.advance(TERM)
    assert second.leases.acquire(EXP) is None
    first.clock.advance(0.001)
    taken = take(second)
    assert taken.token == 2
    assert not is_fenced_in(first, lease)
    assert not first.leases.renew(lease)
    assert not lab.layout.heartbeat(EXP).exists()
    assert not first.leases.release(lease)
    assert second.leases.read(EXP) == taken
    assert is_fenced_in(second, taken)


def just_before_the_guard(owner: Owner, happens: Callable[[], object]) -> None:
    """Let something happen once after ``owner`` has judged a lease, before it has the guard."""
    judge, left = owner.leases._guard, [happens]

    def overtaken(experiment: str, **options: float) -> AbstractContextManager[None]:
        while left:
            left.pop()()
        return judge(experiment, **options)

    owner.leases._guard = overtaken  # type: ignore[method-assign]


def test_whoever_takes_a_dead_owners_lease_first_has_it(lab: Lab) -> None:
    dead, first, second = lab.owner(), lab.owner(), lab.owner()
    take(dead)
    lab.end(dead)
    just_before_the_guard(second, lambda: first.held.append(take(first)))
    assert second.leases.acquire(EXP) is None
    assert is_fenced_in(first, first.held[0])


def test_an_owner_that_beats_at_the_last_moment_is_not_robbed(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    first.clock.advance(TERM + 1)
    just_before_the_guard(second, lambda: first.leases.renew(lease))
    assert second.leases.acquire(EXP) is None
    assert is_fenced_in(first, lease)


def test_a_lease_released_at_the_last_moment_can_be_had(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    first.clock.advance(TERM + 1)
    just_before_the_guard(second, lambda: first.leases.release(lease))
    assert take(second).token == 2


def test_an_owner_that_beats_keeps_the_lease(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    for _ in range(30):
        first.clock.advance(TERM / 2)
        assert first.leases.renew(lease)
        assert second.leases.acquire(EXP) is None
    assert is_fenced_in(first, lease)


def test_a_fenced_out_owner_cannot_seal(lab: Lab, tmp_path: Path) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    first.clock.advance(TERM + 1)
    take(second)
    run, sealed = tmp_path / "run", tmp_path / "sealed"
    run.mkdir()
    with first.leases.fenced(lease) as ours:
        if ours:
            files.publish_folder(run, sealed)
    assert not sealed.exists()


@pytest.mark.parametrize("days", [-400, 400])
def test_setting_the_clock_robs_nobody_on_the_same_boot(lab: Lab, days: int) -> None:
    first, second = lab.owner("a"), lab.owner("a/container")
    lease = take(first)
    first.clock.set_wall(START + timedelta(days=days))
    assert second.leases.acquire(EXP) is None
    first.clock.advance(TERM / 2)
    assert first.leases.renew(lease)
    first.clock.set_wall(START - timedelta(days=days))
    assert second.leases.acquire(EXP) is None


def test_suspended_time_robs_nobody(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    take(first)
    first.clock.set_wall(START + timedelta(hours=9))  # the monotonic clock stood still
    assert second.leases.acquire(EXP) is None


def test_a_sign_of_life_from_the_future_does_not_lock_for_ever(lab: Lab) -> None:
    first, second = lab.owner("a"), lab.owner("b")
    first.clock.set_wall(START + timedelta(days=3650))
    take(first)
    assert second.leases.acquire(EXP) is not None


def test_renewing_writes_once_a_quarter_of_the_term(lab: Lab) -> None:
    owner = lab.owner()
    lease = take(owner)
    beat = lab.layout.heartbeat(EXP)
    owner.clock.advance(TERM / 4 - 1)
    assert owner.leases.renew(lease)
    assert not beat.exists()
    owner.clock.advance(1)
    assert owner.leases.renew(lease)
    first = beat.read_bytes()
    owner.clock.advance(TERM / 4 - 1)
    assert owner.leases.renew(lease)
    assert beat.read_bytes() == first


def test_waiting_ends_when_the_owner_lets_go(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)

    def let_go(_seconds: float) -> None:
        first.leases.release(lease)

    second.leases._sleep = let_go
    taken = second.leases.acquire(EXP, wait_seconds=5.0)
    assert taken is not None
    assert taken.token == 2


def test_waiting_ends_when_the_time_is_up(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    assert second.leases.acquire(EXP, wait_seconds=2.0) is None
    assert second.clock.monotonic() == pytest.approx(1002.0, abs=0.1)
    assert is_fenced_in(first, lease)


def test_a_guard_that_stays_taken_is_busy(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    lab.end(first)
    second.leases._guard_seconds = 0.01
    with first.leases.fenced(lease), pytest.raises(Busy) as caught:
        second.leases.acquire(EXP)
    assert caught.value.exit_code is ExitCode.BUSY
    assert len(str(caught.value).splitlines()) == 2


def test_a_beat_does_not_wait_for_a_taken_guard(lab: Lab) -> None:
    owner = lab.owner()
    lease = take(owner)
    owner.clock.advance(TERM / 2)
    with owner.leases.fenced(lease):
        assert owner.leases.renew(lease)
        assert not lab.layout.heartbeat(EXP).exists()
    assert owner.leases.renew(lease)
    assert lab.layout.heartbeat(EXP).exists()


def test_the_guard_is_never_replaced(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    inode = lab.layout.guard(EXP).stat().st_ino
    first.clock.advance(TERM / 2)
    first.leases.renew(lease)
    first.leases.release(lease)
    take(second)
    second.leases.reclaim(EXP)
    assert lab.layout.guard(EXP).stat().st_ino == inode


def test_stale_leases_are_named_and_reclaimed(lab: Lab) -> None:
    first, second, watcher = lab.owner(), lab.owner(), lab.owner()
    take(first, "dead")
    living = take(second, "alive")
    second.leases.release(take(second, "free"))
    lab.end(first)
    assert [lease.experiment for lease in watcher.leases.stale()] == ["dead"]
    assert watcher.leases.reclaim("dead")
    assert not any(watcher.leases.reclaim(name) for name in ("dead", "alive", "free", "never"))
    assert watcher.leases.stale() == []
    freed = watcher.leases.read("dead")
    assert freed is not None
    assert (freed.held, freed.token) == (False, 2)
    assert is_fenced_in(second, living)


def test_reclaiming_fences_out_a_silent_owner(lab: Lab) -> None:
    first, watcher = lab.owner(), lab.owner()
    lease = take(first)
    first.clock.advance(TERM + 1)
    assert watcher.leases.reclaim(EXP)
    assert not is_fenced_in(first, lease)
    assert take(first).token == 3


HOWS = ("empty", "garbage", "half", "folder")


@pytest.mark.parametrize("how", HOWS)
def test_a_broken_lease_file_locks_nobody_out_and_no_token_returns(lab: Lab, how: str) -> None:
    first, second = lab.owner(), lab.owner()
    for _ in range(4):
        first.leases.release(take(first))
    lease = take(first)
    path = lab.damage("lease", how)
    assert second.leases.read(EXP) is None
    assert second.leases.unreadable() == [path]
    assert not is_fenced_in(first, lease)
    assert take(second).token == 6
    assert second.leases.unreadable() == []


@pytest.mark.parametrize("kind", ["lease", "beat", "guard"])
@pytest.mark.parametrize("how", HOWS[:3])
def test_reclaiming_mends_broken_files(lab: Lab, kind: str, how: str) -> None:
    owner = lab.owner()
    lease = take(owner)
    owner.clock.advance(TERM / 2)
    owner.leases.renew(lease)
    owner.leases.release(lease)
    path = lab.damage(kind, how)
    assert owner.leases.unreadable() == [path]
    assert owner.leases.reclaim(EXP)
    assert owner.leases.unreadable() == []
    assert take(owner).token == 3


@pytest.mark.parametrize("how", HOWS)
def test_a_broken_beat_robs_nobody_within_the_term(lab: Lab, how: str) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    first.clock.advance(TERM / 2)
    first.leases.renew(lease)
    path = lab.damage("beat", how)
    assert second.leases.unreadable() == [path]
    assert second.leases.acquire(EXP) is None
    first.clock.advance(TERM / 3)
    assert first.leases.renew(lease)
    assert second.leases.unreadable() == []


def test_a_folder_in_place_of_the_guard_is_named_and_harms_one_experiment(lab: Lab) -> None:
    owner = lab.owner()
    path = lab.damage("guard", "folder")
    with pytest.raises(BrokenFile) as caught:
        owner.leases.acquire(EXP)
    assert str(path) in str(caught.value)
    assert owner.leases.unreadable() == [path]
    assert take(owner, "other").token == 1


def test_when_all_records_of_the_token_are_lost_it_still_grows(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    lab.damage("lease", "garbage")
    lab.damage("guard", "garbage")
    later = take(second)
    assert later.token > lease.token + 1_000_000
    assert not is_fenced_in(first, lease)
    second.leases.release(later)
    assert take(first).token == later.token + 1


def test_a_beat_remembers_the_token_when_the_other_records_are_lost(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    first.leases.release(take(first))
    lease = take(first)
    first.clock.advance(TERM / 2)
    first.leases.renew(lease)
    lab.damage("lease", "garbage")
    lab.damage("guard", "empty")
    assert take(second).token == 3


def test_a_deleted_lease_file_does_not_bring_a_token_back(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    lab.layout.lease(EXP).unlink()
    assert take(second).token == 2
    assert not is_fenced_in(first, lease)


def test_deleting_the_whole_folder_fences_the_owner_out(lab: Lab) -> None:
    first, second = lab.owner(), lab.owner()
    lease = take(first)
    shutil.rmtree(lab.layout.locks)
    with pytest.raises(BrokenFile):
        first.leases.release(lease)
    take(second)
    assert not is_fenced_in(first, lease)


def test_a_lease_file_copied_from_another_experiment_is_not_believed(lab: Lab) -> None:
    owner = lab.owner()
    take(owner, "other")
    take(owner)
    shutil.copy(lab.layout.lease("other"), lab.layout.lease(EXP))
    assert owner.leases.unreadable() == [lab.layout.lease(EXP)]
    assert take(owner).token == 2


@pytest.mark.parametrize(
    "change",
    [
        {"token": 0},
        {"token": -3},
        {"acquired_at": "yesterday"},
        {"experiment": "other"},
        {"pid": "7"},
        {"held": 1},
    ],
)
def test_a_lease_with_an_impossible_field_is_not_believed(
    lab: Lab, change: dict[str, object]
) -> None:
    owner = lab.owner()
    lease = codec.from_json(codec.to_json(take(owner)))
    lab.layout.lease(EXP).write_bytes(codec.to_json(lease | change))
    assert owner.leases.read(EXP) is None
    assert take(owner).token == 2


def test_a_disk_that_refuses_does_not_make_a_lease_look_free(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = lab.owner(), lab.owner()
    take(first)

    def refuse(path: object) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(files, "read", refuse)
        with pytest.raises(OSError, match="Too many"):
            second.leases.acquire(EXP)
        assert second.leases.read(EXP) is None
        assert second.leases.stale() == []
        assert second.leases.unreadable() == [lab.layout.lease(EXP), lab.layout.guard(EXP)]
    assert second.leases.acquire(EXP) is None


def test_a_real_process_is_a_living_owner_to_another(lab: Lab) -> None:
    from hermes.clock import SystemClock

    first, second = (Leases(lab.layout, SystemClock()) for _ in range(2))
    lease = first.acquire(EXP)
    assert lease is not None
    assert lease.pid == os.getpid()
    assert second.acquire(EXP) is None
    assert not second.is_stale(lease)
    assert second.is_stale(replace(lease, pid_started="1"))


# Durability: what was said is on the disk

DURABLY = [
    ("write", "opt.lease.json"),
    ("fsync", "opt.lease.json"),
    ("rename", "opt.lease.json"),
    ("fsync", "locks"),
]


def test_a_lease_is_on_the_disk_before_its_owner_hears_of_it(lab: Lab) -> None:
    owner = lab.owner()
    with recording() as calls:
        take(owner)
    assert calls == [("write", "opt.guard"), ("fsync", "opt.guard"), *DURABLY]


def test_a_release_is_on_the_disk_before_it_is_said(lab: Lab) -> None:
    owner = lab.owner()
    lease = take(owner)
    with recording() as calls:
        owner.leases.release(lease)
    assert calls == DURABLY


def test_a_beat_costs_no_sync(lab: Lab) -> None:
    owner = lab.owner()
    lease = take(owner)
    owner.clock.advance(TERM / 2)
    with recording() as calls:
        owner.leases.renew(lease)
    assert calls == [("write", "opt.beat.json"), ("rename", "opt.beat.json")]


# Crashes: the owner dies at each call that changes a file


def tokens_seen(lab: Lab) -> int:
    """Return the largest token that anybody can have seen."""
    seen = lab.owner().leases.read(EXP)
    return seen.token if seen else 0


def prepared(scratch: Path) -> tuple[Lab, Owner, Lease]:
    lab = Lab(Path(tempfile.mkdtemp(dir=scratch)))
    owner = lab.owner()
    for _ in range(2):
        owner.leases.release(take(owner))
    return lab, owner, take(owner)


def succeed(lab: Lab, *, above: int) -> None:
    """Take the lease as whoever comes after a crash, and after another crash."""
    following = lab.owner()
    lease = take(following)
    assert lease.token > above
    assert is_fenced_in(following, lease)
    assert following.leases.unreadable() == []
    assert following.leases.release(lease)
    assert take(lab.owner()).token == lease.token + 1


def test_no_token_returns_after_a_kill_at_any_call_of_acquire(scratch: Path) -> None:
    got: list[Lease | None] = []

    def make() -> tuple[Lab, Owner]:
        got.clear()
        lab, owner, lease = prepared(scratch)
        owner.leases.release(lease)
        return lab, lab.owner()

    def check(state: tuple[Lab, Owner], killed: bool) -> None:
        lab, owner = state
        seen = tokens_seen(lab)
        assert seen in (3, 4)
        assert killed or seen == 4
        lab.end(owner)
        succeed(lab, above=seen)

    calls = at_each_call(make, lambda state: got.append(state[1].leases.acquire(EXP)), check)
    assert calls >= 9


def test_a_kill_at_any_call_of_release_leaves_the_lease_to_be_had(scratch: Path) -> None:
    def check(state: tuple[Lab, Owner, Lease], killed: bool) -> None:
        lab, owner, lease = state
        lab.end(owner)
        succeed(lab, above=lease.token)

    at_each_call(lambda: prepared(scratch), lambda s: s[1].leases.release(s[2]), check)


def test_a_kill_at_any_call_of_renew_harms_nothing(scratch: Path) -> None:
    def make() -> tuple[Lab, Owner, Lease]:
        lab, owner, lease = prepared(scratch)
        owner.clock.advance(TERM / 2)
        return lab, owner, lease

    def check(state: tuple[Lab, Owner, Lease], killed: bool) -> None:
        lab, owner, lease = state
        assert lab.owner().leases.acquire(EXP) is None
        lab.end(owner)
        succeed(lab, above=lease.token)

    at_each_call(make, lambda s: s[1].leases.renew(s[2]), check)


def test_a_kill_while_taking_over_from_a_killed_owner_brings_no_token_back(
    scratch: Path,
) -> None:
    """Every pair: a crash during what follows a crash."""
    for first_death in range(12):
        for moment in ("before", "halfway"):

            def make(at: int = first_death, moment: str = moment) -> tuple[Lab, Owner, int]:
                lab, owner, _ = prepared(scratch)
                lab.end(owner)
                first = lab.owner()
                with dying(at, moment):
                    first.leases.acquire(EXP)
                lab.end(first)
                return lab, lab.owner(), tokens_seen(lab)

            def check(state: tuple[Lab, Owner, int], killed: bool) -> None:
                lab, second, seen = state
                lab.end(second)
                assert killed or tokens_seen(lab) > seen
                succeed(lab, above=max(seen, tokens_seen(lab)))

            at_each_call(make, lambda state: state[1].leases.acquire(EXP), check)


# The store and its twin, through everything that may happen


class LeaseMachine(RuleBasedStateMachine):
    """Owners on three hosts that take, keep, lose and commit; the store against its twin."""

    experiments = ("opt", "sort.v2")

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(dir=MEMORY))
        self.lab = Lab(self.root)
        self.world = self.lab.world
        self.twin = TwinLeases(self.world.living, TERM)
        self.owners: list[Owner] = [self.lab.owner(host) for host in World.machines]
        self.highest = dict.fromkeys(self.experiments, 0)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    def pick(self, index: int) -> Owner:
        return self.owners[index % len(self.owners)]

    @rule(host=st.sampled_from(sorted(World.machines)), pid=st.integers(1, 3))
    @precondition(lambda self: len(self.owners) < 8)
    def a_process_starts(self, host: str, pid: int) -> None:
        if self.world.start_of(host, pid) is None:
            self.owners.append(self.lab.owner(host, pid))

    @rule(index=st.integers(0, 7), experiment=st.sampled_from(experiments))
    def acquire(self, index: int, experiment: str) -> None:
        owner = self.pick(index)
        expected = self.twin.acquire(experiment, owner.me, owner.clock)
        lease = owner.leases.acquire(experiment)
        assert lease == expected
        if lease is not None:
            assert lease.token > self.highest[experiment]
            self.highest[experiment] = lease.token
            owner.held.append(lease)

    @rule(index=st.integers(0, 7))
    def renew(self, index: int) -> None:
        owner = self.pick(index)
        for lease in owner.held:
            assert owner.leases.renew(lease) == self.twin.renew(lease, owner.me, owner.clock)

    @rule(index=st.integers(0, 7))
    def release(self, index: int) -> None:
        owner = self.pick(index)
        if owner.held:
            lease = owner.held.pop()
            assert owner.leases.release(lease) == self.twin.release(lease)

    @rule(index=st.integers(0, 7), experiment=st.sampled_from(experiments))
    def reclaim(self, index: int, experiment: str) -> None:
        owner = self.pick(index)
        expected = self.twin.reclaim(experiment, owner.me, owner.clock)
        assert owner.leases.reclaim(experiment) == expected
        self.highest[experiment] = max(self.highest[experiment], self.twin.of(experiment).number)

    @rule(index=st.integers(0, 7))
    def look(self, index: int) -> None:
        owner = self.pick(index)
        assert owner.leases.stale() == self.twin.stale(owner.me, owner.clock)
        for experiment in self.experiments:
            lease = owner.leases.read(experiment)
            assert lease == self.twin.of(experiment).lease
            if lease is not None:
                expected = self.twin.is_stale(lease, owner.me, owner.clock)
                assert owner.leases.is_stale(lease) == expected

    @rule(index=st.integers(0, 7))
    @precondition(lambda self: len(self.owners) > 1)
    def a_process_dies(self, index: int) -> None:
        owner = self.owners.pop(index % len(self.owners))
        self.lab.end(owner)

    @rule(machine=st.sampled_from(["a", "b"]))
    def a_machine_reboots(self, machine: str) -> None:
        self.world.reboot(machine)
        self.twin.living = self.world.living
        self.owners = [owner for owner in self.owners if owner.me in self.world.living]
        for host, runs_on in World.machines.items():
            if runs_on == machine:
                self.owners.append(self.lab.owner(host))

    @rule(seconds=st.sampled_from([1.0, TERM / 4, TERM / 2, TERM, TERM + 1]))
    def time_passes(self, seconds: float) -> None:
        for clock in self.world.clocks.values():
            clock.advance(seconds)

    @rule(machine=st.sampled_from(["a", "b"]), days=st.sampled_from([-300, -0.001, 0.001, 300]))
    def somebody_sets_a_clock(self, machine: str, days: float) -> None:
        clock = self.world.clocks[machine]
        clock.set_wall(clock.now() + timedelta(days=days))

    @rule(
        experiment=st.sampled_from(experiments),
        kind=st.sampled_from(["lease", "beat", "guard"]),
        how=st.sampled_from(HOWS),
    )
    def a_file_breaks(self, experiment: str, kind: str, how: str) -> None:
        known = self.twin.of(experiment)
        others = {"lease", "guard"} - {kind}
        if known.number == 0 or known.damaged & others or (kind, how) == ("guard", "folder"):
            return  # never taken; or two at once: that has its own test
        self.lab.damage(kind, how, experiment)
        self.twin.damage(experiment, kind)

    @invariant()
    def at_most_one_is_fenced_in_and_the_twin_knows_who(self) -> None:
        if not hasattr(self, "owners"):
            return
        for experiment in self.experiments:
            answers = [
                (is_fenced_in(owner, lease), self.twin.is_current(lease))
                for owner in self.owners
                for lease in owner.held
                if lease.experiment == experiment
            ]
            assert all(store == twin for store, twin in answers)
            assert sum(store for store, _ in answers) <= 1

    @invariant()
    def broken_files_are_named(self) -> None:
        if hasattr(self, "owners"):
            named = {path.name for path in self.owners[0].leases.unreadable()}
            assert named == {
                f"{experiment}.{ {'lease': 'lease.json', 'beat': 'beat.json'}.get(kind, kind) }"
                for experiment, known in self.twin.leases.items()
                for kind in known.damaged
            }


QUICK = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class TestLeasesAgainstTheirTwin(LeaseMachine.TestCase):
    settings = QUICK


@pytest.mark.slow
class TestLeasesAgainstTheirTwinAtLength(LeaseMachine.TestCase):
    settings = settings(QUICK, max_examples=1500)
