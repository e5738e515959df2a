"""Runs of the code loop for a terminal: a table of them, and what one run changed. For ``show``.

Pure, without colour. Limits first: a patch is cut after 60 lines, a log to its last 10; the files
that are named have them whole. A narrow table gives up the run ids first: ``run=`` takes the
number just as well. No number of a hold-out is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hermes.acceptance import Decision
from hermes.measured import Code
from hermes.model import IndexLine, Manifest, Outcome
from hermes.plain_text import readable
from hermes.render.tables import Column, columns, fit, labelled, wrap
from hermes.render.text import CUT, NONE, clip, number, plural

_LONG = 400
_MOST_PATCH = 60
_MOST_LOG = 10
_HEADS = (
    Column("SEQ", need=9, right=True),
    Column("OUTCOME", need=8),
    Column("MEASURED", need=7, right=True),
    Column("LINES", need=3, right=True),
    Column("HYPOTHESIS", need=6, least=16, most=72),
    Column("REASON", need=5, least=14, most=72),
    Column("RUN", need=1, most=64),
)


@dataclass(frozen=True)
class Trail:
    """What the bundle of a run holds beside its manifest: the decision, the patch, and a log.

    ``patch`` and ``log`` (what was said while the code was changed) are None when there is none.
    """

    decision: Decision | None = None
    patch: bytes | None = None
    log: bytes | None = None


def candidates_table(runs: Sequence[IndexLine], width: int) -> str:
    """Return a table of runs, of which the first comes first."""
    return columns(_HEADS, [_row(run) for run in runs], width=width)


def _row(run: IndexLine) -> tuple[str, ...]:
    found = run.code or Code("")
    changed = found.candidate is not None and found.compared_with is not None
    return (
        str(run.seq),
        run.outcome.value,
        number(found.measured),
        f"+{found.added} -{found.removed}" if changed else NONE,
        clip(_hypothesis(found), 72),
        clip(run.reason, 72) or NONE,
        clip(run.run_id, 64),
    )


def _hypothesis(found: Code) -> str:
    return found.hypothesis or ("(the code as it was)" if found.compared_with is None else NONE)


# One run


def code_facts(found: Code) -> Iterator[tuple[str, str]]:
    """Yield what a run changed and measured, labelled."""
    yield "Hypothesis", clip(_hypothesis(found), _LONG)
    if found.compared_with is not None:
        lines = f"{plural(found.added, 'line')} added, {found.removed} removed"
        candidate = "no candidate" if found.candidate is None else lines
        yield "Change", f"{candidate}; from the code of {clip(found.compared_with, 100)}"
    yield "Measured", "" if found.measured is None else number(found.measured)
    yield "Agent", _spent(found)


def _spent(found: Code) -> str:
    cost = found.spending
    if not cost.calls:
        return ""
    dollars = "" if cost.cost_usd is None else f", {number(cost.cost_usd)} US dollars"
    return plural(cost.calls, "call") + dollars


def trail_sections(manifest: Manifest, trail: Trail, width: int) -> Iterator[list[str]]:
    """Yield the decision on a run, its patch, and what was said where no candidate came of it."""
    if trail.decision is not None:
        yield labelled(_decided(trail.decision), width)
    if trail.patch:
        shown = _lines(trail.patch)
        more = len(shown) - _MOST_PATCH
        cut = [f"{CUT} {more} more lines in artifacts/diff.patch"] if more > 0 else []
        yield ["Patch:", *(fit(line, width) for line in shown[:_MOST_PATCH]), *cut]
    if trail.log is not None and manifest.outcome is not Outcome.SUCCESS:
        said = [line for line in _lines(trail.log) if line.strip()][-_MOST_LOG:]
        title = wrap("Said while the code was changed (artifacts/mutation.log):", width)
        yield [*title, *(f"  {fit(line, width - 2)}" for line in said or ["(nothing)"])]


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace").expandtabs(4)
    return [readable(line.rstrip("\r")) for line in text.rstrip("\n").split("\n")]


def _decided(decision: Decision) -> Iterator[tuple[str, str]]:
    told, taken = decision.comparison, decision.case.measurement
    hidden = decision.holdout is not None and not decision.holdout.passed
    yield "Verdict", decision.verdict.value
    yield "Because", "" if hidden else clip(decision.reason, _LONG)
    yield "Samples", _samples([sample.value for sample in taken.candidate])
    yield "Incumbent, in turns", _samples([sample.value for sample in taken.incumbent])
    if told is not None:
        asked = f"{number(told.min_improvement)} was asked for"
        yield "Gain", f"{number(told.gain)} over {plural(told.pairs, 'pair')}; {asked}"
    guards = (
        f"{clip(guard.metric, 40)} {number(guard.mean)} {'kept' if guard.kept else 'broken'}"
        for guard in decision.guards
    )
    yield "Guards", ", ".join(guards)
    if decision.holdout is not None:
        yield "Hold-out", "passed" if decision.holdout.passed else "not passed"


def _samples(values: Sequence[float]) -> str:
    shown = ", ".join(map(number, values[:12]))
    return f"{shown}, {CUT} {len(values) - 12} more" if len(values) > 12 else shown
