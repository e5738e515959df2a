"""PED-ANOVA, as Optuna 5 computes it: what tells the best runs from all of them.

For ``importance`` alone; the only module of the analysis that imports Optuna, when it is called.
Limit first: with an older Optuna, or none, there is no answer.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hermes.analysis.columns import Column

_FIRST_VERSION = 5  # the first that knows conditional parameters
_TOP_SHARE = 0.1
_TOP_RUNS = 10


def measures(columns: Mapping[str, Column], losses: Sequence[float]) -> dict[str, float] | None:
    """Return the divergence of each parameter; None when Optuna cannot say it.

    The Pearson divergence between a parameter's density among the best tenth of the runs (the
    best ten at least) and among all: Watanabe, Bansal and Hutter 2023, PED-ANOVA, IJCAI, arXiv
    2304.10255; for conditional parameters Conditional PED-ANOVA, 2026, arXiv 2601.20800.
    """
    try:
        import optuna
        from optuna.importance import PedAnovaImportanceEvaluator
    except ImportError:
        return None
    if int(optuna.__version__.partition(".")[0]) < _FIRST_VERSION:
        return None
    names = {f"p{place}": name for place, name in enumerate(columns)}
    share = max(_TOP_SHARE, _TOP_RUNS / len(losses))
    with _quiet():
        study = _study(optuna, list(columns.values()), losses)
        found = PedAnovaImportanceEvaluator(target_quantile=share).evaluate(study)
    return {names[name]: value if math.isfinite(value) else 0.0 for name, value in found.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from printing what it does and what it thinks of the numbers."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _study(optuna: Any, columns: Sequence[Column], losses: Sequence[float]) -> Any:
    """Return a study that holds each run as a completed trial.

    Optuna copies all that a trial holds, so like columns share one distribution.
    """
    by_size = {size: _distribution(optuna, size) for size in {c.categories for c in columns}}
    kinds = [by_size[column.categories] for column in columns]
    params: list[dict[str, float]] = [{} for _ in losses]
    spaces: list[dict[str, Any]] = [{} for _ in losses]
    for place, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
        for row, value in zip(column.rows, column.values, strict=True):
            params[row][f"p{place}"] = value
            spaces[row][f"p{place}"] = kind
    study = optuna.create_study(direction="minimize")
    study.add_trials(
        [
            optuna.trial.create_trial(params=params[row], distributions=spaces[row], value=loss)
            for row, loss in enumerate(losses)
        ]
    )
    return study


def _distribution(optuna: Any, categories: int) -> Any:
    if categories:
        return optuna.distributions.CategoricalDistribution(range(categories))
    return optuna.distributions.FloatDistribution(0.0, 1.0)
