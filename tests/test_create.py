"""What ``create`` refuses before anything is registered, and what it says to do next."""

from __future__ import annotations

import pytest
from forked import command
from labs import a_lab, burst, write_spec

from hermes.errors import RequestError
from hermes.steps.create import create


@pytest.fixture
def lab(tmp_path):
    return a_lab(tmp_path / "lab")


@pytest.fixture
def refused(lab, tmp_path):
    """Return a function that has a SPEC refused and returns what was said."""

    def call(**fields) -> str:
        with pytest.raises(RequestError) as caught:
            create(lab, write_spec(tmp_path, **fields))
        assert lab.experiments() == []
        assert caught.value.message
        assert caught.value.remedy
        return str(caught.value)

    return call


@pytest.mark.parametrize(
    ("strategy", "options", "told"),
    [
        ("tree", {"exploratio": 2}, "no option 'exploratio'.\nDid you mean 'exploration'?"),
        ("tree", {"exploration": 20}, "from 0 to 10"),
        ("perturb", {"steps": 0.2}, "Did you mean 'step'?"),
        ("perturb", {"draws": 1.5}, "a whole number from 1"),
        ("random", {"foo": 1}, "takes no options"),
        ("grid", {"foo": 1}, "takes no options"),
        ("swarm", {"strategies": ["tree"], "options": {"tree": {"draft": 2}}}, "'drafts'"),
    ],
)
@pytest.mark.parametrize("space", [{"x": {"type": "int", "low": 1, "high": 3}}, None])
def test_an_option_that_a_strategy_does_not_take_is_refused(
    refused, strategy, options, told, space
):
    assert told in refused(strategy=strategy, strategy_options=options, search_space=space)


def test_an_option_is_refused_also_when_a_tier_has_another_command(refused):
    tiers = {"fidelity_tiers": ["small", "full"], "small_executor_command": "echo 1"}
    assert "takes no options" in refused(strategy_options={"foo": 1}, **tiers)


# Code loops


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "model.py").write_text("x = 1\n")
    (folder / "config.json").write_text('{"lr": 0.1}\n')
    return folder


@pytest.fixture
def loop(workspace):
    """Return the fields that make a SPEC of ``labs`` a code loop, but for who changes the code."""
    return {
        "strategy": None,
        "search_space": None,
        "workspace_root": str(workspace),
        "mutable_paths": ["*.py"],
        "executor_command": "echo 1",
    }


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"agent_provider": "clod"}, "No agent provider is called 'clod'."),
        ({"agent_provider": "codex"}, "'codex' needs the command 'codex'"),
        (
            {
                "agent_provider": "dispatch",
                "fidelity_tiers": ["small", "full"],
                "full_agent_provider": "claude-code",
            },
            "'claude-code' needs the command 'claude'",
        ),
    ],
)
def test_a_code_loop_whose_agent_cannot_be_asked_is_refused(
    refused, lab, loop, tmp_path, monkeypatch, fields, told
):
    monkeypatch.setattr(lab, "environ", {**lab.environ, "PATH": str(tmp_path)})
    assert told in refused(**loop, **fields)


def test_the_agent_is_looked_for_on_the_path_that_commands_get(lab, loop, tmp_path, monkeypatch):
    (tmp_path / "codex").write_text("#!/bin/sh\n")
    (tmp_path / "codex").chmod(0o755)
    monkeypatch.setattr(lab, "environ", {**lab.environ, "PATH": str(tmp_path)})
    assert create(lab, write_spec(tmp_path, **loop, agent_provider="codex")).experiment == "exp"


@pytest.mark.parametrize("changer", [{"agent_provider": "dispatch"}, {"mutation_command": "true"}])
def test_a_code_loop_that_asks_no_agent_needs_none(lab, loop, tmp_path, changer):
    assert create(lab, write_spec(tmp_path, **loop, **changer)).experiment == "exp"


# Searches

RATE = {"lr": {"type": "float", "low": 0.1, "high": 1}}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"params_file": "gone.json"}, "there is no gone.json in"),
        (
            {"params_file": "config.json", "search_space": {"depth": {"type": "bool"}}},
            "The parameter 'depth' has no place in config.json.",
        ),
        ({"executor_command": "train {lrr}"}, "{lrr} is no parameter; did you mean {lr}?"),
        (
            {"fidelity_tiers": ["a", "b"], "b_executor_command": "train {lrr}"},
            "{lrr} is no parameter",
        ),
        ({"strategy": None, "params_file": "gone.json"}, "there is no gone.json in"),
    ],
)
def test_a_parameter_that_could_not_reach_the_command_is_refused(refused, workspace, fields, told):
    assert told in refused(**{"search_space": RATE, "workspace_root": str(workspace), **fields})


