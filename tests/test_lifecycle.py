"""Phases, limits and exit codes, as whoever gives the commands meets them."""

from __future__ import annotations

import threading
import time

import pytest
from forked import begin, command, done
from labs import LOSS_OF_X, an_experiment, burst, lines
from steered import status, wait_for

from hermes import history
from hermes.model import Outcome, Phase
from hermes.modes.loop import Tally, iterate
from hermes.steps.lifecycle import set_phase
from hermes.steps.opening import opened
from hermes.steps.session import Order

SMALL_GRID = {"x": {"type": "int", "low": 1, "high": 3}}
TWO_LINES = 2


def phase_of(lab, experiment="exp"):
    return history.read(lab, experiment).state.phase


def failing_while(path):
    """Return a command that fails as long as the file is there."""
    return f"test ! -e {path} && {LOSS_OF_X}"


def refusal(answer):
    """Return the message and the next step of a refused command."""
    said = answer.err[answer.err.index("ERROR: ") :].splitlines()
    assert len(said) == TWO_LINES, answer
    return said


# pause, resume, complete


def test_a_pause_from_another_process_stops_a_running_burst_at_its_next_iteration(
    lab, root, tmp_path
):
    """The third run says that it is there, and ends when the pause is written."""
    there, paused = tmp_path / "there", tmp_path / "paused"
    an_experiment(
        lab,
        tmp_path,
        executor_command=f'if [ "$LAB_RUN_ITERATION" = 3 ]; then touch {there}; '
        f"for i in $(seq 2000); do test -e {paused} && break; sleep 0.01; done; fi; {LOSS_OF_X}",
    )
    running = begin(root, "burst", "exp=exp", "n=50")
    wait_for(there)
    done(root, "pause", "exp=exp", "reason=the cluster goes down")
    paused.touch()
    answer = running.end()
    assert answer.code == 0
    assert "It stopped before n: it is paused: the cluster goes down." in answer.out
    assert len(lines(lab)) == 3
    assert status(root)["phase"] == "paused"
    assert status(root)["blocked_reason"] == "the cluster goes down"


