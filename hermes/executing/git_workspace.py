"""Asks git about the user's repository and takes commits out of it; changes nothing there.

Limits first. Submodules and ignored files are not part of what is taken. A sandbox at the top of
a repository gets a ``.git`` of its own, so that git works there; it borrows the user's objects and
shares no branch, index, setting or hook with the user's repository (git may give an object there
a newer time, when a run writes the same content). A workspace below the top of its repository
gets none.

The user's index is left alone. The lab never asks git about a folder in which a run took place:
what a run leaves there could be settings that run code.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes import files
from hermes.errors import Fault
from hermes.executing import git, trees
from hermes.executing.git import Pulse

_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FRESH_SECONDS = 1.0
_FRESH_COSTS = 50.0  # a look may cost a fiftieth of the time between two

_has_tree: dict[tuple[Repository, str], bool] = {}


@dataclass(frozen=True)
class Repository:
    """A repository, and where the workspace stands in it (``prefix`` is "" at its top)."""

    top: str
    git_dir: str
    common_dir: str
    prefix: str


@dataclass(frozen=True)
class Revision:
    """The commit that is checked out (None before the first), and whether there is more than it."""

    commit: str | None
    dirty: bool


def find_repository(workspace: str) -> Repository | None:
    """Find the repository around a folder whose path is free of links, without calling git."""
    folder = workspace
    while True:
        git_dir = _git_dir(f"{folder}/.git")
        if git_dir is not None:
            prefix = os.path.relpath(workspace, folder)
            return Repository(
                folder, git_dir, _common_dir(git_dir), "" if prefix == "." else prefix
            )
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)


def _git_dir(name: str) -> str | None:
    """Return the git folder that ``.git`` is or names; None when it is neither."""
    if os.path.isdir(name):
        return name if os.path.lexists(f"{name}/HEAD") else None
    try:
        text = files.read(name)
    except OSError:
        return None
    if text is None or not text.startswith(b"gitdir:"):
        return None
    named = os.fsdecode(text.removeprefix(b"gitdir:").strip())
    found = os.path.normpath(Path(name).parent / named)
    return found if os.path.isdir(found) else None


def _common_dir(git_dir: str) -> str:
    text = files.read(f"{git_dir}/commondir")
    return os.path.normpath(Path(git_dir, os.fsdecode((text or b".").strip())))


class Watch:
    """Knows the revision of a workspace, and asks git again only when there is reason to."""

    def __init__(self, repository: Repository, leave_out: tuple[str, ...]) -> None:
        self._repository = repository
        self._leave_out = leave_out
        self._signs: object = None
        self._known: Revision | None = None
        self._fresh_until = 0.0

    def look(self, environment: Mapping[str, str]) -> Revision:
        """Return the revision; whether it is dirty is as of a moment ago. Raises Fault, OSError."""
        signs = _signs(self._repository)
        now = time.monotonic()
        if self._known is None or signs != self._signs or now >= self._fresh_until:
            self._known = ask_revision(self._repository, self._leave_out, environment)
            cost = time.monotonic() - now
            self._fresh_until = now + max(_FRESH_SECONDS, _FRESH_COSTS * cost)
            self._signs = signs
        return self._known

    def holds(self, commit: str, environment: Mapping[str, str]) -> bool:
        """Say whether a commit has the workspace's folder in it: one that git ignores is clean."""
        return holds_workspace(self._repository, commit, environment)

    def expire(self) -> None:
        """Ask again next time: the workspace is known to have changed."""
        self._fresh_until = 0.0


def _signs(repository: Repository) -> object:
    """Return what changes whenever the checked-out commit or the index does."""
    head = files.read(f"{repository.git_dir}/HEAD") or b""
    branch = branch_of(repository)
    places = (
        f"{repository.git_dir}/index",
        f"{repository.common_dir}/{branch}",
        f"{repository.common_dir}/packed-refs",
        f"{repository.common_dir}/reftable/tables.list",
    )
    return head, tuple(_sign(place) for place in places)


def branch_of(repository: Repository) -> str:
    """Return the name of the branch that is checked out, as a file; without one, the commit."""
    head = files.read(f"{repository.git_dir}/HEAD") or b""
    return os.fsdecode(head.removeprefix(b"ref:").strip())


def _sign(name: str) -> trees.Signature | None:
    try:
        return trees.signature(os.stat(name))
    except OSError:
        return None


def ask_revision(
    repository: Repository, leave_out: tuple[str, ...], environment: Mapping[str, str]
) -> Revision:
    """Ask git for the commit and for changes in the workspace, new files among them.

    ``leave_out`` are absolute paths whose changes do not count. Raises Fault, OSError.
    """
    form = ("--porcelain=v2", "--branch", "--untracked-files=normal")
    lines = _status(repository, leave_out, environment, *form)
    commits = [line.split()[2].decode() for line in lines if line.startswith(b"# branch.oid ")]
    commit = commits[0] if commits and commits[0] != "(initial)" else None
    return Revision(commit, any(line and not line.startswith(b"# ") for line in lines))


