"""A person answers each proposal, call by call; see `test_answers` and `test_prompt` too."""

from __future__ import annotations

import json

import pytest
from crash_harness import KILLS, run_killed
from crashed_labs import killed_everywhere, reopened
from forked import command, done
from labs import a_lab, an_experiment, burst, lines
from steered import ATTENDED, GRID, answers_in, approve, ask, status, tried, waiting

from hermes import history
from hermes.cli.answers import Nobody, read_answers
from hermes.model import Origin, Outcome, Phase
from hermes.modes.guided import guided
from hermes.modes.loop import Tally
from hermes.steps.enqueue import enqueue
from hermes.steps.opening import opened
from hermes.steps.plan import HALTED, plan
from hermes.steps.project import project
from hermes.steps.recover import recover
from hermes.steps.refresh import refresh
from hermes.steps.session import Order
from hermes.steps.verify import verify

# without a terminal


def test_each_proposal_waits_until_n_are_made_and_they_are_those_of_a_burst(lab, root, tmp_path):
    an_experiment(lab, tmp_path, "exp")
    an_experiment(lab, tmp_path, "other")
    codes = []
    while (answer := ask(root, 3)).code == 4:
        codes.append(len(lines(lab)))
        said = answer.err[answer.err.index("ERROR: ") :].splitlines()
        assert len(said) == 2
        assert f"({len(codes)} of 3) waits for an answer" in said[0]
        assert f"`hermes-lab approve exp=exp id={waiting(lab).id} decision=approve`" in said[1]
        assert "run the same command again" in said[1]
        approve(lab, root, "approve")
    assert (answer.code, codes) == (0, [0, 1, 2])
    burst(lab, "other", 3)
    assert [line.params for line in lines(lab)] == [line.params for line in lines(lab, "other")]
    assert [line.origin for line in lines(lab)] == [Origin.STRATEGY] * 3


