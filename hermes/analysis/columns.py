"""The values of one parameter over the runs looked at, in a form that measures understand.

Pure; for ``importance`` and the measures alone. Limit first: of a parameter with very many
categories the rarest are taken together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hermes.model import Params, ParamValue

_MOST_CATEGORIES = 20
_Key: TypeAlias = tuple[bool, ParamValue]


@dataclass(frozen=True)
class Column:
    """One parameter: ``values[i]`` is what it is in the run ``rows[i]``.

    A number is its rank from 0 to 1, the mean rank where several are equal. A category (when
    ``categories`` is not 0) is its number, the commonest 0.
    """

    rows: Sequence[int]
    values: Sequence[float]
    distinct: int
    categories: int = 0


def column(name: str, runs: Sequence[Params]) -> Column:
    """Return the values of the parameter ``name`` in those of ``runs`` that have it."""
    rows = [row for row, params in enumerate(runs) if name in params]
    values = [runs[row][name] for row in rows]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return Column(rows, rank_shares(values), len(set(values)))
    keys: list[_Key] = [(isinstance(value, bool), value) for value in values]  # 1 is not true
    codes = _codes(keys)
    return Column(rows, [codes[key] for key in keys], len(codes), max(codes.values()) + 1)


def _codes(keys: Sequence[_Key]) -> Mapping[_Key, int]:
    common = enumerate(key for key, _ in Counter(keys).most_common())
    return {key: min(place, _MOST_CATEGORIES - 1) for place, key in common}


def rank_shares(values: Sequence[Any]) -> list[float]:
    """Return the rank of each value, from 0 for the least to 1; equal ones share their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    shares = [0.0] * len(values)
    last = max(len(values) - 1, 1)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            shares[place] = (start + end - 1) / 2 / last
        start = end
    return shares