def changed_paths(
    repository: Repository, leave_out: tuple[str, ...], environment: Mapping[str, str]
) -> list[str]:
    """Name the files of the workspace that are not as the commit has them, relative to it.

    New files among them, but for ignored ones. Raises Fault, OSError.
    """
    form = ("--porcelain=v1", "--no-renames", "--untracked-files=all")
    lines = _status(repository, leave_out, environment, *form)
    skipped = len(repository.prefix) + 1 if repository.prefix else 0
    return [os.fsdecode(line[3:])[skipped:] for line in lines if line]


def _status(
    repository: Repository,
    leave_out: tuple[str, ...],
    environment: Mapping[str, str],
    *form: str,
) -> list[bytes]:
    without = [
        f":(top,exclude,literal){os.path.relpath(path, repository.top)}"
        for path in leave_out
        if trees.is_inside(path, repository.top)
    ]
    where = ("--", f":(top,literal){repository.prefix}", *without)
    words = ("status", *form, "-z", "--ignore-submodules=none", *where)
    return _git(repository, environment, *words).split(b"\0")


def loose_commit(repository: Repository) -> str | None:
    """Return the checked-out commit when a file says it, without calling git; None otherwise."""
    head = (files.read(f"{repository.git_dir}/HEAD") or b"").strip()
    if head.startswith(b"ref:"):
        branch = os.fsdecode(head.removeprefix(b"ref:").strip())
        head = (files.read(f"{repository.common_dir}/{branch}") or b"").strip()
    return head.decode("ascii") if _COMMIT.fullmatch(head) else None


def holds_workspace(repository: Repository, commit: str, environment: Mapping[str, str]) -> bool:
    """Say whether a commit has the workspace's folder in it; asked once per commit."""
    key = (repository, commit)
    if key not in _has_tree:
        tree = f"{commit}:{repository.prefix}"
        try:
            _has_tree[key] = (
                _git(repository, environment, "cat-file", "-t", tree).strip() == b"tree"
            )
        except Fault:
            return False
    return _has_tree[key]


def ignored(
    repository: Repository, paths: Iterable[str], environment: Mapping[str, str]
) -> set[str]:
    """Return those of some paths below the workspace that git ignores; "" is the workspace itself.

    One that ends in ``/`` is a folder's. Raises Fault where git cannot tell, OSError.
    """
    prefix = f"{repository.prefix}/" if repository.prefix else ""
    asked = b"".join(os.fsencode(f"{prefix}{path}") + b"\0" for path in paths)
    words = ("check-ignore", "--stdin", "-z")
    try:
        said = git.call(repository.git_dir, repository.top, environment, *words, given=asked)
    except git.Failed as failed:
        if failed.complaint:
            raise
        return set()  # none of them
    return {os.fsdecode(name)[len(prefix) :] for name in said.split(b"\0") if name}


def check_out(
    repository: Repository,
    commit: str,
    folder: Path,
    environment: Mapping[str, str],
    pulse: Pulse,
    *,
    bare: bool = False,
) -> Path:
    """Take the workspace as of ``commit`` out of the repository; return the folder that holds it.

    Its files bear the time of the commit; ``bare``: it gets no repository of its own.
    Raises Fault, OSError.

    Writes: ``pristine`` and ``index`` in ``folder``, which belongs to the sandbox.
    """
    pristine, index = folder / "pristine", folder / "index"
    files.make_folder(folder)
    files.remove_tree(pristine)
    files.remove_tree(index)
    pristine.mkdir(mode=0o700)
    own = {**environment, "GIT_INDEX_FILE": str(index)}
    tree = f"{commit}:{repository.prefix}"
    _git(repository, own, "read-tree", "--reset", "-u", tree, work_tree=pristine, pulse=pulse)
    said = _git(repository, environment, "show", "-s", "--format=%ct", commit)
    _set_times(pristine, int(said.split()[-1]))
    if not (repository.prefix or bare):
        _give_own_repository(repository, commit, pristine, index)
    return pristine


def _set_times(root: Path, seconds: int) -> None:
    for path in trees.scan(str(root)):
        os.utime(root / path, (seconds, seconds), follow_symlinks=False)


def _give_own_repository(repository: Repository, commit: str, pristine: Path, index: Path) -> None:
    """Make a repository around the checkout that borrows the user's objects and nothing else."""
    git_dir = pristine / ".git"
    git.make_git_dir(git_dir, commit, bare=False, config=_object_format(commit))
    objects = f"{repository.common_dir}/objects"
    (git_dir / "objects/info/alternates").write_bytes(os.fsencode(objects) + b"\n")
    shutil.copyfile(index, git_dir / "index")
    shallow = files.read(f"{repository.common_dir}/shallow")
    if shallow is not None:
        (git_dir / "shallow").write_bytes(shallow)


def _object_format(commit: str) -> str:
    if len(commit) == 40:
        return ""
    return "\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n"


def _git(
    repository: Repository,
    environment: Mapping[str, str],
    *words: str,
    work_tree: Path | None = None,
    pulse: Pulse = lambda: None,
) -> bytes:
    """Ask git about the repository. Raises Fault with its complaint, OSError without git."""
    tree = str(work_tree or repository.top)
    own = {"GIT_INDEX_FILE": environment["GIT_INDEX_FILE"]} if work_tree else {}
    return git.call(repository.git_dir, tree, environment, *words, own=own, pulse=pulse)
