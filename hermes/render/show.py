"""One experiment, or one run, for a terminal; the commands find both in ``overview``.

Pure, without colour. Limits first: what is long is cut here, the files it names have it whole;
no line is wider than the terminal, if that has 40 cells at least. A narrow table gives up first
what says the same in every row, and its run ids last: they are what ``run=`` takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hermes.layout import PROJECTIONS
from hermes.model import IndexLine, Manifest, Params, RunMetrics
from hermes.plain_text import sentence
from hermes.render.advice import advice, answers
from hermes.render.approval import proposal_lines
from hermes.render.code_show import Trail, candidates_table, code_facts, trail_sections
from hermes.render.recorded import usage, workspace
from hermes.render.tables import Column, broken_command, cells, columns, fit, labelled, wrap
from hermes.render.text import (
    CUT,
    NONE,
    clip,
    command,
    duration,
    number,
    param,
    params,
    plural,
    size,
    when,
)
from hermes.status import Status

if TYPE_CHECKING:  # a list of experiments folds nothing
    from hermes.state import ExperimentState, Scored

_LONG = 400
_MOST_PARAMS = 40
_MOST_NAMES = 12
_MOST_REQUESTS = 5
LAST_LINES = 10
LAST_BYTES = 8192


def show_text(status: Status, state: ExperimentState, *, width: int) -> str:
    """Return one experiment for a terminal: its state, its recent runs, and where files are."""
    parts = [
        labelled(_standing(status, state), width),
        _blocked_lines(status, width),
        _waiting_lines(status, width),
        _recent_lines(state.recent, width),
        labelled(_places(status), width),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _standing(status: Status, state: ExperimentState) -> Iterable[tuple[str, str]]:
    yield "Experiment", clip(status.id, 64)
    yield "Phase", status.phase.value
    yield "Goal", clip(status.goal, _LONG)
    yield "Metric", f"{clip(status.metric, _LONG)}, {status.metric_direction.value}"
    yield "Best", _best(status)
    yield "Params", params(_best_params(status, state), _LONG) if _has_params(status, state) else ""
    yield "Runs", f"{status.run_count}{_outcomes(state.outcome_counts)}"
    yield "Time", duration(state.wall_seconds) + " of running"
    yield "Tier", _tiers(status)
    yield "Priority", f"{status.priority.value}{'' if status.autonomous else ', not autonomous'}"
    yield from _times(status)
    yield "Asked for", _asked_for(state)
    yield "Promotion", _promotion(status)
    yield "Failures", f"{status.failure_streak} in a row" if status.failure_streak else ""


def _asked_for(state: ExperimentState) -> str:
    """Return how much people asked for that is still to be done, and by which ids."""
    points, ideas = state.steering.points, state.steering.ideas
    counts = ((len(points), "point"), (len(ideas), "idea"))
    told = [plural(count, noun) for count, noun in counts if count]
    names = [clip(item.id, 64) for item in (*points, *ideas)]
    listed = ", ".join(names[:_MOST_REQUESTS]) + (f", {CUT}" if len(names) > _MOST_REQUESTS else "")
    return f"{' and '.join(told)} of people, tried first: {listed}" if told else ""


def _times(status: Status) -> Iterable[tuple[str, str]]:
    """Say when it ran and when it is due; that the times are UTC, once."""
    utc = " UTC"
    if status.last_run_at:
        yield "Last run", f"{when(status.last_run_at)}{utc} {status.last_run or ''}".strip()
        utc = ""
    if status.next_due_at:
        yield "Next due", when(status.next_due_at) + utc


def _best(status: Status) -> str:
    if status.best_run is None:
        return "none yet"
    return f"{number(status.best_metric_value)} in {clip(status.best_run, 100)}"


def _has_params(status: Status, state: ExperimentState) -> bool:
    return status.best_run is not None and not state.evaluators


def _best_params(status: Status, state: ExperimentState) -> Mapping[str, bool | int | float | str]:
    tops: list[Scored] = [top[0] for top in state.top_by_tier.values() if top]
    return next((top.params for top in tops if top.run_id == status.best_run), {})


def _promotion(status: Status) -> str:
    last = status.promotion
    if last is None:
        return ""
    return clip(f"{last.run_id} {last.decision.value}: {last.reason}", _LONG)


def _outcomes(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} {clip(name, 20)}" for name, count in counts.items())
    return f" ({told})" if told else ""


def _tiers(status: Status) -> str:
    following = f", next {status.next_fidelity_tier}" if status.next_fidelity_tier else ""
    return clip(status.current_fidelity_tier + following, _LONG)


def _blocked_lines(status: Status, width: int) -> list[str]:
    told = advice(status)
    if told is None:
        return []
    lines = wrap(sentence(f"It does not run: {clip(told.why, _LONG)}"), width)
    if status.approvals:
        return lines
    if told.look:
        lines += ["Look:", *broken_command(f"  {told.look}", width)]
    lines += wrap(f"{told.before}, then:" if told.before else "Then:", width)
    return [*lines, *broken_command(f"  {told.command}", width)]


def _waiting_lines(status: Status, width: int) -> list[str]:
    """Return what waits for a person's answer, and the commands that give one."""
    lines: list[str] = []
    for approval in status.approvals:
        lines += ["Waits for an answer:", *proposal_lines(approval, width=width), "Answer with:"]
        for answer in answers(status.id, approval.id):
            lines += broken_command(f"  {answer}", width)
    return lines


