"""NEXT.md: what happens next with an experiment, and why. Called by ``experiment``.

Pure. Limit first: leases, workers and the clock are not known here, so this says what may run and
from when, and not that something is running.
"""

from __future__ import annotations

from collections.abc import Iterable

from hermes import policy
from hermes.model import Phase
from hermes.render.advice import advice, answers, refusal
from hermes.render.stages import who_changes
from hermes.render.tables import table
from hermes.render.text import CUT, cell, code, command, number, params, plural, prose, when
from hermes.spec import Spec
from hermes.state import ExperimentState, Retry, Scored
from hermes.status import Status
from hermes.steering import Request, Steering

_MOST_RETRIES = 20
_MOST_REQUESTS = 5
_REASON = 400


def outlook_page(spec: Spec, state: ExperimentState, status: Status) -> str:
    """Return NEXT.md without its foot."""
    parts = [
        f"# What happens next: {cell(status.id)}",
        _blocked(status) or _due(spec, state, status),
        _waiting(status),
        _not_promoted(status),
        _next_run(spec, state, status),
        _retries(state.retries),
        _asked_for(state.steering),
        "\n".join(["## Limits", "", *_limits(spec, state)]),
        _commands(status),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _blocked(status: Status) -> str:
    told = advice(status)
    if told is None:
        return ""
    lines = [
        f"Nothing runs by itself: the experiment is {status.phase.value}.",
        f"Why: {prose(told.why, _REASON)}",
    ]
    if told.look:
        lines.append(f"Look: `{told.look}`")
    before = f"{told.before}, then: " if told.before else "Then: "
    return "\n".join([*lines, f"{before}`{told.command}`"])


def _not_promoted(status: Status) -> str:
    told = refusal(status)
    if told is None:
        return ""
    lines = [
        "## Waits for a person, and stops nothing",
        "",
        f"- Why: {prose(told.why, _REASON)}",
        f"- Look: `{told.look}`",
        f"- All kept changes as patches: `{told.command}`",
        "- The next accepted change holds this one, and is promoted by itself.",
    ]
    return "\n".join(lines)


def _due(spec: Spec, state: ExperimentState, status: Status) -> str:
    change = policy.review(state, spec, attended=False)
    if change is not None:
        return (
            f"The next cycle runs nothing and sets the phase to {change.phase.value}: "
            f"{prose(change.reason, _REASON)}"
        )
    if status.waits_for_agents and status.best_run is not None:
        ask = _ask(status)
        return f"Nobody is called to change the code: agents ask for work with `{ask}`."
    cadence = f"cadence {code(spec.cadence)}" if spec.cadence else "no cadence is set"
    if status.next_due_at is None:
        return f"It is due in every cycle ({cadence})."
    return f"It is due from {when(status.next_due_at)} on ({cadence})."


def _next_run(spec: Spec, state: ExperimentState, status: Status) -> str:
    iteration = state.last_iteration + 1
    following = status.next_fidelity_tier
    after = f", the tier after it is {code(following)}" if following else ""
    lines = [
        f"## The next run{' once it may run' if status.blocked_reason else ''}",
        "",
        f"- Iteration: {iteration}",
        f"- Role: {code(policy.role_for(spec, iteration))}",
        f"- Tier: {code(status.current_fidelity_tier)}{after}",
        f"- What: {_what(spec, state, status.current_fidelity_tier)}",
    ]
    if not spec.at_tier(status.current_fidelity_tier).has_command:
        lines.append("- No command is configured, so it will be a stub and have no metric.")
    return "\n".join(lines)


def _what(spec: Spec, state: ExperimentState, tier: str) -> str:
    if state.retries:
        return f"a trial that was cut off, {code(state.retries[0].run_id)}, again"
    if state.steering.points:
        return f"what a person asked for, {code(state.steering.points[0].id)}"
    if spec.at_tier(tier).is_code_loop:
        return _change(spec.at_tier(tier), state.incumbents.get(tier))
    if spec.strategy is None:
        return "the commands as they are, no strategy is set"
    return f"what the strategy {code(spec.strategy)} proposes"


def _change(spec: Spec, incumbent: Scored | None) -> str:
    """Return what a run of the code loop will do; ``spec`` stands at the tier."""
    if incumbent is None:
        return "the code as it is is measured, so that candidates have something to beat"
    start = f"{code(incumbent.run_id)}, {number(incumbent.value)}"
    if spec.waits_for_agents:
        return f"what an agent sends: a change of the code of {start}"
    return f"a change of the code of {start}, by {who_changes(spec)}"


def _waiting(status: Status) -> str:
    if not status.approvals:
        return ""
    approval = status.approvals[0]
    return "\n".join(
        [
            "## Waits for an answer",
            "",
            f"Proposal {code(approval.id)} of {code(approval.strategy)}, trial {approval.trial}:",
            f"It sets {code(params(approval.params, 300), 300)}.",
            *([f"Its reason: {prose(approval.note)}"] if approval.note else ()),
            "",
            *(f"- `{answer}`" for answer in answers(status.id, approval.id)),
        ]
    )


def _asked_for(steering: Steering) -> str:
    """Return what people asked for, in the order of its turn; ideas go with the next proposal."""
    wanted = [*steering.points, *steering.ideas]
    if not wanted:
        return ""
    rows = [_request(item) for item in wanted[:_MOST_REQUESTS]]
    text = table(("Request", "Asked for", "What", "Why"), rows)
    more = len(wanted) - _MOST_REQUESTS
    rest = f"\n\n{CUT} and {more} more." if more > 0 else ""
    return f"## Asked for by people\n\n{text}{rest}"


def _request(item: Request) -> tuple[str, ...]:
    if item.proposal is None:
        return (
            code(item.id),
            when(item.at),
            "an idea, for whoever proposes next",
            cell(item.text, 300),
        )
    what = "not to be run: " if item.skip else ""
    tried = code(params(item.proposal.params, 160), 160)
    return (
        code(item.id),
        when(item.at),
        f"{what}{tried}",
        cell(item.text or item.proposal.note, 160),
    )


def _retries(retries: tuple[Retry, ...]) -> str:
    if not retries:
        return ""
    rows = [
        (str(item.trial), code(item.run_id), str(item.tries), code(params(item.params), 160))
        for item in retries[:_MOST_RETRIES]
    ]
    text = table(("Trial", "Cut off in", "Times", "Params"), rows, align="rlrl")
    more = len(retries) - _MOST_RETRIES
    rest = f"\n\n{CUT} and {more} more." if more > 0 else ""
    return f"## Trials that run again\n\n{text}{rest}"


def _limits(spec: Spec, state: ExperimentState) -> Iterable[str]:
    total = spec.max_iterations_total
    if total is None:
        yield f"- Iterations: {state.charged_count} used, no limit is set"
    else:
        left = max(0, total - state.charged_count)
        yield f"- Iterations: {state.charged_count} of {total} used, {left} left"
    limit = policy.streak_limit(state, spec)
    yield f"- Failures in a row: {state.failure_streak}; a burst stops for a person at {limit}"
    if not spec.autonomous:
        yield "- `autonomous` is false: an unattended cycle waits for a person after each run"


def _ask(status: Status) -> str:
    return command("agent_next", exp=status.id, worker="NAME")


def _work(status: Status) -> Iterable[str]:
    """Return what makes runs; where agents come by themselves, a burst makes the baseline alone."""
    if not status.waits_for_agents:
        several = command("burst", exp=status.id, n="10")
        yield f"- {plural(10, 'iteration')} now, at your word: `{several}`"
        return
    if status.best_run is None:
        yield f"- The code as it is, measured: `{command('burst', exp=status.id, n='1')}`"
    yield f"- Work for an agent: `{_ask(status)}`"


def _commands(status: Status) -> str:
    lines = ["## Commands", ""]
    if status.phase in (Phase.QUEUED, Phase.ACTIVE, Phase.AWAITING_HUMAN):
        lines.extend(_work(status))
    if status.phase in (Phase.QUEUED, Phase.ACTIVE):
        lines.append(f"- Hold it: `{command('pause', exp=status.id)}`")
    if status.phase is not Phase.COMPLETED:
        lines.append(f"- End it: `{command('complete', exp=status.id)}`")
    return "\n".join([*lines, f"- See it: `{command('show', exp=status.id)}`"])
