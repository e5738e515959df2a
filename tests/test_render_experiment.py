from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import phase_line, run_line
from render_cases import (
    HOSTILE,
    blocked,
    folded,
    history,
    hostile_experiment,
    note,
    spec,
    status,
)
from render_reading import check_readable, check_tables, headings, section, tables_of

from hermes import codec
from hermes.blackboard import Blackboard
from hermes.layout import PROJECTIONS
from hermes.model import Direction, Outcome, Phase
from hermes.render.experiment import projections
from hermes.spec import Acceptance
from hermes.state import ExperimentState, fold_intent
from hermes.status import Status, status_of

JSON = {"STATUS.json": Status, "blackboard.json": Blackboard}
_MOST_BYTES = {
    "RUNBOOK.md": 80_000,
    "SUMMARY.md": 40_000,
    "NEXT.md": 16_000,
    "best.md": 60_000,
    "context.md": 4096,
    "BLACKBOARD.md": 40_000,
}


def pages(given=None, state=None) -> dict[str, str]:
    given = given or spec()
    state = folded(history()) if state is None else state
    made = projections(given, state, status(given, state))
    return {name: data.decode() for name, data in made.items()}


# all of them


def test_every_projection_is_made():
    assert set(pages()) == set(PROJECTIONS)


def test_status_json_holds_the_status_and_nothing_else():
    made = status()
    data = projections(spec(), folded(history()), made)["STATUS.json"]
    assert codec.read_record(Status, data) == made
    assert json.loads(data)["as_of"]["spec_sha256"] == "f" * 64


def test_the_same_records_give_the_same_bytes():
    state = folded(history(), [note("hello")])
    saved = codec.read_record(ExperimentState, codec.to_json(state))
    first = projections(spec(), state, status(state=state))
    assert projections(spec(), saved, status(state=saved)) == first


def test_an_experiment_without_runs_has_all_pages():
    state = folded()
    made = pages(state=state)
    assert "None yet." in section(made["SUMMARY.md"], "Recent runs")
    assert "No run has succeeded yet" in made["best.md"]
    assert "No run has succeeded yet" in made["context.md"]
    assert "Iteration: 1" in section(made["NEXT.md"], "The next run")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_breaks_no_page(hostile):
    tame = projections(*hostile_experiment("tame"))
    texts = [data.decode() for name, data in tame.items() if name not in JSON]
    titles = {line.split("`")[0] for text in texts for line in headings(text)}
    for name, data in projections(*hostile_experiment(hostile)).items():
        if name in JSON:
            assert codec.read_record(JSON[name], data)
            continue
        page = data.decode("utf-8")
        check_tables(page)
        check_readable(page)
        assert len(tables_of(page)) == len(tables_of(tame[name].decode()))
        for line in headings(page):
            assert line in titles or line.startswith(tuple(t for t in titles if "tier" in t)), line


@pytest.mark.parametrize("hostile", HOSTILE)
def test_every_page_is_of_bounded_size(hostile):
    made = projections(*hostile_experiment(hostile))
    for name, most in _MOST_BYTES.items():
        assert len(made[name]) <= most, name


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=3000))
def test_context_stays_within_four_kibibytes_whatever_is_in_it(anything):
    context = projections(*hostile_experiment(anything))["context.md"]
    assert len(context) <= 4096
    check_readable(context.decode())


def test_many_names_do_not_make_pages_long():
    tiers = tuple(f"tier{number}" for number in range(300))
    params = {f"param{number}": float(number) for number in range(2000)}
    runs = [
        run_line(seq, strategy=f"strategy{seq}", fidelity_tier=tiers[seq % 300], params=params)
        for seq in range(1, 601)
    ]
    made = pages(spec(fidelity_tiers=tiers, tags=tiers, mutable_paths=tiers * 9), folded(runs))
    for name, most in _MOST_BYTES.items():
        assert len(made[name]) <= most, name
    assert "… and 580 more." in made["SUMMARY.md"]
    assert "- May be changed: `tier0`, `tier1`" in made["RUNBOOK.md"]
    assert "`tier19`, … 2680 more" in made["RUNBOOK.md"]
    assert "… and 288 more tiers" in made["best.md"]


# SUMMARY.md


def test_the_summary_counts_runs_outcomes_and_strategies():
    page = pages()["SUMMARY.md"]
    assert "- Runs: 30, of which 26 succeeded" in page
    assert "| success | 26 |" in section(page, "Outcomes")
    assert "| failed | 4 |" in section(page, "Outcomes")
    assert "| random | 30 | 26 | 17 |" in section(page, "Strategies")


