from __future__ import annotations

from datetime import timedelta

import pytest
from labs import QUADRATIC, a_lab, an_experiment, burst, lines

from hermes.clock import UTC, FixedClock, parse_time
from hermes.errors import RequestError
from hermes.steps.opening import opened
from hermes.steps.plan import Planned, Stop, plan
from hermes.steps.session import Order

START = parse_time("2026-03-01T12:00:00.000000Z").astimezone(UTC)
ATTENDED = Order(attended=True)


@pytest.fixture
def lab(tmp_path):
    return a_lab(tmp_path / "lab-data", FixedClock(START))


def test_run_ids_grow_when_the_clock_goes_back(lab, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 2)
    lab.clock.set_wall(START - timedelta(days=30))
    burst(lab, "exp", 2)
    found = [line.run_id for line in lines(lab)]
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_run_ids_grow_past_a_plan_that_an_earlier_owner_left(lab, tmp_path):
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    with opened(lab, "exp", ATTENDED) as session:
        plan(session)
    lab.clock.set_wall(START - timedelta(days=30))
    burst(lab, "exp", 3)
    found = [line.run_id for line in lines(lab)]
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_a_plan_names_everything_that_is_known_before_the_run(lab, tmp_path):
    an_experiment(lab, tmp_path, worker_roles=["scout", "builder"], seed=7)
    burst(lab, "exp", 1)
    with opened(lab, "exp", ATTENDED) as session:
        planned = plan(session)
        assert isinstance(planned, Planned)
        draft = lab.packages.read(planned.folder)
    assert (draft.iteration, draft.trial, draft.role, draft.seed) == (2, 2, "builder", 7)
    assert (draft.outcome, draft.seq, draft.completed_at) == (None, None, None)
    assert draft.spec_sha256 == lab.journal("exp").read().records[0].spec_sha256


def test_the_duplicates_that_a_strategy_avoided_go_into_manifest_and_index(lab, tmp_path):
    space = {"n": {"type": "int", "low": 1, "high": 4}}
    an_experiment(lab, tmp_path, search_space=space, executor_command="echo $LAB_PARAM_N")
    burst(lab, "exp", 4)
    counted = [line.duplicates_avoided for line in lines(lab)]
    assert counted[0] == 0
    assert sum(counted) > 0
    manifests = [lab.bundles.read("exp", line.run_id).manifest for line in lines(lab)]
    assert [manifest.duplicates_avoided for manifest in manifests] == counted


def test_a_plan_that_was_never_started_is_taken_up_as_it_stands(lab, tmp_path):
    an_experiment(lab, tmp_path)
    with opened(lab, "exp", ATTENDED) as session:
        first = plan(session)
    with opened(lab, "exp", ATTENDED) as session:
        second = plan(session)
    assert second.manifest.run_id == first.manifest.run_id
    burst(lab, "exp", 1)
    assert [line.run_id for line in lines(lab)] == [first.manifest.run_id]
    assert lab.packages.running() == []


def test_a_strategy_without_a_search_space_says_where_to_put_one(lab, tmp_path):
    an_experiment(lab, tmp_path, search_space=None)
    with pytest.raises(RequestError, match=r"search_space\.json"):
        burst(lab, "exp", 1)
    assert lab.packages.running() == []


def test_a_search_space_of_the_workspace_is_found_by_its_name(lab, tmp_path):
    workspace = tmp_path / "code"
    workspace.mkdir()
    (workspace / "search_space.json").write_text(
        '{"x": {"type": "categorical", "choices": [1, 2, 3]}}'
    )
    an_experiment(lab, tmp_path, search_space=None, workspace_root="code", strategy="grid")
    assert burst(lab, "exp", 9).runs == 3
    assert [dict(line.params)["x"] for line in lines(lab)] == [1, 2, 3]


def test_a_search_space_that_is_wrong_creates_nothing(lab, tmp_path):
    wrong = {"x": {**QUADRATIC["x"], "low": 9}}
    with pytest.raises(RequestError):
        an_experiment(lab, tmp_path, search_space=wrong)
    assert lab.experiments() == []


def test_what_is_paused_is_not_planned_and_says_why(lab, tmp_path):
    from hermes.model import Phase
    from hermes.steps.lifecycle import set_phase

    an_experiment(lab, tmp_path)
    set_phase(lab, "exp", Phase.PAUSED, "the cluster is down")
    with opened(lab, "exp", ATTENDED) as session:
        stop = plan(session)
    assert stop == Stop(
        "it is paused: the cluster is down", "Run `hermes-lab resume exp=exp` if it is to go on."
    )


def test_an_experiment_without_a_command_makes_stub_runs_without_a_number(lab, tmp_path):
    an_experiment(lab, tmp_path, executor_command=None, strategy=None, search_space=None)
    tally = burst(lab, "exp", 2)
    assert (tally.runs, tally.successes) == (2, 0)
    assert {line.outcome.value for line in lines(lab)} == {"stub"}
    assert {line.value for line in lines(lab)} == {None}


def test_create_says_what_the_user_may_not_have_meant(lab, tmp_path):
    from labs import write_spec

    from hermes.steps.create import create

    told = create(lab, write_spec(tmp_path, strategy=None)).notices
    assert any("No strategy is named" in notice for notice in told)
    stub = write_spec(tmp_path, "stub", executor_command=None, search_space=None, strategy=None)
    assert any("each run is a stub" in notice for notice in create(lab, stub).notices)


def test_what_can_never_be_planned_calls_for_a_person_and_takes_no_further_turn(lab, tmp_path):
    from hermes import history
    from hermes.model import Phase

    an_experiment(lab, tmp_path, search_space=None)
    with (
        opened(lab, "exp", Order()) as session,
        pytest.raises(RequestError, match="needs a search space"),
    ):
        plan(session)
    state = history.read(lab, "exp").state
    assert state.phase is Phase.AWAITING_HUMAN
    assert "search space" in state.phase_reason
