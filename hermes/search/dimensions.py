"""One parameter of a search space: its values, and how one is drawn; for ``space`` and strategies.

Limits first.
A float without a step has no countable values: its ``count`` is None, and ``at`` is not for it.
A step that does not divide the range leaves out the end: the largest value on the grid that is
not above ``high`` is the last one.
Values on a grid are the decimal numbers that a person would write (0.3, not 0.30000000000000004).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

from hermes.model import Params, ParamValue

_ON_GRID = 1e-9


class Draws(Protocol):
    """Where chance comes from; ``random.Random`` is one."""

    def random(self) -> float:
        """Return a number from 0 (included) to 1 (excluded), uniformly."""
        ...


@dataclass(frozen=True)
class Condition:
    """The parameter that has it exists only while ``parent`` has one of the ``allowed`` values."""

    parent: str
    allowed: tuple[ParamValue, ...]

    @cached_property
    def _typed(self) -> frozenset[tuple[type, ParamValue]]:
        return frozenset((type(value), value) for value in self.allowed)

    def holds(self, chosen: Params) -> bool:
        """Say whether it holds for the values ``chosen`` so far; 1 and true are not the same."""
        value = chosen.get(self.parent)
        return value is not None and (type(value), value) in self._typed


@dataclass(frozen=True)
class Number:
    """A float or int parameter with inclusive bounds, perhaps on a grid, perhaps logarithmic.

    An int is always on a grid. ``log`` says how values are drawn, not which there are: the grid
    is ``low + i * step`` either way.
    """

    name: str
    integer: bool
    low: float
    high: float
    step: float | None
    log: bool
    when: tuple[Condition, ...] = ()

    @property
    def kind(self) -> str:
        """The type as it is written in the file."""
        return "int" if self.integer else "float"

    @cached_property
    def count(self) -> int | None:
        """How many values there are; None when they are not countable."""
        if self.low == self.high:
            return 1
        if self.step is None:
            return None
        low, high, step, _ = self._ticks
        return (high - low) // step + 1

    @cached_property
    def _ticks(self) -> tuple[int, int, int, int]:
        """``low``, ``high`` and ``step`` as whole numbers of one decimal unit, and 1 / unit."""
        if self.integer:
            return int(self.low), int(self.high), int(self.step or 0), 1
        from fractions import Fraction  # 6 ms, which few spaces need

        exact = [Fraction(repr(number)) for number in (self.low, self.high, self.step or 0)]
        scale = math.lcm(*(number.denominator for number in exact))
        low, high, step = (int(number * scale) for number in exact)
        return low, high, step, scale

    def at(self, index: int) -> ParamValue:
        """Return the value at ``index`` of the grid, from 0."""
        low, _, step, scale = self._ticks
        tick = low + index * step
        return tick if self.integer else tick / scale

    def index(self, value: ParamValue) -> int:
        """Return the index of the grid's value nearest to ``value``."""
        if self.step is None or self.count is None:
            return 0
        steps = (float(value) - self.low) / self.step
        if math.isinf(steps):  # the range is wider than the largest float
            steps = float(value) / self.step - self.low / self.step
        return max(0, min(round(steps), self.count - 1))

    def sample(self, rng: Draws) -> ParamValue:
        """Draw a value, uniformly or (``log``) uniformly in its logarithm."""
        return self.at_share(rng.random())

    def at_share(self, share: float) -> ParamValue:
        """Return the value at ``share`` of the range, from 0 to 1; by the logarithm if ``log``."""
        if self.log:
            return self._at_log_share(share)
        if self.count is None:
            return self._within(self.low * (1 - share) + self.high * share)
        return self.at(min(int(share * self.count), self.count - 1))

    def _at_log_share(self, share: float) -> ParamValue:
        bottom, top = self._log_ends
        value = self._within(math.exp(min(bottom + (top - bottom) * share, math.log(self.high))))
        return value if self.count is None else self.at(self.index(value))

    @cached_property
    def _log_ends(self) -> tuple[float, float]:
        """The logarithms at share 0 and 1: a value of a grid has half a step to either side."""
        margin = (self.step or 0.0) / 2
        bottom = math.log(max(self.low - margin, self.low / 2) or self.low)
        return bottom, math.log(self.high) + math.log1p(margin / self.high)

    def share(self, value: ParamValue) -> float:
        """Return where ``value`` lies in the range, from 0 to 1: ``at_share`` turned round."""
        if self.count == 1:
            return 0.5
        if self.log:
            bottom, top = self._log_ends
            place = (math.log(float(value)) - bottom) / (top - bottom)
        elif self.count is not None:
            place = (self.index(value) + 0.5) / self.count
        else:  # halved, for the range may be wider than the largest float
            place = (float(value) / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return max(0.0, min(place, 1.0))

    def _within(self, value: float) -> float:
        """Undo what rounding moved over a bound."""
        return max(self.low, min(value, self.high))

    def canonical(self, value: object) -> ParamValue | None:
        """Return ``value`` as this parameter spells it; None when it is not one of its values."""
        if type(value) is float and self.count is None:  # what most points are made of
            return value + 0.0 if self.low <= value <= self.high else None
        if type(value) is int and self.integer:
            low, high, step, _ = self._ticks
            return value if low <= value <= high and (value - low) % step == 0 else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if (self.integer and not isinstance(value, int)) or not self.low <= value <= self.high:
            return None
        if self.count is None:
            return float(value) + 0.0  # -0.0 is 0.0
        known = self.at(self.index(value))
        near = math.isclose(value, float(known), rel_tol=0.0, abs_tol=_ON_GRID * (self.step or 1.0))
        return known if near or value == known else None

    def describe(self) -> str:
        """Say in words which values there are."""
        noun = "a whole number" if self.integer else "a number"
        grid = f" in steps of {self.step}" if self.step not in (None, 1) else ""
        return f"{noun} from {self.low} to {self.high}{grid}"


@dataclass(frozen=True)
class Choice:
    """A categorical or bool parameter: one of a few values, in the order they were written."""

    name: str
    kind: str
    choices: tuple[ParamValue, ...]
    when: tuple[Condition, ...] = ()

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.choices)

    @cached_property
    def _places(self) -> Mapping[tuple[str, ParamValue], int]:
        return {(genus(value), value): place for place, value in enumerate(self.choices)}

    def at(self, index: int) -> ParamValue:
        """Return the value at ``index``, from 0."""
        return self.choices[index]

    def index(self, value: ParamValue) -> int:
        """Return the place of ``value`` among the choices. Raises KeyError."""
        return self._places[genus(value), value]

    def sample(self, rng: Draws) -> ParamValue:
        """Draw a value, each as likely as the others."""
        return self.choices[int(rng.random() * len(self.choices))]

    def canonical(self, value: object) -> ParamValue | None:
        """Return ``value`` as this parameter spells it; None when it is not one of its values."""
        if not isinstance(value, (bool, int, float, str)):
            return None
        place = self._places.get((genus(value), value))
        return None if place is None else self.choices[place]

    def describe(self) -> str:
        """Say in words which values there are."""
        shown = ", ".join(repr(value) for value in self.choices[:6])
        return f"one of {shown}" + (", …" if len(self.choices) > 6 else "")


Dimension: TypeAlias = Number | Choice


def genus(value: ParamValue) -> str:
    """Return what sort of scalar ``value`` is: 1 and 1.0 are of one sort, true and "1" are not."""
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


def exists(dimension: Dimension, chosen: Params) -> bool:
    """Say whether the parameter exists, given the values ``chosen`` of those before it."""
    return all(condition.holds(chosen) for condition in dimension.when)


def values_from(dimension: Dimension, start: int) -> Iterator[ParamValue]:
    """Yield each value of a countable parameter once: from index ``start`` up, then from 0."""
    count = dimension.count
    assert count is not None, f"{dimension.name} has no countable values"
    return (dimension.at((start + offset) % count) for offset in range(count))
