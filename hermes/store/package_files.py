"""What stands in the files of a package, and whether it belongs together. For ``packages`` alone.

Limit first: nothing here is trusted before it agrees: the folder's name, ``dispatch.json``,
``draft.json`` and the plan each name the run or its digest.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hermes import codec, files
from hermes.layout import RUN_ID, PackageLayout, parse_package
from hermes.model import FileDigest, Manifest, Package

READ_ONLY = 0o444
_PLAN = "plan.md"
_ARTIFACTS = "artifacts"
_OWN_FILES = frozenset({"dispatch.json", "draft.json", "execution.json", _ARTIFACTS})
PLANNED = frozenset({"manifest.json", _PLAN, _ARTIFACTS})  # what planning puts into run/
MADE = (".", "dispatch.json", "draft.json", "run", f"run/{_PLAN}")  # what makes a plan durable


def build(package_layout: PackageLayout, package: Package, draft: Manifest, plan: str) -> None:
    """Make the content of a package; the draft names the plan's digest, so a cut one shows.

    Writes: all files and folders of a planned package, not synced.
    """
    text = plan.encode("utf-8", "backslashreplace")
    draft = replace(draft, files={_PLAN: FileDigest(codec.digest(text), len(text))})
    run = package_layout.run
    write(package_layout.dispatch, codec.to_line(package))
    write(package_layout.draft, codec.to_line(draft))
    files.make_folder(run.folder)
    if not files.claim(package_layout.artifacts, run.artifacts):
        files.make_folder(run.artifacts)
    files.give_name(package_layout.draft, run.manifest)
    files.write_new(run.plan, text, mode=READ_ONLY)


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


def dispatch_id(folder: PackageLayout) -> str:
    """Return the id in a package's folder name; "" when that is no such name."""
    name = parse_package(folder.folder.name)
    return name.dispatch_id if name else ""


def belong(folder: PackageLayout, package: Package, draft: Manifest) -> bool:
    """Say whether the parts of a package are of one run, and that of the folder's name."""
    name = parse_package(folder.folder.name)
    return (
        name is not None
        and (package.dispatch_id, package.experiment) == (name.dispatch_id, name.experiment)
        and (draft.experiment, draft.iteration) == (name.experiment, name.iteration)
        and package.run_id == draft.run_id
        and RUN_ID.match(draft.run_id) is not None
    )


def is_ready(folder: PackageLayout, draft: Manifest) -> bool:
    """Say whether everything is there that a command needs to be started.

    The folder for artifacts may be missing: while a run is sealed it is moved, and losing power
    can lose it. Whoever executes the run makes it.
    """
    try:
        text = files.read(folder.run.plan)
    except OSError:
        return False
    stated = draft.files.get(_PLAN)
    return text is not None and stated is not None and codec.digest(text) == stated.sha256


def would_belong(temporary: str, experiment: str) -> bool:
    """Say whether a temporary name is that of a package of ``experiment``."""
    name = parse_package(files.temporary_for(temporary))
    return name is not None and name.experiment == experiment
