"""Sources of chance beside ``random.Random``, and what is drawn from them; for strategies.

Limits: only the first 20 numbers of a ``Spread`` point spread, the others are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from hermes.search.base import chance
from hermes.search.dimensions import Draws

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)
_STRIDES = tuple(math.sqrt(prime) % 1 for prime in _PRIMES)


class Spread:
    """The numbers of point ``index``: point after point they fill a space more evenly than chance.

    The multiples of the roots of primes, modulo 1, moved by chance (R. D. Richtmyer, 1951; the
    shift is that of R. Cranley and T. N. L. Patterson, 1976).
    """

    def __init__(self, label: str, seed: int, index: int) -> None:
        self._shifts = chance(f"{label}:shift", seed, 0)
        self._rest = chance(f"{label}:rest", seed, index)
        self._strides = iter(_STRIDES)
        self._index = index

    def random(self) -> float:
        """Return a number from 0 (included) to 1 (excluded)."""
        stride = next(self._strides, None)
        if stride is None:
            return self._rest.random()
        return (self._shifts.random() + self._index * stride) % 1


class Later:
    """A source of chance that is made when it is first used; most moves use none."""

    def __init__(self, make: Callable[[], Draws]) -> None:
        self._make = make
        self._made: Draws | None = None

    def random(self) -> float:
        """Return a number from 0 (included) to 1 (excluded)."""
        if self._made is None:
            self._made = self._make()
        return self._made.random()


def normal(rng: Draws) -> float:
    """Draw from the normal distribution (G. E. P. Box and M. E. Muller, 1958)."""
    return math.sqrt(-2 * math.log(1 - rng.random())) * math.cos(math.tau * rng.random())


def shuffled(items: Iterable[str], rng: Draws) -> list[str]:
    """Return the items in a drawn order (R. A. Fisher and F. Yates, 1938)."""
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order
