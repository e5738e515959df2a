"""TOML for ``config_text``: finds values that have a line of their own; ``parameters`` uses it.

Limits first. A value inside an inline table or a list has no line of its own and is not changed.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from hermes.executing.config_text import Language, Leaf, Path
from hermes.model import ParamValue

if TYPE_CHECKING:
    from types import ModuleType

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_NAME = re.compile(rf"[ \t]*({_KEY}(?:[ \t]*\.[ \t]*{_KEY})*)[ \t]*=[ \t]*")
_TABLE = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEY}(?:[ \t]*\.[ \t]*{_KEY})*)[ \t]*\]\]?")
_SCALAR = re.compile(r""""(?!"")(?:[^"\\]|\\.)*"|'(?!'')[^']*'|[^\s#\[{"',]+""")


def _reader() -> ModuleType:
    """Return the module that reads TOML: Python's own, or before 3.11 what became it."""
    import importlib

    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def _parse(text: str) -> Any:
    return _reader().loads(text.replace("\r\n", "\n"))  # its errors are ValueErrors


def _leaves(text: str, tree: Any) -> list[Leaf]:
    """Return every scalar of the tree, with its place when it has a line of its own."""
    lines = _lines(text)
    found: list[Leaf] = []

    def walk(value: Any, path: Path) -> None:
        if isinstance(value, (dict, list)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(item, (*path, str(key)))
        else:
            found.append(Leaf(path, *lines.get(path, (-1, -1))))

    walk(tree, ())
    return found


def _lines(text: str) -> dict[Path, tuple[int, int]]:
    """Return where the scalars stand that follow ``name =`` on one line."""
    found: dict[Path, tuple[int, int]] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(text):
        line_end = text.find("\n", at) + 1 or len(text)
        header, name = _TABLE.match(text, at, line_end), _NAME.match(text, at, line_end)
        if header:
            table = _entered(header, counts)
        elif name:
            line_end = _value_end(text, name.end(), line_end)
            scalar = _SCALAR.match(text, name.end(), line_end)
            if scalar:
                found[table + _parts(name[1])] = scalar.span()
        at = line_end
    return found


def _entered(header: re.Match[str], counts: dict[Path, int]) -> Path:
    """Return the path of the table that a header opens; the tables of a list are numbered."""
    parts = _parts(header[2])
    path: Path = ()
    for part in parts[:-1]:
        path = _latest((*path, part), counts)
    path = (*path, parts[-1])
    if header[1] == "[[":
        counts[path] = counts.get(path, -1) + 1
    return _latest(path, counts)


def _latest(path: Path, counts: dict[Path, int]) -> Path:
    return (*path, str(counts[path])) if path in counts else path


def _value_end(text: str, start: int, line_end: int) -> int:
    """Return where the value ends: on its line, or before a later name, table or the end."""
    end = line_end
    while not _is_whole(text[start:end]):
        end = _next_start(text, end)
    return end


def _is_whole(value: str) -> bool:
    try:
        _parse("x = " + value)
    except ValueError:
        return False
    return True


def _next_start(text: str, at: int) -> int:
    """Return where the next line begins that could follow a value. The text is known to be TOML."""
    while True:
        at = text.find("\n", at) + 1 or len(text)
        if at == len(text) or _NAME.match(text, at) or _TABLE.match(text, at):
            return at


def _parts(name: str) -> Path:
    return tuple(_unquoted(part) for part in re.findall(_KEY, name))


def _unquoted(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] == '"':
        return str(_parse(f"x = {part}")["x"])
    return part


def _value(value: ParamValue) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


TOML = Language("TOML", _parse, _leaves, _value)
