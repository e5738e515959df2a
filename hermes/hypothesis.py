"""What a candidate is meant to do, in one sentence, taken from what its maker said; pure."""

from __future__ import annotations

import re

MOST = 300
_STATED = re.compile(
    r"^[\s>*_#`-]*HYPOTHESIS[*_`]*\s*:[*_`]*\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE
)
_DECORATION = " \t#>*_`-"


def hypothesis_of(text: str) -> str:
    """Return the last line ``HYPOTHESIS: ...``, else the first line that is not blank.

    At most 300 characters; "" when there is nothing.
    """
    stated = _STATED.findall(text)
    lines = (line.strip(_DECORATION) for line in text.splitlines())
    found = stated[-1] if stated else next(filter(None, lines), "")
    printable = "".join(sign if sign.isprintable() else " " for sign in found)
    short = " ".join(printable.split())
    return short if len(short) <= MOST else f"{short[: MOST - 1]}…"
