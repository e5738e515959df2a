"""Owns ``metrics.jsonl``: one line a sealed run of one experiment, in sealing order.

Limit first: it is an index. Sealed bundles are the truth, and ``rebuild`` writes from them the
very bytes that appending wrote. Whoever appends or rebuilds holds the experiment's lease;
anybody may read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hermes import codec, files
from hermes.errors import BrokenFile
from hermes.layout import ExperimentLayout
from hermes.model import IndexLine, Manifest, RunMetrics, Trial
from hermes.store import blocks

SealedRun: TypeAlias = tuple[Manifest, RunMetrics, str]

_TAIL_BYTES = 8 * 1024
_SEQ = re.compile(rb'\{"seq":(\d{1,18}),')
_LINE = re.compile(rb'\{"seq":(\d{1,18}),"run_id":"([^"\\]+)",.*,"sum":"[0-9a-f]{16}"\}')


@dataclass(frozen=True)
class IndexPart:
    """Lines of the index: those after the offset asked for, the offset behind them.

    ``skipped`` counts lines that are damaged, or repeat or precede the one before.
    """

    lines: tuple[IndexLine, ...]
    offset: int
    skipped: int


@dataclass(frozen=True)
class Rebuilt:
    """What rebuilding did: true when the file was changed; the bundles that cannot be read."""

    changed: bool
    broken: tuple[BrokenFile, ...] = ()

    def __bool__(self) -> bool:
        return self.changed


def index_line(manifest: Manifest, metrics: RunMetrics, sha256: str) -> IndexLine:
    """Return the line of a sealed run. Raises ValueError for a draft.

    Numbers that may be fractions become floats: read back from the bundle they are the same.
    """
    if manifest.seq is None or manifest.outcome is None or manifest.completed_at is None:
        raise ValueError(f"{manifest.run_id} is not sealed")
    return IndexLine(
        seq=manifest.seq,
        run_id=manifest.run_id,
        iteration=manifest.iteration,
        trial=manifest.trial,
        role=manifest.role,
        origin=manifest.origin,
        strategy=manifest.strategy,
        fidelity_tier=manifest.fidelity_tier,
        planned_at=manifest.planned_at,
        completed_at=manifest.completed_at,
        outcome=manifest.outcome,
        reason=manifest.reason,
        value=None if metrics.value is None else float(metrics.value),
        accepted=metrics.accepted,
        params=manifest.params,
        secondary={name: float(value) for name, value in metrics.secondary.items()},
        wall_seconds=float(manifest.usage.wall_seconds) if manifest.usage else 0.0,
        parent_run=manifest.parent_run,
        sha256=sha256,
        duplicates_avoided=manifest.duplicates_avoided,
        parents=manifest.parents,
        request=manifest.request,
        ideas=manifest.ideas,
        code=manifest.code,
        asked=manifest.asked,
    )


class Index:
    """The index of one experiment."""

    def __init__(self, layout: ExperimentLayout) -> None:
        self._layout, self._path = layout, layout.metrics

    def append(self, line: IndexLine) -> bytes:
        """Add a sealed run and return what was written: b"" when it stood there already.

        Writes: one line of ``metrics.jsonl``, not synced, for it can be rebuilt.
        """
        data = codec.to_line(line)
        return files.append(self._path, lambda tail: b"" if _stands_in(tail, line) else data)

    def read(self, offset: int = 0) -> IndexPart:
        """Read the lines from ``offset`` on. Raises BrokenFile when the file cannot be read."""
        raw, end = self._lines(offset)
        lines = tuple(_in_order(raw))
        return IndexPart(lines, end, len(raw) - len(lines))

    def trials(self) -> Iterator[Trial]:
        """Yield what strategies are told of every run that ``read`` gives, and raise as it does.

        Quick: of long histories most is read from blocks.
        """
        data = self._content()
        last = end = 0
        for block, trials in blocks.told(self._layout, data):
            yield from trials
            last, end = last + blocks.RUNS, block.end
        for line in _in_order(_lines_of(data[end:]), after=last):
            yield line.trial_record()

    def new_blocks(self, last: int, *, thorough: bool = False) -> Iterator[tuple[Path, bytes]]:
        """Yield the blocks to write, now that ``last`` is the last ``seq``: path and content.

        Takes those that are there as right, unless ``thorough``. Raises BrokenFile as ``read``.
        """
        whole = last - last % blocks.RUNS
        if not whole or (not thorough and files.exists(self._layout.block(whole))):
            return
        after, start = self._blocks_so_far(whole, thorough=thorough)
        lines, _ = self._lines(start)
        for seq, content in blocks.cut(lines, after=after, start=start, up_to=whole):
            yield self._layout.block(seq), content

    def _blocks_so_far(self, whole: int, *, thorough: bool) -> tuple[int, int]:
        """Return the last ``seq`` of the blocks that are there, and where the last one ends."""
        if thorough:
            ends = [block.end for block, _ in blocks.told(self._layout, self._content())]
            return len(ends) * blocks.RUNS, ends[-1] if ends else 0
        for last in range(whole, 0, -blocks.RUNS):
            found = blocks.read(self._layout, last)
            if found is not None:
                return last, found[0].end
        return 0, 0

    def _content(self) -> bytes:
        with self._readable():
            return files.read(self._path) or b""

    def _lines(self, offset: int) -> tuple[list[bytes], int]:
        with self._readable():
            return files.read_lines(self._path, offset)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BrokenFile(str(self._path), f"cannot be read ({error.strerror})") from None

    def last(self) -> IndexLine | None:
        """Return the last whole line, from the end of the file alone; None when there is none."""
        try:
            size = os.stat(self._path).st_size
        except OSError:
            return None
        length = _TAIL_BYTES
        while True:
            data = files.read_before(self._path, size, length)
            for text in reversed(data.split(b"\n")[:-1]):
                line = codec.from_line(IndexLine, text)
                if line is not None:
                    return line
            if length >= size:
                return None
            length *= 8

    def missing(self, run_ids: Iterable[str]) -> list[str]:
        """Say what keeps the index from naming just these sealed runs, in order; [] if nothing.

        Quick: of lines that are in no block it looks at the form alone, not at the checksum
        (``read`` does).
        """
        try:
            data = self._content()
        except BrokenFile as error:
            return [f"it {error.reason}"]
        named: set[str] = set()
        last = end = 0
        for block, _ in blocks.fitting(self._layout, data):
            named.update(block.run_ids)
            last, end = last + blocks.RUNS, block.end
        faults = [*_faults(data[end:], last, named)]
        wanted = set(run_ids)
        faults += [f"{run_id} is missing" for run_id in sorted(wanted - named)]
        return faults + [f"{run_id} is not a sealed run" for run_id in sorted(named - wanted)]

    def rebuild(
        self, read_all: Callable[[], Iterable[SealedRun | IndexLine | BrokenFile]]
    ) -> Rebuilt:
        """Write the index anew from the bundles that ``read_all`` gives, in any order.

        A broken one is left out and reported; for one that is lost the line that is left of it
        may be given. ``read_all`` is called under the file's lock.

        Writes: ``metrics.jsonl``, replaced durably, unless it holds just that already.
        """
        broken: list[BrokenFile] = []

        def data() -> bytes:
            lines = []
            for found in read_all():
                if isinstance(found, BrokenFile):
                    broken.append(found)
                else:
                    lines.append(found if isinstance(found, IndexLine) else index_line(*found))
            lines.sort(key=lambda line: (line.seq, line.run_id))
            return b"".join(codec.to_line(line) for line in lines)

        return Rebuilt(files.rewrite_locked(self._path, data), tuple(broken))


def _stands_in(tail: list[bytes], line: IndexLine) -> bool:
    """Say whether a run is among the last lines; looks no further back than its ``seq``."""
    for text in reversed(tail):
        start = _SEQ.match(text)
        if start is not None and int(start[1]) < line.seq:
            return False
        found = codec.from_line(IndexLine, text)
        if found is not None and (found.seq, found.run_id) == (line.seq, line.run_id):
            return True
    return False


def _lines_of(data: bytes) -> list[bytes]:
    """Return the complete lines."""
    return data.split(b"\n")[:-1]


def _in_order(lines: Iterable[bytes], *, after: int = 0) -> Iterator[IndexLine]:
    """Read the lines whose ``seq`` is greater than that of the one before, and ``after``."""
    for text in lines:
        line = codec.from_line(IndexLine, text)
        if line is not None and line.seq > after:
            after = line.seq
            yield line


def _faults(rest: bytes, last: int, named: set[str]) -> Iterator[str]:
    """Look at what comes after the line of ``seq`` ``last``, and add its runs to ``named``."""
    if rest and not rest.endswith(b"\n"):
        yield "its last line is torn"
    for number, text in enumerate(_lines_of(rest), start=last + 1):
        match = _LINE.fullmatch(text)
        if match is None:
            yield f"line {number} is damaged"
            continue
        if int(match[1]) != number:
            yield f"line {number} has seq {int(match[1])}"
        named.add(match[2].decode("utf-8", "replace"))
