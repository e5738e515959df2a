from __future__ import annotations

import json

import pytest
from records import run_line
from render_cases import HOSTILE, folded, history, manifest, measured, spec
from render_reading import check_readable, check_tables, headings, section

from hermes.model import Direction, Origin, Outcome
from hermes.render.run_text import plan_text, result_text
from hermes.spec import Acceptance

SECTIONS = ["## Hypothesis", "## Method", "## Result", "## Interpretation", "## Next"]


def plan(given=None, state=None, **changes) -> str:
    return plan_text(given or spec(), manifest(**changes), state or folded(history()))


def result(given=None, metrics=None, state=None, **changes) -> str:
    state = folded(history()) if state is None else state
    return result_text(given or spec(), manifest(**changes), metrics or measured(), state)


def test_a_plan_tells_what_is_tried_and_what_it_is_compared_with():
    page = plan(note="smaller steps", parents=("RUN-1", "RUN-2"))
    tried = section(page, "What is tried")
    assert json.loads(tried.split("```json")[1].split("```")[0]) == dict(manifest().params)
    assert "`python train.py --lr {lr}`" in tried
    assert "Role `critic`, tier `default`, trial 31, seed 7" in tried
    assert "It may take 60 min." in tried
    why = section(page, "Why")
    assert "The strategy `random` chose it." in why
    assert "smaller steps" in why
    assert "It derives from `RUN-1`, `RUN-2`." in why
    compared = section(page, "Compared with")
    assert "the best of tier `default` is 0.0344828 in `RUN-000029-worker`" in compared


def test_a_plan_of_a_first_run_has_nothing_to_compare_with():
    assert "has no successful run yet" in section(plan(state=folded()), "Compared with")


def test_a_plan_names_the_margin_that_is_asked_for():
    page = plan(spec(acceptance=Acceptance(min_improvement=0.05, relative=True)))
    assert "better by 0.05 of the best's magnitude" in section(page, "Compared with")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"origin": Origin.RETRY, "parent_run": "RUN-9"}, "It repeats the trial of `RUN-9`."),
        ({"origin": Origin.HUMAN}, "A person asked for it."),
        ({"origin": Origin.PLAIN, "params": {}}, "No strategy is set"),
    ],
)
def test_a_plan_says_whose_idea_it_is(changes, told):
    assert told in section(plan(**changes), "Why")


def test_a_plan_uses_the_commands_and_budget_of_its_tier():
    given = spec(
        fidelity_tiers=("fast", "full"),
        tier_overrides={"full": {"executor_command": "run --full", "time_budget_minutes": 0.5}},
    )
    tried = section(plan(given, fidelity_tier="full"), "What is tried")
    assert "`run --full`" in tried
    assert "It may take 30 s." in tried
    assert "`run --full`" in section(result(given, fidelity_tier="full"), "Method")


def test_a_result_has_its_sections_in_order():
    assert [line for line in headings(result()) if line.startswith("## ")] == SECTIONS


def test_a_result_tells_value_cost_and_secondary_metrics():
    told = section(result(metrics=measured(0.02, secondary={"accuracy": 0.987654321})), "Result")
    assert "- Outcome: success" in told
    assert "- loss: 0.02" in told
    assert "- Exit status: 0" in told
    assert "- Time: 2026-01-31 09:30:01 to 2026-01-31 09:30:43 UTC" in told
    assert "42.5 s of wall time, 40.2 s of CPU time, 118 MiB of memory" in told
    assert "| accuracy | 0.987654 |" in told


@pytest.mark.parametrize(
    ("direction", "value", "accepted", "told"),
    [
        (Direction.MINIMIZE, 1.0, True, "Accepted: better by 1 than the best of tier `default`"),
        (Direction.MINIMIZE, 3.5, False, "Not accepted: worse by 1.5 than"),
        (Direction.MINIMIZE, 2.0, False, "Not accepted: equal to"),
        (Direction.MINIMIZE, 1.9, False, "Not accepted: better, but only by 0.1, less than is"),
        (Direction.MAXIMIZE, 3.5, True, "Accepted: better by 1.5 than"),
        (Direction.MAXIMIZE, 1.0, False, "Not accepted: worse by 1 than"),
    ],
)
def test_a_result_says_whether_it_was_accepted_and_against_what(direction, value, accepted, told):
    state = folded([run_line(1, value=2.0)], direction=direction)
    metrics = measured(value, accepted=accepted)
    page = result(spec(metric_direction=direction), metrics, state)
    assert section(page, "Interpretation").startswith(told)
    assert "2 in `RUN-000001-worker`" in section(page, "Interpretation")


def test_the_first_success_of_a_tier_is_compared_with_nothing():
    told = section(result(metrics=measured(1.0, accepted=True), state=folded()), "Interpretation")
    assert told.startswith("Accepted: it is the first success of tier `default`")