def test_recent_runs_come_the_newest_first_and_a_failed_one_has_no_number():
    rows = tables_of(section(pages()["SUMMARY.md"], "Recent runs"))[0][2:]
    assert [row.split("|")[1].strip() for row in rows] == [str(n) for n in range(30, 20, -1)]
    failed = [row.split(" | ") for row in rows if "| failed |" in row]
    assert failed
    assert all(row[3] == "-" and row[8] == "exit status 1 |" for row in failed)


def test_the_summary_names_what_was_accepted_lately():
    told = section(pages()["SUMMARY.md"], "Accepted lately")
    assert "0.0344828 in `RUN-000029-worker`" in told
    assert "RUN-000030" not in told
    none = folded([run_line(1, accepted=True), *(run_line(n) for n in range(2, 13))])
    told = section(pages(state=none)["SUMMARY.md"], "Accepted lately")
    assert told.startswith("None of the last 10 runs.")


def test_the_summary_tells_notes_and_the_reason_of_the_phase():
    state = fold_intent(
        folded(history(), [note("try a | smaller rate")]),
        phase_line(9, Phase.PAUSED, 30, reason="budget"),
    )
    page = pages(state=state)["SUMMARY.md"]
    assert "- Phase: paused: budget" in page
    assert r"human: try a \| smaller rate" in section(page, "Notes")


# best.md


def test_the_best_run_stands_with_its_exact_value_parameters_and_bundle():
    page = pages()["best.md"]
    best = section(page, "Best")
    assert "- Value: 0.034482758620689655" in best
    assert "`runs/RUN-000029-worker/`" in best
    assert json.loads(best.split("```json")[1].split("```")[0])["lr"] == 0.1 / 29


def test_tiers_are_ranked_apart_and_the_highest_with_a_success_is_best():
    runs = [
        run_line(1, value=0.001, fidelity_tier="fast"),
        run_line(2, value=9.0, fidelity_tier="full"),
        run_line(3, value=8.0, fidelity_tier="full"),
        run_line(4, Outcome.FAILED, fidelity_tier="huge"),
    ]
    page = pages(spec(fidelity_tiers=("fast", "full", "huge")), folded(runs))["best.md"]
    assert "- Value: 8.0" in section(page, "Best")
    assert "- Tier: `full`" in section(page, "Best")
    assert "| 1 | 8 | `RUN-000003-worker`" in section(page, "Top of tier `full`")
    assert "| 1 | 0.001 | `RUN-000001-worker`" in section(page, "Top of tier `fast`")
    assert "huge" not in page


def test_the_direction_is_the_specs_own():
    given = spec(metric_direction=Direction.MAXIMIZE)
    runs = [run_line(1, value=1.0), run_line(2, value=2.0), run_line(3, Outcome.TIMEOUT)]
    page = pages(given, folded(runs, direction=Direction.MAXIMIZE))["best.md"]
    assert "Metric: loss, to maximize." in page
    assert "- Value: 2.0" in page


# NEXT.md


def test_next_tells_role_tier_and_when_it_is_due():
    given = spec(cadence="hourly", fidelity_tiers=("default", "full"))
    page = pages(given)["NEXT.md"]
    assert "It is due from 2026-01-01 01:00:30 on (cadence `hourly`)." in page
    told = section(page, "The next run")
    assert "- Iteration: 31" in told
    assert "- Role: `explorer`" in told
    assert "- Tier: `default`, the tier after it is `full`" in told
    assert "what the strategy `random` proposes" in told


@pytest.mark.parametrize(
    ("phase", "streak"),
    [
        (Phase.AWAITING_HUMAN, True),
        (Phase.PAUSED, True),
        (Phase.PAUSED, False),
        (Phase.COMPLETED, False),
    ],
)
def test_next_names_what_is_in_the_way_and_the_command_that_clears_it(phase, streak):
    runs = [run_line(n, Outcome.FAILED) for n in (1, 2, 3)] if streak else [run_line(1)]
    page = pages(state=blocked(phase, "why it | stopped", runs))["NEXT.md"]
    top = page.split("\n## ")[0]
    assert f"Nothing runs by itself: the experiment is {phase.value}." in top
    assert r"Why: why it \| stopped" in top
    assert "`hermes-lab resume exp=tune-it`" in top
    assert f"`hermes-lab show exp=tune-it run=RUN-{len(runs):06d}-worker`" in top
    assert ("Mend what made the runs fail" in top) is streak
    assert ("SPEC.yaml" in top) is (phase is Phase.COMPLETED)
    assert "It is due" not in page


def test_next_foretells_the_phase_that_the_coming_cycle_will_set():
    page = pages(spec(max_iterations_total=30))["NEXT.md"]
    assert "sets the phase to completed: max\\_iterations" not in page
    assert "sets the phase to completed: max_iterations_total (30) is reached" in page
    assert "30 of 30 used, 0 left" in section(page, "Limits")


