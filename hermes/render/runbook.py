"""RUNBOOK.md: how an experiment is run, from its SPEC. Called by ``experiment``.

Pure. Limit first: long commands and lists are cut here; SPEC.yaml beside it has them whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import cast

from hermes import codec
from hermes.model import Json
from hermes.promotions import BRANCHES
from hermes.render.stages import command_line, who_changes
from hermes.render.tables import table
from hermes.render.text import CUT, cell, code, command, duration, fenced, number, prose
from hermes.spec import Acceptance, Command, Spec, fields_without_effect
from hermes.status import Status

_MOST_ITEMS = 20
_MOST_OVERRIDES = 40
_SHORT = 160
_COMMAND = 1000
_NOT_SET = "not set"
_IN_PLACE = {"in-place": ", so runs work on the workspace itself"}
_NO_STREAK = "no limit of its own, so that of the command that runs it"

_STAGES = (
    ("Setup", "setup_command"),
    ("Baseline", "baseline_command"),
    ("Mutation", "mutation_command"),
    ("Execution", "executor_command"),
    ("Validation", "validation_command"),
    ("Hold-out", "holdout_command"),
)

_INPUTS = """\
## How a command gets its inputs

A run starts in a sandbox of the workspace; standard input is closed.

- `LAB_PARAM_<NAME>` holds one parameter each, `LAB_PARAMS_JSON` all of them.
- `{name}` in a command stands for that parameter, quoted for the shell.
- Parameters are merged into the file that `params_file` names, in the sandbox only.
- `LAB_SEED`, `LAB_FIDELITY_TIER`, `LAB_TIME_BUDGET_MINUTES` and `LAB_ROLE` say how to run.
- `LAB_RUN_ARTIFACTS_DIR` is where files to keep may be written.
- `LAB_CONTEXT_PATH`, `LAB_SUMMARY_PATH` and `LAB_PROGRAM_PATH` are for agents to read.

## How a command gives its result

