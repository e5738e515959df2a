"""Strategies by name: the lab's own, and those of other packages; for whoever plans runs.

Limits: a name of the lab's own cannot be taken by another package.

A package adds a strategy by an entry point of the group ``hermes_lab.strategies``; its object is
called with a ``SearchContext`` and returns a ``Strategy``::

    [project.entry-points."hermes_lab.strategies"]
    hill-climb = "my_package.search:HillClimb"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from hermes.errors import RequestError, UnknownName
from hermes.model import Json
from hermes.search.base import SearchContext, Strategy

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

    from hermes.search.space import Space

GROUP = "hermes_lab.strategies"
_BUILT_IN = {
    "bayesian": ("hermes.search.bayesian", "BayesianSearch"),
    "evolution": ("hermes.search.evolution", "EvolutionSearch"),
    "grid": ("hermes.search.grid", "GridSearch"),
    "llm": ("hermes.search.llm", "LlmSearch"),
    "perturb": ("hermes.search.perturb", "Perturb"),
    "random": ("hermes.search.random_search", "RandomSearch"),
    "swarm": ("hermes.search.swarm", "Swarm"),
    "tree": ("hermes.search.tree", "Tree"),
}


def known() -> list[str]:
    """Return the names of all strategies, sorted."""
    return sorted({*_BUILT_IN, *(point.name for point in _points())})


def check(name: str, options: Mapping[str, Json] | None = None) -> None:
    """Refuse a strategy that could not be made, before anything else is done.

    A strategy whose class has a ``check`` is asked whether it could be made with ``options``.
    Raises UnknownName with the nearest, RequestError for a package that cannot be loaded or is
    missing, and for options that the strategy does not have.
    """
    own_check = getattr(_maker(name), "check", None)
    if own_check is not None:
        own_check(options or {})


def check_space(name: str, space: Space, options: Mapping[str, Json] | None = None) -> None:
    """Refuse a space that a strategy could not search, as far as its class can tell beforehand.

    A strategy whose class has a ``check_space`` is asked. Raises SpecError, and as ``check``.
    """
    own_check = getattr(_maker(name), "check_space", None)
    if own_check is not None:
        own_check(space, options or {})


def make(name: str, context: SearchContext) -> Strategy:
    """Make the strategy called ``name``.

    Raises what ``check`` raises, RequestError for options that it does not have, and SpecError
    for a space that it cannot search.
    """
    strategy = _maker(name)(context)
    if not isinstance(strategy, Strategy):
        raise RequestError(
            f"What is called the strategy {name!r} lacks name, tell or ask.",
            "Test it with hermes.search.contract.StrategyContract.",
        )
    return strategy


def _maker(name: str) -> Callable[[SearchContext], object]:
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        return cast(Callable[[SearchContext], object], getattr(import_module(module), attribute))
    for point in _points().select(name=name):
        return _load(point)
    names = known()
    raise UnknownName("strategy", name, names, f"There are: {', '.join(names)}.")


def _load(point: EntryPoint) -> Callable[[SearchContext], object]:
    try:
        return cast(Callable[[SearchContext], object], point.load())
    except (ImportError, AttributeError) as error:
        raise RequestError(
            f"The strategy {point.name!r} ({point.value}) cannot be loaded: {error}.",
            "Mend or remove the package that brings it.",
        ) from error


def _points() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)