def test_what_is_paused_is_refused_and_the_next_step_lets_it_go_on(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    done(root, "pause", "exp=exp", "reason=lunch")
    answer = command(root, "burst", "exp=exp", "n=2")
    assert answer.code == 3
    what, next_step = refusal(answer)
    assert what == "ERROR: No run of exp was planned: it is paused: lunch."
    assert "`hermes-lab resume exp=exp`" in next_step
    assert done(root, "run_once") == (0, "", "")
    done(root, "resume", "exp=exp")
    assert done(root, "burst", "exp=exp", "n=2").out.startswith("exp: 2 runs")


def test_what_is_completed_is_refused_and_can_be_resumed(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    done(root, "complete", "exp=exp", "reason=good enough")
    answer = command(root, "burst", "exp=exp")
    assert answer.code == 3
    assert "it is completed: good enough" in refusal(answer)[0]
    assert command(root, "pause", "exp=exp").code == 3
    assert phase_of(lab) is Phase.COMPLETED
    done(root, "resume", "exp=exp")
    done(root, "burst", "exp=exp", "n=1")
    assert len(lines(lab)) == 2


def test_resuming_forgives_the_failures_before_it(lab, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    an_experiment(lab, tmp_path, executor_command=failing_while(broken))
    assert burst(lab, "exp", 9).runs == 5
    assert history.read(lab, "exp").state.failure_streak == 5
    set_phase(lab, "exp", Phase.ACTIVE, "mended")
    assert history.read(lab, "exp").state.failure_streak == 0
    broken.unlink()
    assert burst(lab, "exp", 9).successes == 9


def test_a_decision_is_written_once_into_journal_and_ledger(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    for _ in range(2):
        done(root, "pause", "exp=exp", "reason=lunch")
    told = [event.detail for event in lab.ledger.read().records if event.kind == "phase"]
    assert told == ["paused: lunch"]
    records = lab.journal("exp").read().records
    assert [record.phase for record in records] == [Phase.QUEUED, Phase.PAUSED]
    assert records[-1].by == "human"


# the budget of iterations


def test_a_burst_beyond_the_budget_of_iterations_stops_and_says_why(lab, root, tmp_path):
    an_experiment(lab, tmp_path, max_iterations_total=3)
    answer = done(root, "burst", "exp=exp", "n=10")
    assert "exp: 3 runs, 3 succeeded." in answer.out
    assert "it is completed: max_iterations_total (3) is reached" in answer.out
    assert status(root)["phase"] == "completed"
    assert status(root)["blocked_reason"] == "max_iterations_total (3) is reached"


def test_a_burst_that_ends_with_the_budget_says_so_too(lab, root, tmp_path):
    an_experiment(lab, tmp_path, max_iterations_total=3)
    answer = done(root, "burst", "exp=exp", "n=3")
    assert "It stopped before n" not in answer.out
    assert "exp is completed: max_iterations_total (3) is reached." in answer.out


def test_a_cycle_says_that_an_experiment_is_completed_and_leaves_it_alone_then(lab, root, tmp_path):
    an_experiment(lab, tmp_path, max_iterations_total=1)
    answer = done(root, "run_once")
    assert "exp is completed: max_iterations_total (1) is reached." in answer.out
    assert done(root, "run_once") == (0, "", "")
    assert len(lines(lab)) == 1


def test_what_used_up_its_budget_names_the_field_to_raise(lab, root, tmp_path):
    an_experiment(lab, tmp_path, max_iterations_total=1)
    burst(lab, "exp", 1)
    for resumed in (False, True):
        if resumed:
            done(root, "resume", "exp=exp")
        answer = command(root, "burst", "exp=exp")
        assert answer.code == 3
        what, next_step = refusal(answer)
        assert "max_iterations_total (1) is reached" in what
        assert (
            next_step
            == "Raise max_iterations_total in SPEC.yaml, then `hermes-lab resume exp=exp`."
        )
    spec = lab.layout.experiment("exp").spec
    spec.write_text(
        spec.read_text().replace('"max_iterations_total": 1', '"max_iterations_total": 2')
    )
    done(root, "resume", "exp=exp")
    done(root, "burst", "exp=exp", "n=9")
    assert len(lines(lab)) == 2


def test_a_grid_without_points_left_ends_a_burst_with_the_reason(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=SMALL_GRID)
    answer = done(root, "burst", "exp=exp", "n=9")
    assert "exp: 3 runs, 3 succeeded." in answer.out
    assert "It stopped before n: the search space has no point left to try." in answer.out
    assert [line.params["x"] for line in lines(lab)] == [1, 2, 3]
    answer = command(root, "burst", "exp=exp", "n=9")
    assert answer.code == 3
    what, next_step = refusal(answer)
    assert "the search space has no point left to try" in what
    assert "search_space" in next_step
    assert len(lines(lab)) == 3


def test_a_cycle_completes_what_has_no_point_left(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=SMALL_GRID)
    burst(lab, "exp", 3)
    assert phase_of(lab) is Phase.ACTIVE  # the strategy of a burst need not be the SPEC's
    answer = done(root, "run_once")
    assert "the search space has no point left to try" in answer.out
    assert status(root)["phase"] == "completed"
    assert done(root, "run_once") == (0, "", "")


# exit codes


def test_a_burst_exits_zero_when_one_iteration_succeeded_and_one_when_none_did(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy=None, executor_command='test "$LAB_RUN_ITERATION" = 2')
    answer = command(root, "burst", "exp=exp", "n=3")
    assert answer.code == 1  # the second named no metric
    assert "the last ended as failed" in refusal(answer)[0]
    spec = lab.layout.experiment("exp").spec
    spec.write_text(spec.read_text().replace('= 2"', '= 5 && echo 1"'))
    answer = command(root, "burst", "exp=exp", "n=3")
    assert answer.code == 0, answer
    assert "exp: 3 runs, 1 succeeded." in answer.out


def test_a_burst_of_stubs_exits_one_and_says_that_nothing_is_configured(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command=None, strategy=None, search_space=None)
    answer = command(root, "burst", "exp=exp", "n=2")
    assert answer.code == 1
    assert "stub: there is no executor_command" in answer.err
    assert phase_of(lab) is Phase.ACTIVE


def test_a_burst_that_cannot_begin_exits_three_and_leaves_no_run(lab, root, tmp_path):
    workspace = tmp_path / "code"
    workspace.mkdir()
    an_experiment(lab, tmp_path, workspace_root="code")
    workspace.rmdir()
    answer = command(root, "burst", "exp=exp")
    assert answer.code == 3
    assert "there is no folder" in refusal(answer)[0]
    assert lines(lab) == ()
    assert lab.packages.running() == []
    assert phase_of(lab) is Phase.QUEUED


def test_a_burst_of_what_somebody_works_on_waits_a_little_and_then_is_busy(
    lab, root, tmp_path, monkeypatch
):
    monkeypatch.setattr("hermes.rules.plan.WAIT_SECONDS", 0.3)
    an_experiment(lab, tmp_path)
    lease = lab.leases.acquire("exp")
    began = time.monotonic()
    answer = command(root, "burst", "exp=exp")
    assert time.monotonic() - began > 0.3
    assert answer.code == 5
    assert "is being worked on by another process" in refusal(answer)[0]
    lab.leases.release(lease)
    assert command(root, "burst", "exp=exp", "n=1").code == 0


def test_a_burst_goes_on_when_a_passing_cycle_lets_go(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    lease = lab.leases.acquire("exp")
    letting_go = threading.Timer(0.2, lab.leases.release, [lease])
    running = begin(root, "burst", "exp=exp", "n=1")
    letting_go.start()
    assert running.end().code == 0
    letting_go.join()
    assert len(lines(lab)) == 1


def test_a_cycle_with_failing_runs_exits_zero(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command="exit 3")
    assert done(root, "run_once").out == "exp: 1 run, 0 succeeded\n"


# failures in a row


def test_three_failures_in_unattended_cycles_wait_for_a_person(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command="exit 3")
    for number in (1, 2, 3):
        assert phase_of(lab) is not Phase.AWAITING_HUMAN
        answer = done(root, "run_once")
        assert len(lines(lab)) == number
    assert "exp is awaiting-human: 3 failures in a row" in answer.out
    assert "executor_command: exit status 3" in status(root)["blocked_reason"]
    assert done(root, "run_once") == (0, "", "")


def test_five_failures_in_a_row_pause_in_an_unattended_cycle(lab, root, tmp_path):
    broken = tmp_path / "broken"
    an_experiment(lab, tmp_path, executor_command=failing_while(broken))
    burst(lab, "exp", 1)
    broken.touch()
    burst(lab, "exp", 6)
    assert phase_of(lab) is Phase.ACTIVE  # of a burst, twenty are borne
    answer = done(root, "run_once")
    assert phase_of(lab) is Phase.PAUSED
    assert "6 failures in a row" in answer.out
    assert len(lines(lab)) == 7


def test_a_burst_bears_twenty_failures_in_a_row_but_five_of_what_never_worked(lab, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    an_experiment(lab, tmp_path, executor_command=failing_while(broken))
    assert burst(lab, "exp", 50).runs == 5
    assert phase_of(lab) is Phase.AWAITING_HUMAN
    broken.unlink()
    burst(lab, "exp", 1)
    broken.touch()
    tally = burst(lab, "exp", 50)
    assert tally.runs == 20
    assert tally.stopped.startswith("it is awaiting-human: 20 failures in a row")


def test_a_burst_of_what_waits_for_a_person_is_the_answer_and_has_limits_of_its_own(lab, tmp_path):
    an_experiment(lab, tmp_path, executor_command="exit 3")
    assert [burst(lab, "exp", 9).runs for _ in range(3)] == [5, 5, 5]
    kinds = [(record.by, record.phase) for record in lab.journal("exp").read().records[1:]]
    assert kinds == [
        ("lab", Phase.AWAITING_HUMAN),
        ("human", Phase.ACTIVE),
        ("lab", Phase.AWAITING_HUMAN),
        ("human", Phase.ACTIVE),
        ("lab", Phase.AWAITING_HUMAN),
    ]


def test_a_burst_that_cannot_begin_is_no_answer(lab, root, tmp_path):
    workspace = tmp_path / "code"
    workspace.mkdir()
    an_experiment(lab, tmp_path, workspace_root="code")
    set_phase(lab, "exp", Phase.AWAITING_HUMAN, "look at this")
    workspace.rmdir()
    assert command(root, "burst", "exp=exp").code == 3
    assert phase_of(lab) is Phase.AWAITING_HUMAN


@pytest.mark.parametrize("limit", [1, 7])
def test_max_failure_streak_sets_the_limit_of_burst_and_cycle(lab, root, tmp_path, limit):
    an_experiment(lab, tmp_path, "burst", executor_command="exit 3", max_failure_streak=limit)
    an_experiment(lab, tmp_path, "cycle", executor_command="exit 3", max_failure_streak=limit)
    assert burst(lab, "burst", 9).runs == limit
    for _ in range(limit + 2):
        with opened(lab, "cycle", Order()) as session:
            iterate(session, Tally(), 1, on_run=lambda line: None)
    assert len(lines(lab, "cycle")) == limit
    assert phase_of(lab, "cycle") is phase_of(lab, "burst") is Phase.AWAITING_HUMAN


def test_a_machine_that_fails_run_after_run_calls_for_a_person_and_charges_nothing(
    lab, tmp_path, monkeypatch
):
    from hermes.executing.workspaces import Workspaces

    def broken(*arguments):
        raise OSError(5, "Input/output error")

    an_experiment(lab, tmp_path, max_iterations_total=3)
    preparing = Workspaces.prepare
    monkeypatch.setattr(Workspaces, "prepare", broken)
    tally = burst(lab, "exp", 50)
    assert tally.outcomes == {Outcome.INFRA: 10}
    assert "the lab or the machine failed 10 runs in a row" in tally.stopped
    assert "Input/output error" in tally.stopped
    monkeypatch.setattr(Workspaces, "prepare", preparing)
    set_phase(lab, "exp", Phase.ACTIVE, "a new disk")
    tally = burst(lab, "exp", 50)
    assert tally.outcomes == {Outcome.SUCCESS: 3}
    assert phase_of(lab) is Phase.COMPLETED


# autonomy


def test_without_autonomy_each_run_of_a_cycle_waits_to_be_looked_at(lab, root, tmp_path):
    an_experiment(lab, tmp_path, autonomous=False, max_iterations_per_run=3)
    answer = done(root, "run_once")
    assert len(lines(lab)) == 1
    assert "it is awaiting-human: autonomous is false: look at the last run" in answer.out
    assert done(root, "run_once") == (0, "", "")
    done(root, "resume", "exp=exp")
    done(root, "run_once")
    assert len(lines(lab)) == 2
    assert phase_of(lab) is Phase.AWAITING_HUMAN


def test_without_autonomy_a_burst_makes_its_runs_and_a_cycle_none_after_it(lab, root, tmp_path):
    an_experiment(lab, tmp_path, autonomous=False)
    done(root, "burst", "exp=exp", "n=3")
    done(root, "run_once")
    assert len(lines(lab)) == 3
    assert phase_of(lab) is Phase.AWAITING_HUMAN


# pauses between iterations


def test_a_burst_rests_between_iterations_and_not_after_the_last(lab, tmp_path, monkeypatch):
    an_experiment(lab, tmp_path)
    slept, now = [], [0.0]

    class Time:
        @staticmethod
        def monotonic():
            return now[0]

        @staticmethod
        def sleep(seconds):
            slept.append(seconds)
            now[0] += seconds

    monkeypatch.setattr("hermes.modes.loop.time", Time)
    assert burst(lab, "exp", 3, pause_seconds=2.5).runs == 3
    assert sum(slept) == pytest.approx(5.0)
    assert max(slept) <= 1.0  # so that signs of life are given meanwhile


def test_outcomes_of_a_burst_are_counted_by_kind(lab, tmp_path):
    an_experiment(lab, tmp_path, strategy=None, executor_command='test "$LAB_RUN_ITERATION" = 1')
    assert burst(lab, "exp", 3).outcomes == {Outcome.NO_METRIC: 1, Outcome.FAILED: 2}
