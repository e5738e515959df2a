"""Holds ``hermes.executing.environment``: the contract, and what of the caller's is passed on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from executing_jobs import make_manifest, make_spec
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RequestError
from hermes.executing.environment import ANY_PARAMETER, CONTRACT_KEYS, RunContext, base, contract
from hermes.model import Direction


def context(**fields: object) -> RunContext:
    given: dict[str, object] = {
        "spec": make_spec(),
        "manifest": make_manifest(),
        "data_root": Path("/lab"),
        "run_dir": Path("/lab/run"),
        "artifacts_dir": Path("/lab/run/artifacts"),
        "sandbox": Path("/lab/sandbox"),
        **fields,
    }
    return RunContext(**given)  # type: ignore[arg-type]


def test_the_contract_is_whole_and_nothing_else() -> None:
    assert set(contract(context())) == set(CONTRACT_KEYS) - {ANY_PARAMETER}
    assert len(set(CONTRACT_KEYS)) == len(CONTRACT_KEYS) == 52


def test_what_is_not_set_is_empty() -> None:
    said = contract(context())
    for key in [
        "LAB_REPO_ROOT",
        "LAB_BEST_RUN_ID",
        "LAB_BEST_METRIC_VALUE",
        "LAB_DISPATCH_DIR",
        "LAB_AGENT_MODEL",
        "LAB_SETUP_COMMAND",
        "LAB_MUTABLE_PATHS",
        "LAB_NEXT_FIDELITY_TIER",
        "LAB_ORIGINAL_WORKSPACE_ROOT",
    ]:
        assert said[key] == ""
    assert said["LAB_PARAMS_JSON"] == "{}"


def test_every_value_is_where_it_belongs() -> None:
    spec = make_spec(
        metric_direction=Direction.MAXIMIZE,
        time_budget_minutes=0.5,
        workspace_root="/ws",
        setup_command="make all",
        mutation_command=("mutate", "a b"),
        mutable_paths=("a", "b c"),
        fidelity_tiers=("proxy", "final"),
        require_clean_workspace=True,
    )
    manifest = make_manifest(3, params={"lr": 1e-5, "Batch-Size": 8, "on": True})
    said = contract(
        context(
            spec=spec,
            manifest=manifest,
            best_run_id="RUN-1",
            best_value=0.1 + 0.2,
            next_tier="final",
            summary_path=Path("/lab/SUMMARY.md"),
            dispatch_dir=Path("/lab/d"),
        )
    )
    expected = {
        "LAB_SCHEMA_VERSION": "1",
        "LAB_EXPERIMENT_ID": "trial",
        "LAB_RUN_ID": manifest.run_id,
        "LAB_RUN_ITERATION": "3",
        "LAB_METRIC_DIRECTION": "maximize",
        "LAB_PRIMARY_METRIC": "loss",
        "LAB_TIME_BUDGET_MINUTES": "0.5",
        "LAB_SETUP_COMMAND": "make all",
        "LAB_MUTATION_COMMAND": "mutate 'a b'",
        "LAB_MUTABLE_PATHS": "a\nb c",
        "LAB_FIDELITY_TIERS": "proxy\nfinal",
        "LAB_NEXT_FIDELITY_TIER": "final",
        "LAB_REQUIRE_CLEAN_WORKSPACE": "true",
        "LAB_AGENT_BACKGROUND": "false",
        "LAB_BEST_RUN_ID": "RUN-1",
        "LAB_BEST_METRIC_VALUE": "0.30000000000000004",
        "LAB_SEED": "7",
        "LAB_PARAM_LR": "1e-05",
        "LAB_PARAM_BATCH_SIZE": "8",
        "LAB_PARAM_ON": "true",
        "LAB_SUMMARY_PATH": "/lab/SUMMARY.md",
        "LAB_DISPATCH_DIR": "/lab/d",
        "LAB_EFFECTIVE_WORKSPACE_ROOT": "/lab/sandbox/work",
        "LAB_WORKSPACE_ROOT": "/lab/sandbox/work",
        "LAB_ORIGINAL_WORKSPACE_ROOT": "/ws",
    }
    assert {key: said[key] for key in expected} == expected
    assert json.loads(said["LAB_PARAMS_JSON"]) == manifest.params
    assert "\n" not in said["LAB_PARAMS_JSON"]


def test_in_place_the_effective_workspace_is_the_users_own() -> None:
    said = contract(context(spec=make_spec(workspace_root="/ws", workspace_mode="in-place")))
    assert said["LAB_EFFECTIVE_WORKSPACE_ROOT"] == "/ws"


def test_parameters_that_share_a_variable_are_refused() -> None:
    with pytest.raises(RequestError, match=r"LAB_PARAM_A_B") as caught:
        contract(context(manifest=make_manifest(params={"a.b": 1, "a_b": 2})))
    assert len(str(caught.value).splitlines()) == 2


@given(st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)))
def test_parameters_survive_the_environment(params: dict[str, float]) -> None:
    try:
        said = contract(context(manifest=make_manifest(params=params)))
    except RequestError:
        return
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in said)
    variables = sorted(float(said[name]) for name in said if name.startswith("LAB_PARAM_"))
    assert variables == sorted(params.values())


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LC_ALL",
        "VIRTUAL_ENV",
        "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "https_proxy",
    ],
)
def test_what_commands_need_is_passed_on(name: str) -> None:
    assert base({name: "x"})[name] == "x"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "OPENAI_API_KEY",
        "GITHUB_TOKEN",
        "HF_TOKEN",
        "PYTHON_KEYRING_PASSWORD",
        "TF_API_KEY",
        "CONDA_TOKEN",
        "SSH_AUTH_SOCK",
        "GIT_DIR",
        "PWD",
        "LAB_RUN_ID",
        "PATHX",
        "XPATH",
    ],
)
def test_secrets_and_everything_else_are_not(name: str) -> None:
    assert name not in base({name: "x"})


def test_python_prints_at_once_unless_told_otherwise() -> None:
    assert base({})["PYTHONUNBUFFERED"] == "1"
    assert base({"PYTHONUNBUFFERED": ""})["PYTHONUNBUFFERED"] == ""
