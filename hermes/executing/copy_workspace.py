"""Says what a sandbox is to hold, and puts it there; only ``slot`` and ``run`` use it.

Limits first. ``.git`` is left out wherever it lies (but for the one that a sandbox is given), and
so are the data root, sockets, pipes and
devices, and what may not be read. What lies outside of the workspace is not copied: a link that
leads there leads there from the sandbox too, and what a run writes through it is written there.
A link that leads into the workspace leads into the sandbox instead.
Extra inputs (``ingress_files``) go to their own place when they lie in the workspace, and to the
top of the sandbox under their own name when they do not.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hermes.errors import Fault
from hermes.executing import trees
from hermes.executing.trees import Listing, Signature
from hermes.spec import Spec

GIT = frozenset({".git"})
_MADE_FOLDER: Signature = (stat.S_IFDIR | 0o755,)


class Source:
    """What a sandbox is to hold: a folder's content and extra inputs.

    ``root`` is the folder that is copied (None: nothing), ``original`` the user's workspace.
    Both are free of links. ``without`` are the names that are left out wherever they stand.
    """

    def __init__(
        self,
        root: str | None,
        *,
        original: str | None = None,
        leave_out: tuple[str, ...] = (),
        without: frozenset[str] = GIT,
        ingress: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self._original = original
        self._names = without
        self._leave_out = frozenset(
            os.path.relpath(path, root)
            for path in leave_out
            if root and trees.is_inside(path, root)
        )
        self._ingress = ingress
        self._extra: dict[str, str] = {}

    def look(self) -> Listing:
        """Return what the sandbox is to hold now, by the signatures of the originals.

        Raises Fault when the folder is gone, OSError when an extra input is.
        """
        found: Listing = {}
        if self.root is not None:
            if not os.path.isdir(self.root):
                raise Fault(f"The workspace {self.root} is gone.", "Create it again.")
            found = trees.scan(self.root, names=self._names, paths=self._leave_out)
            for path in [path for path, sign in found.items() if not trees.is_ordinary(sign)]:
                del found[path]
        self._extra = {}
        for pattern in self._ingress:
            for place, name in _inputs(pattern, self._original):
                self._add(found, place, name)
        return found

    def put(self, path: str, sign: Signature, target: str) -> None:
        """Put one entry of the listing at ``target``; its folder is there, it itself is not.

        Writes: a folder, a link or a file of the sandbox. Raises OSError.
        """
        if trees.is_folder(sign):
            trees.make_folder(target)
        elif stat.S_ISLNK(sign[0]):
            os.symlink(self.link(path), target)
        else:
            trees.copy_file(self.locate(path), target)

    def refill(self, path: str, sign: Signature, target: str) -> bool:
        """Give the file that stands at ``target`` its content back; False when that is none.

        Making files is the dearest part of a reset. Writes: ``target``, in place. Raises OSError.
        """
        return stat.S_ISREG(sign[0]) and trees.refill_file(self.locate(path), target)

    def is_readable(self, path: str) -> bool:
        """Say whether the lab may read the original of an entry."""
        return os.access(self.locate(path), os.R_OK)

    def locate(self, path: str) -> str:
        """Return the name of the original of an entry of the last look."""
        extra = self._extra.get(path)
        return extra if extra is not None else f"{self.root}/{path}"

    @property
    def inputs(self) -> list[str]:
        """The names of the extra inputs of the last look."""
        return list(self._extra.values())

    def link(self, path: str) -> str:
        """Return what the link at ``path`` is to say. Raises OSError."""
        return link_text(os.readlink(self.locate(path)), path, self._original)

    def _add(self, found: Listing, place: str, name: str) -> None:
        """Enter an extra input, a file or a folder with all that is in it, and its folders."""
        entry = os.stat(name)
        above = place
        while above := os.path.dirname(above):
            found.setdefault(above, _MADE_FOLDER)
        found[place] = trees.signature(entry)
        self._extra[place] = os.path.realpath(name)
        if stat.S_ISDIR(entry.st_mode):
            for path, sign in trees.scan(name, names=self._names | GIT).items():
                if trees.is_ordinary(sign):
                    found[f"{place}/{path}"] = sign
                    self._extra[f"{place}/{path}"] = f"{name}/{path}"


def missing_inputs(spec: Spec) -> list[str]:
    """Return the extra inputs of a SPEC that name nothing."""
    if not spec.ingress_files:
        return []
    root = os.path.realpath(spec.workspace_root) if spec.workspace_root else None
    return [
        pattern
        for pattern in spec.ingress_files
        if not any(os.path.exists(name) for _, name in _inputs(pattern, root))
    ]


def _inputs(pattern: str, original: str | None) -> Iterator[tuple[str, str]]:
    """Yield the place in the sandbox and the present name of each input that a pattern names."""
    names = [pattern]
    if original is not None:
        names = [str(Path(original, pattern))]
    if glob.has_magic(names[0]) and not os.path.lexists(names[0]):
        names = sorted(glob.iglob(names[0], recursive=True))
    for name in map(os.path.normpath, names):
        inside = original is not None and trees.is_inside(name, original) and name != original
        place = os.path.relpath(name, original) if inside else os.path.basename(name)
        yield place, name


def link_text(text: str, path: str, original: str | None) -> str:
    """Return what a link at ``path`` is to say in the sandbox, given what it says at home.

    >>> link_text("../b", "sub/a", "/ws")
    '../b'
    >>> link_text("/ws/b", "sub/a", "/ws")
    '../b'
    >>> link_text("../../etc", "sub/a", "/ws")
    '/etc'
    """
    if original is None:
        return text
    folder = os.path.normpath(f"{original}/{os.path.dirname(path)}")
    leads_to = os.path.normpath(Path(folder, text))
    if trees.is_inside(leads_to, original):
        return os.path.relpath(leads_to, folder) if os.path.isabs(text) else text
    real = os.path.realpath(leads_to)
    return os.path.relpath(real, folder) if trees.is_inside(real, original) else leads_to
