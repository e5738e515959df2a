"""The part of a long history that a library is shown: the latest results, and the best of all.

Pure: what is kept depends on what was added, in its order, and on nothing else.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranked(Generic[Item]):
    """An item with its place in the history, from 0, and its loss; None for one that failed."""

    place: int
    item: Item
    loss: float | None = field(compare=False)

    def rank(self) -> tuple[float, int]:
        """Return what the better and, among equals, the earlier has less of."""
        assert self.loss is not None
        return self.loss, self.place


class Window(Generic[Item]):
    """Keeps the ``latest`` items, failed ones too, and the ``best`` of all that have a loss."""

    def __init__(self, *, latest: int, best: int) -> None:
        self._latest: deque[Ranked[Item]] = deque(maxlen=latest)
        self._best: list[Ranked[Item]] = []
        self._most = best
        self.count = 0

    def add(self, item: Item, loss: float | None) -> Ranked[Item]:
        """Add the next item of the history; smaller losses are better."""
        ranked = Ranked(self.count, item, loss)
        self.count += 1
        self._latest.append(ranked)
        if loss is not None:
            insort(self._best, ranked, key=Ranked.rank)
            del self._best[self._most :]
        return ranked

    def best(self) -> list[Ranked[Item]]:
        """Return the best items, the best of all first."""
        return list(self._best)

    def items(self) -> list[Ranked[Item]]:
        """Return what is kept, in the order of the history."""
        start = self._latest[0].place if self._latest else 0
        older = sorted(
            (ranked for ranked in self._best if ranked.place < start), key=lambda item: item.place
        )
        return [*older, *self._latest]
