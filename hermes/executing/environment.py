"""The environment of every command: what it may see of the caller's, and the ``LAB_*`` contract.

Pure: the caller's environment comes in as an argument.
Limits first. What is not on the list below does not reach a command, and neither does anything on
it whose name speaks of a secret. A proxy's address may contain a password; it is passed on, for
without it there is no network.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.codec import to_json
from hermes.errors import RequestError
from hermes.executing.sandbox import effective_workspace
from hermes.model import SCHEMA_VERSION, Manifest, Params, ParamValue, parameter_variable
from hermes.spec import Command, Spec

PASSED = re.compile(
    r"""
    PATH | HOME | USER | LOGNAME | SHELL | TERM | COLUMNS | TMPDIR | TMP | TEMP      # the user
    | LANG | LANGUAGE | TZ | LC_.* | XDG_.*
    | PYTHON.* | VIRTUAL_ENV | CONDA_.* | NIX_.* | R_LIBS(_USER)? | NODE_PATH        # languages
    | JAVA_HOME | GOPATH | GOROOT | GOCACHE | CARGO_HOME | RUSTUP_HOME | JULIA_DEPOT_PATH
    | CC | CXX | CFLAGS | CXXFLAGS | LDFLAGS | MAKEFLAGS | CPATH | LIBRARY_PATH      # building
    | LD_LIBRARY_PATH | LD_PRELOAD | DYLD_.* | MALLOC_.*                             # loading
    | (OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|NUMEXPR|VECLIB|NUMBA)_.*                       # threads
    | (CUDA|NVIDIA|NCCL|CUBLAS|CUDNN|ROCR|HIP|HSA|XLA)_.*                            # devices
    | (JAX|TF|TORCH|PYTORCH|KERAS)_.* | TRANSFORMERS_CACHE                           # frameworks
    | HF_(HOME|HUB_CACHE|HUB_OFFLINE)
    | (HTTP|HTTPS|FTP|ALL|NO)_PROXY | (http|https|ftp|all|no)_proxy                  # network
    | SSL_CERT_(FILE|DIR) | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE
    """,
    re.VERBOSE,
)
"""The names of the caller's variables that every command gets."""

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|JWT|_KEY$|APIKEY", re.IGNORECASE)
_DEFAULTS = {"PYTHONUNBUFFERED": "1"}  # else what Python prints shows up late, or never

ANY_PARAMETER = "LAB_PARAM_<NAME>"
CONTRACT_KEYS: tuple[str, ...] = (
    "LAB_SCHEMA_VERSION",
    "LAB_DATA_ROOT",
    "LAB_REPO_ROOT",
    "LAB_EXPERIMENT_ID",
    "LAB_RUN_ID",
    "LAB_RUN_DIR",
    "LAB_RUN_ITERATION",
    "LAB_ROLE",
    "LAB_LEASE_ID",
    "LAB_SPEC_PATH",
    "LAB_SUMMARY_PATH",
    "LAB_NEXT_PATH",
    "LAB_CONTEXT_PATH",
    "LAB_PROGRAM_PATH",
    "LAB_TIME_BUDGET_MINUTES",
    "LAB_PRIMARY_METRIC",
    "LAB_METRIC_DIRECTION",
    "LAB_FIDELITY_TIER",
    "LAB_FIDELITY_TIERS",
    "LAB_NEXT_FIDELITY_TIER",
    "LAB_EXECUTOR_CLASS",
    "LAB_WORKSPACE_ROOT",
    "LAB_EFFECTIVE_WORKSPACE_ROOT",
    "LAB_ORIGINAL_WORKSPACE_ROOT",
    "LAB_RUN_ARTIFACTS_DIR",
    "LAB_SETUP_COMMAND",
    "LAB_BASELINE_COMMAND",
    "LAB_MUTATION_COMMAND",
    "LAB_VALIDATION_COMMAND",
    "LAB_ACCEPTANCE_RULE",
    "LAB_PROMOTION_STRATEGY",
    "LAB_WORKSPACE_MODE",
    "LAB_REQUIRE_CLEAN_WORKSPACE",
    "LAB_MUTABLE_PATHS",
    "LAB_READ_ONLY_PATHS",
    "LAB_INGRESS_FILES",
    "LAB_EGRESS_FILES",
    "LAB_ARTIFACTS_EXPECTED",
    "LAB_AGENT_PROVIDER",
    "LAB_AGENT_MODEL",
    "LAB_AGENT_EFFORT",
    "LAB_AGENT_INSTRUCTION_FILE",
    "LAB_AGENT_BASE_URL",
    "LAB_AGENT_BACKGROUND",
    "LAB_BEST_RUN_ID",
    "LAB_BEST_METRIC_VALUE",
    "LAB_SEED",
    "LAB_PARAMS_JSON",
    ANY_PARAMETER,
    "LAB_DISPATCH_ID",
    "LAB_DISPATCH_DIR",
    "LAB_DISPATCH_STAGE",
)
"""Every variable of the contract, in its order; the one in angle brackets stands for many."""


