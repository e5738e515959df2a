"""Cycles and bursts as a whole: who gets a turn, what a command is given, what history says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from datetime import timedelta

import pytest
from forked import command, done
from labs import ENVIRON, LOSS_OF_X, a_lab, an_experiment, burst, lines

from hermes.clock import FixedClock, parse_time
from hermes.errors import RequestError
from hermes.executing import local
from hermes.executing.environment import ANY_PARAMETER, CONTRACT_KEYS
from hermes.lab import Lab
from hermes.model import Outcome, Phase
from hermes.modes.loop import Tally, iterate
from hermes.steps.lifecycle import set_phase
from hermes.steps.opening import opened
from hermes.steps.plan import plan
from hermes.steps.reclaim import reclaimable
from hermes.steps.recover import recover
from hermes.steps.refresh import refresh
from hermes.steps.session import Order
from hermes.steps.verify import verify
from hermes.store.bundles import Bundles

START = parse_time("2026-03-01T12:00:00.000000Z")
MINUTE = 60.0


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, for this process and for the commands it forks."""
    fixed = FixedClock(START)
    monkeypatch.setattr("hermes.lab.SystemClock", lambda: fixed)
    return fixed


def counts(lab):
    return {name: len(lines(lab, name)) for name in lab.experiments()}


def cycle(root, *words):
    return done(root, "run_once", *words)


# cadence


def test_nothing_runs_before_it_is_due_and_everything_does_then(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path, "hourly", cadence="hourly")
    an_experiment(lab, tmp_path, "often", cadence="every-10-minutes")
    an_experiment(lab, tmp_path, "cron", cadence="30 12 * * *")
    cycle(root)
    assert counts(lab) == {"hourly": 1, "often": 1, "cron": 1}
    seen = {}
    for minute in range(1, 65):
        clock.advance(MINUTE)
        before = counts(lab)
        if minute in (1, 9, 10, 29, 30, 31, 59, 60):
            cycle(root)
            seen[minute] = {name for name, count in counts(lab).items() if count > before[name]}
    assert seen == {
        1: set(),
        9: set(),
        10: {"often"},
        29: {"often"},
        30: {"cron"},
        31: set(),
        59: {"often"},
        60: {"hourly"},
    }


def test_a_cycle_before_anything_is_due_says_nothing(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path, cadence="daily")
    cycle(root)
    clock.advance(23 * 60 * MINUTE)
    assert cycle(root) == (0, "", "")
    assert cycle(root, "exp=exp") == (0, "", "")


def test_a_burst_does_not_wait_for_the_cadence(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path, cadence="weekly")
    done(root, "burst", "exp=exp", "n=3")
    assert counts(lab) == {"exp": 3}


def test_a_trial_that_was_cut_off_need_not_wait_for_the_cadence(clock, lab, root, tmp_path):
    cut = tmp_path / "cut"
    an_experiment(
        lab,
        tmp_path,
        cadence="weekly",
        executor_command=f"if [ ! -e {cut} ]; then touch {cut}; kill -9 $PPID; fi; {LOSS_OF_X}",
    )
    assert command(root, "run_once").code == -9
    clock.advance(10 * MINUTE)
    cycle(root)
    cycle(root)
    first, second = lines(lab)
    assert (first.outcome, second.outcome) == (Outcome.INTERRUPTED, Outcome.SUCCESS)
    assert (second.trial, second.parent_run) == (first.trial, first.run_id)
    clock.advance(6 * 24 * 60 * MINUTE)
    assert cycle(root) == (0, "", "")


def test_a_cycle_makes_up_for_a_burst_that_was_cut_off_though_nothing_is_due(
    clock, lab, root, tmp_path
):
    cut = tmp_path / "cut"
    kill = f'if [ "$LAB_RUN_ITERATION" = 2 ] && [ ! -e {cut} ]; then touch {cut}; kill -9 $PPID; fi'
    an_experiment(lab, tmp_path, cadence="weekly", executor_command=f"{kill}; {LOSS_OF_X}")
    assert command(root, "burst", "exp=exp", "n=5").code == -9
    for _ in range(3):
        clock.advance(10 * MINUTE)
        cycle(root)
    assert [line.trial for line in lines(lab)] == [1, 2, 2]
    assert [line.outcome.value for line in lines(lab)] == ["success", "interrupted", "success"]


