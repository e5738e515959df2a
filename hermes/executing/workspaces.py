"""Makes the workspace of each run of one slot, whatever its mode; only ``run`` uses it.

Limits first. Of a user's repository is recorded what git said a moment ago: after an edit it may
take a second until a run in ``git`` mode is recorded as made beside changes (the run itself is
always of the recorded commit). A first look at a sandbox that another process left behind also
ends what that process left running there, on Linux only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hermes.errors import Fault
from hermes.executing import by_products, git, git_workspace, strays, trees
from hermes.executing.copy_workspace import GIT, Source
from hermes.executing.git_workspace import Repository, Revision, Watch
from hermes.executing.sandbox import Mode, choose_mode
from hermes.executing.slot import WORK, Pulse, Slot
from hermes.model import Json
from hermes.spec import Spec

_MOST_NAMED = 20
_WORKSPACE_VARIABLES = ("LAB_WORKSPACE_ROOT", "LAB_EFFECTIVE_WORKSPACE_ROOT")


@dataclass(frozen=True)
class Order:
    """What the workspace of a run is made from.

    ``bare``: never with a repository or with by-products, for code that is changed.
    ``commit`` is the one to take it from, whatever is checked out; the mode is ``git`` then.
    """

    spec: Spec
    sandbox: Path
    data_root: Path
    environment: Mapping[str, str]
    bare: bool = False
    commit: str | None = None

    @cached_property
    def root(self) -> str | None:
        """The user's workspace, free of links."""
        return trees.real(self.spec.workspace_root) if self.spec.workspace_root else None

    @cached_property
    def leave_out(self) -> tuple[str, ...]:
        """What never belongs to the workspace, free of links."""
        return tuple({trees.real(self.data_root), trees.real(self.sandbox)})

    @cached_property
    def for_git(self) -> dict[str, str]:
        """The environment in which the lab calls git."""
        return {k: v for k, v in self.environment.items() if not k.startswith(("LAB_", "GIT_"))}


@dataclass(frozen=True)
class Workspace:
    """Where a run takes place, what its commands get, and what is recorded of it."""

    folder: Path
    environment: Mapping[str, str]
    facts: Mapping[str, Json]
    needs_setup: bool
    is_users_own: bool


def stop_in(sandbox: Path) -> None:
    """End what another process left running in a sandbox when it was killed."""
    strays.stop_marked(f"{_WORKSPACE_VARIABLES[1]}={sandbox / WORK}")


