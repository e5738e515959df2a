"""Shows a surface to somebody outside of any sandbox; the steps for agents ask it.

Limit first: the user's workspace is read where it is, so an edit that is under way may be seen by
half; whoever measures looks anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import RequestError
from hermes.executing import surface, trees
from hermes.executing.candidate import Changes
from hermes.executing.content import Tree
from hermes.executing.surface import Surface
from hermes.executing.workspaces import Order, Workspaces
from hermes.spec import Spec
from hermes.submission import Kind


@dataclass(frozen=True)
class Shown:
    """The surface of a workspace with a candidate in it, and the kinds of all that stands there."""

    tree: Tree
    present: Mapping[str, Kind]

    @property
    def digest(self) -> str:
        """What tells this surface's content from any other."""
        return surface.digest(self.tree)


def show(
    spec: Spec,
    changed: Changes,
    *,
    data_root: Path,
    scratch: Path,
    environment: Mapping[str, str],
) -> Shown:
    """Return what a run of ``spec`` would find with ``changed`` over the user's workspace.

    Raises RequestError when the surface is too large; Fault, OSError.

    Writes: ``scratch`` while a commit is checked out; it is gone afterwards.
    """
    order = Order(spec, scratch, data_root, environment, bare=True)
    workspaces = Workspaces()
    bounds = Surface.of(spec)
    try:
        source = workspaces.source(order, lambda: None)
        listing = source.look()
        base = bounds.read(listing, source.locate)
    except surface.TooLarge as error:
        raise RequestError(
            f"{error}.", "Name fewer or smaller files in mutable_paths of the SPEC."
        ) from None
    finally:
        workspaces.close()
    return Shown(surface.overlaid(base, changed), _present(listing, changed))


def _present(listing: trees.Listing, changed: Changes) -> dict[str, Kind]:
    present: dict[str, Kind] = {path: _kind(sign) for path, sign in listing.items()}
    for path, content in changed.items():
        present.pop(path, None)
        if content is not None:
            above = path
            while above := os.path.dirname(above):
                present.setdefault(above, "folder")
            present[path] = "file"
    return present


def _kind(sign: trees.Signature) -> Kind:
    if trees.is_folder(sign):
        return "folder"
    return "link" if stat.S_ISLNK(sign[0]) else "file"