def test_what_ran_by_a_clock_that_was_ahead_does_not_starve(clock, lab, root, tmp_path):
    for name in ("ahead", "one", "two"):
        an_experiment(lab, tmp_path, name)
    clock.set_wall(START + timedelta(days=3650))
    cycle(root, "exp=ahead")
    clock.set_wall(START)
    for _ in range(6):
        clock.advance(MINUTE)
        cycle(root, "max_runs=1")
    assert counts(lab) == {"ahead": 3, "one": 2, "two": 2}


def test_a_clock_that_went_back_neither_stops_an_experiment_nor_hurries_it(
    clock, lab, root, tmp_path
):
    an_experiment(lab, tmp_path, cadence="hourly")
    clock.set_wall(START + timedelta(days=3650))
    cycle(root)
    clock.set_wall(START)
    cycle(root)
    assert counts(lab) == {"exp": 2}
    for _ in range(59):
        clock.advance(MINUTE)
    assert cycle(root) == (0, "", "")
    clock.advance(MINUTE)
    cycle(root)
    assert counts(lab) == {"exp": 3}


# turns


def test_three_equal_experiments_take_turns(clock, lab, root, tmp_path):
    order = []
    for name in ("a", "b", "c"):
        an_experiment(lab, tmp_path, name)
    for _ in range(9):
        clock.advance(MINUTE)
        before = counts(lab)
        cycle(root, "max_runs=1")
        order += [name for name, count in counts(lab).items() if count > before[name]]
    assert "".join(order) == "abcabcabc"


def test_urgent_goes_before_high_before_normal_before_low(clock, lab, root, tmp_path):
    for priority in ("low", "normal", "high", "urgent"):
        an_experiment(lab, tmp_path, priority, priority=priority, max_iterations_total=2)
    turns = []
    for _ in range(8):
        clock.advance(MINUTE)
        turns += [line.split(":")[0] for line in cycle(root, "max_runs=1").out.splitlines()[:1]]
    assert turns == ["urgent"] * 2 + ["high"] * 2 + ["normal"] * 2 + ["low"] * 2


def test_whoever_waits_longest_goes_first_whatever_the_name(clock, lab, root, tmp_path):
    for name in ("z", "m", "a"):
        an_experiment(lab, tmp_path, name)
        clock.advance(1)
    for expected in ("z", "m", "a", "z"):
        clock.advance(MINUTE)
        assert cycle(root, "max_runs=1").out.startswith(f"{expected}:")


def test_nobody_starves_beside_those_who_may_have_several_runs(clock, lab, root, tmp_path):
    for name in ("greedy", "modest", "shy"):
        an_experiment(lab, tmp_path, name, max_iterations_per_run=5 if name == "greedy" else 1)
    for _ in range(6):
        clock.advance(MINUTE)
        cycle(root, "max_runs=2")
    assert min(counts(lab).values()) >= 3


@pytest.mark.parametrize(("max_runs", "expected"), [(1, 1), (2, 2), (3, 3), (9, 4)])
def test_a_cycle_makes_at_most_max_runs(clock, lab, root, tmp_path, max_runs, expected):
    for name in "abcd":
        an_experiment(lab, tmp_path, name)
    cycle(root, f"max_runs={max_runs}")
    assert sum(counts(lab).values()) == expected
    assert set(counts(lab).values()) <= {0, 1}


def test_several_runs_of_one_experiment_may_follow_each_other_in_a_cycle(
    clock, lab, root, tmp_path
):
    an_experiment(lab, tmp_path, cadence="daily", max_iterations_per_run=4)
    cycle(root, "max_runs=3")
    assert counts(lab) == {"exp": 3}
    clock.advance(24 * 60 * MINUTE)
    cycle(root, "max_runs=9")
    assert counts(lab) == {"exp": 7}


def test_a_cycle_can_be_kept_to_one_experiment_or_one_class(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path, "here")
    an_experiment(lab, tmp_path, "there", executor_class="gpu")
    cycle(root, "executor_class=gpu")
    assert counts(lab) == {"here": 0, "there": 1}
    cycle(root, "exp=here")
    assert counts(lab) == {"here": 1, "there": 1}
    assert cycle(root, "exp=here", "executor_class=gpu") == (0, "", "")
    assert cycle(root, "executor_class=none-such") == (0, "", "")


