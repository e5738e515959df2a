"""The daily digest: when it is written, what it covers, and that it comes back as it was."""

from __future__ import annotations

from datetime import timedelta

import pytest
from forked import begin, command, done
from labs import ENVIRON, a_lab, an_experiment, burst, lines

from hermes.clock import FixedClock, parse_time
from hermes.lab import Lab
from hermes.model import Phase
from hermes.steps.lifecycle import set_phase
from hermes.steps.refresh import refresh

HOUR = 3600.0
DAY = 24 * HOUR
START = "2026-03-10T12:00:00.000000Z"


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, for this process and for the commands it forks."""
    fixed = FixedClock(parse_time(START))
    monkeypatch.setattr("hermes.lab.SystemClock", lambda: fixed)
    return fixed


@pytest.fixture
def lab(root, clock):
    return a_lab(root)


def digests(root):
    return {path.name: path.read_bytes() for path in sorted((root / "digests/daily").iterdir())}


def text_of(root, day):
    return (root / "digests" / "daily" / f"{day}.md").read_text()


def test_there_is_no_digest_on_the_labs_first_day(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    for _ in range(3):
        done(root, "run_once")
        clock.advance(3 * HOUR)
    assert digests(root) == {}


def test_the_first_cycle_of_a_day_sums_up_the_day_before_and_no_other_cycle_does(
    clock, lab, root, tmp_path
):
    an_experiment(lab, tmp_path, cadence="daily")
    done(root, "run_once")
    clock.advance(DAY)
    done(root, "run_once")
    path = root / "digests" / "daily" / "2026-03-10.md"
    stamp = (path.stat().st_ino, path.stat().st_mtime_ns)
    assert list(digests(root)) == ["2026-03-10.md"]
    for _ in range(3):
        clock.advance(3 * HOUR)
        done(root, "run_once")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == stamp
    assert list(digests(root)) == ["2026-03-10.md"]


def test_a_cycle_with_nothing_due_writes_the_digest_all_the_same(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path, cadence="weekly")
    done(root, "run_once")
    for day in (1, 2, 3):
        clock.advance(DAY)
        assert done(root, "run_once") == (0, "", "")
        assert len(digests(root)) == day
    assert "No run was completed." in text_of(root, "2026-03-12")
    assert len(lines(lab)) == 1


def test_a_digest_tells_of_its_own_day_alone(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 2)
    clock.advance(DAY)
    burst(lab, "exp", 3)
    clock.advance(DAY)
    done(root, "run_once")
    assert "2 runs in 1 experiment: 2 success" in text_of(root, "2026-03-10")
    assert "3 runs in 1 experiment: 3 success" in text_of(root, "2026-03-11")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-12-31", "2027-01-01"),
        ("2028-02-28", "2028-02-29"),
        ("2028-02-29", "2028-03-01"),
        ("2026-10-31", "2026-11-01"),
    ],
)
def test_the_last_moment_of_a_day_and_the_first_of_the_next_are_told_apart(
    clock, lab, root, tmp_path, before, after
):
    clock.set_wall(parse_time(f"{before}T23:59:59.999990Z"))
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 2)
    clock.set_wall(parse_time(f"{after}T00:00:00.000000Z"))
    burst(lab, "exp", 3)
    done(root, "run_once", environ={"TZ": "Asia/Tokyo"})
    assert f"# Digest of {before}" in text_of(root, before)
    assert "2 runs in 1 experiment" in text_of(root, before)
    clock.advance(DAY)
    done(root, "run_once", environ={"TZ": "America/New_York"})
    assert "4 runs in 1 experiment" in text_of(root, after)


def test_days_that_no_cycle_followed_are_summed_up_later(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    for _ in range(3):  # bursts alone write no digest
        done(root, "burst", "exp=exp", "n=1")
        clock.advance(DAY)
    assert digests(root) == {}
    clock.advance(9 * DAY)
    done(root, "run_once", "exp=exp")
    assert list(digests(root)) == [
        "2026-03-10.md",
        "2026-03-11.md",
        "2026-03-12.md",
        "2026-03-21.md",
    ]


def test_a_clock_that_was_years_ahead_leaves_no_heap_of_digests(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    clock.advance(3650 * DAY)
    done(root, "run_once")
    assert len(digests(root)) == 2


def test_deleted_digests_come_back_byte_for_byte_after_all_that_followed(
    clock, lab, root, tmp_path
):
    """Later runs, decisions, failures and experiments do not change what a past day looked like."""
    an_experiment(lab, tmp_path, cadence="every-6-hours", max_failure_streak=2)
    an_experiment(lab, tmp_path, "other", executor_command="exit 3")
    for hours in range(0, 5 * 24, 6):
        if hours == 30:
            set_phase(Lab(root, environ=ENVIRON), "exp", Phase.PAUSED, "lunch")
        if hours == 60:
            done(root, "resume", "exp=exp")
            an_experiment(lab, tmp_path, "third")
        if hours == 84:
            done(root, "resume", "exp=other")
        if hours == 96:
            done(root, "complete", "exp=third", "reason=enough")
        done(root, "run_once")
        clock.advance(6 * HOUR)
    before = digests(root)
    assert len(before) == 5
    assert "lunch" in text_of(root, "2026-03-11")
    assert "other` is awaiting-human" in text_of(root, "2026-03-12")
    for path in (root / "digests" / "daily").iterdir():
        path.unlink()
    refresh(Lab(root, environ=ENVIRON))
    again = digests(root)
    assert {name: again[name] for name in before} == before
    assert command(root, "refresh").code == 0
    assert digests(root) == again


def test_what_needs_a_decision_stands_in_the_digest(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command="exit 3")
    for _ in range(3):
        done(root, "run_once")
    clock.advance(DAY)
    done(root, "run_once")
    told = text_of(root, "2026-03-10")
    assert "3 failed" in told
    assert "3 failures in a row" in told
    assert "resume exp=exp" in told


def test_cycles_side_by_side_write_one_digest(clock, lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    done(root, "run_once")
    clock.advance(DAY)
    running = [begin(root, "run_once") for _ in range(4)]
    assert [child.end().code for child in running] == [0] * 4
    assert list(digests(root)) == ["2026-03-10.md"]
    before = digests(root)
    (root / "digests" / "daily" / "2026-03-10.md").unlink()
    refresh(Lab(root, environ=ENVIRON))
    assert digests(root) == before


def test_a_run_that_was_cut_off_over_midnight_is_told_of_on_the_day_it_was_sealed(
    clock, lab, root, tmp_path
):
    cut = tmp_path / "cut"
    an_experiment(
        lab,
        tmp_path,
        executor_command=f"if [ ! -e {cut} ]; then touch {cut}; kill -9 $PPID; fi; echo 1",
    )
    clock.set_wall(parse_time("2026-03-10T23:59:00.000000Z"))
    assert command(root, "run_once").code == -9
    clock.advance(120)
    done(root, "run_once")
    assert "No run was completed." in text_of(root, "2026-03-10")
    clock.advance(DAY)
    done(root, "run_once")
    assert "1 interrupted" in text_of(root, "2026-03-11")


def test_without_a_lab_there_is_nothing_to_sum_up(clock, root, tmp_path):
    assert command(root, "run_once").code == 3
    assert not root.exists()
    lab = a_lab(root)
    clock.set_wall(clock.now() - timedelta(days=3))
    done(root, "run_once")
    assert digests(root) == {}
    assert lab.experiments() == []
