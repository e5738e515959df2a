"""What came of running a sealed run again, for a terminal. Called by the command.

Pure, without colour. Limit first: lists are cut, and no line is wider than the terminal if that
has 40 cells at least; ``format=json`` has all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hermes.model import Usage
from hermes.render.tables import Column, columns, labelled
from hermes.render.text import CUT, NONE, clip, duration, number, params, plural, size
from hermes.reproduction.records import (
    Condition,
    FilesKept,
    Findings,
    Match,
    Reproduction,
    Values,
    Verdict,
)

_LONG = 600
_DIGEST = 16
_MOST_NAMES = 8
_MOST_METRICS = 20
_WORDS = {
    Verdict.REPRODUCED: "reproduced",
    Verdict.WITHIN_NOISE: "reproduced within noise",
    Verdict.NOT_REPRODUCED: "not reproduced",
    Verdict.CANNOT: "cannot be reproduced",
}
_MATCHES = {
    Match.EQUAL: "the same",
    Match.WITHIN_NOISE: "within noise",
    Match.DIFFERENT: "different",
    Match.MISSING: "only one has it",
}


def verdict(found: Findings) -> str:
    """Return the verdict and what it rests on, in words."""
    return f"{_WORDS[found.verdict].capitalize()}: {clip(found.reason, _LONG).rstrip('.')}"


def reproduction_text(found: Reproduction, *, width: int) -> str:
    """Return the whole answer for a terminal ``width`` cells wide."""
    parts = [
        labelled(_standing(found), width),
        _compared(found, width),
        labelled(_beside(found), width),
        ["What it depends on:", *labelled(_conditions(found.conditions), width)],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _standing(found: Reproduction) -> Iterable[tuple[str, str]]:
    yield "Run", f"{clip(found.run_id, 100)} of {clip(found.experiment, 64)}"
    yield "Verdict", _WORDS[found.verdict]
    yield "Why", clip(found.reason, _LONG)
    yield "Params", params(found.params, _LONG) if found.params else ""
    yield "Seed", f"{found.seed}, tier {clip(found.fidelity_tier, 64)}"


_HEADS = (
    Column("", need=9, most=40),
    Column("THEN", need=7, most=40),
    Column("NOW", need=8, most=40),
    Column("", need=6),
)


def _compared(found: Reproduction, width: int) -> list[str]:
    """Return the table of what was measured; empty when nothing was."""
    if found.recorded is None or found.again is None:
        return []
    then, now = found.recorded.outcome, found.again.outcome
    rows = [("outcome", then, now, "the same" if then == now else "different")]
    if found.value is not None:
        rows.append(_row(found.metric, found.value))
    beside = list(found.secondary.items())
    rows += [_row(name, values) for name, values in beside[:_MOST_METRICS]]
    rows += _usage_rows(found.recorded_usage, found.usage)
    more = len(beside) - _MOST_METRICS
    cut = [f"{CUT} {plural(more, 'more metric')}"] if more > 0 else []
    return [columns(_HEADS, rows, width=width), *cut]


def _row(name: str, values: Values) -> tuple[str, str, str, str]:
    then, now = (
        _measured(mean, count)
        for mean, count in (
            (values.recorded_mean, len(values.recorded)),
            (values.again_mean, len(values.again)),
        )
    )
    return clip(name, 40), then, now, _MATCHES[values.match]


def _measured(mean: float | None, count: int) -> str:
    return number(mean) if count < 2 else f"{number(mean)} (mean of {count})"


def _usage_rows(then: Usage | None, now: Usage | None) -> list[tuple[str, str, str, str]]:
    pairs = [_usage(then), _usage(now)]
    names = ("wall time", "CPU time", "peak memory")
    return [(name, *both, "") for name, *both in zip(names, *pairs, strict=True)]


def _usage(spent: Usage | None) -> tuple[str, str, str]:
    if spent is None:
        return NONE, NONE, NONE
    return (
        duration(spent.wall_seconds),
        duration(spent.cpu_seconds),
        size(spent.peak_memory_bytes),
    )


def _beside(found: Findings) -> Iterable[tuple[str, str]]:
    if found.files is not None:
        yield "Files", _files(found.files)
    again = found.again
    if again is not None and again.reason and again.reason not in found.reason:
        yield "It said", clip(again.reason, _LONG)


def _files(kept: FilesKept) -> str:
    named = {"different": kept.different, "gone": kept.missing, "new": kept.new}
    told = [f"{len(names)} {word} ({_names(names)})" for word, names in named.items() if names]
    if not told and not kept.same:
        return "none kept"
    return ", ".join([f"{kept.same} the same", *told])


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(clip(name, 60) for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown}, {CUT} {more} more" if more > 0 else shown


_SAME = {True: "as it was", False: "another", None: "unknown whether as it was"}


def _conditions(conditions: Iterable[Condition]) -> Iterable[tuple[str, str]]:
    for condition in conditions:
        told = _SAME[condition.same]
        if condition.note:
            told += f" ({clip(condition.note, _LONG)})"
        if condition.same:
            yield _label(condition), f"{told}: {_short(condition.now)}"
        else:
            yield (
                _label(condition),
                f"{told}: {_short(condition.recorded)}, now {_short(condition.now)}",
            )


def _short(text: str) -> str:
    """Return a condition in words, a digest by its beginning."""
    is_digest = len(text) == 64 and text.isalnum()
    return text[:_DIGEST] if is_digest else clip(text, _LONG)


def _label(condition: Condition) -> str:
    return clip(condition.name.replace("_", " "), 11)
