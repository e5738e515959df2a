"""A point that a person writes: JSON held against the search space, or refused with an example.

Pure; for the steps by which people steer, and for the prompt.

Limits: 64 KiB of JSON, 500 parameters. Without a search space any flat object of scalars is a
point; whether its parameters can reach the command is checked elsewhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hermes import codec
from hermes.errors import RequestError
from hermes.model import Params, ParamValue
from hermes.search.base import chance
from hermes.search.declarations import MOST_PARAMETERS, PARAMETER_NAME, UNFIT
from hermes.search.dimensions import exists
from hermes.search.refusals import shown
from hermes.search.space import Space

Given: TypeAlias = Mapping[str, ParamValue | None]
"""Parameters as a person gives them; None takes one away."""

MOST_BYTES = 64 * 1024
_MOST_PROBLEMS = 5
_ANY_EXAMPLE: Params = {"x": 0.5}


def read_given(text: str, *, example: Params) -> dict[str, ParamValue | None]:
    """Return the parameters in ``text``. Raises RequestError, which shows ``example``."""
    if len(text.encode("utf-8", "backslashreplace")) > MOST_BYTES:
        raise RequestError("params= is longer than 64 KiB.", "Give fewer parameters.")
    try:
        raw = codec.from_json(text, unique_keys=True)
    except ValueError as error:
        raise RequestError(f"params= is not JSON: {error}.", _such_as(example)) from None
    if not isinstance(raw, dict) or not raw:
        raise RequestError(f"params= is {shown(raw)}, not an object.", _such_as(example))
    if len(raw) > MOST_PARAMETERS:
        raise RequestError(
            f"params= has {len(raw)} parameters.", f"Give at most {MOST_PARAMETERS}."
        )
    problems = [problem for name, value in raw.items() if (problem := _fault(name, value))]
    if problems:
        raise _refusal(problems, _point_such_as(example))
    return raw


def point(space: Space | None, given: Given) -> Params:
    """Return a whole point, each value as its parameter spells it. Raises RequestError."""
    params = {name: value for name, value in given.items() if value is not None}
    return params if space is None else _held_against(space, params, example_of(space))


def edited(space: Space | None, proposed: Params, changes: Given) -> Params:
    """Return ``proposed`` with some parameters changed; raises RequestError.

    What was proposed and has no meaning any more (its condition does not hold) is left out.
    """
    params = {name: value for name, value in {**proposed, **changes}.items() if value is not None}
    if space is None:
        return params
    chosen: dict[str, ParamValue] = {}
    for dimension in space.dimensions:
        known = dimension.canonical(params.get(dimension.name))
        if exists(dimension, chosen):
            chosen.update({dimension.name: known} if known is not None else {})
        elif dimension.name not in changes:
            params.pop(dimension.name, None)
    return _held_against(space, params, {**proposed, **chosen})


def example_of(space: Space | None) -> Params:
    """Return a point of the space to show, always the same."""
    return _ANY_EXAMPLE if space is None else space.sample(chance("example", 0, 1))


def _held_against(space: Space, params: Params, example: Params) -> Params:
    problems = space.contains(params)
    if problems:
        fitting = {name: example[name] for name in space.names if name in example}
        if space.contains(fitting):
            fitting = dict(example_of(space))
        raise _refusal(problems, _point_such_as(fitting))
    return dict(_spelled(space, params))


def _spelled(space: Space, params: Params) -> Iterator[tuple[str, ParamValue]]:
    for dimension in space.dimensions:
        value = dimension.canonical(params.get(dimension.name))
        if value is not None:
            yield dimension.name, value


def _fault(name: str, value: object) -> str | None:
    if not PARAMETER_NAME.match(name):
        return f"{shown(name)} cannot be the name of a parameter"
    if value is None or isinstance(value, (bool, int, float)):
        return None
    if not isinstance(value, str):
        return f"{name}: {shown(value)} is not a number, a text, true or false"
    return f"{name}: {shown(value)} cannot be handed over" if UNFIT.search(value) else None


def _refusal(problems: list[str], remedy: str) -> RequestError:
    told = "; ".join(problems[:_MOST_PROBLEMS])
    more = len(problems) - _MOST_PROBLEMS
    return RequestError(f"No such point: {told}{f'; and {more} more' if more > 0 else ''}.", remedy)


def _such_as(example: Params) -> str:
    return f"Write JSON in quotes, such as {_written(example)}."


def _point_such_as(example: Params) -> str:
    return f"Give a point such as {_written(example)}."


def _written(point: Params) -> str:
    return f"params={shlex.quote(codec.to_json(point).decode().strip())}"
