"""What a SPEC says, as a frozen record; pure, and open to every floor above.

Limit first: nothing is checked here. ``spec_from_mapping`` takes a mapping that
``validation.validate`` has passed. Durations are minutes where the name says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

from hermes.model import DEFAULT_TIER, Direction, Json, Priority

Command: TypeAlias = str | tuple[str, ...]
"""A string is run by ``sh -c``, a tuple as it is."""

WorkspaceMode = Literal["auto", "git", "copy", "in-place"]
PromotionStrategy = Literal["patch-only", "apply-on-accept", "commit-on-accept"]
FidelityRule = Literal["manual", "after-success-streak", "top-k", "successive-halving"]
Escalation = Literal[
    "breakthrough_found", "blocked_on_external_access", "metric_regression_3_consecutive"
]

DISPATCH = "dispatch"
"""The provider of agents that come by themselves: ``agent_next`` and ``agent_submit``."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Guard:
    """The bounds a secondary metric must keep for a candidate to be accepted."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Acceptance:
    """When a candidate beats the incumbent: by ``min_improvement``, in units of the metric.

    With ``relative`` it is a share of the incumbent's value (0.01 is one per cent).
    """

    min_improvement: float = 0.0
    relative: bool = False
    repeats: int = 1
    confidence: float = 0.95
    max_repeats: int | None = None
    guards: Mapping[str, Guard] = field(default_factory=dict)


@dataclass(frozen=True)
class AgentBudget:
    """What agents may take for an experiment in all; None is no limit, and 0 allows nothing.

    ``runs`` are runs for which an agent was asked, ``tokens`` those read and written together,
    ``usd`` US dollars, ``minutes`` the time that agents worked.
    """

    runs: int | None = None
    tokens: int | None = None
    usd: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class StopConditions:
    """What ends an experiment; None never does."""

    plateau_after_consecutive_low_signal_runs: int | None = None
    hard_stop_after_days: float | None = None
    target_value: float | None = None
    max_wall_hours: float | None = None
    max_cost: float | None = None


@dataclass(frozen=True)
class Spec:
    """Every field of a SPEC, with its default; the schema beside it describes each.

    Paths are absolute, but for those inside the workspace (globs, ``params_file``).
    ``tier_overrides`` holds, by tier, the raw values of the ``<tier>_<field>`` keys.
    """

    id: str
    goal: str
    metric: str
    metric_direction: Direction

    mode: str = "experiment"
    priority: Priority = Priority.NORMAL
    autonomous: bool = True
    cadence: str | None = None  # None: due in every cycle
    time_budget_minutes: float = 60.0
    max_iterations_total: int | None = None
    max_iterations_per_run: int = 1
    max_parallel: int = 1
    max_failure_streak: int | None = None  # None: the limits of the command that runs it
    tags: tuple[str, ...] = ()
    notify: Command | None = None
    parent_experiment: str | None = None
    estimated_runtime_minutes: float | None = None
    known_good_config: str | Mapping[str, Json] | None = None
    outputs: tuple[str, ...] = ()

    workspace_root: str | None = None  # None: commands start in an empty folder
    workspace_mode: WorkspaceMode = "auto"
    require_clean_workspace: bool = False
    setup_command: Command | None = None
    baseline_command: Command | None = None
    executor_command: Command | None = None
    mutation_command: Command | None = None
    validation_command: Command | None = None
    holdout_command: Command | None = None

    acceptance_rule: str = ""
    acceptance: Acceptance = Acceptance()
    promotion_strategy: PromotionStrategy = "patch-only"

    mutable_paths: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()
    ingress_files: tuple[str, ...] = ()
    egress_files: tuple[str, ...] = ()
    artifacts_expected: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    worker_roles: tuple[str, ...] = ("worker",)

    strategy: str | None = None
    strategy_options: Mapping[str, Json] = field(default_factory=dict)
    search_space: str | Mapping[str, Json] | None = None
    seed: int = 0
    params_file: str | None = None

    agent_provider: str | None = None
    agent_model: str | None = None
    agent_effort: str | None = None
    agent_instruction_file: str | None = None
    agent_base_url: str | None = None
    agent_background: bool = False
    agent_budget: AgentBudget = AgentBudget()

    fidelity_tiers: tuple[str, ...] = ()
    initial_fidelity_tier: str | None = None
    fidelity_promotion_rule: FidelityRule = "manual"
    promote_after_successes: int = 3
    promote_top_k: int = 3
    reduction_factor: int = 3
    executor_class: str = "local"

    stop_conditions: StopConditions = StopConditions()
    escalate_when: tuple[Escalation, ...] = ()

    tier_overrides: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The fidelity tiers, cheapest first; one of its own when the SPEC names none."""
        return self.fidelity_tiers or (DEFAULT_TIER,)

    @property
    def first_tier(self) -> str:
        """The tier in which the experiment begins."""
        return self.initial_fidelity_tier or self.tiers[0]

    @property
    def is_code_loop(self) -> bool:
        """Say whether runs change code: a command or an agent does; one that advises does not."""
        if self.mutation_command is not None:
            return True
        return self.agent_provider is not None and self.strategy != "llm"

    @property
    def waits_for_agents(self) -> bool:
        """Say whether nobody is called to change the code: agents come and ask for work."""
        return self.is_code_loop and self.agent_provider == DISPATCH

    @property
    def has_command(self) -> bool:
        """Say whether a run measures something; without a command it is a stub."""
        return bool(self.executor_command or self.validation_command)

    def next_tier(self, tier: str) -> str | None:
        """Return the tier above ``tier``; None at the top, and for one it does not have."""
        if tier not in self.tiers:
            return None
        return dict(zip(self.tiers, self.tiers[1:], strict=False)).get(tier)

    def at_tier(self, tier: str) -> Spec:
        """Return the SPEC as it stands in ``tier``, with that tier's overrides applied."""
        return self._by_tier.get(tier, self)

    @cached_property
    def _by_tier(self) -> Mapping[str, Spec]:
        return {
            tier: dataclasses.replace(self, **_typed(values))
            for tier, values in self.tier_overrides.items()
        }