It writes `metrics.json` with a key `value` (or one named like the metric), or ends its standard \
output with a number, a JSON object, or a line `<metric>: <number>`.
Other numbers become secondary metrics.
An exit status other than zero is a failure; a failed run has no value."""


def runbook_page(spec: Spec, status: Status) -> str:
    """Return RUNBOOK.md without its foot."""
    parts = [
        f"# Runbook of {cell(spec.id)}",
        _section("What is measured", _measured(spec)),
        _stages(spec),
        _section("Workspace", _workspace(spec)),
        _section("Budgets and turns", _budgets(spec)),
        _section("Parameters", _parameters(spec)),
        _section("Roles, outputs and more", _more(spec)),
        _overrides(spec.tier_overrides),
        _INPUTS,
        _control(spec, status),
        _without_effect(spec),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, facts: Iterable[tuple[str, str]]) -> str:
    lines = [f"- {name}: {text}" for name, text in facts if text]
    return "\n".join([f"## {title}", "", *lines])


def _measured(spec: Spec) -> Iterable[tuple[str, str]]:
    yield "Goal", prose(spec.goal, 2000)
    yield "Metric", f"{cell(spec.metric)}, to {spec.metric_direction.value}"
    yield "Accepted when", _acceptance(spec.acceptance)
    yield "Changed by", who_changes(spec) if spec.is_code_loop else ""
    yield "Judged by", _judged(spec.acceptance) if spec.is_code_loop else ""
    yield "Guards", ", ".join(_guards(spec.acceptance))
    yield "Rule in words", prose(spec.acceptance_rule, 1000)
    yield "Accepted changes", _promotion(spec)
    yield "Constraints", _list(spec.constraints)
    yield "Mode", code(spec.mode)


def _promotion(spec: Spec) -> str:
    if not spec.is_code_loop:
        return ""
    where = {
        "patch-only": "are kept as patches",
        "apply-on-accept": "are applied to the workspace, each whole or not at all",
        "commit-on-accept": f"are committed to the branch {code(BRANCHES + spec.id)}",
    }[spec.promotion_strategy]
    return f"{where}; `{command('export', exp=spec.id, format='patches', out='DIR')}` has them all"


def _acceptance(rule: Acceptance) -> str:
    if not rule.min_improvement:
        return "strictly better than the best of its tier"
    unit = " of its magnitude" if rule.relative else ""
    return f"better than the best of its tier by {number(rule.min_improvement)}{unit} or more"


def _judged(rule: Acceptance) -> str:
    if rule.repeats == 1:
        return "one measurement, against the record of the best so far"
    most = f", {rule.max_repeats} at most" if rule.max_repeats else ""
    return (
        f"{rule.repeats} measurements{most}, in turns with the best so far, "
        f"at a confidence of {number(rule.confidence)}"
    )


def _guards(rule: Acceptance) -> Iterable[str]:
    for name, guard in rule.guards.items():
        bounds = (("at least", guard.min), ("at most", guard.max))
        told = " and ".join(
            f"{word} {number(bound)}" for word, bound in bounds if bound is not None
        )
        yield f"{cell(name)} {told}"


def _stages(spec: Spec) -> str:
    lines = ["## Commands by stage", ""]
    for title, field in _STAGES:
        given = cast("Command | None", getattr(spec, field))
        if given is not None:
            lines.append(f"- {title} (`{field}`): {_command(command_line(given))}")
    if not spec.has_command:
        lines.append("- No command measures anything: a run is a stub and has no metric.")
    return "\n".join(lines)


def _command(text: str) -> str:
    if len(text) <= _SHORT and "\n" not in text:
        return code(text, _SHORT)
    block = fenced(text, "sh", limit=_COMMAND)
    return "\n\n" + "\n".join(f"  {line}" for line in block.split("\n")) + "\n"


def _workspace(spec: Spec) -> Iterable[tuple[str, str]]:
    yield "Folder", _path(spec.workspace_root) or "none, commands start in an empty folder"
    yield "Sandbox", f"`{spec.workspace_mode}`{_IN_PLACE.get(spec.workspace_mode, '')}"
    yield "Must be clean", _yes(spec.require_clean_workspace)
    yield "May be changed", _list(spec.mutable_paths)
    yield "Read only", _list(spec.read_only_paths)
    yield "Brought in", _list(spec.ingress_files)
    yield "Kept in the bundle", _list(spec.egress_files)
    yield "Artifacts expected", _list(spec.artifacts_expected)


def _budgets(spec: Spec) -> Iterable[tuple[str, str]]:
    total = spec.max_iterations_total
    yield "Time of a run", duration(spec.time_budget_minutes * 60)
    yield "Iterations in all", "no limit" if total is None else str(total)
    yield "Iterations in a cycle", str(spec.max_iterations_per_run)
    yield (
        "Failures in a row",
        _or(spec.max_failure_streak, _NO_STREAK),
    )
    yield "Cadence", code(spec.cadence) if spec.cadence else "due in every cycle"
    yield "Priority", spec.priority.value
    yield "Autonomous", _yes(spec.autonomous)
    yield "Executor class", code(spec.executor_class)
    yield "Expected time of a run", _minutes(spec.estimated_runtime_minutes)


def _parameters(spec: Spec) -> Iterable[tuple[str, str]]:
    yield "Strategy", code(spec.strategy) if spec.strategy else "none, runs have no parameters"
    yield "Seed", str(spec.seed)
    yield "Search space", _space(spec)
    yield "Merged into", _path(spec.params_file)


def _space(spec: Spec) -> str:
    if isinstance(spec.search_space, Mapping):
        return f"in SPEC.yaml: {_list(tuple(spec.search_space))}"
    if spec.search_space is None and spec.strategy:
        return "`search_space.json` of the workspace"
    return _path(spec.search_space)


def _more(spec: Spec) -> Iterable[tuple[str, str]]:
    yield "Roles, in turn", _list(spec.worker_roles)
    yield "Tiers, cheapest first", _list(spec.tiers)
    yield "Outputs", _list(spec.outputs)
    yield "Known good configuration", _known_good(spec.known_good_config)
    yield "Parent experiment", code(spec.parent_experiment) if spec.parent_experiment else ""
    yield "Tags", _list(spec.tags)


def _known_good(config: str | Mapping[str, Json] | None) -> str:
    if config is None:
        return _NOT_SET
    return _path(config) if isinstance(config, str) else code(_compact(config), 300)


def _compact(value: object) -> str:
    return codec.to_json(value).decode().strip()


def _path(path: str | None) -> str:
    return code(path, 300) if path else ""


def _yes(given: bool) -> str:
    return "yes" if given else "no"


def _or(given: int | None, otherwise: str) -> str:
    return otherwise if given is None else str(given)


def _minutes(given: float | None) -> str:
    return "" if given is None else duration(given * 60)


def _list(items: Sequence[str]) -> str:
    shown = ", ".join(code(item) for item in items[:_MOST_ITEMS])
    more = len(items) - _MOST_ITEMS
    return f"{shown}, {CUT} {more} more" if more > 0 else shown


def _overrides(tiers: Mapping[str, Mapping[str, Json]]) -> str:
    rows = [
        (cell(tier), code(field), cell(_compact(value), _SHORT))
        for tier, fields in tiers.items()
        for field, value in fields.items()
    ]
    if not rows:
        return ""
    more = len(rows) - _MOST_OVERRIDES
    rest = f"\n\n{CUT} and {more} more in SPEC.yaml." if more > 0 else ""
    text = table(("Tier", "Field", "Value"), rows[:_MOST_OVERRIDES])
    return f"## What differs by tier\n\n{text}{rest}"


def _control(spec: Spec, status: Status) -> str:
    name = spec.id
    lines = [
        f"- One cycle: `{command('run_once', exp=name)}`",
        f"- Several iterations now: `{command('burst', exp=name, n='10')}`",
        f"- The same, with your word on each proposal: `{command('guided', exp=name, n='10')}`",
        f"- Pause: `{command('pause', exp=name, reason='WHY')}`; a burst ends at its next turn.",
        f"- Resume: `{command('resume', exp=name)}`; it forgives the failures so far.",
        f"- End: `{command('complete', exp=name, reason='WHY')}`",
        f"- Check every checksum: `{command('verify', exp=name)}`",
        "- SPEC.yaml may be edited; the next run takes the edit up, and the journal says so.",
    ]
    head = f"## Start, pause and resume\n\nThe phase is {status.phase.value}.\n"
    return "\n".join([head, *lines])


def _without_effect(spec: Spec) -> str:
    vain = fields_without_effect(given(spec))
    if not vain:
        return "## Fields without effect\n\nEvery field that this SPEC sets has an effect."
    return f"## Fields without effect\n\nThis version of the lab does not act on: {_list(vain)}."


def given(spec: Spec) -> dict[str, Json]:
    """Return what a SPEC sets to something other than the default, by the keys of SPEC.yaml."""
    found = _differing(spec, _defaults(Spec))
    found.pop("tier_overrides", None)
    for tier, fields in spec.tier_overrides.items():
        found.update({f"{tier}_{name}": value for name, value in fields.items()})
    return found


def _differing(record: object, defaults: Mapping[str, object]) -> dict[str, Json]:
    values = {name: getattr(record, name) for name in defaults}
    return {
        name: cast(
            "Json",
            _differing(value, _defaults(Acceptance)) if isinstance(value, Acceptance) else value,
        )
        for name, value in values.items()
        if value != defaults[name]
    }


@cache
def _defaults(kind: type) -> Mapping[str, object]:
    return {
        item.name: item.default_factory()
        if item.default_factory is not dataclasses.MISSING
        else item.default
        for item in dataclasses.fields(kind)
    }
