from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labs import a_lab, an_experiment, burst, hermes, lines
from records import run_line
from render_cases import HOSTILE, folded, hostile_experiment, spec

from hermes import codec
from hermes.analysis.examine import MOST_FAILURES, examine
from hermes.analysis.findings import Findings, Verdict
from hermes.analysis.tiers import (
    EARLY,
    MOST_IMPROVEMENTS,
    MOST_LEVELS,
    MOST_NEAR_MISSES,
    MOST_SEGMENTS,
    tier_findings,
)
from hermes.measured import Code
from hermes.model import Direction, Outcome
from hermes.status import status_of

DOWN, UP = Direction.MINIMIZE, Direction.MAXIMIZE


def found(runs, direction=DOWN, **fields) -> Findings:
    given_ = spec(metric_direction=direction, **fields)
    return examine(given_, folded(runs, direction=direction), runs)


def valued(values, **changes):
    """Return a run for each value; None is a failure."""
    return [
        run_line(seq, Outcome.SUCCESS if value is not None else Outcome.FAILED, value, **changes)
        for seq, value in enumerate(values, 1)
    ]


def tier(values, direction=DOWN, **changes):
    return tier_findings("default", valued(values, **changes), direction)


# the best so far


def test_each_success_that_beats_all_before_it_is_an_improvement_with_its_gain():
    one = tier([None, 5.0, 6.0, 3.5, 3.5, None, 1.0])
    assert [(item.seq, item.value, item.gain) for item in one.improvements] == [
        (2, 5.0, None),
        (4, 3.5, 1.5),
        (7, 1.0, 2.5),
    ]
    assert one.improvement_count == 3
    assert (one.best.seq, one.best.value, one.best.params) == (7, 1.0, {"x": 7.0})


@pytest.mark.parametrize("direction", Direction)
def test_the_direction_is_the_specs_own(direction):
    runs = valued([2.0, 1.0, 3.0])
    one = found(runs, direction).tiers[0]
    assert one.best.value == (1.0 if direction is DOWN else 3.0)
    assert one.improvements[-1].gain == 1.0
    assert found(runs, direction).metric_direction is direction


def test_the_best_so_far_has_a_step_for_each_improvement_and_goes_on_to_the_last_run():
    one = tier([None, 5.0, 6.0, 3.0, 4.0, None])
    assert [(level.seq, level.value) for level in one.best_so_far] == [(2, 5.0), (4, 3.0), (6, 3.0)]
    ended = tier([5.0, 4.0])
    assert [level.seq for level in ended.best_so_far] == [1, 2]


def test_very_many_improvements_are_counted_and_the_last_of_them_kept():
    one = tier([-float(n) for n in range(1, 1001)])
    assert one.improvement_count == 1000
    assert [item.seq for item in one.improvements] == list(range(1001 - MOST_IMPROVEMENTS, 1001))
    levels = one.best_so_far
    assert (len(levels), levels[0].seq, levels[-1].seq) == (MOST_LEVELS, 1, 1000)


# the plateau


@pytest.mark.parametrize(
    ("values", "verdict", "since"),
    [
        ([None] * 30, "no-success", None),
        ([1.0] * (EARLY - 1), "too-early", EARLY - 2),
        ([9.0] * 15 + [1.0] * 6, "improving", 5),
        ([9.0] * 80 + [1.0] * 21, "improving", 20),
        ([9.0] * 69 + [1.0] * 31, "slowing", 30),
        ([9.0] * 49 + [1.0] * 51, "plateau", 50),
        ([9.0] * 20 + [1.0] + [None] * 21, "plateau", 21),
    ],
)
def test_the_verdict_goes_by_the_share_of_runs_since_the_last_improvement(values, verdict, since):
    plateau = tier(values).plateau
    assert (plateau.verdict, plateau.runs_since) == (verdict, since)
    if since is not None:
        assert plateau.share == since / len(values)