COMMANDS = frozenset(
    {
        "setup_command",
        "baseline_command",
        "executor_command",
        "mutation_command",
        "validation_command",
        "holdout_command",
    }
)
AGENT_FIELDS = frozenset(
    {
        "agent_provider",
        "agent_model",
        "agent_effort",
        "agent_instruction_file",
        "agent_base_url",
        "agent_background",
        "agent_budget",
    }
)
WORKSPACE_GLOBS = frozenset(
    {"mutable_paths", "read_only_paths", "ingress_files", "egress_files", "artifacts_expected"}
)
SPEC_PATHS = frozenset(
    {"workspace_root", "search_space", "known_good_config", "agent_instruction_file"}
)
"""Fields that may hold a path relative to the SPEC file."""

EXECUTION_FIELDS = (
    COMMANDS
    | AGENT_FIELDS
    | WORKSPACE_GLOBS
    | {"workspace_root", "workspace_mode", "require_clean_workspace", "params_file"}
    | {"time_budget_minutes", "estimated_runtime_minutes", "executor_class", "max_parallel"}
    | {"constraints", "seed"}
)
"""Fields that ``<tier>_<field>`` may override."""

FIELDS = frozenset(item.name for item in dataclasses.fields(Spec)) - {"tier_overrides"}

STRATEGIES = ("random", "grid", "perturb", "bayesian", "evolution", "tree", "llm", "swarm")
STRATEGY_GROUP = "hermes_lab.strategies"
"""The entry points by which other packages add strategies."""

NOT_YET = (
    {"notify", "stop_conditions", "escalate_when"}
    | {"fidelity_promotion_rule", "promote_after_successes"}
    | {"promote_top_k", "reduction_factor"}
)
"""Fields and parts of fields that are accepted and have no effect yet."""


