"""Takes what a run is to keep out of its workspace, and puts its folder in order; ``run`` calls it.

Limits first. At most 1 GiB and 10,000 files are copied; what is beyond, and what a link leads to
outside of the workspace, is left out and named. What a command itself wrote to the artifacts is
never cut. A pattern's ``*`` stays within one folder, ``**`` does not; the name of a folder means
all that is in it.

A sealed bundle holds ordinary files of its own, under names that are text. So links, pipes and
sockets among the artifacts are removed, a file that shares its content with another name gets its
own, and other names are spelled with ``%``. What a command put beside the bundle's own files is
moved to the artifacts.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from hermes import files
from hermes.executing import trees
from hermes.executing.job import Job
from hermes.executing.workspaces import Workspace
from hermes.layout import BundleLayout
from hermes.model import Json

MAX_BYTES = 1024 * 1024 * 1024
MAX_FILES = 10_000
FOUND_BESIDE = "run-folder"
_CHUNK = 1024 * 1024
_MOST_NAMED = 20
_MAGIC = re.compile(r"[*?\[]")
_BUNDLE_NAMES = frozenset({"manifest.json", "plan.md", "stdout.log", "stderr.log", "artifacts"})

Pulse = Callable[[], None]


@dataclass
class Kept:
    """What became of the files to be kept; names are those in the workspace."""

    missing: list[str] = field(default_factory=list)
    missing_egress: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def take(job: Job, workspace: Workspace, pulse: Pulse) -> dict[str, Json]:
    """Take what a job's SPEC asks for; return what there is to say of it. Raises OSError.

    Writes: as ``tidy`` and ``collect``.
    """
    tidy(job.bundle)
    spec = job.spec
    if not spec.egress_files and not spec.artifacts_expected:
        return {}
    kept = collect(
        workspace.folder,
        job.bundle.artifacts,
        egress=spec.egress_files,
        expected=spec.artifacts_expected,
        pulse=pulse,
    )
    facts: dict[str, Json] = {}
    if kept.missing:
        facts["missing_artifacts"] = list(kept.missing)
    if kept.missing_egress:
        facts["missing_egress"] = list(kept.missing_egress)
    if kept.left_out:
        facts["left_out"] = list(kept.left_out[:_MOST_NAMED])
        facts["left_out_count"] = len(kept.left_out)
    return facts


def tidy(bundle: BundleLayout) -> None:
    """Put a run's folder in order: nothing but ordinary files, each in its place.

    Writes: moves, removals and copies among the artifacts.
    """
    if not os.path.isdir(bundle.artifacts) or os.path.islink(bundle.artifacts):
        files.remove_tree(bundle.artifacts)
        files.make_folder(bundle.artifacts)
    _tidy_folder(bundle.artifacts)
    beside = [name for name in os.listdir(bundle.folder) if name not in _BUNDLE_NAMES]
    for name in beside:
        _move_aside(bundle, name)
    if beside:
        _tidy_folder(bundle.artifacts)


def collect(
    workspace: Path,
    artifacts: Path,
    *,
    egress: Sequence[str],
    expected: Sequence[str],
    pulse: Pulse,
) -> Kept:
    """Copy what the patterns name into the tidied artifacts, under the same names. Raises OSError.

    What is expected is copied too. A pattern of it that names nothing among the artifacts is
    ``missing``; one of ``egress`` that names nothing there or in the workspace, ``missing_egress``.

    Writes: new files in ``artifacts``.
    """
    kept = Kept()
    root = os.path.realpath(workspace)
    found = {pattern: _named(root, pattern) for pattern in (*egress, *expected)}
    for path in sorted({path for paths in found.values() for path in paths}):
        pulse()
        _keep(root, path, artifacts, kept)
    there = [path for path, sign in trees.scan(str(artifacts)).items() if not trees.is_folder(sign)]
    kept.missing = _unmatched(expected, there)
    kept.missing_egress = _unmatched([name for name in egress if not found[name]], there)
    return kept


def _unmatched(patterns: Sequence[str], paths: Sequence[str]) -> list[str]:
    return [name for name in patterns if not any(matches(name, path) for path in paths)]


def matches(pattern: str, path: str) -> bool:
    """Say whether a relative path is named by a pattern.

    >>> matches("out/*.txt", "out/a.txt"), matches("*.txt", "out/a.txt"), matches("out", "out/a")
    (True, False, True)
    """
    return _match(os.path.normpath(pattern).split("/"), path.split("/"))


def _match(wanted: list[str], parts: list[str]) -> bool:
    if not wanted:
        return True
    if wanted[0] == "**":
        return any(_match(wanted[1:], parts[start:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _match(wanted[1:], parts[1:])


def _named(root: str, pattern: str) -> list[str]:
    """Return the files below ``root`` that a pattern names, whatever kind they are of."""
    pattern = os.path.normpath(pattern)
    magic = _MAGIC.search(pattern)
    start = os.path.dirname(pattern[: magic.start()]) if magic else pattern
    top = f"{root}/{start}"
    if os.path.isdir(top) and trees.is_inside(os.path.realpath(top), root):
        listing = trees.scan(top)
        below = (f"{start}/{path}" for path in listing if not trees.is_folder(listing[path]))
        return [path for path in map(_relative, below) if matches(pattern, path)]
    return [pattern] if magic is None and os.path.lexists(top) else []


def _relative(path: str) -> str:
    return os.path.normpath(path.lstrip("/"))


def _keep(root: str, path: str, artifacts: Path, kept: Kept) -> None:
    """Copy one file, or note that it is left out."""
    source = os.path.realpath(f"{root}/{path}")
    target = artifacts / _text(path)
    try:
        entry = os.lstat(source)
        fits = kept.files < MAX_FILES and kept.bytes + entry.st_size <= MAX_BYTES
        allowed = stat.S_ISREG(entry.st_mode) and trees.is_inside(source, root)
        if fits and allowed and not files.exists(target):
            files.make_folder(target.parent)
            _copy(source, target)
            kept.files += 1
            kept.bytes += entry.st_size
            return
    except (FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError):
        pass  # it is gone, may not be read, or the command's own artifacts are in its way
    kept.left_out.append(_text(path))


def _copy(source: str, target: Path) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(reading, "rb", buffering=0) as stream:
        copy = files.Stream(target)
        try:
            while data := stream.read(_CHUNK):
                copy.write(data)
        finally:
            copy.close()


def _move_aside(bundle: BundleLayout, name: str) -> None:
    """Move what a command put beside the bundle's own files, unless its place is taken too."""
    target = bundle.artifacts / FOUND_BESIDE / name
    in_the_way = files.exists(target.parent) and not target.parent.is_dir()
    if in_the_way or files.exists(target):
        files.remove_tree(bundle.folder / name)
        return
    files.make_folder(target.parent)
    files.claim(bundle.folder / name, target)


