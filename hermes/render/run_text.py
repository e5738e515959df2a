"""What a bundle says of its run to people: plan.md before it, RESULT.md after it.

Pure; called by the steps ``plan`` and ``seal`` once an iteration, so each must stay cheap.
Limit first: what is compared is what was sealed before; a failed run has no number to compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hermes.exchange import Exchange
from hermes.model import Json, Manifest, Origin, Outcome, RunMetrics
from hermes.plain_text import sentence
from hermes.policy import role_for
from hermes.promotions import BRANCHES
from hermes.render import code_run
from hermes.render.exchange import exchange_section
from hermes.render.recorded import usage, workspace
from hermes.render.stages import commands
from hermes.render.tables import table
from hermes.render.text import (
    CUT,
    cell,
    code,
    duration,
    escape,
    json_block,
    number,
    plural,
    prose,
    when,
)
from hermes.spec import Acceptance, Spec
from hermes.state import ExperimentState, Scored

if TYPE_CHECKING:
    from hermes.acceptance import Decision

_MOST_PARENTS = 10
_MOST_SECONDARY = 40
_MOST_PATTERNS = 10

_ORIGINS = {
    Origin.STRATEGY: "The strategy {strategy} chose it.",
    Origin.BASELINE: "Nothing was measured yet that a candidate could be compared with.",
    Origin.AGENT: "An agent handed it in.",
    Origin.RETRY: "It is run again because the lab or the machine cut it off.",
    Origin.HUMAN: "A person asked for it.",
    Origin.PLAIN: "No strategy is set: the commands run as they are.",
}
_ONE_CHANGE = "Each run tries one change of the best code so far."


def plan_text(
    spec: Spec, manifest: Manifest, state: ExperimentState, *, exchange: Exchange | None = None
) -> str:
    """Return plan.md: what is to be tried, why, and what it will be compared with.

    Where an agent was asked, what was said is the last of it.
    """
    return f"""\
# Plan of iteration {manifest.iteration}: {escape(manifest.experiment)}

Run {code(manifest.run_id)}, planned at {when(manifest.planned_at)} UTC.
Goal: {prose(spec.goal)}

## What is tried

{_to_try(spec.at_tier(manifest.fidelity_tier), manifest, state)}
Role {code(manifest.role)}, tier {code(manifest.fidelity_tier)}, trial {manifest.trial}, \
seed {manifest.seed}, executor class {code(manifest.executor_class)}.
It may take {duration(spec.at_tier(manifest.fidelity_tier).time_budget_minutes * 60)}.

## Why

{_why(spec, manifest)}{_heard(manifest, state)}

## Compared with

{_incumbent(spec, state.best(manifest.fidelity_tier), manifest.fidelity_tier)}
{exchange_section(exchange) if exchange else ""}"""


def result_text(
    spec: Spec,
    manifest: Manifest,
    metrics: RunMetrics,
    state: ExperimentState,
    *,
    decision: Decision | None = None,
) -> str:
    """Return RESULT.md; ``state`` is the experiment's before this run was sealed.

    ``decision`` is what was decided of a candidate that was measured.
    """
    best = state.best(manifest.fidelity_tier)
    return f"""\
# Result of iteration {manifest.iteration}: {escape(manifest.experiment)}

Run {code(manifest.run_id)}: {_headline(metrics)}

## Hypothesis

{_hypothesis(spec, manifest, best)}

## Method

{_method(spec, manifest)}

## Result

{_result(manifest, metrics)}{_samples(decision)}

## Interpretation

{_interpretation(spec, manifest, metrics, best, decision)}

## Next

{_next(spec, manifest, metrics, state)}
"""


# what is tried


def _to_try(spec: Spec, manifest: Manifest, state: ExperimentState) -> str:
    """Return what is tried and what runs; ``spec`` stands at the run's tier."""
    if not spec.is_code_loop or manifest.outcome is Outcome.SKIPPED:
        return f"{_tried(manifest)}\n\nCommand: {commands(spec)}"
    params = f"\n\n{_params(manifest)}\n" if manifest.params else ""
    return code_run.code_plan(spec, manifest, state) + params


def _tried(manifest: Manifest) -> str:
    if manifest.outcome is Outcome.SKIPPED:
        return f"{sentence(f'Nothing is run: {prose(manifest.reason)}')}\n\n{_params(manifest)}"
    return _params(manifest)


def _params(manifest: Manifest) -> str:
    if not manifest.params:
        return "No parameters are set."
    return json_block(manifest.params, "manifest.json")


def _why(spec: Spec, manifest: Manifest) -> str:
    is_change = spec.at_tier(manifest.fidelity_tier).is_code_loop
    origin = _ORIGINS[manifest.origin].format(strategy=code(manifest.strategy))
    lines = [_ONE_CHANGE if is_change and manifest.origin is Origin.STRATEGY else origin]
    if manifest.note:
        lines.append(f"Its reason: {prose(manifest.note)}")
    if manifest.parent_run:
        lines.append(f"It repeats the trial of {code(manifest.parent_run)}.")
    if manifest.parents:
        lines.append(f"It derives from {_parents(manifest.parents)}.")
    return "\n".join(lines)