class Workspaces:
    """The workspaces of one slot, one after the other."""

    def __init__(self) -> None:
        self._slot: Slot | None = None
        self._source: Source | None = None
        self._source_key: object = None
        self._pristine: trees.Listing = {}
        self._watches: dict[str, Watch | None] = {}
        self._set_up_in_place: set[str] = set()
        self._needs_setup = True

    def prepare(self, order: Order, pulse: Pulse) -> Workspace:
        """Make or reset the workspace of the next run. Raises Fault, OSError.

        Writes: the sandbox.
        """
        revision = self._revision(order)
        mode = self._mode(order, revision)
        root = order.root
        if mode == "in-place":
            assert root is not None
            self._needs_setup = root not in self._set_up_in_place
            return self._described(order, mode, Path(root), revision)
        slot = self._slot_in(order.sandbox)
        if self._filled(slot, order, mode, revision, pulse):
            self._needs_setup = True
        watch = self._watches.get(root) if root else None
        if slot.changed and watch is not None and mode == "copy":
            watch.expire()
            revision = self._revision(order)
        return self._described(order, mode, slot.work, revision)

    def source(self, order: Order, pulse: Pulse) -> Source:
        """Return what a sandbox would be made from now, and make none. Raises Fault, OSError.

        Writes: a checkout in the sandbox's folder, where the workspace is taken from a commit.
        """
        revision = self._revision(order)
        mode = self._mode(order, revision)
        looked_at: Mode = "copy" if mode == "in-place" else mode
        return self._source_of(self._slot_in(order.sandbox), order, looked_at, revision, pulse)

    def _mode(self, order: Order, revision: Revision | None) -> Mode:
        """Choose how the workspace is made; what git ignores is in no commit, so it is copied."""
        mode = choose_mode(order.spec, revision)
        if mode != "git" or order.spec.workspace_mode != "auto" or order.root is None:
            return mode
        watch, commit = self._watches.get(order.root), revision.commit if revision else None
        held = watch is not None and commit is not None and watch.holds(commit, order.for_git)
        return "git" if held else "copy"

    def set_up(self, order: Order) -> None:
        """Take note that the setup command, if any, has done its work in the present workspace."""
        self._needs_setup = False
        if order.spec.workspace_mode == "in-place" and order.root is not None:
            self._set_up_in_place.add(order.root)
        elif self._slot is not None and order.spec.setup_command is not None:
            self._slot.settle()

    def close(self) -> None:
        """Remove the sandbox.

        Writes: removals.
        """
        if self._slot is not None:
            self._slot.discard()

    def _slot_in(self, folder: Path) -> Slot:
        if self._slot is None or self._slot.folder != folder:
            self._slot = Slot(folder)
            if os.path.lexists(folder):
                stop_in(folder)
        return self._slot

    def _revision(self, order: Order) -> Revision | None:
        """Ask about the user's repository; None without one. Raises Fault when it is needed."""
        root = order.root
        if root is None:
            return None
        if order.commit is not None:
            return Revision(order.commit, dirty=False)
        if root not in self._watches:
            repository = git_workspace.find_repository(root)
            usable = repository is not None and git.is_there(order.for_git)
            self._watches[root] = (
                Watch(repository, order.leave_out) if usable and repository else None
            )
        watch = self._watches[root]
        try:
            return watch.look(order.for_git) if watch is not None else None
        except (Fault, OSError):
            if order.spec.workspace_mode == "git":
                raise
            return None

    def _filled(
        self, slot: Slot, order: Order, mode: Mode, revision: Revision | None, pulse: Pulse
    ) -> bool:
        """Make the sandbox hold what it is to hold; True when it is a new one."""
        before = self._source
        source = self._source_of(slot, order, mode, revision, pulse)
        fresh = slot.prepare(source, pulse)
        if mode == "git" and source is before and slot.changed and self._is_spoilt():
            self._source_key = None
            return slot.prepare(self._source_of(slot, order, mode, revision, pulse), pulse)
        return fresh

    def _source_of(
        self, slot: Slot, order: Order, mode: Mode, revision: Revision | None, pulse: Pulse
    ) -> Source:
        commit = revision.commit if revision is not None and mode == "git" else None
        made_of = (order.spec.ingress_files, order.leave_out, order.bare)
        key = (mode, order.root, commit, *made_of)
        if self._source is None or key != self._source_key:
            self._source_key = None
            self._source = self._new_source(slot, order, mode, commit, pulse)
            self._source_key = key
        return self._source

    def _new_source(
        self, slot: Slot, order: Order, mode: Mode, commit: str | None, pulse: Pulse
    ) -> Source:
        root, ingress = order.root, order.spec.ingress_files
        if mode == "empty" or root is None:
            return Source(None, ingress=ingress)
        without = GIT | by_products.NAMES if order.bare else GIT
        if mode == "copy":
            left_out = order.leave_out
            return Source(root, original=root, leave_out=left_out, without=without, ingress=ingress)
        pristine = git_workspace.check_out(
            _repository(root),
            _known(commit, root),
            slot.folder,
            order.for_git,
            pulse,
            bare=order.bare,
        )
        self._pristine = trees.scan(str(pristine))
        if not order.bare:
            without = trees.NOTHING
        return Source(str(pristine), original=root, without=without, ingress=ingress)

    @property
    def originals(self) -> trees.Listing:
        """What the sandbox was made from: entries by path, without what the setup made."""
        return {} if self._slot is None else self._slot.wanted

    @property
    def made(self) -> trees.Listing:
        """The sandbox as it was when it had been prepared and set up."""
        return {} if self._slot is None else self._slot.made

    @property
    def inputs(self) -> list[str]:
        """The names of extra inputs that are taken from outside of the workspace."""
        assert self._source is not None, "there is no sandbox"
        return self._source.inputs

    def look(self) -> trees.Listing:
        """Scan the sandbox as it is now. Raises OSError."""
        assert self._slot is not None, "there is no sandbox"
        return trees.scan(str(self._slot.work), ours=True)

    def locate(self, path: str) -> str:
        """Return the name of the original of an entry."""
        assert self._source is not None, "there is no sandbox"
        return self._source.locate(path)

    def link_text(self, path: str) -> str:
        """Return what the link at ``path`` says in a sandbox. Raises OSError."""
        assert self._source is not None, "there is no sandbox"
        return self._source.link(path)

    def _is_spoilt(self) -> bool:
        """Say whether somebody touched the checkout that sandboxes are made from."""
        assert self._source is not None
        return trees.scan(str(self._source.root)) != self._pristine

    def _described(
        self, order: Order, mode: Mode, folder: Path, revision: Revision | None
    ) -> Workspace:
        facts: dict[str, Json] = {
            "mode": mode,
            "root": order.root,
            "git_revision": revision.commit if revision else None,
            "git_dirty": revision.dirty if revision else None,
            "sandbox_tool": None,
        }
        if self._slot is not None and self._slot.unreadable:
            facts["unreadable"] = list(sorted(self._slot.unreadable)[:_MOST_NAMED])
        return Workspace(
            folder=folder,
            environment=_environment_in(folder, order, mode),
            facts=facts,
            needs_setup=self._needs_setup,
            is_users_own=mode == "in-place",
        )


def _repository(root: str) -> Repository:
    found = git_workspace.find_repository(root)
    if found is None:
        raise Fault(f"{root} lies in no git repository.", "Use workspace_mode: copy.")
    return found


def _known(commit: str | None, root: str) -> str:
    if commit is None:
        raise Fault(
            f"Nothing of {root} is committed yet.", "Commit it, or use workspace_mode: copy."
        )
    return commit


def _environment_in(folder: Path, order: Order, mode: Mode) -> dict[str, str]:
    """Return the environment as it is right in ``folder``.

    git must not find the user's repository around a sandbox, nor Python the user's modules in the
    place of the sandbox's own.
    """
    own = dict.fromkeys(_WORKSPACE_VARIABLES, str(folder))
    changed = {**order.environment, **own, "PWD": str(folder)}
    if mode == "in-place":
        return changed
    changed["GIT_CEILING_DIRECTORIES"] = str(folder.parent)
    if order.root is not None and changed.get("PYTHONPATH"):
        entries = changed["PYTHONPATH"].split(os.pathsep)
        changed["PYTHONPATH"] = os.pathsep.join(
            _moved(entry, order.root, folder) for entry in entries
        )
    return changed


def _moved(entry: str, root: str, folder: Path) -> str:
    """Return the sandbox's own folder for one of the user's workspace, where it has it."""
    real = os.path.realpath(entry) if os.path.isabs(entry) else entry
    if not trees.is_inside(real, root):
        return entry
    moved = folder / os.path.relpath(real, root)
    return str(moved) if moved.exists() else entry
