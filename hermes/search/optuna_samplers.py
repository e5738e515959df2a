"""Optuna's samplers as functions of what was told; ``bayesian`` draws from them.

Each draw is made by a new sampler with its own seed. What CMA-ES and NSGA-II remember of their
generations lies in notes on the told trials, as Optuna itself keeps it; here a trial joins the
generation that is open when it is told.

Limits: TPE and GP see the latest 1,000 trials and the best 50. TPE takes at most 25 as good
ones, so up to 1,000 trials that is all, and beyond it lacks old bad ones, which weigh least.
CMA-ES moves the numbers that always exist, NSGA-II and GP all parameters that always exist; the
others are drawn by TPE, one at a time.
CMA-ES takes no points of others into its population; of those told before its own first, the
latest 200 and the best 50 give it its start, as in Nomura et al., "Warm Starting CMA-ES for
Hyperparameter Optimization" (2021).
After 2,000 own successes it begins anew in that way, so a long history is not replayed whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any, Protocol

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from hermes.model import Params
from hermes.search.importing import later, parts_of, without
from hermes.search.optuna_study import Bench, Codes, Encoding, frozen, quiet
from hermes.search.window import Window

_LATEST = 1000
_BEST = 50
_CMA_EPOCH = 2000
_SOURCES = 200
_LEAST_SOURCES = 10  # the best tenth is taken, and that must be one at least
_CMA_GENERATION = "cma:generation"
_NSGA_GENERATION = "NSGAIISampler:generation"


@dataclass(frozen=True)
class Told:
    """A told point of the space; ``loss`` is to be small, and None when it failed.

    ``own`` says that this strategy proposed it.
    """

    place: int
    params: Params
    encoding: Encoding
    loss: float | None
    own: bool = False

    @cached_property
    def codes(self) -> Codes:
        """The point as Optuna has it; of a long history few are ever asked for it."""
        return self.encoding.encode(self.params)


@dataclass(frozen=True)
class Ask:
    """A question: the trial's number, which draw for it, its seed, and the points in flight."""

    number: int
    attempt: int
    seed: int
    running: Sequence[Codes] = ()


class Sampling(Protocol):
    """Draws codes for parameters, together or one at a time."""

    def tell(self, told: Told) -> None:
        """Learn of a point."""

    def draw(self, ask: Ask) -> Draw:
        """Return the codes drawn together, and what draws one more."""
        ...


@dataclass(frozen=True)
class Draw:
    """Codes that belong together, the names that are the sampler's, and how it draws one more."""

    codes: Codes
    names: frozenset[str]
    study: Study
    trial: FrozenTrial
    sampler: BaseSampler
    distributions: Mapping[str, BaseDistribution]

    def code(self, name: str) -> Any:
        """Return the code of a parameter, drawn alone if it was not drawn with the others."""
        if name in self.codes:
            return self.codes[name]
        distribution = self.distributions[name]
        return self.sampler.sample_independent(self.study, self.trial, name, distribution)


class _Family:
    """What the samplings share: a bench, and the parameters that are drawn together."""

    def __init__(self, encoding: Encoding, names: Iterable[str], options: Mapping[str, Any]):
        self._all = encoding.distributions
        self._together = {name: self._all[name] for name in sorted(names)}
        self._options = options
        self._bench = Bench()

    def _draw(
        self,
        sampler: BaseSampler,
        trials: Sequence[FrozenTrial],
        number: int,
        notes: Mapping[str, Any] | None = None,
    ) -> Draw:
        """Let ``sampler`` draw for a trial that has this number and these notes."""
        study = self._bench.lay_out(trials)
        trial = frozen(number, {}, {}, state=TrialState.RUNNING, notes=notes)
        codes = sampler.sample_relative(study, trial, self._together) if self._together else {}
        return Draw(codes, frozenset(self._together), study, trial, sampler, self._all)

    def _kept(self, told: Told, notes: Mapping[str, Any]) -> FrozenTrial:
        """Return a told point as a trial with the parameters that are drawn together."""
        codes = {name: told.codes[name] for name in self._together}
        return frozen(told.place, codes, self._together, loss=told.loss, notes=notes)


