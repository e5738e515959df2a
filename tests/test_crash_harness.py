"""The stores under kills, full disks and power cuts; and that the harness notices mutants."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import pytest
from crash_harness import (
    FULL,
    KILLS,
    Record,
    Result,
    count_calls,
    points,
    power_loss_states,
    recorded,
    run_killed,
)
from memory import in_memory
from run_samples import Conveyor, execution_of, faults, visible_faults

from hermes import files
from hermes.layout import PackageLayout
from hermes.store.bundles import Bundles, ClosedBundle
from hermes.store.packages import Packages

RUNS = 2


@pytest.fixture
def place():
    """Return a folder in memory if there is one: nothing here needs a disk."""
    with in_memory() as folder:
        yield folder


Maker = Callable[[Path], Conveyor]


def fresh(root: Path, make: Maker = Conveyor) -> Conveyor:
    """Return a conveyor over an empty data root."""
    shutil.rmtree(root, ignore_errors=True)
    return make(root).prepare()


def two_runs(root: Path, make: Maker = Conveyor) -> Callable[[], None]:
    """Return what a burst of two runs does to the stores."""

    def burst() -> None:
        conveyor = make(root)
        for iteration in range(1, RUNS + 1):
            conveyor.run(iteration, artifacts=iteration > 1)
        conveyor.packages.close()

    return burst


def go_on(root: Path, make: Maker = Conveyor) -> Callable[[], None]:
    """Return what the next command does."""
    return lambda: make(root).go_on(RUNS)


def whole_of(root: Path, make: Maker = Conveyor) -> Result:
    fresh(root, make)
    result = run_killed(two_runs(root, make), 0)
    assert not result.error, result.error
    return result


def kill_faults(root: Path, at: int, how: str, make: Maker = Conveyor) -> list[str]:
    """Kill a burst at one operation, let the next command follow, and name what is wrong."""
    fresh(root, make)
    result = run_killed(two_runs(root, make), at, how)
    assert result.died, result
    return faults_when_going_on(root, make)


def faults_when_going_on(
    root: Path, make: Maker = Conveyor, promised: set[str] = frozenset()
) -> list[str]:
    """Give the next command, and name what is wrong before and after, or what it raises."""
    wrong = visible_faults(root)
    try:
        make(root).go_on(RUNS)
        return wrong + faults(root, RUNS, promised)
    except Exception as error:  # noqa: BLE001  whatever it is, it is a fault
        return [*wrong, repr(error)]


def first_kill_fault(root: Path, make: Maker) -> list[str]:
    """Return what the first kill that a store does not survive leaves."""
    for at, how in points(whole_of(root, make)):
        wrong = kill_faults(root, at, how, make)
        if wrong:
            return [f"killed {how} operation {at}", *wrong]
    return []


def power_faults(place: Path, record: Record, ats: range, *, randoms: int = 1) -> list[str]:
    """Cut the power at each of some operations; return what the first bad cut leaves.

    A folder that was never promised may come out so mixed that it is set aside: no fault.
    """
    for at in ats:
        for state in power_loss_states(record, at, seed=at, randoms=randoms):
            state.write(place / "after")
            wrong = faults_when_going_on(place / "after", promised=record.promised(at))
            wrong = [fault for fault in wrong if not fault.startswith("set aside")]
            if wrong:
                return [state.name, *wrong]
    return []


def record_of(root: Path, make: Maker = Conveyor, ignored: frozenset[int] = frozenset()) -> Record:
    """Record a burst of two runs, and what it promised when."""
    fresh(root, make)

    def burst(record: Record) -> None:
        conveyor = make(root)
        conveyor.promise = record.mark
        for iteration in range(1, RUNS + 1):
            conveyor.run(iteration, artifacts=iteration > 1)
        conveyor.packages.close()

    return recorded(root, burst, ignored=ignored)


# The harness itself


def test_a_child_is_killed_before_after_and_within_an_operation(place):
    target = place / "file"

    def content(how: str) -> bytes | None:
        result = run_killed(lambda: files.write_new(target, b"12345678"), 2, how)
        assert (result.died, result.calls) == (True, 2)
        data = files.read(target)
        files.remove(target)
        return data

    assert [content(how) for how in KILLS] == [b"", b"12345678", b"1234"]


def test_calls_are_counted_and_errors_are_told(place):
    assert count_calls(lambda: files.replace(place / "file", b"x", durable=True)) == 5

    def fail() -> None:
        raise ValueError("told")

    assert run_killed(fail, 0).error.endswith("ValueError: told\n")
    with pytest.raises(AssertionError, match="told"):
        count_calls(fail)


def test_a_full_disk_refuses_once_or_for_good(place):
    refused: list[int | None] = []

    def write_two() -> None:
        for name in ("one", "two"):
            try:
                files.write_new(place / name, b"1234")
            except OSError as error:
                refused.append(error.errno)

    once = run_killed(write_two, 2, "full")
    assert (once.died, once.error) == (False, "")
    assert (files.read(place / "one"), files.read(place / "two")) == (b"12", b"1234")
    shutil.rmtree(place)
    place.mkdir()
    run_killed(write_two, 2, "stays-full")
    assert (files.read(place / "one"), files.read(place / "two")) == (b"12", None)


def test_a_child_that_hangs_is_an_error(place):
    stop = os.pipe()
    with pytest.raises(AssertionError, match="hangs"):
        run_killed(lambda: os.read(stop[0], 1), 0, timeout=0.05)
    for fd in stop:
        os.close(fd)


def _states(root: Path, function: Callable[[Record], object]) -> list[dict[str, object]]:
    record = recorded(root, function)
    return [dict(state.tree) for state in power_loss_states(record, record.calls, seed=1)]


def test_what_is_not_synced_may_be_lost_and_what_is_synced_may_not(place):
    def write(record: Record, *, durable: bool, folder: bool) -> None:
        files.write_new(place / "file", b"12345678", durable=durable)
        if folder:
            files.sync_folder(place)

    def clear() -> None:
        files.remove(place / "file")

    nothing = _states(place, lambda record: write(record, durable=False, folder=False))
    clear()
    assert {} in nothing
    assert {"file": b"12345678"} in nothing
    assert {"file": b"1234"} in nothing
    name_only = _states(place, lambda record: write(record, durable=False, folder=True))
    clear()
    assert {"file": b""} in name_only
    assert {} not in name_only
    data_only = _states(place, lambda record: write(record, durable=True, folder=False))
    clear()
    assert data_only == [{"file": b"12345678"}, {}] or data_only == [{}, {"file": b"12345678"}]
    both = _states(place, lambda record: write(record, durable=True, folder=True))
    assert both == [{"file": b"12345678"}]


def test_a_rename_between_folders_leaves_one_name_or_both(place):
    for name in ("from", "to", "from/thing"):
        (place / name).mkdir()

    def move(record: Record) -> None:
        assert files.publish_folder(place / "from" / "thing", place / "to" / "thing")

    states = _states(place, move)
    assert {"from": {"thing": {}}, "to": {"thing": {}}} in states
    assert {"from": {}, "to": {"thing": {}}} in states
    assert len(states) == 2
    undone = recorded(place, lambda record: os.rename(place / "to", place / "too"))
    assert undone.events[-1].number == 0  # nothing goes unnoticed but what avoids the seam


def test_appending_never_loses_what_was_durable(place):
    (place / "log").write_bytes(b"old\n")
    states = _states(place, lambda record: files.append(place / "log", lambda tail: b"newer\n"))
    assert {state["log"][:4] for state in states} == {b"old\n"}
    assert {"log": b"old\nnew"} in states


def test_what_others_write_is_noticed_when_it_is_synced(place):
    def write(record: Record) -> None:
        (place / "log").write_bytes(b"by a command")
        files.sync_paths([place / "log"])

    assert {"log": b"by a command"} in _states(place, write)


# The stores: kills


def states_left_by_kills(place: Path, function: Callable[[], None], ats) -> set[str]:
    """Return what is on the disk after each of some kills, each begun with an empty folder."""
    states = set()
    for at, how in ats:
        shutil.rmtree(place / "root", ignore_errors=True)
        (place / "root").mkdir()
        assert run_killed(function, at, how).died
        found = sorted((place / "root").rglob("*"))
        told = str([(str(path), path.is_file() and path.read_bytes()) for path in found])
        states.add(re.sub(r"\d+(?=\.\d+\.tmp)", "PID", told))
    return states


def test_the_kills_that_are_left_out_would_find_nothing_else(place):
    root = place / "root"

    def work() -> None:
        files.write_new(root / "one", b"12345678", durable=True)
        files.sync_folder(root)
        (root / "aside").write_bytes(b"by another way")
        files.replace(root / "one", b"87654321", durable=True)
        subprocess.run(["sh", "-c", f"echo more > {root}/more"], check=True)
        files.sync_folder(root)
        files.remove(root / "aside")

    root.mkdir()
    whole = run_killed(work, 0)
    assert not whole.error, whole.error
    every = [
        (at, how)
        for at, what in enumerate(whole.trace, 1)
        for how in KILLS
        if how != "torn" or what.startswith("write")
    ]
    chosen = list(points(whole))
    left = states_left_by_kills(place, work, every)
    assert states_left_by_kills(place, work, chosen) == left
    assert len(chosen) < 0.7 * len(every)
    without_a_look = [item for item in chosen if item[1] != "after"]
    assert states_left_by_kills(place, work, without_a_look) < left


def test_a_kill_at_every_operation_loses_nothing_and_repeats_nothing(place):
    whole = whole_of(place / "root")
    wrong = {
        (at, how): left
        for at, how in points(whole)
        if (left := kill_faults(place / "root", at, how))
    }
    assert not wrong
    assert whole.calls > 60


@pytest.mark.slow
def test_a_kill_during_the_recovery_of_a_kill_loses_nothing(place):
    root = place / "root"
    wrong = []
    for at, how in points(whole_of(root)):
        fresh(root)
        run_killed(two_runs(root), at, how)
        shutil.copytree(root, place / "cut", symlinks=True)
        recovery = run_killed(go_on(root), 0)
        for again, ways in islice(points(recovery), 0, None, 1 if how == "before" else 11):
            shutil.rmtree(root)
            shutil.copytree(place / "cut", root, symlinks=True)
            run_killed(go_on(root), again, ways)
            left = faults_when_going_on(root)
            wrong += [(at, how, again, ways, left)] if left else []
        shutil.rmtree(place / "cut")
    assert not wrong


def test_a_full_disk_at_any_operation_leaves_nothing_half_made(place):
    root = place / "root"
    for at, how in points(whole_of(root), FULL):
        fresh(root)
        result = run_killed(two_runs(root), at, how)
        assert not result.died
        assert not result.error or "No space left" in result.error, (at, how, result)
        assert not faults_when_going_on(root), (at, how)


# The stores: power cuts


def test_a_power_cut_during_the_second_run_keeps_every_promise(place):
    record = record_of(place / "root")
    first = min(number for what, number in record.marks.items() if what.startswith("sealed"))
    assert not power_faults(place, record, range(first, record.calls + 1, 3), randoms=0)


@pytest.mark.slow
def test_a_power_cut_at_every_operation_keeps_every_promise(place):
    record = record_of(place / "root")
    assert not power_faults(place, record, range(record.calls + 1), randoms=6)


@pytest.mark.slow
def test_a_power_cut_during_the_recovery_of_a_kill_keeps_every_promise(place):
    root = place / "root"
    for at, how in points(whole_of(root), ("before",)):
        fresh(root)
        run_killed(two_runs(root), at, how)

        def recover(record: Record) -> None:
            conveyor = Conveyor(root, promise=record.mark)
            conveyor.go_on(RUNS)

        record = recorded(root, recover)
        assert not power_faults(place, record, range(0, record.calls + 1, 9), randoms=1), at


# Teeth: each of these mutants must be noticed


class WithoutStaging(Bundles):
    """Moves the folder into history first, and closes it there."""

    def close(self, package, manifest, metrics, result_text):
        target = self._layout.experiment(manifest.experiment).run(manifest.run_id)
        files.claim(package.run.folder, target.folder)
        from hermes.store import closing

        moved = PackageLayout(package.folder)
        moved.__dict__["run"] = target
        closing.close(moved, manifest, metrics, result_text)
        return ClosedBundle(package, manifest)

    def publish(self, closed, *, fence):
        return self.read(closed.manifest.experiment, closed.manifest.run_id)


class WithoutBinding(Packages):
    """Takes whatever execution lies in a recycled folder for that of the new run."""

    def read_execution(self, folder):
        from hermes import codec
        from hermes.model import Execution

        raw = codec.parse_line((files.read(folder.execution) or b"").split(b"\n")[0])
        return codec.decode(Execution, raw) if raw else None


class WithoutDraft(Bundles):
    """Writes the final manifest over the only copy of the planned one."""

    def close(self, package, *args):
        files.remove(package.dispatch)
        return super().close(package, *args)


def mutant(**stores) -> Maker:
    """Return a maker of conveyors with some of their stores replaced."""

    def make(root: Path) -> Conveyor:
        conveyor = Conveyor(root)
        for name, store in stores.items():
            setattr(conveyor, name, store(conveyor.layout))
        return conveyor

    return make


@pytest.mark.parametrize(
    "make",
    [
        mutant(bundles=WithoutStaging),
        mutant(packages=WithoutBinding),
        mutant(bundles=WithoutDraft),
    ],
    ids=["without staging", "without binding", "without draft"],
)
def test_a_mutant_store_does_not_survive_every_kill(place, make):
    assert first_kill_fault(place / "root", make)


def test_a_recovery_that_forgets_the_index_is_noticed(place):
    class Forgetful(Conveyor):
        def repair_index(self) -> None:
            pass

    assert first_kill_fault(place / "root", Forgetful)


def test_a_store_that_ignores_the_fence_is_noticed(tmp_path):
    class Unfenced(Bundles):
        def publish(self, closed, *, fence):
            return super().publish(closed, fence=nullcontext(True))

    def seals_when_fenced_out(make: Maker) -> bool:
        conveyor = fresh(tmp_path / "root", make)
        draft, folder = conveyor.plan(1)
        return conveyor.seal(draft, folder, execution_of(draft), ours=False) is not None

    assert not seals_when_fenced_out(Conveyor)
    assert seals_when_fenced_out(mutant(bundles=Unfenced))


def _syncs(record: Record) -> list[int]:
    return [n for n, what in enumerate(record.trace, start=1) if what.startswith("sync")]


@pytest.mark.slow
def test_no_sync_can_be_left_out(place):
    whole = record_of(place / "root")
    needless = [
        whole.trace[number - 1]
        for number in _syncs(whole)
        if not power_faults(
            place,
            record_of(place / "root", ignored=frozenset({number})),
            range(number, whole.calls + 1),
        )
    ]
    assert _syncs(whole)
    assert needless == []


def test_leaving_out_the_commit_is_noticed(place):
    whole = record_of(place / "root")
    commits = [n for n in _syncs(whole) if whole.trace[n - 1].endswith("/runs")]
    assert len(commits) == RUNS
    record = record_of(place / "root", ignored=frozenset({commits[-1]}))
    assert power_faults(place, record, range(commits[-1], record.calls + 1))
