"""Strict YAML, read with the place of everything; the one module that imports yaml, when used.

Limits first: at most 64 KiB of UTF-8, one document, a mapping at the top, 32 levels deep, and
four times the size once aliases are expanded. No tags but ``!!str``, no merge keys.
Scalars follow YAML 1.2: only ``true`` and ``false`` are booleans (``no`` is the word no), a date
is text, ``1e-3`` is a number. Keys are text, whatever they look like.
Every refusal is a ``SpecError`` that reads ``source:line: key: what is wrong``.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from hermes.errors import SpecError
from hermes.model import Json

if TYPE_CHECKING:
    import yaml

Place: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_EXPANDED = 4 * MAX_BYTES
_LONGEST_SHOWN = 60
_LARGEST_INTEGER = 2**63 - 1

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0x[0-9a-fA-F]+\Z|0o[0-7]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_WORDS: Mapping[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Located:
    """Plain data, the text it was read from, and the line (from 1) of every part of it."""

    data: dict[str, Json]
    source: str
    text: str
    lines: Mapping[Place, int]
    spans: Mapping[Place, tuple[int, int]]

    def line(self, place: Sequence[str | int]) -> int:
        """Return the line of ``place``, or of the nearest part around it that has one."""
        spot = tuple(place)
        while spot and spot not in self.lines:
            spot = spot[:-1]
        return self.lines.get(spot, 1)

    def refuse(self, place: Sequence[str | int], what: str, remedy: str) -> SpecError:
        """Return the error that says what is wrong at ``place``."""
        return _refusal(self.source, self.line(place), place, what, remedy)


def load_yaml(data: bytes, *, source: str) -> Located:
    """Read a mapping. Raises SpecError, and nothing else, for whatever is not one."""
    import yaml

    text = _decode(data, source)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(source)
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
        return dumper.represent_scalar(_TEXT_TAGS[1], text, style='"')

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


def shown(value: object) -> str:
    """Return ``value`` as one short line for a message."""
    text = value if isinstance(value, str) else repr(value)
    if _UNPRINTABLE.search(text):
        text = ascii(text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


# Editing


def _edited(located: Located, changes: Mapping[str, str]) -> str:
    text = located.text
    edits = [(located.spans.get((key,)), _quoted(value)) for key, value in changes.items()]
    for span, value in sorted(((s, v) for s, v in edits if s is not None), reverse=True):
        text = text[: span[0]] + value + text[span[1] :]
    start, _ = located.spans[()]
    indent = start - (text.rfind("\n", 0, start) + 1)
    added = [
        f"{key}: {_quoted(value)}\n{' ' * indent}"
        for key, value in changes.items()
        if key not in located.data
    ]
    return text[:start] + "".join(added) + text[start:]


def _quoted(text: str) -> str:
    """Write text as YAML, in double quotes."""
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


# Refusals


def _refusal(
    source: str, line: int, place: Sequence[str | int], what: str, remedy: str
) -> SpecError:
    name = f" {_name(place)}:" if place else ""
    return SpecError(f"{shown(source)}:{line}:{name} {what}", remedy)


def _name(place: Sequence[str | int]) -> str:
    name = ""
    for part in place:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return shown(name.removeprefix("."))


def _decode(data: bytes, source: str) -> str:
    if len(data) > MAX_BYTES:
        remedy = f"Keep it under {MAX_BYTES // 1024} KiB; move data into files of the workspace."
        raise _refusal(source, 1, (), f"larger than {MAX_BYTES // 1024} KiB.", remedy)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(
            source, line, (), "not UTF-8 text.", "Save the file with the encoding UTF-8."
        ) from None


def _not_yaml(error: Exception, source: str) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    remedy = "Check the indentation, the colons and the quotes on this line and the one before."
    line = mark.line + 1 if mark else 1
    return _refusal(source, line, (), f"not YAML: {shown(problem)}.", remedy)


# Building


@dataclass(frozen=True)
class _Built:
    """A finished value, its size once aliases are expanded, and how many levels it has."""

    value: Json
    weight: int
    height: int


@dataclass
class _Open:
    """A list or mapping still being filled."""

    value: list[Json] | dict[str, Json]
    place: Place
    anchor: str | None
    key: str | None = None
    weight: int = 1
    height: int = 1


@dataclass
class _Builder:
    """Turns the parser's events into data: no recursion, nothing constructed but plain data."""

    source: str
    lines: dict[Place, int] = field(default_factory=dict)
    spans: dict[Place, tuple[int, int]] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, _Built] = field(default_factory=dict)
    _documents: list[_Built] = field(default_factory=list)
    _line: int = 1

    def mapping(self) -> dict[str, Json]:
        """Return the one document, which must be a mapping."""
        top = self._documents[0].value if self._documents else None
        if top is None:
            raise self._refuse("the file is empty.", "Start from one of the templates.")
        if not isinstance(top, dict):
            raise self._refuse("not a mapping of keys to values.", "Write lines like `id: name`.")
        return top

    def feed(self, event: yaml.Event) -> None:
        """Take the next event."""
        self._line = cast(Any, event.start_mark).line + 1
        handle = _HANDLERS.get(type(event).__name__)
        if handle is not None:
            handle(self, event)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        """Take a scalar: a key, or a value."""
        text = event.value
        if _UNUSABLE.search(text):
            raise self._refuse("text with a NUL or half a character.", "Remove it.")
        plain = event.implicit[0] and event.tag is None
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            raise self._refuse_tag(event.tag)
        value = self._resolve(text) if plain and not self._at_key() else text
        self._finish(_Built(value, 1 + len(text), 0), event, event.anchor)

    def alias(self, event: yaml.AliasEvent) -> None:
        """Take an alias, which stands for a finished value."""
        name = str(event.anchor)
        built = self._anchors.get(name)
        if built is None:
            raise self._refuse(f"*{shown(name)} stands for nothing.", "Write the value.")
        self._finish(built, event, None)

    def begin(self, event: yaml.CollectionStartEvent) -> None:
        """Begin a list or a mapping."""
        if event.tag is not None and event.tag not in ("!", *_PLAIN_TAGS):
            raise self._refuse_tag(event.tag)
        if self._at_key():
            raise self._refuse("a key that is not text.", "Use a word as the key.")
        value: list[Json] | dict[str, Json] = []
        if type(event).__name__ == "MappingStartEvent":
            value = {}
        place = self._place()
        self._note(place, event)
        self._open.append(_Open(value, place, event.anchor))
        self._check_depth(0)

    def end(self, event: yaml.CollectionEndEvent) -> None:
        """End the innermost list or mapping."""
        done = self._open.pop()
        self._finish(_Built(done.value, done.weight, done.height), event, done.anchor)

    def _finish(self, built: _Built, event: yaml.Event, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = built
        if not self._open:
            self._document(built)
            return
        self._check_depth(built.height)
        parent = self._open[-1]
        parent.weight += built.weight
        parent.height = max(parent.height, built.height + 1)
        if parent.weight > MAX_EXPANDED:
            raise self._refuse("too large once its aliases are expanded.", "Write less.")
        self._store(parent, built, event)

    def _store(self, parent: _Open, built: _Built, event: yaml.Event) -> None:
        if self._at_key():
            self._take_key(parent, built.value)
            return
        place = self._place()
        if place not in self.spans:
            self._note(place, event)
        if isinstance(parent.value, list):
            parent.value.append(built.value)
        else:
            parent.value[cast(str, parent.key)] = built.value
            parent.key = None

    def _take_key(self, parent: _Open, key: Json) -> None:
        if not isinstance(key, str):
            raise self._refuse("a key that is not text.", "Use a word as the key.")
        place = (*parent.place, key)
        if key in cast("dict[str, Json]", parent.value):
            what = f"given twice, first on line {self.lines[place]}."
            raise _refusal(self.source, self._line, place, what, "Remove one of the two.")
        if key == "<<":
            raise self._refuse("merge keys are not supported.", "Write the fields out.")
        self.lines[place] = self._line
        parent.key = key

    def _document(self, built: _Built) -> None:
        self._documents.append(built)
        if len(self._documents) > 1:
            raise self._refuse("a second document.", "Keep one document; remove the `---`.")

    def _at_key(self) -> bool:
        """Say whether the next value is the key of a mapping."""
        return (
            bool(self._open)
            and isinstance(self._open[-1].value, dict)
            and (self._open[-1].key is None)
        )

    def _place(self) -> Place:
        if not self._open:
            return ()
        parent = self._open[-1]
        if isinstance(parent.value, list):
            return (*parent.place, len(parent.value))
        return (*parent.place, cast(str, parent.key))

    def _note(self, place: Place, event: yaml.Event) -> None:
        """Remember where a value stands; a key's own line is the better one to show."""
        self.lines.setdefault(place, self._line)
        start, end = cast(Any, event.start_mark), cast(Any, event.end_mark)
        self.spans[place] = (start.index, end.index)

    def _check_depth(self, height: int) -> None:
        if len(self._open) + height > MAX_DEPTH:
            raise self._refuse(f"more than {MAX_DEPTH} levels deep.", "Write it flatter.")

    def _resolve(self, text: str) -> Json:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.match(text) or _BASED.match(text):
            return self._integer(text)
        if _NOT_FINITE.match(text) or (_FLOAT.match(text) and not math.isfinite(float(text))):
            raise self._refuse(f"{shown(text)} is not a finite number.", "Quote it if it is text.")
        return float(text) if _FLOAT.match(text) else text

    def _integer(self, text: str) -> int:
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        number = int(text, base) if len(text) < _LONGEST_SHOWN else math.inf
        if abs(number) > _LARGEST_INTEGER:
            remedy = "Use at most 63 bits, or quote it if it is text."
            raise self._refuse(f"{shown(text)} is too large a number.", remedy)
        return int(number)

    def _refuse(self, what: str, remedy: str) -> SpecError:
        place = self._place() if self._open and not self._at_key() else ()
        return _refusal(self.source, self._line, place, what, remedy)

    def _refuse_tag(self, tag: str) -> SpecError:
        return self._refuse(f"the tag {shown(tag)} is not supported.", "Remove it.")


_HANDLERS: Mapping[str, Any] = {
    "ScalarEvent": _Builder.scalar,
    "AliasEvent": _Builder.alias,
    "SequenceStartEvent": _Builder.begin,
    "MappingStartEvent": _Builder.begin,
    "SequenceEndEvent": _Builder.end,
    "MappingEndEvent": _Builder.end,
}