def _tidy_folder(folder: Path) -> None:
    root = str(folder)
    listing = trees.scan(root, ours=True)
    for path in sorted(listing, reverse=True):  # contents before their folders
        name = Path(root, path)
        sign = listing[path]
        if not trees.is_folder(sign) and not stat.S_ISREG(sign[0]):
            files.remove(name)
            continue
        if not trees.is_folder(sign) and os.lstat(name).st_nlink > 1:
            _separate(name)
        if _text(name.name) != name.name:
            _spell(name)


def _separate(name: Path) -> None:
    """Give a file a content of its own: its other name may be the user's."""
    copy = files.temporary_beside(name)
    _copy(str(name), copy)
    files.remove(name)
    files.claim(copy, name)


def _spell(name: Path) -> None:
    spelled = name.with_name(_text(name.name))
    if files.exists(spelled):
        files.remove_tree(name)
    else:
        files.claim(name, spelled)


def _text(path: str) -> str:
    """Return a name as text: bytes that are not UTF-8 are spelled with ``%``."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(_spelled(c) if "\ud800" <= c <= "\udfff" else c for c in path)
    return path


def _spelled(character: str) -> str:
    """Spell a byte that is no text: ``%FF``."""
    return "".join(f"%{byte:02X}" for byte in os.fsencode(character))
