"""Writes the prompt in which an agent is asked to change code. Pure.

Limits first: a prompt has at most ``MOST_BYTES`` bytes of UTF-8. Goal, boundaries and rule of
acceptance stand in it before all else, each within its own bounds; of the rest, what is further
down in its section is left out first, and that is said. What people and earlier runs wrote stands
as quotations. The last line of an answer that it asks for is read by ``hypothesis``.

A prompt depends on its ``Brief`` alone: no time, no run's name but those in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hermes.model import Direction
from hermes.plain_text import fitting, one_line, readable, size, within
from hermes.sections import MORE, Section, filled, joined, quoted
from hermes.spec import Acceptance, Guard

MOST_BYTES = 40 * 1024
_GOAL_BYTES = 2000
_RULE_BYTES = 1500
_NAME_BYTES = 200
_LIST_BYTES = 3000
_MARK = "HYPOTHESIS:"

_HEAD = """\
# Change code so that a number gets better

You are one iteration of an experiment. Work in the present folder, which is a copy of the code \
at its best so far. Make one change that you expect to be an improvement, then stop: the lab \
measures what you left, compares it, and keeps it or throws it away.

## Goal

{goal}

- The number is {metric}, and it is to be {direction}d.
- Best so far: {best}
- Tier: {tier}. You have {minutes} for your change; what is not finished then counts for nothing.

## Where you may change files

{mutable}

Everything else is out of bounds{read_only}

- A change to a read-only file, or to what measures, is recorded as `tampered`: it counts for \
nothing, and everybody can see it.
- Any other change outside the paths above, and any link, is `out-of-bounds`: the whole candidate \
counts for nothing.
- Leaving the files as they are is `no-op`, and so is not worth your time; an exact repeat of an \
earlier change is refused without being measured.
- The measurement runs where you have never been, with files of the lab's own: editing what \
measures, printing the number yourself, or leaving a process behind changes nothing.
- Nobody answers questions, and no other prompt follows this one.

## When it is accepted

{acceptance}
"""
_END = f"""
## How to end

Say in a few sentences what you changed and why. The last line of your answer is:

{_MARK} <one sentence: what you changed, and why the number should get better>
"""
_NO_BEST = "nothing was accepted yet, so any measured value of the code as it is."


@dataclass(frozen=True)
class Brief:
    """All that a prompt tells of an experiment, its best, and what was learned.

    ``best`` is the value of ``best_run``. ``minutes`` is the time of the call. ``context`` is
    context.md, ``program`` PROGRAM.md, ``decisions`` CHANGELOG.md and ``instructions`` the
    instruction file, whole. ``rule`` is the acceptance rule in the user's words.
    """

    goal: str
    metric: str
    direction: Direction
    tier: str
    minutes: float
    mutable_paths: Sequence[str]
    read_only_paths: Sequence[str] = ()
    constraints: Sequence[str] = ()
    acceptance: Acceptance = field(default_factory=Acceptance)
    rule: str = ""
    best: float | None = None
    best_run: str | None = None
    context: str = ""
    program: str = ""
    decisions: str = ""
    instructions: str = ""


def briefing(brief: Brief) -> str:
    """Return the prompt."""
    head = _head(brief)
    texts = filled(_sections(brief), MOST_BYTES - size(head) - size(_END))
    return head + "".join(texts) + _END


# The parts


def _head(brief: Brief) -> str:
    return _HEAD.format(
        goal=within(f"> {one_line(brief.goal)}", _GOAL_BYTES),
        metric=_name(brief.metric),
        direction=brief.direction.value,
        best=_best(brief),
        tier=_name(brief.tier),
        minutes=f"{brief.minutes:g} minutes",
        mutable=_listed(brief.mutable_paths),
        read_only=_read_only(brief.read_only_paths),
        acceptance="\n".join(f"- {line}" for line in _acceptance(brief)),
    )


def _sections(brief: Brief) -> list[Section]:
    decisions = reversed(quoted(brief.decisions))
    constraints = [
        f"- {within(readable(one_line(item)), _GOAL_BYTES)}" for item in brief.constraints
    ]
    return [
        Section("Constraints", constraints, 5),
        Section("Instructions for you", quoted(brief.instructions), 10),
        Section("PROGRAM.md: what people want to find out", quoted(brief.program), 10),
        Section("CHANGELOG.md: what people decided", decisions, 6, is_last_first=True),
        Section("What was tried, and what came of it", quoted(brief.context), 10),
    ]


def _best(brief: Brief) -> str:
    if brief.best is None:
        return _NO_BEST
    run = f" (run {_name(brief.best_run)})" if brief.best_run else ""
    return f"{brief.best!r}{run}; that is the code in this folder."


def _read_only(paths: Sequence[str]) -> str:
    return f"; these are read-only whatever is said above:\n\n{_listed(paths)}" if paths else "."


def _acceptance(brief: Brief) -> Iterator[str]:
    """Say in words and numbers what the lab asks for."""
    rule = brief.acceptance
    better = "larger" if brief.direction is Direction.MAXIMIZE else "smaller"
    yield f"The value must be {better} than the best so far{_margin(rule)}; equal is not better."
    if rule.repeats > 1 or (rule.max_repeats or 1) > 1:
        yield _repeated(rule)
    yield from _bounded(_guards(rule.guards), _RULE_BYTES)
    if brief.rule.strip():
        yield f"In the words of the experiment: {within(one_line(brief.rule), _RULE_BYTES)}"


def _margin(rule: Acceptance) -> str:
    if not rule.min_improvement:
        return ""
    if rule.relative:
        return f" by at least {rule.min_improvement * 100:g} % of it"
    return f" by at least {rule.min_improvement:g}"


def _repeated(rule: Acceptance) -> str:
    most = f", at most {rule.max_repeats} times" if rule.max_repeats else ""
    return (
        f"It is measured {rule.repeats} times or more{most}, in turns with the best so far, and "
        f"must be better beyond noise at a confidence of {rule.confidence:g}."
    )


def _guards(guards: Mapping[str, Guard]) -> Iterator[str]:
    for name, guard in guards.items():
        bounds = [
            f"at {word} {bound:g}"
            for word, bound in (("least", guard.min), ("most", guard.max))
            if bound is not None
        ]
        yield f"{_name(name)} must be {' and '.join(bounds)}." if bounds else ""


def _listed(paths: Sequence[str]) -> str:
    lines = (f"- {_name(path)}" for path in paths)
    return joined(_bounded(lines, _LIST_BYTES)).rstrip("\n") or "- nothing"


def _bounded(lines: Iterable[str], room: int) -> list[str]:
    kept, is_all = fitting((line for line in lines if line), room)
    return kept if is_all else [*kept, MORE]


def _name(text: str) -> str:
    """Return a name or a glob as code."""
    shown = readable(one_line(text)).replace("`", "'")
    return f"`{within(shown, _NAME_BYTES)}`"