_RECENT = (
    Column("SEQ", need=7, right=True),
    Column("RUN", need=10, most=64),
    Column("OUTCOME", need=8),
    Column("VALUE", need=9, right=True),
    Column("BEST?", need=2),
    Column("STRATEGY", need=3, least=8, most=16),
    Column("PARAMS", need=6, least=12, most=60),
    Column("REASON", need=5, least=12, most=60),
)
_DROPPED_WHEN_CONSTANT = ("BEST?", "STRATEGY")
_ANY_WIDTH = 10_000
_STAGES = {
    "executor_command: ": "",
    "validation_command: ": "validation: ",
    "setup_command: ": "setup: ",
}


def _recent_lines(runs: Sequence[IndexLine], width: int) -> list[str]:
    if not runs:
        return ["No runs yet."]
    newest = list(reversed(runs))
    if any(run.code is not None for run in runs):
        table = candidates_table(newest, width)
    else:
        table = _runs_table([_recent_row(run) for run in newest], width)
    return ["Recent runs, the newest first:", table]


def _runs_table(rows: Sequence[Sequence[str]], width: int) -> str:
    """Return the table; one that is too wide goes without what is the same in every row."""
    whole = columns(_RECENT, rows, width=_ANY_WIDTH)
    if max(map(cells, whole.split("\n"))) <= width:
        return whole
    kept = [
        i
        for i, head in enumerate(_RECENT)
        if head.title not in _DROPPED_WHEN_CONSTANT or len({row[i] for row in rows}) > 1
    ]
    heads = [_RECENT[i] for i in kept]
    return columns(heads, [[row[i] for i in kept] for row in rows], width=width)


def _recent_row(run: IndexLine) -> tuple[str, ...]:
    return (
        str(run.seq),
        clip(run.run_id, 64),
        run.outcome.value,
        number(run.value),
        "yes" if run.accepted else NONE,
        clip(run.strategy, 16),
        params(_short_names(run.params), 60),
        clip(short_reason(run.reason), 60) or NONE,
    )


def _short_names(values: Params) -> Params:
    """Return dotted names by their last part where no other ends in the same."""
    ends = [name.rpartition(".")[2] for name in values]
    return {
        end if end and ends.count(end) == 1 else name: value
        for (name, value), end in zip(values.items(), ends, strict=True)
    }


def short_reason(reason: str) -> str:
    """Return a reason without the command that every run has."""
    for stage, short in _STAGES.items():
        if reason.startswith(stage):
            return short + reason[len(stage) :]
    return reason


def _places(status: Status) -> Iterable[tuple[str, str]]:
    yield "Folder", f"experiments/{status.id}/ (in the data root)"
    yield "Read", ", ".join(PROJECTIONS)
    yield "Runs", "runs/<run>/RESULT.md, stdout.log, stderr.log, artifacts/"
    yield "One run", command("show", exp=status.id, run="<run>") + " (its name or its number)"


