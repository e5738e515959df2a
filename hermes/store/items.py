"""Owns ``dispatch/agents``: work that agents think about, and what they sent. Called by the steps.

Limits first. Having an item is no right to work on the experiment: whoever measures what was sent
holds the lease. Every writer holds the experiment's ``lock``, for moments only, for otherwise an
item could be cleared away while its answer is being written.
A submission that was written is never overwritten: of two for one item the first counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import codec, files
from hermes.errors import Busy
from hermes.layout import Layout, item_owner
from hermes.store.aside import new_place

if TYPE_CHECKING:  # as a rule there is no item to read
    from hermes.submission import Submission, WorkItem

_WAIT_SECONDS = 10.0
_SUBMISSION = "submission.json"


@dataclass(frozen=True)
class Held:
    """A work item that was given out: its record, None when that is damaged, and the answer."""

    dispatch_id: str
    experiment: str
    item: WorkItem | None
    submission: Submission | None

    def is_alive(self, now: str) -> bool:
        """Say whether an answer to it would count at ``now`` (ISO 8601, UTC)."""
        return self.item is not None and self.submission is None and now <= self.item.deadline

    def is_over(self, now: str) -> bool:
        """Say whether nothing will come of it: its time is up, or it cannot be read."""
        return self.item is None or (self.submission is None and now > self.item.deadline)


class Items:
    """The work items of one data root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @contextmanager
    def lock(self, experiment: str) -> Iterator[None]:
        """Keep others from giving out or taking back items of an experiment. Raises Busy."""
        files.make_folder(self._layout.locks)
        path = self._layout.items_lock(experiment)
        with files.locked(path, wait_seconds=_WAIT_SECONDS) as taken:
            if not taken:
                raise Busy(
                    f"The work items of {experiment} are being changed by another process.",
                    "Try again in a moment.",
                )
            yield

    def publish(self, item: WorkItem) -> bool:
        """Give an item out, durably; False when there is one of that id.

        Writes: a folder in ``dispatch/agents``, made under a temporary name.
        """
        target = self._layout.item(item.dispatch_id)
        temporary = type(target)(files.temporary_beside(target.folder))
        files.make_folder(self._layout.agents, durable=True)
        files.make_folder(temporary.folder)
        try:
            files.write_new(temporary.item, codec.to_line(item), durable=True)
            files.sync_folder(temporary.folder)
            if files.publish_folder(temporary.folder, target.folder):
                return True
        except BaseException:
            files.remove_tree(temporary.folder)
            raise
        files.remove_tree(temporary.folder)
        return False

    def submit(self, submission: Submission) -> bool:
        """Write down what an agent sent, durably; False when something was sent before.

        Raises FileNotFoundError when there is no such item.

        Writes: ``submission.json`` in the item's folder.
        """
        path = self._layout.item(submission.dispatch_id).submission
        if files.exists(path) and self.submission(submission.dispatch_id) is None:
            files.set_aside(path)  # damaged, so that nobody could ever measure it
        return files.create_once(path, codec.to_line(submission))

    def read(self, dispatch_id: str) -> Held | None:
        """Return an item; None when there is none of that id."""
        from hermes.submission import WorkItem

        experiment = item_owner(dispatch_id)
        layout = self._layout.item(dispatch_id)
        if experiment is None or not files.exists(layout.folder):
            return None
        item = codec.from_line(WorkItem, _content(layout.item))
        if item is not None and item.dispatch_id != dispatch_id:
            item = None
        return Held(dispatch_id, experiment, item, self.submission(dispatch_id))

    def submission(self, dispatch_id: str) -> Submission | None:
        """Return what was sent for an item; None when nothing was, or it cannot be read."""
        from hermes.submission import Submission

        found = codec.from_line(Submission, _content(self._layout.item(dispatch_id).submission))
        return found if found is not None and found.dispatch_id == dispatch_id else None

    def held(self, experiment: str | None = None) -> list[Held]:
        """Return the items of one experiment or of all, sorted by id."""
        names = [
            name
            for name in files.list_folder(self._layout.agents)
            if (owner := item_owner(name)) is not None and experiment in (None, owner)
        ]
        return [found for found in map(self.read, names) if found is not None]

    def remove(self, dispatch_id: str) -> bool:
        """Take an item back; False when it was gone already.

        Writes: a rename to a temporary name, its sync (else losing power could bring the item back
        without its answer), then removals.
        """
        folder = self._layout.item(dispatch_id).folder
        temporary = files.temporary_beside(folder)
        if not files.claim(folder, temporary):
            return False
        files.sync_folder(folder.parent)
        files.remove_tree(temporary)
        return True

    def set_aside(self, dispatch_id: str, reason: str, submission: Submission | None) -> Path:
        """Keep what was sent and cannot count; the item, if it is there still, goes with it.

        The same content is kept once, however often it is sent.

        Writes: a folder in ``dispatch/complete`` with ``reason.txt``.
        """
        content = None if submission is None else codec.to_json(submission, pretty=True)
        folder = self._layout.item(dispatch_id).folder
        known = None if content is None else self._kept(dispatch_id, content)
        if known is not None and not files.exists(folder):
            return known
        kept = new_place(self._layout, dispatch_id, reason)
        if content is not None:
            files.create_once(kept / _SUBMISSION, content)
        files.claim(folder, kept / "item")
        files.sync_paths([kept, kept.parent])
        return kept

    def _kept(self, dispatch_id: str, content: bytes) -> Path | None:
        """Return where the same content was set aside before."""
        begin = self._layout.set_aside(dispatch_id, 0).name[:-1]
        for name in files.list_folder(self._layout.complete):
            place = self._layout.complete / name
            if name.startswith(begin) and files.read(place / _SUBMISSION) == content:
                return place
        return None


def _content(path: Path) -> bytes:
    try:
        return files.read(path) or b""
    except OSError:
        return b""