def test_runs_that_were_cut_off_do_not_make_a_plateau():
    runs = [*valued([5.0] * 10), *(run_line(n, Outcome.INTERRUPTED) for n in range(11, 41))]
    plateau = tier_findings("default", runs, DOWN).plateau
    assert (plateau.runs_since, plateau.share, plateau.verdict) == (9, 0.9, Verdict.IMPROVING)


def test_the_chance_of_a_plateau_is_what_shuffling_the_values_gives():
    rng = random.Random(1)
    values = [rng.random() for _ in range(20)]
    values[12] = -1.0
    plateau = tier(values).plateau
    stands = sum(rng.sample(values, 20).index(-1.0) < 13 for _ in range(20_000)) / 20_000
    assert plateau.chance == pytest.approx(13 / 20)
    assert plateau.chance == pytest.approx(stands, abs=0.02)


# near misses


def test_near_misses_are_within_a_share_of_the_way_from_the_best_to_the_median():
    values = [100.0] * 9 + [0.0, 4.0, 5.0, 5.1, 100.0]
    near = tier(values).near_misses
    assert (near.share, near.within, near.count) == (0.05, 5.0, 2)
    assert [(miss.seq, miss.gap) for miss in near.runs] == [(11, 4.0), (12, 5.0)]
    up = tier([-value for value in values], UP).near_misses
    assert [(miss.seq, miss.gap) for miss in up.runs] == [(11, 4.0), (12, 5.0)]


def test_what_was_the_best_once_is_no_near_miss():
    assert tier([100.0, 1.0, 0.9, 100.0, 100.0]).near_misses.count == 0


def test_many_near_misses_are_counted_and_the_nearest_kept():
    near = tier([0.0, *[0.0] * 30]).near_misses
    assert (near.count, near.within) == (30, 0.0)
    assert [miss.seq for miss in near.runs] == list(range(2, 2 + MOST_NEAR_MISSES))


def test_one_success_has_no_near_miss():
    assert tier([None, 1.0]).near_misses.count == 0
    assert tier([None]).near_misses.within is None


# the segments of a code loop


def baseline(seq, value, evaluator="new", **changes):
    code = Code(evaluator, f"c{seq}", measured=value)
    return run_line(seq, value=value, accepted=True, params={}, code=code, **changes)


def candidate(seq, value, *, kept=False, evaluator="new", **changes):
    code = Code(evaluator, f"c{seq}", "RUN-000001-worker", measured=value)
    outcome = Outcome.SUCCESS if kept else Outcome.REJECTED
    return run_line(seq, outcome, value, accepted=kept, params={}, code=code, **changes)


TWO_SEGMENTS = [
    baseline(1, 0.05, "old"),
    candidate(2, 0.01, kept=True, evaluator="old"),
    baseline(3, 0.04),
    candidate(4, 0.02, kept=True),
    candidate(5, 0.03),
]


def of_code(runs, direction=DOWN):
    return found(runs, direction, mutation_command="true", mutable_paths=("x",))


def test_what_a_former_evaluator_measured_is_not_compared():
    (one,) = of_code(TWO_SEGMENTS).tiers
    assert (one.best.seq, one.best.value) == (4, 0.02)
    assert [(item.seq, item.gain) for item in one.improvements] == [(3, None), (4, 0.02)]
    assert one.improvement_count == 2
    assert [level.seq for level in one.best_so_far] == [3, 4, 5]
    assert (one.plateau.runs_since, one.plateau.share) == (1, 1 / 3)
    assert one.near_misses.count == 0
    assert [(item.seq, item.evaluator) for item in one.segments] == [(1, "old"), (3, "new")]
    assert (one.segment_count, one.run_count, one.accepted) == (2, 5, 4)


def test_a_segment_begins_in_its_own_tier_alone():
    other = [candidate(seq, 0.5 - seq / 100, kept=True, fidelity_tier="full") for seq in (1, 2)]
    runs = [*other, baseline(3, 0.9, fidelity_tier="smoke")]
    given_ = {"fidelity_tiers": ("smoke", "full"), "mutation_command": "true"}
    full, smoke = found(runs, mutable_paths=("x",), **given_).tiers
    assert (full.best.value, full.segment_count) == (0.48, 0)
    assert (smoke.best.value, smoke.segment_count) == (0.9, 1)


