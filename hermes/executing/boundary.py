"""Says whether a change of the code kept to its bounds; the code run asks it after the change.

Limits first. What was changed and put back is no change. By-products and what the setup command
made count for nothing: neither is carried over to where the candidate is measured.
Outside of the sandbox only the places are watched in which a change could matter: the user's
workspace (its git settings and hooks too), the SPEC, the package of the run, and what lies around
the sandbox. There the lab cannot tell whose doing a change is, but for what it promoted itself;
it names what was changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hermes.executing import applying, trees
from hermes.executing.job import Job
from hermes.executing.slot import WORK
from hermes.executing.surface import Surface, is_by_product, read_content
from hermes.executing.trees import Listing
from hermes.executing.workspaces import Workspaces
from hermes.layout import Layout
from hermes.model import Outcome

_MOST_NAMED = 5
_MOST_DEPTH = 60
_GIT_FILES = ("config", "HEAD")
_GIT_FOLDERS = ("hooks", "info", "objects/info")


@dataclass(frozen=True)
class Breach:
    """A change that went too far, and what it did."""

    outcome: Outcome
    reason: str


def breach(
    surface: Surface, workspaces: Workspaces, root: str, before: Listing, after: Listing
) -> Breach | None:
    """Compare two scans of a sandbox; None when only the surface was changed.

    Raises OSError.
    """
    touched = [
        path for path in sorted(before.keys() | after.keys()) if _differs(path, before, after)
    ]
    odd = [path for path in touched if surface.holds(path) and not _is_plain(root, path, after)]
    outside = [
        path
        for path in touched
        if not surface.holds(path) and _is_change(workspaces, root, path, before, after)
    ]
    read_only = [path for path in outside if surface.is_read_only(path)]
    if read_only:
        return Breach(Outcome.TAMPERED, f"read-only paths were changed: {_named(read_only)}")
    if outside:
        return Breach(Outcome.OUT_OF_BOUNDS, f"changed outside mutable_paths: {_named(outside)}")
    if odd:
        return Breach(
            Outcome.OUT_OF_BOUNDS,
            f"no ordinary files of their own under a readable name: {_named(odd)}",
        )
    return None


def tampered(
    surface: Surface, workspaces: Workspaces, root: str, exempt: Iterable[str]
) -> Breach | None:
    """Say whether measuring changed the evaluator: any original outside the surface.

    ``exempt`` are paths that measuring writes. Raises OSError.
    """
    spared = Surface(tuple(exempt))
    originals = workspaces.originals
    after = trees.scan(root, ours=True)
    changed = [
        path
        for path, sign in originals.items()
        if not (surface.holds(path) or spared.holds(path) or is_by_product(path))
        and not trees.is_folder(sign)
        and not _is_original(workspaces, root, path, after)
    ]
    if not changed:
        return None
    return Breach(Outcome.TAMPERED, f"changed while the candidate was measured: {_named(changed)}")


def _differs(path: str, before: Listing, after: Listing) -> bool:
    """Say whether an entry is another; of two folders, modes do not matter."""
    was, now = before.get(path), after.get(path)
    if was == now or is_by_product(path):
        return False
    kinds = {None if sign is None else trees.is_folder(sign) for sign in (was, now)}
    return kinds not in ({True}, {True, None})  # what is in a folder speaks for itself


def _is_plain(root: str, path: str, after: Listing) -> bool:
    """Say whether an entry of the surface is gone, or a file that is its own under a fit name."""
    if path not in after:
        return True
    if not _is_text(path) or path.count("/") >= _MOST_DEPTH:
        return False
    entry = os.lstat(f"{root}/{path}")
    return stat.S_ISREG(entry.st_mode) and entry.st_nlink == 1


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return path.isprintable()


def _is_change(
    workspaces: Workspaces, root: str, path: str, before: Listing, after: Listing
) -> bool:
    """Leave out what is as the original is, and what the setup command made."""
    if path in workspaces.originals:
        return not _is_original(workspaces, root, path, after)
    return path not in before


def _is_original(workspaces: Workspaces, root: str, path: str, after: Listing) -> bool:
    sign, now = workspaces.originals[path], after.get(path)
    if now is None or stat.S_IFMT(sign[0]) != stat.S_IFMT(now[0]):
        return False
    if stat.S_ISLNK(sign[0]):
        return workspaces.link_text(path) == os.readlink(f"{root}/{path}")
    if not stat.S_ISREG(sign[0]):
        return True
    if (sign[0] ^ now[0]) & 0o111:
        return False
    return read_content(workspaces.locate(path)).data == read_content(f"{root}/{path}").data


def _named(paths: list[str]) -> str:
    shown = ", ".join(ascii(path)[1:-1] for path in paths[:_MOST_NAMED])
    more = len(paths) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


class Outside:
    """Watches what lies outside of a sandbox while code is changed in it."""

    def __init__(self, job: Job, sandbox: str) -> None:
        self._job = job
        self._sandbox = sandbox
        self._before = dict(self._look())

    def breach(self) -> Breach | None:
        """Say what was changed meanwhile; None when nothing was."""
        now = dict(self._look())
        changed = sorted(
            path
            for path in self._before.keys() | now.keys()
            if self._before.get(path) != now.get(path)
            and not is_by_product(path)
            and not self._is_promoted(path)
        )
        if not changed:
            return None
        return Breach(
            Outcome.TAMPERED,
            f"changed outside the sandbox, by it or by somebody else: {_named(changed)}",
        )

    def _is_promoted(self, path: str) -> bool:
        """Say whether the lab put what stands there into the user's workspace."""
        code, workspace = self._job.code, self._job.spec.workspace_root
        if code is None or workspace is None:
            return False
        root = trees.real(workspace)
        return trees.is_inside(path, root) and applying.is_written(
            root, os.path.relpath(path, root), code.applied()
        )

    def _look(self) -> Iterator[tuple[str, trees.Signature]]:
        job = self._job
        yield from _below(self._sandbox, paths=frozenset({WORK}))
        package = job.bundle.folder.parent
        yield from _below(str(package), paths=frozenset({"run"}))
        layout = Layout(job.data_root).experiment(job.manifest.experiment)
        planted = (job.bundle.artifacts / "metrics.json", job.bundle.metrics)
        for path in (layout.spec, job.bundle.plan, job.bundle.manifest, *planted):
            yield from _one(str(path))
        if job.spec.workspace_root is not None:
            yield from _users(trees.real(job.spec.workspace_root), trees.real(job.data_root))


def _users(root: str, data_root: str) -> Iterator[tuple[str, trees.Signature]]:
    leave_out = frozenset({os.path.relpath(data_root, root)})
    yield from _below(root, names=frozenset({".git"}), paths=leave_out)
    for name in _GIT_FILES:
        yield from _one(f"{root}/.git/{name}")
    for name in _GIT_FOLDERS:
        yield from _below(f"{root}/.git/{name}")


def _below(
    root: str, *, names: frozenset[str] = trees.NOTHING, paths: frozenset[str] = trees.NOTHING
) -> Iterator[tuple[str, trees.Signature]]:
    for path, sign in trees.scan(root, names=names, paths=paths).items():
        yield f"{root}/{path}", sign


def _one(name: str) -> Iterator[tuple[str, trees.Signature]]:
    try:
        yield name, trees.signature(os.lstat(name))
    except OSError:
        return
