"""Work is given out to agents by the scheduler's own policy, once each, and not for ever."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import pytest
from agent_cases import (
    VALUE,
    a_lab_with_a_loop,
    a_loop,
    ask,
    loop_fields,
    receive,
    sent,
    submit,
    turn,
)
from labs import a_lab, an_experiment, burst, lines

from hermes import history
from hermes.clock import UTC, FixedClock, parse_time
from hermes.errors import AgentError, Busy, NothingToDo
from hermes.executing import surface
from hermes.model import Origin, Phase
from hermes.steps import agent_next, items
from hermes.steps.lifecycle import set_phase
from hermes.steps.recover import recover


@pytest.fixture
def clock():
    return FixedClock(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))


@pytest.fixture
def lab(tmp_path, clock):
    return a_lab_with_a_loop(tmp_path / "lab", tmp_path, clock, time_budget_minutes=10)


def held(lab):
    return [held.dispatch_id for held in lab.items.held()]


def test_an_item_says_who_what_and_until_when(lab, clock):
    work = ask(lab, "ada")
    item = work.item
    assert (item.worker, item.experiment, item.role) == ("ada", "exp", "worker")
    assert (item.incumbent_run, item.evaluator) == (None, None)
    until = parse_time(item.deadline) - clock.now()
    assert timedelta(minutes=10) <= until < timedelta(minutes=11)
    assert item.surface_sha256 == surface.digest(work.shown.tree)
    assert lab.items.read(item.dispatch_id).item == item


def test_what_is_shown_is_the_surface_and_nothing_of_the_evaluator(lab):
    tree = ask(lab).shown.tree
    assert sorted(tree) == ["src/logo.bin", VALUE]
    assert tree[VALUE].data == b"10\n"


def test_the_same_worker_that_asks_again_gets_the_same_item(lab):
    first = ask(lab, "ada").item
    assert ask(lab, "ada").item == first
    assert ask(lab, "ada", experiment="exp").item == first
    assert len(held(lab)) == 1


def test_one_worker_that_asks_twice_at_once_gets_one_item(lab, monkeypatch):
    look, other = agent_next.shown_to, []

    def looking(*args):
        if not other:
            other.append(None)
            other.append(ask(lab, "ada").item)
        return look(*args)

    monkeypatch.setattr(agent_next, "shown_to", looking)
    assert ask(lab, "ada").item == other[1]
    assert len(held(lab)) == 1


def test_another_worker_gets_an_item_of_its_own(lab):
    assert ask(lab, "ada").item.dispatch_id != ask(lab, "bob").item.dispatch_id
    assert len(held(lab)) == 2


def test_a_worker_that_has_answered_gets_new_work(lab):
    first = ask(lab).item
    receive(lab, sent(first.dispatch_id, 9), "ada")
    assert ask(lab).item.dispatch_id != first.dispatch_id


def test_asking_holds_no_lease(lab):
    ask(lab)
    lease = lab.leases.read("exp")
    assert lease is None or not lease.held
    assert burst(lab, "exp", 1).runs == 1


def test_the_item_shows_the_code_of_the_incumbent(lab):
    first = turn(lab, 7)
    assert first.accepted
    work = ask(lab)
    assert work.item.incumbent_run == first.run_id
    assert work.item.evaluator == first.code.evaluator
    assert work.shown.tree[VALUE].data == b"7\n"
    assert work.item.surface_sha256 == first.code.candidate


def test_the_same_item_shows_the_code_it_was_made_for_though_another_has_won(lab):
    bobs = ask(lab, "bob").item
    turn(lab, 7, "ada")
    again = ask(lab, "bob")
    assert again.item == bobs
    assert again.shown.tree[VALUE].data == b"10\n"


def test_a_deleted_file_of_the_incumbent_is_not_shown(lab, tmp_path):
    (tmp_path / "workspace" / "src" / "old.txt").write_text("x\n")
    data = sent(ask(lab).item.dispatch_id, 7).replace(b'{"src', b'{"src/old.txt": null, "src')
    assert submit(lab, data).accepted
    shown = ask(lab).shown
    assert "src/old.txt" not in shown.tree
    assert "src/old.txt" not in shown.present


def test_an_item_whose_time_is_up_is_cleared_and_the_worker_gets_another(lab, clock):
    first = ask(lab).item
    clock.advance(11 * 60)
    second = ask(lab).item
    assert second.dispatch_id != first.dispatch_id
    assert held(lab) == [second.dispatch_id]
    assert any(event.kind == "expired" for event in lab.ledger.read().records)


def test_a_cycle_and_recover_clear_what_is_over(lab, clock):
    ask(lab)
    clock.advance(11 * 60)
    assert items.overdue(lab) == ["exp"]
    recover(lab)
    assert (held(lab), items.overdue(lab)) == ([], [])


def test_a_damaged_item_is_set_aside_and_blocks_nobody(lab):
    damaged = ask(lab).item.dispatch_id
    lab.layout.item(damaged).item.write_bytes(b"{}")
    ask(lab)
    assert damaged not in held(lab)
    assert lab.layout.set_aside(damaged, 1).is_dir()


def test_what_is_no_item_of_a_known_experiment_is_set_aside_by_recover(lab):
    stranger = lab.layout.agents / "gone-item-00000000"
    stranger.mkdir()
    assert any("gone-item-00000000" in line for line in recover(lab))
    assert not stranger.exists()


# Who is next


def test_urgent_goes_before_normal_and_the_one_that_waited_longest_first(tmp_path, clock):
    lab = a_lab(tmp_path / "lab", clock)
    for name in ("first", "second"):
        a_loop(lab, tmp_path, name)
        clock.advance(1)
    a_loop(lab, tmp_path, "urgent", priority="urgent")
    assert ask(lab, "ada").item.experiment == "urgent"
    set_phase(lab, "urgent", Phase.PAUSED, "")
    assert [ask(lab, worker).item.experiment for worker in ("bob", "cyd", "dan")] == [
        "first",
        "second",
        "first",
    ]


def test_an_experiment_with_a_cadence_gives_out_one_item_a_time(tmp_path, clock):
    lab = a_lab_with_a_loop(tmp_path / "lab", tmp_path, clock, cadence="hourly")
    ask(lab, "ada")
    with pytest.raises(NothingToDo):
        ask(lab, "bob")
    assert ask(lab, "bob", experiment="exp").item.worker == "bob"
    clock.advance(3601)
    assert ask(lab, "cyd").item.worker == "cyd"


def test_only_the_executor_class_that_is_asked_for(lab):
    with pytest.raises(NothingToDo):
        ask(lab, executor_class="gpu")
    assert ask(lab, executor_class="local").item.experiment == "exp"


def test_what_is_no_code_loop_has_no_work_for_agents(tmp_path):
    lab = a_lab(tmp_path / "lab")
    an_experiment(lab, tmp_path, "search")
    with pytest.raises(AgentError) as refused:
        ask(lab, experiment="search")
    assert refused.value.code == "no-code-loop"
    a_loop(lab, tmp_path, "loop")
    assert ask(lab).item.experiment == "loop"


def test_a_broken_experiment_does_not_keep_the_others_from_giving_work(lab, tmp_path):
    gone = tmp_path / "gone-soon"
    gone.mkdir()
    a_loop(lab, tmp_path, "urgent", priority="urgent", workspace_root=str(gone))
    gone.rmdir()
    assert ask(lab).item.experiment == "exp"
    with pytest.raises(Exception, match="gone-soon"):
        ask(lab, "bob", experiment="urgent")


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.COMPLETED])
def test_an_experiment_that_may_not_run_gives_no_work_not_even_what_is_out(lab, phase):
    ask(lab)
    set_phase(lab, "exp", phase, "enough")
    for wish in ({}, {"experiment": "exp"}):
        with pytest.raises(NothingToDo):
            ask(lab, **wish)


def test_no_more_items_are_out_than_runs_are_left(tmp_path):
    lab = a_lab_with_a_loop(tmp_path / "lab", tmp_path, max_iterations_total=3)
    burst(lab, "exp", 1)  # the baseline
    ask(lab, "ada")
    ask(lab, "bob")
    with pytest.raises(NothingToDo, match="as many items"):
        ask(lab, "cyd", experiment="exp")


def test_so_many_items_of_an_experiment_are_out_at_most(lab, monkeypatch):
    monkeypatch.setattr(agent_next, "MOST_ITEMS", 2)
    ask(lab, "ada")
    ask(lab, "bob")
    with pytest.raises(Busy, match="out already"):
        ask(lab, "cyd", experiment="exp")
    assert ask(lab, "ada").item.worker == "ada"


def test_roles_take_turns_among_the_items_that_are_out(tmp_path):
    lab = a_lab_with_a_loop(tmp_path / "lab", tmp_path, worker_roles=["builder", "breaker"])
    roles = [ask(lab, worker).item.role for worker in ("ada", "bob", "cyd")]
    assert roles == ["builder", "breaker", "builder"]
    first = ask(lab, "bob").item
    assert submit(lab, sent(first.dispatch_id, 9), "bob").role == "breaker"


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "x" * 81, "ü"])
def test_a_worker_has_a_name_that_can_stand_in_a_path(lab, name):
    with pytest.raises(AgentError) as refused:
        ask(lab, name)
    assert refused.value.code == "malformed"


# Nobody is called


def test_where_agents_come_by_themselves_a_burst_makes_the_baseline_and_no_more(lab):
    tally = burst(lab, "exp", 3)
    assert tally.runs == 1
    assert "agent's to make" in tally.stopped
    assert "agent_next exp=exp" in tally.remedy
    assert [line.origin for line in lines(lab)] == [Origin.BASELINE]


def test_next_md_and_the_status_say_that_agents_ask(lab):
    burst(lab, "exp", 1)
    status = history.read(lab, "exp").status()
    assert status.waits_for_agents
    text = (lab.layout.experiment("exp").folder / "NEXT.md").read_text()
    assert "agent_next exp=exp" in text
    assert "agent_next" in lab.layout.lab_status.read_text()


def test_what_an_agent_left_behind_is_measured_by_whoever_comes(lab):
    item = ask(lab).item
    receive(lab, sent(item.dispatch_id, 8), "ada")
    tally = burst(lab, "exp", 5)
    assert [line.origin for line in lines(lab)] == [Origin.BASELINE, Origin.AGENT]
    assert tally.accepted == 2
    assert held(lab) == []


def test_looking_at_a_commit_leaves_nothing_behind(tmp_path):
    import subprocess

    lab = a_lab(tmp_path / "lab")
    fields = loop_fields(tmp_path)
    root = fields["workspace_root"]
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", root]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "workspace" / VALUE).write_text("99\n")
    a_loop(lab, tmp_path, workspace_mode="git")
    assert ask(lab).shown.tree[VALUE].data == b"10\n"
    sandboxes = lab.layout.scratch / "sandboxes"
    assert not sandboxes.exists() or not any(sandboxes.iterdir())


def test_items_are_records_of_what_the_format_says(lab):
    names = [field.name for field in dataclasses.fields(ask(lab).item)]
    text = " ".join(names)
    page = (agent_next.Path(__file__).parents[1] / "docs" / "FORMAT.md").read_text()
    assert text.replace("executable", "executable[…]") in page
