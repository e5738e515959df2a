"""Changes single values in the text of a JSON, YAML or TOML file; only ``parameters`` uses it.

Limits first. Only numbers, booleans, texts and nulls can be replaced, not lists or sections.
Nothing is added, and nothing is found in a YAML text with an alias, which says one value in many
places.
What was changed is read back and compared: where a YAML text cannot be edited in place, it is
written anew and loses its comments; a TOML value that has no line of its own is refused.
Everything else of the text (order, indentation, comments) stays as it was.
All functions are pure and raise ValueError for text that they cannot read or change.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hermes.model import ParamValue

MAX_BYTES = 1024 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # to YAML

Path = tuple[str, ...]


@dataclass(frozen=True)
class Leaf:
    """A value that can be replaced: the names that lead to it, and where it stands in the text.

    ``start`` is negative for a value that is there but cannot be replaced in the text.
    """

    path: Path
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A text, what it says, and its leaves in order; none when it has an ``alias``."""

    text: str
    tree: Any
    leaves: tuple[Leaf, ...]
    language: Language
    alias: Alias | None = None


@dataclass(frozen=True)
class Alias:
    """The first alias of a text: its name, and its line, counted from 1."""

    name: str
    line: int


@dataclass(frozen=True)
class Language:
    """How to read and write one kind of configuration file."""

    name: str
    parse: Callable[[str], Any]
    find_leaves: Callable[[str, Any], list[Leaf]]
    write_value: Callable[[ParamValue], str]
    write_tree: Callable[[Any], str] | None = None
    find_alias: Callable[[str], Alias | None] | None = None


@lru_cache(maxsize=16)
def read(data: bytes, language: Language) -> Document:
    """Parse a file's content. Raises ValueError for what is no mapping in that language.

    The same content is parsed once, for it is merged with new parameters run after run.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 1024} KiB")
    text = data.decode("utf-8-sig")
    try:
        tree = language.parse(text)
        if not isinstance(tree, dict):
            raise ValueError("it holds no mapping of names to values")
        alias = language.find_alias(text) if language.find_alias is not None else None
        leaves = () if alias is not None else tuple(language.find_leaves(text, tree))
        return Document(text, tree, leaves, language, alias)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def sections(tree: Any) -> list[Path]:
    """Return the paths of everything in ``tree`` that holds other values."""
    found: list[Path] = []

    def walk(value: Any, path: Path) -> None:
        if isinstance(value, (dict, list)):
            found.append(path)
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                walk(item, (*path, str(key)))

    walk(tree, ())
    return found[1:]


def keys(tree: Any) -> set[str]:
    """Return every key in ``tree``; what is shared by several places is looked at once."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, (dict, list)) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            found.update(map(str, value))
        waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


def change(document: Document, values: Mapping[Leaf, ParamValue]) -> bytes:
    """Return the text with leaves set to ``values``.

    The result is proved by reading it back: exactly these values differ.
    """
    if not values:
        return document.text.encode("utf-8")
    language = document.language
    wanted = copy.deepcopy(document.tree)
    for leaf, value in values.items():
        _put(wanted, leaf.path, value, language)
    text = _spliced(document, values)
    if not _reads_as(text, wanted, language):
        if language.write_tree is None:
            raise ValueError("a value in it cannot be replaced where it stands")
        text = language.write_tree(wanted)
        if not _reads_as(text, wanted, language):
            raise ValueError("it cannot be written again without loss")
    return text.encode("utf-8")


def _spliced(document: Document, values: Mapping[Leaf, ParamValue]) -> str:
    text = document.text
    for leaf in sorted(values, key=lambda leaf: leaf.start, reverse=True):
        if leaf.start >= 0:
            new = document.language.write_value(values[leaf])
            text = text[: leaf.start] + new + text[leaf.end :]
    return text


def _put(tree: Any, path: Path, value: ParamValue, language: Language) -> None:
    for part in path[:-1]:
        tree = tree[_key(tree, part, language)]
    tree[_key(tree, path[-1], language)] = value


def _key(tree: Any, part: str, language: Language) -> Any:
    """Return the key that is written as ``part``; in YAML, 1 is a number and on is true."""
    if isinstance(tree, list):
        return int(part)
    if part in tree:
        return part
    with contextlib.suppress(ValueError, TypeError):
        key = language.parse(part)
        if key in tree:
            return key
    raise ValueError(f"its key {part!r} cannot be followed")


def _reads_as(text: str, wanted: Any, language: Language) -> bool:
    try:
        return _same(language.parse(text), wanted)
    except ValueError:
        return False


def _same(left: Any, right: Any) -> bool:
    """Compare strictly: 1, 1.0 and true are three things, and NaN is itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return repr(left) == repr(right)


# JSON


_DECODER = json.JSONDecoder()


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _json_leaves(text: str, _tree: Any) -> list[Leaf]:
    """Walk a text that is known to be JSON, and note where its scalars stand."""
    found: list[Leaf] = []

    def walk(at: int, path: Path) -> int:
        if text[at] not in "{[":
            end = _DECODER.raw_decode(text, at)[1]
            found.append(Leaf(path, at, end))
            return end
        is_object, index = text[at] == "{", 0
        at = _skip(text, at + 1)
        while text[at] not in "}]":
            key = str(index)
            if is_object:
                key, at = _DECODER.raw_decode(text, at)
                at = _skip(text, _skip(text, at) + 1)
            at = _skip(text, walk(at, (*path, key)))
            at = _skip(text, at + 1) if text[at] == "," else at
            index += 1
        return at + 1

    walk(_skip(text, 0), ())
    return found


def _json_value(value: ParamValue) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


JSON = Language("JSON", json.loads, _json_leaves, _json_value)


# YAML


def _yaml_loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _yaml_parse(text: str) -> Any:
    import yaml

    try:
        tree = yaml.load(text, Loader=_yaml_loader())  # noqa: S506  it is the safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    return {} if tree is None else tree


def _yaml_leaves(text: str, _tree: Any) -> list[Leaf]:
    import yaml

    found: list[Leaf] = []

    def walk(node: Any, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                walk(value, (*path, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                walk(value, (*path, str(index)))
        else:
            found.append(Leaf(path, node.start_mark.index, node.end_mark.index))

    root = yaml.compose(text, Loader=_yaml_loader())
    if root is not None:
        walk(root, ())
    return found


def _yaml_alias(text: str) -> Alias | None:
    import yaml

    if "*" not in text:
        return None
    for event in yaml.parse(text, Loader=_yaml_loader()):
        if isinstance(event, yaml.AliasEvent) and event.start_mark is not None:
            return Alias(str(event.anchor), event.start_mark.line + 1)
    return None


def _yaml_value(value: ParamValue) -> str:
    """Write a scalar that YAML 1.1 and 1.2 read alike: text is quoted, floats have a point."""
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}{e}{exponent}"
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", _json_value(value))


def _yaml_tree(tree: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text


YAML = Language("YAML", _yaml_parse, _yaml_leaves, _yaml_value, _yaml_tree, _yaml_alias)
