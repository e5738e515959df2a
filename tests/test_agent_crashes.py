"""Agents and the lab are killed at every file-system operation: nothing is lost or done twice."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from agent_cases import a_lab_with_a_loop, ask, measure, receive, sent, submit
from crash_harness import FULL, KILLS, power_loss_states, recorded, run_killed
from crashed_labs import expect_healthy, killed_everywhere, rebooted, reopened
from labs import burst, lines

from hermes.errors import AgentError
from hermes.model import Origin
from hermes.steps.recover import recover
from hermes.store.items import Items


def prepared(copies, tmp_path) -> str:
    """Leave a lab with a baseline and an item in the hands of ada; return its id."""
    lab = a_lab_with_a_loop(copies.root, tmp_path)
    burst(lab, "exp", 1)
    return ask(lab, "ada").item.dispatch_id


def agents(lab):
    return [line for line in lines(lab) if line.origin is Origin.AGENT]


def measured(lab):
    return [line for line in agents(lab) if not line.outcome.is_retried]


def expect_one_run(lab, item):
    """Send the same again: it is measured, or was, and once only."""
    line = submit(lab, sent(item, 7), "ada")
    assert (line.request, line.value, line.accepted) == (item, 7.0, True)
    assert [run.run_id for run in measured(lab)] == [line.run_id]
    assert lab.items.held() == []
    assert [run.seq for run in lines(lab)] == list(range(1, len(lines(lab)) + 1))


def check_asking(copies, tmp_path, ways, every):
    a_lab_with_a_loop(copies.root, tmp_path)
    work = lambda: ask(reopened(copies.root), "ada")  # noqa: E731
    for point in killed_everywhere(copies, work, ways, every=every):
        lab = reopened(copies.root)
        recover(lab)
        expect_healthy(lab)
        left = [held.dispatch_id for held in lab.items.held()]
        item = ask(lab, "ada").item.dispatch_id
        assert left in ([], [item]), point
        assert [held.dispatch_id for held in lab.items.held()] == [item], point


def check_submitting(copies, tmp_path, ways, every):
    item = prepared(copies, tmp_path)
    work = lambda: submit(reopened(copies.root), sent(item, 7), "ada")  # noqa: E731
    for point in killed_everywhere(copies, work, ways, every=every):
        lab = reopened(copies.root)
        try:
            recover(lab)
            expect_healthy(lab)
            expect_one_run(lab, item)
            expect_healthy(lab)
        except BaseException as error:
            error.args = (f"{point}: {error}",)
            raise


def test_asking_that_is_killed_leaves_one_item_or_none(copies, tmp_path):
    check_asking(copies, tmp_path, KILLS, every=2)


def test_asking_on_a_full_disk_leaves_one_item_or_none(copies, tmp_path):
    check_asking(copies, tmp_path, FULL, every=3)


def test_submitting_that_is_killed_loses_nothing_and_measures_once(copies, tmp_path):
    check_submitting(copies, tmp_path, KILLS, every=13)


def test_submitting_on_a_full_disk_loses_nothing_and_measures_once(copies, tmp_path):
    check_submitting(copies, tmp_path, FULL, every=31)


@pytest.mark.slow
def test_asking_is_killed_at_every_operation(copies, tmp_path):
    check_asking(copies, tmp_path, (*KILLS, *FULL), every=1)


@pytest.mark.slow
@pytest.mark.parametrize("how", KILLS)
def test_submitting_is_killed_at_every_operation(copies, tmp_path, how):
    check_submitting(copies, tmp_path, (how,), every=1)


@pytest.mark.slow
def test_submitting_finds_the_disk_full_at_every_third_operation(copies, tmp_path):
    check_submitting(copies, tmp_path, FULL, every=3)


def check_next_owner(copies, tmp_path, every):
    """Kill the agent's command; a burst of somebody else measures what was taken."""
    item = prepared(copies, tmp_path)
    work = lambda: submit(reopened(copies.root), sent(item, 7), "ada")  # noqa: E731
    seen = set()
    for point in killed_everywhere(copies, work, KILLS, every=every):
        lab = reopened(copies.root)
        taken = bool(measured(lab)) or lab.items.submission(item) is not None
        seen.add(taken)
        burst(lab, "exp", 3)
        if taken:
            assert [line.value for line in measured(lab)] == [7.0], point
            assert lab.items.held() == [], point
        else:
            assert agents(lab) == [], point
            assert lab.items.read(item).is_alive(lab.now()), point
    assert seen == {True, False}


def test_what_was_taken_before_a_kill_is_measured_by_the_next_owner(copies, tmp_path):
    check_next_owner(copies, tmp_path, every=17)


@pytest.mark.slow
def test_what_was_taken_before_any_kill_is_measured_by_the_next_owner(copies, tmp_path):
    check_next_owner(copies, tmp_path, every=3)


def test_a_kill_while_what_is_late_is_kept_loses_nothing(copies, tmp_path):
    item = prepared(copies, tmp_path)
    lab = reopened(copies.root)
    held = lab.items.read(item).item
    lab.items.remove(item)
    old = held.__class__(**{**vars(held), "deadline": "2026-01-31T09:30:00.000000Z"})
    lab.items.publish(old)

    def late():
        with pytest.raises(AgentError):
            receive(reopened(copies.root), sent(item, 7), "ada")

    for point in killed_everywhere(copies, late, KILLS):
        lab = reopened(copies.root)
        late()
        kept = [place / "submission.json" for place in lab.layout.complete.iterdir()]
        texts = [json.loads(path.read_text()) for path in kept if path.is_file()]
        assert [text["dispatch_id"] for text in texts if text["changes"]], point
        assert lab.items.read(item) is None, point
        recover(lab)
        expect_healthy(lab)


def check_power(copies, tmp_path, every, share):
    item = prepared(copies, tmp_path)
    copies.keep()

    def work(record):
        lab = reopened(copies.root)
        receive(lab, sent(item, 7), "ada")
        record.mark("taken")
        measure(lab, item)
        record.mark("measured")

    record = recorded(copies.root, work)
    states = 0
    for at in range(0, record.calls + 1, every):
        for state in list(power_loss_states(record, at, seed=at))[at % share :: share]:
            state.write(copies.root)
            states += 1
            lab = rebooted(copies.root)
            recover(lab)
            expect_healthy(lab)
            if "measured" in record.promised(at):
                assert [line.value for line in measured(lab)] == [7.0], state.name
            elif "taken" in record.promised(at):
                waits = lab.items.submission(item) is not None
                assert waits or measured(lab), state.name
            expect_one_run(lab, item)
    return states


def test_a_power_cut_takes_nothing_that_an_agent_was_promised(copies, tmp_path):
    assert check_power(copies, tmp_path, every=37, share=7) > 5


@pytest.mark.slow
def test_many_power_cuts_take_nothing_that_an_agent_was_promised(copies, tmp_path):
    assert check_power(copies, tmp_path, every=13, share=4) > 15


def test_the_checks_above_have_teeth(copies, tmp_path, monkeypatch):
    item = prepared(copies, tmp_path)
    monkeypatch.setattr(Items, "submission", lambda self, dispatch_id: None)
    with pytest.raises((AssertionError, AttributeError)):
        expect_one_run(reopened(copies.root), item)
    shutil.rmtree(copies.root)
    assert not os.path.exists(copies.root)
    assert run_killed(lambda: None, 0).calls == 0