@pytest.mark.parametrize("fault", ["spec", "workspace", "space"])
def test_what_cannot_be_planned_takes_no_turn_from_the_others(clock, lab, root, tmp_path, fault):
    workspace = tmp_path / "code"
    workspace.mkdir()
    for name in ("bad1", "bad2", "good", "late"):
        an_experiment(lab, tmp_path, name, workspace_root="code" if "bad" in name else None)
        clock.advance(1)
    done(root, "status")
    break_them(lab, fault, workspace)
    answer = command(root, "run_once", "max_runs=1")
    assert answer.code == 1
    assert counts(lab) == {"bad1": 0, "bad2": 0, "good": 1, "late": 0}
    answer = command(root, "run_once", "max_runs=2")
    assert counts(lab) == {"bad1": 0, "bad2": 0, "good": 2, "late": 1}
    assert json.loads((root / "LAB-INDEX.json").read_text())["experiments"][2]["run_count"] == 2


def break_them(lab, fault, workspace):
    if fault == "workspace":
        workspace.rmdir()
    for name in ("bad1", "bad2"):
        spec = lab.layout.experiment(name).spec
        if fault == "spec":
            spec.write_text("metric: [unclosed")
        elif fault == "space":
            raw = json.loads(spec.read_text())
            del raw["search_space"]
            spec.write_text(json.dumps(raw))


def test_a_run_that_cannot_be_sealed_stops_no_other_experiment(
    clock, lab, root, tmp_path, monkeypatch
):
    close = Bundles.close

    def refuse(self, package, manifest, *more, **named):
        if manifest.experiment == "bad":
            raise OSError(28, "No space left on device")
        return close(self, package, manifest, *more, **named)

    monkeypatch.setattr(Bundles, "close", refuse)
    for name in ("bad", "good"):
        an_experiment(lab, tmp_path, name)
    answer = command(root, "run_once")
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert counts(lab) == {"bad": 0, "good": 1}
    assert json.loads((root / "LAB-INDEX.json").read_text())["experiments"][1]["run_count"] == 1
    assert lab.leases.read("bad").held is False


@pytest.mark.parametrize("leaves", [True, False], ids=["artifacts", "no artifacts"])
def test_a_bundle_with_artifacts_is_digested_while_the_next_command_runs(
    lab, tmp_path, monkeypatch, leaves
):
    told, close, start = [], Bundles.close, local._start

    def closed(self, package, manifest, *more, **named):
        told.append(f"close {manifest.iteration}")
        return close(self, package, manifest, *more, **named)

    def started(command, folder, environment, *more, **named):
        told.append(f"start {environment['LAB_RUN_ITERATION']}")
        return start(command, folder, environment, *more, **named)

    monkeypatch.setattr(Bundles, "close", closed)
    monkeypatch.setattr(local, "_start", started)
    more = "touch $LAB_RUN_ARTIFACTS_DIR/model; " if leaves else ""
    an_experiment(lab, tmp_path, executor_command=more + LOSS_OF_X)
    burst(lab, "exp", 3)
    early = ["start 1", "close 1", "start 2", "close 2", "start 3", "close 3"]
    late = ["start 1", "start 2", "close 1", "start 3", "close 2", "close 3"]
    assert told == (late if leaves else early)
    assert verify(lab).problems == ()


@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.PAUSED])
def test_what_is_left_of_the_package_of_a_sealed_run_is_cleared_away(lab, tmp_path, phase):
    """Killed after it was sealed as interrupted, whose end is recorded nowhere in the package."""
    an_experiment(lab, tmp_path)
    with opened(lab, "exp", Order(attended=True)) as session:
        folder = plan(session).folder.folder
    shutil.copytree(folder, tmp_path / "kept", ignore=lambda *_: ["run"])
    burst(lab, "exp", 1)
    set_phase(lab, "exp", phase, "a person")
    shutil.copytree(tmp_path / "kept", folder)
    assert reclaimable(lab) == ["exp"]
    recover(lab)
    assert (reclaimable(lab), list(lab.layout.running.iterdir())) == ([], [])
    assert len(lines(lab)) == 1


# resuming


def proposed(lab, experiment="exp"):
    """Return the sequence of proposals: each trial's point, however often it was tried."""
    points = {line.trial: dict(line.params) for line in lines(lab, experiment)}
    return list(points.values())


SPACES = {
    "random": {
        "x": {"type": "float", "low": -5, "high": 5},
        "n": {"type": "int", "low": 1, "high": 100},
        "c": {"type": "categorical", "choices": ["a", "b"]},
    },
    "grid": {
        "x": {"type": "int", "low": 1, "high": 5},
        "c": {"type": "categorical", "choices": ["a", "b", "d", "e"]},
    },
}


