"""The benchmarks run to their end; no time is asserted here."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from labs import a_lab

from hermes.steps.project import read_index
from hermes.steps.refresh import refresh
from hermes.steps.verify import verify

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def crowd(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import crowd

    return crowd


def run(name: str, folder: Path, *more: str) -> str:
    words = [sys.executable, str(BENCHMARKS / name), "--size", "tiny", "--folder", str(folder)]
    ended = subprocess.run([*words, *more], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("overhead.py", ["over the bare command", "over the floor", "publish the package"]),
        ("flat.py", ["last 5 over first 5", "growth of memory", "the old one / of the new one"]),
        ("parallel.py", ["throughput of two over one", "runs a second"]),
        (
            "search_cost.py",
            ["evolution: added a trial", "tree, 20: old over new", "grid: start of a burst"],
        ),
        ("scale.py", ["`run_once`, nothing due", "`status format=json`", "`run_once`, one due"]),
        ("imports.py", ["import time, ms", "Whole commands, ms"]),
    ],
)
def test_a_benchmark_measures_what_it_says_and_cleans_up(name, measured, tmp_path):
    section = run(name, tmp_path)
    assert section.startswith("## ")
    for part in measured:
        assert part in section
    assert list(tmp_path.iterdir()) == []
    assert "which it does not use" not in section


def test_all_write_one_page_that_says_how_it_was_made(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import all as every

    monkeypatch.setattr(every, "BENCHMARKS", ("one.py", "two.py"))
    monkeypatch.setattr(every, "one", lambda name, more: f"## {name} {more}\n")
    monkeypatch.setattr(sys, "argv", ["all.py", "--size", "quick", "--out", str(tmp_path / "R.md")])
    every.main()
    page = (tmp_path / "R.md").read_text()
    assert "`python benchmarks/all.py --size quick`" in page
    assert "## one.py ['--size', 'quick']\n\n## two.py" in page
    assert "Python 3." in page


def test_every_experiment_of_a_crowd_is_as_the_lab_would_have_written_it(tmp_path, crowd):
    lab = a_lab(tmp_path / "lab")
    names = crowd.make(lab, 3, 2, cadence="daily")
    assert lab.experiments() == names
    checked = verify(lab)
    assert (checked.bundles, checked.problems) == (6, ())
    for name in names:
        assert lab.index(name).missing(lab.bundles.list(name)) == []
        assert not lab.index(name).rebuild(partial(lab.bundles.read_all, name)).changed
    assert not refresh(lab).problems
    assert {status.run_count for status in read_index(lab).values()} == {2}
