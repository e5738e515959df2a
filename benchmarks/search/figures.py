"""The raw figures: what each search had found at each budget, in a file that grows line by line.

Whoever runs the benchmark again makes what is missing; ``forget`` takes searches out to have them
made anew.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HEAD = ("method", "problem", "seed", "announced", "at", "found", "ms")


class Key(NamedTuple):
    """One search: ``announced`` is the budget that the method was told, and that was spent."""

    method: str
    problem: str
    seed: int
    announced: int


class Mark(NamedTuple):
    """How a search stood after ``at`` trials.

    ``found`` is what the point with the best measured value is worth, None while every point
    failed; ``ms`` the milliseconds that the method itself took for a trial, on average so far.
    """

    at: int
    found: float | None
    ms: float


@dataclass(frozen=True)
class Search:
    """A search and its marks, the last one at the announced budget."""

    key: Key
    marks: tuple[Mark, ...]


class Figures:
    """The file of one campaign."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.searches = {search.key: search for search in self._read()}
        self.forget(lambda key: False)  # noqa: ARG005  puts in order what several runs appended

    def _read(self) -> Iterator[Search]:
        """Yield the searches that are whole; whoever was killed may have left half a one."""
        marks: dict[Key, list[Mark]] = {}
        for row in self._rows():
            key, mark = _parsed(row)
            marks.setdefault(key, []).append(mark)
        for key, of in marks.items():
            if of[-1].at == key.announced:
                yield Search(key, tuple(of))

    def _rows(self) -> Iterator[list[str]]:
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            rows = csv.reader(line for line in lines if line.endswith("\n"))
            yield from (row for row in rows if tuple(row) != HEAD)

    def add(self, search: Search) -> None:
        """Append a search, in one write."""
        self.searches[search.key] = search
        with open(self._path, "ab", buffering=0) as stream:
            stream.write(_lines([search]))

    def forget(self, which: Callable[[Key], bool]) -> None:
        """Take out some searches, and put the others in order."""
        kept = sorted(
            (search for key, search in self.searches.items() if not which(key)),
            key=lambda search: search.key,
        )
        self.searches = {search.key: search for search in kept}
        beside = self._path.with_suffix(".new")
        beside.write_bytes(_lines(kept, head=HEAD))
        os.replace(beside, self._path)


def _parsed(row: Sequence[str]) -> tuple[Key, Mark]:
    method, problem, seed, announced, at, found, ms = row
    key = Key(method, problem, int(seed), int(announced))
    return key, Mark(int(at), float(found) if found else None, float(ms))


def _lines(searches: Iterable[Search], *, head: Sequence[str] = ()) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head:
        writer.writerow(head)
    for search in searches:
        for mark in search.marks:
            found = "" if mark.found is None else f"{mark.found:.7g}"
            writer.writerow([*search.key, mark.at, found, f"{mark.ms:.3g}"])
    return text.getvalue().encode()
