"""Records to bytes and back: strict JSON, a checksum on each line, types validated.

This is where ``dict[str, Any]`` stops: what comes from disk is a record of ``model`` or a
``ValueError`` that names the field. NaN and infinity are refused both ways.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any, TypeVar, Union, cast

Record = TypeVar("Record")
_Converter = Callable[[Any], Any]

_SUM_DIGITS = 16
_SUM_BYTES = len(',"sum":""}') + _SUM_DIGITS


def digest(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return sha256(data).hexdigest()


# JSON


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {json.dumps(key)} stands there twice")
        found[key] = value
    return found


_DECODER = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)
_UNIQUE_DECODER = json.JSONDecoder(
    parse_constant=_reject_constant, parse_float=_finite, object_pairs_hook=_unique
)


def _opened(value: object) -> Any:
    """Turn one value that JSON does not know into one it does; what is inside comes by itself."""
    if is_dataclass(value):
        return {name: getattr(value, name) for name in _field_names(cast(Any, type(value)))}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Enum):
        return value.value
    raise ValueError(f"{type(value).__name__} has no JSON form")


_COMPACT = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_opened
)
_SPACED = json.JSONEncoder(allow_nan=False, ensure_ascii=False, default=_opened)
_EMPTY: Mapping[type, str] = {tuple: "[]", dict: "{}"}
_PRETTY = json.JSONEncoder(allow_nan=False, ensure_ascii=False, indent=2, default=_opened)


def from_json(data: bytes | str, *, unique_keys: bool = False) -> Any:
    """Parse strict JSON. Raises ValueError (also for what is not UTF-8).

    With ``unique_keys`` an object that has a key twice is refused; else the last one wins.
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    decoder = _UNIQUE_DECODER if unique_keys else _DECODER
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def to_json(value: object, *, pretty: bool = False) -> bytes:
    """Write strict JSON, ending in a newline. Raises ValueError for NaN and infinity."""
    encoder = _PRETTY if pretty else _COMPACT
    return encoder.encode(value).encode("utf-8", "backslashreplace") + b"\n"


def to_lined_json(record: object) -> bytes:
    """Write a record (or mapping) as strict JSON with a line for each of its fields.

    For files that people read and programs write often: an indent at every depth costs ten times
    as much. Raises ValueError for NaN and infinity.
    """
    lines = (f"{_beginning(name)}{_spaced(value)}" for name, value in shallow(record).items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    return text.encode("utf-8", "backslashreplace")


def _spaced(value: object) -> str:
    """Write one value; the commonest ones without the encoder, which sets itself up each time."""
    if value is None:
        return "null"
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, Enum):
        return _spaced(value.value)
    return _EMPTY[type(value)] if not value and type(value) in _EMPTY else _SPACED.encode(value)


@lru_cache(maxsize=256)
def _beginning(name: str) -> str:
    return f"  {_COMPACT.encode(name)}: "


def shallow(record: object) -> dict[str, Any]:
    """Return the fields of a record (or mapping) by name; what is in them stays as it is."""
    opened = _opened(record)
    assert isinstance(opened, dict)
    return opened


@cache
def _field_names(record_type: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(record_type))


# Records


def decode(record_type: type[Record], raw: object) -> Record:
    """Build a record from parsed JSON; unknown keys are left out.

    Raises ValueError that names the field when one is missing or has another type.
    """
    if not isinstance(raw, dict):
        raise ValueError(f"expected an object, found {type(raw).__name__}")
    values = {}
    for name, converter, required in _plan(cast(Any, record_type)):
        if name in raw:
            try:
                values[name] = converter(raw[name])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name}: {error}") from None
        elif required:
            raise ValueError(f"{name} is missing")
    return record_type(**values)


def read_record(record_type: type[Record], data: bytes) -> Record:
    """Parse and build a record in one. Raises ValueError."""
    return decode(record_type, from_json(data))


