"""Closes the folder of a run: completes it, makes it read-only and durable. For ``bundles`` alone.

Limit first: a bundle holds regular files and the folders that lead to them. What else the run left
is removed and named in the manifest, under ``workspace`` as ``left_out``.
May be repeated after a crash at any point, and gives the same bundle then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hermes import codec, files
from hermes.layout import BundleLayout, PackageLayout
from hermes.model import FileDigest, Json, Manifest, RunMetrics
from hermes.store import inventory
from hermes.store.inventory import Entry, Inventory, shown

READ_ONLY = 0o444
MANIFEST = "manifest.json"
ARTIFACTS = "artifacts"
_LEFT_OUT = "left_out"
_MOST_NAMED = 100


def close(
    package: PackageLayout,
    manifest: Manifest,
    metrics: RunMetrics,
    text: str,
    decision: bytes | None = None,
) -> tuple[Manifest, str, files.Syncing]:
    """Complete the files of a run; on return they are all named and read-only.

    Returns the manifest with their digests, its own, and what to wait for until all are durable.
    Raises FileNotFoundError when the package is gone.

    Writes: everything in ``run/``; an empty folder for artifacts is moved out.
    """
    run = package.run
    _clear(run)
    digests = {
        run.result.name: _put(run.result, text.encode("utf-8", "backslashreplace")),
        run.metrics.name: _put(run.metrics, codec.to_lined_json(metrics)),
    }
    if decision is not None:
        digests[f"{ARTIFACTS}/{run.decision.name}"] = _put(run.decision, decision)
    found = inventory.take(str(run.folder))
    left_out = dict(_no_part(found))
    for entry in found.files:
        if entry.path != MANIFEST:
            _take_in(run, entry, digests, left_out)
    final = replace(
        manifest,
        files=dict(sorted(digests.items())),
        workspace=_noted(manifest.workspace, left_out, _note_before(run, found)),
    )
    data = codec.to_lined_json(final)
    files.remove(run.manifest)  # a second name of the draft, which stays as it is
    _put(run.manifest, data)
    return final, codec.digest(data), _finish(package, final.files, left_out)


def _clear(run: BundleLayout) -> None:
    """Make sure that ``run/`` is a folder, without unfinished work of our own in it."""
    if not os.path.isdir(run.folder) or os.path.islink(run.folder):
        if not os.path.isdir(run.folder.parent):
            raise FileNotFoundError(f"{run.folder} is gone")
        files.remove_tree(run.folder)
        files.make_folder(run.folder)
    for name in os.listdir(run.folder):
        if files.is_temporary(name):
            files.remove_tree(run.folder / name)
    if os.path.isdir(run.manifest) or os.path.islink(run.manifest):
        files.remove_tree(run.manifest)


def _put(path: Path, data: bytes) -> FileDigest:
    """Write a file of the bundle; what an earlier attempt or the command left there goes."""
    try:
        files.write_new(path, data, mode=READ_ONLY)
    except FileExistsError:
        files.remove_tree(path)
        files.write_new(path, data, mode=READ_ONLY)
    return FileDigest(codec.digest(data), len(data))


def _no_part(found: Inventory) -> Iterator[tuple[str, str]]:
    """Name what cannot be part of a bundle, and why."""
    yield from found.others
    for folder in found.empty_folders():
        if folder != ARTIFACTS:
            yield folder, "an empty folder"


def _take_in(
    run: BundleLayout, entry: Entry, digests: dict[str, FileDigest], left_out: dict[str, str]
) -> None:
    """Make a file read-only and our own, and note its digest; or note why that cannot be."""
    path = f"{run.folder}/{entry.path}"
    try:
        if entry.links > 1:  # its other name may stand in the workspace
            copy = files.temporary_beside(run.folder / "copy")
            files.detach(Path(path), temporary=copy, mode=READ_ONLY)
        elif entry.mode != READ_ONLY:
            files.set_mode(path, READ_ONLY)
        if entry.path not in digests:
            digests[entry.path] = inventory.digest_file(path)
    except FileNotFoundError:
        if not os.path.isdir(run.folder):
            raise
    except PermissionError:
        left_out[entry.path] = "a file that cannot be read"


def _note_before(run: BundleLayout, found: Inventory) -> list[str]:
    """Return what an attempt that crashed has left out: it may be removed already."""
    ours = any(entry.path == MANIFEST and entry.links == 1 for entry in found.files)
    if not ours:  # a second name of the draft
        return []
    try:
        note = codec.from_json(files.read(run.manifest) or b"")["workspace"][_LEFT_OUT]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [str(item) for item in note] if isinstance(note, list) else []


def _noted(
    workspace: Mapping[str, Json], left_out: Mapping[str, str], before: Iterable[str]
) -> Mapping[str, Json]:
    names = sorted({*before, *(f"{shown(path)}: {what}" for path, what in left_out.items())})
    return {**workspace, _LEFT_OUT: [*names[:_MOST_NAMED]]} if names else workspace


def _finish(
    package: PackageLayout, kept: Mapping[str, FileDigest], left_out: Iterable[str]
) -> files.Syncing:
    """Take out what has no part, and begin to make the rest durable.

    An empty file has nothing to lose but its name.
    """
    run = package.run
    for path in left_out:
        files.remove_tree(run.folder / path)
    if not any(path.startswith(f"{ARTIFACTS}/") for path in kept):
        with contextlib.suppress(OSError):  # something is in the way: it stays where it is
            files.claim(run.artifacts, package.artifacts)
    if os.lstat(run.manifest).st_mode & 0o777 != READ_ONLY:  # the umask took bits away
        files.set_mode(run.manifest, READ_ONLY)
    folders = {folder for path in kept for folder in inventory.parents(path)}
    filled = [path for path, stated in kept.items() if stated.size]
    made = ("", MANIFEST, *sorted(folders), *filled)
    return files.Syncing(f"{run.folder}/{path}" for path in made)
