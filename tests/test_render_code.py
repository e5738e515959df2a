"""What is said of runs of the code loop: plan.md, RESULT.md, and on a terminal."""

from __future__ import annotations

import pytest
from records import run_line
from render_cases import HOSTILE, folded, manifest, measured, spec
from render_reading import check_readable, check_tables, section

from hermes.acceptance import Case, Standing, weigh
from hermes.exchange import Spending
from hermes.measured import Code, Measurement, Sample
from hermes.model import Direction, Origin, Outcome
from hermes.render.code_show import Trail
from hermes.render.experiment import projections
from hermes.render.run_text import plan_text, result_text
from hermes.render.show import run_text, show_text
from hermes.render.tables import cells
from hermes.spec import Acceptance, Guard
from hermes.status import status_of

RULE = Acceptance(min_improvement=0.1, repeats=4, max_repeats=8, guards={"right": Guard(min=1)})
FIRST = "RUN-000001-worker"
CODE = Code("evaluator-digest", "c2", FIRST, "Look it up in a set.", 0.5, 2, 1)
PATCH = b"diff --git a/f.py b/f.py\n--- a/f.py\n+++ b/f.py\n@@ -1 +1 @@\n-slow\n+fast\n"


def loop(**changes):
    fields = {
        "executor_command": None,
        "validation_command": "python3 bench.py",
        "mutation_command": "python3 mutate.py",
        "strategy": None,
        "mutable_paths": ("src/*.py",),
        "read_only_paths": ("bench.py",),
        "acceptance": RULE,
    }
    return spec(**(fields | changes))


def state_after(*runs):
    first = run_line(1, value=1.0, accepted=True, params={}, code=Code("e", "c1", measured=1.0))
    return folded([first, *runs])


def decided(values=(0.5, 0.51, 0.49, 0.5), *, right=1.0, **measurement):
    samples = tuple(Sample(value, {"right": right}) for value in values)
    before = tuple(Sample(value, {"right": 1.0}) for value in (1.0, 1.01, 0.99, 1.0))
    taken = Measurement(samples, before, compared_with=FIRST, lines=7, **measurement)
    standing = Standing(FIRST, before, 9)
    return weigh(Case(Direction.MINIMIZE, RULE, taken, standing), final=True)


def run_of(code=CODE, outcome=Outcome.SUCCESS, **changes):
    return manifest(params={}, strategy="mutation", code=code, outcome=outcome, **changes)


def result(code=CODE, outcome=Outcome.SUCCESS, decision=None, given=None, **changes):
    value = 0.5 if outcome is Outcome.SUCCESS else None
    metrics = measured(value, outcome, params={}, accepted=value is not None)
    run = run_of(code, outcome, **changes)
    return result_text(given or loop(), run, metrics, state_after(), decision=decision)


def test_a_plan_tells_who_changes_the_code_and_from_which_incumbent():
    tried = section(plan_text(loop(), run_of(None), state_after()), "What is tried")
    assert "changed by the mutation command, `python3 mutate.py`" in tried
    assert f"begins from the code of `{FIRST}`, the best so far, 1." in tried
    assert "It may change `src/*.py`, never `bench.py`." in tried
    assert "by `python3 bench.py`, 4 times in turns with the best so far, 8 at most." in tried


def test_a_plan_names_the_agent_and_its_model():
    given = loop(mutation_command=None, agent_provider="codex", agent_model="large")
    tried = section(plan_text(given, run_of(None), state_after()), "What is tried")
    assert "changed by the agent `codex` with the model large" in tried


def test_a_plan_of_a_baseline_says_that_nothing_is_changed():
    page = plan_text(loop(), run_of(None, origin=Origin.BASELINE), folded())
    tried = section(page, "What is tried")
    assert "the code as it is: nothing is changed" in tried
    assert "`python3 bench.py`, 4 times." in tried
    assert "mutate.py" not in tried


def test_a_result_tells_hypothesis_change_samples_and_verdict():
    page = result(decision=decided())
    assert "Look it up in a set." in section(page, "Hypothesis")
    method = section(page, "Method")
    assert f"Changed by the mutation command, `python3 mutate.py`, from the code of `{FIRST}`" in (
        method
    )
    assert "2 lines added, 1 removed: `artifacts/diff.patch`" in method
    assert "| 2 | 0.51 | 1.01 |" in section(page, "Result")
    told = section(page, "Interpretation")
    assert "Accepted: It is better: a gain of 0.5 over 4 pairs" in told
    assert f"Compared with `{FIRST}`: 0.5 against 1, a gain of 0.5 where 0.1 is asked for" in told
    assert "Guard right: 1, kept, at least 1 is asked for" in told
    assert "Size: 7 lines that may be changed, 9 before" in told
    check_tables(page)


def test_a_result_of_a_candidate_that_was_turned_down_has_what_was_measured_but_no_value():
    decision = decided(right=0.5)
    page = result(outcome=Outcome.REJECTED, decision=decision, reason=decision.reason)
    assert "loss: none; 0.5 was measured" in section(page, "Result")
    told = section(page, "Interpretation")
    assert told.startswith("Rejected: A guard is broken: right is 0.5")
    assert "Guard right: 0.5, broken" in told


