"""Which parameters matter: by PED-ANOVA where Optuna is there, else by the correlation ratio.

Pure; called by ``tiers``. Limits first: it takes ``NEEDED`` successes; each parameter is looked at
alone, so two that matter only together are missed. Numbers and results count by their ranks, so
that neither a logarithmic scale nor one wild value decides; of very many runs an even part counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hermes.analysis import correlation, ped_anova
from hermes.analysis.columns import Column, column, rank_shares
from hermes.analysis.findings import Importance, Method, Missing, Parameter
from hermes.model import Direction, IndexLine

NEEDED = 30
_FEWEST = 10  # runs that have a parameter; fewer say nothing of it
_MOST_PARAMETERS = 500
_MOST_RUNS = 1000
_MOST_CELLS = 20_000


def importance(scored: Sequence[IndexLine], direction: Direction) -> Importance:
    """Return how much each parameter matters to the value, from the successes of a tier."""
    given = [run for run in scored if run.params]
    missing = _missing(scored, given)
    if missing is not None:
        return Importance(None, missing, NEEDED, len(given))
    counts = Counter(name for run in given for name in run.params)
    names = [name for name, _ in counts.most_common(_MOST_PARAMETERS)]
    runs = _even_part(given, max(NEEDED, min(_MOST_RUNS, _MOST_CELLS // len(names))), direction)
    losses = rank_shares([_loss(run, direction) for run in runs])
    columns = {name: column(name, [run.params for run in runs]) for name in names}
    method, measures = _measured(columns, losses)
    parameters = sorted(_parameters(columns, measures), key=lambda item: -(item.measure or 0.0))
    return Importance(method, None, NEEDED, len(runs), tuple(parameters))


def _missing(scored: Sequence[IndexLine], given: Sequence[IndexLine]) -> Missing | None:
    if scored and not given:
        return Missing.NO_PARAMETERS
    if len(given) < NEEDED:
        return Missing.TOO_FEW_RUNS
    return Missing.EQUAL_VALUES if len({run.value for run in given}) == 1 else None


def _loss(run: IndexLine, direction: Direction) -> float:
    assert run.value is not None, f"{run.run_id} has no value"
    return run.value if direction is Direction.MINIMIZE else -run.value


def _even_part(runs: Sequence[IndexLine], most: int, direction: Direction) -> list[IndexLine]:
    """Return at most so many runs, evenly spaced from the best to the worst."""
    ordered = sorted(runs, key=lambda run: _loss(run, direction))
    if len(ordered) <= most:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(i * last / (most - 1))] for i in range(most)]


def _measured(
    columns: Mapping[str, Column], losses: Sequence[float]
) -> tuple[Method, Mapping[str, float]]:
    """Return the measure of each parameter that changes, and the method it is by."""
    telling = {name: item for name, item in columns.items() if _tells(item)}
    found = ped_anova.measures(telling, losses) if telling else None
    if found is not None:
        return Method.PED_ANOVA, found
    return Method.CORRELATION_RATIO, {
        name: correlation.measure(item, losses) for name, item in telling.items()
    }


def _tells(item: Column) -> bool:
    return item.distinct > 1 and len(item.rows) >= _FEWEST


def _parameters(
    columns: Mapping[str, Column], measures: Mapping[str, float]
) -> Iterator[Parameter]:
    total = sum(measures.values())
    for name, item in columns.items():
        measure = measures.get(name, 0.0 if len(item.rows) >= _FEWEST else None)
        share = None if measure is None else measure / total if total else 0.0
        yield Parameter(name, share, measure, len(item.rows))
