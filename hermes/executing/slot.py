"""Owns the sandbox of one slot: builds it, and resets it between runs; only ``run`` uses it.

Limits first. One process at a time works in a slot (whoever holds the experiment's lease); a new
process builds the sandbox anew. A sandbox is scratch: it is never synced, and its files are
written without ``files``. A workspace that never stops changing is copied as it comes.

Between runs nothing is rebuilt. The tree is compared with how it was when it was made; what is
new is removed, what was changed or removed is put back, and what changed in the user's own folder
since is brought up to date. Only damage to what the setup command made, which has no original,
or a change of what it worked on, makes the sandbox be built anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from hermes import files
from hermes.executing import trees
from hermes.executing.copy_workspace import Source
from hermes.executing.trees import Listing

WORK = "work"
_OLD = "old-"
_MOST_LOOKS = 3

Pulse = Callable[[], None]


class Slot:
    """The folder in which one slot's runs take place, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / WORK
        self.unreadable: set[str] = set()  # what the user's folder holds and the lab may not read
        self.changed = False  # the last ``prepare`` found other originals than the one before
        self._source: Source | None = None
        self._identity: tuple[int, ...] | None = None
        self.wanted: Listing = {}  # the originals as they were when they were copied
        self.made: Listing = {}  # the sandbox as it is when it has been prepared
        self._loosened: set[str] = set()  # folders whose permissions were opened on the way
        self._set_up = False
        self._without_original: frozenset[str] = frozenset()

    def prepare(self, source: Source, pulse: Pulse) -> bool:
        """Make the sandbox hold what ``source`` says, and nothing else; True when it was built.

        ``pulse`` is called now and then. Raises OSError.

        Writes: the sandbox.
        """
        warm = source is self._source and self._is_ours()
        self._source = None  # until this is done, for it may be cut short
        if not (warm and self._is_mended(source, pulse)):
            warm = False
            self._start_anew()
            self._bring_up_to_date(source, pulse)
        self._source = source
        return not warm

    def settle(self) -> None:
        """Reset the sandbox to what it is now, from here on: the setup command is done."""
        before, self.made = self.made, trees.scan(str(self.work), ours=True)
        self._without_original = frozenset(_differing(before, self.made))
        self._set_up = True

    def discard(self) -> None:
        """Remove the sandbox; the next run builds a new one.

        Writes: removals.
        """
        self._source = None
        files.remove_tree(self.folder)

    def _is_ours(self) -> bool:
        """Say whether the folder is the one that we made: another process may have come after."""
        return self._identity is not None and self._found_identity() == self._identity

    def _found_identity(self) -> tuple[int, ...] | None:
        """Return what changes when the folder is replaced, though inode numbers are used again."""
        try:
            work, around = os.lstat(self.work), os.lstat(self.folder)
        except OSError:
            return None
        if not stat.S_ISDIR(work.st_mode):
            return None
        return (work.st_dev, work.st_ino, around.st_mtime_ns)

    def _is_mended(self, source: Source, pulse: Pulse) -> bool:
        """Reset the sandbox; False when a run left what cannot be mended."""
        try:
            return self._bring_up_to_date(source, pulse)
        except OSError:
            return False

    def _start_anew(self) -> None:
        """Give the place free at once, then remove what was there.

        What still runs in the old sandbox goes on writing there, not into the new one.
        """
        if os.path.islink(self.folder):
            files.remove(self.folder)
        files.make_folder(self.folder)
        if os.path.lexists(self.work):
            os.rename(self.work, self._free_name())
        os.mkdir(self.work, 0o700)
        for name in files.list_folder(self.folder):
            if name.startswith(_OLD):
                files.remove_tree(self.folder / name)
        self._identity = self._found_identity()
        self.wanted, self.made = {}, {}
        self._set_up, self._without_original = False, frozenset()

    def _free_name(self) -> Path:
        number = 0
        while os.path.lexists(self.folder / f"{_OLD}{number}"):
            number += 1
        return self.folder / f"{_OLD}{number}"

    def _bring_up_to_date(self, source: Source, pulse: Pulse) -> bool:
        """Reset the sandbox to the originals as they are now; False when that takes a new one.

        Whoever edits the originals meanwhile makes us look again: half of an edit is not a state
        to measure.
        """
        self.changed = False
        for _ in range(_MOST_LOOKS):
            wanted = source.look()
            changed = wanted != self.wanted
            self.changed = self.changed or changed
            if not self._reset(source, wanted, pulse):
                return False
            if not changed:
                break
        return True

    def _reset(self, source: Source, wanted: Listing, pulse: Pulse) -> bool:
        present = trees.scan(str(self.work), ours=True)
        stale = _differing(self.wanted, wanted)
        if present == self.made and not stale:
            return True
        damaged = {path for path in self.made if present.get(path) != self.made[path]}
        if self._set_up and (stale or damaged & self._without_original):
            return False
        foreign = {path for path in present if present[path] != self.made.get(path)}
        self.wanted = wanted
        missing = (damaged | stale) & wanted.keys()
        mended = {path for path in missing & present.keys() if self._is_refilled(source, path)}
        self._take_away(present, (foreign | (stale & present.keys())) - mended)
        self._put(source, sorted(missing - mended), pulse)
        self._restore_permissions()
        self._note(foreign | damaged | stale)
        return True

    def _is_refilled(self, source: Source, path: str) -> bool:
        """Put a file's content back where it stands; False when it has to be made anew."""
        try:
            return source.refill(path, self.wanted[path], f"{self.work}/{path}")
        except OSError:
            return False

    def _take_away(self, present: Listing, paths: Iterable[str]) -> None:
        """Remove entries, contents before their folders; a folder that is to stay one stays."""
        for path in sorted(paths, reverse=True):
            stays = self.wanted.get(path)
            if trees.is_folder(present[path]) and stays is not None and trees.is_folder(stays):
                self._loosened.add(path)
            else:
                self._forced(path, partial(trees.remove, sign=present[path]))

    def _put(self, source: Source, paths: Iterable[str], pulse: Pulse) -> None:
        """Put entries in their places, folders before their contents."""
        root = str(self.work)
        for path in paths:
            pulse()
            sign = self.wanted[path]
            if trees.is_folder(sign):
                self._loosened.add(path)
                if os.path.isdir(f"{root}/{path}"):
                    continue
            try:
                self._forced(path, partial(source.put, path, sign))
            except FileNotFoundError:
                continue  # its original is gone: the next look will say so
            except PermissionError:
                if source.is_readable(path):
                    raise
                self.unreadable.add(path)

    def _forced(self, path: str, act: Callable[[str], None]) -> None:
        """Act on an entry; open the permissions of its folder when they are in the way."""
        name = f"{self.work}/{path}"
        try:
            act(name)
        except PermissionError:
            folder = os.path.dirname(path)
            os.chmod(f"{self.work}/{folder}", 0o700)
            self._loosened.add(folder)
            act(name)

    def _restore_permissions(self) -> None:
        """Give the folders that were made or opened the permissions they are to have."""
        for path in sorted(self._loosened - {""}, reverse=True):
            sign = self.wanted.get(path) or self.made.get(path)
            if sign is not None:
                trees.set_mode(f"{self.work}/{path}", sign)
        self._loosened.clear()

    def _note(self, paths: Iterable[str]) -> None:
        """Remember what became of entries that were touched."""
        for path in paths:
            try:
                self.made[path] = trees.signature(os.lstat(f"{self.work}/{path}"))
            except (FileNotFoundError, NotADirectoryError):
                self.made.pop(path, None)


def _differing(left: Listing, right: Listing) -> set[str]:
    """Return the paths at which two listings differ."""
    if left == right:
        return set()
    return {path for path in left.keys() | right.keys() if left.get(path) != right.get(path)}
