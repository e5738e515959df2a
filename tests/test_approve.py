"""Answers to a proposal that waits: from any process, once, checked, and never lost."""

from __future__ import annotations

import json

import pytest
from crash_harness import KILLS
from crashed_labs import killed_everywhere, reopened
from forked import begin, command, done
from labs import LOSS_OF_X, a_lab, an_experiment, burst, lines
from steered import GRID, refused, wait_for

from hermes import history
from hermes.decisions import Decision
from hermes.errors import RequestError
from hermes.model import Origin, Outcome
from hermes.steps.approving import Reply, answer
from hermes.steps.recover import recover
from hermes.steps.verify import verify


def asked(lab, root, n=1):
    """Let ``guided`` ask, and return the id of what waits."""
    answer = command(root, "guided", "exp=exp", f"n={n}")
    assert answer.code == 4, answer
    return history.read(lab, "exp").state.waiting.id


def approve(root, name, decision, *more):
    return command(root, "approve", "exp=exp", f"id={name}", f"decision={decision}", *more)


def state(lab):
    return history.read(lab, "exp").state


# the four answers


def test_an_approved_proposal_is_run_as_the_strategys_own(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root)
    assert approve(root, name, "approve", "note=why not").code == 0
    assert command(root, "guided", "exp=exp", "n=1").code == 0
    (line,) = lines(lab)
    assert (line.params, line.strategy, line.origin) == ({"x": 1}, "grid", Origin.STRATEGY)
    assert line.request == name
    assert lab.bundles.read("exp", line.run_id).manifest.note.endswith("; approved: why not")


def test_an_edited_proposal_is_a_persons_point_and_says_what_was_changed(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root)
    assert approve(root, name, "edit", 'params={"x": 4}').code == 0
    assert command(root, "guided", "exp=exp", "n=1").code == 0
    (line,) = lines(lab)
    assert (line.params, line.strategy, line.origin) == ({"x": 4}, "human", Origin.HUMAN)
    note = lab.bundles.read("exp", line.run_id).manifest.note
    assert note == "edited from what grid proposed: x 1 → 4"


def test_a_skipped_proposal_is_a_sealed_run_that_ran_nothing(lab, root, tmp_path):
    ran = tmp_path / "ran"
    an_experiment(
        lab, tmp_path, strategy="grid", search_space=GRID, executor_command=f"touch {ran}; echo 1"
    )
    name = asked(lab, root)
    assert approve(root, name, "skip", "note=too slow").code == 0
    assert command(root, "guided", "exp=exp", "n=1").code == 0
    (line,) = lines(lab)
    assert (line.outcome, line.value, line.request) == (Outcome.SKIPPED, None, name)
    assert line.reason == "a person passed it over: too slow"
    assert not ran.exists()
    bundle = lab.layout.experiment("exp").run(line.run_id)
    assert "Nothing is run: a person passed it over: too slow." in bundle.plan.read_text()
    assert verify(lab).problems == ()


def test_a_stop_ends_the_session_and_runs_nothing(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root, n=3)
    assert approve(root, name, "stop").code == 0
    answer = command(root, "guided", "exp=exp", "n=3")
    assert (answer.code, lines(lab)) == (0, ())
    assert "a person stopped it" in answer.out
    assert asked(lab, root, n=3) == name  # another session asks for the same


# refusals


def test_what_cannot_be_an_answer_is_refused_and_the_proposal_still_waits(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root)
    assert "needs params=" in refused(approve(root, name, "edit"))[0]
    assert "takes no params=" in refused(approve(root, name, "skip", 'params={"x": 1}'))[0]
    what, remedy = refused(approve(root, name, "edit", 'params={"x": 99}'))
    assert "x: 99 is not a whole number from 1 to 9" in what
    assert "params='{\"x\":1}'" in remedy
    assert "Did you mean 'skip'?" in refused(approve(root, name, "skp"))[1]
    near = f"{name[:-1]}x"
    assert f"Did you mean '{name}'?" in refused(approve(root, near, "skip"))[1]
    assert "4001 characters" in refused(approve(root, name, "skip", f"note={'x' * 4001}"))[0]
    assert state(lab).waiting.id == name


