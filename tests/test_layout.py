from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes import layout
from hermes.layout import (
    EXPERIMENT_ID,
    RUN_ID,
    Layout,
    PackageLayout,
    dispatch_id,
    package_name,
    parse_package,
    run_id,
)

HOSTILE = ["", ".", "..", "../x", "/etc", "a/b", "a\nb", "a\0b", "A", "-a", "a-", "a" * 300, "a b"]


@pytest.mark.parametrize("name", [*HOSTILE, "_a", ".a", "ä", "a\u0663"])
def test_unsafe_experiment_ids_are_none(name):
    assert not EXPERIMENT_ID.match(name)


@pytest.mark.parametrize("name", ["a", "a1", "optimize-rosenbrock", "a.b_c-d", "0", "a" * 64])
def test_plain_experiment_ids_are_fine(name):
    assert EXPERIMENT_ID.match(name)


def test_a_run_id_is_made_of_its_time_and_role():
    run = run_id("2026-01-31T09:30:00.123456Z", "explorer")
    assert run == "RUN-20260131T093000.123456Z-explorer"
    assert RUN_ID.match(run)


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "RUN-20260131T093000.123456Z-",
        "RUN-20260131T093000.123456Z-../../etc",
        "RUN-20260131T093000.123456Z-a\n",
        "RUN-20260131T093000.123456Z-a/b",
        "RUN-\u0662\u0660260131T093000.123456Z-a",  # digits, but not ours
        "run-20260131T093000.123456Z-a",
        "RUN-20260131T093000.123456Z-" + "a" * 65,
        ".RUN-20260131T093000.123456Z-a.1.0.tmp",
    ],
)
def test_unsafe_run_ids_are_none(name):
    assert not RUN_ID.match(name)


def test_later_runs_sort_later():
    moments = [
        "2026-01-31T09:30:00.123456Z",
        "2026-01-31T09:30:00.123457Z",
        "2026-02-01T00:00:00.000000Z",
    ]
    assert sorted(run_id(m, "a") for m in moments) == [run_id(m, "a") for m in moments]


@given(
    st.from_regex(EXPERIMENT_ID, fullmatch=True),
    st.integers(0, 10**12),
    st.integers(0, 10**6),
    st.from_regex(r"[A-Za-z0-9._-]{1,80}", fullmatch=True),
)
def test_a_package_name_is_taken_apart_as_it_was_made(experiment, iteration, attempt, worker):
    experiment = experiment.rstrip("\n")
    name = package_name(dispatch_id(experiment, iteration), attempt, worker)
    found = parse_package(name)
    assert found is not None
    assert (found.experiment, found.iteration) == (experiment, iteration)
    assert (found.attempt, found.worker) == (attempt, worker)
    assert found.dispatch_id == dispatch_id(experiment, iteration)


def test_a_package_that_waits_has_no_worker():
    found = parse_package("exp-000001")
    assert found is not None
    assert (found.attempt, found.worker) == (0, "")


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "exp-1",
        "exp-00001\u0663",
        "../exp-000001",
        "exp-000001,a1",
        "exp-000001,a1,",
        "exp-000001,a1,../../x",
        "exp-000001,a1,one\n",
        "exp-000001,ax,one",
        ".exp-000001,a1,one.12.0.tmp",
        "exp-" + "0" * 30,
    ],
)
def test_what_is_no_package_is_none(name):
    assert parse_package(name) is None


@pytest.mark.parametrize("worker", ["", "../x", "a/b", "a\n", "w" * 81, "ä"])
def test_a_worker_that_cannot_be_part_of_a_name_is_refused(worker):
    with pytest.raises(ValueError, match="not the name of a package"):
        package_name("exp-000001", 1, worker)


def test_no_two_files_share_a_path_and_all_are_inside_the_root():
    root = Path("/lab")
    lab = Layout(root)
    experiment = lab.experiment("exp")
    parts = [lab, experiment, experiment.run("RUN"), PackageLayout(lab.running / "exp-000001,a1,w")]
    paths = [path for part in parts for path in _paths(part)]
    assert all(path.is_relative_to(root) for path in paths)
    assert len(paths) == len(set(paths))
    assert len(paths) > 30


def _paths(part: object) -> list[Path]:
    assert is_dataclass(part)
    kinds = (property, cached_property)
    own = {field.name for field in fields(part)}
    names = [name for name, item in vars(type(part)).items() if isinstance(item, kinds)]
    found = [getattr(part, name) for name in names if name not in own]
    return [path for path in found if isinstance(path, Path)]


def test_every_folder_that_init_makes_is_inside_the_root():
    folders = Layout(Path("/lab")).folders()
    assert all(folder.is_relative_to("/lab") for folder in folders)
    assert Path("/lab/dispatch/running") in folders


def test_the_layout_never_looks_at_the_disk():
    assert "os" not in vars(layout)
    assert "files" not in vars(layout)
