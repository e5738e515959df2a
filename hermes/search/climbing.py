"""One climb of the strategy ``perturb``: from a base to ever better ones, sweep after sweep.

Limits first.
It finds a local best; who wants another one begins another climb elsewhere.
Of a few bases only it remembers enough to understand a step that was made from them.

A sweep takes the parameters in turn. Along a number it searches a line, with a step of its own that
grows where it led far and shrinks where it led nowhere; of a choice it tries one other value. Then
it goes on in the direction that the sweep has led (M. J. D. Powell, An efficient method for finding
the minimum of a function of several variables without calculating derivatives, 1964; the last move
is the pattern move of R. Hooke and T. A. Jeeves, 1961). When all steps are small, one sweep leaps:
it draws each number anew. When that does not help either, the climb is stuck.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

from hermes.model import Params, Trial
from hermes.search.base import chance
from hermes.search.courses import Base, Course, base_of
from hermes.search.dimensions import Draws
from hermes.search.draws import Later, normal, shuffled
from hermes.search.places import Moves
from hermes.search.untried import Candidate

Tried: TypeAlias = Callable[[Params], bool]

PATTERN = ""  # in the place of a parameter's name: all that the sweep has moved
_SMALLEST, _SMALL, _LARGEST = 1e-4, 1e-3, 0.5
_SHRINK, _GROWTH = 0.3, 2.0
_BASES = 32
_NEARBY = 32


@dataclass
class _Sweep:
    number: int
    order: tuple[str, ...]
    start: Base
    leaps: bool
    gained: bool = False
    done: set[str] = field(default_factory=set)
    courses: dict[str, Course] = field(default_factory=dict)


class Climb:
    """What was learnt on the way from a first base; ``number`` tells it from other climbs."""

    def __init__(
        self,
        moves: Moves,
        first: Base,
        *,
        is_tried: Tried,
        step: float,
        seed: int,
        number: int,
    ) -> None:
        self._moves, self._is_tried = moves, is_tried
        self._seed, self._number = seed, number
        self._step = step
        self._steps = dict.fromkeys(moves.axes, step)
        sides = self._rng("sides", 0)
        self._sides = {name: 1 if sides.random() < 0.5 else -1 for name in moves.axes}
        self._bases = {first.run_id: first}
        self.base = first
        self.is_stuck = False
        self._sweep = self._new_sweep(0, leaps=False)
        self._go_on()

    def _rng(self, what: str, sweep: int) -> random.Random:
        return chance(f"climb:{self._number}:{what}", self._seed, sweep)

    # Being told

    def tell(
        self, trial: Trial, value: float | None, *, parent: str | None, is_record: bool = False
    ) -> None:
        """Learn of a step from ``parent``, or of the best run of all, which somebody else made."""
        reached = base_of(self._moves, trial, value, self.base.value)
        base = None if parent is None else self._bases.get(parent)
        if base is not None:
            self._tell_step(base, trial.params, value, reached)
        elif is_record and reached is not None:
            self._jump(reached)

    def _tell_step(
        self, parent: Base, params: Params, value: float | None, reached: Base | None
    ) -> None:
        entry = self._entry(parent, params)
        if entry is not None:
            self._learn(entry, parent, params, value)
        if reached is not None:
            self._move(reached)
        if entry is not None and entry not in self._sweep.courses:  # it has one try in a sweep
            self._close(entry)
        self._go_on()

    def _jump(self, to: Base) -> None:
        """Go on from there, with steps at least as large as the way there."""
        for name, place in to.places.items():
            if name in self.base.places:
                far = abs(place - self.base.places[name])
                self._steps[name] = min(_LARGEST, max(self._steps[name], far))
        self._move(to)
        self._sweep = self._new_sweep(self._sweep.number + 1, leaps=False)
        self.is_stuck = False
        self._go_on()

    def _entry(self, base: Base, params: Params) -> str | None:
        """Return which entry of a sweep the step from ``base`` to ``params`` was, if any."""
        changed = [name for name, value in params.items() if base.params.get(name) != value]
        if len(changed) == 1 and self._is_moved(changed[0], base.params, params):
            return changed[0]
        for name in changed:
            if name in self._moves.choices:
                return name
        if changed and all(self._is_moved(name, base.params, params) for name in changed):
            course = self._course(PATTERN, base)
            here = self._moves.places(params)
            return PATTERN if course is not None and course.meets(base, here) else None
        return None

    def _is_moved(self, name: str, base: Params, params: Params) -> bool:
        axis = self._moves.axes.get(name)
        return axis is not None and name in base and axis.number.canonical(params[name]) is not None

    def _learn(self, entry: str, parent: Base, params: Params, value: float | None) -> None:
        sweep = self._sweep
        if sweep.leaps or entry in sweep.done or entry in self._moves.choices:
            return
        course = self._course(entry, parent)
        if course is not None and course.passes(parent):
            sweep.courses[entry] = course
            axes = self._moves.axes
            here = {name: axes[name].place(params[name]) for name in course.direction}
            course.tell(parent, here, value)

    def _move(self, to: Base) -> None:
        if self._sweep.leaps:
            for name, place in to.places.items():
                if place != self.base.places.get(name):
                    self._steps[name] = self._step / 2
        self.base = to
        self._sweep.gained = True
        self._bases[to.run_id] = to
        if len(self._bases) > _BASES:
            del self._bases[next(iter(self._bases))]

    # The order of things

    def _go_on(self) -> None:
        """Pass over what nothing can be tried of; begin a sweep where one has ended."""
        while not self.is_stuck:
            done = self._sweep.done
            for entry in self._sweep.order:
                if entry in done:
                    continue
                if self._has_untried(entry):
                    return
                self._close(entry)
            self._end_sweep()

    def _end_sweep(self) -> None:
        sweep = self._sweep
        places = self.base.places
        are_small = all(self._is_small(name) for name in places)
        leaps = are_small and (bool(places) or not sweep.gained)
        self.is_stuck = sweep.leaps and not sweep.gained
        self._sweep = self._new_sweep(sweep.number + 1, leaps=leaps)

    def _is_small(self, name: str) -> bool:
        grain = self._moves.axes[name].grain(self.base.params[name])
        return self._steps[name] <= max(_SMALL, grain)

    def _new_sweep(self, number: int, *, leaps: bool) -> _Sweep:
        names = [*self._moves.axes, *self._moves.choices]
        order = shuffled(names, self._rng("order", number))
        return _Sweep(number, (*order, PATTERN), self.base, leaps)

    def _close(self, entry: str) -> None:
        """Let the sweep be done with an entry, and adapt its step."""
        sweep = self._sweep
        sweep.done.add(entry)
        if sweep.leaps or entry not in self.base.places:
            return
        course = sweep.courses.get(entry)
        size = abs(course.direction[entry]) if course else self._steps[entry]
        moved = course.place(self.base.places) * course.direction[entry] if course else 0.0
        if moved:
            self._sides[entry] = 1 if moved > 0 else -1
        step = max(_SHRINK * size, min(abs(moved), _GROWTH * size))
        self._steps[entry] = max(_SMALLEST, min(step, _LARGEST))

    # What may be tried

    def steps(self) -> Iterator[Candidate]:
        """Yield what to try next: what is left of the sweep, in its order."""
        for entry in self._sweep.order:
            point = None if entry in self._sweep.done else self._point(entry)
            if point is not None:
                yield Candidate(point, self._note(entry), (self.base.run_id,))

    def nearby(self, rng: Draws) -> Iterator[Candidate]:
        """Draw some points around the base, in all numbers at once: for who waits for the steps."""
        for _ in range(_NEARBY):
            point = self._nearby(rng)
            yield Candidate(point, "a step beside its best point", (self.base.run_id,))

    def _note(self, entry: str) -> str:
        if entry == PATTERN:
            return "goes on the way that its best point has come"
        if self._sweep.leaps or entry in self._moves.choices:
            return f"another {entry} for its best point"
        return f"a step along {entry} from its best point"

    def _has_untried(self, entry: str) -> bool:
        point = self._point(entry)
        return point is not None and not self._is_tried(point)

    def _point(self, entry: str) -> Params | None:
        """Return the point that the sweep wants to try of an entry; None when there is none."""
        rng = Later(lambda: self._rng(entry, self._sweep.number))
        if entry in self._moves.choices:
            return self._other_choice(entry, rng)
        if self._sweep.leaps:
            if entry not in self.base.places:
                return None
            return self._moves.at(self.base.params, {entry: rng.random()}, rng)
        places = self._wanted(entry)
        return None if places is None else self._moves.at(self.base.params, places, rng)

    def _wanted(self, entry: str) -> Mapping[str, float] | None:
        course = self._course(entry, self.base)
        return None if course is None else course.wanted(self.base)

    def _course(self, entry: str, base: Base) -> Course | None:
        return self._sweep.courses.get(entry) or self._open(entry, base)

    def _open(self, entry: str, base: Base) -> Course | None:
        """Return the course of an entry from ``base``; None when it leads nowhere."""
        if entry == PATTERN:
            start = self._sweep.start.places
            ways = {k: place - start[k] for k, place in base.places.items() if k in start}
            moved = {name: way for name, way in ways.items() if abs(way) > _SMALLEST}
            return Course(base, moved) if len(moved) > 1 else None
        if entry not in base.places:
            return None
        step, side = self._steps[entry], self._sides[entry]
        room = 1 - base.places[entry] if side > 0 else base.places[entry]
        return Course(base, {entry: step * (side if room >= step / 2 else -side)})

    def _other_choice(self, name: str, rng: Draws) -> Params | None:
        """Return the base with another value of a choice, one that gives an untried point."""
        if name not in self.base.params:
            return None
        choice = self._moves.choices[name]
        here = choice.index(self.base.params[name])
        others = [choice.at((here + 1 + k) % choice.count) for k in range(choice.count - 1)]
        first = self._sweep.number % len(others)
        for value in chain(others[first:], others[:first]):
            point = self._moves.with_values(self.base.params, {name: value}, rng)
            if not self._is_tried(point):
                return point
        return None

    def _nearby(self, rng: Draws) -> Params:
        """Draw a point around the base, in all numbers at once."""
        scale = 2 / math.sqrt(len(self.base.places) or 1)
        places = {
            name: place + scale * self._steps[name] * normal(rng)
            for name, place in self.base.places.items()
        }
        return self._moves.at(self.base.params, places, rng)
