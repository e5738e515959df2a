"""Holds the code loop as a whole: candidates on top of each other, judged, sealed and resumed."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone

import pytest
from executing_jobs import commit_all, git, tree_of
from labs import a_lab, an_experiment, burst, hermes, lines

from hermes import acceptance, codec, policy
from hermes.clock import FixedClock
from hermes.errors import RequestError, SpecError
from hermes.executing import candidate
from hermes.executing.measuring import Measuring
from hermes.model import Origin, Outcome, Phase
from hermes.steps.execute import job_for, perform
from hermes.steps.opening import opened
from hermes.steps.plan import plan
from hermes.steps.project import read_status
from hermes.steps.seal import seal
from hermes.steps.session import Order
from hermes.steps.verify import verify

COUNT = 'echo "{\\"loss\\": $(cat value)}"'
DOWN = "echo $(($(cat value) - 1)) > value; echo 'HYPOTHESIS: one less'"


@pytest.fixture
def lab(tmp_path):
    return a_lab(tmp_path / "lab-data")


@pytest.fixture
def workspace(tmp_path):
    root = tmp_path / "ws"
    root.mkdir()
    (root / "value").write_text("9\n")
    (root / "bench.sh").write_text(f"{COUNT}\n")
    return root


def code_experiment(lab, tmp_path, **fields):
    """Register a loop that counts ``value`` down, unless the fields say otherwise."""
    given = {
        "strategy": None,
        "search_space": None,
        "workspace_root": "ws",
        "mutable_paths": ["value"],
        "read_only_paths": ["bench.sh"],
        "executor_command": "sh bench.sh",
        "mutation_command": DOWN,
        **fields,
    }
    return an_experiment(lab, tmp_path, **given)


def told(lab):
    return [(line.outcome.value, line.value, line.accepted) for line in lines(lab)]


@pytest.mark.parametrize("mode", ["copy", "git"])
def test_each_candidate_begins_where_the_incumbent_stands(lab, tmp_path, workspace, mode):
    if mode == "git":
        commit_all(workspace)
    before = tree_of(workspace)
    code_experiment(lab, tmp_path, workspace_mode=mode)
    tally = burst(lab, "exp", 5)
    assert told(lab) == [("success", float(9 - number), True) for number in range(5)]
    assert (tally.worked, tally.accepted) == (5, 5)
    first, *others = lines(lab)
    assert (first.origin, first.strategy, first.code.compared_with) == (
        Origin.BASELINE,
        "baseline",
        None,
    )
    assert [line.strategy for line in others] == ["mutation"] * 4
    assert [line.code.compared_with for line in others] == [line.run_id for line in lines(lab)[:-1]]
    assert {line.code.hypothesis for line in others} == {"one less"}
    assert tree_of(workspace) == before
    if mode == "git":
        assert git(workspace, "status", "--porcelain") == ""


def test_a_later_session_goes_on_from_the_incumbent(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path)
    for _ in range(3):
        burst(lab, "exp", 1)
    assert told(lab) == [("success", 9.0, True), ("success", 8.0, True), ("success", 7.0, True)]
    changed, hypothesis = candidate.load(lab.layout.experiment("exp").run(lines(lab)[-1].run_id))
    assert changed["value"].data == b"7\n"
    assert hypothesis == "one less"


def test_a_candidate_that_changes_nothing_never_wins(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command="touch value; mkdir -p new/folder")
    burst(lab, "exp", 2)
    assert told(lab)[1] == ("no-op", None, False)


def test_a_worse_candidate_is_rejected_and_its_number_does_not_compete(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command="echo 12 > value")
    tally = burst(lab, "exp", 2)
    assert told(lab)[1] == ("rejected", None, False)
    line = lines(lab)[1]
    assert line.code.measured == 12.0
    assert "12" in line.reason
    assert (tally.successes, tally.worked) == (1, 2)


def test_exactly_the_same_candidate_is_not_measured_twice(lab, tmp_path, workspace):
    asked = tmp_path / "measured"
    code_experiment(
        lab,
        tmp_path,
        mutation_command="echo 12 > value",
        executor_command=f"echo x >> {asked}; sh bench.sh",
    )
    burst(lab, "exp", 2)
    burst(lab, "exp", 1)  # another session knows it too
    assert told(lab)[2] == ("rejected", None, False)
    assert lines(lab)[1].run_id in lines(lab)[2].reason
    assert asked.read_text().count("x") == 2


def test_a_candidate_that_failed_is_a_failure_and_the_next_one_is_measured(
    lab, tmp_path, workspace
):
    script = "echo $(($(cat value) - 1)) > value; [ $LAB_RUN_ITERATION != 2 ] || echo NaN > value"
    code_experiment(lab, tmp_path, mutation_command=script)
    burst(lab, "exp", 3)
    assert [line.outcome for line in lines(lab)] == [
        Outcome.SUCCESS,
        Outcome.INVALID_METRIC,
        Outcome.SUCCESS,
    ]
    assert lines(lab)[2].value == 8.0


def test_a_mutation_that_fails_is_told_as_its_failure(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command="echo no idea; exit 3")
    burst(lab, "exp", 2)
    assert told(lab)[1] == ("failed", None, False)
    assert lines(lab)[1].reason == "mutation_command: exit status 3: no idea"


def test_without_a_baseline_nothing_is_changed(lab, tmp_path, workspace):
    """An evaluator that does not work is not the candidates' fault: none is asked for."""
    asked = tmp_path / "asked"
    code_experiment(lab, tmp_path, executor_command="exit 1", mutation_command=f"echo x >> {asked}")
    burst(lab, "exp", 2)
    assert [line.origin for line in lines(lab)] == [Origin.BASELINE] * 2
    assert not asked.exists()