def test_where_nothing_waits_approve_says_what_goes_on(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    what, remedy = refused(approve(root, "exp-000001-12345678", "approve"))
    assert what == "No proposal is called 'exp-000001-12345678'."
    assert remedy == "`hermes-lab guided exp=exp` goes on."


def test_a_proposal_whose_trial_was_made_by_others_is_void(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root)
    done(root, "burst", "exp=exp", "n=1")
    what, remedy = refused(approve(root, name, "approve"))
    assert "does not wait for an answer: other runs were made since" in what
    assert "`hermes-lab guided exp=exp n=1`" in remedy
    assert json.loads(done(root, "show", "exp=exp", "format=json").out)["approvals"] == []


# several processes


def test_of_two_answers_at_once_the_first_counts_and_the_second_is_told_so(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root)
    decisions = ["approve", "skip", "approve", "skip"]
    words = ["approve", "exp=exp", f"id={name}"]
    running = [begin(root, *words, f"decision={decision}") for decision in decisions]
    answers = [one.end() for one in running]
    codes = [each.code for each in answers]
    assert sorted(codes) == [0, 3, 3, 3]
    winner = decisions[codes.index(0)]
    for loser in (each for each in answers if each.code):
        assert "does not wait for an answer: it was " in refused(loser)[0]
    written = [record for record in lab.journal("exp").read().records if record.decision]
    assert [record.decision.value for record in written] == [winner]
    assert command(root, "guided", "exp=exp", "n=1").code == 0
    assert lines(lab)[0].outcome is (Outcome.SKIPPED if winner == "skip" else Outcome.SUCCESS)


def test_an_answer_is_taken_up_by_whoever_runs_next(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, root)
    approve(root, name, "edit", 'params={"x": 7}')
    done(root, "burst", "exp=exp", "n=2")
    assert [line.params["x"] for line in lines(lab)] == [7, 1]
    assert command(root, "guided", "exp=exp", "n=1").code == 0  # its one run is made
    assert len(lines(lab)) == 2


def test_a_proposal_whose_trial_is_being_made_cannot_be_approved(lab, root, tmp_path):
    there, go_on = tmp_path / "there", tmp_path / "go-on"
    gate = f"touch {there}; for i in $(seq 2000); do test -e {go_on} && break; sleep 0.01; done"
    an_experiment(
        lab, tmp_path, strategy="grid", search_space=GRID, executor_command=f"{gate}; {LOSS_OF_X}"
    )
    name = asked(lab, root)
    running = begin(root, "burst", "exp=exp", "n=2")
    wait_for(there)
    assert "other runs were made since" in refused(approve(root, name, "approve"))[0]
    go_on.touch()
    assert running.end().code == 0
    assert [line.params["x"] for line in lines(lab)] == [1, 2]


# crashes


def test_an_answer_is_all_or_nothing_wherever_it_is_killed(copies, tmp_path):
    lab = a_lab(copies.root)
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    name = asked(lab, copies.root)
    reply = Reply(Decision.EDIT, '{"x": 7}', "seven")
    work = lambda: answer(reopened(copies.root), "exp", name, reply)  # noqa: E731
    seen = set()
    for point in killed_everywhere(copies, work, KILLS):
        lab = reopened(copies.root)
        recover(lab)
        assert verify(lab).problems == ()
        waits = state(lab).waiting is not None
        if waits:
            answer(lab, "exp", name, reply)
        with pytest.raises(RequestError, match="it was edited at"):
            answer(lab, "exp", name, reply)
        burst(lab, "exp", 2)
        assert [line.params["x"] for line in lines(lab)] == [7, 1], point
        seen.add(waits)
    assert seen == {True, False}
