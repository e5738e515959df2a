from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import run_line
from render_cases import HOSTILE, folded, hostile_experiment, spec
from render_reading import check_readable, wide

from hermes.analysis.examine import examine
from hermes.analysis.findings import (
    Findings,
    Importance,
    Method,
    Missing,
    Parameter,
    Plateau,
    Verdict,
)
from hermes.measured import Code
from hermes.model import Direction, Outcome
from hermes.render.analysis import analysis_text, verdict
from hermes.render.findings import bar, percent
from hermes.render.plot import is_log, step_plot

WIDTHS = (40, 60, 80, 200)
UP = Direction.MAXIMIZE
NO_WONDER = "in random order the same values do so in {} of cases, so it may be no more than luck"
A_WONDER = "in random order the same values do so in {} of cases, so it is hardly luck"


def search(count: int = 120, tiers=("default",)):
    """Return the runs of a search with failures, a condition and two strategies."""
    rng, runs, best = random.Random(1), [], {}
    for seq in range(1, count + 1):
        tier = tiers[seq % len(tiers)]
        more = {
            "run_id": f"RUN-20260131T0930{seq % 60:02d}.{seq:06d}Z-worker",
            "strategy": rng.choice(["random", "perturb"]),
            "fidelity_tier": tier,
            "duplicates_avoided": seq % 3 == 0,
        }
        if seq % 8 == 0:
            why = f"executor_command: exit status 1: loss was {rng.random()}"
            runs.append(run_line(seq, Outcome.FAILED, reason=why, **more))
            continue
        params = {"optim.lr": 10 ** rng.uniform(-5, 0), "kind": rng.choice(["adam", "sgd"])}
        if params["kind"] == "sgd":
            params["momentum"] = rng.random()
        value = 1 + 100 * abs(params["optim.lr"] - 0.01) + rng.random() / 10
        accepted = tier not in best or value < best[tier]
        best[tier] = value if accepted else best[tier]
        runs.append(run_line(seq, value=value, accepted=accepted, params=params, **more))
    return runs


def findings(runs=None, direction=Direction.MINIMIZE, **fields) -> Findings:
    runs = search() if runs is None else runs
    given_ = spec(metric_direction=direction, **fields)
    return examine(given_, folded(runs, direction=direction), runs)


def shown(runs=None, width=100, direction=Direction.MINIMIZE, **fields) -> str:
    return analysis_text(findings(runs, direction, **fields), width=width)


def table(text: str, title: str) -> list[list[str]]:
    """Return the rows below a title, each split where two spaces are; the heads first."""
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    start = next(i for i in range(start, len(lines)) if lines[i].endswith(":")) + 1
    end = next((i for i in range(start, len(lines)) if not lines[i]), len(lines))
    return [[cell for cell in line.split("  ") if cell.strip()] for line in lines[start:end]]


# the text


@pytest.mark.parametrize("width", WIDTHS)
def test_every_part_has_its_place_and_no_line_is_wider_than_the_terminal(width):
    text = shown(width=width)
    for title in (
        "Experiment  tune-it",
        "Metric      loss, minimize",
        "Runs        120 (105 success, 15",
        "Best so far",
        "Plateau     ",
        "Improvements (",
        "Near misses",
        "Importance of parameters, by",
        "What each strategy brought:",
        "Why runs gave no value, the",
    ):
        assert f"\n{title}" in f"\n{text}", title
    assert max(map(wide, text.split("\n"))) <= width
    assert not [line for line in text.split("\n") if line != line.rstrip()]
    check_readable(text)


def test_where_more_is_better_the_plot_rises():
    rising = [replace(run, value=-run.value) if run.value else run for run in search()]
    text = shown(rising, direction=UP)
    assert "Metric      loss, maximize" in text
    assert "╭" in text
    assert "╰" not in text
    assert "╰" in shown()
    assert "╭" not in shown()


def test_improvements_stand_the_newest_first_with_value_gain_strategy_and_run():
    made = findings()
    rows = table(analysis_text(made, width=200), "Improvements")
    assert [cell.strip() for cell in rows[0]][:5] == ["SEQ", "VALUE", "GAIN", "KEPT", "STRATEGY"]
    newest = made.tiers[0].improvements[-1]
    told = [cell.strip() for cell in rows[1]]
    assert told[:5] == [
        str(newest.seq),
        f"{newest.value:.6g}",
        f"{newest.gain:.6g}",
        "yes",
        newest.strategy,
    ]
    assert told[-1] == newest.run_id
    assert [cell.strip() for cell in rows[-1]][2] == "-"