def test_next_names_the_trials_that_wait_to_run_again():
    runs = [run_line(1), run_line(2, Outcome.INTERRUPTED, params={"lr": 0.5})]
    page = pages(state=folded(runs))["NEXT.md"]
    assert "| 2 | `RUN-000002-worker` | 1 | `lr=0.5` |" in section(page, "Trials that run again")
    assert "a trial that was cut off, `RUN-000002-worker`, again" in page


def test_next_says_that_a_run_without_a_command_is_a_stub():
    assert "stub" in pages(spec(executor_command=None))["NEXT.md"]
    assert "stub" not in pages()["NEXT.md"]


# RUNBOOK.md


def test_the_runbook_tells_how_the_experiment_is_run():
    given = spec(
        workspace_root="/home/user/code",
        time_budget_minutes=0.5,
        max_iterations_total=100,
        setup_command=("pip", "install", "a b"),
        validation_command="set -e\n./check.sh",
        known_good_config={"lr": 0.1},
        outputs=("model.bin",),
        egress_files=("out/*.json",),
        acceptance=Acceptance(min_improvement=0.01, relative=True),
        fidelity_tiers=("fast", "full"),
        tier_overrides={"full": {"time_budget_minutes": 60}},
    )
    page = pages(given)["RUNBOOK.md"]
    for told in (
        "- Goal: Find the lowest loss",
        "- Metric: loss, to minimize",
        "by 0.01 of its magnitude or more",
        "- Execution (`executor_command`): `python train.py --lr {lr}`",
        "- Setup (`setup_command`): `pip install 'a b'`",
        "- Folder: `/home/user/code`",
        "- Time of a run: 30 s",
        "- Iterations in all: 100",
        "- Roles, in turn: `explorer`, `critic`",
        '- Known good configuration: `{"lr":0.1}`',
        "- Outputs: `model.bin`",
        "- Kept in the bundle: `out/*.json`",
        "| full | `time_budget_minutes` | 60 |",
        "LAB_PARAMS_JSON",
        "`hermes-lab pause exp=tune-it reason=WHY`",
        "`hermes-lab resume exp=tune-it`",
        "  set -e\n  ./check.sh",
    ):
        assert told in page


def test_the_runbook_names_the_fields_that_have_no_effect_yet(monkeypatch):
    monkeypatch.setattr(
        "hermes.render.runbook.fields_without_effect", lambda given: [*given, "and-one-more"]
    )
    given = spec(
        notify="mail me", acceptance=Acceptance(repeats=5), tier_overrides={"x": {"seed": 1}}
    )
    told = section(pages(given)["RUNBOOK.md"], "Fields without effect")
    for name in ("`notify`", "`acceptance`", "`x_seed`", "`strategy`", "`and-one-more`"):
        assert name in told
    for name in ("cadence", "priority", "tier_overrides"):
        assert name not in told
    monkeypatch.setattr("hermes.render.runbook.fields_without_effect", lambda given: [])
    told = section(pages(given)["RUNBOOK.md"], "Fields without effect")
    assert told.startswith("Every field that this SPEC sets has an effect.")


# context.md


def test_context_has_what_a_proposer_needs():
    page = pages(state=folded(history(), [note("smaller steps")]))["context.md"]
    for told in (
        "Goal: Find the lowest loss",
        "Metric: loss, to minimize",
        "30 runs, 26 succeeded",
        '{"lr":0.003448275862068966,"layers":29,"optimizer":"adam","bias":false}',
        "- 28 failed; `x=28`; exit status 1",
        "- 29 success 0.0344828, accepted; `lr=0.00344828",
        "- human: smaller steps",
        "`PROGRAM.md`",
        "`CHANGELOG.md`",
    ):
        assert told in page


def test_context_leaves_out_the_oldest_runs_first_and_says_so():
    runs = [
        run_line(n, Outcome.FAILED, reason="r" * 200, params={"p": "漢" * 100})
        for n in range(1, 11)
    ]
    runs = [replace(run, params={f"p{i}": "漢" * 40 for i in range(9)}) for run in runs]
    notes = [note("n" * 300, n) for n in range(2, 12)]
    page = pages(spec(goal="g" * 5000), folded(runs, notes))["context.md"]
    told = section(page, "Recent runs, the newest first")
    assert told.startswith("- 10 failed")
    assert "- 1 failed" not in told
    assert "older ones are left out" in told
    assert len(page.encode()) <= 4096


def test_a_status_made_elsewhere_is_shown_as_it_is():
    given, state = spec(), folded(history())
    made = replace(status_of(given, "f" * 64, state), phase=Phase.PAUSED, blocked_reason="asked to")
    assert b"Why: asked to" in projections(given, state, made)["NEXT.md"]