@cache
def _plan(record_type: type) -> tuple[tuple[str, _Converter, bool], ...]:
    hints = typing.get_type_hints(record_type)
    missing = _missing_marker()
    return tuple(
        (
            item.name,
            _converter(hints[item.name]),
            item.default is missing and item.default_factory is missing,
        )
        for item in fields(record_type)
    )


def _missing_marker() -> object:
    from dataclasses import MISSING

    return MISSING


@cache
def _converter(hint: Any) -> _Converter:
    origin = typing.get_origin(hint)
    if hint in (Any, object) or isinstance(hint, typing.ForwardRef):
        return lambda raw: raw
    if origin in (Union, types.UnionType):
        return _union(typing.get_args(hint))
    if origin is tuple:
        return _sequence(_converter(typing.get_args(hint)[0]), tuple)
    if origin is list:
        return _sequence(_converter(typing.get_args(hint)[0]), list)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_converter(typing.get_args(hint)[1]))
    if origin is dict:
        return _mapping(_converter(typing.get_args(hint)[1]))
    if is_dataclass(hint):
        return lambda raw: decode(cast(type, hint), raw)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return _scalar(hint)


def _scalar(kind: type) -> _Converter:
    def convert(raw: Any) -> Any:
        if kind is float and type(raw) is int:
            return float(raw)
        if type(raw) is not kind:
            raise TypeError(f"expected {kind.__name__}, found {type(raw).__name__}")
        return raw

    return convert


def _union(members: tuple[Any, ...]) -> _Converter:
    """Accept any scalar member as it is; convert to the single structured one otherwise."""
    scalars = {item for item in members if item in (bool, int, float, str, type(None))}
    if list in {typing.get_origin(item) for item in members}:
        return lambda raw: raw  # the Json type: whatever the parser gave
    others = [_converter(item) for item in members if item not in scalars]
    widen = float in scalars and int not in scalars

    def convert(raw: Any) -> Any:
        if type(raw) in scalars:
            return raw
        if widen and type(raw) is int:
            return float(raw)
        if len(others) == 1:
            return others[0](raw)
        raise TypeError(f"unexpected {type(raw).__name__}")

    return convert


def _sequence(item: _Converter, build: Callable[[list[Any]], Any]) -> _Converter:
    def convert(raw: Any) -> Any:
        if type(raw) is not list:
            raise TypeError(f"expected a list, found {type(raw).__name__}")
        return build([item(entry) for entry in raw])

    return convert


def _mapping(item: _Converter) -> _Converter:
    def convert(raw: Any) -> Any:
        if type(raw) is not dict:
            raise TypeError(f"expected an object, found {type(raw).__name__}")
        return {key: item(entry) for key, entry in raw.items()}

    return convert


# Lines


def to_line(record: object) -> bytes:
    """Write a record as one line that ends in its own checksum, ``"sum"``, and a newline."""
    body = _COMPACT.encode(record).encode("utf-8", "backslashreplace")
    checksum = sha256(body).hexdigest()[:_SUM_DIGITS]
    return b'%s,"sum":"%s"}\n' % (body[:-1], checksum.encode())


def from_line(record_type: type[Record], line: bytes) -> Record | None:
    """Read a line of ``to_line``; None when its checksum or its content is not right."""
    raw = parse_line(line)
    if raw is None:
        return None
    try:
        return decode(record_type, raw)
    except ValueError:
        return None


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Read a line of ``to_line`` without its record type; None when it is not whole."""
    line = line.removesuffix(b"\n")
    if not _has_its_sum(line):
        return None
    try:
        raw = from_json(line)
    except ValueError:
        return None
    return raw if isinstance(raw, dict) else None


def _has_its_sum(line: bytes) -> bool:
    body = line[:-_SUM_BYTES] + b"}"
    checksum = sha256(body).hexdigest()[:_SUM_DIGITS]
    return line[-_SUM_BYTES:] == b',"sum":"%s"}' % checksum.encode()
