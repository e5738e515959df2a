"""Commits an accepted change to the lab's branch of the user's repository; ``promote`` asks.

Limits first. A file is stored as ``git add`` would store it, by the attributes and filters that
hold in the user's checkout. Nothing is signed, no hook runs, nothing is pushed.

Checkout, index, HEAD, stash and every other branch stay as they are: the tree is put together in
an index of the lab's own, and the branch is moved only from where it was looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes import files
from hermes.executing import git, trees
from hermes.executing.applying import mark_of, named
from hermes.executing.candidate import Changes
from hermes.executing.content import Content
from hermes.executing.git_workspace import Repository, find_repository
from hermes.promotions import TRAILER, Mark, Refusal

_FALLBACK = ("Hermes Lab", "hermes-lab@localhost")
_DURABLE = ("-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync")


@dataclass(frozen=True)
class Order:
    """What is to be committed for a run, and upon what.

    ``revision`` is the commit that the run's workspace had. ``replaced`` is what the workspace
    held when it had more than that commit, else None. ``is_ours`` says whether a run is one whose
    commit may be the tip. ``epoch`` is the time of the commit, in seconds.
    """

    workspace: str
    branch: str
    run_id: str
    revision: str | None
    changed: Changes
    replaced: Mapping[str, Mark | None] | None
    message: bytes
    epoch: int
    is_ours: Callable[[str], bool]


@dataclass(frozen=True)
class Committed:
    """The commit that holds the change."""

    commit: str
    branch: str


@dataclass(frozen=True)
class _Tip:
    commit: str
    run_id: str
    checked_out: str


def commit(order: Order, index: Path, environment: Mapping[str, str]) -> Committed | Refusal:
    """Commit a change, unless its commit is the tip already. Raises OSError.

    Writes: objects and the one branch of the user's repository; ``index``, which is removed.
    """
    repository = find_repository(trees.real(order.workspace))
    if repository is None:
        return Refusal(
            f"{order.workspace} is in no git repository",
            "make it one, or set promotion_strategy to apply-on-accept",
        )
    if not git.is_there(environment):
        return Refusal("git is not installed", "install it")
    committing = _Committing(order, repository, index, environment)
    try:
        return committing.done() or committing.refusal() or committing.commit()
    except git.Failed as error:
        return Refusal(error.message, "put that right; the next accepted change holds this one")
    finally:
        files.remove_tree(index)
        files.remove_tree(f"{index}.lock")


def identity(workspace: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and address of whoever git would name there, or the lab's own."""
    repository = find_repository(trees.real(workspace))
    if repository is None or not git.is_there(environment):
        return _FALLBACK
    return _identity(repository, environment)


def _identity(repository: Repository, environment: Mapping[str, str]) -> tuple[str, str]:
    found = []
    for key in ("user.name", "user.email"):
        try:
            said = git.call(repository.git_dir, repository.top, environment, "config", key)
        except git.Failed:
            return _FALLBACK
        found.append(said.decode("utf-8", "replace").strip())
    return (found[0], found[1]) if all(found) else _FALLBACK


