"""A person's points and ideas: first in line, once each, wherever the work is cut off."""

from __future__ import annotations

import json

import pytest
from crash_harness import KILLS
from crashed_labs import expect_healthy, killed_everywhere, reopened
from forked import begin, command, done
from labs import LOSS_OF_X, a_lab, an_experiment, burst, lines
from steered import ATTENDED, GRID, refused, tried, wait_for

from hermes import history
from hermes.errors import RequestError
from hermes.model import Origin, Outcome
from hermes.steps import enqueue as step
from hermes.steps.enqueue import enqueue
from hermes.steps.execute import execute
from hermes.steps.opening import opened
from hermes.steps.plan import plan
from hermes.steps.recover import recover


def by_people(lab):
    return [line.params["x"] for line in lines(lab) if line.origin is Origin.HUMAN]


# points


def test_a_point_goes_first_and_is_marked_as_a_persons_in_the_record(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    answer = done(root, "enqueue", "exp=exp", 'params={"x": 7}', "note=seven is lucky")
    name = answer.out.split("Enqueued as ")[1].split(":")[0]
    assert "x=7" in answer.out
    burst(lab, "exp", 3)
    assert tried(lab) == [7, 1, 2]
    first = lines(lab)[0]
    assert (first.origin, first.strategy, first.request) == (Origin.HUMAN, "human", name)
    manifest, metrics, _ = lab.bundles.read("exp", first.run_id)
    assert (manifest.origin, manifest.request) == (Origin.HUMAN, name)
    assert (manifest.note, metrics.params) == ("seven is lucky", {"x": 7})
    plan_text = lab.layout.experiment("exp").run(first.run_id).plan.read_text()
    assert "A person asked for it." in plan_text
    assert "seven is lucky" in plan_text
    assert done(root, "show", "exp=exp", f"run={first.run_id}").out.count(name) == 1


def test_a_point_is_tried_once_for_each_time_that_it_is_asked_for(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    burst(lab, "exp", 2)
    for _ in range(2):
        done(root, "enqueue", "exp=exp", 'params={"x": 1}')
    burst(lab, "exp", 4)
    assert tried(lab) == [1, 2, 1, 1, 3, 4]
    assert by_people(lab) == [1, 1]


def test_a_persons_point_is_not_proposed_again(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    done(root, "enqueue", "exp=exp", 'params={"x": 2}')
    burst(lab, "exp", 3)
    assert tried(lab) == [2, 1, 3]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ('{"x": 10}', "x: 10 is not a whole number from 1 to 9"),
        ('{"x": 1, "y": 2}', "y: no such parameter"),
        ("{}", "not an object"),
        ("x=1", "is not JSON"),
    ],
)
def test_a_point_that_is_none_is_refused_and_nothing_is_written(lab, root, tmp_path, params, told):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    journal = lab.layout.experiment("exp").journal.read_bytes()
    what, remedy = refused(command(root, "enqueue", "exp=exp", f"params={params}"))
    assert told in what
    assert 'params=\'{"x":' in remedy
    assert lab.layout.experiment("exp").journal.read_bytes() == journal


def test_enqueue_wants_a_point_or_an_idea_of_an_experiment_that_exists(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    assert "needs params= or note=" in refused(command(root, "enqueue", "exp=exp"))[0]
    assert "Did you mean 'exp'?" in refused(command(root, "enqueue", "exp=exq", "note=a"))[1]
    assert (
        "4001 characters" in refused(command(root, "enqueue", "exp=exp", f"note={'x' * 4001}"))[0]
    )


def test_without_a_space_a_point_is_any_flat_object(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy=None, search_space=None)
    assert "x: [1] is not" in refused(command(root, "enqueue", "exp=exp", 'params={"x": [1]}'))[0]
    done(root, "enqueue", "exp=exp", 'params={"x": 2.5, "name": "a b"}')
    burst(lab, "exp", 1)
    assert (lines(lab)[0].params, lines(lab)[0].value) == ({"x": 2.5, "name": "a b"}, 2.5)


def test_parameters_that_cannot_reach_the_command_are_refused_at_once(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy=None, search_space=None, executor_command="echo {rate}")
    answer = command(root, "enqueue", "exp=exp", 'params={"rates": 2}')
    assert "did you mean {rates}?" in refused(answer)[0]


def test_a_point_is_taken_from_paused_too_and_tried_when_that_goes_on(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    done(root, "pause", "exp=exp", "reason=lunch")
    answer = done(root, "enqueue", "exp=exp", 'params={"x": 5}')
    assert "exp is paused" in answer.out
    assert "`hermes-lab resume exp=exp`" in answer.out
    done(root, "resume", "exp=exp")
    done(root, "run_once")
    assert tried(lab) == [5]


def test_a_running_burst_takes_a_point_up_at_its_next_iteration(lab, root, tmp_path):
    there, go_on = tmp_path / "there", tmp_path / "go-on"
    gate = f'if [ "$LAB_RUN_ITERATION" = 2 ]; then touch {there}; '
    gate += f"for i in $(seq 2000); do test -e {go_on} && break; sleep 0.01; done; fi; {LOSS_OF_X}"
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID, executor_command=gate)
    running = begin(root, "burst", "exp=exp", "n=4")
    wait_for(there)
    answer = done(root, "enqueue", "exp=exp", 'params={"x": 9}')
    assert "takes it up before its next iteration" in answer.out
    go_on.touch()
    assert running.end().code == 0
    assert tried(lab) == [1, 2, 9, 3]


def test_points_are_in_flight_side_by_side_and_none_twice(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    for x in (9, 8, 7):
        done(root, "enqueue", "exp=exp", f'params={{"x": {x}}}')
    done(root, "burst", "exp=exp", "n=6", "parallel=3")
    assert sorted(tried(lab)) == [1, 2, 3, 7, 8, 9]
    assert sorted(by_people(lab)) == [7, 8, 9]


def test_what_many_ask_for_at_once_is_all_there_and_each_has_its_own_id(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    running = [begin(root, "enqueue", "exp=exp", f'params={{"x": {1 + n}}}') for n in range(5)]
    answers = [one.end() for one in running]
    assert {answer.code for answer in answers} == {0}
    wanted = history.read(lab, "exp").state.steering.points
    assert len({item.id for item in wanted}) == 5
    burst(lab, "exp", 5)
    assert sorted(by_people(lab)) == [1, 2, 3, 4, 5]


def test_a_queue_that_is_full_refuses_more(lab, root, tmp_path, monkeypatch):
    monkeypatch.setattr(step, "MOST_REQUESTS", 2)
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    enqueue(lab, "exp", '{"x": 1}', "")
    enqueue(lab, "exp", None, "an idea counts too")
    with pytest.raises(RequestError, match="2 requests of exp wait already"):
        enqueue(lab, "exp", '{"x": 2}', "")
    burst(lab, "exp", 1)
    assert enqueue(lab, "exp", '{"x": 2}', "").before == 1


# ideas


def test_an_idea_goes_with_the_next_proposal_and_no_other(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    done(root, "enqueue", "exp=exp", "note=what about *small* steps?")
    done(root, "enqueue", "exp=exp", 'params={"x": 4}')
    folder = lab.layout.experiment("exp").folder
    for page in ("NEXT.md", "context.md"):
        assert r"what about \*small\* steps?" in (folder / page).read_text(), page
    burst(lab, "exp", 3)
    assert [(line.params["x"], len(line.ideas)) for line in lines(lab)] == [(4, 0), (1, 1), (2, 0)]
    told = [
        r"what about \*small\* steps?"
        in lab.layout.experiment("exp").run(run.run_id).plan.read_text()
        for run in lines(lab)
    ]
    assert told == [False, True, False]
    assert "small" not in (folder / "NEXT.md").read_text()
    assert "small" in (folder / "context.md").read_text()  # a note stays a note


# what is cut off


def test_what_was_asked_for_goes_before_the_strategy_and_after_what_was_cut_off(
    lab, root, tmp_path
):
    cut = tmp_path / "cut"
    kill = f"if [ ! -e {cut} ]; then touch {cut}; kill -9 $PPID; fi; {LOSS_OF_X}"
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID, executor_command=kill)
    assert command(root, "burst", "exp=exp", "n=1").code == -9
    done(root, "enqueue", "exp=exp", 'params={"x": 6}')
    burst(lab, "exp", 3)
    assert [line.params["x"] for line in lines(lab)] == [1, 1, 6, 2]
    assert [line.origin.value for line in lines(lab)] == ["strategy", "retry", "human", "strategy"]


def test_a_persons_point_that_was_cut_off_stays_that_persons(lab, root, tmp_path):
    cut = tmp_path / "cut"
    kill = f"if [ ! -e {cut} ]; then touch {cut}; kill -9 $PPID; fi; {LOSS_OF_X}"
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID, executor_command=kill)
    request = enqueue(lab, "exp", '{"x": 6}', "")
    assert command(root, "burst", "exp=exp", "n=2").code == -9
    burst(lab, "exp", 2)
    first, again, own = lines(lab)
    assert (first.outcome, again.outcome) == (Outcome.INTERRUPTED, Outcome.SUCCESS)
    assert first.origin is again.origin is Origin.HUMAN
    assert first.request == again.request == request.id
    assert (again.trial, again.parent_run) == (first.trial, first.run_id)
    assert (again.strategy, own.origin) == ("human", Origin.STRATEGY)


def test_a_point_that_was_planned_and_never_started_is_not_planned_again(lab, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    enqueue(lab, "exp", '{"x": 6}', "")
    with opened(lab, "exp", ATTENDED) as session:
        plan(session)
    burst(lab, "exp", 2)
    assert tried(lab) == [6, 1]


def test_a_run_that_has_ended_and_was_not_sealed_still_answers_its_request(lab, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    enqueue(lab, "exp", '{"x": 6}', "")
    with opened(lab, "exp", ATTENDED) as session:
        execute(session, plan(session))
    burst(lab, "exp", 1)
    assert tried(lab) == [6, 1]
    assert by_people(lab) == [6]


def check_burst(copies, tmp_path, every):
    lab = a_lab(copies.root)
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    for params in ('{"x": 7}', '{"x": 7}'):
        enqueue(lab, "exp", params, "")
    work = lambda: burst(reopened(copies.root), "exp", 3)  # noqa: E731
    for point in killed_everywhere(copies, work, KILLS, every=every):
        lab = reopened(copies.root)
        recover(lab)
        expect_healthy(lab)
        burst(lab, "exp", 3 - len(tried(lab)))
        assert tried(lab) == [7, 7, 1], point
        named = [line.request for line in lines(lab) if not line.outcome.is_retried]
        assert named[0] != named[1], point
        assert named[2] is None, point
        expect_healthy(lab)


def test_a_point_is_tried_once_wherever_a_burst_is_killed(copies, tmp_path):
    check_burst(copies, tmp_path, every=11)


@pytest.mark.slow
def test_a_point_is_tried_once_when_a_burst_is_killed_at_many_more_operations(copies, tmp_path):
    check_burst(copies, tmp_path, every=2)


def test_enqueue_is_all_or_nothing_wherever_it_is_killed(copies, tmp_path):
    lab = a_lab(copies.root)
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    work = lambda: enqueue(reopened(copies.root), "exp", '{"x": 7}', "")  # noqa: E731
    seen = set()
    for point in killed_everywhere(copies, work, KILLS):
        lab = reopened(copies.root)
        recover(lab)
        expect_healthy(lab)
        waiting = len(history.read(lab, "exp").state.steering.points)
        burst(lab, "exp", 2)
        assert tried(lab) == ([7, 1] if waiting else [1, 2]), point
        seen.add(waiting)
    assert seen == {0, 1}


def test_a_request_of_a_journal_that_was_cut_is_not_taken_for_another(lab, tmp_path):
    """A run names what is lost; what is asked for afterwards has another id, and is tried."""
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    journal = lab.layout.experiment("exp").journal
    before = journal.read_bytes()
    enqueue(lab, "exp", '{"x": 7}', "")
    burst(lab, "exp", 1)
    journal.write_bytes(before)
    enqueue(lab, "exp", '{"x": 8}', "")
    burst(lab, "exp", 1)
    assert tried(lab) == [7, 8]


def test_status_and_show_count_what_people_asked_for(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    done(root, "enqueue", "exp=exp", 'params={"x": 7}')
    done(root, "enqueue", "exp=exp", "note=an idea")
    assert json.loads(done(root, "show", "exp=exp", "format=json").out)["requests"] == 2
    assert "1 point and 1 idea of people, tried first" in done(root, "show", "exp=exp").out
    burst(lab, "exp", 2)
    assert json.loads(done(root, "show", "exp=exp", "format=json").out)["requests"] == 0