@pytest.mark.parametrize("outcome", [kind for kind in Outcome if kind is not Outcome.SUCCESS])
def test_a_run_that_did_not_succeed_has_no_number(outcome):
    metrics = measured(None, outcome)
    page = result(metrics=metrics, outcome=outcome, reason="exit status 3", exit_status=3)
    told = section(page, "Result")
    assert f"- Outcome: {outcome.value}" in told
    assert "- loss: none" in told
    assert "- Reason: exit status 3" in told
    assert "- Exit status: 3" in told
    interpretation = section(page, "Interpretation")
    assert "ccepted" not in interpretation
    assert not any(letter.isdigit() for letter in interpretation)


def test_next_counts_what_is_left_and_names_the_next_role():
    told = section(result(spec(max_iterations_total=40)), "Next")
    assert "with 9 iterations left" in told
    assert "role `critic`" in told
    assert "used up" in section(result(spec(max_iterations_total=31)), "Next")


def test_a_run_that_was_cut_off_is_not_charged_and_runs_again():
    metrics = measured(None, Outcome.INTERRUPTED)
    told = section(result(spec(max_iterations_total=31), metrics), "Next")
    assert "The same trial runs again" in told
    assert "with 1 iteration left" in told


def test_next_counts_failures_in_a_row():
    state = folded([run_line(n, Outcome.FAILED) for n in (1, 2)])
    metrics = measured(None, Outcome.TIMEOUT)
    assert "3 failures" in section(result(metrics=metrics, state=state), "Next")


def test_a_better_value_that_is_not_accepted_is_not_called_worse():
    told = section(result(metrics=measured(0.001)), "Next")
    assert "best of the tier so far, though it is not accepted" in told
    assert "stays what it was" in section(result(metrics=measured(9.0)), "Next")


def test_a_stub_says_what_to_configure():
    page = result(spec(executor_command=None), measured(None, Outcome.STUB))
    assert "neither a success nor a failure" in section(page, "Interpretation")
    assert "`executor_command`" in section(page, "Next")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_breaks_neither_plan_nor_result(hostile):
    given = spec(goal=hostile, metric=hostile, executor_command=hostile)
    changes = {
        "role": hostile,
        "strategy": hostile,
        "note": hostile,
        "reason": hostile,
        "params": {hostile: hostile},
        "parents": (hostile,) * 30,
        "parent_run": hostile,
        "fidelity_tier": hostile,
        "executor_class": hostile,
        "workspace": {
            "mode": hostile,
            "git_revision": hostile,
            "git_dirty": True,
            "missing_egress": [hostile] * 30,
        },
    }
    metrics = measured(metric=hostile, secondary={f"{hostile}{n}": 1.5 for n in range(60)})
    state = folded([run_line(1, value=2.0, fidelity_tier=hostile, params={hostile: hostile})])
    for page in (plan(given, state, **changes), result(given, metrics, state, **changes)):
        check_tables(page)
        check_readable(page)
        assert len(page.encode()) < 60_000
        assert all(line.startswith(("# Plan of", "# Result of", "## ")) for line in headings(page))


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            {"mode": "git", "git_revision": "0123456789abcdef", "git_dirty": True},
            (
                "Workspace: mode git, revision 0123456789ab; "
                "the workspace had changes that were not part of the run."
            ),
        ),
        (
            {"mode": "git", "git_revision": "0123456789abcdef", "git_dirty": False},
            "Workspace: mode git, revision 0123456789ab.",
        ),
        (
            {"mode": "copy", "git_revision": "0123456789abcdef", "git_dirty": True},
            "Workspace: mode copy, revision 0123456789ab with changes that were not committed.",
        ),
        ({"mode": "copy", "git_revision": None, "git_dirty": None}, "Workspace: mode copy."),
    ],
)
def test_a_result_names_what_its_workspace_was_made_from(facts, told):
    assert told in section(result(workspace=facts), "Method").split("\n")
    assert "Workspace" not in section(result(workspace={}), "Method")


def test_a_result_names_the_patterns_that_matched_no_file():
    facts = {"missing_egress": ["out/*.csv", "b|c"], "missing_artifacts": ["model.bin"]}
    told = section(result(workspace=facts), "Result")
    assert r"- Matched no file (`egress_files`): `out/*.csv`, b\|c" in told
    assert "- Matched no file (`artifacts_expected`): `model.bin`" in told
    many = {"missing_egress": [f"p{n}" for n in range(25)]}
    assert "`p9`, … 15 more" in section(result(workspace=many), "Result")
    assert "Matched no file" not in result(workspace={"missing_egress": []})


def test_the_same_run_gives_the_same_text():
    assert plan() == plan()
    assert result() == result()
