"""Finds the metric in what a command left; pure, and only ``run`` asks it.

Limits first. A document or line of more than 1 MiB is not read. Names of secondary metrics that
are not proper text are left out, and so is what comes after the first 1,000.

Where it is looked for, and in this order: ``metrics.json`` (``value``, or a key named like the
metric); a JSON object with such a key, or a number, on the last line of standard output that is
not blank; the last line ``<metric>: <number>`` of standard output. Whatever is found first
decides, even when it is no finite number: then the metric is invalid, and nothing else is tried.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hermes.model import Json, Outcome

MAX_BYTES = 1024 * 1024
MAX_SECONDARY = 1000
_MOST_DIGITS = 400  # more than any finite float has before its point
_SHOWN = 60
_SHOWN_LINE = 100
_MOST_KEYS = 5
_LAST_LINE = "the last line of standard output"
_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:nan|inf(?:inity)?))"
_WHOLE_NUMBER = re.compile(_NUMBER)


@dataclass(frozen=True)
class Reading:
    """What was found: a finite value with ``SUCCESS``; else None, no number at all, and why."""

    outcome: Outcome
    value: float | None = None
    secondary: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


class _Invalid(Exception):
    """What was found is no finite number."""


@dataclass(frozen=True)
class _Found:
    value: float | None
    secondary: Mapping[str, float]


def read_metric(
    metric: str,
    *,
    documents: Sequence[tuple[str, bytes]],
    outputs: Sequence[bytes],
    strict: bool = False,
) -> Reading:
    """Find the metric called ``metric``.

    ``documents`` are the names and contents of the files found, ``outputs`` what was printed on
    standard output (or the end of it), each in the order in which they are tried.
    With ``strict`` the metric is invalid when something else that could be it says otherwise:
    another document, or any line that would be read as the metric if it were the last.
    """
    try:
        found = _search(metric, documents, outputs)
        if strict and found.value is not None:
            _check_alone(found.value, metric, documents, outputs)
    except _Invalid as error:
        return Reading(Outcome.INVALID_METRIC, reason=str(error))
    if found.value is None:
        return Reading(Outcome.NO_METRIC, reason=_nothing(metric, documents, outputs))
    return Reading(Outcome.SUCCESS, found.value, found.secondary)


def _search(
    metric: str, documents: Sequence[tuple[str, bytes]], outputs: Sequence[bytes]
) -> _Found:
    beside: dict[str, float] = {}
    for name, content in documents:
        raw = _document(name, content)
        beside = {**_secondary(metric, raw), **beside}
        if _has_value(metric, raw):
            return _Found(_value(metric, raw, name), beside)
    for output in outputs:
        found = _last_line(metric, output) or _named_line(metric, output)
        if found is not None:
            return _Found(found.value, {**beside, **found.secondary})
    return _Found(None, {})


def _check_alone(
    value: float, metric: str, documents: Sequence[tuple[str, bytes]], outputs: Sequence[bytes]
) -> None:
    """Raise _Invalid when anything contradicts ``value``."""
    for name, content in documents:
        raw = _document(name, content)
        if _has_value(metric, raw) and _value(metric, raw, name) != value:
            raise _Invalid(f"two metrics contradict each other: {value!r}, and another in {name}")
    for output in outputs:
        for line in output.splitlines():
            said = _said(metric, line.strip())
            if said is not None and said != value:
                shown = _shown(line.strip()[: 4 * _SHOWN].decode("utf-8", "replace"))
                raise _Invalid(f"two metrics contradict each other: {value!r}, and {shown} printed")


def _said(metric: str, line: bytes) -> float | None:
    """Return the value that a line alone would give; infinity for one that is no finite number."""
    try:
        found = _last_line(metric, line) or _named_line(metric, line)
    except _Invalid:
        return math.inf
    return found.value if found is not None else None


def _nothing(metric: str, documents: Sequence[tuple[str, bytes]], outputs: Sequence[bytes]) -> str:
    """Say where a metric was missed, and what stood there in its place."""
    for name, content in documents:
        raw = _document(name, content)
        if _has_value(metric, raw):
            return f"{name} says that there is no value"
        lack = f"{name} has neither 'value' nor {_shown(metric)} ({_keys(raw)})"
        return f"{lack}, and standard output no metric"
    line = next(filter(None, map(_end, outputs)), b"")
    if not line:
        return f"no metrics.json, and nothing on standard output to read {_shown(metric)} from"
    printed = _object(line)
    if printed is not None and _has_value(metric, printed):
        return f"no metrics.json, and {_LAST_LINE} says that there is no value"
    if printed is not None:
        lack = f"has no key {_shown(metric)} or 'value' ({_keys(printed)})"
        return f"no metrics.json, and the JSON on {_LAST_LINE} {lack}"
    said = _shown(line[: 4 * _SHOWN_LINE].decode("utf-8", "replace"), _SHOWN_LINE)
    return (
        f"no metrics.json, and {_LAST_LINE} is no JSON object, no number and not "
        f"`{metric[:_SHOWN]}: <number>`: {said}"
    )


def _keys(raw: Mapping[str, Json]) -> str:
    """Name the first keys of an object."""
    if not raw:
        return "it is empty"
    shown = ", ".join(_shown(key, 30) for key in list(raw)[:_MOST_KEYS])
    more = len(raw) - _MOST_KEYS
    return f"it has {shown}" + (f" and {more} more" if more > 0 else "")


# Documents


def _document(name: str, content: bytes) -> dict[str, Json]:
    if len(content) > MAX_BYTES:
        raise _Invalid(f"{name} is larger than {MAX_BYTES // 1024} KiB")
    try:
        raw = _parse(content.decode("utf-8-sig"))
    except ValueError as error:
        raise _Invalid(f"{name} is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise _Invalid(f"{name} holds no JSON object")
    return raw


def _parse(text: str) -> Json:
    """Parse JSON with NaN and infinities, so that they can be told from other nonsense."""
    try:
        parsed: Json = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return parsed


def _integer(text: str) -> int | float:
    return int(text) if len(text) < _MOST_DIGITS else math.copysign(math.inf, float(text[:2] + "1"))


def _has_value(metric: str, raw: Mapping[str, Json]) -> bool:
    return "value" in raw or metric in raw


def _value(metric: str, raw: Mapping[str, Json], place: str) -> float | None:
    """Return the value; None when it is said that there is none. Raises _Invalid."""
    key = "value" if "value" in raw else metric
    if raw[key] is None:
        return None
    number = _finite(raw[key])
    if number is None:
        raise _Invalid(f"{_shown(key)} in {place} is {_shown(raw[key])}, not a finite number")
    return number


def _secondary(metric: str, raw: Mapping[str, Json]) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, item in raw.items():
        number = _finite(item)
        if number is None or key in ("value", metric) or not _is_text(key):
            continue
        if len(found) == MAX_SECONDARY:
            break
        found[key] = number
    return found


def _finite(raw: Json) -> float | None:
    """Return a number as a finite float; None for whatever is not one (booleans and texts too)."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        return None
    try:
        number = float(raw)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_text(key: str) -> bool:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(raw: object, limit: int = _SHOWN) -> str:
    text = ascii(raw)
    return text if len(text) <= limit else f"{text[:limit]}..."