def test_a_search_space_of_the_workspace_is_held_against_the_command_too(refused, workspace):
    (workspace / "search_space.json").write_text('{"lr": {"type": "bool"}}')
    fields = {"search_space": None, "workspace_root": str(workspace)}
    assert "did you mean {lr}?" in refused(executor_command="train {lrr}", **fields)


def test_parameters_that_exist_only_sometimes_are_all_looked_for(refused, workspace):
    when = {"warm": {"type": "bool"}, "lr": {"type": "bool", "when": {"warm": True}}}
    fields = {"workspace_root": str(workspace), "params_file": "config.json"}
    assert "'warm' has no place" in refused(search_space=when, **fields)
    (workspace / "config.json").write_text('{"warm": 1}\n')
    assert "'lr' has no place" in refused(search_space=when, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"strategy": "grid"},
        {"strategy": "swarm", "strategy_options": {"strategies": ["grid", "tree"]}},
    ],
)
def test_a_grid_over_a_number_without_a_step_is_refused(refused, fields):
    told = refused(search_space=RATE, **fields)
    assert "no grid can list every value of lr" in told
    assert told.startswith("exp.yaml:1: search_space.lr: ")


# The line of a search space that stands in the SPEC

SPEC = """\
id: bad
goal: find it
metric: loss
metric_direction: minimize
executor_command: echo 1
strategy: random
search_space:
  lr: {type: float, low: 0.1, high: 1}
  depth:
    type: int
    low: 5
    high: 2
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", "spec.yaml:9: search_space.depth: parameter 'depth' has \"low\" 5"),
        ("type: float", "type: flat", "spec.yaml:8: search_space.lr: parameter 'lr' has the unk"),
        ("lr:", "2lr:", 'spec.yaml:8: search_space.2lr: "2lr" cannot be the name'),
        ("  depth:\n", "  LR:\n", "spec.yaml:9: search_space.LR: parameters 'lr' and 'LR' would"),
    ],
)
def test_a_fault_of_a_search_space_in_the_spec_names_the_users_file_and_line(
    lab, tmp_path, old, new, told
):
    (tmp_path / "spec.yaml").write_text(SPEC.replace(old, new, 1))
    with pytest.raises(RequestError) as caught:
        create(lab, tmp_path / "spec.yaml")
    assert caught.value.message.startswith(told)


def test_a_fault_of_a_search_space_in_a_file_names_that_file(refused, tmp_path):
    (tmp_path / "space.json").write_text('{"lr": {"type": "float"}}')
    told = refused(search_space="space.json")
    assert told.startswith(f"{tmp_path / 'space.json'}: parameter 'lr' has no \"low\".")


# What is said


def test_no_code_loop_is_told_that_it_lacks_a_strategy(lab, loop, tmp_path):
    fields = {**loop, "search_space": RATE, "mutation_command": "true"}
    assert create(lab, write_spec(tmp_path, **fields)).notices == ()


def said(lab, path) -> str:
    answer = command(lab.layout.root, "create", f"spec={path}")
    assert answer.code == 0
    return answer.out


def next_page(lab) -> str:
    return (lab.layout.experiment("exp").folder / "NEXT.md").read_text()


def test_where_agents_come_by_themselves_the_baseline_is_next_and_then_an_agent(
    lab, loop, tmp_path
):
    path = write_spec(tmp_path, **loop, agent_provider="dispatch")
    assert said(lab, path) == (
        "Created exp.\n"
        "Next: hermes-lab burst exp=exp n=1\n"
        "Then: hermes-lab agent_next exp=exp worker=NAME\n"
    )
    ask = "`hermes-lab agent_next exp=exp worker=NAME`"
    before = next_page(lab)
    assert "`hermes-lab burst exp=exp n=1`" in before
    assert ask in before
    burst(lab, "exp", 1)
    assert "hermes-lab burst" not in next_page(lab)
    assert next_page(lab).count(ask) == 2


def test_what_the_lab_runs_by_itself_is_next_run_by_a_burst(lab, loop, tmp_path):
    path = write_spec(tmp_path, **loop, mutation_command="true")
    assert said(lab, path).endswith("Next: hermes-lab burst exp=exp n=10\n")
    assert "`hermes-lab burst exp=exp n=10`" in next_page(lab)
