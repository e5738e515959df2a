"""Signals, kills and rivals: what they leave behind, and that nothing is lost or done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from forked import begin, command, done
from labs import LOSS_OF_X, a_lab, an_experiment, burst, hermes, lines, views

from hermes.cli import request
from hermes.clock import FixedClock, parse_time
from hermes.executing.run import Executor
from hermes.model import Outcome
from hermes.modes.loop import Tally, iterate
from hermes.state import MOST_RETRIES
from hermes.steps.opening import opened
from hermes.steps.recover import recover
from hermes.steps.refresh import refresh
from hermes.steps.session import Order
from hermes.steps.verify import verify
from hermes.steps.watchdog import watchdog
from hermes.store.leases import Leases
from hermes.store.processes import start_time, this_process

ATTENDED = Order(attended=True)
QUIET = 'sleep 60 & echo $! >> "$PIDS"; echo $$ >> "$PIDS"; touch "$THERE"; wait'
STUBBORN = (
    'trap "" TERM INT HUP; '
    'setsid sh -c \'trap "" TERM INT HUP; echo $$ >> "$PIDS"; sleep 60\' & '
    'sh -c \'trap "" TERM; echo $$ >> "$PIDS"; while :; do sleep 60; done\' & '
    'echo $$ >> "$PIDS"; while [ "$(wc -l < "$PIDS")" -lt 3 ]; do sleep 0.01; done; '
    'touch "$THERE"; while :; do sleep 60; done'
)


FIRST = "Finishing the run in hand; Ctrl-C again ends it now."


class Hanging:
    """An experiment whose runs are quick but for one: that begins a tree of processes and hangs."""

    def __init__(self, lab, folder: Path, tree: str = QUIET, *, at: int = 3, **fields) -> None:
        self.lab, self.before = lab, at - 1
        self.there, self.pids = folder / "there", folder / "pids"
        self.go_on = folder / "go-on"
        hang = f'export THERE="{self.there}" PIDS="{self.pids}"; touch "$PIDS"; {tree}'
        once = f'if [ "$LAB_RUN_ITERATION" = {at} ]; then {hang}; fi; {LOSS_OF_X}'
        an_experiment(lab, folder, executor_command=once, **fields)

    def waits(self, seconds: float = 20.0) -> None:
        """Wait until the hanging run has begun all of its processes.

        The run before is written into history meanwhile, last of all into the ledger.
        """
        until = time.monotonic() + seconds
        while not self.there.exists() or len(self.told()) < self.before:
            assert time.monotonic() < until, "the hanging run does not begin"
            time.sleep(0.005)

    def told(self) -> list[str]:
        """Return the sealed runs that the ledger knows of."""
        events = self.lab.ledger.read().records
        return [event.run_id for event in events if event.kind == "sealed"]

    def living(self) -> list[int]:
        """Return which of the processes that it began are alive."""
        pids = [int(word) for word in self.pids.read_text().split()]
        assert pids
        return [pid for pid in pids if start_time(pid) is not None]

    def kill_the_rest(self) -> None:
        for pid in self.living():
            os.kill(pid, signal.SIGKILL)


def expect_whole(lab, root, *, runs, ordered=True):
    """The history is whole, and derived files are what they are derived from."""
    assert [line.seq for line in lines(lab)] == list(range(1, runs + 1))
    assert sorted(line.run_id for line in lines(lab)) == lab.bundles.list("exp")
    assert lab.packages.running() == []
    assert verify(lab).problems == ()
    done(root, "status")
    before = views(lab)
    assert refresh(lab).problems == ()
    assert views(lab) == before
    sealed = [event.run_id for event in lab.ledger.read().records if event.kind == "sealed"]
    expected = [line.run_id for line in lines(lab)]
    assert (sealed if ordered else sorted(sealed)) == expected


def expect_made_up(lab, root, *, at=3):
    """What was cut off is recorded as that, and its trial ran again under a new number."""
    cut, again = lines(lab)[at - 1 : at + 1]
    assert (cut.outcome, cut.value) == (Outcome.INTERRUPTED, None)
    assert cut.reason == "the process that ran it ended before the run did"
    assert (again.outcome, again.trial) == (Outcome.SUCCESS, cut.trial)
    assert again.parent_run == cut.run_id
    assert (again.params, again.origin.value) == (cut.params, "retry")
    assert [event.kind for event in lab.ledger.read().records].count("interrupted") == 1


# signals


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_burst_and_all_it_began_and_keeps_what_was_finished(
    lab, root, tmp_path, number, code
):
    hanging = Hanging(lab, tmp_path)
    running = begin(root, "burst", "exp=exp", "n=9")
    hanging.waits()
    if number == signal.SIGINT:
        running.kill(number)
        running.says(FIRST)
    running.kill(number)
    answer = running.end()
    assert answer.code == code
    said = answer.err.splitlines()[-3:]
    assert said[0] == "Interrupted; what was finished is kept."
    assert said[1].startswith("2 of ")
    assert said[2].startswith("The same command goes on; n=")
    assert "Traceback" not in answer.err
    assert hanging.living() == []
    assert [line.outcome for line in lines(lab)] == [Outcome.SUCCESS] * 2
    assert lab.leases.read("exp").held is False
    done(root, "burst", "exp=exp", "n=2")
    expect_made_up(lab, root)
    expect_whole(lab, root, runs=5)


@pytest.fixture
def short_grace(monkeypatch):
    """Let commands that were asked to end have less time for it than users give them."""
    monkeypatch.setitem(Executor.__init__.__kwdefaults__, "grace_seconds", 0.3)


@pytest.mark.usefixtures("short_grace")
def test_children_that_ignore_the_signal_die_too_also_in_sessions_of_their_own(lab, root, tmp_path):
    hanging = Hanging(lab, tmp_path, STUBBORN)
    running = begin(root, "burst", "exp=exp", "n=9")
    hanging.waits()
    assert len(hanging.living()) == 3
    running.kill(signal.SIGTERM)
    assert running.end().code == 143
    assert hanging.living() == []
    done(root, "run_once")
    expect_made_up(lab, root)


def test_a_second_signal_does_not_let_anything_survive(lab, root, tmp_path):
    hanging = Hanging(lab, tmp_path, STUBBORN)
    running = begin(root, "burst", "exp=exp", "n=9")
    hanging.waits()
    for _ in range(3):
        running.kill(signal.SIGINT)
        time.sleep(0.1)
    assert running.end().code == 130
    assert hanging.living() == []
    done(root, "run_once")
    expect_made_up(lab, root)
    expect_whole(lab, root, runs=4)


@pytest.mark.usefixtures("short_grace")
def test_a_command_that_outlives_its_time_takes_its_whole_tree_with_it(lab, root, tmp_path):
    hanging = Hanging(lab, tmp_path, STUBBORN, at=1, time_budget_minutes=0.01)
    burst(lab, "exp", 1)
    assert lines(lab)[0].outcome is Outcome.TIMEOUT
    assert hanging.living() == []


def test_a_cycle_that_is_interrupted_leaves_the_next_one_to_make_up_for_it(lab, root, tmp_path):
    hanging = Hanging(lab, tmp_path, at=1)
    running = begin(root, "run_once")
    hanging.waits()
    running.kill(signal.SIGTERM)
    assert running.end().code == 143
    assert hanging.living() == []
    done(root, "run_once")
    expect_made_up(lab, root, at=1)


def test_an_interrupt_between_two_iterations_leaves_nothing_to_make_up_for(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    running = begin(root, "burst", "exp=exp", "n=9", "pause=60")
    until = time.monotonic() + 20
    while len(lines(lab)) < 1 or lab.packages.running():
        assert time.monotonic() < until
        time.sleep(0.005)
    running.kill(signal.SIGINT)
    assert running.end().code == 130
    assert lab.leases.read("exp").held is False
    done(root, "burst", "exp=exp", "n=2")
    assert [line.outcome for line in lines(lab)] == [Outcome.SUCCESS] * 3
    expect_whole(lab, root, runs=3)


def test_the_real_command_ends_as_the_shell_expects(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command=f"kill -INT $PPID; {LOSS_OF_X}")
    assert hermes(root, "burst", "exp=exp").returncode == 130
    assert hermes(root, "burst", "exp=exp", "n=1").returncode == 130
    assert [line.outcome for line in lines(lab)] == [Outcome.SUCCESS] * 2
    expect_whole(lab, root, runs=2)


def test_one_ctrl_c_finishes_the_run_in_hand_projects_and_sums_up(lab, root, tmp_path):
    waiting = f'touch "{tmp_path}/there"; until test -e "{tmp_path}/go"; do sleep 0.01; done; '
    once = f'if [ "$LAB_RUN_ITERATION" = 2 ]; then {waiting} fi; {LOSS_OF_X}'
    an_experiment(lab, tmp_path, executor_command=once)
    running = begin(root, "burst", "exp=exp", "n=9")
    until = time.monotonic() + 20
    while not (tmp_path / "there").exists():
        assert time.monotonic() < until
        time.sleep(0.005)
    running.kill(signal.SIGINT)
    running.says(FIRST)
    assert len(lines(lab)) == 1
    (tmp_path / "go").touch()
    answer = running.end()
    assert answer.code == 130
    assert "exp: 2 runs, 2 succeeded." in answer.out
    assert "It stopped before n: it was asked to stop." in answer.out
    assert answer.err.splitlines()[-2].startswith("2 of 9 runs finished; the best so far: ")
    assert answer.err.splitlines()[-1] == "The same command goes on; n=7 makes the rest."
    assert lab.leases.read("exp").held is False
    expect_whole(lab, root, runs=2)


def test_one_ctrl_c_in_a_cycle_begins_no_run_of_another_experiment(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command=f"kill -INT $PPID; {LOSS_OF_X}")
    an_experiment(lab, tmp_path, "other", executor_command=f"kill -INT $PPID; {LOSS_OF_X}")
    assert hermes(root, "run_once").returncode == 130
    assert len(lines(lab)) + len(lines(lab, "other")) == 1
    assert not any(lab.leases.read(name).held for name in ("exp", "other") if lab.leases.read(name))


def test_a_signal_whose_exception_python_swallows_still_ends_the_burst(
    lab, root, tmp_path, monkeypatch
):
    """A finaliser is one of the places where exceptions are ignored."""

    class Finalised:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    add = Tally.add

    def add_and_finalise(self, line):
        add(self, line)
        Finalised()

    an_experiment(lab, tmp_path)
    monkeypatch.setattr(Tally, "add", add_and_finalise)
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    running = begin(root, "burst", "exp=exp", "n=50")
    answer = running.end()
    assert answer.code == 143, answer.err
    assert len(lines(lab)) == 1


def test_a_signal_that_is_swallowed_before_the_first_task_begins_still_ends_the_burst(
    lab, root, tmp_path, monkeypatch
):
    check_names = request.check_names

    def check_and_swallow(*args, **kwargs):
        with contextlib.suppress(BaseException):
            os.kill(os.getpid(), signal.SIGINT)
        check_names(*args, **kwargs)

    an_experiment(lab, tmp_path)
    monkeypatch.setattr(request, "check_names", check_and_swallow)
    answer = begin(root, "burst", "exp=exp", "n=50").end()
    assert answer.code == 130, answer.err
    assert not lines(lab)


# kills


@pytest.mark.parametrize("reviving", ["run_once", "burst", "recover"])
def test_a_killed_burst_is_reclaimed_and_what_it_had_begun_is_stopped(
    lab, root, tmp_path, reviving
):
    hanging = Hanging(lab, tmp_path, STUBBORN)
    running = begin(root, "burst", "exp=exp", "n=9")
    hanging.waits()
    running.kill(signal.SIGKILL)
    assert running.end().code == -9
    assert len(hanging.living()) == 3
    words = [reviving, "exp=exp", "n=1"] if reviving == "burst" else [reviving]
    done(root, *words)
    assert lines(lab)[2].outcome is Outcome.INTERRUPTED
    if reviving == "recover":
        assert len(lines(lab)) == 3
        done(root, "run_once")
    assert hanging.living() == []
    expect_made_up(lab, root)
    expect_whole(lab, root, runs=4)
    assert watchdog(lab) == []


def test_a_cycle_for_one_experiment_reclaims_what_another_left(lab, root, tmp_path):
    hanging = Hanging(lab, tmp_path)
    an_experiment(lab, tmp_path, "other")
    running = begin(root, "burst", "exp=exp", "n=9")
    hanging.waits()
    running.kill(signal.SIGKILL)
    running.end()
    done(root, "run_once", "exp=other")
    assert [line.outcome for line in lines(lab)][2:] == [Outcome.INTERRUPTED]
    assert len(lines(lab, "other")) == 1
    hanging.kill_the_rest()


def test_a_trial_that_always_kills_the_lab_is_given_up_and_the_next_has_its_turn(
    lab, root, tmp_path
):
    an_experiment(
        lab,
        tmp_path,
        strategy="grid",
        search_space={"x": {"type": "int", "low": 1, "high": 3}},
        executor_command=f'if [ "$LAB_PARAM_X" = 1 ]; then kill -9 $PPID; fi; {LOSS_OF_X}',
    )
    codes = [command(root, "burst", "exp=exp", "n=9").code for _ in range(4)]
    assert codes == [-9, -9, -9, 0]
    assert [(line.trial, line.outcome.value) for line in lines(lab)] == [
        (1, "interrupted"),
        (1, "interrupted"),
        (1, "interrupted"),
        (2, "success"),
        (3, "success"),
    ]


def test_what_was_cut_off_counts_neither_as_a_failure_nor_against_the_budget(lab, root, tmp_path):
    hanging = Hanging(lab, tmp_path, at=2, max_iterations_total=3)
    running = begin(root, "burst", "exp=exp", "n=9")
    hanging.waits()
    running.kill(signal.SIGTERM)
    running.end()
    answer = done(root, "burst", "exp=exp", "n=9")
    assert "max_iterations_total (3) is reached" in answer.out
    assert [line.outcome.value for line in lines(lab)] == [
        "success",
        "interrupted",
        "success",
        "success",
    ]


def check_signals_at_any_moment(lab, root, tmp_path, *, rounds):
    """Each trial ends once, however often and wherever the lab was cut off."""
    an_experiment(lab, tmp_path)
    chance = random.Random(rounds)
    for _ in range(rounds):
        running = begin(root, "burst", "exp=exp", "n=500")
        time.sleep(chance.uniform(0.02, 0.12))
        number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        running.kill(number)
        answer = running.end()
        too_early = "KeyboardInterrupt" in answer.err  # before the command took the signals over
        assert answer.code in (-number, 128 + number) or too_early, answer.err
    done(root, "burst", "exp=exp", "n=1")
    done(root, "recover")  # completes the ledger
    cut_off: Counter[int] = Counter()
    ended = []
    for line in lines(lab):
        cut_off[line.trial] += line.outcome.is_retried
        is_given_up = cut_off[line.trial] > MOST_RETRIES  # by chance, once in some hundred kills
        if is_given_up or not line.outcome.is_retried:
            ended.append(line.trial)
    assert ended == list(range(1, len(ended) + 1))
    assert max(cut_off.values()) <= MOST_RETRIES + 1
    assert {line.outcome for line in lines(lab)} <= {Outcome.SUCCESS, Outcome.INTERRUPTED}
    expect_whole(lab, root, runs=len(lines(lab)), ordered=False)
    assert watchdog(lab) == []
    assert not list((root / "scratch" / "sandboxes").iterdir())


def test_signals_at_any_moment_leave_a_whole_history(lab, root, tmp_path):
    check_signals_at_any_moment(lab, root, tmp_path, rounds=12)


@pytest.mark.slow
def test_many_signals_at_any_moment_leave_a_whole_history(lab, root, tmp_path):
    check_signals_at_any_moment(lab, root, tmp_path, rounds=300)


# side by side


def test_of_two_bursts_at_once_the_second_is_busy_and_harms_nothing(
    lab, root, tmp_path, monkeypatch
):
    monkeypatch.setattr("hermes.rules.plan.WAIT_SECONDS", 0.2)
    hanging = Hanging(
        lab,
        tmp_path,
        'touch "$THERE"; for i in $(seq 2000); do test -e "$PIDS.go" && break; sleep 0.01; done',
    )
    first = begin(root, "burst", "exp=exp", "n=6")
    hanging.waits()
    second = command(root, "burst", "exp=exp", "n=6")
    assert second.code == 5
    assert "exp is being worked on by another process (" in second.err
    for words in (["run_once"], ["recover"], ["refresh"], ["watchdog"], ["status"]):
        done(root, *words)
    assert len(lines(lab)) == 2
    Path(f"{hanging.pids}.go").touch()
    assert first.end().code == 0
    assert [line.outcome for line in lines(lab)] == [Outcome.SUCCESS] * 6
    expect_whole(lab, root, runs=6)


def test_bursts_that_wait_for_each_other_make_all_their_runs(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    running = [begin(root, "burst", "exp=exp", "n=7", "seed=1") for _ in range(3)]
    assert [child.end().code for child in running] == [0, 0, 0]
    assert len({line.params["x"] for line in lines(lab)}) == 21
    assert [line.trial for line in lines(lab)] == list(range(1, 22))
    expect_whole(lab, root, runs=21)


def test_cycles_and_bursts_at_once_lose_nothing_and_make_nothing_twice(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    an_experiment(lab, tmp_path, "other")
    running = [begin(root, "run_once") for _ in range(4)]
    running += [begin(root, "burst", "exp=exp", "n=5"), begin(root, "burst", "exp=other", "n=5")]
    running += [begin(root, "recover"), begin(root, "refresh"), begin(root, "status")]
    for child in running:
        answer = child.end()
        assert answer.code == 0, answer
    for name in ("exp", "other"):
        assert len(lines(lab, name)) >= 5
        assert [line.trial for line in lines(lab, name)] == list(
            range(1, len(lines(lab, name)) + 1)
        )
    assert verify(lab).problems == ()
    assert lab.packages.running() == []


# the lease


def rival_of(lab, clock):
    """Return the leases as another living process of this machine sees them."""
    parent = os.getppid()
    me = replace(this_process(), pid=parent, started=start_time(parent))
    return Leases(lab.layout, clock, me=me)


@pytest.fixture
def clock():
    return FixedClock(parse_time("2026-03-10T12:00:00.000000Z"))


def test_a_long_burst_of_short_runs_keeps_its_lease(root, tmp_path, clock):
    """None of its runs lasts long enough to give a sign of life by itself."""
    lab = a_lab(root, clock)
    an_experiment(lab, tmp_path)
    rival = rival_of(lab, clock)
    robbed = []

    def time_goes_by(line):
        clock.advance(100)
        robbed.append(rival.acquire("exp") is not None)

    with opened(lab, "exp", ATTENDED) as session:
        iterate(session, Tally(), 12, on_run=time_goes_by)
    assert robbed == [False] * 12
    assert len(lines(lab)) == 12


def test_a_burst_that_rests_longer_than_a_term_keeps_its_lease(root, tmp_path, clock, monkeypatch):
    lab = a_lab(root, clock)
    an_experiment(lab, tmp_path)
    rival = rival_of(lab, clock)
    robbed = []

    class Time:
        monotonic = clock.monotonic

        @staticmethod
        def sleep(seconds):
            clock.advance(seconds)
            robbed.append(rival.acquire("exp") is not None)

    monkeypatch.setattr("hermes.modes.loop.time", Time)
    with opened(lab, "exp", Order(attended=True, pause_seconds=1000.0)) as session:
        iterate(session, Tally(), 2, on_run=lambda line: None)
    assert len(robbed) >= 1000
    assert not any(robbed)


def test_a_burst_that_was_taken_over_makes_no_more_runs_and_says_so(root, tmp_path, clock):
    lab = a_lab(root, clock)
    an_experiment(lab, tmp_path)
    rival = rival_of(lab, clock)
    taken = []

    def stand_still(line):
        if line.seq == 2:
            clock.advance(1000)
            taken.append(rival.acquire("exp"))

    tally = Tally()
    with opened(lab, "exp", ATTENDED) as session:
        iterate(session, tally, 9, on_run=stand_still)
    assert tally.stopped == "another process took the experiment over"
    assert len(lines(lab)) == 2
    assert len(lab.packages.running()) == 1, "the run that was under way is the new owner's"
    assert lab.leases.read("exp") == taken[0]


def test_an_iteration_that_another_owner_sealed_is_not_sealed_again(root, tmp_path, clock):
    """An owner who stood still between planning and sealing finds his number used up."""
    lab = a_lab(root, clock)
    an_experiment(lab, tmp_path)
    from hermes.steps.execute import execute
    from hermes.steps.plan import plan
    from hermes.steps.seal import seal

    with opened(lab, "exp", ATTENDED) as session:
        planned = plan(session)
        hidden = planned.folder.folder.rename(tmp_path / planned.folder.folder.name)
        session.in_flight.clear()  # the other owner knows nothing of it
        other = plan(session)
        assert other.manifest.iteration == planned.manifest.iteration
        seal(session, other, execute(session, other))
        hidden.rename(planned.folder.folder)
        (planned.folder.run.stdout).write_bytes(b"begun\n")
    assert len(lines(lab)) == 1
    recover(lab)
    assert [line.iteration for line in lines(lab)] == [1]
    assert lab.packages.running() == []