def test_a_narrow_table_keeps_the_number_that_names_the_run():
    for title in ("Improvements", "Near misses"):
        rows = table(shown(width=40), title)
        assert rows[0][0].strip() == "SEQ"
        assert rows[0][1].strip() == "VALUE"


def test_long_lists_are_cut_and_say_so():
    falling = [run_line(n, value=-float(n), params={"x": n}) for n in range(1, 41)]
    assert "Improvements (the last 10 of 40), the newest first:" in shown(falling)
    assert len(table(shown(falling), "Improvements")) == 11
    assert "… and 30 more" in shown([run_line(n, strategy=f"s{n}") for n in range(1, 41)])
    equal = [run_line(n, value=1.0) for n in range(1, 41)]
    assert "Near misses: 39 within 5 % of the way from the best to the median (0), the" in shown(
        equal
    )
    assert len(table(shown(equal), "Near misses")) == 6


def test_what_each_strategy_brought_stands_with_its_cost():
    runs = [
        run_line(1, value=9.0, strategy="random", accepted=True, wall_seconds=30.0),
        run_line(2, value=4.0, strategy="perturb", accepted=True, duplicates_avoided=3),
        run_line(3, Outcome.FAILED, strategy="random", wall_seconds=30.0),
    ]
    text = shown(runs)
    heads, first, second = table(text, "What each strategy brought")
    assert [head.strip() for head in heads] == [
        *("STRATEGY", "RUNS", "SUCCEEDED", "KEPT", "BEST", "IMPROVEMENT", "TIME", "A RUN"),
        "DUPLICATES",
    ]
    assert [cell.strip() for cell in first] == [
        *("random", "2", "1", "1 (50 %)", "9", "-", "60 s", "30 s", "0"),
    ]
    assert [cell.strip() for cell in second] == [
        *("perturb", "1", "1", "1 (100 %)", "4", "5", "0.5 s", "0.5 s"),
        "3",
    ]
    assert "Kept        2, 67 % of all: each was the best of its tier when sealed" in text
    assert "Duplicates  3 points put back by strategies, as they had been tried" in text


def test_failures_are_told_without_the_command_and_with_the_last_run():
    rows = table(shown(), "Why runs gave no value")
    assert [cell.strip() for cell in rows[1]][:2] == ["15", "failed"]
    assert rows[1][2].strip().startswith("exit status 1: loss was 0.")
    assert rows[1][-1].strip() == "120"


def test_tiers_have_their_own_parts_and_strategies_a_column_for_each():
    text = shown(search(tiers=("smoke", "full")), width=200, fidelity_tiers=("smoke", "full"))
    assert text.index("Tier full: 60 runs,") < text.index("Tier smoke: 60 runs,")
    assert text.count("\nPlateau ") == text.count("\nImprovements (") == 2
    heads = table(text, "What each strategy brought")[0]
    assert [head.strip() for head in heads if head.startswith(("BEST", " BEST"))] == [
        "BEST full",
        "BEST smoke",
    ]
    assert "Tier " not in shown()


def test_tiers_beyond_the_fourth_are_named():
    names = tuple(f"t{n}" for n in range(7))
    text = shown(search(140, tiers=names), fidelity_tiers=names)
    assert "… and these tiers, see format=json: t2, t1, t0" in text
    assert "Tier t3:" in text
    assert "Tier t2:" not in text


# little to tell


def test_before_the_first_run_the_next_command_is_named():
    text = shown([])
    assert "Runs        none yet" in text
    assert text.endswith("Next: hermes-lab burst exp=tune-it n=10")


def test_one_run_is_told_without_a_plot_and_with_what_is_missing():
    text = shown([run_line(1, value=3.0, accepted=True)])
    assert "Best so far" not in text
    assert "Best        3 in RUN-000001-worker (run 1, by random)" in text
    assert "Plateau     too early to tell; the best is 0 runs old" in text
    assert "Near misses" not in text
    assert "Importance  it takes 30 successful runs with parameters, there is 1" in text


def test_that_none_came_near_is_told_of_many_values_that_differ():
    far = [100.0, *[1000.0] * 9]
    none = "Near misses none within 5 % of the way from the best to the median (45)"
    assert none in shown([run_line(n, value=value) for n, value in enumerate(far, 1)])
    few = [run_line(n, value=value) for n, value in enumerate(far[:-1], 1)]
    assert "Near misses" not in shown(few)


def code_runs(evaluators):
    return [
        run_line(
            seq, value=1.0 / seq, accepted=True, params={}, code=Code(name, "c", measured=1.0 / seq)
        )
        for seq, name in enumerate(evaluators, 1)
    ]


