"""What is compared: the lab's strategies, asked and told as a session does, and plain libraries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from problems import Problem

from hermes.errors import RequestError
from hermes.model import DEFAULT_TIER, Json, Outcome, Params, Proposal, Trial
from hermes.search import registry
from hermes.search.base import SearchContext


class Searcher(Protocol):
    """One search: each ask is followed by one tell."""

    def ask(self) -> Params:
        """Return the next point."""
        ...

    def tell(self, value: float | None) -> None:
        """Take the value of the point asked for last; None when it failed."""
        ...


class Missing(Exception):
    """The method cannot run here; the text says why."""


Maker = Callable[[Problem, int, int], Searcher]
"""Makes a searcher for a problem, a seed and the budget that is announced; raises Missing."""


@dataclass(frozen=True)
class Method:
    """``announces`` says that proposals depend on the budget, so that each budget is a search."""

    name: str
    about: str
    make: Maker
    announces: bool = False
    slow: bool = False
    """True for one that takes so long for a proposal that it gets fewer seeds."""


# Through the lab


@dataclass
class ThroughTheLab:
    """A strategy of the lab's, told what a session tells of a sealed run."""

    problem: Problem
    name: str
    seed: int
    budget: int
    options: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        context = SearchContext(
            self.problem.space,
            self.problem.direction,
            seed=self.seed,
            budget=self.budget,
            options=self.options,
        )
        try:
            self._strategy = registry.make(self.name, context)
        except RequestError as error:
            raise Missing(error.message) from error
        self._number = 0
        self._proposal: Proposal | None = None

    def ask(self) -> Params:
        self._number += 1
        self._proposal = self._strategy.ask(self._number)
        assert self._proposal is not None, "no space here is finite"
        return self._proposal.params

    def tell(self, value: float | None) -> None:
        assert self._proposal is not None
        trial = Trial(
            self._number,
            self._proposal.params,
            Outcome.FAILED if value is None else Outcome.SUCCESS,
            value,
            self._proposal.strategy,
            f"RUN-{self._number}",
            DEFAULT_TIER,
            parents=self._proposal.parents,
        )
        self._strategy.tell(trial)


def lab(name: str, about: str, *, strategy: str = "", **options: Json) -> Method:
    """Return the method of a strategy; ``name`` is its label, and its name unless given."""
    called = strategy or name

    def make(problem: Problem, seed: int, budget: int) -> Searcher:
        return ThroughTheLab(problem, called, seed, budget, options)

    shown = f"`strategy: {called}`" + (f" with `{json.dumps(options)}`" if options else "")
    return Method(name, f"{shown}: {about}", make, announces=called in ("evolution", "swarm"))


THROUGH_THE_LAB = (
    lab("random", "the yardstick"),
    lab("perturb", "a local search"),
    lab("tree", "drafts and improvements"),
    lab("bayesian", "Optuna's TPE"),
    lab("evolution", "Nevergrad"),
    lab(
        "swarm-rotation", "its default strategies in turn", strategy="swarm", allocation="rotation"
    ),
    lab("swarm-adaptive", "a bandit", strategy="swarm", allocation="adaptive"),
)