def test_a_search_is_one_segment_and_says_so():
    one = tier([3.0, 1.0, 2.0])
    assert (one.segment_count, one.segments, one.best.value) == (0, (), 1.0)


def test_very_many_segments_are_counted_and_the_last_of_them_kept():
    (one,) = of_code([baseline(seq, 1.0, f"e{seq}") for seq in range(1, 51)]).tiers
    assert one.segment_count == 50
    assert [item.seq for item in one.segments] == list(range(51 - MOST_SEGMENTS, 51))


def test_the_best_of_a_code_loop_is_the_incumbent_though_another_was_luckier():
    runs = [baseline(1, 1.0), candidate(2, 0.5, kept=True), candidate(3, 0.75, kept=True)]
    (one,) = of_code(runs).tiers
    assert (one.best.seq, one.plateau.runs_since) == (3, 0)
    assert [level.value for level in one.best_so_far] == [1.0, 0.5, 0.75]
    assert [item.seq for item in one.improvements] == [1, 2]


def test_the_plateau_of_a_code_loop_counts_all_that_its_evaluator_measured():
    late = candidate(4, 0.001, evaluator="old")
    rejected = [candidate(seq, 2.0) for seq in range(5, 24)]
    failed = run_line(24, Outcome.FAILED, code=Code("new", None, "RUN-000003-worker"))
    runs = [baseline(1, 0.1, "old"), baseline(2, 3.0), candidate(3, 1.0, kept=True), late]
    (one,) = of_code([*runs, *rejected, failed]).tiers
    assert (one.plateau.verdict, one.plateau.runs_since) == (Verdict.PLATEAU, 21)
    assert one.plateau.chance == pytest.approx(2 / 21)
    (young,) = of_code([*runs, *rejected[: EARLY - 3]]).tiers
    assert young.plateau.verdict is Verdict.TOO_EARLY


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["baseline", "kept", "rejected", "failed", "search"]),
            st.integers(0, 9),
            st.sampled_from(["smoke", "full", "gone"]),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.sampled_from(list(Direction)),
    st.booleans(),
)
def test_the_best_is_that_of_the_status_whatever_happened(drawn, direction, is_code):
    makers = {
        "baseline": lambda seq, value, _: baseline(seq, value),
        "kept": lambda seq, value, _: candidate(seq, value, kept=True),
        "rejected": lambda seq, value, _: candidate(seq, value),
        "failed": lambda seq, *_: run_line(seq, Outcome.FAILED),
        "search": lambda seq, value, flag: run_line(seq, value=value, accepted=flag),
    }
    runs = [
        replace(makers[kind](seq, float(value), flag), fidelity_tier=name)
        for seq, (kind, value, name, flag) in enumerate(drawn, 1)
    ]
    code = {"mutation_command": "true", "mutable_paths": ("x",)} if is_code else {}
    given_ = spec(metric_direction=direction, fidelity_tiers=("smoke", "full"), **code)
    state = folded(runs, direction=direction)
    status = status_of(given_, "0" * 64, state)
    tiers = examine(given_, state, runs).tiers
    assert {one.tier: one.best.run_id for one in tiers if one.best} == status.best_run_by_tier
    assert {one.tier: one.best.value for one in tiers if one.best} == status.best_metric_by_tier
    for one in tiers:  # the two tell the same story of each segment
        told = [item for item in state.discoveries if item.fidelity_tier == one.tier]
        assert list(one.improvements[len(one.improvements) - len(told) :]) == told


# the whole


