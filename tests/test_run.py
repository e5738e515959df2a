"""Holds ``hermes.executing.run``: from a planned run to its outcome."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from executing_jobs import Slot, make_spec, tree_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes import codec, files
from hermes.executing import local
from hermes.model import Execution, Outcome

PYTHON = sys.executable


@pytest.fixture
def lab(tmp_path: Path) -> Slot:
    return Slot(tmp_path)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    root.mkdir()
    (root / "config.json").write_text('{"train": {"lr": 0.1}}\n')
    return root


def outcome(lab: Slot, command: Any, **fields: Any) -> tuple[str, float | None, str]:
    execution = lab.run(make_spec(executor_command=command, **fields)).execution
    return execution.outcome.value, execution.value, execution.reason


# Outcomes


def test_a_command_that_prints_its_metric_succeeds(lab: Slot) -> None:
    done = lab.run(make_spec(executor_command='echo hello; echo \'{"loss": 0.5, "acc": 0.75}\''))
    execution = done.execution
    assert (execution.outcome, execution.value, execution.reason) == (Outcome.SUCCESS, 0.5, "")
    assert execution.secondary == {"acc": 0.75}
    assert execution.exit_status == 0
    assert execution.usage.wall_seconds > 0
    assert execution.usage.peak_memory_bytes > 0
    assert execution.started_at <= execution.completed_at
    assert execution.machine["python"] == sys.version.split()[0]
    assert (done.bundle.folder / "stderr.log").read_text() == ""
    assert codec.read_record(Execution, codec.to_json(execution)) == execution


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo 0.5; exit 3", ("failed", None, "executor_command: exit status 3")),
        (
            "echo 1; echo '  why \t' >&2; false",
            ("failed", None, "executor_command: exit status 1: why"),
        ),
        ("echo 0.5; kill -11 $$", ("failed", None, "executor_command: killed by signal SIGSEGV")),
        (
            "echo nan",
            (
                "invalid-metric",
                None,
                "the last line of standard output says 'nan', not a finite number",
            ),
        ),
        (
            ("no-such-program",),
            (
                "failed",
                None,
                "executor_command: cannot start 'no-such-program': No such file or directory",
            ),
        ),
        (None, ("stub", None, "there is no executor_command and no validation_command")),
    ],
)
def test_each_end_has_its_outcome_and_says_why(lab: Slot, command: Any, expected: Any) -> None:
    assert outcome(lab, command) == expected


def test_no_metric_is_an_outcome_of_its_own(lab: Slot) -> None:
    assert outcome(lab, "echo done")[:2] == ("no-metric", None)


def test_half_a_minute_is_thirty_seconds_and_not_none(
    lab: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    original = local.run

    def run(*args: Any, **kwargs: Any) -> Any:
        limits.append(kwargs["limit_seconds"])
        return original(*args, **kwargs)

    monkeypatch.setattr(local, "run", run)
    assert outcome(lab, "echo 1", time_budget_minutes=0.5)[0] == "success"
    assert 29 < limits[0] <= 30


def test_a_fraction_of_a_minute_ends_the_run(lab: Slot) -> None:
    began = time.monotonic()
    assert outcome(lab, "echo 1; sleep 60", time_budget_minutes=0.005) == (
        "timeout",
        None,
        "executor_command: the time budget of 0.005 minutes was used up",
    )
    assert time.monotonic() - began < 10


def test_the_budget_is_for_all_commands_together(lab: Slot) -> None:
    found = outcome(
        lab,
        "sleep 0.4; echo 1",
        setup_command="sleep 0.4",
        validation_command="echo 2",
        time_budget_minutes=0.6 / 60,
    )
    assert found[0] == "timeout"
    assert found[2].startswith("executor_command")
    late = outcome(
        lab,
        "trap 'exit 0' TERM; sleep 60",
        time_budget_minutes=0.2 / 60,
        validation_command="echo 2",
    )
    assert late[:2] == ("timeout", None)


def test_validation_comes_last_and_its_metric_goes_first(lab: Slot) -> None:
    assert outcome(lab, "echo 1", validation_command="echo 2")[1] == 2
    assert outcome(lab, "echo loss: 1; echo x", validation_command="echo passed")[1] == 1
    assert outcome(lab, None, validation_command="echo 3")[1] == 3
    assert outcome(lab, "echo 1", validation_command="echo 2; exit 1") == (
        "failed",
        None,
        "validation_command: exit status 1",
    )
    assert outcome(lab, "echo 1 >> v; exit 1", validation_command="touch never")[0] == "failed"


def test_the_logs_hold_what_all_commands_printed(lab: Slot) -> None:
    spec = make_spec(executor_command="echo a; echo b >&2", validation_command="echo 2; echo c >&2")
    done = lab.run(spec)
    assert done.stdout == "a\n2\n"
    assert done.bundle.stderr.read_text() == "b\nc\n"


def test_a_lab_without_disk_is_to_blame_and_not_the_run(lab: Slot) -> None:
    class Full(files.Operations):
        def write(self, fd: int, data: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    previous = files.use(Full())
    try:
        found = outcome(lab, "echo 1; sleep 60")
    finally:
        files.use(previous)
    assert found == ("infra", None, "No space left on device")


def test_a_workspace_that_is_gone_is_an_outcome_and_not_a_crash(lab: Slot, tmp_path: Path) -> None:
    name = tmp_path / "gone"
    assert outcome(lab, "echo 1", workspace_root=str(name), workspace_mode="copy")[0] == "infra"
    assert outcome(lab, "echo 1", workspace_root=str(name), workspace_mode="in-place")[0] == "infra"


ENDS = st.sampled_from(
    [
        "echo 1",
        "echo nan",
        "exit 1",
        "kill -9 $$",
        "echo -1e308; exit 2",
        "true",
        "echo 1e999",
        "echo '{\"value\": true}'",
        'echo \'{"value": NaN, "x": 1}\' > metrics.json; echo 1',
        "printf '\\377\\376'",
        "echo 3 > metrics.json",
        "echo '{\"value\": 2}' > metrics.json; false",
    ]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(first=ENDS, second=ENDS | st.none())
def test_only_a_success_has_numbers(lab: Slot, first: str, second: str | None) -> None:
    execution = lab.run(make_spec(executor_command=first, validation_command=second)).execution
    if execution.outcome is Outcome.SUCCESS:
        assert execution.value is not None
        assert math.isfinite(execution.value)
        assert execution.exit_status == 0
    else:
        assert execution.value is None
        assert execution.secondary == {}
        assert execution.reason
    codec.to_json(execution)


# metrics.json


@pytest.mark.parametrize(
    "place", ["metrics.json", "$LAB_RUN_ARTIFACTS_DIR/metrics.json", "$LAB_RUN_DIR/metrics.json"]
)
def test_metrics_json_is_found_where_a_command_writes_it(lab: Slot, place: str) -> None:
    command = f"""echo '{{"value": 2, "acc": 1}}' > {place}; echo 7"""
    done = lab.run(make_spec(executor_command=command))
    assert (done.execution.value, done.execution.secondary) == (2, {"acc": 1})
    assert not done.bundle.metrics.exists()  # its place belongs to the seal


@pytest.mark.parametrize("mode", ["copy", "in-place"])
def test_a_stale_metrics_json_is_not_this_runs_result(
    lab: Slot, workspace: Path, mode: str
) -> None:
    stale = '{"value": 1}'
    (workspace / "metrics.json").write_text(stale)
    fields = {"workspace_root": str(workspace), "workspace_mode": mode}
    assert outcome(lab, "true", **fields)[:2] == ("no-metric", None)
    assert outcome(lab, "echo 5", **fields)[1] == 5
    again = f"printf '{stale}' > metrics.json; echo 5"
    time.sleep(0.02)  # a user's file is as old as it is
    assert outcome(lab, again, **fields)[1] == 1
    assert outcome(lab, "true", **fields)[1] is None


def test_the_metrics_json_of_the_run_before_does_not_count(lab: Slot) -> None:
    assert outcome(lab, "echo '{\"value\": 1}' > metrics.json")[1] == 1
    assert outcome(lab, "true")[:2] == ("no-metric", None)


def test_what_setup_wrote_is_no_measurement(lab: Slot, workspace: Path) -> None:
    setup = "echo '{\"value\": 1}' > metrics.json"
    fields = {"workspace_root": str(workspace), "workspace_mode": "copy", "setup_command": setup}
    for _ in range(2):
        assert outcome(lab, "true", **fields)[:2] == ("no-metric", None)
        assert outcome(lab, setup, **fields)[1] == 1


def test_a_link_out_of_the_sandbox_is_no_metrics_json(lab: Slot, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text('{"value": 1}')
    link = f"ln -s {tmp_path}/elsewhere.json metrics.json"
    assert outcome(lab, link)[:2] == ("no-metric", None)
    assert outcome(lab, "echo '{\"value\": 2}' > m; ln -s m metrics.json")[1] == 2
    assert outcome(lab, "mkfifo metrics.json; echo 3")[1] == 3
    assert outcome(lab, "mkdir metrics.json; echo 4")[1] == 4


# Parameters

SHOW = (
    "import json, os; c = json.load(open('config.json'))['train']; "
    "e = os.environ; print(json.dumps([c, e['LAB_PARAM_LR'], json.loads(e['LAB_PARAMS_JSON'])])); "
    "print(1)"
)


def test_parameters_reach_the_command_in_all_four_ways(lab: Slot, workspace: Path) -> None:
    before = tree_of(workspace)
    spec = make_spec(
        workspace_root=str(workspace),
        workspace_mode="copy",
        mutable_paths=("config.json",),
        executor_command=f'echo {{lr}} {{name}}; {PYTHON} -c "{SHOW}"',
    )
    for rate in (0.25, 1e-5):
        done = lab.run(spec, params={"lr": rate, "name": "a b; exit 1"})
        said, seen, _ = done.stdout.split("\n", 2)
        assert said == f"{rate!r} a b; exit 1"
        assert json.loads(seen) == [{"lr": rate}, repr(rate), {"lr": rate, "name": "a b; exit 1"}]
        assert done.execution.workspace["params_file"] == "config.json"
    assert tree_of(workspace) == before
    assert json.loads(
        lab.run(dataclasses.replace(spec, executor_command="cat config.json; echo 1")).stdout[:-2]
    ) == {"train": {"lr": 0.1}}


def test_a_parameter_of_one_run_is_gone_in_the_next(lab: Slot, workspace: Path) -> None:
    spec = make_spec(
        workspace_root=str(workspace),
        workspace_mode="copy",
        params_file="config.json",
        executor_command="cat config.json; echo 1",
    )
    assert '"lr": 7' in lab.run(spec, params={"lr": 7}).stdout
    assert '"lr": 0.1' in lab.run(spec).stdout


def test_a_file_that_lost_a_parameters_place_fails_the_run_and_not_silently(
    lab: Slot, workspace: Path
) -> None:
    fields = {"workspace_root": str(workspace), "workspace_mode": "copy"}
    spec = make_spec(params_file="config.json", executor_command="echo 1", **fields)
    execution = lab.run(spec, params={"rate": 1}).execution
    assert execution.outcome is Outcome.FAILED
    assert execution.reason == "The parameter 'rate' has no place in config.json."


def test_parameters_that_cannot_be_merged_fail_the_run_and_say_why(
    lab: Slot, workspace: Path
) -> None:
    fields = {
        "workspace_root": str(workspace),
        "workspace_mode": "copy",
        "params_file": "gone.json",
    }
    execution = lab.run(make_spec(executor_command="echo 1", **fields), params={"lr": 2}).execution
    assert execution.outcome is Outcome.FAILED
    assert "gone.json" in execution.reason


# The environment


def test_a_command_sees_the_contract_and_no_secret(lab: Slot) -> None:
    done = lab.run(make_spec(executor_command="env; echo 1"), params={"lr": 0.5})
    said = dict(line.split("=", 1) for line in done.stdout.split("\n") if "=" in line)
    assert "s3cret" not in done.stdout
    assert said["LAB_RUN_ID"].startswith("RUN-")
    assert said["LAB_PARAM_LR"] == "0.5"
    assert said["LAB_RUN_DIR"] == str(done.bundle.folder)
    assert said["PWD"] == said["LAB_EFFECTIVE_WORKSPACE_ROOT"] == str(lab.sandbox / "work")
    assert said["GIT_CEILING_DIRECTORIES"] == str(lab.sandbox)


# Ticks


def test_ticks_come_while_a_command_runs(lab: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_TICK_SECONDS", 0.02)
    ticks: list[int] = []
    lab.run(make_spec(executor_command="sleep 0.3; echo 1"), tick=lambda: ticks.append(1))
    assert len(ticks) >= 5


def test_a_stopped_run_leaves_logs_and_no_process(
    lab: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_TICK_SECONDS", 0.02)

    def tick() -> None:
        if (lab.sandbox / "work" / "ready").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.run(make_spec(executor_command="echo begun; touch ready; sleep 60"), tick=tick)
    assert (lab.data_root / "dispatch/1/run/stdout.log").read_text() == "begun\n"
    assert lab.run(make_spec(executor_command="ls; echo 1")).stdout == "1\n"
