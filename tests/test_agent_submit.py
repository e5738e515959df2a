"""What an agent sends is taken whole, measured once, and never lost; refusals lose nothing."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import datetime

import pytest
from agent_cases import VALUE, a_lab_with_a_loop, a_loop, ask, measure, sent, submit, turn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs import burst, lines

from hermes.clock import UTC, FixedClock
from hermes.errors import AgentError
from hermes.model import Origin, Outcome, Phase
from hermes.modes.loop import Tally
from hermes.modes.submitting import submitted
from hermes.steps import agent_submit
from hermes.steps.agent_submit import read_file, receive
from hermes.steps.lifecycle import set_phase
from hermes.steps.opening import opened
from hermes.steps.plan import plan
from hermes.steps.session import Order
from hermes.steps.verify import verify
from hermes.steps.watchdog import watchdog


@pytest.fixture
def clock():
    return FixedClock(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))


@pytest.fixture
def lab(tmp_path, clock):
    return a_lab_with_a_loop(tmp_path / "lab", tmp_path, clock, time_budget_minutes=10)


@pytest.fixture
def item(lab):
    return ask(lab, "ada").item.dispatch_id


def refusal(lab, data: bytes, worker: str = "ada") -> AgentError:
    with pytest.raises(AgentError) as refused:
        receive(lab, data, worker)
    assert refused.value.message
    assert refused.value.remedy
    return refused.value


def agents_runs(lab):
    return [line for line in lines(lab) if line.origin is Origin.AGENT]


def aside(lab):
    return sorted(path for path in lab.layout.complete.iterdir())


# Measured


def test_a_change_is_measured_judged_and_becomes_the_incumbent(lab, item):
    line = submit(lab, sent(item, 7, hypothesis="smaller is smaller", reasoning="it said so"))
    assert (line.outcome, line.accepted, line.value) == (Outcome.SUCCESS, True, 7.0)
    assert (line.request, line.strategy, line.role) == (item, "agent", "worker")
    assert line.code.hypothesis == "smaller is smaller"
    baseline = lines(lab)[0]
    assert line.code.compared_with == baseline.run_id
    assert lab.items.held() == []
    plan = lab.layout.experiment("exp").run(line.run_id).plan.read_text()
    assert "it said so" in plan
    assert verify(lab).problems == ()


def test_a_change_that_is_no_better_is_rejected_with_the_reason(lab, item):
    line = submit(lab, sent(item, 12))
    assert (line.outcome, line.accepted, line.value) == (Outcome.REJECTED, False, None)
    assert line.code.measured == 12.0
    assert line.reason
    assert lab.items.held() == []


def test_a_change_that_changes_nothing_is_no_op(lab, item):
    assert submit(lab, sent(item, 10)).outcome is Outcome.NO_OP


def test_a_change_that_breaks_the_code_fails_and_has_no_value(lab, item):
    line = submit(lab, sent(item, None))
    assert (line.outcome, line.value) == (Outcome.FAILED, None)
    assert lab.items.held() == []


def test_the_same_item_sent_twice_is_measured_once(lab, item):
    first = submit(lab, sent(item, 7))
    assert submit(lab, sent(item, 7)) == first
    assert submit(lab, sent(item, 3)) == first, "also when another change is sent for it"
    assert len(agents_runs(lab)) == 1


def test_what_was_taken_and_not_measured_yet_can_be_sent_again(lab, item):
    assert receive(lab, sent(item, 7), "ada").measured is None
    assert receive(lab, sent(item, 7), "ada").measured is None
    assert measure(lab, item).value == 7.0


@pytest.mark.parametrize("call", [1, 2])
def test_what_is_measured_and_put_by_while_it_is_sent_again_is_told(lab, item, monkeypatch, call):
    receive(lab, sent(item, 7), "ada")
    whole, calls = agent_submit._open_item, []

    def meanwhile(*args):
        calls.append(args)
        if len(calls) == call:
            monkeypatch.setattr(lab.items, "lock", lambda experiment: nullcontext())
            measure(lab, item)
        return whole(*args)

    monkeypatch.setattr(agent_submit, "_open_item", meanwhile)
    assert receive(lab, sent(item, 7), "ada").measured.value == 7.0
    assert aside(lab) == []


def test_another_change_for_an_item_that_waits_is_refused_and_the_first_one_measured(lab, item):
    receive(lab, sent(item, 7), "ada")
    assert refusal(lab, sent(item, 6)).code == "answered"
    assert measure(lab, item).value == 7.0


def test_an_executable_file_stays_one(lab, tmp_path):
    run = tmp_path / "workspace" / "src" / "run.sh"
    run.write_text("#!/bin/sh\necho 9\n")
    run.chmod(0o755)
    (tmp_path / "workspace" / "bench.sh").write_text("src/run.sh\n")
    item = ask(lab).item.dispatch_id
    changes = {"src/run.sh": "#!/bin/sh\necho 4\n"}
    line = submit(lab, json.dumps({"dispatch_id": item, "changes": changes}).encode())
    assert line.value == 4.0


def test_iterations_go_on_from_the_incumbent(lab):
    values = [turn(lab, value).value for value in (9, 8, 7)]
    assert values == [9.0, 8.0, 7.0]
    assert [line.accepted for line in lines(lab)] == [True] * 4


def test_a_change_made_against_an_older_incumbent_is_judged_against_the_new_one(lab):
    bobs = ask(lab, "bob").item.dispatch_id
    won = turn(lab, 7, "ada")
    line = submit(lab, sent(bobs, 8), "bob")
    assert (line.outcome, line.code.compared_with) == (Outcome.REJECTED, won.run_id)
    again = ask(lab, "bob").item.dispatch_id
    assert submit(lab, sent(again, 6), "bob").accepted


def test_a_change_made_against_an_older_incumbent_keeps_what_it_was_made_from(lab, tmp_path):
    (tmp_path / "workspace" / "src" / "b.txt").write_text("old\n")
    bobs = ask(lab, "bob").item.dispatch_id
    ada = ask(lab, "ada").item.dispatch_id
    changes = {VALUE: "7\n", "src/b.txt": "new\n"}
    submit(lab, json.dumps({"dispatch_id": ada, "changes": changes}).encode(), "ada")
    assert submit(lab, sent(bobs, 5), "bob").accepted
    assert ask(lab, "cyd").shown.tree["src/b.txt"].data == b"old\n"


def test_an_evaluator_that_was_changed_is_measured_first_and_then_what_was_sent(lab, tmp_path):
    turn(lab, 7)
    item = ask(lab).item.dispatch_id
    (tmp_path / "workspace" / "bench.sh").write_text("# another\ncat src/value.txt\n")
    line = submit(lab, sent(item, 5))
    assert (line.request, line.value, line.accepted) == (item, 5.0, True)
    before = lines(lab)[-2]
    assert (before.value, before.code.compared_with) == (7.0, None)
    assert lab.items.held() == []


def test_only_what_was_ordered_is_measured(lab):
    first, second = ask(lab, "ada").item.dispatch_id, ask(lab, "bob").item.dispatch_id
    receive(lab, sent(first, 7), "ada")
    assert submit(lab, sent(second, 6), "bob").request == second
    assert [line.request for line in agents_runs(lab)] == [second]
    assert measure(lab, first).request == first


def test_a_plan_for_one_answer_is_not_in_the_way_of_another(lab):
    first, second = ask(lab, "ada").item.dispatch_id, ask(lab, "bob").item.dispatch_id
    receive(lab, sent(first, 5), "ada")
    receive(lab, sent(second, 6), "bob")
    burst(lab, "exp", 1)  # the baseline
    with opened(lab, "exp", Order(attended=True, item=first)) as session:
        assert plan(session).manifest.request == first  # and killed before it is started
    assert measure(lab, second).value == 6.0
    assert measure(lab, first).value == 5.0
    runs = lines(lab)
    assert len({run.iteration for run in runs}) == len({run.trial for run in runs}) == 3


def test_an_experiment_that_was_paused_meanwhile_keeps_what_was_sent(lab, item):
    receive(lab, sent(item, 7), "ada")
    set_phase(lab, "exp", Phase.PAUSED, "wait")
    tally = Tally()
    with opened(lab, "exp", Order(attended=True, item=item)) as session:
        assert submitted(session, tally, on_run=lambda line: None) is None
    assert "paused" in tally.stopped
    set_phase(lab, "exp", Phase.ACTIVE, "go on")
    assert measure(lab, item).value == 7.0


def test_a_baseline_that_fails_keeps_what_was_sent(lab, item, tmp_path):
    bench = tmp_path / "workspace" / "bench.sh"
    bench.write_text("exit 3\n")
    receive(lab, sent(item, 7), "ada")
    assert measure(lab, item) is None
    assert [line.outcome for line in lines(lab)] == [Outcome.FAILED]
    bench.write_text("cat src/value.txt\n")
    assert measure(lab, item).value == 7.0


def test_a_run_that_was_cut_off_is_measured_again_as_the_agents(lab, item, monkeypatch):
    from hermes.executing.code_run import CodeRun

    receive(lab, sent(item, 7), "ada")
    burst(lab, "exp", 1)  # the baseline
    whole, calls = CodeRun.execute, []

    def failing(self):
        calls.append(self)
        if len(calls) == 1:
            raise OSError("the disk went away")
        return whole(self)

    monkeypatch.setattr(CodeRun, "execute", failing)
    line = measure(lab, item)
    assert (line.origin, line.request, line.value) == (Origin.AGENT, item, 7.0)
    assert [run.outcome for run in agents_runs(lab)] == [Outcome.INFRA, Outcome.SUCCESS]
    assert line.parent_run == agents_runs(lab)[0].run_id


def test_what_the_lab_fails_at_again_and_again_is_set_aside(lab, item, monkeypatch):
    from hermes.executing.code_run import CodeRun

    receive(lab, sent(item, 7), "ada")
    burst(lab, "exp", 1)

    def failing(self):
        raise OSError("no")

    whole = CodeRun.execute
    monkeypatch.setattr(CodeRun, "execute", failing)
    assert measure(lab, item) is None
    monkeypatch.setattr(CodeRun, "execute", whole)
    [kept] = aside(lab)
    assert "failed to measure it" in (kept / "reason.txt").read_text()
    assert json.loads((kept / "submission.json").read_text())["changes"] == {VALUE: "7\n"}
    assert turn(lab, 6, "bob").accepted


def test_what_another_spec_does_not_allow_any_more_is_set_aside(lab, item):
    receive(lab, sent(item, 7), "ada")
    spec = lab.layout.experiment("exp").spec
    spec.write_text(spec.read_text().replace("src/**", "src/other/**"))
    assert measure(lab, item) is None
    [kept] = aside(lab)
    assert "not matched by mutable_paths" in (kept / "reason.txt").read_text()


def test_what_was_made_from_a_lost_bundle_is_set_aside(lab):
    won = turn(lab, 7)
    item = ask(lab).item.dispatch_id
    receive(lab, sent(item, 6), "ada")
    record = lab.layout.experiment("exp").run(won.run_id).candidate_record
    record.parent.chmod(0o755)
    record.unlink()
    assert measure(lab, item) is None
    assert "candidate.json" in (aside(lab)[0] / "reason.txt").read_text()


# Refused


def test_a_file_that_is_not_json_leaves_the_item_as_it_was(lab, item):
    assert refusal(lab, b"{").code == "malformed"
    assert submit(lab, sent(item, 7)).accepted


@pytest.mark.parametrize(
    "wrong",
    ["", "exp", "exp-item-ffffffff", "no-item-00000000", "../exp-item-00000000", "exp-000001"],
)
def test_a_wrong_id_is_told(lab, item, wrong):
    assert refusal(lab, sent(wrong, 7)).code in ("unknown-item", "malformed")
    assert aside(lab) == []
    assert lab.items.read(item).submission is None


def test_the_item_of_another_worker_is_refused_and_stays_that_workers(lab, item):
    assert refusal(lab, sent(item, 7), "bob").code == "not-yours"
    assert submit(lab, sent(item, 7), "ada").accepted


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../x", "src/../bench.sh", "bench.sh", "src/kept/tool.sh", ".git/config"),
        *("src/link/x", "src/link", "src/kept", "src//x", "", f"{VALUE}/x"),
    ],
)
def test_a_path_outside_the_surface_is_refused_and_the_item_stays(lab, item, path):
    data = json.dumps({"dispatch_id": item, "changes": {path: "1\n"}}).encode()
    assert refusal(lab, data).code == "outside"
    assert lab.items.read(item).submission is None
    assert submit(lab, sent(item, 7)).accepted


def test_a_file_of_the_incumbent_is_there_to_be_deleted(lab):
    first = ask(lab).item.dispatch_id
    changes = {"src/new/a.txt": "x\n", VALUE: "8\n"}
    assert submit(lab, json.dumps({"dispatch_id": first, "changes": changes}).encode()).accepted
    second = ask(lab).item.dispatch_id
    changes = {"src/new/a.txt": None, VALUE: "7\n"}
    assert submit(lab, json.dumps({"dispatch_id": second, "changes": changes}).encode()).accepted


def test_what_comes_too_late_is_kept_and_not_measured(lab, item, clock):
    clock.advance(11 * 60)
    error = refusal(lab, sent(item, 7))
    assert error.code == "late"
    [kept] = aside(lab)
    assert str(kept) in error.message
    assert json.loads((kept / "submission.json").read_text())["changes"] == {VALUE: "7\n"}
    assert "deadline" in (kept / "reason.txt").read_text()
    assert lab.items.held() == []
    assert watchdog(lab) == []
    assert refusal(lab, sent(item, 7)).code == "late"
    assert aside(lab) == [kept], "the same content is kept once"


def test_what_comes_after_the_item_was_cleared_is_late_too(lab, item, clock):
    clock.advance(11 * 60)
    ask(lab, "bob")
    assert refusal(lab, sent(item, 7)).code == "late"
    assert len(aside(lab)) == 1


def test_what_was_taken_in_time_is_measured_after_the_deadline(lab, item, clock):
    receive(lab, sent(item, 7), "ada")
    clock.advance(60 * 60)
    ask(lab, "bob")
    assert submit(lab, sent(item, 7)).value == 7.0


def test_a_file_that_is_not_there_is_told(tmp_path):
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(AgentError) as refused:
            read_file(path)
        assert refused.value.code == "no-file"


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.sampled_from([VALUE, "src/a", "../a", "/a", "src/link/a", "bench.sh", ""]) | st.text(),
        st.none() | st.text() | st.integers(),
        max_size=3,
    )
    | st.lists(st.text())
)
def test_whatever_is_sent_for_an_item_is_taken_or_refused_and_the_item_stays(lab, changes):
    item = ask(lab).item.dispatch_id
    data = json.dumps({"dispatch_id": item, "changes": changes}).encode()
    try:
        receive(lab, data, "ada")
    except AgentError as error:
        refused = error.code
    else:
        assert set(changes) == set(lab.items.submission(item).changes)
        assert all(path.startswith("src/") for path in changes)
        lab.items.remove(item)
        return
    assert refused in ("malformed", "not-text", "outside")
    assert ask(lab).item.dispatch_id == item


def test_a_second_experiment_is_not_touched(lab, item, tmp_path):
    a_loop(lab, tmp_path, "other")
    submit(lab, sent(item, 7))
    assert lines(lab, "other") == ()


def test_an_accepted_change_is_applied_where_the_spec_asks_for_that(tmp_path):
    lab = a_lab_with_a_loop(tmp_path / "lab", tmp_path, promotion_strategy="apply-on-accept")
    turn(lab, 7)
    assert (tmp_path / "workspace" / VALUE).read_text() == "7\n"
    assert turn(lab, 6).accepted
    assert (tmp_path / "workspace" / VALUE).read_text() == "6\n"