def test_a_baseline_command_comes_first_and_its_failure_is_the_baseline_s(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, baseline_command="test -e value && echo checked; exit 4")
    burst(lab, "exp", 1)
    assert told(lab) == [("failed", None, False)]
    assert lines(lab)[0].reason == "baseline_command: exit status 4"


def test_an_edit_of_the_evaluator_begins_a_segment_with_a_baseline(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path)
    burst(lab, "exp", 3)
    (workspace / "bench.sh").write_text('echo "{\\"loss\\": $(($(cat value) + 100))}"\n')
    burst(lab, "exp", 2)
    later = lines(lab)[3:]
    assert [line.value for line in later] == [107.0, 106.0]  # the gains are not lost
    assert later[0].code.compared_with is None
    assert (later[0].origin, later[0].strategy) == (Origin.BASELINE, "baseline")
    assert f"what measures was changed since {lines(lab)[2].run_id}" in later[0].reason
    assert later[0].code.evaluator != lines(lab)[0].code.evaluator
    with_best = json.loads((lab.layout.experiment("exp").folder / "STATUS.json").read_text())
    assert with_best["best_metric_value"] == 106.0
    analysis = hermes(lab.layout.root, "analyze", "exp=exp", "format=json")
    (tier,) = json.loads(analysis.stdout)["tiers"]
    assert (tier["best"]["run_id"], tier["best"]["value"]) == (with_best["best_run"], 106.0)
    assert [item["seq"] for item in tier["segments"]] == [1, 4]


def test_an_edit_of_the_code_begins_a_segment_too(lab, tmp_path, workspace):
    (workspace / "other").write_text("x\n")
    code_experiment(lab, tmp_path, mutable_paths=["value", "other"])
    burst(lab, "exp", 2)
    (workspace / "other").write_text("y\n")
    burst(lab, "exp", 2)
    assert [(line.value, line.code.compared_with is None) for line in lines(lab)] == [
        (9.0, True),
        (8.0, False),
        (8.0, True),
        (7.0, False),
    ]


def test_every_decision_replays_to_its_verdict(lab, tmp_path, workspace):
    code_experiment(
        lab, tmp_path, mutation_command=f"{DOWN}; [ $LAB_RUN_ITERATION != 3 ] || echo 50 > value"
    )
    burst(lab, "exp", 4)
    for line in lines(lab):
        bundle = lab.layout.experiment("exp").run(line.run_id)
        written = codec.from_json(bundle.decision.read_bytes())
        assert acceptance.replay(written).verdict == written["verdict"]
        assert (written["verdict"] == "accept") is line.accepted