@pytest.mark.parametrize("strategy", ["random", "grid"])
def test_a_burst_in_pieces_and_killed_in_between_proposes_what_one_burst_does(
    lab, root, tmp_path, strategy
):
    cut = tmp_path / "cut"
    killing = f'case "$LAB_RUN_ITERATION" in 4|9|15) kill -9 $PPID; sleep 5 ;; esac; {LOSS_OF_X}'
    fields = {"strategy": strategy, "search_space": SPACES[strategy], "seed": 11}
    an_experiment(lab, tmp_path, "whole", **fields)
    an_experiment(lab, tmp_path, "pieces", executor_command=killing, **fields)
    burst(lab, "whole", 20)
    codes = []
    while len(proposed(lab, "pieces")) < 20 and len(codes) < 20:
        n = min(5, 20 - len(proposed(lab, "pieces")))
        codes.append(command(root, "burst", "exp=pieces", f"n={n}").code)
    assert codes.count(-9) == 3
    assert proposed(lab, "pieces") == proposed(lab, "whole")
    assert len({json.dumps(params) for params in proposed(lab, "pieces")}) == 20
    ended = [line for line in lines(lab, "pieces") if line.outcome is Outcome.SUCCESS]
    assert [line.trial for line in ended] == list(range(1, 21))
    assert not cut.exists()


def test_a_second_burst_goes_on_and_repeats_no_point(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    for _ in range(3):
        done(root, "burst", "exp=exp", "n=5", "seed=3")
    points = [line.params["x"] for line in lines(lab)]
    assert len(set(points)) == 15


def test_another_seed_proposes_other_points_and_the_record_says_which(lab, root, tmp_path):
    for name, seed in (("one", 1), ("two", 2), ("one-again", 1)):
        an_experiment(lab, tmp_path, name)
        done(root, "burst", f"exp={name}", "n=3", f"seed={seed}")
    assert proposed(lab, "one") == proposed(lab, "one-again") != proposed(lab, "two")
    run = lines(lab, "two")[0].run_id
    assert json.loads(lab.layout.experiment("two").run(run).manifest.read_text())["seed"] == 2


# the environment of commands


def environment_of(lab, tmp_path, environ, **fields):
    an_experiment(
        lab, tmp_path, executor_command="env -0 > $LAB_RUN_ARTIFACTS_DIR/env; echo 1", **fields
    )
    burst(lab, "exp", 1)
    done(lab.layout.root, "burst", "exp=exp", "n=1", environ=environ)
    run = lab.layout.experiment("exp").run(lines(lab)[-1].run_id)
    text = (run.artifacts / "env").read_text()
    return dict(item.split("=", 1) for item in text.split("\0") if item)


def test_every_variable_of_the_contract_reaches_the_command(lab, root, tmp_path):
    workspace = tmp_path / "code"
    workspace.mkdir()
    (workspace / "params.json").write_text('{"x": 0}')
    found = environment_of(
        lab,
        tmp_path,
        {},
        workspace_root="code",
        mutable_paths=["params.json"],
        worker_roles=["scout", "builder"],
        fidelity_tiers=["smoke", "full"],
        time_budget_minutes=0.5,
        seed=5,
    )
    assert {key for key in CONTRACT_KEYS if key != ANY_PARAMETER} <= set(found)
    ours = {key for key in found if key.startswith("LAB_")}
    assert ours - set(CONTRACT_KEYS) == {"LAB_PARAM_X"}
    first, second = lines(lab)
    layout = lab.layout.experiment("exp")
    expected = {
        "LAB_DATA_ROOT": str(root),
        "LAB_EXPERIMENT_ID": "exp",
        "LAB_RUN_ID": second.run_id,
        "LAB_RUN_ITERATION": "2",
        "LAB_ROLE": "builder",
        "LAB_SPEC_PATH": str(layout.spec),
        "LAB_SUMMARY_PATH": str(layout.folder / "SUMMARY.md"),
        "LAB_NEXT_PATH": str(layout.folder / "NEXT.md"),
        "LAB_CONTEXT_PATH": str(layout.folder / "context.md"),
        "LAB_PROGRAM_PATH": str(root / "PROGRAM.md"),
        "LAB_TIME_BUDGET_MINUTES": "0.5",
        "LAB_PRIMARY_METRIC": "loss",
        "LAB_METRIC_DIRECTION": "minimize",
        "LAB_FIDELITY_TIER": "smoke",
        "LAB_FIDELITY_TIERS": "smoke\nfull",
        "LAB_NEXT_FIDELITY_TIER": "full",
        "LAB_EXECUTOR_CLASS": "local",
        "LAB_ORIGINAL_WORKSPACE_ROOT": str(workspace),
        "LAB_WORKSPACE_MODE": "auto",
        "LAB_MUTABLE_PATHS": "params.json",
        "LAB_READ_ONLY_PATHS": "",
        "LAB_BEST_RUN_ID": first.run_id,
        "LAB_BEST_METRIC_VALUE": "1.0",
        "LAB_SEED": "5",
        "LAB_PARAM_X": repr(second.params["x"]),
        "LAB_DISPATCH_ID": "exp-000002",
        "LAB_DISPATCH_STAGE": "running",
    }
    assert {key: found[key] for key in expected} == expected
    assert json.loads(found["LAB_PARAMS_JSON"]) == second.params
    for key in ("SPEC", "SUMMARY", "NEXT", "CONTEXT", "PROGRAM"):
        assert os.path.isfile(found[f"LAB_{key}_PATH"]), key
    assert found["LAB_WORKSPACE_ROOT"] == found["LAB_EFFECTIVE_WORKSPACE_ROOT"] == found["PWD"]
    assert found["LAB_RUN_ARTIFACTS_DIR"].startswith(found["LAB_RUN_DIR"])
    assert found["LAB_RUN_DIR"].startswith(found["LAB_DISPATCH_DIR"])


def test_before_the_first_success_there_is_no_best_to_tell_of(lab, tmp_path):
    an_experiment(
        lab, tmp_path, strategy=None, executor_command='echo "[$LAB_BEST_RUN_ID]"; exit 1'
    )
    burst(lab, "exp", 2)
    for line in lines(lab):
        run = lab.layout.experiment("exp").run(line.run_id)
        assert run.stdout.read_text() == "[]\n"


def test_no_secret_of_the_caller_reaches_a_command_or_any_file(lab, root, tmp_path):
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "s3cr3t-one",
        "OPENAI_API_KEY": "s3cr3t-two",
        "LAB_PARAM_OLD": "s3cr3t-three",
        "PYTHON_TOKEN": "s3cr3t-four",
    }
    found = environment_of(lab, tmp_path, {**secrets, "LANG": "C.UTF-8"})
    assert not set(secrets) & set(found)
    assert found["LANG"] == "C.UTF-8"
    for path in root.rglob("*"):
        if path.is_file():
            assert b"s3cr3t" not in path.read_bytes(), path


