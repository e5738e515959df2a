"""Sealed runs that are run again: what is compared, under what conditions, and what is left."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from executing_jobs import commit_all, git, tree_of
from forked import begin, command
from labs import a_lab, an_experiment, burst, hermes, lines

from hermes import files
from hermes.errors import Busy, RequestError
from hermes.executing import git_workspace
from hermes.model import Outcome
from hermes.reproduction.records import Verdict
from hermes.steps.opening import opened
from hermes.steps.project import project
from hermes.steps.recover import recover
from hermes.steps.reproduce import Call, reproduce
from hermes.steps.session import Order
from hermes.store.processes import start_time

COUNT = 'echo "{\\"loss\\": $(cat value)}"'


@pytest.fixture
def root(tmp_path):
    return tmp_path / "lab-data"


@pytest.fixture
def lab(root):
    return a_lab(root)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "value").write_text("9\n")
    (folder / "bench.sh").write_text(f"{COUNT}\n")
    return folder


def plain_experiment(lab, tmp_path, **fields):
    """Register runs without parameters that print what stands in ``value``."""
    given = {"strategy": None, "search_space": None, "workspace_root": "ws"}
    return an_experiment(lab, tmp_path, **{**given, "executor_command": "sh bench.sh", **fields})


def code_experiment(lab, tmp_path, **fields):
    """Register a loop that counts ``value`` down."""
    given = {
        "mutable_paths": ["value", "lib/*"],
        "mutation_command": "echo $(($(cat value) - 1)) > value",
        **fields,
    }
    return plain_experiment(lab, tmp_path, **given)


def again(lab, number=1, **call):
    return reproduce(lab, "exp", lines(lab)[number - 1].run_id, Call(**call))


def told(found):
    return {condition.name: condition.same for condition in found.conditions}


def edit_spec(lab, **fields):
    path = lab.layout.experiment("exp").spec
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def noisy(tmp_path, *measured):
    """Return a command that measures these, one after the other."""
    values, count = tmp_path / "values", tmp_path / "count"
    values.write_text("".join(f"{value}\n" for value in measured))
    count.write_text("1")
    return f"n=$(cat {count}); echo $((n + 1)) > {count}; sed -n ${{n}}p {values}"


def is_clean(lab):
    return files.list_folder(lab.layout.reproductions) == []


# runs of a search


def test_a_deterministic_run_is_reproduced_and_history_stays_as_it_was(lab, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 2)
    before = {name: tree_of(lab.layout.root / name) for name in ("experiments", "dispatch")}
    ledger = lab.layout.events.read_bytes()
    found = again(lab)
    assert (found.verdict, found.value.again) == (Verdict.REPRODUCED, found.value.recorded)
    assert found.params == lines(lab)[0].params
    assert set(told(found).values()) == {True}
    assert {name: tree_of(lab.layout.root / name) for name in before} == before
    assert lab.layout.events.read_bytes() == ledger
    assert is_clean(lab)


def test_commands_are_told_what_they_were_told_then(lab, tmp_path):
    names = "SEED RUN_ID RUN_ITERATION ROLE LEASE_ID FIDELITY_TIER BEST_RUN_ID BEST_METRIC_VALUE"
    names += " PARAMS_JSON PARAM_X DISPATCH_ID TIME_BUDGET_MINUTES WORKSPACE_MODE SPEC_PATH"
    shown = " ".join(f'"$LAB_{name}"' for name in names.split())
    script = f'printf "%s\\n" {shown} > "$LAB_RUN_ARTIFACTS_DIR/told"; echo "$LAB_PARAM_X"'
    an_experiment(lab, tmp_path, executor_command=script, seed=3)
    burst(lab, "exp", 3)
    for number in (1, 2, 3):
        found = again(lab, number)
        assert (found.files.same, found.files.different) == (1, ()), number


def test_what_differs_beside_the_value_is_named_and_does_not_decide(lab, tmp_path):
    egress = noisy(tmp_path, "a", "b")
    script = f"({egress}) > out.txt; echo same > same.txt; echo 1"
    plain_experiment(
        lab,
        tmp_path,
        workspace_root=None,
        executor_command=script,
        egress_files=["*.txt"],
    )
    burst(lab, "exp", 1)
    found = again(lab)
    assert found.verdict is Verdict.REPRODUCED
    assert (found.files.same, found.files.different) == (1, ("artifacts/out.txt",))


def test_another_value_is_not_reproduced_and_repeats_tell_the_noise(lab, tmp_path, workspace):
    measured = ["10", "11", "9.5", "10.75", "10.5"]
    plain_experiment(lab, tmp_path, executor_command=noisy(tmp_path, *measured))
    burst(lab, "exp", 1)
    found = again(lab)
    assert (found.verdict, found.value.difference) == (Verdict.NOT_REPRODUCED, 1.0)
    found = again(lab, repeats=3)
    assert (found.verdict, found.value.again) == (Verdict.WITHIN_NOISE, (9.5, 10.75, 10.5))
    assert found.value.noise.told_by == "again"


def test_a_commit_is_checked_out_though_the_user_has_moved_on(lab, tmp_path, workspace):
    commit = commit_all(workspace)
    plain_experiment(lab, tmp_path, workspace_mode="git")
    burst(lab, "exp", 1)
    (workspace / "value").write_text("5\n")
    git(workspace, "checkout", "-q", "-b", "other")
    git(workspace, "rm", "-q", "bench.sh")
    commit_all(workspace)
    (workspace / "more").touch()
    before = tree_of(workspace)
    found = again(lab)
    assert (found.verdict, found.value.again) == (Verdict.REPRODUCED, (9.0,))
    assert told(found)["workspace"] is True
    assert commit[:12] in next(c.now for c in found.conditions if c.name == "workspace")
    assert tree_of(workspace) == before


def test_a_commit_that_is_gone_cannot_be_had(lab, tmp_path, workspace, monkeypatch):
    commit = commit_all(workspace)
    plain_experiment(lab, tmp_path, workspace_mode="git")
    burst(lab, "exp", 1)
    os.rename(workspace / ".git", tmp_path / "old-git")
    found = again(lab)
    assert (found.verdict, found.value) == (Verdict.CANNOT, None)
    assert "lies in no git repository any more" in found.reason
    (workspace / "more").touch()
    commit_all(workspace)
    monkeypatch.setattr(git_workspace, "_has_tree", {})  # as in a new process
    found = again(lab)
    assert commit in found.reason
    assert "git fetch" in found.next


def test_a_workspace_that_was_copied_is_the_present_one_and_that_is_said(lab, tmp_path, workspace):
    plain_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    found = again(lab)
    assert (found.verdict, told(found)["workspace"]) == (Verdict.REPRODUCED, None)
    assert "it may have changed since" in {condition.note for condition in found.conditions}
    (workspace / "value").write_text("5\n")
    assert again(lab).verdict is Verdict.NOT_REPRODUCED


def test_git_tells_whether_a_workspace_that_was_copied_has_changed(lab, tmp_path, workspace):
    commit_all(workspace)
    plain_experiment(lab, tmp_path, workspace_mode="copy")
    burst(lab, "exp", 1)
    assert told(again(lab))["workspace"] is True
    (workspace / "value").write_text("5\n")
    found = again(lab)
    assert (found.verdict, told(found)["workspace"]) == (Verdict.NOT_REPRODUCED, False)
    assert "workspace" in found.next


def test_a_workspace_that_is_gone_is_said(lab, tmp_path, workspace):
    plain_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    os.rename(workspace, tmp_path / "elsewhere")
    found = again(lab)
    assert found.verdict is Verdict.CANNOT
    assert f"there is no folder {workspace}" in found.reason


def test_the_users_own_folder_is_left_alone(lab, tmp_path, workspace):
    (workspace / "config.json").write_text('{"x": 0}')
    an_experiment(
        lab,
        tmp_path,
        workspace_root="ws",
        workspace_mode="in-place",
        mutable_paths=["config.json"],
        executor_command="touch made; echo $LAB_WORKSPACE_MODE; cat config.json; echo $LAB_PARAM_X",
    )
    burst(lab, "exp", 1)
    (workspace / "made").unlink()
    before = tree_of(workspace)
    found = again(lab)
    assert (found.verdict, told(found)["workspace"]) == (Verdict.REPRODUCED, None)
    assert tree_of(workspace) == before


# the SPEC


def test_an_edited_spec_is_the_one_that_is_run_and_its_fields_are_named(lab, tmp_path, workspace):
    plain_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    edit_spec(lab, goal="another", executor_command="echo 4")
    found = again(lab)
    assert (found.verdict, found.value.again) == (Verdict.NOT_REPRODUCED, (4.0,))
    assert told(found)["spec"] is False
    assert "edited since: executor_command, goal" in {item.note for item in found.conditions}
    project(lab, "exp")  # from here on nothing holds the fields of before
    notes = {item.note for item in again(lab).conditions}
    assert "edited since; which fields is not known any more" in notes


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"metric": "gain"}, "measured 'loss', and SPEC.yaml now says 'gain'"),
        ({"fidelity_tiers": ["low", "high"]}, "no tier 'default' any more"),
        ({"executor_command": ""}, ""),
    ],
)
def test_a_spec_that_measures_something_else_cannot_reproduce(
    lab, tmp_path, workspace, fields, what
):
    plain_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    if fields.get("executor_command") == "":
        path = lab.layout.experiment("exp").spec
        spec = json.loads(path.read_text())
        del spec["executor_command"]
        path.write_text(json.dumps(spec))
        what = "no command any more that measures"
    else:
        edit_spec(lab, **fields)
    found = again(lab)
    assert found.verdict is Verdict.CANNOT
    assert what in found.reason
    assert found.next.startswith("Make SPEC.yaml say so again")


# failures


def test_a_failure_that_fails_again_the_same_way_is_reproduced(lab, tmp_path, workspace):
    script = 'echo "$PWD/train.py: lost after $(date +%s%N) ns" >&2; exit 3'
    plain_experiment(lab, tmp_path, executor_command=script)
    burst(lab, "exp", 1)
    found = again(lab)
    assert (found.verdict, found.again.outcome) == (Verdict.REPRODUCED, "failed")
    edit_spec(lab, executor_command="echo something else >&2; exit 3")
    found = again(lab)
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert "for another reason" in found.reason


@pytest.mark.parametrize(
    ("script", "outcome"),
    [("sleep 9", "timeout"), ("echo NaN", "invalid-metric"), ("true", "no-metric")],
)
def test_a_run_without_a_number_is_reproduced_without_one(
    lab, tmp_path, workspace, script, outcome
):
    plain_experiment(lab, tmp_path, executor_command=script, time_budget_minutes=0.005)
    burst(lab, "exp", 1)
    found = again(lab)
    assert (found.verdict, found.again.outcome) == (Verdict.REPRODUCED, outcome)


@pytest.mark.parametrize("outcome", ["skipped", "interrupted", "infra", "stub"])
def test_a_run_in_which_nothing_was_measured_is_refused(lab, tmp_path, monkeypatch, outcome):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    read = lab.bundles.read

    def other(experiment, run):
        bundle = read(experiment, run)
        manifest = replace(bundle.manifest, outcome=Outcome(outcome))
        return bundle._replace(manifest=manifest)

    monkeypatch.setattr(lab.bundles, "read", other)
    with pytest.raises(RequestError, match=f"ended as {outcome}: there is nothing to run again"):
        again(lab)


def test_a_record_that_is_not_as_it_was_sealed_proves_nothing(lab, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    log = lab.layout.experiment("exp").run(lines(lab)[0].run_id).stdout
    log.chmod(0o600)
    log.write_text("forged\n")
    found = again(lab)
    assert found.verdict is Verdict.CANNOT
    assert "stdout.log: changed" in found.reason


# runs of the code loop


@pytest.mark.parametrize("mode", ["copy", "git"])
def test_a_candidate_is_measured_again_and_the_code_is_not_changed_again(
    lab, tmp_path, workspace, mode
):
    if mode == "git":
        commit_all(workspace)
    asked = tmp_path / "asked"
    change = f"echo x >> {asked}; echo $(($(cat value) - 1)) > value"
    code_experiment(lab, tmp_path, workspace_mode=mode, mutation_command=change)
    burst(lab, "exp", 3)
    for number, value in ((1, 9.0), (2, 8.0), (3, 7.0)):
        found = again(lab, number)
        assert (found.verdict, found.value.again) == (Verdict.REPRODUCED, (value,))
        same = told(found)
        assert (same["evaluator"], same["candidate"], same["workspace"]) == (True, True, True)
        assert (found.recorded.outcome, found.again.outcome) == ("measured", "measured")
        assert found.files.missing == found.files.new == ()
    assert asked.read_text() == "x\nx\n"


def test_a_candidate_that_was_rejected_is_measured_again(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command="echo 12 > value")
    burst(lab, "exp", 2)
    assert lines(lab)[1].outcome is Outcome.REJECTED
    found = again(lab, 2)
    assert (found.verdict, found.value.again) == (Verdict.REPRODUCED, (12.0,))
    assert again(lab, 2, repeats=3).value.again == (12.0, 12.0, 12.0)


def test_samples_are_as_many_as_on_record_and_their_spread_is_the_noise(lab, tmp_path, workspace):
    measured = [10, 11, 12, 12, 13, 12, 20, 20, 20]
    code_experiment(
        lab,
        tmp_path,
        executor_command=noisy(tmp_path, *measured),
        acceptance={"repeats": 3},
    )
    burst(lab, "exp", 1)
    found = again(lab)
    assert (found.verdict, found.value.again) == (Verdict.WITHIN_NOISE, (12.0, 13.0, 12.0))
    assert found.value.noise.reach == pytest.approx(3.513101, abs=1e-6)
    found = again(lab)
    assert (found.verdict, found.value.again_mean) == (Verdict.NOT_REPRODUCED, 20.0)


def test_a_candidate_that_failed_is_reproduced_by_failing(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command="echo NaN > value")
    burst(lab, "exp", 2)
    found = again(lab, 2)
    assert (found.verdict, found.again.outcome) == (Verdict.REPRODUCED, "invalid-metric")


def test_by_another_evaluator_nothing_is_measured(lab, tmp_path, workspace):
    measured = tmp_path / "measured"
    code_experiment(lab, tmp_path, executor_command=f"echo x >> {measured}; sh bench.sh")
    burst(lab, "exp", 2)
    (workspace / "bench.sh").write_text(f"{COUNT} # as before\n")
    found = again(lab, 2)
    assert (found.verdict, told(found)["evaluator"]) == (Verdict.CANNOT, False)
    assert lines(lab)[1].code.evaluator in found.reason
    assert "outside of mutable_paths" in found.next
    assert measured.read_text() == "x\nx\n"


def test_a_candidate_over_other_code_is_not_that_candidate(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path)
    burst(lab, "exp", 2)
    (workspace / "lib").mkdir()
    (workspace / "lib" / "new.py").touch()
    found = again(lab, 2)
    assert (found.verdict, told(found)["candidate"]) == (Verdict.CANNOT, False)
    assert "mutable_paths" in found.next


def test_the_baseline_command_belongs_to_baselines(lab, tmp_path, workspace):
    called = tmp_path / "called"
    code_experiment(lab, tmp_path, baseline_command=f"echo x >> {called}")
    burst(lab, "exp", 2)
    for number, count in ((1, 2), (2, 2)):
        assert again(lab, number).verdict is Verdict.REPRODUCED
        assert called.read_text().count("x") == count


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("exit 3", "ended as failed and kept no candidate"),
        ("touch value", "ended as no-op before anything was measured"),
        ("touch new", "ended as out-of-bounds and kept no candidate"),
    ],
)
def test_a_run_that_measured_no_candidate_is_refused(lab, tmp_path, workspace, change, what):
    code_experiment(lab, tmp_path, mutation_command=change)
    burst(lab, "exp", 2)
    with pytest.raises(RequestError, match=what):
        again(lab, 2)


# others at work


def test_a_burst_may_hold_the_experiment_meanwhile(lab, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    with opened(lab, "exp", Order(attended=True)) as session:
        assert session is not None
        assert again(lab).verdict is Verdict.REPRODUCED
        session.beat()
        assert not session.fenced_out


def test_one_run_of_an_experiment_is_run_again_at_a_time(lab, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    with files.locked(lab.layout.reproduction_lock("exp"), wait_seconds=0), pytest.raises(Busy):
        again(lab)


class Stopped(Exception):
    """Somebody wants no more of it."""


def test_what_ends_it_leaves_nothing_and_is_not_cut_short_while_it_cleans_up(lab, tmp_path):
    an_experiment(lab, tmp_path, executor_command="sleep 30; echo 1")
    burst_in_the_past(lab)
    cleaned = []

    @contextmanager
    def uncut():
        assert not is_clean(lab)
        yield
        cleaned.append(is_clean(lab))

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        again(lab, tick=stop, uncut=uncut)
    assert cleaned == [True]


def burst_in_the_past(lab):
    """Make a run whose command was quick then."""
    path = lab.layout.experiment("exp").spec
    spec = path.read_text()
    edit_spec(lab, executor_command="echo 1")
    burst(lab, "exp", 1)
    path.write_text(spec)


# the command


def hanging(lab, tmp_path):
    """Make a run whose command hangs from now on, once it has told its process id."""
    pid = tmp_path / "pid"
    an_experiment(lab, tmp_path, executor_command=f"echo $$ > {pid}; exec sleep 60")
    burst_in_the_past(lab)
    return pid


def wait_for(pid):
    until = time.monotonic() + 20
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < until, "the command does not begin"
        time.sleep(0.005)
    return int(pid.read_text())


def test_ctrl_c_leaves_nothing_behind(lab, root, tmp_path):
    pid = hanging(lab, tmp_path)
    running = begin(root, "reproduce", "exp=exp", "run=last")
    process = wait_for(pid)
    running.kill(signal.SIGINT)
    answer = running.end()
    assert answer.code == 130
    assert "nothing of the second run is kept" in answer.err
    assert start_time(process) is None
    assert is_clean(lab)
    assert [line.seq for line in lines(lab)] == [1]


@pytest.mark.parametrize("who", ["recover", "reproduce"])
def test_what_a_kill_leaves_is_removed_with_all_that_runs_there(lab, root, tmp_path, who):
    pid = hanging(lab, tmp_path)
    running = begin(root, "reproduce", "exp=exp", "run=last")
    process = wait_for(pid)
    running.kill(signal.SIGKILL)
    running.end()
    assert not is_clean(lab)
    if who == "recover":
        assert "exp: removed what was left of running a run again" in recover(lab)
    else:
        edit_spec(lab, executor_command="echo 1")
        assert again(lab).verdict is Verdict.REPRODUCED
    assert is_clean(lab)
    assert start_time(process) is None


def test_the_real_command_says_it_in_text_and_in_json(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 3)
    best = min(lines(lab), key=lambda line: line.value)
    done = hermes(root, "reproduce", "exp=exp", "run=best")
    assert (done.returncode, "Verdict     reproduced\n" in done.stdout) == (0, True)
    assert f"Running {best.run_id} again" in done.stderr
    edit_spec(lab, executor_command="exit 7")
    done = hermes(root, "reproduce", "exp=exp", "run=last", "format=json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "not-reproduced")
    assert document["run_id"] == lines(lab)[-1].run_id
    assert done.stderr.splitlines()[-2:] == [
        "ERROR: Not reproduced: it ended as failed: executor_command: exit status 7.",
        "First make these what they were, then try again: spec.",
    ]


@pytest.mark.parametrize(
    ("run", "what"),
    [
        ("run=../../exp", "is not a run's id or number"),
        ("run=RUN-1/../..", "is not a run's id or number"),
        ("run=7", "exp has no run number 7."),
        ("run=best", "exp has no best run yet."),
        ("run=RUN-20260101T000000.000000Z-x", "No run is called"),
        ("run=last", "ended as stub: there is nothing to run again."),
    ],
)
def test_a_run_that_cannot_be_meant_is_refused_in_two_lines(lab, root, tmp_path, run, what):
    an_experiment(lab, tmp_path, executor_command=None)
    burst(lab, "exp", 1)
    answer = command(root, "reproduce", "exp=exp", run)
    assert (answer.code, answer.out) == (3, "")
    assert what in answer.err
    assert answer.err.count("\n") == 2
