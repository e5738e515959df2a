"""The example `tune-classifier`: a real model, tuned by the command that its README gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from labs import ENVIRON, a_lab, lines

from hermes.model import Outcome
from hermes.search.space import load_space
from hermes.steps.create import create

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "tune-classifier"
WORKSPACE = EXAMPLE / "workspace"


@pytest.fixture
def environ(tmp_path):
    """Put this Python first on the PATH, as an activated environment does."""
    path = f"{Path(sys.executable).parent}:{ENVIRON['PATH']}"
    return {**ENVIRON, "PATH": path, "HERMES_LAB_DATA_ROOT": str(tmp_path / "lab-data")}


def test_a_few_runs_of_its_command_find_a_better_classifier(tmp_path, environ):
    lab = a_lab(tmp_path / "lab-data")
    readme = (EXAMPLE / "README.md").read_text()
    assert "doit burst exp=tune-classifier n=20" in readme
    assert create(lab, EXAMPLE / "spec.yaml").notices == ()
    words = [sys.executable, "-m", "hermes", "burst", "exp=tune-classifier", "n=5"]
    ran = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = lines(lab, "tune-classifier")
    assert [line.outcome for line in found] == [Outcome.SUCCESS] * 5
    assert all(0 <= line.value <= 1 for line in found)
    assert all(set(line.secondary) == {"fit_seconds", "total_seconds"} for line in found)
    assert max(line.value for line in found) > min(line.value for line in found)
    best = max(found, key=lambda line: line.value)
    kept = lab.layout.experiment("tune-classifier").run(best.run_id).artifacts / "config.yaml"
    assert yaml.safe_load(kept.read_text())["model"]["kind"] == best.params["kind"]
    assert "# svm, forest or neighbours" in kept.read_text()


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
    for row in (EXAMPLE / "README.md").read_text().splitlines():
        if row.startswith("| `"):
            assert (EXAMPLE / row.split("`")[1]).is_file()
