"""A search by Optuna over a space: points in, points out; ``bayesian`` is made of one.

The sampler that was asked for draws what it can, and TPE draws the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hermes.model import Json, Params
from hermes.search.optuna_samplers import Ask, Draw, Sampling, Told, Tpe, make
from hermes.search.optuna_study import Encoding, quiet
from hermes.search.space import Space


class OptunaSearch:
    """One sampler, what it was told, and TPE beside it for what it leaves open."""

    def __init__(
        self, space: Space, sampler: str, options: Mapping[str, Json], *, seed: int
    ) -> None:
        self._encoding = Encoding(space)
        with quiet():
            self._main: Sampling = make(sampler, self._encoding, options, seed)
        self._rest = self._main if isinstance(self._main, Tpe) else Tpe(self._encoding, {})
        self.count = 0

    def tell(self, params: Params, loss: float | None, *, own: bool) -> None:
        """Learn of a point of the space; None is the loss of a failure."""
        told = Told(self.count, params, self._encoding, loss, own=own)
        self.count += 1
        self._main.tell(told)
        if self._rest is not self._main:
            self._rest.tell(told)

    def draw(
        self, number: int, attempt: int, seeds: tuple[int, int], running: Sequence[Params]
    ) -> Params:
        """Return a point for trial ``number``, which may be known; ``running`` are in flight."""
        codes = [self._encoding.encode(params) for params in running]
        asks = [Ask(number, attempt, seed, codes) for seed in seeds]
        with quiet():
            return self._encoding.decode(_Drawn(self._main, self._rest, *asks))


class _Drawn(Mapping[str, Any]):
    """The codes of one point, drawn when they are looked up."""

    def __init__(self, main: Sampling, rest: Sampling, ask: Ask, ask_rest: Ask) -> None:
        self._draw = main.draw(ask)
        self._rest, self._ask_rest = rest, ask_rest
        self._drawn_rest: Draw | None = None

    def __getitem__(self, name: str) -> Any:
        if name in self._draw.names:
            return self._draw.code(name)
        if self._drawn_rest is None:
            self._drawn_rest = self._rest.draw(self._ask_rest)
        return self._drawn_rest.code(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._draw.distributions)

    def __len__(self) -> int:
        return len(self._draw.distributions)
