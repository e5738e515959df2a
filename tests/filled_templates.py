"""What the tests of the templates share: the folder, and how a person fills one in."""

from __future__ import annotations

import re
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "templates"


def filled_in(text: str) -> str:
    """Fill each blank with the example in the comment above it."""
    filled, example = [], ""
    for line in text.splitlines():
        said = re.match(r"\s*# For example: (.+)", line)
        example = said[1] if said else example
        blank = None if line.lstrip().startswith("#") else re.search(r"<[^<>]+>", line)
        filled.append(line.replace(blank[0], example) if blank else line)
    return "\n".join(filled)
