"""The step ``init``: makes a data root."""

from __future__ import annotations

from hermes import files
from hermes.lab import Lab
from hermes.render.documents import documents


def init(lab: Lab) -> bool:
    """Make the data root; False when it was there already and nothing was missing.

    Writes: the folders, and the root's own documents once; a document that the user has changed
    or emptied is left as it is.
    """
    fresh = not lab.is_there
    for folder in lab.layout.folders():
        if not folder.is_dir():
            files.make_folder(folder, durable=True)
    for name, text in documents().items():
        path = lab.layout.root / name
        if not files.exists(path):
            files.create_once(path, text.encode())
    if fresh:
        lab.record("init")
    return fresh
