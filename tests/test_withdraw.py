"""What was enqueued is taken back: while it waits, once, and never while it is being run."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from crash_harness import KILLS
from crashed_labs import expect_healthy, killed_everywhere, reopened
from forked import begin, command, done
from labs import LOSS_OF_X, a_lab, an_experiment, burst, lines
from steered import ATTENDED, GRID, approve, ask, refused, tried, wait_for, waiting

from hermes import history
from hermes.cli.answers import Nobody
from hermes.errors import RequestError
from hermes.model import Origin
from hermes.modes.guided import guided
from hermes.modes.loop import Tally
from hermes.steps.enqueue import enqueue
from hermes.steps.opening import opened
from hermes.steps.plan import plan
from hermes.steps.recover import recover
from hermes.steps.withdraw import withdraw
from hermes.store.journal import Journal


@pytest.fixture
def searched(lab, tmp_path):
    """Return the lab with one experiment in it."""
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    return lab


def point(lab, x):
    return enqueue(lab, "exp", json.dumps({"x": x}), "").id


def state(lab):
    return history.read(lab, "exp").state


def refusal(lab, name):
    with pytest.raises(RequestError) as caught:
        withdraw(lab, "exp", name, "")
    return str(caught.value)


# what waits


def test_a_point_that_is_withdrawn_is_not_tried_and_the_others_are(searched, root):
    names = [point(searched, x) for x in (7, 8, 9)]
    said = done(root, "enqueue", "exp=exp", f"withdraw={names[1]}", "note=too dear")
    assert said.out == f"Withdrawn {names[1]}: x=8; 2 requests left.\n"
    burst(searched, "exp", 3)
    assert tried(searched) == [7, 9, 1]
    record = searched.journal("exp").read().records[-1]
    assert (record.request, record.reason, record.by) == (names[1], "too dear", "human")
    assert [event.detail for event in searched.ledger.read().records if event.kind == "withdraw"]
    expect_healthy(searched)


def test_a_withdrawn_point_is_again_one_that_the_strategy_may_propose(searched):
    withdraw(searched, "exp", point(searched, 1), "")
    burst(searched, "exp", 1)
    assert [(line.params, line.origin) for line in lines(searched)] == [({"x": 1}, Origin.STRATEGY)]


def test_an_idea_that_is_withdrawn_is_told_to_nobody_any_more(searched, root):
    idea = enqueue(searched, "exp", None, "smaller steps").id
    enqueue(searched, "exp", None, "larger steps")
    said = done(root, "enqueue", "exp=exp", f"withdraw={idea}")
    assert said.out == f"Withdrawn {idea}: the idea; 1 request left.\n"
    folder = searched.layout.experiment("exp").folder
    for page in ("NEXT.md", "context.md", "SUMMARY.md"):
        text = (folder / page).read_text()
        assert "smaller" not in text, page
        assert "larger" in text, page
    burst(searched, "exp", 1)
    assert len(lines(searched)[0].ideas) == 1


def test_what_can_be_withdrawn_is_shown_with_its_id(searched, root):
    name = point(searched, 7)
    done(root, "refresh", "exp=exp")
    assert name in (searched.layout.experiment("exp").folder / "NEXT.md").read_text()
    assert name in done(root, "show", "exp=exp").out


# what does not wait


def test_what_is_not_there_is_refused_with_the_nearest(searched, root):
    name = point(searched, 7)
    what, remedy = refused(command(root, "enqueue", "exp=exp", f"withdraw={name[:-1]}x"))
    assert "request" in what
    assert f"Did you mean '{name}'?" in remedy
    assert refused(command(root, "enqueue", "exp=exp", "withdraw=q9", 'params={"x": 1}'))
    withdraw(searched, "exp", name, "")
    assert "No point or idea waits." in refusal(searched, "q9")


def test_of_two_who_withdraw_the_second_is_told_so(searched):
    name = point(searched, 7)
    withdraw(searched, "exp", name, "")
    assert f"{name} cannot be withdrawn: it was withdrawn already, at 20" in refusal(searched, name)


def test_what_was_run_is_named_with_its_run(searched):
    name, idea = point(searched, 7), enqueue(searched, "exp", None, "smaller").id
    burst(searched, "exp", 2)
    first, second = lines(searched)
    assert f"it was answered by {first.run_id}" in refusal(searched, name)
    assert f"it was heard by {second.run_id}" in refusal(searched, idea)


def test_what_was_cut_off_and_runs_again_is_not_taken_back(lab, root, tmp_path):
    cut = tmp_path / "cut"
    kill = f"if [ ! -e {cut} ]; then touch {cut}; kill -9 $PPID; fi; {LOSS_OF_X}"
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID, executor_command=kill)
    name = point(lab, 6)
    assert command(root, "burst", "exp=exp", "n=1").code == -9
    recover(lab)
    told = refusal(lab, name)
    assert f"{lines(lab)[0].run_id}, which was cut off, answers it and runs again" in told


def test_an_answer_to_a_proposal_stands(searched, root):
    assert ask(root, 1).code == 4
    name = waiting(searched).id
    approve(searched, root, "approve")
    assert "it is the answer to a proposal, which stands" in refusal(searched, name)


# what is in flight


def test_what_is_in_flight_is_said_to_be_and_a_running_burst_drops_what_is_not(lab, root, tmp_path):
    there, go_on = tmp_path / "there", tmp_path / "go-on"
    gate = f'if [ "$LAB_RUN_ITERATION" = 1 ]; then touch {there}; '
    gate += f"for i in $(seq 2000); do test -e {go_on} && break; sleep 0.01; done; fi; {LOSS_OF_X}"
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID, executor_command=gate)
    flying, waits = point(lab, 7), point(lab, 8)
    running = begin(root, "burst", "exp=exp", "n=2")
    wait_for(there)
    journal = lab.layout.experiment("exp").journal.read_bytes()
    what, remedy = refused(command(root, "enqueue", "exp=exp", f"withdraw={flying}"))
    assert f"{flying} cannot be withdrawn: it is in flight as RUN-" in what
    assert "`hermes-lab pause exp=exp`" in remedy
    assert lab.layout.experiment("exp").journal.read_bytes() == journal
    done(root, "enqueue", "exp=exp", f"withdraw={waits}")
    go_on.touch()
    assert running.end().code == 0
    assert tried(lab) == [7, 1]


def test_an_idea_that_goes_with_the_run_in_flight_is_said_to(searched):
    idea = enqueue(searched, "exp", None, "smaller").id
    with opened(searched, "exp", ATTENDED) as session:
        planned = plan(session)
        told = refusal(searched, idea)
    assert f"it went with the proposal that is in flight as {planned.manifest.run_id}" in told


@contextmanager
def first(act):
    """Let ``act`` happen once, when a plan is about to keep others from the journal."""
    held, left = Journal.held, [act]

    def late(journal):
        if left:
            left.pop()()
        return held(journal)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "held", late)
        yield


def test_a_point_that_is_withdrawn_while_its_plan_is_made_is_not_run(searched):
    name = point(searched, 7)
    with first(lambda: withdraw(searched, "exp", name, "")):
        burst(searched, "exp", 1)
    assert tried(searched) == [1]
    assert state(searched).steering.early == ()


def test_an_idea_that_is_withdrawn_while_its_proposal_is_made_leaves_the_proposal(searched):
    idea, other = (enqueue(searched, "exp", None, text).id for text in ("smaller", "larger"))
    with first(lambda: withdraw(searched, "exp", idea, "")):
        burst(searched, "exp", 1)
    (line,) = lines(searched)
    assert (line.params, line.ideas) == ({"x": 1}, (other,))
    plan_text = searched.layout.experiment("exp").run(line.run_id).plan.read_text()
    assert "larger" in plan_text
    assert "smaller" not in plan_text


def test_a_guided_session_asks_in_the_place_of_a_point_that_was_withdrawn(searched):
    name = point(searched, 7)
    with (
        first(lambda: withdraw(searched, "exp", name, "")),
        opened(searched, "exp", ATTENDED) as session,
    ):
        left = guided(session, Tally(), 2, Nobody(), on_run=lambda line: None)
    assert (left.number, left.waiting.proposal.params) == (1, {"x": 1})
    assert not lines(searched)


# crashes


def test_a_withdrawal_is_all_or_nothing_wherever_it_is_killed(copies, tmp_path):
    lab = a_lab(copies.root)
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = point(lab, 7)
    work = lambda: withdraw(reopened(copies.root), "exp", name, "")  # noqa: E731
    seen = set()
    for place in killed_everywhere(copies, work, KILLS):
        lab = reopened(copies.root)
        recover(lab)
        expect_healthy(lab)
        waits = len(state(lab).steering.points)
        burst(lab, "exp", 2)
        assert tried(lab) == ([7, 1] if waits else [1, 2]), place
        seen.add(waits)
    assert seen == {0, 1}