# Standard output


def _last_line(metric: str, output: bytes) -> _Found | None:
    """Read the last line that is not blank; None when it is nothing of what is looked for."""
    line = _end(output)
    if len(line) > MAX_BYTES:
        return None
    text = line.decode("utf-8", "replace")
    if _WHOLE_NUMBER.fullmatch(text):
        return _Found(_printed(text, _LAST_LINE), {})
    raw = _object(line)
    if raw is None or not _has_value(metric, raw):
        return None
    return _Found(_value(metric, raw, _LAST_LINE), _secondary(metric, raw))


def _end(output: bytes) -> bytes:
    """Return the last line that is not blank; b"" when there is none."""
    end = output.rstrip()
    return end[max(end.rfind(b"\n"), end.rfind(b"\r")) + 1 :].strip()


def _object(line: bytes) -> dict[str, Json] | None:
    """Read a line as a JSON object; None when it is none, or too long."""
    if len(line) > MAX_BYTES or not line.startswith(b"{"):
        return None
    try:
        raw = _parse(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    return raw if isinstance(raw, dict) else None


def _named_line(metric: str, output: bytes) -> _Found | None:
    """Read the last line ``<metric>: <number>``; None when there is none."""
    name = re.escape(metric.encode("utf-8", "replace"))
    line = re.compile(
        rb"(?:^|[\r\n])[ \t]*" + name + rb"[ \t]*:[ \t]*(" + _NUMBER.encode() + rb")"
        rb"[ \t]*(?=[\r\n]|\Z)"
    )
    numbers = line.findall(output)
    if not numbers:
        return None
    return _Found(_printed(numbers[-1].decode("ascii"), f"the line of {_shown(metric)}"), {})


def _printed(text: str, place: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Invalid(f"{place} says {_shown(text)}, not a finite number")
    return number
