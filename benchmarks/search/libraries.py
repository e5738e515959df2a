"""Optuna and Nevergrad used directly, by their own documented means and with their own defaults.

Limits: Nevergrad has no notion of a parameter that exists only sometimes, nor of a failure. So it
searches all parameters and those without effect are left out; a failure is told as the worst
value so far. Optuna knows both.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from methods import Method, Missing, Searcher
from problems import Problem

from hermes.model import Direction, Params, ParamValue
from hermes.search.dimensions import Choice, Dimension, exists

# Optuna


class WithOptuna:
    """A study; its parameters are suggested one after the other, as in an objective."""

    def __init__(self, problem: Problem, sampler: Callable[[Any], Any]) -> None:
        try:
            import optuna

            made = sampler(optuna.samplers)
        except ImportError as error:
            raise Missing(f"{error}") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._failed = optuna.trial.TrialState.FAIL
        self._space = problem.space
        self._study = optuna.create_study(direction=problem.direction.value, sampler=made)
        self._trial: Any = None

    def ask(self) -> Params:
        self._trial = self._study.ask()
        chosen: dict[str, ParamValue] = {}
        for dimension in self._space.dimensions:
            if exists(dimension, chosen):
                chosen[dimension.name] = _suggest(self._trial, dimension)
        return chosen

    def tell(self, value: float | None) -> None:
        if value is None:
            self._study.tell(self._trial, state=self._failed)
        else:
            self._study.tell(self._trial, value)


def _suggest(trial: Any, dimension: Dimension) -> ParamValue:
    if isinstance(dimension, Choice):
        return trial.suggest_categorical(dimension.name, dimension.choices)
    suggest = trial.suggest_int if dimension.integer else trial.suggest_float
    step = None if dimension.log else dimension.step
    step = {} if step is None else {"step": step}
    return suggest(dimension.name, dimension.low, dimension.high, log=dimension.log, **step)


def optuna(name: str, about: str, sampler: Callable[[Any, int], Any], **more: bool) -> Method:
    """Return the method of one of Optuna's samplers."""

    def make(problem: Problem, seed: int, budget: int) -> Searcher:  # noqa: ARG001  it asks for none
        return WithOptuna(problem, lambda samplers: sampler(samplers, seed))

    return Method(name, about, make, **more)


def _cmaes(samplers: Any, seed: int) -> Any:
    import cmaes  # noqa: F401  Optuna would only say later that it is missing

    return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _gp(samplers: Any, seed: int) -> Any:
    import torch

    torch.set_num_threads(1)
    return samplers.GPSampler(seed=seed, warn_independent_sampling=False)


# Nevergrad


class WithNevergrad:
    """An optimizer of the library's, told the budget that it has."""

    def __init__(self, problem: Problem, optimizer: str, seed: int, budget: int) -> None:
        try:
            import nevergrad as ng
        except ImportError as error:
            raise Missing(f"{error}") from error
        self._space = problem.space
        self._sign = -1.0 if problem.direction is Direction.MAXIMIZE else 1.0
        kinds = {item.name: _parameter(ng, item) for item in self._space.dimensions}
        made = ng.p.Dict(**kinds)
        made.random_state.seed(seed)
        self._optimizer = ng.optimizers.registry[optimizer](made, budget=budget, num_workers=1)
        self._candidate: Any = None
        self._worst = -math.inf

    def ask(self) -> Params:
        self._candidate = self._optimizer.ask()
        values, chosen = self._candidate.value, {}
        for dimension in self._space.dimensions:
            if exists(dimension, chosen):
                chosen[dimension.name] = _value(dimension, values[dimension.name])
        return chosen

    def tell(self, value: float | None) -> None:
        if value is not None:
            self._worst = max(self._sign * value, self._worst)
        known = self._worst if self._worst > -math.inf else 0.0
        self._optimizer.tell(self._candidate, known if value is None else self._sign * value)


def _parameter(ng: Any, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        return ng.p.Choice(list(dimension.choices))
    kind = ng.p.Log if dimension.log else ng.p.Scalar
    made = kind(lower=dimension.low, upper=dimension.high)
    return made.set_integer_casting() if dimension.integer else made


def _value(dimension: Dimension, value: Any) -> ParamValue:
    """Return a value as the problem takes it; a float on a grid is moved to its nearest place."""
    if isinstance(dimension, Choice):
        return value
    if dimension.step is not None:
        return dimension.at(dimension.index(float(value)))
    return min(max(float(value), dimension.low), dimension.high)


def nevergrad(name: str, about: str, optimizer: str, **more: bool) -> Method:
    """Return the method of one of Nevergrad's optimizers."""

    def make(problem: Problem, seed: int, budget: int) -> Searcher:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return WithNevergrad(problem, optimizer, seed, budget)

    return Method(name, about, make, **more)


LIBRARIES = (
    optuna("optuna-tpe", "Optuna's default sampler", lambda s, seed: s.TPESampler(seed=seed)),
    optuna("optuna-cmaes", "Optuna's CmaEsSampler", _cmaes),
    optuna("optuna-gp", "Optuna's GPSampler", _gp, slow=True),
    nevergrad("nevergrad-cma", "Nevergrad's CMA", "CMA"),
    nevergrad("nevergrad-ngopt", "Nevergrad's wizard, NGOpt", "NGOpt", announces=True),
)