@pytest.mark.parametrize("name", ["decision", "candidate_record", "manifest"])
def test_an_incumbent_whose_record_was_changed_is_not_what_others_must_beat(
    lab, tmp_path, workspace, name
):
    """A bar that somebody lowered: a worse candidate would be an improvement over it."""
    code_experiment(lab, tmp_path, mutation_command="echo 8 > value")
    burst(lab, "exp", 2)
    bundle = lab.layout.experiment("exp").run(lines(lab)[1].run_id)
    path = getattr(bundle, name)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"8", b"7"))
    burst(lab, "exp", 1)
    assert lines(lab)[2].code.compared_with is None
    assert verify(lab).problems


def test_only_one_of_two_slots_measures_the_baseline(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path)
    burst(lab, "exp", 4, parallel=2)
    assert [line.origin for line in lines(lab)].count(Origin.BASELINE) == 1
    assert min(line.value for line in lines(lab) if line.value is not None) <= 8.0


def test_a_candidate_that_was_made_before_a_kill_is_measured_and_not_made_again(
    lab, tmp_path, workspace
):
    asked, cut = tmp_path / "asked", tmp_path / "cut"
    code_experiment(
        lab,
        tmp_path,
        mutation_command=f"echo x >> {asked}; {DOWN}",
        executor_command=f"[ ! -e {cut} ] || kill -9 $PPID; sh bench.sh",
    )
    burst(lab, "exp", 1)
    cut.touch()
    if os.fork() == 0:  # the command kills the lab that runs it
        burst(lab, "exp", 1)
        os._exit(1)
    os.wait()
    cut.unlink()
    burst(lab, "exp", 1)
    assert [line.outcome.value for line in lines(lab)] == ["success", "interrupted", "success"]
    assert (lines(lab)[2].value, lines(lab)[2].code.hypothesis) == (8.0, "one less")
    assert asked.read_text() == "x\n"


def test_a_candidate_that_the_machine_kept_from_being_measured_is_not_made_again(
    lab, tmp_path, workspace, monkeypatch
):
    asked, measure, calls = tmp_path / "asked", Measuring.measure, []

    def failing(self, *order, **more):
        calls.append(self)
        if len(calls) == 2:  # the first was the baseline
            raise OSError(5, "Input/output error")
        return measure(self, *order, **more)

    monkeypatch.setattr(Measuring, "measure", failing)
    code_experiment(lab, tmp_path, mutation_command=f"echo x >> {asked}; {DOWN}")
    burst(lab, "exp", 3)  # the next run is begun before that one is history
    assert [line.outcome.value for line in lines(lab)] == ["success", "infra", "success"]
    assert lines(lab)[2].parent_run == lines(lab)[1].run_id
    assert lines(lab)[2].value == 8.0
    assert asked.read_text() == "x\n"


def in_two_slots(lab, between=lambda: None):
    """Measure two candidates of one incumbent, then seal the later one first."""
    with opened(lab, "exp", Order(attended=True, runs=2, parallel=2)) as session:
        first, second = plan(session), plan(session)
        measured = perform(
            session, first, job_for(session, first, 0), session.executor(0), tick=go_on
        )
        between()
        other = perform(
            session, second, job_for(session, second, 1), session.executor(1), tick=go_on
        )
        seal(session, second, other)
        seal(session, first, measured)


def go_on():
    """Give no sign of life."""


STEP = "echo $(($(cat value) - $LAB_RUN_ITERATION)) > value"


def test_a_candidate_is_judged_against_the_incumbent_of_the_moment(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command=STEP)
    burst(lab, "exp", 1)
    in_two_slots(lab)
    baseline, second, first = lines(lab)
    assert (second.value, second.code.compared_with) == (6.0, baseline.run_id)
    assert (first.outcome, first.code.measured) == (Outcome.REJECTED, 7.0)
    assert decision_on(lab, 2)["case"]["standing"]["run_id"] == second.run_id


