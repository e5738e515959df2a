"""Makes the patch of a candidate: what git needs to make one tree of another; the code run asks it.

Limits first. Without git a renamed file is one that is deleted and one that is made, and text that
differs by more than a hundred million pairs of lines is replaced whole. A patch is exact either
way: ``git apply`` makes ``after`` of ``before`` to the byte.

git is asked in a repository that the lab makes for the moment, from contents and not from files:
so no attribute, setting or hook of anybody has a say in what the patch shows.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hermes import files
from hermes.executing import git, plain_patch
from hermes.executing.content import Content, Tree
from hermes.executing.plain_patch import MOST_PAIRS, is_binary, mode_of, quoted

_BEFORE, _AFTER = "refs/heads/before", "refs/heads/after"
_HOW = (
    *("--binary", "--full-index", "-M", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--no-relative"),
)


def diff(before: Tree, after: Tree, scratch: Path, environment: Mapping[str, str]) -> bytes:
    """Return the patch in git's format that makes ``after`` of ``before``; b"" when they are equal.

    ``environment`` says where git is found; without git the lab writes the patch by itself.
    Raises Fault when git fails.

    Writes: a folder of its own in ``scratch``, which is removed again.
    """
    if before == after:
        return b""
    if not git.is_there(environment):
        return plain_patch.diff(before, after)
    with _repository(scratch, environment) as own:
        own.call("fast-import", "--quiet", given=_import(before, after))
        return own.call("diff", *_HOW, _BEFORE, _AFTER, "--")


@contextlib.contextmanager
def _repository(scratch: Path, environment: Mapping[str, str]) -> Iterator[git.Own]:
    files.make_folder(scratch)
    folder = files.temporary_beside(scratch / "patch")
    try:
        git.make_git_dir(folder, "ref: refs/heads/none", bare=True)
        yield git.Own(folder, environment)
    finally:
        files.remove_tree(folder)


def _import(before: Tree, after: Tree) -> bytes:
    """Return both trees as ``git fast-import`` reads them."""
    return b"".join((*_commit(_BEFORE, before), *_commit(_AFTER, after), b"done\n"))


def _commit(branch: str, tree: Tree) -> Iterator[bytes]:
    yield f"commit {branch}\ncommitter lab <lab> 0 +0000\ndata 0\n".encode()
    for path, content in sorted(tree.items()):
        yield b"M %s inline %s\n" % (mode_of(content), quoted(path))
        yield b"data %d\n" % len(content.data)
        yield content.data
        yield b"\n"


# Counting


def changed_lines(before: Tree, after: Tree) -> tuple[int, int]:
    """Return how many lines a change adds and removes; binary files have none.

    Pure. Two files of very many lines count as replaced, where they differ.
    """
    counts = [
        _count(_lines(before.get(path)), _lines(after.get(path)))
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    ]
    return sum(added for added, _ in counts), sum(removed for _, removed in counts)


def _lines(content: Content | None) -> Sequence[bytes]:
    if content is None or is_binary(content.data):
        return ()
    return plain_patch.lines(content.data)


def _count(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[int, int]:
    start, end = plain_patch.common(old, new)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if len(old) * len(new) > MOST_PAIRS:
        return len(new), len(old)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    return len(new) - same, len(old) - same
