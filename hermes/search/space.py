"""The search space: which points there are, drawn, counted, listed and told apart.

Limits first.
A condition (``when``) can only name a parameter with countable values.
``size`` is None for a space that is infinite or whose conditions are too entangled to count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hermes import codec
from hermes.errors import SpaceError, SpecError, nearest
from hermes.model import Params, ParamValue
from hermes.search.declarations import read_dimensions
from hermes.search.dimensions import Dimension, Draws, exists, values_from

LARGEST_FILE = 1024 * 1024
_MOST_STATES = 10_000
_States = dict[tuple[tuple[str, type, ParamValue], ...], int]


@dataclass(frozen=True)
class Space:
    """The parameters, each after those that its condition names, else in the order of the file."""

    dimensions: tuple[Dimension, ...]
    source: str = field(default="", compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order in which points list them."""
        return tuple(dimension.name for dimension in self.dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Dimension]:
        return {dimension.name: dimension for dimension in self.dimensions}

    @cached_property
    def _spelling(self) -> tuple[tuple[str, Callable[[object], ParamValue | None]], ...]:
        return tuple((dimension.name, dimension.canonical) for dimension in self.dimensions)

    # Points

    def sample(self, rng: Draws) -> dict[str, ParamValue]:
        """Draw a point; a parameter whose condition does not hold is absent."""
        chosen: dict[str, ParamValue] = {}
        for dimension in self.dimensions:
            if not dimension.when or exists(dimension, chosen):
                chosen[dimension.name] = dimension.sample(rng)
        return chosen

    def contains(self, params: Params) -> list[str]:
        """Return what keeps ``params`` from being a point of the space; [] when it is one."""
        return [] if self._has(params) else self._problems(params)

    def _has(self, params: Params) -> bool:
        chosen: dict[str, ParamValue] = {}
        for dimension in self.dimensions:
            if not dimension.when or exists(dimension, chosen):
                known = dimension.canonical(params.get(dimension.name))
                if known is None:
                    return False
                chosen[dimension.name] = known
        return len(chosen) == len(params)  # else there are others, or some that must be absent

    def _problems(self, params: Params) -> list[str]:
        problems = [self._unknown(name) for name in params if name not in self._by_name]
        chosen: dict[str, ParamValue] = {}
        for dimension in self.dimensions:
            value = params.get(dimension.name)
            known = dimension.canonical(value)
            problem = _problem(dimension, value, known, exists(dimension, chosen))
            if problem:
                problems.append(f"{dimension.name}: {problem}")
            if known is not None:
                chosen[dimension.name] = known
        return problems

    def _unknown(self, name: str) -> str:
        near = nearest(name, self._by_name)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(self.names[:10])}"
        return f"{name}: no such parameter; {hint}"

    def key(self, params: Params) -> str:
        """Return the identity of a point: equal for equal points, however they are spelled.

        Also tells apart points that are not of the space (from an older space, or by hand).
        """
        parts = []
        for name, canonical in self._spelling:
            value = params.get(name)
            if value is not None:
                known = canonical(value)
                parts.append(f"{name}={value if known is None else known!r}")
        if len(parts) < len(params):
            strangers = sorted(params.keys() - self._by_name.keys())
            parts += [f"{name!r}:{params[name]!r}" for name in strangers]
        return "\n".join(parts)

    # All points

    def grid(self) -> Iterator[dict[str, ParamValue]]:
        """Yield every point: the last parameter changes fastest, as in nested loops.

        Numbers go up, choices are in the order of the file, false is before true.
        Raises SpecError at once when a parameter has no countable values.
        """
        endless = [item.name for item in self.dimensions if item.count is None]
        if endless:
            raise SpaceError(
                self.source or "The space",
                (endless[0],),
                f"no grid can list every value of {', '.join(endless)}.",
                'Give each a "step", or use another strategy.',
            )
        return self.walk(lambda dimension: values_from(dimension, 0))

    def walk(
        self, values: Callable[[Dimension], Iterable[ParamValue]]
    ) -> Iterator[dict[str, ParamValue]]:
        """Yield the points made of the ``values`` of each parameter, as nested loops would."""
        chosen: dict[str, ParamValue] = {}
        loops = [self._loop(0, chosen, values)]
        while loops:
            dimension = self.dimensions[len(loops) - 1]
            if not _advance(loops[-1], dimension.name, chosen):
                loops.pop()
            elif len(loops) < len(self.dimensions):
                loops.append(self._loop(len(loops), chosen, values))
            else:
                yield dict(chosen)

    def _loop(
        self, depth: int, chosen: Params, values: Callable[[Dimension], Iterable[ParamValue]]
    ) -> Iterator[ParamValue | None]:
        """Return the loop over one parameter; it turns once, with None, over an absent one."""
        dimension = self.dimensions[depth]
        return iter(values(dimension) if exists(dimension, chosen) else (None,))

    def size(self) -> int | None:
        """Return the number of distinct points; None when it is infinite or cannot be counted."""
        return self._size

    @cached_property
    def _size(self) -> int | None:
        """Count by what later conditions ask: a state is the values they wait for, seen so far."""
        states: _States = {(): 1}
        for depth, dimension in enumerate(self.dimensions):
            following = self.dimensions[depth + 1 :]
            grown = _grow(states, dimension, following)
            if grown is None or len(grown) > _MOST_STATES:
                return None
            states = grown
        return sum(states.values())


