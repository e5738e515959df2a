"""``docs/SPEC.md``: the reference of a SPEC, filled in from what the lab itself checks SPECs by.

Pure but for reading its sources: the prose in ``reference.md`` beside it, and the two schemas.
The prose has marks such as ``<!-- fields: id goal -->``; a field that no mark names is an error,
so none can be forgotten. The task that writes the page is elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hermes import codec
from hermes.spec import EXECUTION_FIELDS, NOT_YET
from hermes.validation import SCHEMA_FILE, schema

REFERENCE_NAME = "SPEC.md"

_PROSE = Path(__file__).with_name("reference.md")
_SPACE_SCHEMA = SCHEMA_FILE.with_name("search_space.schema.json")
_MARK = re.compile(r"<!-- ([a-z-]+)(?:: ([^>]*))? -->")
_NO_EFFECT = "No effect yet."
_PLENTY = 10**9  # a limit from here on only keeps nonsense out
_HEAD = ("Field", "Type", "Default", "Meaning")
_SPACE_HEAD = ("Key", "In", "Type", "Meaning")

Rule = Mapping[str, Any]


def render() -> bytes:
    """Return the bytes of ``docs/SPEC.md``. Raises ValueError for prose that does not fit."""
    return filled(_PROSE.read_text(encoding="utf-8")).encode()


def filled(prose: str) -> str:
    """Return ``prose`` with every mark replaced. Raises ValueError for what it lacks or repeats."""
    marks = _MARK.findall(prose)
    named = [name for kind, names in marks if kind == "fields" for name in names.split()]
    wrong = sorted(set(named) ^ set(schema()["properties"]))
    wrong += sorted({name for name in named if named.count(name) > 1})
    wrong += sorted({kind for kind, _ in marks} ^ set(_FILLERS))
    if wrong:
        raise ValueError(f"{_PROSE.name}: not named exactly once, or unknown: {', '.join(wrong)}")
    return _MARK.sub(lambda mark: _FILLERS[mark[1]]((mark[2] or "").split()), prose)


# The marks


def _fields(names: Iterable[str]) -> str:
    return _table(_HEAD, [row for name in names for row in _field_rows(name)])


def _field_rows(name: str) -> Iterator[tuple[str, ...]]:
    """Describe a field, then each part of it."""
    rule = schema()["properties"][name]
    yield _row(name, rule, required=name in schema()["required"])
    for part, inner in _parts(rule).items():
        yield _row(f"{name}.{part}", inner)


def _row(name: str, rule: Rule, *, required: bool = False) -> tuple[str, ...]:
    default = f"`{json.dumps(rule['default'])}`" if "default" in rule else "none"
    in_vain = name in NOT_YET or name.partition(".")[0] in NOT_YET
    meaning = f"{_plain(rule['description'])} {_NO_EFFECT if in_vain else ''}".rstrip()
    return f"`{name}`", _type(rule), "**required**" if required else default, meaning


def _parts(rule: Rule) -> Rule:
    place = rule.get("$ref")
    inner = schema()["$defs"][place.rpartition("/")[2]] if place else rule
    found: Rule = inner.get("properties", {})
    return found


def _no_effect(_: Iterable[str]) -> str:
    """List what is accepted in vain: fields in the order of the schema, then parts and values."""
    order = list(schema()["properties"])
    names = sorted(NOT_YET, key=lambda name: (order.index(re.split(r"[.:]", name)[0]), name))
    return ", ".join(f"`{name}`" for name in names)


def _tier_fields(_: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in schema()["properties"] if name in EXECUTION_FIELDS)


def _environment(_: Iterable[str]) -> str:
    from hermes.executing.environment import CONTRACT_KEYS

    return ", ".join(f"`{name}`" for name in CONTRACT_KEYS)


def _space(_: Iterable[str]) -> str:
    """Describe every key of a parameter; a key that means two things has two rows."""
    definitions = codec.from_json(_SPACE_SCHEMA.read_bytes())["$defs"]
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for kind in definitions["parameter"]["properties"]["type"]["enum"]:
        for key, given in definitions[kind]["properties"].items():
            rule = definitions[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
            if key != "type":
                lead = "Required. " if key in definitions[kind]["required"] else ""
                row = (key, _type(rule), lead + _plain(rule["description"]))
                kinds.setdefault(row, []).append(kind)
    keys = list(dict.fromkeys(key for key, _, _ in kinds))
    rows = [
        (
            f"`{key}`",
            ", ".join(f"`{kind}`" for kind in kinds[key, values, meaning]),
            values,
            meaning,
        )
        for key, values, meaning in sorted(kinds, key=lambda row: keys.index(row[0]))
    ]
    return _table(_SPACE_HEAD, rows)


_FILLERS: Mapping[str, Callable[[Iterable[str]], str]] = {
    "fields": _fields,
    "no-effect": _no_effect,
    "tier-fields": _tier_fields,
    "environment": _environment,
    "search-space": _space,
}


# Words


def _type(rule: Rule) -> str:
    """Say in words which values a rule of a schema allows."""
    if "enum" in rule:
        return "one of " + ", ".join(f"`{value}`" for value in rule["enum"] if value is not None)
    given = rule["type"]
    kinds = {given} if isinstance(given, str) else set(given) - {"null"}
    if kinds == {"array"}:
        choices = rule["items"].get("enum", ())
        return f"list of {', '.join(f'`{value}`' for value in choices)}" if choices else "list"
    words = _WORDS[frozenset(kinds)]
    return words + _range(rule)


_WORDS: Mapping[frozenset[str], str] = {
    frozenset({"string"}): "text",
    frozenset({"boolean"}): "`true` or `false`",
    frozenset({"integer"}): "whole number",
    frozenset({"number"}): "number",
    frozenset({"object"}): "mapping",
    frozenset({"number", "object"}): "number or mapping",
    frozenset({"string", "object"}): "path or mapping",
    frozenset({"object", "array"}): "mapping, or list of mappings",
    frozenset({"string", "array"}): "command",
}


def _range(rule: Rule) -> str:
    words = (
        ("minimum", "from"),
        ("exclusiveMinimum", "above"),
        ("maximum", "up to"),
        ("exclusiveMaximum", "below"),
    )
    limits = [f"{word} {rule[key]}" for key, word in words if key in rule and rule[key] < _PLENTY]
    return "".join(f", {limit}" for limit in limits)


def _plain(text: str) -> str:
    """Return a schema's words as they look the same in Markdown."""
    return text.replace("<", "&lt;")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(head)]
    rule = ["---"] * len(cells[0])
    lines = [*cells, rule, *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
