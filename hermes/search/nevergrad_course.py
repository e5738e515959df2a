"""One run of a Nevergrad optimizer over vectors from 0 to 1; ``evolution`` drives it.

Limits: optimizers that run as one long call in a thread of their own (Cobyla, SQP and others,
and NGOpt where it picks one of them by its budget) are refused as soon as the thread shows: it
learns nothing from points of others, would wait for ever after a candidate that has no loss,
and keeps the process from ending.
Some optimizers draw from the generator that all of numpy shares; while one works, that generator
is the optimizer's own, and is put back afterwards.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, cast
from warnings import catch_warnings, filterwarnings

from hermes.errors import RequestError, UnknownName
from hermes.search.importing import later, without

DEFAULT = "CMA"
_STATISTICS = "scipy.stats"
_NOT_NEEDED = ("bayes_opt", "pytest")
_NEEDED_LATER = (
    _STATISTICS,
    "scipy.signal",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.spatial",
    "joblib",
)
_LATEST = 16
_MOST_ASKS = 8
_ROOT_2 = math.sqrt(2)


@dataclass(frozen=True)
class Candidate:
    """What an optimizer proposed: its vector, and the object that it wants to be told with."""

    vector: tuple[float, ...]
    handle: Any


def library(optimizer: str = DEFAULT) -> Any:
    """Return Nevergrad; for the default optimizer without parts that cost more than the rest.

    ``bayes_opt`` brings pandas and scikit-learn; Nevergrad works without it, but for the
    optimizers that are made of it. ``pytest`` is for its own tests. Of what is only called, the
    default calls nothing; ``cma`` has a function of its own in place of the one that it takes from
    ``scipy.stats``.
    """
    if optimizer == DEFAULT:
        with without(_STATISTICS), catch_warnings():
            filterwarnings("ignore", module=r"cma\b")
            import cma  # noqa: F401  Nevergrad does when it makes the optimizer
        with without(*_NOT_NEEDED), later(*_NEEDED_LATER):
            import nevergrad
    import nevergrad

    return nevergrad


def check_optimizer(name: str) -> None:
    """Refuse a name that Nevergrad does not have, with the nearest. Raises UnknownName."""
    if name == DEFAULT:
        return
    known = library(name).optimizers.registry
    if name not in known:
        remedy = "Some are: CMA, OnePlusOne, DE, TwoPointsDE, PSO."
        raise UnknownName("optimizer of Nevergrad", name, known, remedy)


class Course:
    """An optimizer of ``size`` coordinates; its candidates go out and come back with a loss.

    The same calls in the same order give the same candidates, in every process. ``block`` is how
    many candidates the optimizer makes at once.
    """

    def __init__(self, optimizer: str, size: int, *, budget: int, seed: int) -> None:
        import numpy as np

        nevergrad = library(optimizer)
        self._numpy = np
        self._name = optimizer
        self._generator = np.random.MT19937(seed)
        self._latest: deque[tuple[float, ...]] = deque(maxlen=_LATEST)
        with self._own_chance():
            vectors = nevergrad.p.Array(shape=(size,), lower=0.0, upper=1.0)
            vectors.random_state = np.random.RandomState(seed)
            made = nevergrad.optimizers.registry[optimizer]
            self._optimizer = made(parametrization=vectors, budget=budget, num_workers=1)
            self.block = _asked_together(self._optimizer)

    def ask(self) -> list[Candidate]:
        """Ask for the candidates that the optimizer makes at once, one or more.

        Raises RequestError for an optimizer that runs in a thread of its own.
        """
        with self._own_chance():
            handles = [self._optimizer.ask() for _ in range(self.block)]
        self._refuse_threads()
        made = [Candidate(tuple(map(float, handle.value)), handle) for handle in handles]
        self._latest.extend(candidate.vector for candidate in made)
        return made

    def _refuse_threads(self) -> None:
        found = [thread for thread in threading.enumerate() if hasattr(thread, "messages_ask")]
        for thread in found:
            cast(Any, thread).stop()
        if found:
            raise RequestError(
                f"The optimizer {self._name!r} of Nevergrad runs as one long call here, "
                "which cannot be taken up again.",
                "Choose another: CMA, OnePlusOne, DE, TwoPointsDE, PSO; or give it another budget.",
            )

    def tell(self, candidate: Candidate, loss: float) -> None:
        """Tell the optimizer of a candidate of its own, once."""
        with self._own_chance():
            self._optimizer.tell(candidate.handle, loss)

    def tell_other(self, vector: Iterable[float], loss: float) -> None:
        """Tell the optimizer of a point that it did not propose."""
        value = self._numpy.array(list(vector))
        with self._own_chance():
            handle = self._optimizer.parametrization.spawn_child(new_value=value)
            self._optimizer.tell(handle, loss)

    def beside(self, rng: Random) -> list[float] | None:
        """Return a vector spread as the latest candidates are; None while there are too few.

        The difference of two draws of one normal distribution, over the square root of 2, is a
        draw of it about 0; here it is laid on the middle of the latest.
        """
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
        chance: Any = self._numpy.random  # its type stubs lack these two functions
        shared = chance.get_bit_generator()
        chance.set_bit_generator(self._generator)
        try:
            with catch_warnings():
                filterwarnings("ignore", module=r"(nevergrad|cma|bayes_opt|sklearn)\b")
                yield
        finally:
            chance.set_bit_generator(shared)


def _asked_together(optimizer: Any) -> int:
    """Return how many candidates the optimizer makes at once: the population of CMA, else 1.

    The one that does the work may lie inside of others.
    """
    while optimizer is not None:
        strategy = getattr(optimizer, "es", None)
        if strategy is not None:
            return int(strategy.popsize)
        optimizer = getattr(optimizer, "optim", None)
    return 1


def _reflected(place: float) -> float:
    """Fold a coordinate back into 0 to 1."""
    place = abs(place) % 2.0
    return 2.0 - place if place > 1.0 else place
