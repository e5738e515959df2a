from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from labs import a_lab, an_experiment, burst, hermes, lines, views, write_spec

from hermes import codec
from hermes.steps.refresh import refresh


def stamps(root):
    """Return what tells that a file under the data root was written: inode and time."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def run(root, *words, **more):
    result = hermes(root, *words, **more)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def test_the_quick_start_works_from_any_folder(root, tmp_path):
    write_spec(tmp_path)
    run(root, "init")
    run(root, "create", "spec=exp.yaml", cwd=tmp_path)
    run(root, "burst", "exp=exp", "strategy=random", "n=4")
    run(root, "run_once")
    status = json.loads(run(root, "status", "format=json").stdout)
    assert status["experiments"][0]["run_count"] == 5
    for command in (["experiments"], ["show", "exp=exp"], ["verify"], ["watchdog"], ["refresh"]):
        run(root, *command)


def test_loading_the_graph_writes_nothing(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path)
    before = stamps(root)
    for words in (["list", "--all", "--status"], ["info", "plan:exp"], ["help"]):
        assert hermes(root, *words).returncode < 2  # doit's info says 1 for what would run
    assert stamps(root) == before


def test_listing_where_there_is_no_lab_leaves_no_file(tmp_path):
    result = hermes(tmp_path / "nothing", "list", cwd=tmp_path)
    assert result.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_an_agent_reads_purpose_dependencies_and_targets(root, tmp_path):
    an_experiment(a_lab(root), tmp_path)
    listed = run(root, "list", "--all", "--status").stdout
    for task in ("plan:exp", "execute:exp", "seal:exp", "iterate:exp", "project:exp"):
        assert task in listed
    told = hermes(root, "info", "execute:exp").stdout
    assert "planned.json" in told
    assert "executed.json" in told


def test_a_cycle_with_nothing_due_runs_no_step(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path, cadence="weekly")
    run(root, "run_once")
    assert len(lines(lab)) == 1
    before = stamps(root)
    result = run(root, "run_once")
    assert (result.stdout, result.stderr) == ("", "")
    assert stamps(root) == before


def test_a_new_run_rebuilds_the_views_of_its_experiment_and_no_other(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path, "one")
    an_experiment(lab, tmp_path, "two")
    run(root, "status")
    before = stamps(root)
    run(root, "burst", "exp=one", "n=1")
    changed = {name for name, stamp in stamps(root).items() if before.get(name) != stamp}
    assert "experiments/one/STATUS.json" in changed
    assert "LAB-INDEX.json" in changed
    assert not [name for name in changed if name.startswith("experiments/two/")]


@pytest.mark.parametrize("lost", [".doit", "projections", "one projection", "checkpoints", "index"])
def test_what_is_derived_can_be_deleted_and_comes_back_byte_for_byte(root, tmp_path, lost):
    lab = a_lab(root)
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 5)
    run(root, "status")
    before = views(lab)
    folder = lab.layout.experiment("exp").folder
    metrics = (folder / "metrics.jsonl").read_bytes()
    if lost == ".doit":
        shutil.rmtree(root / ".doit")
    elif lost == "projections":
        for name in before:
            (root / name).unlink()
    elif lost == "one projection":
        (folder / "SUMMARY.md").unlink()
    elif lost == "checkpoints":
        shutil.rmtree(folder / "checkpoints")
    else:
        (folder / "metrics.jsonl").unlink()
    run(root, "refresh" if lost in ("index", "checkpoints", "projections") else "status")
    assert views(lab) == before
    assert (folder / "metrics.jsonl").read_bytes() == metrics


def test_a_search_goes_on_after_a_thousand_runs_told_from_a_block(root, tmp_path):
    lab = a_lab(root)
    space = {"x": {"type": "int", "low": 1, "high": 2000}}
    an_experiment(lab, tmp_path, strategy="grid", search_space=space)
    burst(lab, "exp", 1)
    layout, [line] = lab.layout.experiment("exp"), lines(lab)
    names = [f"RUN-20260101T00{n // 60:02d}{n % 60:02d}.000000Z-worker" for n in range(1, 1002)]
    told = [
        replace(line, seq=n, iteration=n, trial=n, run_id=name, params={"x": n})
        for n, name in enumerate(names, 1)
    ]
    shutil.rmtree(layout.runs / line.run_id)
    for name in names:
        (layout.runs / name).mkdir()
    layout.metrics.write_bytes(b"".join(map(codec.to_line, told)))
    run(root, "status")
    assert [layout.block(last).is_file() for last in (1000, 2000)] == [True, False]
    run(root, "burst", "exp=exp", "n=1")
    assert len(lines(lab)) == 1002
    assert lines(lab)[-1].params == {"x": 1002}


def test_a_projection_that_is_deleted_comes_back_with_the_next_cycle(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path, cadence="weekly")
    run(root, "run_once")
    before = views(lab)
    for name in before:
        if not name.startswith("experiments/exp/checkpoints"):
            (root / name).unlink()
    run(root, "run_once")
    assert views(lab) == before
    assert len(lines(lab)) == 1


def test_a_rebuilt_index_is_the_one_that_appending_wrote(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 6)
    path = lab.layout.experiment("exp").metrics
    before = path.read_bytes()
    path.write_bytes(before[: len(before) // 2] + b"garbage\n")
    assert refresh(lab).problems == ()
    assert path.read_bytes() == before


def test_two_commands_at_once_lose_nothing_of_each_other(root, tmp_path):
    lab = a_lab(root)
    for name in ("one", "two", "three"):
        an_experiment(lab, tmp_path, name)
    commands = [
        ["burst", "exp=one", "n=15"],
        ["burst", "exp=two", "n=15"],
        ["run_once", "exp=three"],
        ["status"],
        ["status", "format=json"],
    ]
    environ = {"HERMES_LAB_DATA_ROOT": str(root)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "hermes", *words],
            env={**__import__("os").environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands
    ]
    for words, process in zip(commands, running, strict=True):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (words, out, err)
    assert [len(lines(lab, name)) for name in ("one", "two", "three")] == [15, 15, 1]
    run(root, "status")
    before = views(lab)
    run(root, "refresh")
    assert views(lab) == before
    run(root, "verify")


@pytest.mark.parametrize("command", ["burst", "run_once", "show", "pause", "refresh", "verify"])
def test_an_experiment_that_does_not_exist_is_refused_with_the_nearest(root, tmp_path, command):
    an_experiment(a_lab(root), tmp_path)
    before = stamps(root)
    result = hermes(root, command, "exp=exq")
    assert result.returncode == 3
    assert result.stderr.splitlines()[1] == "Did you mean 'exp'?"
    assert stamps(root) == before


def test_where_there_is_no_lab_the_next_step_is_named(tmp_path):
    for words in (["status"], ["burst", "exp=x"], ["run_once"], ["verify"]):
        result = hermes(tmp_path / "nothing", *words, cwd=tmp_path)
        assert result.returncode == 3, words
        assert "Run `hermes-lab init` first" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_cycle_passes_over_an_experiment_that_somebody_works_on(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path)
    lease = lab.leases.acquire("exp")
    assert lease is not None
    result = hermes(root, "run_once")
    assert result.returncode == 0
    assert lines(lab) == ()


def test_one_broken_experiment_does_not_stop_the_others(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path, "good")
    an_experiment(lab, tmp_path, "bad")
    lab.layout.experiment("bad").spec.write_text("metric: [unclosed")
    result = hermes(root, "run_once")
    assert result.returncode == 1
    assert "bad/SPEC.yaml" in result.stderr
    assert len(lines(lab, "good")) == 1
    assert "bad/SPEC.yaml" in hermes(root, "watchdog").stdout
