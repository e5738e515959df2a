"""What stands in the files of a package, and whether it belongs together. For ``packages`` alone.

Limit first: nothing here is trusted before it agrees: the folder's name and ``dispatch.json``
name the same run. All that planning puts into ``run/`` can be made from ``dispatch.json`` again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hermes import codec, files
from hermes.layout import RUN_ID, PackageLayout, PackageName, parse_package
from hermes.model import Manifest

READ_ONLY = 0o444
_ARTIFACTS = "artifacts"
_OWN_FILES = frozenset({"dispatch.json", "execution.json", _ARTIFACTS})
PLANNED = frozenset({"manifest.json", "plan.md", _ARTIFACTS})  # what planning puts into run/
MADE = (".", "dispatch.json")  # what makes a plan durable


def build(package: PackageLayout, dispatch_id: str, draft: Manifest, plan: str) -> None:
    """Make the content of a package.

    Writes: all files and folders of a planned package, not synced.
    """
    write(package.dispatch, bound(dispatch_id, {**codec.shallow(draft), "plan": plan}))
    run = package.run
    files.make_folder(run.folder)
    if not files.claim(package.artifacts, run.artifacts):
        files.make_folder(run.artifacts)
    files.give_name(package.dispatch, run.manifest)
    files.write_new(run.plan, _bytes(plan), mode=READ_ONLY)


def restore(package: PackageLayout, plan: str) -> None:
    """Make again what losing power took of ``run/``, or left half-made, of what planning put there.

    But for the folder for artifacts, which whoever executes the run makes.

    Writes: as ``build``, in ``run/``.
    """
    run = package.run
    if not os.path.isdir(run.folder) or os.path.islink(run.folder):
        files.remove_tree(run.folder)
        files.make_folder(run.folder)
    if not files.exists(run.manifest):
        files.give_name(package.dispatch, run.manifest)
    if not _holds(run.plan, _bytes(plan)):
        files.remove_tree(run.plan)
        files.write_new(run.plan, _bytes(plan), mode=READ_ONLY)


def _bytes(plan: str) -> bytes:
    return plan.encode("utf-8", "backslashreplace")


def _holds(path: Path, data: bytes) -> bool:
    try:
        return not os.path.islink(path) and files.read(path) == data
    except OSError:
        return False


def bound(dispatch_id: str, record: Mapping[str, object]) -> bytes:
    """Return the line of a record that is one package's own."""
    return codec.to_line({"dispatch_id": dispatch_id, **record})


def record_in(folder: PackageLayout, path: Path) -> dict[str, Any] | None:
    """Return what ``bound`` wrote to ``path`` for this package, parsed; None when it is not whole.

    None too for what was written for another one, as a rule for that of the spent package.
    """
    line = first_line(path)
    is_ours = line.startswith(b'{"dispatch_id":"%s",' % id_of(folder).encode())
    return codec.parse_line(line) if is_ours else None


def write(path: Path, line: bytes) -> None:
    """Write a file of the package, over the one of a spent package if it is there.

    Writes: ``path``, in place. Raises FileNotFoundError when the package is gone.
    """
    try:
        files.overwrite(path, line)
    except FileNotFoundError:
        files.write_new(path, line)


def first_line(path: Path) -> bytes:
    """Return what was written to ``path`` last; b"" when that cannot be read.

    When a longer content was overwritten, its end may still follow.
    """
    try:
        return (files.read(path) or b"").split(b"\n", 1)[0]
    except OSError:
        return b""


def is_spent(folder: Path) -> bool:
    """Say whether nothing but the files of a package is left in its folder."""
    found = listing(folder)
    if found is None or not found <= _OWN_FILES:
        return False
    kept = folder / _ARTIFACTS
    return _ARTIFACTS not in found or (listing(kept) == set() and not os.path.islink(kept))


def listing(folder: Path) -> set[str] | None:
    """Return the names in a folder, None when there is no such folder."""
    try:
        return set(os.listdir(folder))
    except OSError:
        return None


def id_of(folder: PackageLayout) -> str:
    """Return the id in a package's folder name; "" when that is no such name."""
    name = parse_package(folder.folder.name)
    return name.dispatch_id if name else ""


def belongs(name: PackageName, draft: Manifest) -> bool:
    """Say whether a planned run is that of a folder's name."""
    named = (draft.experiment, draft.iteration) == (name.experiment, name.iteration)
    return named and RUN_ID.match(draft.run_id) is not None


def would_belong(temporary: str, experiment: str) -> bool:
    """Say whether a temporary name is that of a package of ``experiment``."""
    name = parse_package(files.temporary_for(temporary))
    return name is not None and name.experiment == experiment
