"""The example `optimize-function`: its code runs, its files fit together, its SPEC is valid."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import hermes
from hermes.model import Direction
from hermes.search.base import SearchContext
from hermes.search.registry import make
from hermes.search.space import load_space

EXAMPLE = Path(__file__).parents[1] / "examples" / "optimize-function"
WORKSPACE = EXAMPLE / "workspace"
SPEC_SCHEMA = Path(hermes.__file__).parent / "schema" / "spec.schema.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WORKSPACE, tmp_path / "a copy"))


def spec() -> dict:
    return yaml.safe_load((EXAMPLE / "spec.yaml").read_text())


def run(folder: Path) -> dict:
    command = spec()["executor_command"].replace("python3", sys.executable).split()
    ran = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
    assert ran.stderr == ""
    return json.loads(ran.stdout.splitlines()[-1])


def place(folder: Path, x: float, y: float) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["point"].update(x=x, y=y)
    (folder / "config.json").write_text(json.dumps(config))


def test_the_code_prints_the_metric_that_the_spec_names(copy):
    result = run(copy)
    assert result[spec()["metric"]] == pytest.approx(24.2)
    assert sorted(result) == ["distance", "loss"]


def test_the_lowest_point_is_where_the_readme_says(copy):
    place(copy, 1, 1)
    assert run(copy) == {"loss": 0, "distance": 0}


def test_a_run_leaves_no_file_behind(copy):
    before = sorted(path.name for path in copy.iterdir())
    run(copy)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_the_search_space_holds_the_start_and_the_lowest_point():
    space = load_space(EXAMPLE / spec()["search_space"])
    start = json.loads((WORKSPACE / "config.json").read_text())["point"]
    assert space.contains(start) == []
    assert space.contains({"x": 1, "y": 1}) == []


def test_random_search_gets_near_the_lowest_point_in_forty_runs():
    fields = spec()
    space = load_space(EXAMPLE / fields["search_space"])
    direction = Direction(fields["metric_direction"])
    strategy = make(fields["strategy"], SearchContext(space, direction, seed=fields["seed"]))
    points = [strategy.ask(number).params for number in range(1, 41)]
    best = min((1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2 for p in points)
    assert best < 1
    assert best < (1 + 1.2) ** 2 + 100 * (1 - 1.2**2) ** 2  # better than the start


def test_the_spec_names_files_that_exist_and_paths_that_cover_them():
    fields = spec()
    assert EXAMPLE / fields["workspace_root"] == WORKSPACE
    assert (EXAMPLE / fields["search_space"]).is_file()
    for name in [fields["params_file"], *fields["mutable_paths"]]:
        assert (WORKSPACE / name).is_file()
    assert fields["params_file"] in fields["mutable_paths"]


def test_the_spec_fits_its_schema():
    schema = json.loads(SPEC_SCHEMA.read_text())
    assert list(Draft202012Validator(schema).iter_errors(spec())) == []


def test_the_readme_names_the_experiment_and_files_that_exist():
    text = (EXAMPLE / "README.md").read_text()
    assert f"exp={spec()['id']}" in text
    for row in [line for line in text.splitlines() if line.startswith("| `")]:
        assert (EXAMPLE / row.split("`")[1]).is_file()


def test_the_grid_has_as_many_points_as_the_readme_says():
    space = load_space(WORKSPACE / "grid_space.json")
    assert f"all {space.size()} combinations" in (EXAMPLE / "README.md").read_text()
    assert {"x": 1.0, "y": 1.0} in list(space.grid())