# the user's workspace


def tree(folder, leave_out=None):
    """Return every file and folder with its content, mode and times, but for one folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if leave_out is not None and (path == leave_out or leave_out in path.parents):
            continue
        entry = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        times = entry.st_mtime_ns if leave_out is None or path.is_file() else None
        found[str(path.relative_to(folder))] = (entry.st_mode, entry.st_ino, times, content)
    return found


def a_workspace(folder):
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print('hello')\n")
    (folder / "params.json").write_text('{"x": 0}\n')
    (folder / "run.sh").write_text(
        "echo spoilt >> src/train.py; rm -f run.sh; mkdir -p new; touch new/file\n"
        'sed "s/.*://; s/}//" params.json\n'
    )
    return folder


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(
        ["git", *identity, *words], cwd=folder, env=ENVIRON, check=True, capture_output=True
    )


@pytest.mark.parametrize("mode", ["copy", "git", "auto"])
def test_a_burst_leaves_the_workspace_and_its_repository_untouched(lab, tmp_path, mode):
    workspace = a_workspace(tmp_path / "code")
    git(workspace, "init", "-q")
    git(workspace, "add", ".")
    git(workspace, "commit", "-qm", "all")
    before = tree(workspace)
    an_experiment(
        lab,
        tmp_path,
        workspace_root="code",
        workspace_mode=mode,
        mutable_paths=["params.json"],
        executor_command="sh run.sh",
    )
    burst(lab, "exp", 4)
    assert [line.outcome for line in lines(lab)] == [Outcome.SUCCESS] * 4
    assert [line.value for line in lines(lab)] == [line.params["x"] for line in lines(lab)]
    assert tree(workspace) == before


def test_a_data_root_in_the_workspace_is_not_copied_into_itself(tmp_path):
    workspace = a_workspace(tmp_path / "code")
    root = workspace / "lab-data"
    lab = a_lab(root)
    an_experiment(
        lab,
        tmp_path,
        workspace_root="code",
        workspace_mode="copy",
        executor_command="ls -a > $LAB_RUN_ARTIFACTS_DIR/seen; sh run.sh",
        mutable_paths=["params.json"],
    )
    before = tree(workspace, root)
    burst(lab, "exp", 3)
    assert tree(workspace, root) == before
    for line in lines(lab):
        run = lab.layout.experiment("exp").run(line.run_id)
        seen = (run.artifacts / "seen").read_text().split()
        assert sorted(seen) == [".", "..", "params.json", "run.sh", "src"]
        assert line.outcome is Outcome.SUCCESS


def test_a_workspace_in_the_data_root_is_refused_also_when_it_moves_there(lab, root, tmp_path):
    inside = root / "scratch" / "code"
    inside.mkdir()
    with pytest.raises(RequestError, match="inside the data root"):
        an_experiment(lab, tmp_path, workspace_root=str(inside))
    assert lab.experiments() == []
    outside = tmp_path / "code"
    outside.mkdir()
    an_experiment(lab, tmp_path, workspace_root=str(outside))
    outside.rmdir()
    outside.symlink_to(inside)
    with pytest.raises(RequestError, match="inside the data root"):
        burst(lab, "exp", 1)
    assert lines(lab) == ()


# edits of the SPEC


def edit(lab, old, new, experiment="exp"):
    path = lab.layout.experiment(experiment).spec
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edit_of_the_spec_is_noted_once_and_each_run_names_the_spec_it_had(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    done(root, "burst", "exp=exp", "n=2")
    edit(lab, "find the smallest loss", "find a small loss")
    for _ in range(2):
        done(root, "burst", "exp=exp", "n=1")
    text = lab.layout.experiment("exp").spec.read_bytes()
    records = lab.journal("exp").read().records
    assert [record.intent.value for record in records] == ["created", "spec"]
    assert records[1].spec_sha256 == hashlib.sha256(text).hexdigest()
    assert (records[1].by, records[1].after_runs) == ("human", 2)
    digests = [manifest(lab, line)["spec_sha256"] for line in lines(lab)]
    assert digests == [records[0].spec_sha256] * 2 + [records[1].spec_sha256] * 2
    status = json.loads((root / "experiments/exp/STATUS.json").read_text())
    assert status["goal"] == "find a small loss"
    assert [event.kind for event in lab.ledger.read().records].count("spec") == 1


def manifest(lab, line, experiment="exp"):
    return json.loads(lab.layout.experiment(experiment).run(line.run_id).manifest.read_text())


def test_an_edited_space_holds_from_the_next_burst_on(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    done(root, "burst", "exp=exp", "n=3")
    edit(lab, '"low": -5, "high": 5', '"low": 100, "high": 101')
    done(root, "burst", "exp=exp", "n=3")
    assert [line.params["x"] > 99 for line in lines(lab)] == [False] * 3 + [True] * 3


def test_a_spec_edited_to_garbage_stops_its_experiment_alone(lab, root, tmp_path):
    for name in ("bad", "good"):
        an_experiment(lab, tmp_path, name)
        burst(lab, name, 1)
    lab.layout.experiment("bad").spec.write_bytes(b"\xff\xfe\0 not a spec")
    before = (root / "experiments/bad/STATUS.json").read_bytes()
    answer = command(root, "burst", "exp=bad")
    assert answer.code in (2, 3)
    assert "SPEC.yaml" in answer.err
    assert command(root, "burst", "exp=good", "n=2").code == 0
    assert command(root, "run_once").code == 1
    assert counts(lab) == {"bad": 1, "good": 4}
    assert (root / "experiments/bad/STATUS.json").read_bytes() == before


def test_an_edit_that_breaks_the_spec_for_a_moment_does_not_stop_a_running_burst(
    lab, tmp_path, monkeypatch
):
    monkeypatch.setattr("hermes.modes.loop._PROJECT_PAUSE", 0.0)
    monkeypatch.setattr("hermes.modes.loop._PROJECT_SHARE", 0)
    an_experiment(lab, tmp_path)
    spec = lab.layout.experiment("exp").spec
    text = spec.read_bytes()
    tally = Tally()
    with opened(lab, "exp", Order(attended=True)) as session:
        iterate(session, tally, 5, on_run=lambda line: spec.write_bytes(text[: 60 * line.seq]))
    assert tally.successes == 5
    spec.write_bytes(text)
    burst(lab, "exp", 1)
    assert len(lines(lab)) == 6


def test_numbers_of_two_metrics_are_never_ranked_together(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 2)
    edit(lab, '"metric": "loss"', '"metric": "accuracy"')
    answer = command(root, "burst", "exp=exp", "n=2")
    assert answer.code == 3
    assert "measured 'loss', and SPEC.yaml now says 'accuracy'" in answer.err
    assert command(root, "run_once").code == 1
    assert counts(lab) == {"exp": 2}
    edit(lab, '"metric": "accuracy"', '"metric": "loss"')
    done(root, "burst", "exp=exp", "n=1")
    assert counts(lab) == {"exp": 3}


def test_a_metric_that_never_had_a_number_can_be_called_by_another_name(lab, root, tmp_path):
    an_experiment(lab, tmp_path, metric="los", executor_command="""echo '{"loss": 1}'""")
    assert command(root, "burst", "exp=exp", "n=1").code == 1
    edit(lab, '"metric": "los"', '"metric": "loss"')
    done(root, "burst", "exp=exp", "n=1")


def test_a_plan_of_another_spec_is_made_anew_before_it_runs(lab, tmp_path):
    an_experiment(lab, tmp_path)
    with opened(lab, "exp", Order(attended=True)) as session:
        plan(session)
    edit(lab, '"low": -5, "high": 5', '"low": 100, "high": 101')
    burst(lab, "exp", 1)
    (line,) = lines(lab)
    assert line.params["x"] > 99
    assert (line.iteration, line.trial) == (1, 1)
    text = lab.layout.experiment("exp").spec.read_bytes()
    assert manifest(lab, line)["spec_sha256"] == hashlib.sha256(text).hexdigest()
    assert lab.packages.running() == []


@pytest.mark.parametrize("command", [None, 'echo kept > "$LAB_RUN_ARTIFACTS_DIR/kept"; echo 1.5'])
def test_a_plan_that_lost_its_folder_for_artifacts_is_run_all_the_same(lab, tmp_path, command):
    """Losing power while a run is sealed can lose it: the folder is moved then."""
    an_experiment(lab, tmp_path, executor_command=command)
    with opened(lab, "exp", Order(attended=True)) as session:
        planned = plan(session)
        planned.make_durable()
    planned.folder.run.artifacts.rmdir()
    burst(lab, "exp", 1)
    (line,) = lines(lab)
    assert (line.run_id, line.iteration) == (planned.manifest.run_id, 1)
    assert line.outcome is (Outcome.STUB if command is None else Outcome.SUCCESS)
    kept = lab.layout.experiment("exp").run(line.run_id).artifacts / "kept"
    assert kept.exists() == (command is not None)
    assert verify(lab).problems == ()


# the ledger


def test_the_ledger_tells_once_of_every_creation_run_and_decision(lab, root, tmp_path):
    an_experiment(lab, tmp_path, max_iterations_total=5)
    done(root, "burst", "exp=exp", "n=3")
    done(root, "pause", "exp=exp", "reason=lunch")
    done(root, "resume", "exp=exp")
    done(root, "run_once")
    done(root, "burst", "exp=exp", "n=9")
    events = [(event.kind, event.run_id) for event in lab.ledger.read().records]
    runs = [("sealed", line.run_id) for line in lines(lab)]
    phase = [("phase", None)]
    assert events == [
        ("init", None),
        ("created", None),
        *runs[:3],
        *phase * 2,
        *runs[3:],
        *phase,
    ]
    assert lab.ledger.check() == []


def test_a_lab_that_was_refreshed_after_all_this_says_the_same(lab, root, tmp_path):
    an_experiment(lab, tmp_path, worker_roles=["scout", "builder"], max_iterations_per_run=2)
    for _ in range(3):
        done(root, "run_once")
    before = {path: path.read_bytes() for path in root.rglob("*.json") if "runs" not in path.parts}
    refresh(Lab(root, environ=ENVIRON))
    views = {path: path.read_bytes() for path in before if "locks" not in path.parts}
    assert views == {path: before[path] for path in views}
    assert [line.role for line in lines(lab)] == ["scout", "builder"] * 3
