"""What the raw figures say: regrets, ranks, and one method held against another.

The regret of a search is how far the value that it found is from the best there is; on a task,
from the best that any method found on the same split. A search all of whose points failed has an
endless one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from figures import Search
from problems import Problem

from hermes.model import Direction

SMALL = 1e-3
"""Shares of random's regret below it count as it, so that no function decides alone."""
YARDSTICK = "random"

BySeed = dict[int, float | None]


class Duel(NamedTuple):
    """How often one was better, equal, worse on the same problem and seed; and regret by regret.

    ``ratio`` is the geometric mean over the problems of the ratio of the median regrets.
    """

    better: int
    equal: int
    worse: int
    ratio: float


class Standing:
    """The figures of a campaign."""

    def __init__(self, searches: Iterable[Search], problems: Mapping[str, Problem]) -> None:
        self.problems = problems
        self._found: dict[tuple[str, str, int], BySeed] = {}
        self._ms: dict[tuple[str, int], list[float]] = {}
        for search in searches:
            if search.key.problem in problems:
                self._take(search)
        self._best = self._references()

    def _take(self, search: Search) -> None:
        method, problem, seed, _ = search.key
        for at, found, ms in search.marks:
            self._found.setdefault((method, problem, at), {})[seed] = found
            self._ms.setdefault((method, at), []).append(ms)

    def _references(self) -> dict[tuple[str, int], float]:
        """Return the best value of each problem and seed that is known."""
        best: dict[tuple[str, int], float] = {}
        for (_, name, _), by_seed in self._found.items():
            problem = self.problems[name]
            for seed, found in by_seed.items():
                before = best.get((name, seed))
                if problem.optimum is not None:
                    best[name, seed] = problem.optimum
                elif found is not None and (
                    before is None or problem.direction.better(found, before)
                ):
                    best[name, seed] = found
        return best

    # One method, one problem

    def values(self, method: str, problem: str, budget: int) -> list[float]:
        """Return what was found, by seed; a search that found nothing has an endless value."""
        worst = -math.inf if self._up(problem) else math.inf
        by_seed = self._found.get((method, problem, budget), {})
        return [worst if by_seed[seed] is None else by_seed[seed] for seed in sorted(by_seed)]

    def regrets(self, method: str, problem: str, budget: int) -> dict[int, float]:
        """Return the regret of each seed."""
        by_seed = self._found.get((method, problem, budget), {})
        return {seed: self._regret(problem, seed, value) for seed, value in by_seed.items()}

    def _regret(self, problem: str, seed: int, value: float | None) -> float:
        if value is None:
            return math.inf
        lost = value - self._best[problem, seed]
        return max(0.0, -lost if self._up(problem) else lost)

    def _up(self, problem: str) -> bool:
        return self.problems[problem].direction is Direction.MAXIMIZE

    def milliseconds(self, method: str, budget: int) -> float | None:
        """Return the median over the searches of what a trial took."""
        taken = self._ms.get((method, budget))
        return statistics.median(taken) if taken else None

    # All problems

    def average_ranks(self, methods: Iterable[str], budget: int) -> dict[str, float]:
        """Return the mean over the problems of the rank by median regret, 1 being the best."""
        methods = list(methods)
        ranks: dict[str, list[float]] = {}
        for problem in self.problems:
            medians = {
                method: statistics.median(regrets.values())
                for method in methods
                if (regrets := self.regrets(method, problem, budget))
            }
            for method, rank in ranked(medians).items():
                ranks.setdefault(method, []).append(rank)
        return {method: statistics.fmean(of) for method, of in ranks.items()}

    def share(self, method: str, budget: int) -> float | None:
        """Return the regret as a share of random's, on the same seeds."""
        return self._ratio(method, YARDSTICK, budget)

    def duel(self, one: str, other: str, budget: int) -> Duel | None:
        """Hold two methods against each other; None when they have no search in common."""
        ratio = self._ratio(one, other, budget)
        if ratio is None:
            return None
        signs = [
            (mine > theirs) - (mine < theirs)
            for problem in self.problems
            for mine, theirs in self._pairs(one, other, problem, budget)
        ]
        return Duel(signs.count(-1), signs.count(0), signs.count(1), ratio)

    def _pairs(self, one: str, other: str, problem: str, budget: int) -> list[tuple[float, float]]:
        mine = self.regrets(one, problem, budget)
        theirs = self.regrets(other, problem, budget)
        return [(mine[seed], theirs[seed]) for seed in sorted(mine.keys() & theirs.keys())]

    def _ratio(self, one: str, other: str, budget: int) -> float | None:
        """Return the geometric mean of the ratios; neither side counts as less than ``SMALL``."""
        logs = []
        for problem in self.problems:
            pairs = self._pairs(one, other, problem, budget)
            plain = self._pairs(YARDSTICK, other, problem, budget)
            if not pairs or not plain:
                continue
            mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            least = SMALL * statistics.median(regret for regret, _ in plain)
            mine, theirs = max(mine, least), max(theirs, least)
            if min(mine, theirs) > 0 and math.isfinite(mine + theirs):
                logs.append(math.log(mine / theirs))
        return math.exp(statistics.fmean(logs)) if logs else None


def ranked(medians: Mapping[str, float]) -> dict[str, float]:
    """Return the rank of each, from 1; equals share the mean of their places."""
    return {
        name: statistics.fmean(
            [
                1 + sum(other < value for other in medians.values()),
                sum(other <= value for other in medians.values()),
            ]
        )
        for name, value in medians.items()
    }


def place(name: str, ranks: Mapping[str, float]) -> int:
    """Return the place of ``name`` among all, from 1."""
    return sum(rank < ranks[name] for rank in ranks.values()) + 1