def test_a_command_that_is_run_again_before_an_answer_asks_for_the_same(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    assert ask(root, 2).code == 4
    first, journal = waiting(lab), lab.layout.experiment("exp").journal.read_bytes()
    assert ask(root, 2).code == 4
    assert waiting(lab) == first
    assert lab.layout.experiment("exp").journal.read_bytes() == journal


def test_what_is_enqueued_is_run_without_a_question_and_counts(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    enqueue(lab, "exp", '{"x": 8}', "")
    assert ask(root, 2).code == 4
    assert tried(lab) == [8]
    enqueue(lab, "exp", '{"x": 9}', "")
    approve(lab, root, "approve")
    assert ask(root, 2).code == 0
    assert tried(lab) == [8, 9]  # the session's two; what was approved goes first in the next
    assert ask(root, 1).code == 0
    assert tried(lab) == [8, 9, 1]


def test_a_skip_is_sealed_told_to_the_strategy_and_costs_no_iteration(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID, max_iterations_total=2)
    ask(root, 3)
    approve(lab, root, "skip")
    ask(root, 3)
    assert waiting(lab).proposal.params == {"x": 2}
    approve(lab, root, "skip", "note=no")
    ask(root, 3)
    approve(lab, root, "approve")
    assert ask(root, 3).code == 0
    assert [line.outcome for line in lines(lab)] == [Outcome.SKIPPED] * 2 + [Outcome.SUCCESS]
    assert [line.trial for line in lines(lab)] == [1, 2, 3]
    state = history.read(lab, "exp").state
    assert (state.charged_count, state.failure_streak) == (1, 0)
    done(root, "burst", "exp=exp", "n=9")
    assert tried(lab) == [1, 2, 3, 4]
    assert status(root)["phase"] == "completed"


def test_ideas_go_with_the_proposal_that_was_made_after_them(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    enqueue(lab, "exp", None, "first idea")
    ask(root, 2)
    enqueue(lab, "exp", None, "second idea")
    shown = json.loads(next((root / "control" / "approvals").iterdir()).read_text())
    assert shown["ideas"] == ["first idea"]
    approve(lab, root, "approve")
    ask(root, 2)
    approve(lab, root, "approve")
    ask(root, 2)
    plans = [lab.layout.experiment("exp").run(run.run_id).plan.read_text() for run in lines(lab)]
    assert [("first idea" in text, "second idea" in text) for text in plans] == [
        (True, False),
        (False, True),
    ]


def test_another_strategy_seed_or_space_asks_anew_and_the_old_question_is_gone(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    ask(root, 1)
    seen = [waiting(lab)]
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"x": {"type": "float", "low": 0, "high": 1}}))
    for more in ("seed=7", f"search_space={other}"):
        assert ask(root, 1, more).code == 4
        seen.append(waiting(lab))
    assert len({item.id for item in seen}) == 3
    assert [path.name for path in (root / "control" / "approvals").iterdir()] == [
        f"{seen[-1].id}.json"
    ]
    gone = command(root, "approve", "exp=exp", f"id={seen[0].id}", "decision=approve")
    assert gone.code == 3
    assert "another proposal took its place" in gone.err
    edit = ("exp=exp", f"id={seen[-1].id}", "decision=edit")
    assert "from 0.0 to 1.0" in command(root, "approve", *edit, 'params={"x": 2}').err
    done(root, "approve", *edit, 'params={"x": 1}')
    assert ask(root, 1, f"search_space={other}").code == 0
    assert tried(lab) == [1.0]


def test_an_answer_names_the_command_that_makes_what_is_left_of_the_session(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    ask(root, 4)
    made = 0
    while waiting(lab) is not None:
        name = waiting(lab).id
        said = approve(lab, root, "approve").out
        assert said.endswith("Next: hermes-lab guided exp=exp n=4\n")
        again = command(root, "approve", "exp=exp", f"id={name}", "decision=skip")
        assert "`hermes-lab guided exp=exp n=4` goes on." in again.err
        command(root, *said.split("hermes-lab ")[1].split())
        made += 1
    assert (made, len(lines(lab))) == (4, 4)


def test_another_n_begins_another_session(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    ask(root, 3)
    approve(lab, root, "approve")
    assert ask(root, 3).code == 4
    approve(lab, root, "approve")
    assert ask(root, 1).code == 0
    assert len(lines(lab)) == 2
    assert history.read(lab, "exp").state.steering.session is None


def test_what_was_planned_by_others_and_never_started_is_asked_about(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    with opened(lab, "exp", ATTENDED) as session:
        plan(session)
    assert ask(root, 1).code == 4
    assert (lines(lab), lab.packages.running()) == ((), [])
    approve(lab, root, "edit", 'params={"x": 5}')
    assert ask(root, 1).code == 0
    assert tried(lab) == [5]


def test_an_experiment_without_a_strategy_is_asked_about_too(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy=None, search_space=None, executor_command="echo 3")
    assert "none proposes -" in ask(root, 1).err
    approve(lab, root, "approve")
    assert ask(root, 1).code == 0
    assert (lines(lab)[0].origin, lines(lab)[0].value) == (Origin.PLAIN, 3.0)


def test_an_agent_is_asked_once_for_a_proposal_and_the_plan_keeps_what_was_said(
    lab, root, tmp_path
):
    asks = tmp_path / "asks"
    agent = tmp_path / "agent.sh"
    agent.write_text(
        f"""echo asked >> {asks}; echo '{{"params": {{"x": 4}}, "hypothesis": "four"}}'"""
    )
    options = {"command": f"sh {agent}"}
    fields = {"strategy": "llm", "strategy_options": options, "search_space": GRID}
    an_experiment(lab, tmp_path, **fields)
    for _ in range(2):
        assert "llm proposes x=4" in ask(root, 1).err
    approve(lab, root, "approve")
    assert ask(root, 1).code == 0
    assert asks.read_text().count("asked") == 1
    (line,) = lines(lab)
    plan_text = lab.layout.experiment("exp").run(line.run_id).plan.read_text()
    assert (line.strategy, line.params) == ("llm", {"x": 4})
    assert "# Propose the parameters of trial 1" in plan_text
    assert '"hypothesis": "four"' in plan_text


def test_an_agent_that_is_at_work_when_nobody_wants_more_leaves_no_question(lab, tmp_path):
    there = tmp_path / "there"
    options = {"command": f"touch {there}; sleep 60"}
    fields = {"strategy": "llm", "strategy_options": options, "search_space": GRID}
    an_experiment(lab, tmp_path, **fields)
    order = Order(attended=True, halt=there.exists)
    with opened(lab, "exp", order) as session:
        tally = Tally()
        assert guided(session, tally, 2, Nobody(), on_run=lambda line: None) is None
    assert tally.stopped == HALTED
    assert (waiting(lab), lines(lab)) == (None, ())


def test_a_space_without_points_left_ends_the_session_with_the_reason(lab, root, tmp_path):
    an_experiment(
        lab, tmp_path, strategy="grid", search_space={"x": {"type": "int", "low": 1, "high": 1}}
    )
    answers = answers_in(tmp_path, "approve\napprove\n")
    answer = ask(root, 5, answers)
    assert answer.code == 0
    assert "It stopped before n: the search space has no point left to try." in answer.out
    assert status(root)["phase"] == "active"
    assert ask(root, 5, answers).code == 3


def test_a_strategy_that_cannot_be_made_is_told_of_and_no_session_is_begun(lab, root, tmp_path):
    an_experiment(lab, tmp_path, search_space=None)
    answer = ask(root, 1)
    assert answer.code == 3
    assert "needs a search space" in answer.err
    assert history.read(lab, "exp").state.steering.session is None
    assert history.read(lab, "exp").status().phase is Phase.QUEUED


# while a person guides


def test_nothing_runs_unattended_while_a_person_guides(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    ask(root, 2)
    for _ in range(2):
        assert done(root, "run_once").out == ""
        if waiting(lab):
            approve(lab, root, "approve")
    assert lines(lab) == ()
    assert (status(root)["phase"], status(root)["guided"]) == ("awaiting-human", True)
    ask(root, 2)
    approve(lab, root, "approve")
    assert ask(root, 2).code == 0
    assert (status(root)["phase"], status(root)["guided"]) == ("active", False)
    done(root, "run_once")
    assert len(lines(lab)) == 3


@pytest.mark.parametrize("way", ["resume", "stop"])
def test_who_lets_it_go_on_by_itself_ends_the_session(lab, root, tmp_path, way):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    ask(root, 2)
    if way == "resume":
        done(root, "resume", "exp=exp")
    else:
        approve(lab, root, "stop")
    assert waiting(lab) is None
    done(root, "run_once")
    assert tried(lab) == [1]


def test_a_pause_holds_a_session_and_resuming_it_gives_it_back(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    ask(root, 2)
    name = waiting(lab).id
    done(root, "pause", "exp=exp", "reason=lunch")
    assert "it is paused: lunch" in ask(root, 2).err
    assert done(root, "resume", "exp=exp").out == "exp is awaiting-human.\n"
    assert waiting(lab).id == name
    assert done(root, "run_once").out == ""


def test_what_waits_is_shown_with_the_command_that_answers(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    ask(root, 1)
    name = waiting(lab).id
    told = f"hermes-lab approve exp=exp id={name} decision=approve"
    shown = json.loads(done(root, "show", "exp=exp", "format=json").out)
    assert [item["id"] for item in shown["approvals"]] == [name]
    assert shown["approvals"][0]["params"] == {"x": 1}
    listed = json.loads(done(root, "status", "format=json").out)["experiments"][0]
    assert listed["approvals"] == shown["approvals"]
    pages = [root / "LAB-STATUS.md", root / "experiments" / "exp" / "NEXT.md"]
    for text in (
        *(page.read_text() for page in pages),
        *(done(root, *words).out for words in (("status",), ("show", "exp=exp"))),
        command(root, "watchdog").out,
    ):
        assert told in "".join(line.strip().removesuffix("\\") for line in text.splitlines())


def test_the_file_of_a_proposal_comes_back_and_goes_with_its_answer(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    burst(lab, "exp", 1)
    ask(root, 1)
    (path,) = (root / "control" / "approvals").iterdir()
    before = path.read_bytes()
    shown = json.loads(before)
    assert path.name == f"{shown['id']}.json"
    assert (shown["params"], shown["best"]["value"]) == ({"x": 2}, 1.0)
    assert len(shown["answer_with"]) == 4
    path.unlink()
    assert "is missing or not what the records tell" in command(root, "watchdog").out
    refresh(lab)
    assert path.read_bytes() == before
    path.write_text("{}")
    assert ask(root, 1).code == 4
    assert path.read_bytes() == before
    approve(lab, root, "approve")
    assert not path.exists()
    assert ask(root, 1).code == 0


def test_files_of_one_experiment_are_not_taken_for_those_of_another(lab, root, tmp_path):
    for name in ("e", "e-000001-deadbeef"):
        an_experiment(lab, tmp_path, name, strategy="grid", search_space=GRID)
        assert command(root, "guided", f"exp={name}", "n=1").code == 4
    names = {path.name for path in (root / "control" / "approvals").iterdir()}
    project(lab, "e")
    assert {path.name for path in (root / "control" / "approvals").iterdir()} == names
    assert len(names) == 2


# refusals


def test_one_proposal_waits_at_a_time(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    answer = ask(root, 1, "parallel=2")
    assert answer.code == 3
    assert "One proposal waits for an answer at a time; `burst` runs several" in answer.err


def test_what_is_held_back_is_refused_before_anybody_is_asked(lab, root, tmp_path):
    an_experiment(lab, tmp_path)
    done(root, "complete", "exp=exp", "reason=enough")
    answer = ask(root, 1)
    assert answer.code == 3
    assert "it is completed: enough" in answer.err
    assert waiting(lab) is None


def test_what_somebody_works_on_is_busy(lab, root, tmp_path, monkeypatch):
    monkeypatch.setattr("hermes.rules.plan.WAIT_SECONDS", 0.1)
    an_experiment(lab, tmp_path)
    lease = lab.leases.acquire("exp")
    assert ask(root, 1).code == 5
    lab.leases.release(lease)


def test_a_session_in_which_all_runs_failed_exits_one(lab, root, tmp_path):
    an_experiment(lab, tmp_path, executor_command="exit 3")
    answers = answers_in(tmp_path, "skip\napprove\n")
    assert ask(root, 2, answers).code == 1
    assert [line.outcome for line in lines(lab)] == [Outcome.SKIPPED, Outcome.FAILED]


def test_nobody_is_asked_where_nobody_is(lab, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    with opened(lab, "exp", ATTENDED) as session:
        left = guided(session, Tally(), 2, Nobody(), on_run=lambda line: None)
    assert (left.number, left.runs, left.decisions) == (1, 2, 0)
    assert history.read(lab, "exp").status().phase is Phase.AWAITING_HUMAN


# crashes


def check_crashes(copies, tmp_path, every):
    lab = a_lab(copies.root)
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    enqueue(lab, "exp", '{"x": 9}', "")
    path = tmp_path / "answers"
    path.write_text('approve\n{"decision": "edit", "params": {"x": 7}}\nskip\n')

    def work():
        reopened_lab = reopened(copies.root)
        with opened(reopened_lab, "exp", ATTENDED) as session:
            guided(session, Tally(), 4, read_answers(path), on_run=lambda line: None)

    expected = [(1, 9, "success"), (2, 1, "success"), (3, 7, "success"), (4, 2, "skipped")]
    for point in killed_everywhere(copies, work, KILLS, every=every):
        if not is_over(copies.root):
            again = run_killed(work, 0)
            assert not again.error, (point, again.error)
        lab = reopened(copies.root)
        assert told(lab) == expected, point
        assert is_over(copies.root), point
        recover(lab)
        assert verify(lab).problems == (), point
        assert list((copies.root / "control" / "approvals").iterdir()) == [], point


def is_over(root):
    """Say whether the session was made, and ended before a kill: the same command begins anew."""
    lab = reopened(root)
    return bool(lines(lab)) and history.read(lab, "exp").state.steering.session is None


def told(lab):
    return [
        (line.trial, line.params["x"], line.outcome.value)
        for line in lines(lab)
        if not line.outcome.is_retried
    ]


def test_a_guided_session_that_is_killed_goes_on_where_it_was(copies, tmp_path):
    check_crashes(copies, tmp_path, every=35)


@pytest.mark.slow
def test_a_guided_session_is_killed_at_many_more_operations(copies, tmp_path):
    check_crashes(copies, tmp_path, every=2)


def test_a_skip_that_was_planned_is_never_run_whoever_takes_it_up(lab, root, tmp_path):
    ran = tmp_path / "ran"
    an_experiment(
        lab, tmp_path, strategy="grid", search_space=GRID, executor_command=f"touch {ran}; echo 1"
    )
    ask(root, 1)
    approve(lab, root, "skip")
    with opened(lab, "exp", ATTENDED) as session:
        plan(session)
    done(root, "resume", "exp=exp")
    done(root, "run_once", "max_runs=1")
    assert [line.outcome for line in lines(lab)] == [Outcome.SKIPPED]
    assert not ran.exists()