def fields_without_effect(mapping: Mapping[str, Json]) -> list[str]:
    """Name what a user's SPEC sets in vain, in the order in which it stands there."""
    found = []
    for key, value in mapping.items():
        name = base_field(key)
        other_class = name == "executor_class" and value != "local"
        if name in NOT_YET:
            found.append(key)
        elif other_class:
            found.append(f"{key}: {value}")
        elif isinstance(value, dict):
            found.extend(f"{key}.{part}" for part in value if f"{name}.{part}" in NOT_YET)
    return found


# Tier keys


def split_tier_key(key: str) -> tuple[str, str] | None:
    """Take ``<tier>_<field>`` apart; None when it does not end in an execution field."""
    for name in EXECUTION_FIELDS:
        if key.endswith(f"_{name}"):
            return key[: -len(name) - 1], name
    return None


def base_field(key: str) -> str:
    """Return the field that a key of a SPEC sets, in whichever tier."""
    parts = None if key in FIELDS else split_tier_key(key)
    return parts[1] if parts else key


def tier_keys(tiers: Iterable[str]) -> list[str]:
    """Return every key that may override something in one of ``tiers``."""
    return [f"{tier}_{name}" for tier in tiers for name in sorted(EXECUTION_FIELDS)]


# From a mapping


def spec_from_mapping(raw: Mapping[str, Json]) -> Spec:
    """Build the record from a mapping that was validated."""
    plain: dict[str, Json] = {}
    overrides: dict[str, dict[str, Json]] = {}
    for key, value in raw.items():
        parts = None if key in FIELDS else split_tier_key(key)
        if parts is None:
            plain[key] = value
        else:
            overrides.setdefault(parts[0], {})[parts[1]] = value
    return Spec(**_typed(plain), tier_overrides=overrides)


def _typed(raw: Mapping[str, Json]) -> dict[str, Any]:
    return {name: _CONVERTERS.get(name, _same)(value) for name, value in raw.items()}


def _same(value: Any) -> Any:
    return value


def _command(value: str | list[str]) -> Command:
    return value if isinstance(value, str) else tuple(value)


def _acceptance(raw: Mapping[str, Any]) -> Acceptance:
    return Acceptance(**_typed(raw))


def _guards(raw: Mapping[str, Mapping[str, float]]) -> dict[str, Guard]:
    return {
        metric: Guard(**{name: float(bound) for name, bound in bounds.items()})
        for metric, bounds in raw.items()
    }


def _agent_budget(raw: float | Mapping[str, Any]) -> AgentBudget:
    """Read a budget; a bare number is of US dollars."""
    return AgentBudget(**_typed(raw if isinstance(raw, Mapping) else {"usd": raw}))


def _stop_conditions(raw: Json) -> StopConditions:
    parts = cast("list[dict[str, Any]]", raw if isinstance(raw, list) else [raw])
    given = {name: value for part in parts for name, value in part.items()}
    return StopConditions(**_typed(given))


_LISTS = WORKSPACE_GLOBS | {
    "tags",
    "outputs",
    "constraints",
    "worker_roles",
    "fidelity_tiers",
    "escalate_when",
}
_FLOATS = (
    "time_budget_minutes",
    "estimated_runtime_minutes",
    "usd",
    "minutes",
    "min_improvement",
    "confidence",
    "hard_stop_after_days",
    "target_value",
    "max_wall_hours",
    "max_cost",
)
_COUNTS = (
    "runs",
    "tokens",
    "max_iterations_total",
    "max_iterations_per_run",
    "max_parallel",
    "max_failure_streak",
    "seed",
    "promote_after_successes",
    "promote_top_k",
    "reduction_factor",
    "repeats",
    "max_repeats",
    "plateau_after_consecutive_low_signal_runs",
)
_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(COMMANDS | {"notify"}, _command),
    **dict.fromkeys(_LISTS, tuple),
    **dict.fromkeys(_FLOATS, float),
    **dict.fromkeys(_COUNTS, int),  # the schema lets 10.0 pass for a whole number
    "metric_direction": Direction,
    "priority": Priority,
    "acceptance": _acceptance,
    "guards": _guards,
    "agent_budget": _agent_budget,
    "stop_conditions": _stop_conditions,
}
