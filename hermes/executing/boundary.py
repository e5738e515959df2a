"""Says whether a change of the code kept to its bounds; the code run asks it after the change.

Limits first. What was changed and put back is no change. By-products and what the setup command
made count for nothing: neither is carried over to where the candidate is measured.
While a candidate is measured, new files are let be, but for modules that Python would find beside
the evaluator's own; what lies outside of the sandbox ``outside`` watches.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hermes.executing import trees
from hermes.executing.by_products import is_by_product
from hermes.executing.surface import Surface
from hermes.executing.trees import Listing
from hermes.executing.workspaces import Workspaces
from hermes.model import Outcome

_MOST_NAMED = 5
_MOST_DEPTH = 60
_LONGEST = 1_000
_CHUNK = 1024 * 1024
_MODULES = (".py", ".pyc", ".so", ".pyd")


@dataclass(frozen=True)
class Breach:
    """A change that went too far, and what it did."""

    outcome: Outcome
    reason: str


def breach(
    surface: Surface,
    workspaces: Workspaces,
    root: str,
    *,
    before: Listing,
    after: Listing,
    ignored: Callable[[list[str]], set[str]],
) -> Breach | None:
    """Compare two scans of a sandbox; None when only the surface was changed.

    ``ignored`` tells which of some new paths are by-products too. Raises OSError.
    """
    touched = [
        path for path in sorted(before.keys() | after.keys()) if _differs(path, before, after)
    ]
    odd = [path for path in touched if surface.holds(path) and not _is_plain(root, path, after)]
    odd += [path for path in after.keys() - before.keys() if _is_long(path)]
    outside = [
        path
        for path in touched
        if not surface.holds(path) and _is_change(workspaces, root, path, before, after)
    ]
    new = [path for path in outside if path not in before and path not in workspaces.originals]
    dropped = ignored(new) if new else set()
    outside = [path for path in outside if path not in dropped]
    read_only = [path for path in outside if surface.is_read_only(path)]
    if read_only:
        return Breach(Outcome.TAMPERED, f"read-only paths were changed: {named(read_only)}")
    if outside:
        return Breach(Outcome.OUT_OF_BOUNDS, f"changed outside mutable_paths: {named(outside)}")
    if odd:
        return Breach(
            Outcome.OUT_OF_BOUNDS,
            f"no ordinary files of their own under a readable name: {named(odd)}",
        )
    return None


def _differs(path: str, before: Listing, after: Listing) -> bool:
    """Say whether an entry is another; of two folders, modes do not matter."""
    was, now = before.get(path), after.get(path)
    if was == now or is_by_product(path):
        return False
    kinds = {None if sign is None else trees.is_folder(sign) for sign in (was, now)}
    return kinds not in ({True}, {True, None})  # what is in a folder speaks for itself


def _is_plain(root: str, path: str, after: Listing) -> bool:
    """Say whether an entry of the surface is gone, or a file that is its own under a fit name."""
    sign = after.get(path)
    if sign is None or trees.is_folder(sign):
        return True
    if not _is_text(path) or path.count("/") >= _MOST_DEPTH or _is_long(path):
        return False
    entry = os.lstat(f"{root}/{path}")
    readable = bool(entry.st_mode & stat.S_IRUSR)
    return stat.S_ISREG(entry.st_mode) and entry.st_nlink == 1 and readable


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return path.isprintable()


def _is_long(path: str) -> bool:
    return len(path) > _LONGEST


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
    if (sign[0] ^ now[0]) & 0o111 or not now[0] & stat.S_IRUSR:
        return False
    return _is_same(workspaces.locate(path), f"{root}/{path}")


def _is_same(one: str, other: str) -> bool:
    """Say whether two regular files have the same content, to the last byte."""
    with open(one, "rb") as left, open(other, "rb", opener=_nofollow) as right:
        while True:
            data = left.read(_CHUNK)
            if data != right.read(_CHUNK):
                return False
            if not data:
                return True


def _nofollow(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def named(paths: list[str]) -> str:
    """Return the first few of some paths, and how many more there are."""
    shown = ", ".join(_short(path) for path in paths[:_MOST_NAMED])
    more = len(paths) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _short(path: str) -> str:
    text = ascii(path)[1:-1]
    return text if len(text) <= 200 else f"{text[:100]}...{text[-90:]}"


# While it is measured


def tampered(
    surface: Surface, workspaces: Workspaces, root: str, exempt: Iterable[str]
) -> Breach | None:
    """Say whether measuring touched the evaluator: anything of the workspace but the surface.

    Also what the setup command made, where it is read-only. A file that was written to counts,
    though its content be the same again. ``exempt`` are paths that measuring writes.
    """
    spared = Surface(tuple(exempt))
    kept = {
        path: sign
        for path, sign in workspaces.made.items()
        if (path in workspaces.originals or surface.is_read_only(path))
        and not (surface.holds(path) or spared.holds(path) or is_by_product(path))
    }
    changed = [path for path in sorted(kept) if _is_touched(kept[path], f"{root}/{path}")]
    if changed:
        return Breach(
            Outcome.TAMPERED, f"changed while the candidate was measured: {named(changed)}"
        )
    new = [path for path in _new_modules(workspaces, kept, root) if not spared.holds(path)]
    beside = [
        path for path in new if not (surface.holds(path) or surface.holds(f"{path}/__init__.py"))
    ]
    if not beside:
        return None
    return Breach(
        Outcome.TAMPERED,
        f"modules made beside the evaluator's while the candidate was measured: {named(beside)} "
        "(if the evaluator itself makes them, name them in artifacts_expected)",
    )


def _is_touched(was: trees.Signature, name: str) -> bool:
    try:
        now = os.lstat(name)
    except OSError:
        return True
    if trees.is_folder(was):
        return not stat.S_ISDIR(now.st_mode)
    return trees.signature(now) != was


def _new_modules(workspaces: Workspaces, kept: Iterable[str], root: str) -> Iterator[str]:
    """Yield what Python would find in the place of another module: beside a module that is kept."""
    folders = {os.path.dirname(path) for path in kept if path.endswith(".py")}
    for folder in sorted(folders & {os.path.dirname(path) for path in workspaces.originals}):
        for name in sorted(os.listdir(f"{root}/{folder}")):
            path = f"{folder}/{name}" if folder else name
            package = os.path.lexists(f"{root}/{path}/__init__.py")
            if path not in workspaces.made and (name.endswith(_MODULES) or package):
                yield path
