"""Which run was built upon which, what came of it, and where to go on: the tree of a search.

It knows runs by their ids and values, nothing of what they tried; for strategies.

Limits first.
A choice is made among the best branches only, so that its cost does not grow with the history.
A run whose parents are not known begins a tree of its own.

A branch is a run and what was built upon it, one attempt to improve it upon the other; whoever
begins anew from within a branch begins another one. What to go on with is chosen by the upper
confidence bound of each branch (L. Kocsis and C. Szepesvári, Bandit based Monte-Carlo planning,
2006), and to begin another one is a choice like the others (Y. Inoue et al., Wider or deeper?
Scaling LLM inference-time compute with adaptive branching tree search, 2025).
Scores come from ranks: a metric of another scale or with another zero changes no choice.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_MOST_OPEN = 32


@dataclass
class Branch:
    """Attempts that build upon each other: how many there were, and the best value of them."""

    head: str
    tries: int = 0
    best: float = math.inf


@dataclass(slots=True)
class Node:
    """A sealed run; the smaller its value, the better, and None is that of a failed one.

    ``depth`` counts the runs that it was built upon, one upon the other; ``visits`` those that were
    built upon it, at any depth. ``best`` is the best value among itself and those.
    """

    run_id: str
    value: float | None
    parent: Node | None = field(repr=False)
    branch: Branch = field(repr=False)
    depth: int = 0
    visits: int = 0
    best: float | None = None

    def line(self) -> Iterator[Node]:
        """Yield the run and those above it, the nearest first."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    @property
    def success(self) -> Node | None:
        """The nearest run of its line that succeeded."""
        return next((node for node in self.line() if node.value is not None), None)


class Lineage:
    """The tree; ``exploration`` is the weight of what is little known in a choice."""

    def __init__(self, *, exploration: float) -> None:
        self._exploration = exploration
        self._nodes: dict[str, Node] = {}
        self._values: list[float] = []
        self._open: dict[str, Branch] = {}
        self._opened = 0

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._nodes

    def __getitem__(self, run_id: str) -> Node:
        return self._nodes[run_id]

    def parent(self, run_ids: Sequence[str]) -> Node | None:
        """Return the first of ``run_ids`` that is known: what a run is put under."""
        return next((self._nodes[name] for name in run_ids if name in self._nodes), None)

    def add(self, run_id: str, value: float | None, *, parent: Node | None, begins: bool) -> Node:
        """Put a sealed run under ``parent``: into its branch, unless it ``begins`` another one."""
        branch = Branch(run_id) if begins or parent is None else parent.branch
        depth = 0 if parent is None else parent.depth + 1
        node = Node(run_id, value, parent, branch, depth, best=value)
        self._nodes[run_id] = node
        branch.tries += 1
        if value is not None:
            insort(self._values, value)
            branch.best = min(branch.best, value)
        for above in node.line():
            above.visits += above is not node
            if value is not None and (above.best is None or value < above.best):
                above.best = value
        return node

    # Choosing

    def open(self, branch: Branch) -> Branch | None:
        """Let a branch be chosen; return one that is closed for it, the worst of too many."""
        self._open[branch.head] = branch
        self._opened += 1
        if len(self._open) <= _MOST_OPEN:
            return None
        worst = max(self._open.values(), key=lambda one: one.best)
        self.close(worst)
        return worst

    def close(self, branch: Branch) -> None:
        """Let a branch be chosen no more."""
        del self._open[branch.head]

    def choices(self) -> Iterator[Branch | None]:
        """Yield the open branches, the most promising first; None stands for another one."""
        another = self._bonus(self._opened + 1)
        bounds = {head: self._bound(branch) for head, branch in self._open.items()}
        heads = sorted(bounds, key=bounds.__getitem__, reverse=True)
        better = [head for head in heads if bounds[head] >= another]
        yield from (self._open[head] for head in better)
        yield None
        yield from (self._open[head] for head in heads[len(better) :])

    def score(self, value: float) -> float:
        """Return 1 for the best value of all, and the less the more others are better; 0 at last.

        It falls with the logarithm of the rank, as the weights do in N. Hansen, The CMA evolution
        strategy: a tutorial, 2016.
        """
        rank = bisect_left(self._values, value)
        return 1 - math.log1p(rank) / math.log1p(max(1, len(self._values)))

    def _bound(self, branch: Branch) -> float:
        return self.score(branch.best) + self._bonus(branch.tries)

    def _bonus(self, tries: int) -> float:
        return self._exploration * math.sqrt(math.log1p(len(self._nodes)) / tries)
