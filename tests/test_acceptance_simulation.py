"""What acceptance lets in and keeps out, by simulation through the real decisions; small."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from hermes.spec import Acceptance

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
PLACE = BENCHMARKS / "acceptance"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.syspath_prepend(PLACE)


def judge(repeats: int, **more):
    return import_module("weighed").Weighing(Acceptance(repeats=repeats, **more))


def once_better():
    return import_module("weighed").OnceBetter()


def nulls(of, kind: str, seed: int, **more) -> float:
    return import_module("weighed").nulls(of, kind, 200, str(seed), **more).accepted


def climbed(of, landscape: str, seed: int):
    climbs = import_module("climbs")
    return climbs.climb(of, getattr(climbs, landscape), "normal", 200, str(seed))


@pytest.mark.parametrize("kind", ["normal", "wild", "skewed", "two_valued", "drifting"])
def test_of_200_candidates_that_change_nothing_at_most_5_per_cent_are_accepted(kind):
    name = {"wild": "without variance", "two_valued": "two-valued"}.get(kind, kind)
    assert max(nulls(judge(4), name, seed) for seed in range(2)) <= 0.05


def test_an_unlucky_or_lucky_record_of_the_incumbent_changes_nothing():
    for luck in (-3.0, 3.0):
        assert nulls(judge(4), "normal", 1, luck=luck) <= 0.05


def test_the_naive_rule_accepts_what_changes_nothing_every_other_time():
    assert 0.4 < nulls(once_better(), "normal", 1) < 0.6


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_a_true_gain_of_three_sigma_is_accepted_95_times_in_100(repeats):
    found = import_module("weighed").alike(judge(repeats), "normal", 3.0, 200, "great")
    assert found.accepted >= 0.95
    assert found.measurements < 4 * repeats * 2


def test_a_climb_of_200_iterations_ends_truly_better_than_it_began():
    for seed in range(2):
        climb = climbed(judge(4), "FEW_GAINS", seed)
        assert climb.end > climb.offered / 3
        assert climb.fall < 1.0
        assert climb.luck < 1.5


def test_where_nothing_is_to_be_gained_the_lab_stays_and_the_naive_rule_goes_downhill():
    assert climbed(judge(4), "NO_GAINS", 1).end > -1.0
    assert climbed(once_better(), "NO_GAINS", 1).end < -5.0


def test_ties_that_may_each_cede_the_whole_allowance_would_lead_downhill():
    shrinking = import_module("climbs").shrinking
    rule = {"repeats": 4, "min_improvement": 1.0}
    assert shrinking(judge(**rule), 0.2, 100, "ties", anew=True) < -3.0
    assert shrinking(judge(**rule), 0.2, 100, "ties", anew=False) >= -1.0


def test_the_benchmark_makes_its_page():
    words = [sys.executable, str(PLACE / "run.py"), "--size", "tiny"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    for told in ("## Candidates that change nothing", "## A climb of 20 iterations", "+3 sigma"):
        assert told in ended.stdout
