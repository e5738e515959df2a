"""Searches for tests of strategies: functions to search, and sequences of asking and telling."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from records import plain

from hermes.model import Direction, Outcome, Params, Trial
from hermes.search.base import SearchContext, Strategy
from hermes.search.generated_spaces import parsed
from hermes.search.registry import make

PLANE: dict = {name: {"type": "float", "low": -5, "high": 5} for name in "abcde"}
MIXED: dict = {
    "kind": {"type": "categorical", "choices": ["x", "y", "z"]},
    "rate": {"type": "float", "low": 1e-5, "high": 1, "log": True},
    "size": {"type": "int", "low": 1, "high": 40},
    "warm": {"type": "bool"},
    "share": {"type": "float", "low": 0, "high": 1, "step": 0.05, "when": {"warm": True}},
    "depth": {"type": "int", "low": 1, "high": 12, "when": {"kind": "y"}},
}


def bowl(point: Params) -> float:
    """Return the distance from a point away from the middle, with unequal weights."""
    wanted = {"a": 1.3, "b": -2.1, "c": 0.4, "d": 3.0, "e": -0.7}
    weights = {"a": 1, "b": 3, "c": 10, "d": 2, "e": 5}
    return sum(weights[name] * (point[name] - wanted[name]) ** 2 for name in wanted)


def mixture(point: Params) -> float:
    """Return a value for points of ``MIXED``: best is kind y, depth 9, warm, share 0.4."""
    from math import log10

    value = {"x": 0.4, "y": 0.0, "z": 1.0}[point["kind"]]
    value += (log10(point["rate"]) + 2.5) ** 2 / 2 + (point["size"] - 17) ** 2 / 200
    value += 2 * (point["share"] - 0.4) ** 2 if point["warm"] else 0.3
    return value + (0.02 * (point["depth"] - 9) ** 2 if "depth" in point else 0.0)


def failing(function: Callable[[Params], float]) -> Callable[[Params], float | None]:
    """Return ``function`` with a region where every run fails."""
    return lambda point: None if point["a"] - point["b"] > 4 else function(point)


def made(
    name: str, raw: dict, *, seed: int = 1, direction: str = "minimize", **options
) -> Strategy:
    """Return a new strategy."""
    context = SearchContext(parsed(raw), Direction(direction), seed=seed, options=options)
    return make(name, context)


def sealed(number: int, proposal, value: float | None, **changes) -> Trial:
    """Return the sealed run of a proposal; without a value it has failed."""
    outcome = Outcome.FAILED if value is None else Outcome.SUCCESS
    trial = Trial(
        number,
        proposal.params,
        outcome,
        value,
        proposal.strategy,
        f"RUN-{number}",
        "default",
        parents=proposal.parents,
    )
    return replace(trial, **changes)


def search(
    strategy: Strategy, function: Callable[[Params], float | None], numbers: Sequence[int]
) -> list[Trial]:
    """Ask and tell one after the other; return the trials."""
    trials = []
    for number in numbers:
        proposal = strategy.ask(number)
        assert proposal is not None
        trials.append(sealed(number, proposal, function(proposal.params)))
        strategy.tell(trials[-1])
    return trials


def best(trials: Sequence[Trial]) -> float:
    """Return the smallest value."""
    return min(trial.value for trial in trials if trial.value is not None)


def busy_history(strategy: Strategy, function: Callable[[Params], float | None]) -> list:
    """Return what is told and asked in a lab full of life, as pairs of told trial and pending.

    Three runs in flight end in any order, one in six is somebody else's, some fail and some are cut
    off and run again. The strategy is asked and told on the way.
    """
    rng, number, flying, told = random.Random(5), 0, [], []
    other = random.Random(6)
    space = parsed(PLANE)
    while len(told) < 90:
        while len(flying) < 3:
            number += 1
            proposal = strategy.ask(number, [params.params for _, params in flying])
            assert proposal is not None
            if number % 6 == 0:
                proposal = replace(proposal, params=space.sample(other), strategy="x", parents=())
            flying.append((number, proposal))
        at = int(rng.random() * len(flying))
        trial_number, proposal = flying[at]
        trial = sealed(trial_number, proposal, function(proposal.params))
        if rng.random() < 0.1:  # it stays in flight, for it runs again
            cut = replace(trial, outcome=Outcome.INTERRUPTED, value=None, run_id=f"CUT-{len(told)}")
            trial = cut
        else:
            del flying[at]
        strategy.tell(trial)
        told.append((trial, [params.params for _, params in flying]))
    return told


def asked_elsewhere(name: str, raw: dict, told: Sequence[Trial], pending, number: int) -> list:
    """Return what a new process proposes that was told ``told``, twice, with other hashes."""
    script = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1]);"
        "from played_searches import made; from hermes import codec;"
        "from hermes.model import Trial;"
        "job = json.load(sys.stdin);"
        "s = made(job['name'], job['raw']);"
        "[s.tell(codec.decode(Trial, raw)) for raw in job['told']];"
        "print(codec.to_json(s.ask(job['number'], job['pending'])).decode())"
    )
    job = {
        "name": name,
        "raw": raw,
        "told": [plain(trial) for trial in told],
        "pending": plain(pending),
        "number": number,
    }
    answers = []
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", script, json.dumps(sys.path)],
            input=json.dumps(job),
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        answers.append(json.loads(ran.stdout))
    return answers
