"""Points made of two points: half the way from one to the other, or some of each; for strategies.

Limits: of parameters that one of the two has not, nothing is blended; what comes alive is drawn.
"""

from __future__ import annotations

from hermes.model import Params, ParamValue
from hermes.search.dimensions import Draws
from hermes.search.places import Moves


def half_way(moves: Moves, start: Params, end: Params, rng: Draws) -> dict[str, ParamValue]:
    """Return the point half the way to ``end``; each other choice of it is taken every second time.

    Numbers are halved between their places, so a logarithmic one at the geometric mean.
    """
    choices = {
        name: end[name]
        for name in moves.choices
        if name in start and name in end and rng.random() < 0.5
    }
    there = moves.places(end)
    between = {
        name: (place + there[name]) / 2
        for name, place in moves.places(start).items()
        if name in there and there[name] != place
    }
    point = moves.with_values(start, choices, rng)
    alive = {name: place for name, place in between.items() if name in point}
    return moves.at(point, alive, rng)


def mixed(moves: Moves, one: Params, other: Params, rng: Draws) -> dict[str, ParamValue]:
    """Return the point ``one`` with every second parameter from ``other``."""
    taken = {name: value for name, value in other.items() if rng.random() < 0.5}
    return moves.with_values(one, taken, rng)


def distance(moves: Moves, one: Params, other: Params) -> float:
    """Return how far two points are apart: the squares of the ways, and 1 for all else."""
    here, there = moves.places(one), moves.places(other)
    ways = sum((place - there[name]) ** 2 for name, place in here.items() if name in there)
    choices = sum(one.get(name) != other.get(name) for name in moves.choices)
    return ways + choices + len(here.keys() ^ there.keys())
