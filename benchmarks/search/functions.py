"""Ten functions whose best value is known; where it lies differs from seed to seed where it can."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

from problems import Failed, Instance, Problem, box, coordinates, somewhere

from hermes.model import Params

Vector = Sequence[float]


def sphere(x: Vector) -> float:
    return sum(v * v for v in x)


def rosenbrock(x: Vector) -> float:
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def branin(x: Vector) -> float:
    a, b = x
    valley = b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10


HARTMANN_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
HARTMANN_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann6(x: Vector) -> float:
    total = 0.0
    for weight, row, place in zip((1, 1.2, 3, 3.2), HARTMANN_A, HARTMANN_P, strict=True):
        distance = sum(a * (v - p) ** 2 for a, v, p in zip(row, x, place, strict=True))
        total -= weight * math.exp(-distance)
    return total


def ackley(x: Vector) -> float:
    spread = math.sqrt(sphere(x) / len(x))
    waves = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return 20 + math.e - 20 * math.exp(-0.2 * spread) - math.exp(waves)


def rastrigin(x: Vector) -> float:
    return sum(v * v + 10 - 10 * math.cos(2 * math.pi * v) for v in x)


def levy(x: Vector) -> float:
    w = [1 + v / 4 for v in x]  # the optimum is at 0
    middle = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return math.sin(math.pi * w[0]) ** 2 + middle + last


def ellipsoid(x: Vector) -> float:
    return sum(100 ** (n / (len(x) - 1)) * v * v for n, v in enumerate(x))


# Instances


def still(function: Callable[[Vector], float]) -> Callable[[random.Random], Instance]:
    """Return the maker of a problem that is the same for every seed."""

    def value(params: Params) -> float:
        return function(coordinates(params))

    return lambda rng: Instance(value, value)  # noqa: ARG005  the same for every seed


def moved(
    function: Callable[[Vector], float], count: int, reach: float
) -> Callable[[random.Random], Instance]:
    """Return the maker of a problem whose optimum lies within ``reach`` of the middle."""

    def make(rng: random.Random) -> Instance:
        value = _around(function, somewhere(rng, count, -reach, reach))
        return Instance(value, value)

    return make


def _around(function: Callable[[Vector], float], best: Vector) -> Callable[[Params], float]:
    def value(params: Params) -> float:
        return function([v - b for v, b in zip(coordinates(params), best, strict=True)])

    return value


def noisy(rng: random.Random) -> Instance:
    """Return a sphere; what is measured has a normal error of 1."""
    value = _around(sphere, somewhere(rng, 5, -3, 3))
    noise = random.Random(rng.random())
    return Instance(lambda params: value(params) + noise.gauss(0, 1), value)


CORNER = 2 - math.sqrt(0.5)
"""In the unit square, x + y is above it in a quarter of the area."""


def failing(rng: random.Random) -> Instance:
    """Return an ellipsoid that cannot be evaluated in one corner; the optimum is near its edge."""
    edge = rng.uniform(0.85, 0.99) * CORNER
    first = rng.uniform(edge - 0.9, 0.9)
    unit = [first, edge - first, *somewhere(rng, 3, 0.2, 0.8)]
    value = _around(ellipsoid, [10 * u - 5 for u in unit])

    def measure(params: Params) -> float:
        x0, x1 = coordinates(params)[:2]
        if (x0 + x1 + 10) / 10 > CORNER:
            raise Failed
        return value(params)

    return Instance(measure, value)


MIXED = {
    "model": {"type": "categorical", "choices": ["kernel", "trees", "network"]},
    "scaled": {"type": "bool"},
    "weight": {"type": "float", "low": 0, "high": 1},
    "cost": {"type": "float", "low": 1e-3, "high": 1e3, "log": True, "when": {"model": "kernel"}},
    "width": {"type": "float", "low": 1e-4, "high": 10, "log": True, "when": {"model": "kernel"}},
    "depth": {"type": "int", "low": 1, "high": 20, "when": {"model": "trees"}},
    "share": {"type": "float", "low": 0.1, "high": 1, "when": {"model": "trees"}},
    "layers": {"type": "int", "low": 1, "high": 6, "when": {"model": "network"}},
    "rate": {"type": "float", "low": 1e-5, "high": 1, "log": True, "when": {"model": "network"}},
    "decay": {"type": "float", "low": 1e-6, "high": 0.1, "log": True, "when": {"model": "network"}},
}


def mixed(rng: random.Random) -> Instance:
    """Return a loss such as a choice of models has: each its own valley, and one the deepest."""
    floors = [0.0, 0.1, 0.2]
    rng.shuffle(floors)
    floor = dict(zip(MIXED["model"]["choices"], floors, strict=True))
    scaled = rng.random() < 0.5
    best = {name: rng.uniform(0.15, 0.85) for name in MIXED}

    def value(params: Params) -> float:
        total = floor[params["model"]] + 0.1 * (params["scaled"] is not scaled)
        return total + sum(_distance(name, params, best[name]) for name in params)

    return Instance(value, value)


def _distance(name: str, params: Params, best: float) -> float:
    """Return how far a number is from where it is best; that is the nearest value for an int."""
    declared, value = MIXED[name], params[name]
    if declared["type"] not in ("float", "int"):
        return 0.0
    low, high = declared["low"], declared["high"]
    if declared["type"] == "int":
        return abs(value - round(low + best * (high - low))) / (high - low)
    if declared.get("log"):
        low, high, value = math.log(low), math.log(high), math.log(value)
    return 2 * ((value - low) / (high - low) - best) ** 2


FUNCTIONS = (
    Problem("sphere", "5 floats", box(5, -5, 5), moved(sphere, 5, 3)),
    Problem("rosenbrock", "5 floats", box(5, -2, 2), still(rosenbrock)),
    Problem(
        "branin",
        "2 floats",
        {
            "x0": {"type": "float", "low": -5, "high": 10},
            "x1": {"type": "float", "low": 0, "high": 15},
        },
        still(branin),
        optimum=0.39788735772973816,
    ),
    Problem("hartmann6", "6 floats", box(6, 0, 1), still(hartmann6), optimum=-3.322368011415515),
    Problem("ackley", "10 floats", box(10, -32.768, 32.768), moved(ackley, 10, 16)),
    Problem("rastrigin", "5 floats", box(5, -5.12, 5.12), moved(rastrigin, 5, 2.5)),
    Problem("levy", "8 floats", box(8, -10, 10), moved(levy, 8, 5)),
    Problem("mixed", "a choice of three, each with 2 or 3 of its own, and 2 for all", MIXED, mixed),
    Problem("noisy", "5 floats, an error of 1 in each value", box(5, -5, 5), noisy),
    Problem("failing", "5 floats, a quarter of the space fails", box(5, -5, 5), failing),
)