# one run


def run_text(
    manifest: Manifest,
    metrics: RunMetrics,
    *,
    width: int,
    stderr: bytes | None = None,
    trail: Trail | None = None,
) -> str:
    """Return one sealed run for a terminal: what was tried, what came of it, where it is.

    ``stderr`` is the run's stderr.log, or its last ``LAST_BYTES``; only a failed run shows it.
    ``trail`` is what the bundle of a run of the code loop holds beside.
    """
    parts = [
        labelled(_run_facts(manifest, metrics), width),
        _complaint(manifest, metrics, stderr, width),
        _value_lines("Params", metrics.params, width),
        _value_lines("Secondary", metrics.secondary, width),
        *(trail_sections(manifest, trail, width) if trail else ()),
        labelled(_run_places(manifest), width),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _run_facts(manifest: Manifest, metrics: RunMetrics) -> Iterable[tuple[str, str]]:
    accepted = ", the best of its tier when sealed" if metrics.accepted else ""
    status = manifest.exit_status
    yield "Run", clip(manifest.run_id, 100)
    yield "Experiment", clip(manifest.experiment, 64)
    yield "Outcome", metrics.outcome.value + accepted
    yield "Reason", clip(manifest.reason, _LONG)
    yield "Value", _value(metrics)
    yield from code_facts(manifest.code) if manifest.code else ()
    yield "Iteration", f"{manifest.iteration} (trial {manifest.trial}, sealed as {manifest.seq})"
    yield "Role", clip(f"{manifest.role}, tier {manifest.fidelity_tier}", _LONG)
    yield "Strategy", clip(f"{manifest.strategy} ({manifest.origin.value})", _LONG)
    yield "Note", clip(manifest.note, _LONG)
    yield "Repeats", clip(manifest.parent_run or "", 100)
    yield "Answers", clip(", ".join(filter(None, (manifest.request, *manifest.ideas))), _LONG)
    yield "Seed", str(manifest.seed)
    yield "Times", f"{when(manifest.started_at)} to {when(manifest.completed_at)} UTC"
    yield "Exit", "" if status is None else str(status)
    yield "Cost", usage(manifest.usage) if manifest.usage else ""
    yield "Workspace", workspace(manifest.workspace)


def _complaint(
    manifest: Manifest, metrics: RunMetrics, stderr: bytes | None, width: int
) -> list[str]:
    """Return the end of what a failed run's commands printed on standard error."""
    if not metrics.outcome.is_failure:
        return []
    lines = wrap(f"Standard error: {_folder(manifest)}stderr.log", width)
    if stderr is None:
        return lines
    said = stderr[-LAST_BYTES:].decode("utf-8", "replace").expandtabs(4).splitlines()
    shown = [line.rstrip() for line in said if line.strip()][-LAST_LINES:]
    return [*lines, *(f"  {fit(clip(line, _LONG), width - 2)}" for line in shown or ["(empty)"])]


def _folder(manifest: Manifest) -> str:
    return f"experiments/{clip(manifest.experiment, 64)}/runs/{clip(manifest.run_id, 100)}/"


def _value(metrics: RunMetrics) -> str:
    metric = clip(metrics.metric, _LONG)
    return f"{metric}: none" if metrics.value is None else f"{metric} = {number(metrics.value)}"


def _value_lines(
    title: str, values: Mapping[str, bool | int | float | str], width: int
) -> list[str]:
    if not values:
        return []
    names = list(values)[:_MOST_PARAMS]
    rows = [(f"  {clip(name, 40)}", param(values[name])) for name in names]
    heads = (Column(title, need=1, least=12), Column("", least=8))
    more = len(values) - len(names)
    return [columns(heads, rows, width=width), *([f"  {CUT} {more} more"] if more else ())]


def _run_places(manifest: Manifest) -> Iterable[tuple[str, str]]:
    names = [
        f"{clip(name, 60)} ({size(entry.size)})"
        for name, entry in list(manifest.files.items())[:_MOST_NAMES]
    ]
    more = len(manifest.files) - len(names)
    yield "Folder", _folder(manifest)
    yield "Files", ", ".join(names) + (f", {CUT} {more} more" if more else "")
