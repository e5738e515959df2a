"""What is searched: a problem has a space, a direction, and one instance for each seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hermes.model import Direction, Params
from hermes.search.space import Space, parse_space

Value = Callable[[Params], float]


class Failed(Exception):
    """The point cannot be evaluated: a run that fails."""


@dataclass(frozen=True)
class Instance:
    """A problem as it is for one seed.

    ``measure`` is what a method is told of a point; it may raise Failed. ``truth`` is what the
    point is worth: the same, but for a noisy problem.
    """

    measure: Value
    truth: Value


@dataclass(frozen=True)
class Problem:
    """``optimum`` is the best value there is; None when nobody knows it."""

    name: str
    about: str
    parameters: Mapping[str, Mapping[str, object]]
    make: Callable[[random.Random], Instance]
    direction: Direction = Direction.MINIMIZE
    optimum: float | None = 0.0

    @property
    def space(self) -> Space:
        """The space, as the lab reads it."""
        return parse_space(self.parameters, source=self.name)

    @property
    def real(self) -> bool:
        """Say whether it is a task and no formula."""
        return self.optimum is None

    def instance(self, seed: int) -> Instance:
        """Return the problem of one seed; the same for every method."""
        return self.make(random.Random(f"{self.name}:{seed}"))


def box(count: int, low: float, high: float) -> dict[str, dict[str, object]]:
    """Return ``count`` float parameters with the same bounds."""
    return {f"x{n}": {"type": "float", "low": low, "high": high} for n in range(count)}


def coordinates(params: Params) -> list[float]:
    """Return the values of a ``box``."""
    return [float(params[f"x{n}"]) for n in range(len(params))]


def somewhere(rng: random.Random, count: int, low: float, high: float) -> Sequence[float]:
    """Draw where the optimum lies, so that no method gains by beginning in the middle."""
    return [rng.uniform(low, high) for _ in range(count)]
