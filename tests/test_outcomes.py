"""What is sealed of a run, however its command ends; what is best is blind to failures."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from forked import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs import a_lab, an_experiment, burst, lines
from memory import MEMORY

from hermes import history
from hermes.model import Direction, Outcome
from hermes.steps import seal
from hermes.steps.project import project, project_lab
from hermes.steps.refresh import refresh
from hermes.steps.verify import verify

SENTINEL = 987654321.125  # what failed runs print; it may stand in their logs and nowhere else
BUDGET_MINUTES = 0.005


class Way(NamedTuple):
    """What a command does, and what must be sealed of it."""

    does: str
    outcome: Outcome
    value: float | None = None
    reason: str = ""


def document(text):
    return f"printf '%s' '{text}' > metrics.json"


def said(text):
    return f"printf '%s' '{text}'"


SUCCESS, FAILED, TIMEOUT = Outcome.SUCCESS, Outcome.FAILED, Outcome.TIMEOUT
NONE, INVALID = Outcome.NO_METRIC, Outcome.INVALID_METRIC
WAYS = {
    "a document's value": Way(document('{"value": 3.5}'), SUCCESS, 3.5),
    "a document's own name for it": Way(document('{"loss": -2}'), SUCCESS, -2.0),
    "a document before what is printed": Way(document('{"value": 3.5}') + "; echo 9", SUCCESS, 3.5),
    "a number on the last line": Way("echo 1; echo 4e-1; echo", SUCCESS, 0.4),
    "an object on the last line": Way(said('{"loss": 1.25, "f1": 2}'), SUCCESS, 1.25),
    "a line that names it": Way("echo loss: 7; echo goodbye", SUCCESS, 7.0),
    "zero": Way("echo 0", SUCCESS, 0.0),
    "an exit status": Way("echo 0; exit 3", FAILED, None, "executor_command: exit status 3"),
    "an exit status after a document": Way(
        document('{"value": 0}') + "; exit 1", FAILED, None, "exit status 1"
    ),
    "a signal": Way("echo 0; kill -SEGV $$", FAILED, None, "killed by signal SIGSEGV"),
    "no such program": Way("echo 0; no-such-program", FAILED, None, "exit status 127"),
    "no time left": Way("echo 0; sleep 30", TIMEOUT, None, "the time budget of 0.005 minutes"),
    "no time left after a document": Way(
        document('{"value": 0}') + "; sleep 30", TIMEOUT, None, "was used up"
    ),
    "nothing": Way("true", NONE, None, "no metrics.json"),
    "words": Way("echo all went well", NONE, None, "'all went well'"),
    "a null": Way(document('{"loss": null}'), NONE, None, "says that there is no value"),
    "another metric": Way(document('{"accuracy": 1}'), NONE, None, "has neither"),
    "NaN": Way(document('{"loss": NaN}'), INVALID, None, "nan, not a finite number"),
    "NaN on the last line": Way("echo nan", INVALID, None, "not a finite number"),
    "infinity": Way(document('{"loss": Infinity}'), INVALID, None, "inf"),
    "minus infinity": Way("echo loss: -inf", INVALID, None, "-inf"),
    "more than a float holds": Way(document('{"loss": 1e999}'), INVALID, None, "inf"),
    "less than a float holds": Way("echo -1e999", INVALID, None, "-1e999"),
    "a text": Way(document('{"loss": "3"}'), INVALID, None, "'3'"),
    "a truth value": Way(document('{"loss": true}'), INVALID, None, "True"),
    "a list": Way(document('{"loss": [1]}'), INVALID, None, "[1]"),
    "half a document": Way(document('{"loss": 1'), INVALID, None, "is not JSON"),
}


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def numbers_in(value):
    """Return every number in a JSON value, but for truth values."""
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def in_turn(commands):
    """Return a command that does one of these each iteration."""
    cases = " ".join(f"{number}) {does} ;;" for number, does in enumerate(commands, 1))
    return f'case "$LAB_RUN_ITERATION" in {cases} esac'


def expect_strict_json(root):
    for path in root.rglob("*.json"):
        if "sandboxes" not in path.parts:
            strict(path.read_text())
    for path in root.rglob("*.jsonl"):
        for line in path.read_text().splitlines():
            strict(line)


def expect_no_number_of_failures(lab, experiment="exp"):
    """A failed run has no value: not in its bundle, not in the index, not in the ledger."""
    raw = (lab.layout.experiment(experiment).metrics).read_text().splitlines()
    details = {event.run_id: event.detail for event in lab.ledger.read().records}
    for line, text in zip(lines(lab, experiment), raw, strict=True):
        if line.outcome is Outcome.SUCCESS:
            continue
        indexed = strict(text)
        assert indexed["value"] is None
        assert indexed["accepted"] is False
        assert indexed["secondary"] == {}
        metrics = strict((lab.layout.experiment(experiment).run(line.run_id).metrics).read_text())
        assert metrics["value"] is None
        assert metrics["accepted"] is False
        assert numbers_in({**metrics, "params": {}}) == []
        assert details[line.run_id] == line.outcome.value
        assert "value" not in manifest_of(lab, line, experiment)


def manifest_of(lab, line, experiment="exp"):
    return strict(lab.layout.experiment(experiment).run(line.run_id).manifest.read_text())


@pytest.mark.parametrize("name", WAYS)
def test_each_way_a_command_can_end_has_its_outcome_value_and_reason(lab, root, tmp_path, name):
    way = WAYS[name]
    an_experiment(
        lab,
        tmp_path,
        executor_command=way.does,
        strategy=None,
        time_budget_minutes=BUDGET_MINUTES if way.outcome is TIMEOUT else 5,
    )
    burst(lab, "exp", 1)
    (line,) = lines(lab)
    assert (line.outcome, line.value) == (way.outcome, way.value)
    assert way.reason in line.reason
    assert bool(line.reason) == (way.outcome is not SUCCESS)
    manifest = manifest_of(lab, line)
    assert (manifest["outcome"], manifest["reason"]) == (line.outcome.value, line.reason)
    assert (manifest["exit_status"] == 0) == (way.outcome not in (FAILED, TIMEOUT))
    assert history.read(lab, "exp").status().best_metric_value == way.value
    expect_no_number_of_failures(lab)
    expect_strict_json(root)
    assert verify(lab).problems == ()


def test_what_is_printed_beside_the_metric_is_secondary(lab, tmp_path):
    an_experiment(
        lab,
        tmp_path,
        strategy=None,
        executor_command=document('{"value": 1, "f1": 0.5, "n": 3, "who": "me", "bad": NaN}'),
    )
    burst(lab, "exp", 1)
    (line,) = lines(lab)
    assert line.secondary == {"f1": 0.5, "n": 3.0}


def test_without_a_command_a_run_is_a_stub_and_has_no_metric(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command=None, strategy=None, search_space=None)
    burst(lab, "exp", 1)
    (line,) = lines(lab)
    assert (line.outcome, line.value) == (Outcome.STUB, None)
    assert "there is no executor_command" in line.reason
    state = history.read(lab, "exp").state
    assert (state.failure_streak, state.success_count) == (0, 0)
    expect_no_number_of_failures(lab)
    assert verify(lab).problems == ()


@pytest.mark.parametrize("direction", list(Direction))
def test_crashes_timeouts_and_nans_never_count_as_zero(lab, root, tmp_path, direction):
    ends = ["echo 5", "exit 1", "echo nan", "echo -inf", "true", "sleep 30"]
    an_experiment(
        lab,
        tmp_path,
        strategy=None,
        metric_direction=direction.value,
        executor_command=in_turn(ends),
        time_budget_minutes=0.01,
        max_failure_streak=99,
    )
    burst(lab, "exp", len(ends))
    assert [line.value for line in lines(lab)] == [5.0, None, None, None, None, None]
    status = json.loads((root / "experiments" / "exp" / "STATUS.json").read_text())
    assert (status["best_metric_value"], status["best_run"]) == (5.0, lines(lab)[0].run_id)
    index = strict((root / "LAB-INDEX.json").read_text())
    assert index["experiments"][0]["best_metric_value"] == 5.0
    expect_no_number_of_failures(lab)


def test_the_direction_comes_from_the_spec_and_editing_it_judges_history_anew(lab, root, tmp_path):
    values = ["echo 5", "echo 7", "echo 3", "echo 6", "echo 8"]
    an_experiment(lab, tmp_path, strategy=None, executor_command=in_turn(values))
    burst(lab, "exp", 3)
    assert history.read(lab, "exp").status().best_metric_value == 3.0
    before = (root / "experiments" / "exp" / "STATUS.json").read_bytes()
    edit(lab, "minimize", "maximize")
    burst(lab, "exp", 2)
    assert history.read(lab, "exp").status().best_metric_value == 8.0
    assert [line.accepted for line in lines(lab)] == [True, False, True, False, True]
    edit(lab, "maximize", "minimize")
    refresh(lab)
    after = (root / "experiments" / "exp" / "STATUS.json").read_bytes()
    assert json.loads(after)["best_metric_value"] == json.loads(before)["best_metric_value"]
    intents = [record.intent.value for record in lab.journal("exp").read().records]
    assert intents == ["created", "spec"]


def test_after_an_edit_of_the_direction_a_margin_is_asked_over_the_best_accepted_run(lab, tmp_path):
    values = ["echo 5", "echo 3", "echo 5.5", "echo 7"]
    an_experiment(
        lab,
        tmp_path,
        strategy=None,
        executor_command=in_turn(values),
        acceptance={"min_improvement": 1.5},
    )
    burst(lab, "exp", 2)
    edit(lab, "minimize", "maximize")
    burst(lab, "exp", 2)
    assert [line.accepted for line in lines(lab)] == [True, True, False, True]


def edit(lab, old, new):
    path = lab.layout.experiment("exp").spec
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# any sequence of outcomes

FAILING = {
    "crash": f"echo {SENTINEL}; exit 1",
    "signal": f"echo {SENTINEL}; kill -9 $$",
    "document-crash": document(f'{{"value": {SENTINEL}, "f1": {SENTINEL}}}') + "; exit 1",
    "nan": document(f'{{"loss": NaN, "f1": {SENTINEL}}}'),
    "infinity": "echo 1e999",
    "text": document(f'{{"loss": "much", "f1": {SENTINEL}}}'),
    "nothing": f"echo it was {SENTINEL} or so; echo goodbye",  # the last line is quoted
}
CUT_OFF = {
    "killed": f"echo {SENTINEL}; kill -9 $PPID; exit 1",
    "terminated": f"echo {SENTINEL}; kill -TERM $PPID; sleep 30",
    "interrupted": f"echo {SENTINEL}; kill -INT $PPID; kill -HUP $PPID; sleep 30",
}
LATE = {"late": f"echo {SENTINEL}; sleep 30"}

values = st.floats(-1e6, 1e6).map(lambda value: f"value {value!r}")


class Scripted:
    """A lab whose next runs do what a file says, and what should be best in it."""

    def __init__(self, direction, **fields):
        self.folder = Path(tempfile.mkdtemp(prefix="hermes-outcomes-", dir=MEMORY))
        self.root = self.folder / "lab-data"
        self.lab = a_lab(self.root)
        self.next = self.folder / "next"
        self.direction = direction
        self.best = None
        an_experiment(
            self.lab,
            self.folder,
            metric_direction=direction.value,
            executor_command=f". {self.next}",
            max_failure_streak=1000,
            **fields,
        )

    def does(self, step, ways):
        """Make one run that does as told; a run that was cut off is made up for by a good one."""
        value = float(step.removeprefix("value ")) if step.startswith("value ") else None
        self.next.write_text(f"echo {value!r}" if value is not None else ways[step])
        if step in CUT_OFF:
            answer = command(self.root, "burst", "exp=exp", "n=1")
            assert answer.code in (-9, 129, 130, 143), answer
            assert self.lab.packages.running("exp")
            return
        burst(self.lab, "exp", 1)
        if value is not None:
            self.succeeded(lines(self.lab)[-1])

    def succeeded(self, line):
        if self.best is None or self.direction.better(line.value, self.best.value):
            self.best = line
            assert line.accepted
        else:
            assert not line.accepted

    def expect(self):
        status = history.read(self.lab, "exp").status()
        expected = (self.best.run_id, self.best.value) if self.best else (None, None)
        assert (status.best_run, status.best_metric_value) == expected

    def expect_at_the_end(self):
        refresh(self.lab)
        project(self.lab, "exp")
        project_lab(self.lab)
        expect_no_number_of_failures(self.lab)
        expect_strict_json(self.root)
        assert verify(self.lab).problems == ()
        for path in self.root.rglob("*"):
            if path.is_file() and path.name not in ("stdout.log", "stderr.log"):
                assert str(SENTINEL).encode() not in path.read_bytes(), path
        sealed = [
            event.run_id for event in self.lab.ledger.read().records if event.kind == "sealed"
        ]
        assert sealed == [line.run_id for line in lines(self.lab)]
        self.expect()


def check_sequence(steps, direction, ways, **fields):
    scripted = Scripted(direction, **fields)
    try:
        for step in steps:
            scripted.does(step, ways)
            scripted.expect()
        outcomes = [line.outcome for line in lines(scripted.lab)]
        assert outcomes.count(SUCCESS) == sum(step.startswith("value ") for step in steps)
        scripted.expect_at_the_end()
    finally:
        shutil.rmtree(scripted.folder)


def sequences(ways, most):
    return st.lists(st.one_of(values, st.sampled_from(sorted(ways))), min_size=1, max_size=most)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequences(FAILING, 8), st.sampled_from(list(Direction)))
def test_no_sequence_of_failures_changes_what_is_best_or_leaves_a_number(steps, direction):
    check_sequence(steps, direction, FAILING)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequences({**FAILING, **CUT_OFF, **CUT_OFF}, 6), st.sampled_from(list(Direction)))
def test_kills_and_interrupts_change_neither(steps, direction):
    check_sequence(steps, direction, {**FAILING, **CUT_OFF})


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequences({**FAILING, **CUT_OFF, **LATE}, 12), st.sampled_from(list(Direction)))
def test_long_sequences_of_all_that_can_happen_change_neither(steps, direction):
    check_sequence(steps, direction, {**FAILING, **CUT_OFF, **LATE}, time_budget_minutes=0.05)


def test_the_property_above_has_teeth(monkeypatch):
    """A judge that took a failure for zero would be found."""
    judged = seal._judged

    def generous(*arguments):
        metrics = judged(*arguments)
        return replace(metrics, value=0.0) if metrics.value is None else metrics

    monkeypatch.setattr(seal, "_judged", generous)
    with pytest.raises((AssertionError, ValueError)):
        check_sequence(["value 1.0", "crash"], Direction.MINIMIZE, FAILING)
