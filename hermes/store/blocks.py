"""The index in blocks of a thousand runs: what is asked of all of them at once; for ``index``.

Limits first: a block is derived, and counts for nothing where the index has other bytes than it
was taken from. Runs after the last whole thousand are in none, nor are those after a gap in
``seq`` or a damaged line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import count

from hermes import codec, files
from hermes.layout import ExperimentLayout
from hermes.model import DERIVED_VERSION, IndexLine, Outcome, Params, Trial

RUNS = 1000  # of a block


@dataclass(frozen=True)
class Block:
    """Where the block stands in the index, from byte ``start`` to byte ``end``, and its runs."""

    derived_version: int
    start: int
    end: int
    sha256: str
    run_ids: tuple[str, ...]


@dataclass(frozen=True)
class _Columns:
    """What strategies are told of the runs of a block: of each field a list, in sealing order."""

    numbers: tuple[int, ...]
    params: tuple[Params, ...]
    outcomes: tuple[Outcome, ...]
    values: tuple[float | None, ...]
    strategies: tuple[str, ...]
    fidelity_tiers: tuple[str, ...]
    parents: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]

    def is_whole(self) -> bool:
        """Say whether each list has an entry for each run."""
        return all(len(getattr(self, item.name)) == RUNS for item in fields(self))

    def trials(self, run_ids: Sequence[str]) -> Iterator[Trial]:
        """Return what is told of each run; a thousand records are made in one go."""
        return map(
            Trial,
            self.numbers,
            self.params,
            self.outcomes,
            self.values,
            self.strategies,
            run_ids,
            self.fidelity_tiers,
            self.parents,
            self.reasons,
        )


def cut(
    lines: Sequence[bytes], *, after: int, start: int, up_to: int
) -> Iterator[tuple[int, bytes]]:
    """Cut blocks from the index up to ``seq`` ``up_to``; yield the last ``seq`` of each, and it.

    ``lines`` are those after ``seq`` ``after``, and begin at the byte ``start``. Ends where they
    are not whole, or not in turn.
    """
    for last in range(after + RUNS, up_to + 1, RUNS):
        part, lines = lines[:RUNS], lines[RUNS:]
        runs = [run for line in part if (run := codec.from_line(IndexLine, line)) is not None]
        if [run.seq for run in runs] != list(range(last - RUNS + 1, last + 1)):
            return
        text = b"".join(b"%s\n" % line for line in part)
        block = Block(
            DERIVED_VERSION,
            start,
            start + len(text),
            codec.digest(text),
            tuple(run.run_id for run in runs),
        )
        yield last, codec.to_line(block) + codec.to_line(_columns(runs))
        start = block.end


def _columns(runs: Sequence[IndexLine]) -> _Columns:
    return _Columns(
        numbers=tuple(run.trial for run in runs),
        params=tuple(run.params for run in runs),
        outcomes=tuple(run.outcome for run in runs),
        values=tuple(run.value for run in runs),
        strategies=tuple(run.strategy for run in runs),
        fidelity_tiers=tuple(run.fidelity_tier for run in runs),
        parents=tuple(run.parents for run in runs),
        reasons=tuple(run.reason for run in runs),
    )


def read(layout: ExperimentLayout, last: int) -> tuple[Block, bytes] | None:
    """Return the block up to ``seq`` ``last`` and the line of what is told of its runs.

    None when it is missing or damaged, or another program's.
    """
    try:
        lines = (files.read(layout.block(last)) or b"").split(b"\n")
    except OSError:
        return None
    block = codec.from_line(Block, lines[0])
    if block is None or block.derived_version != DERIVED_VERSION or len(lines) < 2:
        return None
    return (block, lines[1]) if len(block.run_ids) == RUNS else None


def fitting(layout: ExperimentLayout, index: bytes) -> Iterator[tuple[Block, bytes]]:
    """Yield the blocks as ``read`` does, from the first on, as far as they are those of ``index``.

    ``index`` is all of it.
    """
    end = 0
    for last in count(RUNS, RUNS):
        found = read(layout, last)
        if found is None:
            return
        block = found[0]
        if block.start != end or codec.digest(index[end : block.end]) != block.sha256:
            return
        yield found
        end = block.end


def told(layout: ExperimentLayout, index: bytes) -> Iterator[tuple[Block, Iterator[Trial]]]:
    """Yield the blocks as ``fitting`` does, each with what strategies are told of its runs."""
    for block, line in fitting(layout, index):
        columns = codec.from_line(_Columns, line)
        if columns is None or not columns.is_whole():
            return
        yield block, columns.trials(block.run_ids)
