"""The example `optimize-code`: its ideas do what they are meant to, and the loop judges them so."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from labs import a_lab, lines

from hermes.steps.create import create

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "optimize-code"
WORKSPACE = EXAMPLE / "workspace"
README = (EXAMPLE / "README.md").read_text()
TRIED = re.compile(r"^- (\d+) ([a-z-]+)[^(\n]* \(\+(\d+) -(\d+) lines\): ([^;\n]+?)(?:;|$)", re.M)
COMMAND = "doit burst exp=optimize-code n=16"
GOOD = (2, 6, 9, 15)


def environment(**more: str) -> dict[str, str]:
    """Put this Python first on the PATH, as an activated environment does."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more}


def python(script: Path, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(script)]
    return subprocess.run(
        words, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False
    )


def change(folder: Path, iteration: int) -> None:
    changed = python(EXAMPLE / "mutator.py", folder, LAB_RUN_ITERATION=str(iteration))
    assert changed.returncode == 0, changed.stderr
    assert changed.stdout.startswith("HYPOTHESIS: ")


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the workspace and a way to take the good ideas up to an iteration."""
    folder = Path(shutil.copytree(WORKSPACE, tmp_path / "workspace"))

    def at(iteration: int) -> Path:
        for good in GOOD:
            if good < iteration:
                change(folder, good)
        return folder

    return at


def share(folder: Path) -> float:
    ran = python(folder / "benchmark.py", folder)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)["relative_time"]


def test_all_good_ideas_together_make_it_several_times_as_fast(copy):
    assert share(copy(2)) > 0.6
    assert share(copy(16)) < 0.3


def test_an_idea_made_for_the_benchmark_passes_it_and_fails_the_hold_out(copy):
    folder = copy(11)
    change(folder, 11)
    assert json.loads(python(folder / "benchmark.py", folder).stdout)["right"] == 1
    asked = python(EXAMPLE / "holdout.py", folder)
    assert asked.returncode == 1
    assert re.fullmatch(r"only \d+% of the answers are right\n", asked.stderr)


def test_the_best_of_it_passes_the_hold_out(copy):
    asked = python(EXAMPLE / "holdout.py", copy(16))
    assert json.loads(asked.stdout)["relative_time"] < 0.6


def test_a_wrong_idea_is_told_what_it_got_wrong(copy):
    folder = copy(7)
    change(folder, 7)
    ran = python(folder / "benchmark.py", folder)
    assert ran.returncode == 1
    assert ran.stderr.startswith("wrong: of ['post', 'stoop'] it suggests ['post'] for ['stop']")


def test_an_answer_is_right_when_it_is_as_near_as_the_nearest():
    words = [sys.executable, "-c", CHECKS]
    ran = subprocess.run(words, cwd=WORKSPACE, env=environment(), capture_output=True, text=True)
    assert json.loads(ran.stdout) == [True, True, False, False]


CHECKS = """
import json, benchmark
vocabulary = ["cat", "cut", "stoop"]
text, wanted = ["cot", "cat", "stop", "stop"], ["cat", "cat", "stoop", "stoop"]
print(json.dumps(benchmark.are_right(text, vocabulary, ["cut", "cat", "cat", None], wanted)))
"""


def test_the_spec_names_files_that_are_there_and_nothing_without_effect(tmp_path):
    fields = yaml.safe_load((EXAMPLE / "spec.yaml").read_text())
    for name in (*fields["mutable_paths"], *fields["read_only_paths"]):
        assert (WORKSPACE / name).is_file()
    original = (WORKSPACE / "suggest.py").read_text()
    assert (WORKSPACE / "reference.py").read_text() == original
    assert create(a_lab(tmp_path / "lab-data"), EXAMPLE / "spec.yaml").experiment == fields["id"]


def test_the_readme_names_files_that_exist():
    for row in README.splitlines():
        if row.startswith("| `"):
            assert (EXAMPLE / row.split("`")[1]).is_file()


def told(text: str) -> dict[int, tuple[str, ...]]:
    return {int(number): rest for number, *rest in TRIED.findall(text)}


@pytest.mark.slow
def test_its_command_ends_as_the_readme_shows(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    create(lab, EXAMPLE / "spec.yaml")
    assert COMMAND in README
    words = [sys.executable, "-m", "hermes", *COMMAND.split()[1:]]
    environ = environment(HERMES_LAB_DATA_ROOT=str(lab.layout.root))
    ran = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    context = (lab.layout.experiment("optimize-code").folder / "context.md").read_text()
    shown = told(README)
    assert sorted(shown) == list(range(2, 17))
    assert told(context) == shown
    withdrawn, guarded = (
        next(line for line in lines(lab, "optimize-code") if line.seq == seq) for seq in (11, 10)
    )
    assert "hold-out" in withdrawn.reason
    assert "right is 0.9" in guarded.reason or "hold-out" in guarded.reason
    assert lines(lab, "optimize-code")[0].strategy == "baseline"
    best = max(GOOD)
    assert (
        lab.layout.experiment("optimize-code")
        .run(lines(lab, "optimize-code")[best - 1].run_id)
        .patch.is_file()
    )
    assert (WORKSPACE / "suggest.py").read_text() == (WORKSPACE / "reference.py").read_text()
