"""Says whether a mapping is a SPEC, by the packaged JSON Schema and a few rules beyond it.

Limits first: pure but for reading its own schema. Whether folders and files exist is asked by
``store.specs``, for that changes while the SPEC does not.
A refusal is a ``SpecError`` of two lines: ``source:line: key: what is wrong``, then the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hermes import cadence, codec
from hermes.errors import nearest
from hermes.layout import EXPERIMENT_ID, RESERVED_IDS
from hermes.located import Located, Place, quoted, shown
from hermes.model import DEFAULT_TIER, Json
from hermes.schema_faults import Fault, make_validator, translated, types_of
from hermes.spec import FIELDS, base_field, split_tier_key, tier_keys
from hermes.validation_of_code import code_rule

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMA_FILE = Path(__file__).parent / "schema" / "spec.schema.json"
_ID_REMEDY = (
    "Use up to 64 lower-case letters, digits, '.', '_' and '-', "
    "beginning and ending with a letter or digit."
)
_BLANK = re.compile(r"<[^<>\n]+>\Z")
_BOOLEANS = {"yes": True, "on": True, "no": False, "off": False}


def validate(located: Located) -> dict[str, Json]:
    """Return the mapping with unset fields left out and ``no`` as false where that is meant.

    Raises SpecError for the first thing that is wrong with it.
    """
    given = {key: value for key, value in located.data.items() if value is not None}
    _check_keys(located, given)
    _check_blanks(located, given)
    mapping = cast("dict[str, Json]", _with_booleans(given, schema()))
    fault = _first_fault(located, mapping)
    if fault is not None:
        raise located.refuse(*translated(fault))
    _check_rules(located, mapping)
    return mapping


def id_fault(name: str) -> tuple[str, str] | None:
    """Return what is wrong with an experiment's id and what to do; None when nothing is."""
    if name in RESERVED_IDS:
        return f"{quoted(name)} is a reserved name.", "Choose another id."
    if EXPERIMENT_ID.match(name) is None:
        return f"{quoted(name)} is not an id.", _ID_REMEDY
    return None


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a SPEC."""
    return cast("dict[str, Any]", codec.from_json(SCHEMA_FILE.read_bytes()))


# Keys


def _check_keys(located: Located, given: Mapping[str, Json]) -> None:
    raw = given.get("fidelity_tiers")
    tiers = [tier for tier in raw if isinstance(tier, str)] if isinstance(raw, list) else []
    for key in given:
        if key not in FIELDS:
            _check_tier_key(located, key, tiers or [DEFAULT_TIER])


def _check_tier_key(located: Located, key: str, tiers: Sequence[str]) -> None:
    parts = split_tier_key(key)
    if parts is None:
        near = nearest(key, [*FIELDS, *tier_keys(tiers)])
        remedy = f"Did you mean {near}?" if near else "Remove it; the templates show every field."
        raise located.refuse((key,), "unknown key.", remedy)
    if parts[0] not in tiers:
        what = f"there is no tier {quoted(parts[0])}."
        raise located.refuse((key,), what, _tier_remedy(parts[0], tiers))


def _tier_remedy(tier: str, tiers: Sequence[str]) -> str:
    if list(tiers) == [DEFAULT_TIER]:
        return "Name the tiers in fidelity_tiers, the cheapest first."
    near = nearest(tier, tiers)
    hint = f"Did you mean {near}? " if near else ""
    return f"{hint}The tiers in fidelity_tiers are: {shown(', '.join(tiers))}."


def _check_blanks(located: Located, given: Mapping[str, Json]) -> None:
    for place, text in _texts(given, ()):
        if _BLANK.match(text):
            what = f"{quoted(text)} is still a blank."
            raise located.refuse(place, what, "Fill it in as the comment beside it says.")


def _texts(value: Json | Mapping[str, Json], place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))


def _with_booleans(value: Any, rule: Mapping[str, Any]) -> Any:
    """Read ``no`` and ``yes`` as the user means them, where a boolean belongs and only there."""
    if isinstance(value, dict):
        rules = rule.get("properties", {})
        return {
            key: _with_booleans(item, rules.get(base_field(key), {})) for key, item in value.items()
        }
    if isinstance(value, str) and "boolean" in types_of(rule):
        return _BOOLEANS.get(value.lower(), value)
    return value


# The schema


def _first_fault(located: Located, mapping: Mapping[str, Json]) -> Any:
    """Return the schema's error that stands first in the text, or None."""
    faults = _validator().iter_errors(mapping)
    return min(faults, key=lambda fault: located.line(fault.absolute_path), default=None)


@cache
def _validator() -> Validator:
    return make_validator(schema())


# Rules beyond the schema


def _check_rules(located: Located, mapping: Mapping[str, Json]) -> None:
    for rule in (_id_rule, _cadence_rule, _tier_rule, _repeats_rule, _stop_rule, code_rule):
        fault = rule(mapping)
        if fault is not None:
            raise located.refuse(*fault)


def _id_rule(mapping: Mapping[str, Json]) -> Fault | None:
    fault = id_fault(str(mapping["id"]))
    return None if fault is None else (["id"], *fault)


def _cadence_rule(mapping: Mapping[str, Json]) -> Fault | None:
    given = mapping.get("cadence")
    if given is None or cadence.check(str(given)) is None:
        return None
    what = f"{quoted(given)} is neither a known cadence nor a cron expression."
    remedy = (
        "Write every-10-minutes, every-2-hours, hourly, daily, weekly, "
        "or five cron fields such as '0 3 * * *'."
    )
    return ["cadence"], what, remedy


def _tier_rule(mapping: Mapping[str, Json]) -> Fault | None:
    first = mapping.get("initial_fidelity_tier")
    tiers = cast("list[str]", mapping.get("fidelity_tiers") or [DEFAULT_TIER])
    if first is None or first in tiers:
        return None
    what = f"there is no tier {quoted(first)}."
    return ["initial_fidelity_tier"], what, _tier_remedy(str(first), tiers)


def _repeats_rule(mapping: Mapping[str, Json]) -> Fault | None:
    acceptance = cast("dict[str, Any]", mapping.get("acceptance") or {})
    most, repeats = acceptance.get("max_repeats"), acceptance.get("repeats", 1)
    if most is None or most >= repeats:
        return None
    what = f"must be at least repeats, found {most}."
    return ["acceptance", "max_repeats"], what, f"Use {repeats} or more."


def _stop_rule(mapping: Mapping[str, Json]) -> Fault | None:
    given = mapping.get("stop_conditions")
    seen: set[str] = set()
    for index, part in enumerate(given if isinstance(given, list) else []):
        names = cast("dict[str, Json]", part)
        twice = next((name for name in names if name in seen), None)
        if twice is not None:
            return ["stop_conditions", index, twice], "given twice.", "Remove one of the two."
        seen.update(names)
    return None