def test_a_candidate_that_outlived_its_evaluator_is_inconclusive(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command=STEP)
    burst(lab, "exp", 1)
    in_two_slots(lab, lambda: (workspace / "bench.sh").write_text(f"{COUNT}; true\n"))
    _, baseline, outlived = lines(lab)
    assert (baseline.value, baseline.code.compared_with) == (9.0, None)
    assert outlived.outcome is Outcome.INCONCLUSIVE
    assert "the evaluator was changed" in outlived.reason


def test_nothing_is_applied_to_a_workspace_that_another_slot_copies(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, promotion_strategy="apply-on-accept")
    with pytest.raises(RequestError, match="writes into the workspace while 2 runs"):
        burst(lab, "exp", 3, parallel=2)
    assert lines(lab) == ()


def test_what_reaches_out_of_the_sandbox_calls_for_a_person(lab, tmp_path, workspace):
    """Else the next run would take the change for the user's edit, and be measured by it."""
    code_experiment(lab, tmp_path, mutation_command=f"echo true >> {workspace}/bench.sh; {DOWN}")
    tally = burst(lab, "exp", 5)
    assert told(lab)[1:] == [("tampered", None, False)]
    assert "put right what was changed first" in tally.stopped
    status = read_status(lab, "exp")
    assert status.phase is Phase.AWAITING_HUMAN
    assert "bench.sh" in status.blocked_reason
    assert burst(lab, "exp", 1).runs == 0  # an order by name does not pass over it
    refused = hermes(lab.layout.root, "burst", "exp=exp", "n=1")
    assert (refused.returncode, "resume" in refused.stderr) == (4, True)
    (workspace / "bench.sh").write_text(f"{COUNT}\n")
    assert hermes(lab.layout.root, "resume", "exp=exp").returncode == 0
    assert hermes(lab.layout.root, "burst", "exp=exp", "n=1").returncode == 1  # it does it again
    assert len(lines(lab)) == 3


def test_what_was_tried_is_in_the_context(lab, tmp_path, workspace):
    code_experiment(lab, tmp_path, mutation_command="echo 12 > value; echo HYPOTHESIS: a dozen")
    burst(lab, "exp", 2)
    context = (lab.layout.experiment("exp").folder / "context.md").read_text()
    assert "do not try them again (1 tried in all)" in context
    assert "a dozen" in context


# Acceptance


def decision_on(lab, number):
    bundle = lab.layout.experiment("exp").run(lines(lab)[number].run_id)
    return codec.from_json(bundle.decision.read_bytes())


def counting(tmp_path, noise=""):
    """Return a command that writes down whose value it measured, and adds what is told to it."""
    return f"cat value >> {tmp_path}/measured; v=$(($(cat value) * 10 {noise})); echo loss: $v"


def test_with_repeats_a_winner_is_measured_in_turns_with_the_incumbent(lab, tmp_path, workspace):
    """The evaluator is noisy: its n-th measurement is off by a number from 0 to 3."""
    noise = f"+ ($(wc -l < {tmp_path}/measured) * 7 % 4)"
    code_experiment(
        lab,
        tmp_path,
        executor_command=counting(tmp_path, noise),
        acceptance={"repeats": 3, "confidence": 0.95},
    )
    burst(lab, "exp", 2)
    assert told(lab)[1][0] == "success"
    decision = decision_on(lab, 1)
    taken = decision["case"]["measurement"]
    assert len(taken["candidate"]) >= 3
    assert len(taken["incumbent"]) >= 3
    order = (tmp_path / "measured").read_text().split()
    assert order[:3] == ["9"] * 3
    assert sorted(set(order[3:])) == ["8", "9"]
    assert "9" in order[4:-1], "not all of one, then all of the other"
    assert lines(lab)[1].value == sum(item["value"] for item in taken["candidate"]) / len(
        taken["candidate"]
    )
    assert decision["comparison"]["p_value"] is not None


