"""Owns the derived files: projections, tokens and checkpoints. Called by the steps.

Limit first: nothing here is canonical; every file may be deleted and is rebuilt byte for byte.
Writes are whole but not synced. A projection is written under the lock of what it belongs to,
and folded under the same lock, so that the last writer is never the one with the older view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hermes import codec, files
from hermes.errors import Busy, broken_file
from hermes.layout import ExperimentLayout, Layout

_WAIT_SECONDS = 10.0
LAB_LOCK = "lab"  # no experiment may be called that


class Projections:
    """The derived files of one data root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the projection lock of an experiment, or of the lab. Raises Busy, BrokenFile.

        Writes: the lock file, created once; a folder that stands in its place is set aside.
        """
        path = self._layout.projection_lock(name)
        if path.is_dir():
            files.set_aside(path, only_folder=True)
        files.make_folder(path.parent)
        with ExitStack() as stack:
            try:
                held = stack.enter_context(files.locked(path, wait_seconds=_WAIT_SECONDS))
            except OSError as error:
                raise (broken_file(error, "Remove what stands there.") or error) from None
            if not held:
                raise Busy(
                    f"The projections of {name} are being written by another process.",
                    "Try again in a moment.",
                )
            yield

    def write(self, path: Path, data: bytes) -> bool:
        """Put ``data`` in place; False when it was there already.

        Writes: one file by rename, and its folder when that is missing.
        """
        try:
            return files.replace(path, data)
        except (FileNotFoundError, NotADirectoryError):
            self._make_folder(path.parent)
            return files.replace(path, data)

    def _make_folder(self, folder: Path) -> None:
        """Create a folder; what stands in the place of one for checkpoints is set aside."""
        is_ours = folder == ExperimentLayout(folder.parent).checkpoints
        if is_ours and files.exists(folder) and folder.parent.is_dir():
            files.set_aside(folder)
        files.make_folder(folder)

    def write_once(self, path: Path, data: bytes) -> bool:
        """Put ``data`` in place unless the file is there already; False when it was.

        Writes: one file by link, synced.
        """
        files.make_folder(path.parent)
        return files.create_once(path, data)

    def write_token(self, path: Path, package: str | None) -> None:
        """Say which package a step of the graph left for the next one.

        Writes: one small file by rename.
        """
        self.write(path, codec.to_json({"package": package}))

    def read_token(self, path: Path) -> str | None:
        """Return the package that a token names, or None; a broken token names none."""
        package = self._named_in(path)
        return package if isinstance(package, str) else None

    def is_token(self, path: Path) -> bool:
        """Say whether a token can be read; it may name no package."""
        package = self._named_in(path)
        return package is None or isinstance(package, str)

    def _named_in(self, path: Path) -> object:
        """Return what a token names; False when it cannot be read."""
        try:
            raw: Mapping[str, object] = codec.from_json(files.read(path) or b"null")
            return raw["package"]
        except (ValueError, TypeError, KeyError, OSError):
            return False
