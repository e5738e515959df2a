"""The surface of a code loop: the files that a candidate may change; the code run asks it.

Limits first. Only regular files belong to a surface: links in it are the workspace's own and stay
as they are. By-products (byte code, caches of test runners) belong to nobody: they are neither
part of a candidate nor a change. A surface holds at most 5,000 files of 32 MiB together.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hermes import files
from hermes.errors import Fault
from hermes.executing import trees
from hermes.executing.artifacts import matches
from hermes.executing.by_products import is_by_product
from hermes.executing.content import Content, Tree
from hermes.executing.trees import Listing
from hermes.spec import Spec

MOST_FILES = 5_000
MOST_BYTES = 32 * 1024 * 1024


class TooLarge(Exception):
    """A surface holds more than it may; the text says what."""


@dataclass(frozen=True)
class Surface:
    """Which paths of a workspace may be changed: globs, relative to it."""

    mutable: tuple[str, ...]
    read_only: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: Spec) -> Surface:
        """Return the surface that a SPEC names, as it stands at a run's tier."""
        return cls(spec.mutable_paths, spec.read_only_paths)

    def holds(self, path: str) -> bool:
        """Say whether a file of that path may be changed, made and removed."""
        return (
            _covers(self.mutable, path)
            and not self.is_read_only(path)
            and not is_by_product(path)
            and ".git" not in path.split("/")
        )

    def is_read_only(self, path: str) -> bool:
        """Say whether the SPEC names the path as one that nobody may change."""
        return _covers(self.read_only, path)

    def read(self, listing: Listing, locate: Callable[[str], str]) -> Tree:
        """Read the files of the surface among ``listing``, each where ``locate`` says.

        Raises TooLarge; OSError for what cannot be read.
        """
        found: dict[str, Content] = {}
        size = 0
        for path in sorted(listing):
            if not (stat.S_ISREG(listing[path][0]) and self.holds(path)):
                continue
            size += listing[path][1]
            check_size(len(found) + 1, size)
            found[path] = read_content(locate(path))
        return found

    def taken(self, tree: Tree, was: Listing, now: Listing, root: str) -> Tree:
        """Return what became of the surface ``tree``, by scans of ``root`` before and after.

        What was there before and is no part of ``tree`` is the setup command's, and stays out.
        Raises TooLarge; OSError for what cannot be read.
        """
        kept = {path: content for path, content in tree.items() if now.get(path) == was.get(path)}
        setups = {path for path in was.keys() - tree.keys() if not trees.is_folder(was[path])}
        touched = {
            path: sign for path, sign in now.items() if was.get(path) != sign and path not in setups
        }
        found = {**kept, **self.read(touched, lambda path: f"{root}/{path}")}
        check_size(len(found), sum(len(content.data) for content in found.values()))
        return found


def check_size(count: int, size: int) -> None:
    """Raise TooLarge for a surface of so many files and bytes that is beyond the bounds."""
    if count > MOST_FILES or size > MOST_BYTES:
        raise TooLarge(
            f"mutable_paths cover more than {MOST_FILES:,} files or {MOST_BYTES // 1024**2} MiB"
        )


@lru_cache(maxsize=100_000)
def _covers(patterns: tuple[str, ...], path: str) -> bool:
    """Say whether a pattern matches a path, or a folder that it lies in."""
    return any(matches(pattern, path) for pattern in patterns)


def read_content(name: str) -> Content:
    """Read a regular file. Raises OSError, also for a link."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as stream:
        mode = os.fstat(fd).st_mode
        return Content(stream.read(MOST_BYTES + 1), executable=bool(mode & 0o100))


def digest(tree: Tree) -> str:
    """Return what tells a surface's content from any other: paths, contents, executable bits."""
    total = hashlib.sha256()
    for path in sorted(tree):
        content = tree[path]
        inner = hashlib.sha256(content.data).hexdigest()
        name = os.fsencode(path)
        total.update(b"%d:%s %d %s\n" % (len(name), name, content.executable, inner.encode()))
    return total.hexdigest()


def lines(tree: Tree) -> int:
    """Return how many lines of the surface's text files are not blank: its complexity."""
    return sum(
        sum(1 for line in content.data.splitlines() if line.strip())
        for content in tree.values()
        if b"\0" not in content.data[:8192]
    )


# Candidates


def overlaid(base: Tree, changed: Mapping[str, Content | None]) -> Tree:
    """Return a surface with some files changed, added, or (None) removed."""
    kept = {path: content for path, content in base.items() if path not in changed}
    added = {path: content for path, content in changed.items() if content is not None}
    return {**kept, **added}


def changes(before: Tree, after: Tree) -> dict[str, Content | None]:
    """Return what ``overlaid`` needs to make ``after`` of ``before``."""
    paths = sorted(before.keys() | after.keys())
    return {path: after.get(path) for path in paths if before.get(path) != after.get(path)}


def put(root: str, wanted: Mapping[str, Content | None]) -> None:
    """Put files of a surface into a sandbox that is the lab's own; None removes one.

    Writes: files and folders of the sandbox. Raises OSError; Fault where a link is in the way.
    """
    for path, content in wanted.items():
        if content is None:
            _unlink(f"{root}/{path}")
    for path, content in wanted.items():
        if content is not None:
            _make_way(root, path)
            _write(f"{root}/{path}", content)


def _make_way(root: str, path: str) -> None:
    folder = root
    for part in path.split("/")[:-1]:
        folder = f"{folder}/{part}"
        try:
            mode = os.lstat(folder).st_mode
        except FileNotFoundError:
            trees.make_folder(folder)
            continue
        if not stat.S_ISDIR(mode):
            raise Fault(f"{path} of the candidate leads through a link or a file.")


def _write(name: str, content: Content) -> None:
    _unlink(name)
    mode = 0o755 if content.executable else 0o644
    fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    with open(fd, "wb") as stream:
        stream.write(content.data)
        os.fchmod(fd, mode)


def _unlink(name: str) -> None:
    try:
        os.unlink(name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except IsADirectoryError:
        files.remove_tree(name)  # what the surface had in it is gone already
