"""Changes single values in the text of a JSON, YAML or TOML file; only ``parameters`` uses it.

Limits first. Only numbers, booleans, texts and nulls can be replaced, not lists or sections.
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
    """A text, what it says, and its leaves in order."""

    text: str
    tree: Any
    leaves: tuple[Leaf, ...]
    language: Language


@dataclass(frozen=True)
class Language:
    """How to read and write one kind of configuration file."""

    name: str
    parse: Callable[[str], Any]
    find_leaves: Callable[[str, Any], list[Leaf]]
    write_value: Callable[[ParamValue], str]
    add_line: Callable[[str, str, str], str]
    write_tree: Callable[[Any], str] | None = None


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
        return Document(text, tree, tuple(language.find_leaves(text, tree)), language)
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


def change(
    document: Document, values: Mapping[Leaf, ParamValue], added: Mapping[str, ParamValue]
) -> bytes:
    """Return the text with leaves set to ``values`` and ``added`` names at the top level.

    The result is proved by reading it back: exactly these values differ.
    """
    language = document.language
    wanted = copy.deepcopy(document.tree)
    for leaf, value in values.items():
        _put(wanted, leaf.path, value, language)
    wanted.update(added)
    text = _spliced(document, values)
    for name, value in added.items():
        text = language.add_line(text, name, language.write_value(value))
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


def _json_line(text: str, name: str, value: str) -> str:
    start, close = text.index("{") + 1, text.rindex("}")
    indent = text[start : _skip(text, start)]
    before = text[:close].rstrip(" \t\r\n")
    comma = "" if before.endswith("{") else ","
    return (
        f"{before}{comma}{indent if comma else ''}{json.dumps(name)}: {value}{text[len(before) :]}"
    )


JSON = Language("JSON", json.loads, _json_leaves, _json_value, _json_line)


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

    found: dict[tuple[int, int], Leaf] = {}

    def walk(node: Any, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                walk(value, (*path, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                walk(value, (*path, str(index)))
        else:
            span = (node.start_mark.index, node.end_mark.index)
            found.setdefault(span, Leaf(path, *span))

    root = yaml.compose(text, Loader=_yaml_loader())
    if root is not None:
        walk(root, ())
    return list(found.values())


def _yaml_value(value: ParamValue) -> str:
    """Write a scalar that YAML 1.1 and 1.2 read alike: text is quoted, floats have a point."""
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}{e}{exponent}"
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", _json_value(value))


def _yaml_line(text: str, name: str, value: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] not in "#-%"]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())] if lines else ""
    newline = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{newline}{indent}{_yaml_value(name)}: {value}\n"


def _yaml_tree(tree: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text


YAML = Language("YAML", _yaml_parse, _yaml_leaves, _yaml_value, _yaml_line, _yaml_tree)