def test_where_the_present_segment_began_is_one_line():
    given_ = {"mutation_command": "true", "mutable_paths": ("x",)}
    two = shown(code_runs(["old", "new"]), width=200, **given_)
    assert (
        "Segments    2, begun by the baselines 1, 2; "
        "only runs from 2 on are compared (evaluator new)" in two
    )
    assert "Best        0.5 in RUN-000002-worker" in two
    many = shown(code_runs("abcdefghijkl"), width=200, **given_)
    assert "Segments    12, begun by the baselines …, 8, 9, 10, 11, 12; only" in many
    assert "Near misses" not in many
    assert "Segments" not in shown(code_runs(["only"]), **given_)


def test_where_all_have_failed_that_is_what_is_told():
    text = shown([run_line(n, Outcome.FAILED, reason="exit status 3") for n in range(1, 6)])
    assert "Best        none yet" in text
    assert "Plateau     no run has succeeded yet" in text
    assert "Kept        none" in text
    assert table(text, "Why runs gave no value")[1][1] == "failed"
    assert "Near misses" not in text


@pytest.mark.parametrize(
    ("plateau", "told"),
    [
        ((Verdict.IMPROVING, 0, 0.0, 1.0), "no: the last run is the best"),
        ((Verdict.IMPROVING, 4, 0.04, 0.96), "no: the best is 4 runs old (4 % of all)"),
        ((Verdict.TOO_EARLY, 1, 0.5, 0.5), "too early to tell; the best is 1 run old"),
        (
            (Verdict.SLOWING, 40, 0.4, 0.6),
            f"perhaps: no new best in the last 40 runs (40 % of all); {NO_WONDER.format('60 %')}",
        ),
        (
            (Verdict.PLATEAU, 20, 0.67, 0.33),
            f"perhaps: no new best in the last 20 runs (67 % of all); {NO_WONDER.format('33 %')}",
        ),
        (
            (Verdict.PLATEAU, 999, 0.999, 0.001),
            f"yes: no new best in the last 999 runs (100 % of all); {A_WONDER.format('0.1 %')}",
        ),
    ],
)
def test_the_verdict_is_plain(plateau, told):
    assert verdict(Plateau(*plateau)) == told


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (Missing.NO_PARAMETERS, "no run has parameters"),
        (Missing.EQUAL_VALUES, "all 12 runs have the same value"),
        (
            Missing.TOO_FEW_RUNS,
            "it takes 30 successful runs with parameters, there are 12",
        ),
    ],
)
def test_why_there_is_no_importance_is_said(missing, told):
    assert f"Importance  {told}\n" in with_importance(Importance(None, missing, 30, 12))


def with_importance(importance: Importance, width=80) -> str:
    made = findings()
    (tier,) = made.tiers
    return analysis_text(replace(made, tiers=(replace(tier, importance=importance),)), width=width)


def test_importance_names_its_method_and_in_how_many_runs_a_parameter_is():
    parameters = (
        Parameter("lr", 0.75, 0.3, 90),
        Parameter("momentum", 0.249, 0.1, 40),
        Parameter("fixed", 0.001, 0.0, 90),
        Parameter("rare", None, None, 4),
    )
    text = with_importance(Importance(Method.CORRELATION_RATIO, None, 30, 90, parameters))
    assert "Importance of parameters, by the correlation ratio of ranks, from 90 runs:" in text
    heads, first, _, third, last = table(text, "Importance of parameters")
    assert [head.strip() for head in heads] == ["PARAMETER", "SHARE", "IN RUNS"]
    assert [cell.strip() for cell in first] == ["lr", "75 %", "█" * 15, "90"]
    assert [cell.strip() for cell in third] == ["fixed", "0.1 %", "▏", "90"]
    assert [cell.strip() for cell in last] == ["rare", "-", "4"]
    everywhere = with_importance(
        Importance(Method.PED_ANOVA, None, 30, 90, (parameters[0], parameters[2]))
    )
    assert "by PED-ANOVA (Optuna), from 90 runs:" in everywhere
    assert "IN RUNS" not in everywhere


def test_importance_says_when_nothing_stands_out_and_how_many_are_left_out():
    none = (Parameter("lr", 0.0, 0.0, 90),)
    told = with_importance(Importance(Method.CORRELATION_RATIO, None, 30, 90, none))
    assert "Importance of parameters: none stands out, by the correlation ratio" in told
    many = tuple(Parameter(f"p{n}", 0.05, 0.1, 90) for n in range(20))
    assert "… and 10 more" in with_importance(Importance(Method.PED_ANOVA, None, 30, 90, many))


