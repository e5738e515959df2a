"""Owns ``experiments/<id>/promoted/``: what promotions wrote into the user's workspace.

Called by the step ``promote``, under the experiment's lease. Limit first: it says what was about
to be written; whether it was, only the workspace tells.
"""

from __future__ import annotations

from hermes import codec, files
from hermes.errors import BrokenFile
from hermes.layout import ExperimentLayout
from hermes.promotions import Applied


class Promoted:
    """What promotions of one experiment wrote, and the user's files from before them."""

    def __init__(self, layout: ExperimentLayout) -> None:
        self._layout = layout

    def read(self) -> Applied | None:
        """Return what was written, None when nothing ever was. Raises BrokenFile."""
        path = self._layout.applied
        try:
            data = files.read(path)
            return None if data is None else codec.read_record(Applied, data)
        except (OSError, ValueError) as error:
            raise BrokenFile(str(path), str(error)) from None

    def write(self, applied: Applied) -> None:
        """Note what is about to be written.

        Writes: ``applied.json``, durable.
        """
        files.make_folder(self._layout.promoted, durable=True)
        files.replace(self._layout.applied, codec.to_lined_json(applied), durable=True)

    def keep_original(self, data: bytes) -> None:
        """Keep the content of a file before it is written for the first time.

        Writes: ``originals/<sha256>``, durable; fine when it is there.
        """
        path = self._layout.original(codec.digest(data))
        if not files.exists(path):
            files.make_folder(path.parent, durable=True)
            files.create_once(path, data)

    def original(self, sha256: str) -> bytes:
        """Return a content that was kept. Raises BrokenFile."""
        path = self._layout.original(sha256)
        try:
            data = files.read(path)
        except OSError as error:
            raise BrokenFile(str(path), f"cannot be read: {error.strerror}") from None
        if data is None or codec.digest(data) != sha256:
            raise BrokenFile(str(path), "is missing or not what was kept")
        return data
