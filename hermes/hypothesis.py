"""What a candidate is meant to do, in one sentence, taken from what its maker said; pure.

Limit first: a hypothesis stands on one line and has at most ``MOST`` characters.
"""

from __future__ import annotations

import re

MOST = 300
_STATED = re.compile(r"[\s>*_#`-]*HYPOTHESIS[\s*_`]*:(.*)", re.IGNORECASE | re.DOTALL)
_DECORATION = " \t#>*_`-"


def hypothesis_of(text: str) -> str:
    """Return the last line ``HYPOTHESIS: ...``, else the first line that says anything else.

    At most 300 characters; "" when there is nothing.
    """
    lines = text.splitlines()
    stated = (match[1] for match in map(_STATED.match, reversed(lines)) if match)
    others = (line for line in lines if not _STATED.match(line))
    return next(filter(None, map(_plain, stated)), "") or next(
        filter(None, map(_plain, others)), ""
    )


def _plain(line: str) -> str:
    """Return a line without its decoration and what cannot be read, shortened."""
    printable = "".join(sign if sign.isprintable() else " " for sign in line.strip(_DECORATION))
    short = " ".join(printable.split())
    return short if len(short) <= MOST else f"{short[: MOST - 1]}…"