def test_no_page_has_a_number_of_the_hold_out():
    decision = decided(holdout=0.8765, holdout_before=0.1234)
    reason = "It is withdrawn: the hold-out does not bear it out."
    page = result(outcome=Outcome.REJECTED, decision=decision, reason=reason)
    metrics = measured(None, Outcome.REJECTED, params={})
    run = run_of(outcome=Outcome.REJECTED, reason=reason)
    shown = run_text(run, metrics, width=100, trail=Trail(decision))
    assert not decision.holdout.passed
    for text in (page, shown):
        assert "Hold-out" in text
        assert "not passed" in text
        assert "0.8765" not in text
        assert "0.1234" not in text


def test_a_result_without_a_candidate_points_to_what_was_said():
    code = Code("e", None, FIRST, "Cheat.")
    page = result(code, Outcome.TAMPERED, reason="read-only paths were changed: bench.py")
    assert "There is no candidate to measure; `artifacts/mutation.log`" in section(page, "Method")


def test_a_result_of_a_baseline_names_what_measures():
    page = result(Code("0123456789abcdef", "c1", measured=1.0))
    assert "None: this is the code as it is" in section(page, "Hypothesis")
    assert "`0123456789abcdef`" in section(page, "Method")


def test_a_result_tells_what_the_agent_took():
    cost = Spending(calls=2, input_tokens=900, output_tokens=100, cost_usd=0.25)
    code = Code("e", "c2", FIRST, "Ask.", 0.5, 1, 0, spending=cost)
    told = section(result(code, decision=decided()), "Result")
    assert "- Agent: 2 calls, 900 tokens read and 100 written, 0.25 US dollars" in told


def shown(runs, width):
    state = state_after(*runs)
    return show_text(status_of(loop(), "f" * 64, state), state, width=width)


CANDIDATES = (
    run_line(2, value=0.5, accepted=True, params={}, code=CODE),
    run_line(3, Outcome.REJECTED, params={}, code=CODE, reason="A guard is broken."),
)


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_shows_hypotheses_and_what_was_measured(width):
    text = shown(CANDIDATES, width)
    row = next(line for line in text.splitlines() if line.startswith("  3 "))
    assert row.split()[:5] == ["3", "rejected", "0.5", "+2", "-1"]
    assert "Look it up in a set." in row
    assert "PARAMS" not in text
    assert max(map(cells, text.splitlines())) <= width
    assert ("RUN-000003-worker" in row) == (width == 160)


def test_the_best_of_a_code_loop_is_its_incumbent_though_its_value_is_no_better():
    shorter = run_line(2, value=1.25, accepted=True, params={}, code=CODE)
    assert "Best        1.25 in RUN-000002-worker" in shown([shorter], 100)


def test_one_run_shows_decision_and_patch():
    metrics = measured(0.5, params={}, accepted=True)
    text = run_text(run_of(), metrics, width=100, trail=Trail(decided(), PATCH, b"HYPOTHESIS: x"))
    assert "Verdict     accept" in text
    assert "Samples     0.5, 0.51, 0.49, 0.5" in text
    assert "-slow\n+fast" in text
    assert "HYPOTHESIS: x" not in text  # the hypothesis stands above


def test_a_long_patch_is_cut_and_a_run_without_candidate_shows_what_was_said():
    metrics = measured(None, Outcome.FAILED, params={})
    trail = Trail(None, b"+x\n" * 100, b"it broke\n")
    text = run_text(run_of(outcome=Outcome.FAILED), metrics, width=100, trail=trail)
    assert text.count("+x") == 60
    assert "40 more lines in artifacts/diff.patch" in text
    assert "  it broke" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_a_change_says_breaks_a_page_or_a_line(hostile):
    code = Code("e", "c2", FIRST, hostile, 0.5, 2, 1)
    page = result(code, decision=decided())
    check_readable(page)
    check_tables(page)
    run = run_of(code, Outcome.FAILED, reason=hostile)
    raw = hostile.encode("utf-8", "surrogatepass")
    metrics = measured(None, Outcome.FAILED, params={})
    text = run_text(run, metrics, width=80, trail=Trail(decided(), raw, raw))
    check_readable(text)
    assert max(map(cells, text.splitlines())) <= 80


def pages_of(state):
    made = projections(loop(), state, status_of(loop(), "f" * 64, state))
    return {name: content.decode() for name, content in made.items()}


def test_the_pages_of_an_experiment_speak_of_changes_and_not_of_parameters():
    state = state_after(*CANDIDATES)
    pages = pages_of(state)
    best = pages["best.md"]
    assert "- Change: +2 -1 lines" in best
    assert "Look it up in a set." in best
    assert "| Hypothesis |" in pages["SUMMARY.md"]
    assert "by the mutation command, `python3 mutate.py`" in pages["NEXT.md"]
    runbook = pages["RUNBOOK.md"]
    assert "4 measurements, 8 at most, in turns with the best so far" in runbook
    assert "- Guards: right at least 1" in runbook


def test_what_comes_first_in_a_code_loop_is_announced_as_a_baseline():
    state = folded()
    assert "the code as it is is measured" in pages_of(state)["NEXT.md"]
