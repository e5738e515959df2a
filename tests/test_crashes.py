"""Kills and power cuts at every operation of whole commands, then one command to recover."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256

import pytest
from crash_harness import FULL, KILLS, power_loss_states, recorded, run_killed
from crashed_labs import expect_healthy, killed_everywhere, rebooted, reopened
from labs import a_lab, an_experiment, burst, lines, views, write_spec

from hermes.errors import LabError
from hermes.model import Origin, Outcome
from hermes.modes.loop import Tally, iterate
from hermes.steps.create import create
from hermes.steps.opening import opened
from hermes.steps.project import differing, project
from hermes.steps.recover import recover
from hermes.steps.session import Order

pytestmark = pytest.mark.usefixtures("blocks_of_two")

RUNS = 3
GRID = {"x": {"type": "int", "low": 1, "high": 9}}


def prepared(root, folder):
    """Return a lab with one experiment whose trials are known beforehand."""
    lab = a_lab(root)
    an_experiment(lab, folder, strategy="grid", search_space=GRID)
    return lab


def told(lab):
    """Return what history tells, without times and without what was cut off."""
    return [
        (line.trial, dict(line.params), line.outcome.value, line.value)
        for line in lines(lab)
        if not line.outcome.is_retried
    ]


def undisturbed(count):
    return [(i, {"x": i}, "success", float(i)) for i in range(1, count + 1)]


def expect_whole(root, *, at_most, reopen=reopened):
    """Recover with one command; nothing is lost, nothing twice, nothing half-made visible."""
    lab = reopen(root)
    recover(lab)
    expect_healthy(lab)
    history = told(lab)
    assert history == undisturbed(len(history))
    assert len(history) <= at_most
    assert [line.seq for line in lines(lab)] == list(range(1, len(lines(lab)) + 1))
    assert sorted(line.run_id for line in lines(lab)) == lab.bundles.list("exp")
    return lab, len(history)


def expect_to_go_on(root, *, at_most):
    """Recover, then make the runs that are left: the history is that of an undisturbed lab."""
    lab, done = expect_whole(root, at_most=at_most)
    burst(lab, "exp", at_most - done)
    assert told(lab) == undisturbed(at_most)
    expect_healthy(lab)


def check_burst(copies, tmp_path, ways, every, prepare=prepared):
    prepare(copies.root, tmp_path)
    work = lambda: burst(reopened(copies.root), "exp", RUNS)  # noqa: E731
    for point in killed_everywhere(copies, work, ways, every=every):
        try:
            expect_to_go_on(copies.root, at_most=RUNS)
        except BaseException as error:
            error.args = (f"{point}: {error}",)
            raise


def test_a_burst_that_is_killed_goes_on_as_if_nothing_had_been(copies, tmp_path):
    check_burst(copies, tmp_path, KILLS, every=6)


def test_a_burst_on_a_full_disk_loses_nothing_sealed(copies, tmp_path):
    check_burst(copies, tmp_path, FULL, every=17)


@pytest.mark.slow
def test_a_burst_is_killed_at_every_operation(copies, tmp_path):
    check_burst(copies, tmp_path, KILLS, every=1)


@pytest.mark.slow
def test_a_burst_finds_the_disk_full_at_every_operation(copies, tmp_path):
    check_burst(copies, tmp_path, FULL, every=1)


AGENT = """n=$(sed -n '1s/.*trial //p' {prompt}); echo '{"params": {"x": '$n'}}'"""


def prepared_with_an_agent(root, folder):
    lab = a_lab(root)
    options = {"command": AGENT, "retries": 0}
    an_experiment(lab, folder, strategy="llm", strategy_options=options, search_space=GRID)
    return lab


def check_agent(copies, tmp_path, every):
    check_burst(copies, tmp_path, KILLS, every, prepared_with_an_agent)
    lab = reopened(copies.root)
    assert not any(lab.layout.calls("exp").iterdir())
    for line in lines(lab):
        if line.origin is Origin.STRATEGY:
            plan = lab.layout.experiment("exp").run(line.run_id).plan.read_text()
            assert "gave 1 answer." in plan


def test_a_burst_that_asks_an_agent_is_killed_and_goes_on_the_same(copies, tmp_path):
    check_agent(copies, tmp_path, every=17)


@pytest.mark.slow
def test_a_burst_that_asks_an_agent_is_killed_at_many_more_operations(copies, tmp_path):
    check_agent(copies, tmp_path, every=6)


DOWN = "echo $(($(cat value) - 1)) > value"


def prepared_with_code(root, folder):
    """Return a lab whose candidates count down, each from the one before."""
    workspace = folder / "ws"
    workspace.mkdir()
    (workspace / "value").write_text("9\n")
    lab = a_lab(root)
    an_experiment(
        lab,
        folder,
        strategy=None,
        search_space=None,
        workspace_root="ws",
        mutable_paths=["value"],
        mutation_command=f"{DOWN}; echo x >> {folder}/asked",
        executor_command='echo "{\\"loss\\": $(cat value)}"',
    )
    return lab


def counted_down(lab):
    """Return the values of what was sealed: each candidate stands on the one before."""
    return [line.value for line in lines(lab) if not line.outcome.is_retried]


def check_code(copies, tmp_path, every):
    prepared_with_code(copies.root, tmp_path)
    work = lambda: burst(reopened(copies.root), "exp", RUNS)  # noqa: E731
    for point in killed_everywhere(copies, work, KILLS, every=every):
        lab = reopened(copies.root)
        recover(lab)
        expect_healthy(lab)
        found = counted_down(lab)
        assert found == [9.0 - number for number in range(len(found))], point
        burst(lab, "exp", RUNS - len(found))
        assert counted_down(lab) == [9.0, 8.0, 7.0], point
        expect_healthy(lab)


def test_a_code_loop_that_is_killed_goes_on_from_its_incumbent(copies, tmp_path):
    check_code(copies, tmp_path, every=27)


@pytest.mark.slow
def test_a_code_loop_is_killed_at_many_more_operations(copies, tmp_path):
    check_code(copies, tmp_path, every=4)


def test_create_is_all_or_nothing_wherever_it_is_killed(copies, tmp_path):
    a_lab(copies.root)
    spec = write_spec(tmp_path)
    work = lambda: create(reopened(copies.root), spec)  # noqa: E731
    seen = set()
    for point in killed_everywhere(copies, work, (*KILLS, *FULL)):
        lab = reopened(copies.root)
        recover(lab)
        expect_healthy(lab)
        seen.add(bool(lab.experiments()))
        if not lab.experiments():
            create(lab, spec)
        burst(lab, "exp", 1)
        assert len(lines(lab)) == 1, point
    assert seen == {True, False}


def left_behind(copies, tmp_path, at):
    """Leave a data root as a burst killed at operation ``at`` leaves it."""
    prepared(copies.root, tmp_path)
    result = run_killed(lambda: burst(reopened(copies.root), "exp", RUNS), at, "after")
    assert result.died


def crashes_of_a_burst(tmp_path):
    """Return the operations of a burst after which a crash leaves most to do."""
    root = tmp_path / "trace" / "lab-data"
    root.parent.mkdir()
    prepared(root, root.parent)
    trace = run_killed(lambda: burst(reopened(root), "exp", RUNS), 0).trace
    marks = ("stdout.log", "execution.json", "/runs/", "metrics.jsonl", "dispatch/running")
    found = []
    for mark in marks:
        hits = [i for i, what in enumerate(trace, 1) if mark in what]
        found.append(hits[len(hits) // 2])
    return found


def check_recover(copies, tmp_path, every):
    for at in crashes_of_a_burst(tmp_path):
        copies.clear()
        left_behind(copies, tmp_path, at)
        for point in killed_everywhere(
            copies, lambda: recover(reopened(copies.root)), KILLS, every=every
        ):
            _, done = expect_whole(copies.root, at_most=RUNS)
            assert done <= RUNS, point


def test_a_recovery_that_is_killed_can_be_recovered_from(copies, tmp_path):
    check_recover(copies, tmp_path, every=7)


def test_projecting_that_is_killed_is_completed_by_whoever_projects_next(copies, tmp_path):
    lab = prepared(copies.root, tmp_path)
    burst(lab, "exp", 2 * RUNS)
    layout, whole = lab.layout.experiment("exp"), views(lab)
    layout.state.unlink()
    for block in layout.checkpoints.glob("trials-*"):
        block.write_text("of another form")
    work = lambda: project(reopened(copies.root), "exp")  # noqa: E731
    for point in killed_everywhere(copies, work, KILLS):
        work()
        assert views(lab) == whole, point
        assert differing(lab, "exp") == [], point


@pytest.mark.slow
def test_a_recovery_is_killed_at_every_operation(copies, tmp_path):
    check_recover(copies, tmp_path, every=1)


def cycle(root):
    """Run one cycle through the real command, in this process."""
    from hermes.cli import door
    from hermes.rules import creators

    os.environ["HERMES_LAB_DATA_ROOT"] = str(root)
    os.chdir(root.parent)
    with pytest.raises(SystemExit) as end:
        door.main(["run_once"], creators=creators())
    assert not end.value.code


def check_cycle(copies, tmp_path, every):
    prepared(copies.root, tmp_path)
    for point in killed_everywhere(copies, lambda: cycle(copies.root), KILLS, every=every):
        lab, done = expect_whole(copies.root, at_most=1)
        result = run_killed(lambda: cycle(copies.root), 0)
        assert not result.error, (point, result.error)
        assert told(lab) == undisturbed(done + 1), point
        before = len(lines(lab))
        assert before - done <= 2, "a run that was cut off, and the one made up for it"
        expect_healthy(lab)


def test_a_cycle_that_is_killed_repeats_no_finished_step(copies, tmp_path):
    check_cycle(copies, tmp_path, every=6)


@pytest.mark.slow
def test_a_cycle_is_killed_at_every_operation(copies, tmp_path):
    check_cycle(copies, tmp_path, every=1)


def check_power(copies, tmp_path, every, ignored=frozenset(), *, early=False):
    prepared(copies.root, tmp_path)

    def work(record):
        lab = reopened(copies.root)
        with opened(lab, "exp", Order(attended=True, runs=RUNS)) as session:
            iterate(session, Tally(), RUNS, on_run=lambda line: record.mark(line.run_id))

    record = recorded(copies.root, work, ignored=ignored, early=early)
    cuts = distinct_cuts(record, range(0, record.calls + 1, every))
    for state, promised in cuts:
        state.write(copies.root)
        lab, _ = expect_whole(copies.root, at_most=RUNS, reopen=rebooted)
        kept = {line.run_id for line in lines(lab)}
        assert promised <= kept, state.name
    return len(cuts)


def distinct_cuts(record, ats):
    """Return what the disk may hold after power cuts, once each, with what had been promised.

    What two cuts may leave alike is held to the later one's promises, which are all of the other's.
    """
    found = {}
    for at in ats:
        for state in power_loss_states(record, at, seed=at):
            found[sha256(repr(state.tree).encode()).digest()] = (state, record.promised(at))
    return list(found.values())


def test_a_power_cut_loses_no_sealed_run(copies, tmp_path):
    assert check_power(copies, tmp_path, every=29) > 50


def test_a_power_cut_loses_none_either_when_a_plan_is_durable_early(copies, tmp_path):
    assert check_power(copies, tmp_path, every=31, early=True) > 50


@pytest.mark.slow
@pytest.mark.parametrize("early", [False, True])
def test_a_power_cut_at_any_operation_loses_no_sealed_run(copies, tmp_path, early):
    assert check_power(copies, tmp_path, every=3, early=early) > 600


def test_a_run_that_was_cut_off_is_recorded_and_its_trial_runs_again(copies, tmp_path):
    prepared(copies.root, tmp_path)
    trace = run_killed(lambda: burst(reopened(copies.root), "exp", 1), 0).trace
    shutil.rmtree(copies.root)
    prepared(copies.root, tmp_path)
    at = next(i for i, what in enumerate(trace, 1) if "execution.json" in what)
    run_killed(lambda: burst(reopened(copies.root), "exp", 1), at, "before")
    lab, done = expect_whole(copies.root, at_most=1)
    assert done == 0
    assert [line.outcome for line in lines(lab)] == [Outcome.INTERRUPTED]
    burst(lab, "exp", 1)
    again = lines(lab)[-1]
    assert (again.trial, again.parent_run, again.outcome) == (
        1,
        lines(lab)[0].run_id,
        Outcome.SUCCESS,
    )


def test_a_lab_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(copies, tmp_path):
    prepared(copies.root, tmp_path)
    result = run_killed(lambda: burst(reopened(copies.root), "exp", 1), 5, "stays-full")
    assert "No space left" in result.error
    expect_to_go_on(copies.root, at_most=1)


def test_the_checks_above_have_teeth(copies, tmp_path):
    lab = prepared(copies.root, tmp_path)
    burst(lab, "exp", RUNS)
    run = lab.bundles.list("exp")[1]
    target = lab.layout.experiment("exp").run(run).result
    target.chmod(0o600)
    target.write_text(target.read_text() + " ")
    with pytest.raises((AssertionError, LabError)):
        expect_whole(copies.root, at_most=RUNS)
