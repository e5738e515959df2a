"""What is to stand in the workspace for a candidate that was not made from all that stands there.

For ``promote`` alone. Candidates that were in flight side by side do not hold each other's
changes: a file that an earlier promotion wrote and this candidate was not made with gets back what
stood there before. Whether it was made with it tells the digest of what was measured.

Limit first: where neither gives that digest, as when the user changed another file of the surface
meanwhile, nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from hermes.executing import surface, trees
from hermes.executing.applying import named
from hermes.executing.candidate import Changes, Kept
from hermes.executing.content import Content, Tree
from hermes.executing.surface import Surface
from hermes.promotions import Mark, Refusal, Written
from hermes.steps.session import Session
from hermes.store.promoted import Promoted

_NO_GIT = frozenset({".git"})


def wanted_of(
    session: Session, root: str, tier: str, kept: Kept, earlier: Mapping[str, Written]
) -> Changes | Refusal:
    """Return the files that are to be written. Raises BrokenFile for an original that is lost."""
    left = {
        path: entry
        for path, entry in earlier.items()
        if path not in kept.changed and not entry.original == entry.before == entry.after
    }
    if not left:
        return kept.changed
    store = session.lab.promoted(session.experiment)
    originals = {path: _content(store, entry.original) for path, entry in left.items()}
    try:
        now = _surface(session, root, tier)
    except surface.TooLarge as error:
        return Refusal(str(error), "name fewer or smaller files in mutable_paths")
    for wanted in ({**kept.changed, **originals}, kept.changed):
        if surface.digest(surface.overlaid(now, wanted)) == kept.surface:
            return wanted
    return Refusal(
        f"the candidate was not made from the workspace as it is: {named(left)}",
        "take an earlier change back, or apply this one by hand",
    )


def _content(store: Promoted, mark: Mark | None) -> Content | None:
    return None if mark is None else Content(store.original(mark.sha256), mark.executable)


def _surface(session: Session, root: str, tier: str) -> Tree:
    spec = session.spec.at_tier(tier)
    ours = os.path.relpath(trees.real(session.lab.layout.root), root)
    listing = trees.scan(root, names=_NO_GIT, paths=frozenset({ours}))
    area = Surface(spec.mutable_paths, spec.read_only_paths)
    return area.read(listing, lambda path: f"{root}/{path}")
