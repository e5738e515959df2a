"""Which runs of a tier are compared with each other: those since its last baseline.

Pure; called by ``tiers``. Limit first: a search, which has no baselines, is one segment as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from hermes.analysis.findings import Segment
from hermes.discoveries import Discovery, discovery, takes_the_place
from hermes.model import Direction, IndexLine


def segments(runs: Sequence[IndexLine]) -> list[Segment]:
    """Return each baseline among the runs of a tier, the newest last."""
    return [
        Segment(run.seq, run.run_id, run.completed_at, run.code.evaluator)
        for run in runs
        if run.code is not None and run.begins_segment
    ]


def present(runs: Sequence[IndexLine]) -> Sequence[IndexLine]:
    """Return the runs of the present segment, in order: the last baseline and what follows."""
    starts = [place for place, run in enumerate(runs) if run.begins_segment]
    return runs[starts[-1] :] if starts else runs


def improvements(runs: Sequence[IndexLine], direction: Direction) -> list[Discovery]:
    """Return each run of a segment that was better than all before it."""
    found: list[Discovery] = []
    for run in runs:
        improvement = discovery(run, found[-1].value if found else None, direction)
        if improvement is not None:
            found.append(improvement)
    return found


def incumbents(runs: Sequence[IndexLine], direction: Direction) -> list[IndexLine]:
    """Return each run of a segment that was its incumbent in turn, the present one last."""
    found: list[IndexLine] = []
    for run in runs:
        if takes_the_place(run, found[-1].value if found else None, direction):
            found.append(run)
    return found


def measured(runs: Sequence[IndexLine]) -> list[IndexLine]:
    """Return the runs of a segment of the code loop whose candidate its evaluator measured.

    Whatever the verdict; one that a former evaluator measured may have been sealed late.
    """
    first = runs[0].code if runs else None
    return [
        run
        for run in runs
        if run.code is not None
        and run.code.measured is not None
        and (first is None or run.code.evaluator == first.evaluator)
    ]