class Tpe(_Family):
    """A model of good and bad trials, made anew for each draw."""

    def __init__(self, encoding: Encoding, options: Mapping[str, Any]) -> None:
        alone = options.get("multivariate") is False
        super().__init__(encoding, () if alone else encoding.always, options)
        self._window: Window[Told] = Window(latest=_LATEST, best=_BEST)
        self._trials: dict[int, FrozenTrial] = {}  # of the window, by their places

    def tell(self, told: Told) -> None:
        """Add the point to the window."""
        self._window.add(told, told.loss)

    def draw(self, ask: Ask) -> Draw:
        """Draw by the model; points in flight count as trials that run."""
        count = self._window.count
        running = [
            frozen(count + n, codes, self._all, state=TrialState.RUNNING)
            for n, codes in enumerate(ask.running)
        ]
        drawn = self._modelled(ask.seed, [*self._known(), *running], count + len(running))
        return replace(drawn, names=frozenset(self._all))

    def _known(self) -> Iterable[FrozenTrial]:
        """Return the window's points as trials, a failure as one that failed."""
        told = [ranked.item for ranked in self._window.items()]
        self._trials = {it.place: self._trials.get(it.place) or self._trial(it) for it in told}
        return self._trials.values()

    def _trial(self, told: Told) -> FrozenTrial:
        state = TrialState.FAIL if told.loss is None else TrialState.COMPLETE
        return frozen(told.place, told.codes, self._all, state=state, loss=told.loss)

    def _modelled(self, seed: int, trials: Sequence[FrozenTrial], number: int) -> Draw:
        sampler = TPESampler(seed=seed, **self._options)
        if self._options.get("group"):
            study = self._bench.lay_out(trials)
            trial = frozen(number, {}, {}, state=TrialState.RUNNING)
            self._together = sampler.infer_relative_search_space(study, trial)
        return self._draw(sampler, trials, number)


class Gp(Tpe):
    """A Gaussian process over the parameters that always exist, fitted anew for each draw."""

    def draw(self, ask: Ask) -> Draw:
        """Draw by the model; the parameters under a condition are left to others."""
        return replace(super().draw(ask), names=frozenset(self._together))

    def _modelled(self, seed: int, trials: Sequence[FrozenTrial], number: int) -> Draw:
        sampler = GPSampler(seed=seed, warn_independent_sampling=False, **self._options)
        return self._draw(sampler, trials, number)


class Qmc(_Family):
    """A sequence that fills the space evenly: each trial's point is the one at its number.

    All parameters are drawn, and those that do not exist in a point are left out of it.
    """

    def __init__(self, encoding: Encoding, options: Mapping[str, Any], seed: int) -> None:
        super().__init__(encoding, encoding.distributions, {"scramble": True, **options})
        self._seed = seed
        _import_sequences()
        self._draw(self._sampler(), (), 0)
        self._counter = next(iter(self._bench.study_notes()), "")  # how Optuna calls its place

    def _sampler(self) -> QMCSampler:
        return QMCSampler(seed=self._seed, warn_independent_sampling=False, **self._options)

    def tell(self, told: Told) -> None:
        """Learn nothing: the sequence is the same whatever came of it."""

    def draw(self, ask: Ask) -> Draw:
        """Draw the point at the trial's number, or as many after it as were tried before."""
        self._bench.note_on_study(self._counter, ask.number + ask.attempt - 2)
        return self._draw(self._sampler(), (), ask.number)


def _import_sequences() -> None:
    """Import the sequences that Optuna draws from, without the rest of scipy.stats: 0.5 s less.

    Where that cannot be done any more Optuna imports them, with the rest.
    """
    not_called = later("scipy.spatial", "scipy.sparse.csgraph")
    with suppress(ImportError), not_called, parts_of("scipy.stats"):
        import_module("scipy.stats.qmc").Sobol(1)  # reads its table, as data of the package


