"""Watches what lies outside of a sandbox while code is changed or measured; the code run asks.

Limits first. Only places are watched in which a change could matter to what is measured or
recorded: the user's workspace (and what git does there by itself), the inputs it takes from
elsewhere, the SPEC, the package of the run, the incumbent's bundle, the sandboxes of the slot, and
where Python looks for modules of the user's by itself. The interpreter, installed packages and
services are not watched. The lab cannot tell whose doing a change is, but for what it promoted
itself; it names what was changed.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping

from hermes.executing import applying, git_workspace, trees
from hermes.executing.boundary import Breach, named
from hermes.executing.by_products import NAMES, is_by_product
from hermes.executing.desk import Place
from hermes.executing.job import Job
from hermes.executing.slot import WORK
from hermes.executing.surface import Surface
from hermes.layout import Layout
from hermes.model import Outcome

_MOST_ENTRIES = 20_000
_GIT_FILES = ("HEAD", "config.worktree")
_SHARED_GIT_FILES = (
    *("config", "info/attributes", "info/exclude", "info/grafts"),
    *("objects/info/alternates", "refs/stash"),
)

Sights = Iterator[tuple[str, trees.Signature]]


class Outside:
    """Watches while code is changed in the sandbox of ``place``."""

    def __init__(self, job: Job, place: Place, surface: Surface) -> None:
        self._job = job
        self._place = place
        self._surface = surface
        incumbent = job.code.incumbent() if job.code is not None else None
        self._incumbent = incumbent.standing.run_id if incumbent is not None else None
        self._before = dict(self._look())
        self._kept = dict(self._look_at_kept())

    def breach(self) -> Breach | None:
        """Say what was changed meanwhile; None when nothing was."""
        now, kept = dict(self._look()), dict(self._look_at_kept())
        changed = {path for path in self._kept if self._kept[path] != kept.get(path)}
        changed |= {path for path in _differing(self._before, now) if not self._is_promoted(path)}
        return _breach("changed outside the sandbox, by it or by somebody else", changed)

    def _is_promoted(self, path: str) -> bool:
        """Say whether the lab put what stands there into the user's workspace."""
        code, workspace = self._job.code, self._job.spec.workspace_root
        if code is None or workspace is None:
            return False
        root = trees.real(workspace)
        return trees.is_inside(path, root) and applying.is_written(
            root, os.path.relpath(path, root), code.applied()
        )

    def _look(self) -> Sights:
        """Look where nothing may be new either."""
        job, bundle = self._job, self._job.bundle
        yield from _below(str(self._place.sandbox), paths=frozenset({WORK}))
        yield from _below(str(job.sandbox))
        yield from _below(str(bundle.folder.parent), paths=frozenset({"run/artifacts"}))
        planted = (bundle.candidate, bundle.candidate_record, bundle.patch, bundle.decision)
        for path in (bundle.artifacts, bundle.artifacts / "metrics.json", *planted):
            yield from _one(str(path))
        yield from _one(str(Layout(job.data_root).experiment(job.manifest.experiment).spec))
        yield from searched_for_modules(job)
        yield from self._inputs()
        yield from users(job)

    def _look_at_kept(self) -> Sights:
        """Look where only what is there already must stay as it is."""
        job = self._job
        log = frozenset({job.bundle.mutation_log.name})
        yield from _below(str(job.bundle.artifacts), paths=log)
        if self._incumbent is not None:
            layout = Layout(job.data_root).experiment(job.manifest.experiment)
            yield from _below(str(layout.run(self._incumbent).folder))

    def _inputs(self) -> Sights:
        """Look at what the workspace takes from elsewhere: extra inputs, and what links lead to."""
        workspaces = self._place.workspaces
        for name in workspaces.inputs:
            yield from _one(name)
        for path, sign in workspaces.originals.items():
            if stat.S_ISLNK(sign[0]):
                target = os.path.realpath(workspaces.locate(path))
                yield from _one(target)
                if self._surface.is_read_only(path):
                    yield from _below(target, most=_MOST_ENTRIES)


class Startup:
    """Watches, while candidates are measured, what runs in every Python that begins later."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._before = dict(searched_for_modules(job))

    def breach(self) -> Breach | None:
        """Say what was changed meanwhile; None when nothing was."""
        changed = _differing(self._before, dict(searched_for_modules(self._job)))
        return _breach("changed where Python looks for modules", changed)


def searched_for_modules(job: Job) -> Sights:
    """Look where Python finds modules of the user's by itself: PYTHONPATH, the user's own site."""
    environment = job.environment
    root = trees.real(job.spec.workspace_root) if job.spec.workspace_root else None
    for entry in filter(os.path.isabs, environment.get("PYTHONPATH", "").split(os.pathsep)):
        if root is None or not trees.is_inside(os.path.realpath(entry), root):
            yield from _below(entry, most=_MOST_ENTRIES)
    for library in _user_libraries(environment):
        yield from _below(library, most=_MOST_ENTRIES)


def _user_libraries(environment: Mapping[str, str]) -> Iterator[str]:
    home = environment.get("HOME", "")
    base = environment.get("PYTHONUSERBASE") or (home and f"{home}/.local")
    above = [f"{base}/lib"] if base else []
    above += [f"{home}/Library/Python"] if home else []
    for folder in above:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        yield from (f"{folder}/{name}" for name in names if name[:1] in "p0123456789")


def users(job: Job) -> Sights:
    """Look at the user's own workspace, and at what decides there how git makes one of it."""
    if job.spec.workspace_root is None:
        return
    root = trees.real(job.spec.workspace_root)
    leave_out = frozenset({os.path.relpath(trees.real(job.data_root), root)})
    yield from _below(root, names=NAMES | {".git"}, paths=leave_out)
    repository = git_workspace.find_repository(root)
    if repository is None:
        return
    private, shared = repository.git_dir, repository.common_dir
    for name in (f"{root}/.git", *(f"{private}/{name}" for name in _GIT_FILES)):
        yield from _one(name)
    for name in (*_SHARED_GIT_FILES, git_workspace.branch_of(repository)):
        yield from _one(f"{shared}/{name}")
    yield from _below(f"{shared}/hooks")


def _below(
    root: str,
    *,
    names: frozenset[str] = NAMES,
    paths: frozenset[str] = trees.NOTHING,
    most: int = sys.maxsize,
) -> Sights:
    for path, sign in trees.scan(root, names=names, paths=paths, most=most).items():
        yield f"{root}/{path}", sign


def _one(name: str) -> Sights:
    try:
        yield name, trees.signature(os.lstat(name))
    except OSError:
        return


def _differing(
    before: Mapping[str, trees.Signature], now: Mapping[str, trees.Signature]
) -> set[str]:
    paths = before.keys() | now.keys()
    return {path for path in paths if before.get(path) != now.get(path)}


def _breach(what: str, changed: set[str]) -> Breach | None:
    told = sorted(path for path in changed if not is_by_product(path))
    return Breach(Outcome.TAMPERED, f"{what}: {named(told)}") if told else None