def test_tiers_are_looked_at_apart_the_highest_first():
    names = ["old", "smoke", "full", "smoke", "smoke", "full"]
    runs = [
        run_line(seq, value=float(seq), fidelity_tier=name, accepted=name == "full")
        for seq, name in enumerate(names, 1)
    ]
    made = found(runs, fidelity_tiers=("smoke", "full", "huge"))
    assert [one.tier for one in made.tiers] == ["full", "smoke", "old"]
    full, smoke, _ = made.tiers
    assert (full.best.value, smoke.best.value) == (3.0, 2.0)
    assert (full.run_count, full.accepted, full.keep_rate) == (2, 2, 1.0)
    assert (smoke.run_count, smoke.wall_seconds) == (3, 1.5)
    assert made.keep_rate == 2 / 6


def test_what_each_strategy_brought_is_told_by_name():
    runs = [
        run_line(1, value=9.0, strategy="random", accepted=True, wall_seconds=2.0),
        run_line(2, value=4.0, strategy="perturb", accepted=True, duplicates_avoided=3),
        run_line(3, Outcome.FAILED, strategy="random", wall_seconds=4.0, duplicates_avoided=2),
    ]
    made = found(runs)
    assert made.duplicates_avoided == 5
    first, second = made.strategies["random"], made.strategies["perturb"]
    assert (first.runs, first.successes, first.keep_rate, first.wall_seconds) == (2, 1, 0.5, 6.0)
    assert (first.best_by_tier, first.improvement_by_tier) == ({"default": 9.0}, {})
    assert second.improvement_by_tier == {"default": 5.0}


def test_failures_are_grouped_by_their_reason_but_for_what_was_measured():
    reasons = [
        "exit status 1: loss was 0.25",
        "exit status 2",
        "exit status 1: loss was 1.5e-7",
        "exit status 1: loss was 123456",
    ]
    runs = [run_line(seq, Outcome.FAILED, reason=why) for seq, why in enumerate(reasons, 1)]
    runs.append(run_line(5, Outcome.TIMEOUT, reason="exit status 2"))
    first, *others = found(runs).failures
    assert (first.count, first.reason, first.last_seq) == (3, "exit status 1: loss was 123456", 4)
    assert first.last_run == "RUN-000004-worker"
    assert [(item.outcome, item.count) for item in others] == [
        (Outcome.FAILED, 1),
        (Outcome.TIMEOUT, 1),
    ]


def test_verdicts_are_grouped_by_their_kind_and_not_by_their_numbers():
    not_better = [
        "It is not better: 1 against 0.5, a gain of -0.5; 0 was asked for.",
        "It is not better: 1e-05 against 1e-06, a gain of -9e-06; 0 was asked for.",
        "It is not better: 12 against 7, a gain of -5; 0.1 was asked for.",
    ]
    not_ahead = [
        "It is not ahead: a gain of 0 over 3 pairs, between -inf and 2, 1 was asked for.",
        "It is not ahead: a gain of -4 over 12 pairs, between -7.5 and 1, 1 was asked for.",
    ]
    guards = [
        "It is withdrawn: p95 is 3 where at most 2 is asked for. It is equal.",
        "It is withdrawn: p99 is 3 where at most 2 is asked for. It is equal.",
    ]
    reasons = [*not_better, *not_ahead, *guards]
    runs = [run_line(n, Outcome.REJECTED, reason=why) for n, why in enumerate(reasons, 1)]
    beaten = "It beats RUN-A-1.2Z-worker, but RUN-{}Z-worker took its place."
    runs += [run_line(n, Outcome.INCONCLUSIVE, reason=beaten.format(n)) for n in (8, 9)]
    told = [(item.count, item.reason) for item in found(runs).failures]
    assert told == [
        (3, not_better[-1]),
        (2, not_ahead[-1]),
        (2, beaten.format(9)),
        *((1, guard) for guard in guards),
    ]


def test_only_the_commonest_failures_are_told():
    runs = [run_line(n, Outcome.FAILED, reason=f"{'x' * (n % 30)}") for n in range(1, 100)]
    assert len(found(runs).failures) == MOST_FAILURES


