"""One run of a Nevergrad optimizer over vectors, driven by what is told; ``evolution`` makes it.

The optimizer is asked whenever it has no candidate open, and never otherwise, so its state is a
function of the points told and of their order. A candidate whose point is known already gets
the known result at once and costs no trial.

Limits: Nevergrad's optimizers cannot be asked and then put back. So where all open candidates
are in flight, further points are made here: from the middle of the latest candidates, by the
difference of two of them (over the square root of 2), which has the spread that they have.
Some optimizers draw from the generator that all of numpy shares; while one works, that generator
is the optimizer's own, and is put back afterwards.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from warnings import catch_warnings, filterwarnings

from hermes.errors import RequestError, UnknownName

DEFAULT = "CMA"
_EXPENSIVE = "bayes_opt"
_LATEST = 16
_MOST_ASKS = 8
_ROOT_2 = math.sqrt(2)


@dataclass(frozen=True)
class Candidate:
    """What an optimizer proposed: its vector, and the object that it wants to be told with."""

    vector: tuple[float, ...]
    handle: Any


def library(optimizer: str = DEFAULT) -> Any:
    """Return Nevergrad, imported without a part that costs half a second and few need.

    ``bayes_opt`` brings pandas and scikit-learn; Nevergrad works without it, but for the
    optimizers that are made of it, and the default is not.
    """
    absent = optimizer == DEFAULT and not {"nevergrad", _EXPENSIVE} & sys.modules.keys()
    if absent:
        sys.modules[_EXPENSIVE] = None  # type: ignore[assignment]  how Python notes an absence
    try:
        import nevergrad
    finally:
        if absent:
            del sys.modules[_EXPENSIVE]
    return nevergrad


def check_optimizer(name: str) -> None:
    """Refuse a name that Nevergrad does not have, with the nearest. Raises UnknownName."""
    if name == DEFAULT:
        return
    known = library(name).optimizers.registry
    if name not in known:
        remedy = "Some are: CMA, NGOpt, OnePlusOne, DE, TwoPointsDE, PSO."
        raise UnknownName("optimizer of Nevergrad", name, known, remedy)


class Course:
    """An optimizer of ``size`` coordinates; its candidates go out and come back with a loss."""

    def __init__(self, optimizer: str, size: int, *, budget: int, seed: int) -> None:
        import numpy as np

        nevergrad = library(optimizer)
        self._numpy = np
        self._shared_state = np.random.RandomState(seed).get_state()
        self._open: list[Candidate] = []
        self._latest: deque[tuple[float, ...]] = deque(maxlen=_LATEST)
        with self._own_chance():
            vectors = nevergrad.p.Array(shape=(size,), lower=0.0, upper=1.0)
            vectors.random_state = np.random.RandomState(seed)
            made = nevergrad.optimizers.registry[optimizer]
            self._optimizer = made(parametrization=vectors, budget=budget, num_workers=1)
            if self._optimizer.recast:
                raise RequestError(
                    f"The optimizer {optimizer!r} of Nevergrad runs as one long call, "
                    "which cannot be taken up again.",
                    "Choose another: CMA, NGOpt, OnePlusOne, DE, TwoPointsDE or PSO.",
                )
            self._block = _asked_together(self._optimizer)

    def open(self) -> Sequence[Candidate]:
        """Return the candidates that were asked and not told, the oldest first."""
        return self._open

    def ask(self) -> Iterator[Candidate]:
        """Ask for the candidates that belong together; they are open from now on."""
        with self._own_chance():
            for _ in range(self._block):
                handle = self._optimizer.ask()
                candidate = Candidate(tuple(map(float, handle.value)), handle)
                self._open.append(candidate)
                self._latest.append(candidate.vector)
        return iter(self._open[-self._block :])

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        """Close an open candidate; one that has no loss is dropped."""
        self._open.remove(candidate)
        if loss is not None:
            with self._own_chance():
                self._optimizer.tell(candidate.handle, loss)

    def tell_other(self, vector: Iterable[float], loss: float) -> None:
        """Tell the optimizer of a point that it did not propose."""
        value = self._numpy.array(list(vector))
        with self._own_chance():
            handle = self._optimizer.parametrization.spawn_child(new_value=value)
            self._optimizer.tell(handle, loss)

    def beside(self, rng: Random) -> list[float] | None:
        """Return a vector spread as the latest candidates are; None while there are too few."""
        if len(self._latest) < 3:
            return None
        first, second = (self._latest[int(rng.random() * len(self._latest))] for _ in range(2))
        middle = [sum(column) / len(column) for column in zip(*self._latest, strict=True)]
        return [
            _reflected(centre + (one - other) / _ROOT_2)
            for centre, one, other in zip(middle, first, second, strict=True)
        ]

    @contextmanager
    def _own_chance(self) -> Iterator[None]:
        """Lend the optimizer numpy's shared generator, and keep its warnings from the user."""
        shared = self._numpy.random.get_state()
        self._numpy.random.set_state(self._shared_state)
        try:
            with catch_warnings():
                filterwarnings("ignore", module=r"(nevergrad|cma|bayes_opt|sklearn)\b")
                yield
        finally:
            self._shared_state = self._numpy.random.get_state()
            self._numpy.random.set_state(shared)


def _asked_together(optimizer: Any) -> int:
    """Return how many candidates the optimizer makes at once: the population of CMA, else 1."""
    return int(getattr(getattr(optimizer, "es", None), "popsize", 1))


def _reflected(place: float) -> float:
    """Fold a coordinate back into 0 to 1."""
    place = abs(place) % 2.0
    return 2.0 - place if place > 1.0 else place
