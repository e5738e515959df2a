"""Owns ``control/approvals``: a file for each proposal that waits for a person.

Called by the step that projects an experiment, under its projection lock.
Limit first: the files are derived, for people and agents to read; nothing reads them here. One
that is deleted comes back with the next projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hermes import files
from hermes.layout import Layout, approval_owner


class Control:
    """The control folder of one data root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def show(self, experiment: str, waiting: Mapping[Path, bytes]) -> None:
        """Make the experiment's files just these.

        Writes: each file by rename, its folder when that is missing; removals.
        """
        for path in self.shown(experiment):
            if path not in waiting:
                files.remove(path)
        for path, data in waiting.items():
            files.make_folder(path.parent)
            files.replace(path, data)

    def shown(self, experiment: str) -> list[Path]:
        """Return the files that are there of an experiment's proposals."""
        names = files.list_folder(self._layout.approvals)
        return [
            self._layout.approvals / name
            for name in names
            if approval_owner(name.removesuffix(".json")) == experiment
        ]
