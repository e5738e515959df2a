"""What prompts need of the runs a strategy was told of; ``llm`` fills it for ``llm_prompt``.

Limits first: a few best, latest and failed runs are kept, and counts of the others; only the
names of all runs grow with history. What is no point of the present space is only counted.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque

from hermes.model import Direction, Trial
from hermes.search.space import Space

MOST_KEPT = 20


class Memory:
    """The runs of one search, told in sealing order; told twice is told once."""

    def __init__(self, space: Space, direction: Direction) -> None:
        self._space = space
        self._sign = 1.0 if direction is Direction.MINIMIZE else -1.0
        self._told: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.strangers = 0
        self.best: list[Trial] = []  # the best first, of equals the one told first
        self.latest: deque[Trial] = deque(maxlen=MOST_KEPT)
        self.failed: deque[Trial] = deque(maxlen=MOST_KEPT)

    def add(self, trial: Trial) -> None:
        """Take in one run; one that the lab or the machine cut off says nothing of its point."""
        if trial.run_id in self._told:
            return
        self._told.add(trial.run_id)
        if trial.outcome.is_retried:
            return
        self.outcomes[trial.outcome.value] += 1
        if self._space.contains(trial.params):
            self.strangers += 1
            return
        self.latest.append(trial)
        if trial.value is None:
            self.failed.append(trial)
        else:
            insort(self.best, trial, key=self._rank)
            del self.best[MOST_KEPT:]

    def _rank(self, trial: Trial) -> float:
        assert trial.value is not None
        return self._sign * trial.value