class CmaEs(_Family):
    """CMA-ES: its optimizer and its open generation lie in a few trials."""

    def __init__(self, encoding: Encoding, options: Mapping[str, Any]) -> None:
        super().__init__(encoding, encoding.always & encoding.numbers, options)
        default = 4 + int(3 * math.log(max(1, len(self._together))))  # Hansen (2016), table 1
        self._size = int(options.get("popsize", default))
        self._window: Window[Told] = Window(latest=_SOURCES, best=_BEST)
        self._epoch: list[Told] = []  # own successes since the optimizer was begun
        self._begin()

    def _begin(self) -> None:
        """Forget the optimizer."""
        self._epoch.clear()
        self._taken = 0
        self._sources: list[FrozenTrial] = []
        self._trials: list[FrozenTrial] = []
        self._notes: dict[str, Any] = {}  # what a trial of the open generation has on it
        self._members = 0

    def tell(self, told: Told) -> None:
        """Note a success; an own one counts from the next draw on."""
        if told.loss is None or not self._together:
            return
        if told.own:
            if not self._epoch:
                self._sources = self._known()
            self._epoch.append(told)
        self._window.add(told, told.loss)
        if len(self._epoch) == _CMA_EPOCH:
            self._begin()

    def _known(self) -> list[FrozenTrial]:
        return [self._kept(ranked.item, {}) for ranked in self._window.items()]

    def _take(self, told: Told) -> None:
        """Put an own success into the open generation; a full one moves the distribution."""
        if not self._notes:
            self._notes = self._noted()  # still none for a first that was drawn at random
        self._trials.append(self._kept(told, self._notes))
        self._members += bool(self._notes)
        if self._members < self._size:
            return
        noted = self._noted()
        generation = {_CMA_GENERATION: noted.pop(_CMA_GENERATION)}
        self._trials = [self._kept(told, noted)]  # carries the optimizer, as no generation's member
        self._notes, self._members = generation, 0

    def _noted(self) -> dict[str, Any]:
        """Return what Optuna would note on a trial that is asked for now."""
        self._draw(self._sampler(0), self._trials, 0)
        return self._bench.notes

    def _sampler(self, seed: int) -> CmaEsSampler:
        with without("scipy.stats"):
            import cmaes  # noqa: F401  as Optuna does; a part not used here would want the rest
        options: dict[str, Any] = {"popsize": self._size, **self._options}
        if len(self._sources) >= _LEAST_SOURCES:
            options |= {"source_trials": self._sources, "n_startup_trials": 0}
        return CmaEsSampler(seed=seed, warn_independent_sampling=False, **options)

    def draw(self, ask: Ask) -> Draw:
        """Draw from the distribution as it stands after every own success."""
        if not self._epoch:
            self._sources = self._known()
        for told in self._epoch[self._taken :]:
            self._take(told)
        self._taken = len(self._epoch)
        return self._draw(self._sampler(ask.seed), self._trials, ask.number)


class Nsga2(_Family):
    """NSGA-II with one objective: every success is a member of the open generation."""

    def __init__(self, encoding: Encoding, options: Mapping[str, Any]) -> None:
        super().__init__(encoding, encoding.always, options)
        self._size = int(options.get("population_size", 50))
        self._generation = 0
        self._members = 0
        self._trials: list[FrozenTrial] = []  # the parents of the open generation, and its members

    def tell(self, told: Told) -> None:
        """Add a success to the open generation; the best of a full one become parents."""
        if told.loss is None:
            return
        self._trials.append(self._kept(told, self._note()))
        self._members += 1
        if self._members == self._size:
            self._generation += 1
            study = self._bench.lay_out(self._trials)
            with quiet():
                sampler = NSGAIISampler(seed=0, **self._options)
                self._trials = sampler.get_parent_population(study, self._generation)
            self._members = 0

    def _note(self) -> dict[str, int]:
        return {_NSGA_GENERATION: self._generation}

    def draw(self, ask: Ask) -> Draw:
        """Draw a child of the parents; what mutates is drawn at random."""
        sampler = NSGAIISampler(seed=ask.seed, **self._options)
        return self._draw(sampler, self._trials, ask.number, self._note())


def make(sampler: str, encoding: Encoding, options: Mapping[str, Any], seed: int) -> Sampling:
    """Return the sampling of this name; ``seed`` is for what must not change from ask to ask."""
    if sampler == "qmc":
        return Qmc(encoding, options, seed)
    makers: dict[str, Callable[[Encoding, Mapping[str, Any]], Sampling]]
    makers = {"tpe": Tpe, "gp": Gp, "cmaes": CmaEs, "nsga2": Nsga2}
    return makers[sampler](encoding, options)
