"""The options of ``bayesian``: which samplers there are, and what each may be told.

Limits: the options of Optuna that take a function, or that it is about to remove, are left out.
Nothing here imports Optuna.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hermes.errors import RequestError, UnknownName
from hermes.model import Json
from hermes.search.base import check_options
from hermes.search.libraries import need

STRATEGY = "bayesian"
DEFAULT = "tpe"
_EXTRA = "'hermes-lab[bayesian]'"


class _Kind(NamedTuple):
    """Which values an option may have: in words, and as a test."""

    words: str
    fits: Callable[[Json], bool]


def _whole(least: int) -> _Kind:
    def fits(value: Json) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return _Kind(f"a whole number from {least}", fits)


def _is_share(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


_TRUTH = _Kind("true or false", lambda value: isinstance(value, bool))
_SHARE = _Kind("a number from 0 to 1", _is_share)
_SEQUENCE = _Kind("sobol or halton", lambda value: value in ("sobol", "halton"))

_OPTIONS: Mapping[str, Mapping[str, _Kind]] = {
    "tpe": {
        "n_startup_trials": _whole(0),
        "n_ei_candidates": _whole(1),
        "multivariate": _TRUTH,
        "group": _TRUTH,
    },
    "gp": {"n_startup_trials": _whole(1), "deterministic_objective": _TRUTH},
    "cmaes": {"popsize": _whole(4), "lr_adapt": _TRUTH},
    "qmc": {"qmc_type": _SEQUENCE, "scramble": _TRUTH},
    "nsga2": {
        "population_size": _whole(2),
        "mutation_prob": _SHARE,
        "crossover_prob": _SHARE,
        "swapping_prob": _SHARE,
    },
}
_ALSO_NEEDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "gp": (("scipy", _EXTRA), ("torch", "torch")),
    "cmaes": (("cmaes", _EXTRA),),
    "qmc": (("scipy", _EXTRA),),
}


def check(options: Mapping[str, Json]) -> tuple[str, dict[str, Any]]:
    """Return the sampler's name and its own options, if all are right and its libraries there.

    Raises RequestError.
    """
    sampler = options.get("sampler", DEFAULT)
    if not isinstance(sampler, str) or sampler not in _OPTIONS:
        listed = f"There are: {', '.join(_OPTIONS)}."
        raise UnknownName("sampler of the strategy 'bayesian'", str(sampler), _OPTIONS, listed)
    kinds = _OPTIONS[sampler]
    check_options(f"{STRATEGY} with the sampler {sampler}", options, ("sampler", *kinds))
    own = {name: value for name, value in options.items() if name != "sampler"}
    for name, value in own.items():
        if not kinds[name].fits(value):
            fault = f"strategy_options: {name} cannot be {value!r}."
            raise RequestError(fault, f"Write {kinds[name].words}.")
    if own.get("group") and own.get("multivariate") is False:
        raise RequestError(
            "strategy_options: group needs multivariate.", "Leave out multivariate: false."
        )
    _check_libraries(sampler)
    return sampler, own


def _check_libraries(sampler: str) -> None:
    need(f"The strategy {STRATEGY!r}", "optuna", least=5, install=_EXTRA)
    for package, install in _ALSO_NEEDS.get(sampler, ()):
        need(f"The sampler {sampler!r}", package, install=install)
