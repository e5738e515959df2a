"""Text that can be read: on one line, without what hides, within so many bytes. Pure.

For ``render``, and for whoever writes what agents read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

CUT = "…"

_DROPPED = re.compile(
    "[\u00ad\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u2028\u2029\ud800-\udfff\ufff9-\ufffb]")


def readable(line: str) -> str:
    """Return a line in which what cannot be read is ``\ufffd``, and what hides is gone."""
    return _UNREADABLE.sub("\ufffd", _DROPPED.sub("", line))


def one_line(text: str) -> str:
    """Return ``text`` on one line; what is not readable becomes ``\ufffd``, what hides goes."""
    if text.isprintable():
        return text
    return readable(" ".join(text.split()))


def sentence(text: str) -> str:
    """Return ``text`` with a full stop, unless it has an end of its own; for what others wrote."""
    return text if text.endswith((".", "?", "!", CUT)) else f"{text}."


def size(text: str) -> int:
    """Return how many bytes of UTF-8 a text without lone surrogates takes."""
    return len(text) if text.isascii() else len(text.encode())


def within(text: str, limit: int) -> str:
    """Return ``text``, cut to at most ``limit`` bytes (3 or more); ``…`` shows the cut."""
    if size(text) <= limit:
        return text
    return text.encode()[: limit - 3].decode(errors="ignore") + CUT


def fitting(lines: Iterable[str], room: int) -> tuple[list[str], bool]:
    """Return the first lines that fit into ``room`` bytes, and whether those are all.

    Each takes a newline more than its own bytes.
    """
    kept: list[str] = []
    for line in lines:
        room -= size(line) + 1
        if room < 0:
            return kept, False
        kept.append(line)
    return kept, True
