"""Tells evaluators apart: the digest of all that measures a candidate; the code run asks it.

Limit first: what lies outside of the workspace (the interpreter, installed packages, data by an
absolute path) is not part of it, but for the commands that name it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hermes import codec
from hermes.executing.by_products import is_by_product
from hermes.executing.surface import Surface
from hermes.executing.trees import Listing, is_folder
from hermes.executing.workspaces import Workspaces
from hermes.spec import Spec

_CHUNK = 1024 * 1024
_DIGITS = 16


@dataclass
class Evaluators:
    """Remembers the digest as long as nothing that it is made of was touched."""

    _made_of: tuple[Spec, Listing] | None = None
    _digest: str = ""

    def digest(self, spec: Spec, surface: Surface, workspaces: Workspaces) -> str:
        """Return the digest of the commands and of every original outside the surface.

        16 hexadecimal digits. Raises OSError.
        """
        made_of = (spec, workspaces.originals)
        if self._made_of != made_of:
            self._digest = _digest(spec, surface, workspaces)
            self._made_of = (spec, dict(workspaces.originals))
        return self._digest


def written_by_measuring(spec: Spec) -> tuple[str, ...]:
    """Return the paths of a workspace that an evaluator may write without touching itself."""
    named = (*spec.egress_files, *spec.artifacts_expected)
    return (*named, "metrics.json", *([spec.params_file] if spec.params_file else ()))


def _digest(spec: Spec, surface: Surface, workspaces: Workspaces) -> str:
    spared = Surface(written_by_measuring(spec))
    total = hashlib.sha256()
    commands = (spec.setup_command, spec.executor_command, spec.validation_command)
    total.update(codec.to_json({"commands": commands, "metric": spec.metric}))
    for path in _part_of(workspaces.originals, (surface, spared)):
        name = os.fsencode(path)
        total.update(b"%d:%s %s\n" % (len(name), name, _content(workspaces, path).encode()))
    return total.hexdigest()[:_DIGITS]


def _part_of(originals: Listing, without: Iterable[Surface]) -> list[str]:
    return [
        path
        for path in sorted(originals)
        if not is_folder(originals[path])
        and not is_by_product(path)
        and not any(surface.holds(path) for surface in without)
    ]


def _content(workspaces: Workspaces, path: str) -> str:
    mode = workspaces.originals[path][0]
    if stat.S_ISLNK(mode):
        return f"link {workspaces.link_text(path)!r}"
    total = hashlib.sha256()
    with Path(workspaces.locate(path)).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return f"{total.hexdigest()} {mode & 0o111}"
