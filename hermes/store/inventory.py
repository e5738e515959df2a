"""What the folder of a bundle holds, taken stock of without following links. Reads only.

Limits first: regular files and folders count, all else is named with the reason why it does not;
so is what lies deeper than ``MOST_DEPTH`` folders or has a longer path than ``LONGEST_PATH``.
A folder that is being changed meanwhile gives the one or the other.
Paths are relative, with ``/`` between folders; names that are not UTF-8 are kept as Python
keeps them (``surrogateescape``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from hermes.model import FileDigest

MOST_DEPTH = 64
LONGEST_PATH = 1024
_CHUNK_BYTES = 1024 * 1024
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


@dataclass(frozen=True)
class Entry:
    """A regular file: bytes, permission bits, and how many names it has."""

    path: str
    size: int
    mode: int
    links: int


@dataclass(frozen=True)
class Inventory:
    """What was found below a folder, each sorted by path."""

    files: tuple[Entry, ...]
    folders: tuple[str, ...]
    others: tuple[tuple[str, str], ...]

    def empty_folders(self) -> list[str]:
        """Return the folders below which there is no regular file."""
        filled = {parent for entry in self.files for parent in parents(entry.path)}
        return [folder for folder in self.folders if folder not in filled]


def parents(path: str) -> list[str]:
    """Return the folders that lead to ``path``, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def take(folder: str) -> Inventory:
    """Take stock of ``folder``. Raises OSError when it cannot be listed itself."""
    files: list[Entry] = []
    others: list[tuple[str, str]] = []
    folders = _look(folder, "", files, others)
    for path in folders:  # grows on the way
        try:
            folders.extend(_look(folder, path, files, others))
        except OSError as error:
            others.append((path, f"a folder that cannot be read ({error.strerror})"))
    files.sort(key=lambda entry: entry.path)
    return Inventory(tuple(files), tuple(sorted(folders)), tuple(sorted(others)))


def _look(top: str, relative: str, files: list[Entry], others: list[tuple[str, str]]) -> list[str]:
    """Add the files and the others of one folder; return the paths of its folders."""
    folders = []
    prefix = f"{relative}/" if relative else ""
    with os.scandir(f"{top}/{relative}") as entries:
        for found in entries:
            path = prefix + found.name
            try:
                status = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if too_far(path):
                others.append((path, "too deep"))
            elif stat.S_ISREG(status.st_mode):
                mode = stat.S_IMODE(status.st_mode)
                files.append(Entry(path, status.st_size, mode, status.st_nlink))
            elif stat.S_ISDIR(status.st_mode):
                folders.append(path)
            else:
                others.append((path, _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")))
    return folders


def too_far(path: str) -> bool:
    """Say whether a relative path is longer or deeper than is looked at."""
    return len(path) > LONGEST_PATH or path.count("/") >= MOST_DEPTH


def digest_file(path: str) -> FileDigest:
    """Return the digest and the size of a regular file, read in pieces.

    Raises OSError when it cannot be read, or is something else by now.
    """
    fd = os.open(path, _OPEN_FLAGS)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is not a regular file")
        hasher, size = sha256(), 0
        wanted = min(found.st_size + 1, _CHUNK_BYTES)
        while data := os.read(fd, wanted):
            hasher.update(data)
            size += len(data)
            if len(data) < wanted:
                break
            wanted = _CHUNK_BYTES
        return FileDigest(hasher.hexdigest(), size)
    finally:
        os.close(fd)


def shown(path: str) -> str:
    """Return a path as it may stand in a message: on one line, in UTF-8."""
    return path if path.isprintable() else repr(path)[1:-1]


def differences(folder: str, named: Mapping[str, FileDigest]) -> Iterator[tuple[str, str]]:
    """Yield each path where ``folder`` is not what ``named`` says of it, and how.

    Paths that ``named`` gives are compared only, never opened: they come from a file.
    """
    found = take(folder)
    present = {entry.path: entry for entry in found.files}
    others = dict(found.others)
    for path in sorted({*named, *present, *others}):
        if path in others:
            yield path, f"{'changed' if path in named else 'added'}: {others[path]}"
        elif path not in present:
            yield path, "missing"
        elif path not in named:
            yield path, "added"
        elif present[path].size != named[path].size:
            yield path, f"changed: {present[path].size} bytes, not {named[path].size}"
        else:
            yield from _changed(folder, path, named[path])
    yield from ((path, "added: an empty folder") for path in found.empty_folders())


def _changed(folder: str, path: str, named: FileDigest) -> Iterator[tuple[str, str]]:
    try:
        if digest_file(f"{folder}/{path}") != named:
            yield path, "changed"
    except OSError as error:
        yield path, f"cannot be read: {error.strerror or error}"