def _problem(
    dimension: Dimension, value: object, known: ParamValue | None, wanted: bool
) -> str | None:
    if not wanted:
        return None if value is None else "must be absent, for its condition does not hold"
    if value is None:
        return f"is missing; it is {dimension.describe()}"
    return f"{value!r} is not {dimension.describe()}" if known is None else None


def _advance(loop: Iterator[ParamValue | None], name: str, chosen: dict[str, ParamValue]) -> bool:
    """Put the loop's next value into ``chosen``; False, and none there, when it has ended."""
    chosen.pop(name, None)
    for value in loop:
        if value is not None:
            chosen[name] = value
        return True
    return False


# Counting


def _grow(states: _States, dimension: Dimension, following: Sequence[Dimension]) -> _States | None:
    """Return the states after one more parameter; None when it has no countable values."""
    waited = _waited_values(dimension, following)
    live = {condition.parent for item in following for condition in item.when}
    grown: _States = {}
    for state, count in states.items():
        chosen = {name: value for name, _, value in state}
        ways: list[tuple[ParamValue | None, int]] = [(None, 1)]
        if exists(dimension, chosen):
            if dimension.count is None:
                return None
            ways = [(value, 1) for value in waited]
            ways.append((None, dimension.count - len(waited)))
        for value, number in ways:
            after = {**chosen, dimension.name: value}
            key = tuple((n, type(v), v) for n, v in after.items() if v is not None and n in live)
            grown[key] = grown.get(key, 0) + count * number
    return grown


def _waited_values(dimension: Dimension, following: Sequence[Dimension]) -> list[ParamValue]:
    """Return the values of ``dimension`` on which a later condition depends."""
    places = {
        dimension.index(value)
        for item in following
        for condition in item.when
        if condition.parent == dimension.name
        for value in condition.allowed
    }
    return [dimension.at(place) for place in sorted(places)]


# Reading


def load_space(path: Path) -> Space:
    """Read and validate a search space file of at most 1 MiB. Raises SpecError."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SpecError(
            f"{path}: the search space cannot be read: {error.strerror}.",
            "Name a JSON file that exists, with search_space=.",
        ) from None
    if len(data) > LARGEST_FILE:
        raise SpecError(f"{path}: larger than 1 MiB.", "Make the search space smaller.")
    try:
        raw = codec.from_json(data, unique_keys=True)
    except ValueError as error:
        raise SpecError(
            f"{path}: not a search space: {error}.", "Mend the file; it is strict JSON in UTF-8."
        ) from None
    return parse_space(raw, source=str(path))


def parse_space(raw: object, *, source: str) -> Space:
    """Validate a parsed search space; ``source`` names its file in errors. Raises SpecError."""
    return Space(tuple(_in_order(read_dimensions(raw, source), source)), source)


def _in_order(dimensions: Sequence[Dimension], source: str) -> list[Dimension]:
    """Put each parameter after those its condition names; keep the order of the file else."""
    waiting, ordered, placed = list(dimensions), [], set[str]()
    while waiting:
        ready = next((item for item in waiting if _parents(item) <= placed), None)
        if ready is None:
            raise SpaceError(
                source,
                (waiting[0].name,),
                f"the conditions go round in a circle: {_circle(waiting)}.",
                'Remove one "when" of these parameters.',
            )
        waiting.remove(ready)
        ordered.append(ready)
        placed.add(ready.name)
    return ordered


def _parents(dimension: Dimension) -> set[str]:
    return {condition.parent for condition in dimension.when}


def _circle(waiting: Sequence[Dimension]) -> str:
    """Return one circle among parameters that all wait for another of them."""
    by_name = {item.name: item for item in waiting}
    path = [waiting[0].name]
    while path.count(path[-1]) < 2:
        path.append(min(_parents(by_name[path[-1]]) & by_name.keys()))
    return " → ".join(path[path.index(path[-1]) :])
