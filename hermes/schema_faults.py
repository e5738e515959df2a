"""Validates by JSON Schema, and says what it finds in two lines: what is wrong, and the remedy.

Limits first: for ``validation`` alone; jsonschema is imported here, when used.
A remedy is the rule's ``patternErrorMessage`` (editors show the same) or its ``description``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from hermes import codec
from hermes.errors import nearest
from hermes.located import quoted, shown

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Fault: TypeAlias = tuple[Sequence[str | int], str, str]
"""Where it is, what is wrong, what to do."""

_KINDS: Mapping[str, str] = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_BOUNDS: Mapping[str, str] = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}
_EMPTY = ("minLength", "minItems", "minProperties")
_LONG = ("maxLength", "maxItems", "maxProperties")


def make_validator(schema: Mapping[str, Any]) -> Validator:
    """Return a validator of Draft 2020-12 whose patterns and lists are safe and exact."""
    from jsonschema import Draft202012Validator, validators

    own = {"pattern": _pattern, "uniqueItems": _unique_items}
    maker: Any = validators.extend(Draft202012Validator, own)  # type: ignore[no-untyped-call]
    validator: Validator = maker(schema)
    return validator


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[Exception]:
    """Match as ECMA-262 does, where ``$`` is the very end and not also a last newline."""
    from jsonschema import ValidationError

    exact = re.sub(r"\$\Z", r"\\Z", pattern)
    if isinstance(instance, str) and re.search(exact, instance) is None:
        yield ValidationError(f"{shown(instance)} does not match {pattern}")


def _unique_items(_: object, wanted: bool, instance: object, __: object) -> Iterator[Exception]:
    """Compare by canonical text; the library compares mappings pair by pair."""
    from jsonschema import ValidationError

    items = instance if isinstance(instance, list) else []
    if wanted and len({codec.to_json(item) for item in items}) < len(items):
        yield ValidationError("has an item twice")


def types_of(rule: Mapping[str, Any]) -> list[str]:
    """Return the types that a rule allows a field that is set."""
    types = rule.get("type", [])
    return [kind for kind in ([types] if isinstance(types, str) else types) if kind != "null"]


def translated(fault: Any) -> Fault:
    """Return where jsonschema's error is, what is wrong, and what to do."""
    say: Callable[[Any], _Said] = _TRANSLATIONS.get(fault.validator, _other)
    extra, what, remedy = say(fault)
    return [*fault.absolute_path, *extra], what, remedy


_Said: TypeAlias = tuple[list[str], str, str]
"""What comes after the error's own place, what is wrong, what to do."""


def _required(fault: Any) -> _Said:
    name = next(key for key in fault.validator_value if key not in fault.instance)
    return [name], "missing.", f"Add it. {fault.schema['properties'][name]['description']}"


def _additional(fault: Any) -> _Said:
    known = fault.schema["properties"]
    name = next(key for key in fault.instance if key not in known)
    near = nearest(name, known)
    remedy = f"Did you mean {near}?" if near else f"Known here: {', '.join(known)}."
    return [name], "unknown key.", remedy


def _type(fault: Any) -> _Said:
    kinds = types_of(fault.schema)
    expected = " or ".join(_KINDS[kind] for kind in kinds)
    found = f"expected {expected}, found {_found(fault.instance)}."
    return [], found, _type_remedy(fault, kinds, fault.instance)


def _type_remedy(fault: Any, kinds: Sequence[str], value: object) -> str:
    if "enum" in fault.schema:
        return _allowed(fault.schema)
    if kinds == ["array"] and isinstance(value, str):
        return f"Write it as a list: [{shown(value)}]"
    if kinds == ["boolean"]:
        return "Write true or false."
    if kinds[0] == "string" and isinstance(value, (bool, int, float)):
        return f'Put it in quotes: "{codec.to_json(value).decode().strip()}"'
    return _description(fault)


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return f"the {'list' if isinstance(value, list) else 'mapping'} {shown(value)}"


def _enum(fault: Any) -> _Said:
    near = nearest(str(fault.instance).lower(), _choices(fault.schema))
    hint = f"Did you mean {near}? " if near else ""
    return [], f"{_found(fault.instance)} is not allowed.", hint + _allowed(fault.schema)


def _choices(rule: Mapping[str, Any]) -> list[str]:
    return [str(value) for value in rule["enum"] if value is not None]


def _allowed(rule: Mapping[str, Any]) -> str:
    return f"Allowed: {', '.join(_choices(rule))}."


def _matching(fault: Any) -> _Said:
    remedy = fault.schema.get("patternErrorMessage") or _description(fault)
    return [], f"{quoted(fault.instance)} is not allowed.", remedy


def _bound(fault: Any) -> _Said:
    limit = f"{_BOUNDS[fault.validator]} {fault.validator_value}"
    return [], f"must be {limit}, found {shown(fault.instance)}.", _description(fault)


def _size(fault: Any) -> _Said:
    if fault.validator in _EMPTY:
        return [], "must not be empty.", _description(fault)
    return [], "too long.", f"Use at most {fault.validator_value}."


def _unique(fault: Any) -> _Said:
    return [], f"the same item twice in {shown(fault.instance)}.", "Remove one of the two."


def _other(fault: Any) -> _Said:
    return [], f"{shown(fault.message)}.", _description(fault)


def _description(fault: Any) -> str:
    return str(fault.schema.get("description", "The templates show how it is written."))


_TRANSLATIONS: Mapping[str, Any] = {
    "required": _required,
    "additionalProperties": _additional,
    "type": _type,
    "enum": _enum,
    "pattern": _matching,
    "uniqueItems": _unique,
    **dict.fromkeys(_BOUNDS, _bound),
    **dict.fromkeys((*_EMPTY, *_LONG), _size),
}
