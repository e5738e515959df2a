"""Sequences in which a strategy meets failures and points of others, for tests of replay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hermes.model import Direction, Outcome, Trial
from hermes.search.base import SearchContext, Strategy
from hermes.search.contract import result
from hermes.search.generated_spaces import parsed
from hermes.search.random_search import RandomSearch

MIXED = {
    "x": {"type": "float", "low": -5, "high": 5},
    "rate": {"type": "float", "low": 1e-5, "high": 1, "log": True},
    "depth": {"type": "int", "low": 1, "high": 9},
    "kind": {"type": "categorical", "choices": ["a", "b", 3]},
    "beta": {
        "type": "float",
        "low": 0.1,
        "high": 10,
        "log": True,
        "step": 0.1,
        "when": {"kind": "b"},
    },
}
BOWL = {f"x{n}": {"type": "float", "low": -5, "high": 5} for n in range(4)}


def sphere(params: dict) -> float:
    return sum((value - 1.3) ** 2 for value in params.values())


def sealed(number: int, proposal_params: dict, strategy: str, value: float | None) -> Trial:
    outcome = Outcome.FAILED if value is None else Outcome.SUCCESS
    params = dict(proposal_params)
    return Trial(number, params, outcome, value, strategy, f"RUN-{number}", "default")


def eventful(strategy: Strategy, context: SearchContext, numbers: range) -> list[Trial]:
    """Play trials of which every third is another's and every fourth fails."""
    other, trials = RandomSearch(replace(context, options={})), []
    for number in numbers:
        proposal = (other if number % 3 == 0 else strategy).ask(number)
        assert proposal is not None
        value = result(number, proposal.params, context.space).value
        value = None if number % 4 == 0 else value
        trials.append(sealed(number, proposal.params, proposal.strategy, value))
        strategy.tell(trials[-1])
    return trials


def assert_resumes(make: Callable[[SearchContext], Strategy], context: SearchContext, length: int):
    """Stop an eventful search in several places, and go on with a new object each time."""
    whole = eventful(make(context), context, range(1, length + 1))
    for done in (1, 4, length // 2, length - 2):
        resumed = make(context)
        for trial in whole[:done]:
            resumed.tell(trial)
        assert eventful(resumed, context, range(done + 1, length + 1)) == whole[done:]


def best_of(strategy: Strategy, numbers: range, *, flying: int = 1) -> float:
    """Search the bowl, with some trials in flight, and return the least value."""
    best, waiting = float("inf"), []
    for number in numbers:
        proposal = strategy.ask(number, [params for _, params in waiting])
        waiting.append((number, dict(proposal.params)))
        if len(waiting) == flying:
            done, params = waiting.pop(0)
            best = min(best, sphere(params))
            strategy.tell(sealed(done, params, strategy.name, sphere(params)))
    return best


def bowl(**more: object) -> SearchContext:
    return SearchContext(parsed(BOWL), Direction.MINIMIZE, **more)


def played_elsewhere(module: str, code: str, length: int) -> list[object]:
    """Play ``length`` eventful trials in two other processes; ``code`` makes strategy ``made``.

    They differ in how texts are hashed, and must print nothing else.
    """
    whole = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        f"from {module} import *; import json; {code};"
        f"trials = eventful(made, asked, range(1, {length} + 1));"
        "print(json.dumps([dict(trial.params) for trial in trials]))"
    )
    printed = []
    for hash_seed in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run(
            [sys.executable, "-c", whole], capture_output=True, check=True, text=True, env=environ
        )
        assert ran.stderr == ""
        printed.append(json.loads(ran.stdout))
    return printed