@dataclass(frozen=True)
class RunContext:
    """What the contract tells a command, beyond what it inherits; None is told as empty.

    ``spec`` stands at the run's tier. ``sandbox`` is the folder that holds the run's sandbox.
    """

    spec: Spec
    manifest: Manifest
    data_root: Path
    run_dir: Path
    artifacts_dir: Path
    sandbox: Path
    repo_root: Path | None = None
    spec_path: Path | None = None
    summary_path: Path | None = None
    next_path: Path | None = None
    context_path: Path | None = None
    program_path: Path | None = None
    next_tier: str | None = None
    best_run_id: str | None = None
    best_value: float | None = None
    dispatch_id: str | None = None
    dispatch_dir: Path | None = None
    dispatch_stage: str | None = None


def base(caller: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the caller's environment that commands may see."""
    passed = {name: value for name, value in caller.items() if _is_passed(name)}
    return {**_DEFAULTS, **passed}


def contract(context: RunContext) -> dict[str, str]:
    """Return every variable of the contract. Raises RequestError as ``parameter_variables``."""
    return {
        **_places(context),
        **_run(context.manifest),
        **_experiment(context.spec),
        **_commands(context.spec),
        **_paths(context.spec),
        **_agent(context.spec),
        "LAB_NEXT_FIDELITY_TIER": context.next_tier or "",
        "LAB_BEST_RUN_ID": context.best_run_id or "",
        "LAB_BEST_METRIC_VALUE": "" if context.best_value is None else text_of(context.best_value),
        "LAB_DISPATCH_ID": context.dispatch_id or "",
        "LAB_DISPATCH_STAGE": context.dispatch_stage or "",
    }


def before_a_run(spec: Spec, known: Mapping[str, str]) -> dict[str, str]:
    """Return the contract for a command that has no run yet: what is not ``known`` is empty."""
    unset = {key: "" for key in CONTRACT_KEYS if key != ANY_PARAMETER}
    told = {**_experiment(spec), **_commands(spec), **_paths(spec), **_agent(spec)}
    workspace = {"LAB_ORIGINAL_WORKSPACE_ROOT": spec.workspace_root or ""}
    constant = {"LAB_SCHEMA_VERSION": str(SCHEMA_VERSION), "LAB_PARAMS_JSON": "{}"}
    return {**unset, **told, **workspace, **constant, **known}


def text_of(value: ParamValue) -> str:
    """Return a value as commands read it: ``true``, ``false``, and floats to the last digit."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def parameter_variables(params: Params) -> dict[str, str]:
    """Return the variables that hand over each parameter and all of them.

    Raises RequestError when two parameters would share a variable.
    """
    owners: dict[str, str] = {}
    for name in params:
        other = owners.setdefault(parameter_variable(name), name)
        if other != name:
            raise RequestError(
                f"The parameters {other!r} and {name!r} are both {parameter_variable(name)}.",
                "Rename one of them: only letters, digits and `_` tell variables apart.",
            )
    variables = {variable: text_of(params[name]) for variable, name in owners.items()}
    return {"LAB_PARAMS_JSON": to_json(params).decode().rstrip("\n"), **variables}


def is_secret(name: str) -> bool:
    """Say whether the name of a variable speaks of a secret."""
    return _SECRET.search(name) is not None


def _is_passed(name: str) -> bool:
    return PASSED.fullmatch(name) is not None and not is_secret(name)


def _places(context: RunContext) -> dict[str, str]:
    workspace = _path(effective_workspace(context.spec, context.sandbox))
    return {
        "LAB_SCHEMA_VERSION": str(SCHEMA_VERSION),
        "LAB_DATA_ROOT": _path(context.data_root),
        "LAB_REPO_ROOT": _path(context.repo_root),
        "LAB_RUN_DIR": _path(context.run_dir),
        "LAB_RUN_ARTIFACTS_DIR": _path(context.artifacts_dir),
        "LAB_SPEC_PATH": _path(context.spec_path),
        "LAB_SUMMARY_PATH": _path(context.summary_path),
        "LAB_NEXT_PATH": _path(context.next_path),
        "LAB_CONTEXT_PATH": _path(context.context_path),
        "LAB_PROGRAM_PATH": _path(context.program_path),
        "LAB_WORKSPACE_ROOT": workspace,
        "LAB_EFFECTIVE_WORKSPACE_ROOT": workspace,
        "LAB_ORIGINAL_WORKSPACE_ROOT": context.spec.workspace_root or "",
        "LAB_DISPATCH_DIR": _path(context.dispatch_dir),
    }


def _run(manifest: Manifest) -> dict[str, str]:
    return {
        "LAB_EXPERIMENT_ID": manifest.experiment,
        "LAB_RUN_ID": manifest.run_id,
        "LAB_RUN_ITERATION": str(manifest.iteration),
        "LAB_ROLE": manifest.role,
        "LAB_LEASE_ID": manifest.lease_id,
        "LAB_FIDELITY_TIER": manifest.fidelity_tier,
        "LAB_EXECUTOR_CLASS": manifest.executor_class,
        "LAB_SEED": str(manifest.seed),
        **parameter_variables(manifest.params),
    }


def _experiment(spec: Spec) -> dict[str, str]:
    return {
        "LAB_TIME_BUDGET_MINUTES": text_of(spec.time_budget_minutes),
        "LAB_PRIMARY_METRIC": spec.metric,
        "LAB_METRIC_DIRECTION": spec.metric_direction.value,
        "LAB_FIDELITY_TIERS": _lines(spec.fidelity_tiers),
        "LAB_ACCEPTANCE_RULE": spec.acceptance_rule,
        "LAB_PROMOTION_STRATEGY": spec.promotion_strategy,
        "LAB_WORKSPACE_MODE": spec.workspace_mode,
        "LAB_REQUIRE_CLEAN_WORKSPACE": text_of(spec.require_clean_workspace),
    }


def _commands(spec: Spec) -> dict[str, str]:
    return {
        "LAB_SETUP_COMMAND": _command(spec.setup_command),
        "LAB_BASELINE_COMMAND": _command(spec.baseline_command),
        "LAB_MUTATION_COMMAND": _command(spec.mutation_command),
        "LAB_VALIDATION_COMMAND": _command(spec.validation_command),
    }


def _paths(spec: Spec) -> dict[str, str]:
    return {
        "LAB_MUTABLE_PATHS": _lines(spec.mutable_paths),
        "LAB_READ_ONLY_PATHS": _lines(spec.read_only_paths),
        "LAB_INGRESS_FILES": _lines(spec.ingress_files),
        "LAB_EGRESS_FILES": _lines(spec.egress_files),
        "LAB_ARTIFACTS_EXPECTED": _lines(spec.artifacts_expected),
    }


def _agent(spec: Spec) -> dict[str, str]:
    return {
        "LAB_AGENT_PROVIDER": spec.agent_provider or "",
        "LAB_AGENT_MODEL": spec.agent_model or "",
        "LAB_AGENT_EFFORT": spec.agent_effort or "",
        "LAB_AGENT_INSTRUCTION_FILE": spec.agent_instruction_file or "",
        "LAB_AGENT_BASE_URL": spec.agent_base_url or "",
        "LAB_AGENT_BACKGROUND": text_of(spec.agent_background),
    }


def _path(path: Path | None) -> str:
    return "" if path is None else str(path)


def _command(command: Command | None) -> str:
    if command is None:
        return ""
    return command if isinstance(command, str) else shlex.join(command)


def _lines(values: Iterable[str]) -> str:
    return "\n".join(values)
