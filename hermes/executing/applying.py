"""Puts an accepted change into the user's workspace, the whole of it or nothing; ``promote`` asks.

Limits first. A name is looked at before it is written, so whoever puts a link in its place in that
very moment is followed. Of a file's mode only the executable bit is the candidate's; what else the
user gave it stays. Each file appears whole, all of them together do not: whoever reads the
workspace meanwhile, or after a kill until the promotion is completed, sees some of each.

Nothing is written unless everything may be: each file must hold what it held when the candidate
was made, or what the lab itself put there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes import files
from hermes.codec import digest
from hermes.executing import trees
from hermes.executing.candidate import Changes
from hermes.executing.content import Content
from hermes.executing.surface import read_content
from hermes.promotions import Mark, Refusal, Written

_MODES = {True: 0o777, False: 0o666}  # before the umask
_EXECUTABLE = 0o111
_MOST_NAMED = 3


@dataclass(frozen=True)
class Plan:
    """What is to be written, and what stands there now; ``written`` is what to remember of it."""

    wanted: Changes
    found: Changes
    written: Mapping[str, Written]
    earlier: frozenset[str] = frozenset()

    def is_own(self, path: str) -> bool:
        """Say whether what stands at a path is the lab's doing, or what it is about to write."""
        if path in self.earlier or (path in self.wanted and self._stands(path)):
            return True
        return _is_unfinished(path, self.written)

    def _stands(self, path: str) -> bool:
        return self.found[path] == self.wanted[path]

    def originals(self) -> Iterable[bytes]:
        """Return the contents that are about to be written for the first time."""
        for path, entry in self.written.items():
            content = self.found.get(path)
            if content is not None and entry.original == mark_of(content):
                yield content.data


class _Blocked(Exception):
    """A path cannot be written; the text says why."""


def mark_of(content: Content | None) -> Mark | None:
    """Return what tells a content from any other."""
    return None if content is None else Mark(digest(content.data), content.executable)


def plan(
    root: str,
    wanted: Changes,
    *,
    replaced: Mapping[str, Mark | None],
    earlier: Mapping[str, Written],
) -> Plan | Refusal:
    """Look at every file and say what is to be done; a refusal when one of them is not as it was.

    ``replaced`` is what the workspace held when the candidate was made, ``earlier`` what
    promotions before this one wrote. Raises OSError for what cannot be read.
    """
    try:
        found = {path: look(root, path) for path in wanted}
        _check_room(root, wanted)
    except _Blocked as error:
        return Refusal(str(error), "move it out of the way")
    changed = [
        path
        for path, content in found.items()
        if content != wanted[path] and not _is_known(path, mark_of(content), replaced, earlier)
    ]
    if changed:
        return Refusal(f"{named(changed)} changed since the candidate was made", _LOOK_AT_BOTH)
    written = {path: _noted(path, found[path], wanted[path], earlier) for path in wanted}
    return Plan(wanted, found, {**earlier, **written}, frozenset(earlier))


_LOOK_AT_BOTH = "take your change and the candidate's together by hand, or take yours back"


def _is_known(
    path: str,
    found: Mark | None,
    replaced: Mapping[str, Mark | None],
    earlier: Mapping[str, Written],
) -> bool:
    if path in earlier:
        return earlier[path].allows(found)
    return path in replaced and replaced[path] == found


def _noted(
    path: str, found: Content | None, wanted: Content | None, earlier: Mapping[str, Written]
) -> Written:
    before = mark_of(found)
    original = earlier[path].original if path in earlier else before
    return Written(original, before, mark_of(wanted))


