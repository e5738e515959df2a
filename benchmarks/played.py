"""Strategies that are asked and told without a lab, beside the libraries that they are made of.

Importing this keeps NumPy to one thread. The methods are those of ``search/run.py``.
Strategies only compute, so the processor's time is measured: other work disturbs it least.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy
sys.path.insert(0, str(Path(__file__).resolve().parent / "search"))

from functions import FUNCTIONS
from libraries import nevergrad, optuna
from measuring import MS
from methods import Method, Searcher, lab
from problems import Value

from hermes.errors import RequestError
from hermes.model import DEFAULT_TIER, Json, Origin, Outcome, Params, Proposal, Trial
from hermes.search import registry
from hermes.search.base import SearchContext, Strategy, chance
from hermes.search.space import Space

SPHERE = next(item for item in FUNCTIONS if item.name == "sphere")


@dataclass(frozen=True)
class Played:
    """A strategy of the lab's, the library that it asks, and the history that it is told.

    ``drawn`` says that all but the end of the history is drawn at random and told as its own:
    it looks at a part of the history only, or at none, and asking for each would take very long.
    """

    label: str
    strategy: str
    options: dict[str, Json] = field(default_factory=dict)
    library: Method | None = None
    drawn: bool = False
    most: int = 20_000
    finite: bool = False

    def through_the_lab(self) -> Method:
        """Return the method to be compared with that of the library."""
        return lab(self.label, "", strategy=self.strategy, **self.options)


def _bayesian(sampler: str, library: Method) -> Played:
    options: dict[str, Json] = {"sampler": sampler}
    return Played(f"bayesian, {sampler}", "bayesian", options, library, drawn=True)


ALL = (
    Played("random", "random"),
    Played("grid", "grid", finite=True),
    Played("perturb", "perturb"),
    Played("tree", "tree", most=5_000),
    _bayesian("tpe", optuna("", "", lambda s, seed: s.TPESampler(seed=seed))),
    _bayesian("cmaes", optuna("", "", lambda s, seed: s.CmaEsSampler(seed=seed))),
    _bayesian("qmc", optuna("", "", lambda s, seed: s.QMCSampler(seed=seed))),
    Played("evolution", "evolution", {}, nevergrad("", "", "CMA")),
)


def available() -> tuple[list[Played], list[str]]:
    """Return what can be played here, and why the others cannot."""
    found, missing = [], []
    for item in ALL:
        try:
            registry.check(item.strategy, item.options)
        except RequestError as error:
            missing.append(f"Left out: {item.label}. {error.message}")
        else:
            found.append(item)
    return found, missing


# A long history


@dataclass
class Play:
    """Trials as they were made, with the seconds of each ask and tell that a strategy took."""

    strategy: Strategy
    trials: list[Trial] = field(default_factory=list)
    asks: list[float] = field(default_factory=list)
    tells: list[float] = field(default_factory=list)

    def ask(self) -> Proposal:
        """Ask for the next trial."""
        found: list[Proposal | None] = []
        number = len(self.trials) + 1
        self.asks.append(cpu_seconds(lambda: found.append(self.strategy.ask(number))))
        assert found[0] is not None, "the space is large enough"
        return found[0]

    def tell(self, proposal: Proposal) -> None:
        """Tell the result of a proposal."""
        number = len(self.trials) + 1
        trial = Trial(
            number,
            proposal.params,
            Outcome.SUCCESS,
            bowl(proposal.params),
            proposal.strategy,
            f"RUN-{number}",
            DEFAULT_TIER,
            parents=proposal.parents,
        )
        self.tells.append(cpu_seconds(lambda: self.strategy.tell(trial)))
        self.trials.append(trial)

    def mean_ms(self, last: int) -> tuple[float, float]:
        """Return the milliseconds of an ask and of a tell, on average over the ``last``."""
        return mean_ms(self.asks[-last:]), mean_ms(self.tells[-last:])


def play(played: Played, space: Space, count: int, *, least: int) -> Play:
    """Ask and tell until ``count`` trials are told, the last ``least`` of them asked for."""
    context = SearchContext(space, SPHERE.direction, seed=1, options=played.options)
    made = Play(registry.make(played.strategy, context))
    for proposal in _drawn(played, space, count - least if played.drawn else 0):
        made.tell(proposal)
    while len(made.trials) < count:
        made.tell(made.ask())
    return made


def _drawn(played: Played, space: Space, count: int) -> Iterator[Proposal]:
    for number in range(count):
        params = space.sample(chance("drawn", 1, number))
        yield Proposal(params, played.strategy, Origin.STRATEGY)


def bowl(params: Params) -> float:
    """Return a value that is least where every parameter is 0.3."""
    return sum((float(value) - 0.3) ** 2 for value in params.values())


def mean_ms(taken: Sequence[float]) -> float:
    """Return the average of some seconds, in milliseconds."""
    return MS * sum(taken) / len(taken)


# Beside a library


def beside(played: Played, trials: int, *, seed: int) -> tuple[float, float]:
    """Return the milliseconds of a trial through the lab and by the library, on average.

    An ask and its tell count together, for each may leave its work to the other; the two searches
    take turns.
    """
    assert played.library is not None
    instance = SPHERE.instance(seed)
    methods = (played.through_the_lab(), played.library)
    searchers = [method.make(SPHERE, seed, trials) for method in methods]
    taken: list[list[float]] = [[], []]
    for number in range(trials):
        for place in (0, 1) if number % 2 else (1, 0):
            taken[place].append(_trial(searchers[place], instance.measure))
    return mean_ms(taken[0]), mean_ms(taken[1])


def _trial(searcher: Searcher, measure: Value) -> float:
    found: list[Params] = []
    took = cpu_seconds(lambda: found.append(searcher.ask()))
    value = measure(found[0])
    return took + cpu_seconds(lambda: searcher.tell(value))


def cpu_seconds(act: Callable[[], object]) -> float:
    """Return how much of the processor's time ``act`` took."""
    began = time.process_time()
    act()
    return time.process_time() - began