def _heard(manifest: Manifest, state: ExperimentState) -> str:
    """Return the ideas of people that go with the plan; ``state`` is that before the run."""
    requests = state.steering.requests
    ideas = [requests[name] for name in manifest.ideas if name in requests]
    return "".join(f"\nA person's idea, {code(idea.id)}: {prose(idea.text)}" for idea in ideas)


def _parents(parents: tuple[str, ...]) -> str:
    shown = ", ".join(code(parent) for parent in parents[:_MOST_PARENTS])
    more = len(parents) - _MOST_PARENTS
    return f"{shown}, {CUT} {more} more" if more > 0 else shown


def _incumbent(spec: Spec, best: Scored | None, tier: str) -> str:
    goal = f"The metric {cell(spec.metric)} is to be {spec.metric_direction.value}d"
    if best is None:
        return f"{goal}; tier {code(tier)} has no successful run yet, so any success is its best."
    return (
        f"{goal}; the best of tier {code(tier)} is {number(best.value)} "
        f"in {code(best.run_id)}.{_margin(spec.acceptance)}"
    )


def _margin(acceptance: Acceptance) -> str:
    if not acceptance.min_improvement:
        return ""
    unit = " of the best's magnitude" if acceptance.relative else ""
    return f"\nTo be accepted it must be better by {number(acceptance.min_improvement)}{unit}."


# what came of it


def _headline(metrics: RunMetrics) -> str:
    if metrics.value is None:
        return f"{metrics.outcome.value}, no value."
    taken = "accepted" if metrics.accepted else "not accepted"
    return f"{metrics.outcome.value}, {cell(metrics.metric)} = {number(metrics.value)}, {taken}."


def _hypothesis(spec: Spec, manifest: Manifest, best: Scored | None) -> str:
    if manifest.code is not None:
        return code_run.stated(manifest.code)
    if manifest.note:
        return f"Stated in the plan: {prose(manifest.note)}"
    if manifest.origin is Origin.PLAIN:
        return "None was stated: the run measures the workspace as it is."
    against = f"the best so far, {number(best.value)}" if best else "nothing measured before"
    aim = f"{cell(spec.metric)} is to be {spec.metric_direction.value}d, against {against}"
    return f"None was stated beyond that this point is worth a measurement: {aim}."


def _method(spec: Spec, manifest: Manifest) -> str:
    tiered = spec.at_tier(manifest.fidelity_tier)
    found = manifest.code
    done = (
        f"Command: {commands(tiered)}" if found is None else code_run.made(tiered, manifest, found)
    )
    shown = "" if found is not None and not manifest.params else f"\n{_tried(manifest)}"
    return (
        f"{done}\n"
        f"Role {code(manifest.role)}, strategy {code(manifest.strategy)} "
        f"({manifest.origin.value}), tier {code(manifest.fidelity_tier)}, "
        f"seed {manifest.seed}, trial {manifest.trial}.\n"
        f"{_workspace(manifest.workspace)}{shown}"
    ).rstrip("\n")


def _workspace(facts: Mapping[str, Json]) -> str:
    told = workspace(facts)
    return f"Workspace: {escape(told)}.\n" if told else ""


def _result(manifest: Manifest, metrics: RunMetrics) -> str:
    status = "none" if manifest.exit_status is None else str(manifest.exit_status)
    lines = [
        f"- Outcome: {metrics.outcome.value}",
        f"- {cell(metrics.metric)}: {_value(manifest, metrics)}",
        f"- Reason: {prose(manifest.reason) or 'none given'}",
        f"- Exit status: {status}",
        f"- Time: {when(manifest.started_at)} to {when(manifest.completed_at)} UTC",
        f"- Cost: {usage(manifest.usage) if manifest.usage else 'not measured'}",
    ]
    lines.extend(_missing(manifest.workspace))
    lines.extend(filter(None, [code_run.spent(manifest.code)] if manifest.code else ()))
    return "\n".join(lines) + _secondary(metrics.secondary)


def _missing(facts: Mapping[str, Json]) -> Iterator[str]:
    """Name the patterns that no file of the run matched."""
    fields = {"missing_egress": "egress_files", "missing_artifacts": "artifacts_expected"}
    for fact, field in fields.items():
        patterns = facts.get(fact)
        if isinstance(patterns, list) and patterns:
            shown = ", ".join(code(str(name)) for name in patterns[:_MOST_PATTERNS])
            more = len(patterns) - _MOST_PATTERNS
            rest = f", {CUT} {more} more" if more > 0 else ""
            yield f"- Matched no file ({code(field)}): {shown}{rest}"


def _value(manifest: Manifest, metrics: RunMetrics) -> str:
    if metrics.value is not None:
        return repr(metrics.value)
    if manifest.code is None or manifest.code.measured is None:
        return "none"
    return f"none; {number(manifest.code.measured)} was measured, and what is not accepted has none"


def _samples(decision: Decision | None) -> str:
    return "" if decision is None else f"\n\n{code_run.samples(decision)}"