def test_shares_are_told_with_two_digits():
    shares = [0.0, 0.0004, 0.05, 0.123, 0.5, 0.994, 0.996, 1.0]
    assert [percent(share) for share in shares] == [
        *("0 %", "0.04 %", "5 %", "12 %", "50 %", "99 %", "100 %", "100 %"),
    ]
    assert [len(bar(share)) for share in (0.0, 1e-9, 0.5, 1.0)] == [0, 1, 10, 20]


# hostile and large


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_breaks_no_line(hostile, width):
    given_ = hostile_experiment(hostile)[0]
    runs = [
        run_line(
            seq,
            Outcome.SUCCESS if seq % 4 else Outcome.FAILED,
            value=float(seq % 11),
            reason=hostile,
            strategy=hostile,
            fidelity_tier=hostile if seq % 2 else "full",
            run_id=f"RUN-{seq:06d}-worker",
            params={hostile: hostile, f"{hostile}2": seq},
        )
        for seq in range(1, 101)
    ]
    made = examine(replace(given_, id="tune-it"), folded(runs), runs)
    text = analysis_text(made, width=width)
    check_readable(text)
    assert max(map(wide, text.split("\n"))) <= width
    assert len(text.split("\n")) < 200


# the plot


def plot(*points, width=40) -> list[str]:
    return step_plot(points, width=width)


def test_a_plot_falls_at_the_run_that_was_better():
    assert plot((1, 10.0), (11, 5.0), (21, 5.0)) == [
        "10 ┤──────────────────╮",
        "   │                  │",
        "   │                  │",
        "   │                  │",
        "   │                  │",
        " 5 ┤                  ╰─────────────────",
        "   └────────────────────────────────────",
        "    run 1                         run 21",
    ]


def test_a_plot_rises_where_more_is_better_and_is_higher_where_there_is_room():
    lines = plot((3, -1.0), (5, 0.0), (7, 1.0), width=80)
    assert len(lines) == 10
    assert lines[0].startswith(" 1 ┤")
    assert lines[0].endswith("╭")
    assert lines[7].startswith("-1 ┤──")
    assert lines[-1].strip().split() == ["run", "3", "run", "7"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200, 500])
def test_a_plot_is_as_wide_as_the_terminal_but_not_endless(width):
    lines = plot((1, 123456.789), (500, 3.25), (1000, 3.25), width=width)
    assert max(map(len, lines)) == min(width, 100)


def test_values_far_apart_are_drawn_by_their_logarithm():
    far = [(1, 1000.0), (10, 10.0), (20, 0.1), (30, 0.1)]
    assert is_log(far)
    lines = step_plot(far, width=60)
    corners = [number for number, line in enumerate(lines) if "╰" in line]
    assert corners == [2, 5]  # each step of two powers of ten is half the way
    assert not is_log([(1, 10.0), (2, 1.0)])
    assert not is_log([(1, 1000.0), (2, -1.0)])
    assert is_log([(1, 0.001), (2, 1.0)])


def test_a_wild_beginning_does_not_flatten_what_follows():
    lines = plot((1, 1000.0), (2, 4.0), (50, 2.0), (90, -4.0), (100, -4.0), width=60)
    assert lines[0].lstrip().startswith("≥ 4 ┤")
    assert sum("╰" in line for line in lines) == 2
    rising = plot((1, -1000.0), (2, -4.0), (50, 2.0), (100, 4.0), width=60)
    assert rising[5].startswith("≤ -4 ┤")


def test_what_lies_beyond_both_ends_is_drawn_at_the_edge():
    lines = plot((1, 8.0), (20, 2.0), (60, 4.0), (80, 4.0))
    assert lines[0].startswith("8 ┤")
    assert lines[5].startswith("4 ┤")
    assert all(len(line) <= 40 for line in lines)


def test_nothing_is_drawn_where_nothing_changed():
    assert plot() == []
    assert plot((1, 2.0)) == []
    assert plot((1, 2.0), (50, 2.0)) == []


@given(
    st.lists(
        st.tuples(st.integers(1, 10**9), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=40,
        unique_by=(lambda point: point[0], lambda point: point[1]),
    ),
    st.integers(40, 220),
    st.booleans(),
)
def test_any_stair_can_be_drawn(points, width, rising):
    places = sorted(place for place, _ in points)
    values = sorted((value for _, value in points), reverse=not rising)
    lines = step_plot(list(zip(places, values, strict=True)), width=width)
    assert all(len(line) <= min(width, 100) for line in lines)
    assert len(lines) in (0, 8, 10)
