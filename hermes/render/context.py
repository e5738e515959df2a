"""context.md: what an agent's prompt needs to know of an experiment. Called by ``experiment``.

Pure. Limits first: at most 4 KiB, of which older runs and notes are the first to be left out;
of a code loop at most 12 KiB, the rest being what was tried: what was kept first, then what was
not, each the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable

from hermes import codec
from hermes.model import IndexLine, Params
from hermes.plain_text import fitting, size, within
from hermes.render.text import CUT, clip, code, escape, number, params
from hermes.spec import Spec
from hermes.state import ExperimentState, Note
from hermes.status import Status, overall_best
from hermes.steering import Request
from hermes.tried import Memory, Tried

MOST_BYTES = 4096
MOST_BYTES_OF_CODE = 12 * 1024

_EXACT = 500
_MOST_EXACT = 50
_ROOM_FOR_NOTES = 700
_ROOM_FOR_REQUESTS = 500
_HEAD = """\
# Context: {id}

Goal: {goal}
Metric: {metric}, to {direction}; only a run with outcome success has a value.
Phase {phase}, tier {tier}; {runs} runs, {successes} succeeded, {streak} failures in a row.
Read `PROGRAM.md` (direction) and `CHANGELOG.md` (decisions) in the data root before proposing.
More: `SUMMARY.md`, `NEXT.md`, `best.md`, and each run in `runs/`.
"""
_OLDER = f"- {CUT} older ones are left out, see `SUMMARY.md`.\n"
_EARLIER = f"- {CUT} earlier ones are left out, see `metrics.jsonl`.\n"
_LATER = f"- {CUT} later ones are left out, see `NEXT.md`.\n"


def context_page(spec: Spec, state: ExperimentState, status: Status) -> str:
    """Return context.md, whole: at most ``MOST_BYTES`` bytes of UTF-8, or those of a code loop."""
    page = _page(spec, state, status)
    if not state.memory.count:
        return page
    return page + _tried(state.memory, MOST_BYTES_OF_CODE - size(page))


def _page(spec: Spec, state: ExperimentState, status: Status) -> str:
    head = _head(status) + _best(spec, state)
    points = state.steering.points
    asked = _filled("Asked for by people", map(_request, points), _ROOM_FOR_REQUESTS, rest=_LATER)
    notes = _filled("Notes, the newest first", map(_note, reversed(state.notes)), _ROOM_FOR_NOTES)
    room = MOST_BYTES - size(head) - size(asked) - size(notes)
    recent = _filled("Recent runs, the newest first", map(_run, reversed(state.recent)), room)
    return head + asked + recent + notes


def _head(status: Status) -> str:
    return _HEAD.format(
        id=escape(_within(status.id, 64)),
        goal=escape(_within(status.goal, 400)),
        metric=escape(_within(status.metric, 80)),
        direction=status.metric_direction.value,
        phase=status.phase.value,
        tier=code(_within(status.current_fidelity_tier, 40)),
        runs=status.run_count,
        successes=status.success_count,
        streak=status.failure_streak,
    )


def _best(spec: Spec, state: ExperimentState) -> str:
    best = overall_best(spec, state)
    if best is None:
        return "\n## Best\n\nNo run has succeeded yet.\n"
    tried = f" with {_params(best.params)}" if best.params else ""
    return f"\n## Best\n\n{best.value!r} in {code(_within(best.run_id, 100))}{tried}\n"


def _params(values: Params) -> str:
    """Return parameters exactly, as JSON, where they are short enough; else the first of them."""
    if len(values) <= _MOST_EXACT:
        exact = codec.to_json(values).decode().strip()
        if len(exact) <= _EXACT and exact.isprintable():
            return code(exact, _EXACT)
    return code(_within(params(values, _EXACT), _EXACT), _EXACT)


def _run(run: IndexLine) -> str:
    value = f" {number(run.value)}" if run.value is not None else ""
    best = ", accepted" if run.accepted else ""
    tried = f"; {code(_within(params(run.params, 160), 300), 300)}" if run.params else ""
    reason = f"; {escape(_within(run.reason, 160))}" if run.reason else ""
    return f"- {run.seq} {run.outcome.value}{value}{best}{tried}{reason}"


def _tried(memory: Memory, room: int) -> str:
    """Return what became of earlier candidates; nothing of it is to be tried again."""
    kept = map(_candidate, reversed(memory.kept))
    keeping = _filled("Changes that were kept", kept, room // 3, rest=_EARLIER)
    title = f"Changes that were not kept: do not try them again ({memory.count} tried in all)"
    dropped = map(_candidate, reversed(memory.dropped))
    return keeping + _filled(title, dropped, room - size(keeping), rest=_EARLIER)


def _candidate(item: Tried) -> str:
    what = escape(_within(item.hypothesis, 200)) or "no hypothesis was stated"
    measured = "" if item.measured is None else f" {number(item.measured)}"
    reason = f"; {escape(_within(item.reason, 120))}" if item.reason else ""
    size_of = f"+{item.added} -{item.removed}"
    return f"- {item.seq} {item.outcome.value}{measured} ({size_of} lines): {what}{reason}"


def _request(item: Request) -> str:
    assert item.proposal is not None, "an idea stands among the notes"
    tried = code(_within(params(item.proposal.params, 120), 200), 200)
    note = f"; {escape(_within(item.text, 120))}" if item.text else ""
    return f"- {tried}{note}"


def _note(note: Note) -> str:
    return f"- {escape(_within(note.by, 20))}: {escape(_within(note.text, 200))}"


def _filled(title: str, lines: Iterable[str], room: int, *, rest: str = _OLDER) -> str:
    """Return a section with as many lines as fit into ``room`` bytes; a cut says so."""
    head = f"\n## {title}\n\n"
    kept, is_all = fitting(lines, room - size(head) - size(rest))
    if is_all and not kept:
        return ""
    return head + "".join(f"{line}\n" for line in kept) + ("" if is_all else rest)


def _within(text: str, limit: int) -> str:
    """Return ``text`` on one line in at most ``limit`` bytes of UTF-8; ``…`` shows a cut."""
    return within(clip(text, limit), limit)