def test_a_bundle_keeps_what_its_own_candidate_wrote(lab, tmp_path, workspace):
    code_experiment(
        lab,
        tmp_path,
        executor_command="cp value out.txt; sh bench.sh",
        holdout_command="echo held > out.txt; cat value",
        egress_files=["out.txt"],
        acceptance={"repeats": 3, "max_repeats": 3},
    )
    burst(lab, "exp", 2)
    kept = [lab.layout.experiment("exp").run(line.run_id).artifacts for line in lines(lab)]
    assert [(folder / "out.txt").read_text() for folder in kept] == ["9\n", "8\n"]


def test_a_guard_that_is_broken_vetoes(lab, tmp_path, workspace):
    code_experiment(
        lab,
        tmp_path,
        executor_command='v=$(cat value); echo "{\\"loss\\": $v, \\"size\\": $((20 - v))}"',
        acceptance={"guards": {"size": {"max": 12.5}}},
    )
    burst(lab, "exp", 3)
    assert told(lab) == [("success", 9.0, True), ("success", 8.0, True), ("rejected", None, False)]
    assert "size" in lines(lab)[2].reason


def test_a_hold_out_withdraws_what_is_no_gain_there_and_is_seen_by_nobody(lab, tmp_path, workspace):
    code_experiment(
        lab,
        tmp_path,
        holdout_command="echo a sec''ret >&2; echo loss: $((987650 - $(cat value)))",
    )
    burst(lab, "exp", 2)
    assert told(lab) == [("success", 9.0, True), ("rejected", None, False)]
    assert "withdrawn" in lines(lab)[1].reason
    holdout = decision_on(lab, 1)["holdout"]
    assert (holdout["candidate"], holdout["incumbent"], holdout["gap"]) == (987642.0, 987641.0, 2.0)
    everything = lab.layout.experiment("exp").folder.rglob("*")
    assert not any(path.is_file() and b"a secret" in path.read_bytes() for path in everything)
    assert "98764" not in (lab.layout.experiment("exp").folder / "context.md").read_text()


def test_a_hold_out_runs_once_for_a_winner_and_not_for_a_loser(lab, tmp_path, workspace):
    script = "echo $(($(cat value) + 1)) > value; [ $LAB_RUN_ITERATION = 2 ] || echo 3 > value"
    code_experiment(
        lab,
        tmp_path,
        mutation_command=script,
        holdout_command=f"cat value >> {tmp_path}/held; echo loss: $(cat value)",
    )
    burst(lab, "exp", 3)
    assert [line.outcome.value for line in lines(lab)] == ["success", "rejected", "success"]
    assert (tmp_path / "held").read_text().split() == ["9", "3"]


def test_an_equal_candidate_with_less_code_wins(lab, tmp_path, workspace):
    (workspace / "value").write_text("9\n9\n9\n")
    code_experiment(
        lab,
        tmp_path,
        mutation_command="echo 9 > value",
        executor_command="echo loss: $(head -n 1 value)",
    )
    burst(lab, "exp", 2)
    assert told(lab)[1] == ("success", 9.0, True)
    assert decision_on(lab, 1)["complexity"]["broke_tie"] is True


def test_cron_makes_candidates_as_a_burst_does(tmp_path, workspace):
    root = tmp_path / "lab-data"
    lab = a_lab(root)
    code_experiment(lab, tmp_path)
    for _ in range(3):
        assert hermes(root, "run_once").returncode == 0
    assert [line.value for line in lines(lab)] == [9.0, 8.0, 7.0]


# Agents


def agent_experiment(lab, tmp_path, script, **fields):
    """Register a loop in which a script stands for an agent's command line."""
    given = {"agent_provider": "command", "mutation_command": script, **fields}
    return code_experiment(lab, tmp_path, **given)


def test_an_agent_changes_code_where_it_is_told_what_was_tried(lab, tmp_path, workspace):
    prompts = tmp_path / "prompts"
    script = f"cat {{prompt}} >> {prompts}; echo $(($(cat value) + 1)) > value; echo HYPOTHESIS: up"
    agent_experiment(lab, tmp_path, script)
    burst(lab, "exp", 3)
    assert [line.strategy for line in lines(lab)] == ["baseline", "command", "command"]
    assert [line.code.spending.calls for line in lines(lab)] == [0, 1, 1]
    told_of = prompts.read_text()
    assert "find the smallest loss" in told_of
    assert "do not try them again (1 tried in all)" in told_of
    assert told_of.count("Best so far: 9.0") == 2


