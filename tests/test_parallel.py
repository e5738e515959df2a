"""Several runs of one experiment in flight: slots, the loop over them, and what a crash leaves."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from forked import begin, command, done
from labs import LOSS_OF_X, an_experiment, burst, lines

from hermes.model import Outcome, Phase
from hermes.modes.loop import Tally, iterate
from hermes.modes.slots import Slots
from hermes.steps.opening import opened
from hermes.steps.plan import FENCED, plan
from hermes.steps.session import Order
from hermes.steps.verify import verify
from hermes.steps.watchdog import watchdog

INTS = {"x": {"type": "int", "low": 1, "high": 4}}


def meeting(folder: Path, guests: int) -> str:
    """Return a command that ends when as many runs of it are at work at the same time."""
    place = folder / "meeting"
    place.mkdir()
    return (
        f'touch "{place}/$LAB_RUN_ITERATION"; i=0; '
        f'until [ "$(ls "{place}" | wc -l)" -ge {guests} ]; do sleep 0.01; i=$((i + 1)); '
        f"[ $i -gt 2000 ] && exit 1; done; {LOSS_OF_X}"
    )


def expect_sealed(lab, runs: int) -> None:
    found = lines(lab)
    assert [line.seq for line in found] == list(range(1, runs + 1))
    assert sorted(line.iteration for line in found) == list(range(1, runs + 1))
    assert sorted(line.run_id for line in found) == lab.bundles.list("exp")
    assert lab.packages.running() == []
    assert verify(lab).problems == ()


def test_runs_are_at_work_at_the_same_time_each_in_a_sandbox_of_its_own(lab, root, tmp_path):
    workspace = tmp_path / "mine"
    workspace.mkdir()
    (workspace / "note").write_text("unchanged")
    command_ = f'echo "$LAB_RUN_ID" > note; {meeting(tmp_path, 3)} && cat note > egress.txt'
    an_experiment(
        lab,
        tmp_path,
        executor_command=command_,
        workspace_root=str(workspace),
        egress_files=["egress.txt"],
    )
    done(root, "burst", "exp=exp", "n=3", "parallel=3")
    expect_sealed(lab, 3)
    assert (workspace / "note").read_text() == "unchanged"
    for line in lines(lab):
        kept = lab.layout.experiment("exp").run(line.run_id).artifacts / "egress.txt"
        assert kept.read_text().strip() == line.run_id
    assert not list((root / "scratch" / "sandboxes").iterdir())


def test_a_long_burst_keeps_all_slots_busy_and_seals_in_one_chain(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    answer = done(root, "burst", "exp=exp", "n=60", "parallel=4")
    assert "exp: 60 runs, 60 succeeded." in answer.out
    expect_sealed(lab, 60)
    assert len({line.params["x"] for line in lines(lab)}) == 60
    assert watchdog(lab) == []


def test_points_in_flight_are_told_to_the_strategy(lab, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=INTS)
    with opened(lab, "exp", Order(attended=True, runs=4, parallel=4)) as session:
        planned = [plan(session) for _ in range(4)]
        assert [item.manifest.params["x"] for item in planned] == [1, 2, 3, 4]
        assert [item.manifest.trial for item in planned] == [1, 2, 3, 4]
        assert plan(session).reason == "the search space has no point left to try"
        session.in_flight.clear()
        for item in planned:
            lab.packages.discard(item.folder)


def test_an_unattended_search_is_not_over_while_its_last_points_are_in_flight(lab, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=INTS, max_parallel=2)
    tally = Tally()
    with opened(lab, "exp", Order(runs=9)) as session:
        iterate(session, tally, 9, on_run=lambda line: None)
        assert session.state.phase is Phase.COMPLETED
    assert (tally.runs, tally.stopped) == (4, "the search space has no point left to try")


def test_the_budget_counts_the_runs_in_flight(lab, tmp_path):
    an_experiment(lab, tmp_path, max_iterations_total=5)
    tally = burst(lab, "exp", 20, parallel=3)
    assert tally.runs == 5
    assert tally.stopped.endswith("max_iterations_total (5) is reached")
    expect_sealed(lab, 5)


def test_results_are_sealed_as_they_come(lab, root, tmp_path):
    slow = f'if [ "$LAB_RUN_ITERATION" = 1 ]; then {meeting(tmp_path, 3)}; else touch '
    slow += f'"{tmp_path}/meeting/$LAB_RUN_ITERATION"; {LOSS_OF_X}; fi'
    an_experiment(lab, tmp_path, executor_command=slow)
    done(root, "burst", "exp=exp", "n=4", "parallel=2")
    found = [line.iteration for line in lines(lab)]
    assert sorted(found) == [1, 2, 3, 4]
    assert found.index(1) >= 1
    expect_sealed(lab, 4)


def test_a_failure_of_one_run_leaves_the_others_alone(lab, root, tmp_path):
    fails = f'if [ "$LAB_RUN_ITERATION" = 2 ]; then exit 3; fi; {LOSS_OF_X}'
    an_experiment(lab, tmp_path, executor_command=fails)
    done(root, "burst", "exp=exp", "n=8", "parallel=3")
    expect_sealed(lab, 8)
    failed = [line for line in lines(lab) if line.outcome is Outcome.FAILED]
    assert [(line.iteration, line.value) for line in failed] == [(2, None)]


def test_pause_lets_what_is_in_flight_end_and_begins_nothing_more(lab, root, tmp_path):
    wait = f'touch "{tmp_path}/on-$LAB_RUN_ITERATION"; until test -e "{tmp_path}/go"; do '
    an_experiment(lab, tmp_path, executor_command=f"{wait}sleep 0.01; done; {LOSS_OF_X}")
    running = begin(root, "burst", "exp=exp", "n=9", "parallel=2")
    _until(lambda: all((tmp_path / f"on-{n}").exists() for n in (1, 2)))
    done(root, "pause", "exp=exp")
    (tmp_path / "go").touch()
    answer = running.end()
    assert answer.code == 0, answer.err
    assert "exp: 2 runs, 2 succeeded." in answer.out
    expect_sealed(lab, 2)


def test_one_ctrl_c_finishes_all_that_is_in_flight_two_end_it(lab, root, tmp_path):
    wait = f'touch "{tmp_path}/on-$LAB_RUN_ITERATION"; until test -e "{tmp_path}/go"; do '
    an_experiment(lab, tmp_path, executor_command=f"{wait}sleep 0.01; done; {LOSS_OF_X}")
    running = begin(root, "burst", "exp=exp", "n=9", "parallel=2")
    _until(lambda: all((tmp_path / f"on-{n}").exists() for n in (1, 2)))
    running.kill(signal.SIGINT)
    running.says("Finishing the run in hand")
    running.kill(signal.SIGINT)
    assert running.end().code == 130
    assert not lines(lab)
    (tmp_path / "go").touch()
    done(root, "burst", "exp=exp", "n=2", "parallel=2")
    found = lines(lab)
    assert [line.outcome.value for line in found[:2]] == ["interrupted"] * 2
    assert sorted(line.trial for line in found) == [1, 1, 2, 2]
    expect_sealed(lab, 4)


def test_a_killed_parallel_burst_loses_and_repeats_nothing(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command=f"sleep 0.01; {LOSS_OF_X}")
    for moment in (0.05, 0.12, 0.2, 0.3):
        running = begin(root, "burst", "exp=exp", "n=200", "parallel=3")
        target = len(lines(lab)) + int(moment * 30)
        _until(lambda target=target: len(lines(lab)) >= target)
        running.kill(signal.SIGKILL)
        running.end()
    done(root, "burst", "exp=exp", "n=3", "parallel=3")
    done(root, "recover")
    found = lines(lab)
    expect_sealed(lab, len(found))
    ended = sorted(line.trial for line in found if not line.outcome.is_retried)
    assert ended == list(range(1, len(ended) + 1))
    assert watchdog(lab) == []


def test_an_owner_who_lost_the_lease_stops_all_its_runs_and_seals_none(lab, tmp_path):
    an_experiment(lab, tmp_path, executor_command="sleep 60")
    order, tally = Order(attended=True, runs=2), Tally()
    with opened(lab, "exp", order) as session, Slots(session, 2) as slots:
        slots.start(plan(session))
        slots.start(plan(session))
        session.lab.leases.release(session.lease)
        with opened(lab, "exp", Order()) as other:
            assert other is not None
            iterate(session, tally, 2, on_run=lambda line: None, slots=slots)
        assert (tally.runs, tally.stopped) == (0, FENCED)
    assert [line.outcome for line in lines(lab)] == [Outcome.INTERRUPTED] * 2


def test_what_the_lab_did_not_expect_in_a_slot_is_raised_where_it_is_waited_for(lab, tmp_path):
    an_experiment(lab, tmp_path)
    with opened(lab, "exp", Order(attended=True, runs=2)) as session:
        session.executor(0).execute = _broken
        with Slots(session, 2) as slots:
            slots.start(plan(session))
            with pytest.raises(ZeroDivisionError):
                slots.wait()
            assert slots.busy == 0


def test_the_spec_says_how_many_may_be_in_flight_unless_the_command_does(lab, root, tmp_path):
    an_experiment(
        lab,
        tmp_path,
        executor_command=meeting(tmp_path, 2),
        max_parallel=2,
        max_iterations_per_run=2,
    )
    done(root, "run_once", "max_runs=2")
    expect_sealed(lab, 2)
    assert all(line.outcome is Outcome.SUCCESS for line in lines(lab))


def test_runs_side_by_side_in_the_users_own_folder_are_refused(lab, root, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    an_experiment(lab, tmp_path, workspace_root=str(mine), workspace_mode="in-place")
    answer = command(root, "burst", "exp=exp", "n=4", "parallel=2")
    assert answer.code == 3
    assert "in-place has one folder for 2 runs at a time" in answer.err
    assert not lines(lab)
    done(root, "burst", "exp=exp", "n=2", "parallel=1")
    expect_sealed(lab, 2)


def test_a_parallel_burst_of_one_is_a_burst(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    assert command(root, "burst", "exp=exp", "n=1", "parallel=8").code == 0
    expect_sealed(lab, 1)


def _broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def _until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)
