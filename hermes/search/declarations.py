"""What ``search_space.json`` says, turned into dimensions or refused; ``space`` calls it.

Every refusal is a SpecError of two lines: file, parameter and fault, then the remedy.

Limits: 500 parameters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hermes.errors import SpaceError, nearest
from hermes.model import ParamValue, parameter_variable
from hermes.search.dimensions import Choice, Condition, Dimension, genus
from hermes.search.number_declarations import read_number
from hermes.search.refusals import Place, shown

MOST_PARAMETERS = 500
PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
UNFIT = re.compile("[\0\ud800-\udfff]")
_NUMBER_KEYS = ("type", "low", "high", "log", "step", "when")
_KEYS: dict[str, tuple[str, ...]] = {
    "float": _NUMBER_KEYS,
    "int": _NUMBER_KEYS,
    "categorical": ("type", "choices", "when"),
    "bool": ("type", "when"),
}
_ALL_KEYS = tuple(dict.fromkeys(key for keys in _KEYS.values() for key in keys))
_EXAMPLE = '{"type": "float", "low": 0, "high": 1}'


def read_dimensions(raw: object, source: str) -> list[Dimension]:
    """Return the parameters of a parsed search space in the order they are written.

    Raises SpecError.
    """
    if not isinstance(raw, Mapping):
        raise SpaceError(
            source,
            (),
            f"a search space is an object, not {shown(raw)}.",
            f'Write {{"name": {_EXAMPLE}}}.',
        )
    declared = {name: item for name, item in raw.items() if name != "$schema"}
    _check_names(declared, source)
    places = {name: Place(source, name) for name in declared}
    found = {name: _dimension(declared[name], places[name]) for name in declared}
    return [
        replace(found[name], when=_conditions(declared[name].get("when"), found, places[name]))
        for name in declared
    ]


# Names


def _check_names(declared: Mapping[object, object], source: str) -> None:
    if not declared:
        raise SpaceError(source, (), "there is no parameter.", f'Write {{"name": {_EXAMPLE}}}.')
    if len(declared) > MOST_PARAMETERS:
        raise SpaceError(
            source,
            (),
            f"{len(declared)} parameters are too many.",
            f"A search space has at most {MOST_PARAMETERS}.",
        )
    variables: dict[str, str] = {}
    for name in declared:
        if not isinstance(name, str) or not PARAMETER_NAME.match(name):
            raise SpaceError(
                source,
                (str(name),),
                f"{shown(name)} cannot be the name of a parameter.",
                "Begin with a letter or _, then letters, digits, _ . -; at most 64 in all.",
            )
        variable = parameter_variable(name)
        if variable in variables:
            raise SpaceError(
                source,
                (name,),
                f"parameters {variables[variable]!r} and {name!r} would both be {variable}.",
                "Rename one of them.",
            )
        variables[variable] = name


# One parameter


def _dimension(raw: object, place: Place) -> Dimension:
    if not isinstance(raw, Mapping):
        raise place.refuse(f"is {shown(raw)}, not an object.", f"Write {_EXAMPLE}.")
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise _unknown_type(kind, "type" in raw, place)
    _check_keys(raw, kind, place)
    if kind == "bool":
        return Choice(place.name, kind, (False, True))
    if kind == "categorical":
        return Choice(place.name, kind, _choices(raw.get("choices"), place))
    return read_number(raw, kind == "int", place)


def _unknown_type(kind: object, given: bool, place: Place) -> SpaceError:
    near = nearest(kind, _KEYS) if isinstance(kind, str) else None
    remedy = f"Did you mean {near!r}?" if near else f"Write one of: {', '.join(_KEYS)}."
    fault = f"has the unknown type {shown(kind)}." if given else 'has no "type".'
    return place.refuse(fault, remedy)


def _check_keys(raw: Mapping[object, object], kind: str, place: Place) -> None:
    for key in raw:
        if key in _KEYS[kind]:
            continue
        if key in _ALL_KEYS:
            fault = f"is of type {kind}, which has no {shown(key)}."
        else:
            fault = f"has the unknown key {shown(key)}."
        near = nearest(str(key), _KEYS[kind])
        listed = f"Its keys are: {', '.join(_KEYS[kind])}."
        raise place.refuse(fault, f"Did you mean {near!r}?" if near else listed)


def _choices(raw: object, place: Place) -> tuple[ParamValue, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise place.refuse('needs "choices", a list that is not empty.', 'Write "choices": [1, 2].')
    seen: set[tuple[str, ParamValue]] = set()
    values = [_choice(item, place) for item in raw]
    for value in values:
        if (genus(value), value) in seen:
            raise place.refuse(f"has the choice {shown(value)} twice.", "Remove one of them.")
        seen.add((genus(value), value))
    return tuple(values)


def _choice(raw: object, place: Place) -> ParamValue:
    if isinstance(raw, str):
        return _text(raw, place)
    if isinstance(raw, (bool, int)):
        return raw
    if isinstance(raw, float) and math.isfinite(raw):
        return raw + 0.0
    raise place.refuse(
        f"has the choice {shown(raw)}, which is not a text, a finite number, true or false.",
        'Give it a name, such as "none", and let the command know what it means.',
    )


def _text(raw: str, place: Place) -> str:
    if UNFIT.search(raw):
        raise place.refuse(
            f"has the choice {shown(raw)}, which no environment variable can hold.",
            "Leave out NUL characters and lone surrogates.",
        )
    return raw


# Conditions


def _conditions(
    raw: object, dimensions: Mapping[str, Dimension], place: Place
) -> tuple[Condition, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, Mapping) or not raw:
        raise place.refuse(
            f'has "when" {shown(raw)}.', 'Write "when": {"other": value}, or leave it out.'
        )
    return tuple(_condition(name, wanted, dimensions, place) for name, wanted in raw.items())


def _condition(
    name: object, wanted: object, dimensions: Mapping[str, Dimension], place: Place
) -> Condition:
    parent = dimensions.get(name) if isinstance(name, str) else None
    if parent is None:
        near = nearest(str(name), (other for other in dimensions if other != place.name))
        listed = "Name another parameter of this file."
        raise place.refuse(
            f'has "when" on {shown(name)}, which is no parameter.',
            f"Did you mean {near!r}?" if near else listed,
        )
    if parent.count is None:
        raise place.refuse(
            f'has "when" on {parent.name!r}, a float without "step" that never has an exact value.',
            f'Give {parent.name!r} a "step", or make it categorical.',
        )
    several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
    values = tuple(wanted) if isinstance(wanted, Sequence) and several else (wanted,)
    if not values:
        raise place.refuse(f'has "when" on {name!r} with no value.', "Write the value.")
    return Condition(parent.name, tuple(_possible(value, parent, place) for value in values))


def _possible(value: object, parent: Dimension, place: Place) -> ParamValue:
    known = parent.canonical(value)
    if known is None:
        raise place.refuse(
            f'has "when" on {parent.name!r} being {shown(value)}, which it never is.',
            f"{parent.name!r} is {parent.describe()}.",
        )
    return known
