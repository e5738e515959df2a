"""Turns the events of a YAML parser into plain data with its places; for ``yaml_text`` alone.

Limits first: one document, a mapping at the top, 32 levels deep, and 256 KiB once aliases are
expanded. No tags but ``!!str``, no merge keys, no number that is not finite or beyond 64 bits.
There is no recursion here, and nothing is constructed but plain data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from hermes.errors import SpecError
from hermes.located import Place, refusal, shown
from hermes.model import Json

if TYPE_CHECKING:
    import yaml

MAX_DEPTH = 32
TOO_DEEP, FLATTER = f"more than {MAX_DEPTH} levels deep.", "Write it flatter."
MAX_EXPANDED = 256 * 1024
_LONGEST_NUMBER = 60
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
TEXT_TAG = "tag:yaml.org,2002:str"
_TEXT_TAGS = ("!", TEXT_TAG)
_PLAIN_TAGS = ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


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
class Builder:
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
        if isinstance(top, dict):
            return top
        if top is None:
            raise refusal(self.source, 1, (), "the file is empty.", "Start from a template.")
        remedy = "Write lines such as `id: name`."
        raise refusal(self.source, 1, (), "not a mapping of keys to values.", remedy)

    def feed(self, event: yaml.Event) -> None:
        """Take the next event."""
        self._line = cast(Any, event.start_mark).line + 1
        handle = _HANDLERS.get(type(event).__name__)
        if handle is not None:
            handle(self, event)

    def document(self, _: yaml.DocumentStartEvent) -> None:
        """Begin a document; there may be but one."""
        if self._documents:
            raise self._refuse("a second document.", "Keep one document; remove the `---`.")

    def scalar(self, event: yaml.ScalarEvent) -> None:
        """Take a scalar: a key, or a value."""
        text = event.value
        if _UNUSABLE.search(text):
            raise self._refuse("text with a NUL or half a character.", "Remove it.")
        plain = event.implicit[0] and event.tag is None
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            raise self._refuse_tag(event.tag)
        if plain and self._at_key() and text == "<<":
            raise self._refuse("merge keys are not supported.", "Write the fields out.")
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
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
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
            self._documents.append(built)
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
            raise refusal(self.source, self._line, place, what, "Remove one of the two.")
        self.lines[place] = self._line
        parent.key = key

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
            raise self._refuse(TOO_DEEP, FLATTER)

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
        number = int(text, base) if len(text) < _LONGEST_NUMBER else math.inf
        if abs(number) > _LARGEST_INTEGER:
            remedy = "Use at most 63 bits, or quote it if it is text."
            raise self._refuse(f"{shown(text)} is too large a number.", remedy)
        return int(number)

    def _refuse(self, what: str, remedy: str) -> SpecError:
        place = self._place() if self._open and not self._at_key() else ()
        return refusal(self.source, self._line, place, what, remedy)

    def _refuse_tag(self, tag: str) -> SpecError:
        return self._refuse(f"the tag {shown(tag)} is not supported.", "Remove it.")


_HANDLERS: Mapping[str, Any] = {
    "DocumentStartEvent": Builder.document,
    "ScalarEvent": Builder.scalar,
    "AliasEvent": Builder.alias,
    "SequenceStartEvent": Builder.begin,
    "MappingStartEvent": Builder.begin,
    "SequenceEndEvent": Builder.end,
    "MappingEndEvent": Builder.end,
}