def test_an_agent_whose_tool_went_missing_is_refused_before_anything_is_planned(
    lab, tmp_path, workspace
):
    tool = tmp_path / "bin" / "codex"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    lab.environ = {**lab.environ, "PATH": f"{tool.parent}:{lab.environ['PATH']}"}
    code_experiment(lab, tmp_path, mutation_command=None, agent_provider="codex")
    tool.unlink()
    with pytest.raises(RequestError, match="codex"):
        burst(lab, "exp", 1)
    assert lines(lab) == ()


def test_an_agent_that_fails_is_a_failure_and_what_it_left_is_not_measured(
    lab, tmp_path, workspace
):
    agent_experiment(lab, tmp_path, "echo 1 > value; echo sorry >&2; exit 9")
    burst(lab, "exp", 2)
    assert told(lab)[1] == ("failed", None, False)
    assert "sorry" in lines(lab)[1].reason


def test_a_budget_that_is_spent_calls_for_a_person_and_says_how_to_go_on(lab, tmp_path, workspace):
    agent_experiment(lab, tmp_path, DOWN, agent_budget={"runs": 2})
    tally = burst(lab, "exp", 9)
    assert len(lines(lab)) == 3  # the baseline asked no agent
    assert "2 of 2 runs" in tally.stopped
    assert "raise agent_budget in SPEC.yaml, then `hermes-lab resume exp=exp`" in tally.stopped
    assert read_status(lab, "exp").phase is Phase.AWAITING_HUMAN


LIMITED = "if [ ! -e %s ]; then touch %s; echo 'try again in 17 minutes'; exit 1; fi; " + DOWN


def test_a_burst_waits_until_a_usage_limit_ends(tmp_path, workspace):
    clock = FixedClock(datetime(2026, 3, 1, 12, tzinfo=timezone.utc))
    lab = a_lab(tmp_path / "lab-data", clock=clock)
    flag = tmp_path / "flag"
    agent_experiment(lab, tmp_path, LIMITED % (flag, flag))
    said = []
    burst(lab, "exp", 3, waiting=said.append)
    assert [line.outcome.value for line in lines(lab)] == ["success", "infra", "success"]
    assert "2026-03-01T12:17" in said[0]
    assert clock.now() >= datetime(2026, 3, 1, 12, 17, tzinfo=timezone.utc)


def test_an_unattended_cycle_is_not_due_before_a_usage_limit_ends(tmp_path, workspace):
    clock = FixedClock(datetime(2026, 3, 1, 12, tzinfo=timezone.utc))
    lab = a_lab(tmp_path / "lab-data", clock=clock)
    agent_experiment(lab, tmp_path, "echo 'try again in 17 minutes'; exit 1")
    burst(lab, "exp", 2)
    status = read_status(lab, "exp")
    assert not policy.is_due(status, "2026-03-01T12:16:59.000000Z")
    assert policy.is_due(status, "2026-03-01T12:18:00.000000Z")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"mutable_paths": None}, "needs mutable_paths"),
        ({"workspace_root": None}, "needs workspace_root"),
        ({"executor_command": None}, "needs a command that measures"),
        ({"workspace_mode": "in-place"}, "in-place is not for changing code"),
        ({"agent_provider": "codex"}, "only one of the two can change code"),
        ({"agent_provider": "command", "mutation_command": None}, "needs the agent's command line"),
        (
            {"require_clean_workspace": True, "promotion_strategy": "apply-on-accept"},
            "would make the workspace unclean",
        ),
    ],
)
def test_a_spec_that_cannot_change_code_is_refused(lab, tmp_path, workspace, fields, what):
    with pytest.raises(SpecError, match=what):
        code_experiment(lab, tmp_path, **fields)
