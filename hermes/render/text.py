"""Words for people: one-line, bounded, escaped; numbers, times and sizes. For ``render`` alone.

Limit first: what is longer than its limit is cut, and the cut shows; JSON keeps the whole.
Pure, and the same bytes on every machine: no locale, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hermes import codec, plain_text
from hermes.model import ParamValue

COMMAND = "hermes-lab"  # works from any folder; in a checkout `doit` takes the same words
NONE = "-"
CUT = plain_text.CUT

_CELL = 80
_VALUE = 40
_JSON_LIMIT = 6000
_HIDDEN_IN_JSON = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_PERHAPS_MARKUP = re.compile(r"[\\`*\[\]<|_]")  # a plain set is found far sooner
_MARKUP = re.compile(r"[\\`*\[\]<|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_NOT_CODE = re.compile(r"[`|\\]|\A | \Z|\A\Z")
_BACKTICKS = re.compile("`+")

one_line = plain_text.one_line


def clip(text: str, limit: int) -> str:
    """Return ``text`` on one line of at most ``limit`` characters; ``…`` shows a cut."""
    if len(text) <= limit:
        return one_line(text)
    return one_line(text[: limit - 1]) + CUT


def escape(text: str) -> str:
    """Return one line of text as Markdown that reads as that text, in and out of tables."""
    return _MARKUP.sub(r"\\\g<0>", text) if _PERHAPS_MARKUP.search(text) else text


def cell(text: str, limit: int = _CELL) -> str:
    """Return any text as Markdown of one line that cannot break a table."""
    return escape(clip(text, limit))


def prose(text: str, limit: int = 600) -> str:
    """Return any text as Markdown of one line; a cut says how much was left out."""
    if len(text) <= limit:
        return escape(one_line(text))
    return f"{escape(one_line(text[:limit]))}{CUT} ({len(text) - limit} more characters)"


def code(text: str, limit: int = _CELL) -> str:
    """Return any text as a code span where it can be one, else as escaped text."""
    short = clip(text, limit)
    return escape(short) if _NOT_CODE.search(short) else f"`{short}`"


def fenced(text: str, info: str = "", *, limit: int = 2000) -> str:
    """Return any text as a fenced block, at most ``limit`` characters of it."""
    shown = text[:limit].rstrip()
    body = "\n".join(map(plain_text.readable, _lines(shown)))
    if len(text) > limit:
        body += f"\n{CUT} ({len(text) - limit} more characters)"
    runs = [len(run) for run in _BACKTICKS.findall(body)]
    fence = "`" * max(3, *(length + 1 for length in runs)) if runs else "```"
    return f"{fence}{info}\n{body}\n{fence}"


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").split("\n")


def json_block(params: Mapping[str, ParamValue], where: str) -> str:
    """Return parameters as fenced JSON, exact; cut, and said to be, when they are very long.

    ``where`` names the place that has them whole. No string in it can close the fence: JSON
    writes a newline as an escape, so every line begins with a brace or a quote.
    """
    text = codec.to_lined_json(params).decode().rstrip("\n")
    if len(text) > _JSON_LIMIT:
        return f"{fenced(text, limit=_JSON_LIMIT)}\n\nCut here; whole in {where}."
    if not text.isascii():
        text = _HIDDEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"```json\n{text}\n```"


def number(value: float | None) -> str:
    """Return a number with at most six significant digits; ``-`` for none."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 64 else f"{_as_float(value):.6g}"
    return f"{value:.6g}"


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def param(value: ParamValue) -> str:
    """Return the value of one parameter for people: short, on one line."""
    return clip(value, _VALUE) if isinstance(value, str) else number(value)


def params(values: Mapping[str, ParamValue], limit: int = _CELL) -> str:
    """Return parameters as ``x=1.5, y=2``, at most about ``limit`` characters of whole pairs."""
    shown: list[str] = []
    length = 0
    for name, value in values.items():
        pair = f"{clip(name, _VALUE)}={param(value)}"
        length += len(pair) + 2
        if shown and length > limit:
            return f"{', '.join(shown)}, {CUT} {len(values) - len(shown)} more"
        shown.append(pair)
    return ", ".join(shown) or NONE


def when(moment: str | None) -> str:
    """Return an ISO 8601 time to the second, for people; all the lab's times are UTC."""
    if not moment:
        return NONE
    return one_line(f"{moment[:10]} {moment[11:19]}")


def duration(seconds: float) -> str:
    """Return a length of time in the unit that suits it; six significant digits at most."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 86400:.6g} days"


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} {unit}" if unit == "bytes" else f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.6g} TiB"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, which takes a plain ``s``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def command(task: str, **variables: str) -> str:
    """Return the command line that runs a task; the values given are safe words already."""
    return " ".join([COMMAND, task, *(f"{name}={value}" for name, value in variables.items())])
