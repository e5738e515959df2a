"""The example `tune-classifier`: a real model, tuned by the command that its README gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from crashed_labs import reopened
from labs import ENVIRON, lines

from hermes.model import Outcome
from hermes.search.space import load_space

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "tune-classifier"
WORKSPACE = EXAMPLE / "workspace"
README = (EXAMPLE / "README.md").read_text()


@pytest.fixture
def environ(tmp_path):
    """Put this Python first on the PATH, as an activated environment does."""
    path = f"{Path(sys.executable).parent}:{ENVIRON['PATH']}"
    return {**ENVIRON, "PATH": path, "HERMES_LAB_DATA_ROOT": str(tmp_path / "lab-data")}


def test_a_few_runs_of_its_command_find_a_better_classifier(tmp_path, environ):
    command, shown = re.findall(r"```(?:sh)?\n(.+?)```", README, re.DOTALL)
    assert command.count("n=20") == 1
    said = printed(command.replace("n=20", "n=5"), environ)
    assert shape(said) == shape(shown)
    lab = reopened(tmp_path / "lab-data")
    found = lines(lab, "tune-classifier")
    assert [line.outcome for line in found] == [Outcome.SUCCESS] * 5
    assert all(0 <= line.value <= 1 for line in found)
    assert all(set(line.secondary) == {"fit_seconds", "total_seconds"} for line in found)
    assert max(line.value for line in found) > min(line.value for line in found)
    best = max(found, key=lambda line: line.value)
    kept = lab.layout.experiment("tune-classifier").run(best.run_id).artifacts / "config.yaml"
    assert yaml.safe_load(kept.read_text())["model"]["kind"] == best.params["kind"]
    assert "# svm, forest or neighbours" in kept.read_text()


def printed(command: str, environ: dict[str, str]) -> str:
    """Return what a command prints, as one sees it where output is no terminal."""
    ran = subprocess.run(
        ["sh", "-ec", command],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def shape(said: str) -> list[str]:
    """Return the lines without paths, runs and numbers; those of all runs are one."""
    text = re.sub(r"RUN-[\w.-]+\w", "RUN", re.sub(r"/\S+/", "/", said))
    text = re.sub(r"\b\d+(\.\d+)?\b", "N", text).replace("  best so far", "")
    return list(dict.fromkeys(text.splitlines()))


def test_the_output_that_is_shown_marks_each_run_that_was_the_best_so_far():
    shown = re.findall(r"^\d+/20 .+  ([\d.]+)(  best so far)?$", README, flags=re.MULTILINE)
    values = [float(value) for value, _ in shown]
    assert len(values) == 20
    for place, (_, mark) in enumerate(shown):
        assert bool(mark) == (values[place] > max(values[:place], default=-1)), place
    assert f"Best accuracy: {max(values):g} in RUN-" in README


def test_every_parameter_has_its_one_place_in_the_configuration():
    text = (WORKSPACE / "config.yaml").read_text()
    for name in load_space(WORKSPACE / "search_space.json").names:
        assert len(re.findall(rf"^ +{name}: ", text, flags=re.MULTILINE)) == 1, name


def test_the_configuration_as_it_stands_runs(environ):
    words = [sys.executable, "train.py"]
    ran = subprocess.run(words, cwd=WORKSPACE, env=environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert 0.5 < json.loads(ran.stdout)["accuracy"] < 1


def test_the_readme_names_files_that_exist():
    for row in README.splitlines():
        if row.startswith("| `"):
            assert (EXAMPLE / row.split("`")[1]).is_file()