def named(paths: Iterable[str]) -> str:
    """Return some paths in words."""
    every = sorted(paths)
    more = len(every) - _MOST_NAMED
    shown = ", ".join(every[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def is_written(root: str, path: str, written: Mapping[str, Written]) -> bool:
    """Say whether what stands at a path now, if anything does, is what promotions put there."""
    if path in written:
        try:
            return written[path].allows(mark_of(look(root, path)))
        except (OSError, _Blocked):
            return False
    mode = _mode(f"{root}/{path}")
    if mode is None or stat.S_ISDIR(mode):
        return any(path in _folders(other) for other in written) or (
            mode is None and _is_unfinished(path, written)
        )
    return stat.S_ISREG(mode) and _is_unfinished(path, written)


def _is_unfinished(path: str, written: Iterable[str]) -> bool:
    """Say whether a path is that of a file that is just being written."""
    return any(path == _temporary("", other).as_posix() for other in written)


# Looking


def look(root: str, path: str) -> Content | None:
    """Read a file of the workspace; None when there is none, or a folder. Raises OSError.

    Raises an error of its own for a path that leads through a link or out of the workspace.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise _Blocked(f"{path} is no path inside of the workspace")
    for depth in range(1, len(parts)):
        mode = _mode(f"{root}/{'/'.join(parts[:depth])}")
        if mode is None or stat.S_ISREG(mode):
            return None
        if not stat.S_ISDIR(mode):
            raise _Blocked(f"{path} leads through {'/'.join(parts[:depth])}, which is no folder")
    mode = _mode(f"{root}/{path}")
    if mode is None or stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        raise _Blocked(f"{path} is a link, or no file")
    return read_content(f"{root}/{path}")


def _mode(name: str) -> int | None:
    try:
        return os.lstat(name).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _check_room(root: str, wanted: Changes) -> None:
    """See that no file is in the place of a folder, and no folder in that of a file, for good."""
    gone = {path for path, content in wanted.items() if content is None}
    for path, content in wanted.items():
        if content is None:
            continue
        for folder in _folders(path):
            mode = _mode(f"{root}/{folder}")
            if mode is not None and stat.S_ISREG(mode) and folder not in gone:
                raise _Blocked(f"{folder} is a file, and {path} needs a folder there")
        if os.path.isdir(f"{root}/{path}") and not _is_emptied(f"{root}/{path}", path, gone):
            raise _Blocked(f"{path} is a folder, and a file is to stand there")


def _folders(path: str) -> list[str]:
    """Return the folders that lead to a path, the nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]


def _is_emptied(name: str, path: str, gone: set[str]) -> bool:
    """Say whether nothing is left of a folder when files are gone."""
    below = {f"{path}/{entry}" for entry in trees.scan(name)}
    return below <= gone | {folder for file in gone for folder in _folders(file)}


# Writing


def carry_out(root: str, planned: Plan) -> None:
    """Write what was planned; it may be repeated after a kill.

    Raises OSError; what was written by then is taken back, as far as the disk lets it.

    Writes: files of the user's workspace, whole and durable, and the folders that they need;
    removals, and those of folders that become empty by them.
    """
    for path in planned.written:
        if files.exists(left := _temporary(root, path)):
            files.remove(left)
    try:
        _write(root, planned.wanted, planned.found)
    except OSError:
        with contextlib.suppress(OSError, _Blocked):
            now = {path: look(root, path) for path in planned.wanted}
            _write(root, planned.found, now)
        raise


def _write(root: str, wanted: Changes, found: Changes) -> None:
    touched: set[Path] = set()
    for path, content in wanted.items():
        if content is None:
            if found[path] is not None:
                files.remove(f"{root}/{path}")
            touched.update(_prune(root, path))
    for path, content in wanted.items():
        if content is not None and content != found[path]:
            touched.add(_put(root, path, content))
    files.sync_paths(sorted(touched))


def _temporary(root: str, path: str) -> Path:
    mark = digest(os.fsencode(path))[:16]
    return Path(root, path).with_name(f".hermes-{mark}.tmp")


def _prune(root: str, path: str) -> Iterable[Path]:
    """Remove the folders that a removed file left empty; yield the one that lost an entry."""
    if not os.path.isdir(os.path.dirname(f"{root}/{path}")):  # they went already
        return
    for folder in [*_folders(path), ""]:
        if not folder or not files.remove_folder(f"{root}/{folder}"):
            yield Path(root, folder)
            return


def _put(root: str, path: str, content: Content) -> Path:
    """Give a file its content; return its folder. One that is there keeps its permissions."""
    target, temporary = Path(root, path), _temporary(root, path)
    mode = _mode(str(target))
    files.make_folder(target.parent, durable=True, mode=_MODES[True])
    try:
        files.write_new(temporary, content.data, mode=_MODES[content.executable], durable=True)
        if mode is not None and stat.S_ISREG(mode):
            files.set_mode(temporary, _permissions(mode, executable=content.executable))
        if not files.claim(temporary, target):
            raise OSError(errno.ENOENT, "vanished while it was written", str(temporary))
    except OSError:
        files.remove(temporary)
        raise
    return target.parent


def _permissions(mode: int, *, executable: bool) -> int:
    """Return the permissions that a file had, made executable by whoever may read it, or not."""
    kept = stat.S_IMODE(mode) & 0o777 & ~_EXECUTABLE
    return kept | (kept & 0o444) >> 2 if executable else kept