def _signed(order: Order, repository: Repository, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say who commits, and when."""
    name, address = _identity(repository, environment)
    own: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        own |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": address}
        own[f"GIT_{role}_DATE"] = f"@{order.epoch} +0000"
    return own


class _Committing:
    """One commit on its way."""

    def __init__(
        self, order: Order, repository: Repository, index: Path, environment: Mapping[str, str]
    ) -> None:
        self._order = order
        self._repository = repository
        self._index = index
        self._environment = environment
        self._own = {"GIT_INDEX_FILE": str(index), **_signed(order, repository, environment)}
        self._ref = f"refs/heads/{order.branch}"
        self._tip = self._look()

    def done(self) -> Committed | None:
        """Return the commit of the run when it is the tip already."""
        tip = self._tip
        if tip is None or tip.run_id != self._order.run_id:
            return None
        return Committed(tip.commit, self._order.branch)

    def refusal(self) -> Refusal | None:
        """Say why the branch is not the lab's to move, or not to be built from what is known."""
        tip, order = self._tip, self._order
        if tip is not None and tip.checked_out:
            return Refusal(
                f"the branch {order.branch} is checked out in {tip.checked_out}",
                "check out another one there, for the lab moves this one",
            )
        if tip is not None and not order.is_ours(tip.run_id):
            return Refusal(
                f"the branch {order.branch} was moved to {tip.commit[:12]}, no commit of the lab's",
                f"give yours another name: `git branch -m {order.branch} NAME`",
            )
        if order.revision is None:
            return Refusal("the workspace had no commit to begin the branch from", "make one")
        changed = self._beside_the_commit(order.revision)
        if changed:
            return Refusal(
                f"{named(changed)} had changes that are not committed",
                "commit them: the branch holds only what is measured",
            )
        return None

    def commit(self) -> Committed | Refusal:
        """Make the commit and move the branch to it."""
        revision = self._order.revision
        assert revision is not None, "refused before"
        tree = self._tree(revision)
        parents = [word for parent in self._parents(revision) for word in ("-p", parent)]
        made = self._git(
            *(*_DURABLE, "-c", "i18n.commitEncoding=utf-8"),
            *("commit-tree", tree, *parents, "-F", "-"),
            given=self._order.message,
        )
        return self._move(made.decode().strip())

    def _move(self, made: str) -> Committed | Refusal:
        before = self._tip.commit if self._tip is not None else "0" * len(made)
        note = f"hermes: {self._order.run_id}"
        try:
            self._git(*_DURABLE, "update-ref", "-m", note, self._ref, made, before)
        except git.Failed as error:
            now = self._look()
            if now is not None and now.commit == made:
                return Committed(made, self._order.branch)
            moved = now != self._tip
            return Refusal(
                f"the branch {self._order.branch} {'moved meanwhile' if moved else 'did not move'}"
                f": {error.complaint}",
                "the next accepted change holds this one",
            )
        return Committed(made, self._order.branch)

    # Looking

    def _look(self) -> _Tip | None:
        """Return where the branch is; None when there is none."""
        form = "%(refname)%00%(objectname)%00%(worktreepath)"
        for line in self._git("for-each-ref", f"--format={form}", self._ref).splitlines():
            name, commit, folder = line.split(b"\0")
            if name.decode() == self._ref:
                return _Tip(commit.decode(), self._run_of(commit.decode()), os.fsdecode(folder))
        return None

    def _run_of(self, commit: str) -> str:
        form = f"--format=%(trailers:key={TRAILER},valueonly=true)"
        said = self._git("show", "-s", "--no-show-signature", form, commit).split()
        return said[-1].decode("utf-8", "replace") if said else ""

    def _beside_the_commit(self, revision: str) -> list[str]:
        """Name the changed files that were not as the commit has them when they were measured."""
        replaced = self._order.replaced
        if replaced is None:
            return []
        return [path for path, mark in replaced.items() if self._at(revision, path) != mark]

    def _at(self, revision: str, path: str) -> Mark | None:
        """Return what a file of a commit is in a checkout."""
        name = self._inside(path)
        entry = self._git("ls-tree", "-z", revision, "--", f":(top,literal){name}")
        if not entry.startswith(b"100"):  # none, a folder or a link: no regular file
            return None
        data = self._git("cat-file", "--filters", f"{revision}:{name}")
        return mark_of(Content(data, executable=entry.startswith(b"100755")))

    # Making

    def _parents(self, revision: str) -> list[str]:
        """Return the tip, and the commit of the workspace unless the tip is built upon it."""
        if self._tip is None:
            return [revision]
        missing = self._git("rev-list", "-n", "1", revision, f"^{self._tip.commit}")
        return [self._tip.commit, revision] if missing else [self._tip.commit]

    def _tree(self, revision: str) -> str:
        """Write the tree that has the change upon a commit; return its name."""
        files.make_folder(self._index.parent)
        files.remove_tree(self._index)
        self._git("read-tree", revision)
        given = b"".join(self._entries(len(revision)))
        self._git("update-index", "--add", "-z", "--index-info", given=given)
        return self._git(*_DURABLE, "write-tree").decode().strip()

    def _entries(self, digits: int) -> Iterator[bytes]:
        """Yield an index line a file, removals first: a folder may take a file's place."""
        for path, content in self._in_order():
            name = os.fsencode(self._inside(path))
            if content is None:
                yield b"0 %s\t%s\0" % (b"0" * digits, name)
                continue
            words = ("hash-object", "-w", "--stdin", f"--path={self._inside(path)}")
            blob = self._git(*_DURABLE, *words, given=content.data).strip()
            mode = b"100755" if content.executable else b"100644"
            yield b"%s %s\t%s\0" % (mode, blob, name)

    def _in_order(self) -> Iterable[tuple[str, Content | None]]:
        return sorted(self._order.changed.items(), key=lambda item: (item[1] is not None, item[0]))

    def _inside(self, path: str) -> str:
        prefix = self._repository.prefix
        return f"{prefix}/{path}" if prefix else path

    def _git(self, *words: str, given: bytes | None = None) -> bytes:
        place, own = self._repository, self._own
        return git.call(place.git_dir, place.top, self._environment, *words, own=own, given=given)
