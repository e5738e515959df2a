"""Strict YAML, read with the place of everything; the one module that imports yaml, when used.

Limits first: at most 64 KiB of UTF-8, and what ``yaml_events`` lets pass of it.
Scalars follow YAML 1.2: only ``true`` and ``false`` are booleans (``no`` is the word no), a date
is text, ``1e-3`` is a number. Keys are text, whatever they look like.
Every refusal is a ``SpecError`` that reads ``source:line: key: what is wrong``.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hermes.errors import SpecError
from hermes.located import MAX_BYTES, Located, refusal, shown
from hermes.model import Json
from hermes.yaml_events import FLATTER, TEXT_TAG, TOO_DEEP, Builder

if TYPE_CHECKING:
    import yaml


def load_yaml(data: bytes, *, source: str) -> Located:
    """Read a mapping. Raises SpecError, and nothing else, for whatever is not one."""
    import yaml

    text = _decode(data, source)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = Builder(source)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.feed(event)
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        raise _not_yaml(error, source) from None
    return Located(builder.mapping(), source, text, builder.lines, builder.spans)


def dump_yaml(data: Mapping[str, Json]) -> bytes:
    """Write a mapping so that ``load_yaml`` gives it back; text is quoted, order is kept."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  the parent's name
            return True

    def quoted(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar(TEXT_TAG, text, style='"')

    Dumper.add_representer(str, quoted)
    text: str = yaml.dump(
        dict(data), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text.encode()


def with_changes(located: Located, changes: Mapping[str, str]) -> bytes:
    """Return the text with top-level keys set to other text, everything else as it was.

    Comments stay. A key that is missing comes first. Where the text cannot be edited in place,
    and the proof is that it reads back as it should, it is written anew and comments are lost.
    """
    missing = {key: text for key, text in changes.items() if key not in located.data}
    wanted: dict[str, Json] = {**missing, **located.data, **changes}
    edited = _edited(located, changes).encode()
    with contextlib.suppress(SpecError):
        if _reads_as(edited, wanted, located.source):
            return edited
    written = dump_yaml(wanted)
    assert _reads_as(written, wanted, located.source)
    return written


def _reads_as(data: bytes, wanted: Mapping[str, Json], source: str) -> bool:
    """Compare by ``repr``: the order counts, and 1, 1.0 and true are three things."""
    return repr(load_yaml(data, source=source).data) == repr(wanted)


# Editing


def _edited(located: Located, changes: Mapping[str, str]) -> str:
    text = located.text
    edits = [
        (located.spans[(key,)], _quoted(value))
        for key, value in changes.items()
        if (key,) in located.spans
    ]
    for (start, end), value in sorted(edits, reverse=True):
        gap = " " if start == end else ""  # an empty value stands at its colon
        text = text[:start] + gap + value + text[end:]
    return _with_new_keys(text, located, changes)


def _with_new_keys(text: str, located: Located, changes: Mapping[str, str]) -> str:
    start, _ = located.spans[()]
    indent = " " * (start - (text.rfind("\n", 0, start) + 1))
    added = [
        f"{key}: {_quoted(value)}\n{indent}"
        for key, value in changes.items()
        if key not in located.data
    ]
    return text[:start] + "".join(added) + text[start:]


def _quoted(text: str) -> str:
    """Write text as YAML, in double quotes."""
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


# Refusals


def _decode(data: bytes, source: str) -> str:
    if len(data) > MAX_BYTES:
        remedy = f"Keep it under {MAX_BYTES // 1024} KiB; move data into files of the workspace."
        raise refusal(source, 1, (), f"larger than {MAX_BYTES // 1024} KiB.", remedy)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(
            source, line, (), "not UTF-8 text.", "Save the file with the encoding UTF-8."
        ) from None


def _not_yaml(error: Exception, source: str) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    if "nesting depth" in problem:  # since 6.0.4 PyYAML has a limit of its own
        return refusal(source, 1, (), TOO_DEEP, FLATTER)
    context = str(getattr(error, "context", None))
    remedy = "Check the indentation, the colons and the quotes on this line and the one before."
    if "flow" in context or "quoted" in context:  # what is left open is noticed far below
        mark = getattr(error, "context_mark", None) or mark
        remedy = "Close the bracket or quote that begins on this line."
    line = mark.line + 1 if mark else 1
    return refusal(source, line, (), f"not YAML: {shown(problem)}.", remedy)
