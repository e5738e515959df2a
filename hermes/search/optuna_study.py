"""What Optuna's samplers read and write: points as its trials, and a study that forgets an ask.

A sampler reads trials through a study and writes notes about the trial in the making. Here the
trials are the ones handed over for a moment, and the notes are the caller's to keep or forget,
so an ask leaves nothing behind.

Limits: one trial is in the making at a time. Importing this imports Optuna and silences its log.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy as deep_copy
from typing import Any
from warnings import catch_warnings, filterwarnings

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from hermes.model import Params, ParamValue
from hermes.search.dimensions import Choice, Dimension, exists
from hermes.search.space import Space

Codes = Mapping[str, Any]
"""The parameters of a point as Optuna has them: the place of a choice or of a value on a grid,
the share of the range elsewhere, and where grid and logarithm meet, which Optuna refuses."""

_NAME = "lab"
optuna.logging.set_verbosity(optuna.logging.ERROR)


class Encoding:
    """A search space as distributions; a parameter with one value is left out."""

    def __init__(self, space: Space) -> None:
        self._space = space
        free = [item for item in space.dimensions if item.count != 1]
        self.distributions = {item.name: _distribution(item) for item in free}
        self.always = frozenset(item.name for item in free if not item.when)
        """Those that exist in every point."""
        self.numbers = frozenset(item.name for item in free if not isinstance(item, Choice))

    def encode(self, params: Params) -> dict[str, Any]:
        """Return the codes of a point of the space."""
        return {
            name: _code(self._space[name], value)
            for name, value in params.items()
            if name in self.distributions
        }

    def decode(self, code_of: Mapping[str, Any]) -> dict[str, ParamValue]:
        """Return the point with these codes, each looked up only while its parameter exists."""
        chosen: dict[str, ParamValue] = {}
        for dimension in self._space.dimensions:
            if not exists(dimension, chosen):
                continue
            name = dimension.name
            fixed = name not in self.distributions
            chosen[name] = dimension.at(0) if fixed else _value(dimension, code_of[name])
        return chosen


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(tuple(range(dimension.count)))
    if dimension.count is not None and not dimension.log:
        return IntDistribution(0, dimension.count - 1)
    return FloatDistribution(0.0, 1.0)


def _by_place(dimension: Dimension) -> bool:
    return isinstance(dimension, Choice) or (dimension.count is not None and not dimension.log)


def _code(dimension: Dimension, value: ParamValue) -> Any:
    if isinstance(dimension, Choice) or _by_place(dimension):
        return dimension.index(value)
    return dimension.share(value)


def _value(dimension: Dimension, code: Any) -> ParamValue:
    if isinstance(dimension, Choice) or _by_place(dimension):
        return dimension.at(int(code))
    return dimension.at_share(float(code))


# Trials


def frozen(
    place: int,
    codes: Codes,
    distributions: Mapping[str, BaseDistribution],
    *,
    state: TrialState = TrialState.COMPLETE,
    loss: float | None = None,
    notes: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    """Return a trial as Optuna keeps it; ``place`` is its number and its id."""
    return FrozenTrial(
        number=place,
        trial_id=place,
        state=state,
        value=loss,
        datetime_start=None,
        datetime_complete=None,
        params=dict(codes),
        distributions={name: distributions[name] for name in codes},
        user_attrs={},
        system_attrs=dict(notes or {}),
        intermediate_values={},
    )


class _Storage(InMemoryStorage):
    """Shows the trials it was given last; takes a sampler's notes on the one in the making."""

    def __init__(self) -> None:
        super().__init__()
        self.trials: Sequence[FrozenTrial] = ()
        self.notes: dict[str, Any] = {}

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002  there is one study
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        trials = [item for item in self.trials if states is None or item.state in states]
        return deep_copy(trials) if deepcopy else trials

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ARG002  one trial
        self.notes[key] = value


class Bench:
    """Where a sampler works: it sees the trials laid out, and its notes stay until the next."""

    def __init__(self) -> None:
        self._storage = _Storage()
        optuna.create_study(storage=self._storage, study_name=_NAME, direction="minimize")

    @property
    def notes(self) -> dict[str, Any]:
        """What was noted on the trial in the making."""
        return self._storage.notes

    def lay_out(self, trials: Sequence[FrozenTrial]) -> optuna.Study:
        """Return a study that has these trials and no notes."""
        self._storage.trials = trials
        self._storage.notes = {}
        return optuna.Study(study_name=_NAME, storage=self._storage, sampler=_NOBODY)

    def study_notes(self) -> dict[str, Any]:
        """Return what samplers noted on the study as a whole."""
        return dict(self._storage.get_study_system_attrs(0))

    def note_on_study(self, key: str, value: Any) -> None:
        """Set what a sampler will find noted on the study."""
        self._storage.set_study_system_attr(0, key, value)


_NOBODY = optuna.samplers.RandomSampler()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's warnings about its own interfaces from the user, who cannot act on them."""
    with catch_warnings():
        filterwarnings("ignore", module=r"optuna\.")
        filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        yield
