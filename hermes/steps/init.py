"""The step ``init``: makes a data root."""

from __future__ import annotations

import errno
import os

from hermes import files
from hermes.errors import RequestError
from hermes.lab import Lab
from hermes.render.documents import documents

_ELSEWHERE = "Set HERMES_LAB_DATA_ROOT to a new folder."
_OF_THE_PATH = frozenset(
    {errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS}
    | {errno.ENAMETOOLONG, errno.ELOOP}
)
_NO_CONTENT = frozenset({".doit", ".DS_Store", ".gitkeep", "executors.yaml", "lost+found"})


def init(lab: Lab) -> bool:
    """Make the data root; False when it was there already and nothing was missing.

    Writes: the folders, and the root's own documents once; a document that the user has changed
    or emptied is left as it is. Raises RequestError, and writes nothing, where no lab may be.
    """
    fresh = not lab.is_there
    try:
        if fresh:
            _check_place(lab)
        _make(lab)
    except OSError as error:
        if error.errno not in _OF_THE_PATH:
            raise
        why = f"{error.strerror}: {error.filename}"
        raise RequestError(f"No lab can be at {lab.layout.root}: {why}.", _ELSEWHERE) from error
    if fresh:
        lab.record("init")
    return fresh


def _make(lab: Lab) -> None:
    for folder in lab.layout.folders():
        if not folder.is_dir():
            files.make_folder(folder, durable=True)
    for name, text in documents().items():
        path = lab.layout.root / name
        if not files.exists(path):
            files.create_once(path, text.encode())


def _check_place(lab: Lab) -> None:
    """Refuse a folder that holds something else, or that is in another lab.

    A lab that has lost its ``experiments/`` still has its ledger, and is made whole.
    """
    root = lab.layout.root
    if lab.layout.events.parent.is_dir():
        return
    for parent in root.resolve().parents:
        above = Lab(parent)
        if above.is_there and above.layout.events.is_file():
            raise RequestError(f"{root} is inside the lab at {parent}.", _ELSEWHERE)
    if files.exists(root):
        others = sorted(set(os.listdir(root)) - _NO_CONTENT - set(documents()))
        if others:
            raise RequestError(
                f"{root} is no lab, and not empty: it holds {others[0]!r}.", _ELSEWHERE
            )
