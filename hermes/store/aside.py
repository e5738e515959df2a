"""Where things are kept that nobody can use, each with the reason; for the stores of ``dispatch/``.

Limit first: nothing removes them but a person.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from hermes import files
from hermes.layout import Layout


def new_place(layout: Layout, name: str, reason: str) -> Path:
    """Make the folder in which something called ``name`` is kept, and return it.

    Writes: the folder, in ``dispatch/complete``, with ``reason.txt``.
    """
    places = (layout.set_aside(name, number) for number in count(1))
    kept = next(place for place in places if not files.exists(place))
    files.make_folder(kept)
    files.write_new(kept / "reason.txt", f"{reason}\n".encode("utf-8", "backslashreplace"))
    return kept
