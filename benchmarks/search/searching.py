"""One search, and the searches of a campaign: which there are, and two processes that make them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from figures import Key, Mark, Search
from functions import FUNCTIONS
from libraries import LIBRARIES
from methods import THROUGH_THE_LAB, Method, Missing, Searcher
from problems import Failed, Instance, Problem
from tasks import TASKS

METHODS: Mapping[str, Method] = {item.name: item for item in (*THROUGH_THE_LAB, *LIBRARIES)}
PROBLEMS: Mapping[str, Problem] = {item.name: item for item in (*FUNCTIONS, *TASKS)}


@dataclass(frozen=True)
class Campaign:
    """How much is to be done.

    A slow method searches for a budget with the first of the seeds only: ``slow`` has a number
    of seeds for each budget, fewer for the larger.
    """

    budgets: tuple[int, ...]
    function_seeds: int
    task_seeds: int
    slow: Mapping[int, int]
    problems: tuple[str, ...] = tuple(PROBLEMS)
    first_seed: int = 0

    def keys(self, methods: Iterable[Method]) -> list[Key]:
        """Return every search, so ordered that any beginning of it is a fair sample."""
        methods = list(methods)
        return [
            Key(method.name, name, self.first_seed + count, announced)
            for count in range(max(self.function_seeds, self.task_seeds))
            for name in self.problems
            if count < (self.task_seeds if PROBLEMS[name].real else self.function_seeds)
            for method in methods
            for announced in self._announced(method, count)
        ]

    def _announced(self, method: Method, count: int) -> Sequence[int]:
        """Return the budgets for which a method searches; one to the largest does for most.

        ``count`` seeds came before this one.
        """
        slow = self.slow
        budgets = [budget for budget in self.budgets if not method.slow or count < slow[budget]]
        return budgets if method.announces else budgets[-1:]


CAMPAIGNS = {
    "full": Campaign((30, 100, 300), 30, 10, {30: 20, 100: 20, 300: 1}),
    "quick": Campaign((30, 100), 3, 2, {30: 1, 100: 1}),
    "tiny": Campaign((3, 12), 1, 1, {3: 1, 12: 1}, ("branin", "mixed", "failing", "digits")),
}


def available(methods: Iterable[Method]) -> tuple[list[Method], dict[str, str]]:
    """Return the methods that can run here, and why the others cannot."""
    found, missing = [], {}
    for method in methods:
        try:
            method.make(PROBLEMS["branin"], 0, 10)
        except Missing as error:
            missing[method.name] = str(error)
        else:
            found.append(method)
    return found, missing


@dataclass(frozen=True)
class Broken:
    """A search that ended in an error of the method's own."""

    key: Key
    error: str


def attempt(key: Key, budgets: Sequence[int]) -> Search | Broken:
    """Make one search. An error is returned as its text: its frames keep a library's threads."""
    try:
        return search(key, budgets)
    except Exception as error:  # noqa: BLE001  the campaign goes on, and says so
        return Broken(key, f"{type(error).__name__}: {error}")


def search(key: Key, budgets: Sequence[int]) -> Search:
    """Make one search, and mark how it stood at each budget up to the announced one.

    Where proposals depend on the announced budget, only that one is marked.
    """
    problem, method = PROBLEMS[key.problem], METHODS[key.method]
    at = [budget for budget in budgets if budget <= key.announced]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries call experimental or slow
        searcher = method.make(problem, key.seed, key.announced)
        marks = _marks(searcher, problem, problem.instance(key.seed), key.announced)
        return Search(key, tuple(mark for mark in marks if mark.at in _marked(method, at)))


def _marked(method: Method, at: Sequence[int]) -> Sequence[int]:
    return at[-1:] if method.announces else at


def _marks(searcher: Searcher, problem: Problem, instance: Instance, length: int) -> Iterator[Mark]:
    """Yield how the search stands after each trial; only the searcher's own time counts."""
    best: float | None = None
    found: float | None = None
    spent = 0.0
    for number in range(1, length + 1):
        began = time.perf_counter()
        params = searcher.ask()
        spent += time.perf_counter() - began
        value = _measured(instance, params)
        if value is not None and (best is None or problem.direction.better(value, best)):
            best, found = value, instance.truth(params)
        began = time.perf_counter()
        searcher.tell(value)
        spent += time.perf_counter() - began
        yield Mark(number, found, 1000 * spent / number)


def _measured(instance: Instance, params: Mapping[str, bool | int | float | str]) -> float | None:
    try:
        return instance.measure(params)
    except Failed:
        return None


def searches(
    keys: Sequence[Key], budgets: Sequence[int], processes: int
) -> Iterator[Search | Broken]:
    """Make the searches in some processes, one being this; yield each when it is done."""
    if processes == 1:
        yield from (attempt(key, budgets) for key in keys)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(attempt, key, tuple(budgets)) for key in keys]
        yield from (done.result() for done in as_completed(waiting))
