"""The correlation ratio: how much of the variance of the results a parameter explains alone.

Pure; for ``importance`` alone. Limit first: it sees differences between means, so a parameter
that only widens or narrows the results has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from hermes.analysis.columns import Column

_FEWEST_BINS, _MOST_BINS = 3, 10


def measure(column: Column, losses: Sequence[float]) -> float:
    """Return the share of the variance of ``losses`` that a parameter explains, from 0 to 1.

    Numbers are put into bins of equally many runs. A parameter that only some runs have explains
    what it does among these, times their share of all.
    """
    groups: dict[int, list[float]] = {}
    for row, group in zip(column.rows, _groups(column), strict=True):
        groups.setdefault(group, []).append(losses[row])
    return epsilon_squared(groups) * len(column.rows) / len(losses)


def _groups(column: Column) -> Iterable[int]:
    if column.categories:
        return map(int, column.values)
    bins = max(_FEWEST_BINS, min(math.isqrt(len(column.rows)), _MOST_BINS))
    return (min(int(value * bins), bins - 1) for value in column.values)


def epsilon_squared(groups: Mapping[int, Sequence[float]]) -> float:
    """Return the correlation ratio without the share that chance would give; at least 0.

    1 - (within / (n - k)) / (total / (n - 1)), where within and total are the sums of squares of n
    values around the means of their k groups, and around that of all (Kelley 1935, An unbiased
    correlation ratio measure, PNAS 21:554). Of ranks it is the effect size of the test of Kruskal
    and Wallis (1952).
    """
    values = [value for group in groups.values() for value in group]
    total = _squares(values)
    freedom = len(values) - len(groups)
    if not total or freedom <= 0:
        return 0.0
    within = sum(_squares(group) for group in groups.values())
    return max(0.0, 1 - (within / freedom) / (total / (len(values) - 1)))


def _squares(values: Sequence[float]) -> float:
    mean = sum(values) / len(values) if values else 0.0
    return sum((value - mean) ** 2 for value in values)