def test_an_experiment_without_runs_has_findings_too():
    made = found([])
    assert (made.run_count, made.keep_rate, made.tiers, made.failures) == (0, None, (), ())
    codec.to_json(made)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Outcome)),
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(["smoke", "full", "gone"]),
            st.dictionaries(
                st.sampled_from("abc"),
                st.booleans()
                | st.integers(-(10**400), 10**400)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(max_size=3),
                max_size=3,
            ),
        ),
        max_size=80,
    ),
    st.sampled_from(list(Direction)),
)
def test_whatever_was_measured_the_findings_are_strict_json(runs, direction):
    made = [
        run_line(seq, outcome, value, fidelity_tier=name, params=params)
        for seq, (outcome, value, name, params) in enumerate(runs, 1)
    ]
    whole = found(made, direction, fidelity_tiers=("smoke", "full"))
    assert codec.read_record(Findings, codec.to_json(whole)) == whole


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stands_whole_in_the_json(hostile):
    given_, state, _ = hostile_experiment(hostile)
    runs = list(state.recent)
    data = codec.to_json(examine(given_, state, runs), pretty=True)
    assert codec.from_json(data)["metric"] == json.loads(json.dumps(hostile))


# the command


@pytest.fixture
def lab(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    return lab


def test_analyze_answers_in_text_and_in_one_json_document(lab):
    burst(lab, "exp", 12)
    text = hermes(lab.layout.root, "analyze", "exp=exp")
    assert (text.returncode, text.stderr) == (0, "")
    assert "Best so far" in text.stdout
    answer = hermes(lab.layout.root, "analyze", "exp=exp", "format=json")
    assert answer.returncode == 0
    made = codec.read_record(Findings, answer.stdout.encode())
    assert made.run_count == 12
    assert made.tiers[0].best.value == min(line.value for line in lines(lab))


def test_analyze_answers_before_the_first_run_and_when_all_have_failed(lab, tmp_path):
    root = lab.layout.root
    before = hermes(root, "analyze", "exp=exp")
    assert before.returncode == 0
    assert before.stdout.endswith("\nNext: hermes-lab burst exp=exp n=10\n")
    an_experiment(lab, tmp_path, "broken", executor_command="exit 3")
    burst(lab, "broken", 3)
    after = hermes(root, "analyze", "exp=broken")
    assert after.returncode == 0
    assert "exit status 3" in after.stdout
    assert json.loads(hermes(root, "analyze", "exp=broken", "format=json").stdout)["tiers"]


def test_analyze_of_an_unknown_experiment_is_two_lines(lab):
    answer = hermes(lab.layout.root, "analyze", "exp=expp")
    assert (answer.returncode, answer.stdout) == (3, "")
    assert answer.stderr.splitlines() == [
        "ERROR: No experiment is called 'expp'.",
        "Did you mean 'exp'?",
    ]
    missing = hermes(lab.layout.root, "analyze")
    assert missing.returncode == 3
    assert len(missing.stderr.splitlines()) == 2


def test_runs_sealed_while_it_is_read_are_left_to_the_next_analysis(lab, monkeypatch, capsys):
    """State and index are read one after the other; both must tell of the same runs."""
    from hermes.rules import reporting

    burst(lab, "exp", 3)
    index = type(lab.index("exp"))
    read = index.read

    def read_more(self, offset=0):
        part = read(self, offset)
        later = replace(part.lines[-1], seq=4, value=-99.0) if part.lines else None
        return replace(part, lines=(*part.lines, later)) if later and not offset else part

    monkeypatch.setattr(index, "read", read_more)
    monkeypatch.setattr(reporting, "view", lambda: _View(lab))
    reporting.analyze()
    answer = json.loads(capsys.readouterr().out)
    assert (answer["run_count"], answer["tiers"][0]["run_count"]) == (3, 3)


class _View:
    wants_json = True

    def __init__(self, lab):
        self.lab = lab

    def need(self, name, kind):
        return "exp"
