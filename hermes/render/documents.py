"""The data root's own documents, as ``init`` writes them once. Called by the step ``init``.

Limit first: PROGRAM.md and CHANGELOG.md are beginnings; from then on they are the human's.
``.gitignore`` keeps a lab that stands in a repository of git out of its commits.
"""

from __future__ import annotations

from hermes import shipped

NAMES = ("README-FIRST.md", "PROGRAM.md", "CHANGELOG.md")


def documents() -> dict[str, str]:
    """Return the text of each document by its name in the data root."""
    folder = shipped.templates()
    pages = {name: (folder / name).read_text(encoding="utf-8") for name in NAMES}
    return {**pages, ".gitignore": "*\n"}