def _secondary(values: Mapping[str, float]) -> str:
    if not values:
        return ""
    names = list(values)[:_MOST_SECONDARY]
    rows = [(cell(name), number(values[name])) for name in names]
    more = len(values) - len(names)
    rest = f"\n\n{CUT} and {more} more in metrics.json." if more else ""
    return f"\n\n{table(('Secondary metric', 'Value'), rows, align='lr')}{rest}"


_MEANINGS = {
    Outcome.FAILED: "The command failed, so nothing was measured; this says nothing of the value.",
    Outcome.TIMEOUT: "The run took longer than it may, so nothing was measured.",
    Outcome.NO_METRIC: "The command ended well and named no value, so there is none.",
    Outcome.INVALID_METRIC: "What the command gave as value is not a finite number.",
    Outcome.TAMPERED: "What measures was touched, so what it measured does not count.",
    Outcome.OUT_OF_BOUNDS: "The change reached beyond what may be changed, so it does not count.",
    Outcome.NO_OP: "Nothing was changed, so there was nothing to measure.",
    Outcome.REJECTED: "The candidate was measured and turned down.",
    Outcome.INCONCLUSIVE: "The measurements do not tell the candidate from the best.",
    Outcome.SKIPPED: "The proposal was passed over, so nothing was run.",
    Outcome.INTERRUPTED: "The run was cut off from outside; this says nothing of the trial.",
    Outcome.INFRA: "The lab or the machine failed; this says nothing of the trial.",
    Outcome.STUB: "Nothing is configured to run: neither a success nor a failure.",
}


def _interpretation(
    spec: Spec,
    manifest: Manifest,
    metrics: RunMetrics,
    best: Scored | None,
    decision: Decision | None,
) -> str:
    if decision is not None:
        return code_run.verdict(metrics.outcome, manifest.reason, decision)
    if metrics.value is None:
        return _MEANINGS.get(metrics.outcome, "The run succeeded without a value.")
    tier = code(manifest.fidelity_tier)
    if best is None:
        taken = "Accepted" if metrics.accepted else "Not accepted"
        return f"{taken}: it is the first success of tier {tier}, there was nothing to compare."
    compared = f"the best of tier {tier} before it, {number(best.value)} in {code(best.run_id)}"
    return f"{_verdict(spec, metrics.value, best, accepted=metrics.accepted)} {compared}."


def _verdict(spec: Spec, value: float, best: Scored, *, accepted: bool) -> str:
    difference = number(abs(value - best.value))
    if accepted:
        return f"Accepted: better by {difference} than"
    if value == best.value:
        return "Not accepted: equal to"
    if not _is_better(spec, value, best):
        return f"Not accepted: worse by {difference} than"
    return f"Not accepted: better, but only by {difference}, less than is asked for, than"


def _next(spec: Spec, manifest: Manifest, metrics: RunMetrics, state: ExperimentState) -> str:
    best = state.best(manifest.fidelity_tier)
    lines = [_consequence(spec, metrics, state, best, is_code=manifest.code is not None)]
    if not spec.has_command:
        lines.append("Set `executor_command` in SPEC.yaml, so that runs measure something.")
    total = spec.max_iterations_total
    left = None if total is None else total - state.charged_count - metrics.outcome.is_charged
    if left is not None and left <= 0:
        lines.append(f"The {plural(total or 0, 'iteration')} of the experiment are used up.")
    else:
        role = code(role_for(spec, manifest.iteration + 1))
        budget = "" if left is None else f", with {plural(left, 'iteration')} left"
        lines.append(f"The next iteration wears the role {role}{budget}.")
    lines.append("`NEXT.md` of the experiment says what holds now.")
    return "\n".join(lines)


def _consequence(
    spec: Spec,
    metrics: RunMetrics,
    state: ExperimentState,
    best: Scored | None,
    *,
    is_code: bool,
) -> str:
    if metrics.outcome.is_retried:
        return "The same trial runs again, unless it has been cut off too often."
    if metrics.outcome.is_failure:
        streak = plural(state.failure_streak + 1, "failure")
        return f"Failures in a row, with this one: {streak}. The log files say more."
    if metrics.accepted and is_code:
        begins = "The next change begins from this code, and is compared with it."
        return f"{begins}{_promoted(spec)}" if best is not None else begins
    if metrics.accepted:
        return "The next runs of this tier are compared with this one."
    if metrics.value is not None and _is_better(spec, metrics.value, best):
        return "Its value is the best of the tier so far, though it is not accepted."
    return "The best of the tier stays what it was."


def _promoted(spec: Spec) -> str:
    """Say where an accepted change of code goes; whether it got there, the journal tells."""
    where = {
        "patch-only": "`artifacts/diff.patch` keeps the change.",
        "apply-on-accept": "The change is to be applied to the workspace next.",
        "commit-on-accept": f"The change is to be committed to {code(BRANCHES + spec.id)} next.",
    }
    return f"\n{where[spec.promotion_strategy]}"


def _is_better(spec: Spec, value: float, best: Scored | None) -> bool:
    return best is None or spec.metric_direction.better(value, best.value)
