"""A candidate of the code loop: what it is made of, and its files in a bundle.

Limit first: a bundle keeps every file that differs from the user's workspace, so that a candidate
can be made again from that workspace and its bundle alone, whatever became of earlier bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from hermes import codec, files
from hermes.acceptance import Standing
from hermes.errors import BrokenFile
from hermes.exchange import Answer
from hermes.executing.content import Content, Tree
from hermes.layout import BundleLayout
from hermes.model import SCHEMA_VERSION
from hermes.promotions import Mark, Written

Changes: TypeAlias = Mapping[str, Content | None]
"""Files by path as they stand in a candidate; None for one that is not there."""


@dataclass(frozen=True)
class Workplace:
    """Where an agent changes code, with what environment, and for how long (seconds).

    ``log`` is a file that it may make, of what it printed.
    """

    folder: Path
    environment: Mapping[str, str]
    limit_seconds: float
    tick: Callable[[], None]
    begun: Callable[[], object]
    log: Path


@dataclass(frozen=True)
class Incumbent:
    """The code to begin from and to compare with.

    ``changed`` is how it differs from the user's workspace; ``candidate`` the digest of its
    surface, and ``evaluator`` that of what measured it. ``holdout`` is what the hold-out said.
    """

    changed: Changes
    candidate: str
    evaluator: str
    standing: Standing
    holdout: float | None = None


@dataclass(frozen=True)
class Given:
    """A candidate that is there already: it is measured, and nothing is asked to make one.

    ``changed`` is how it differs from the user's workspace.
    """

    changed: Changes
    hypothesis: str


@dataclass(frozen=True)
class Again:
    """A candidate to be measured as it was before, ``samples`` times, and compared with nothing.

    ``evaluator`` and ``candidate`` are the digests of then: where one is another now, nothing is
    measured. ``as_baseline``: the baseline command comes first.
    """

    changed: Changes
    evaluator: str
    candidate: str
    samples: int
    as_baseline: bool


@dataclass(frozen=True)
class CodeOrder:
    """What a run of the code loop goes by.

    ``incumbent`` tells the one of now, None before the first. ``seen`` names the run that has
    measured a candidate, by the digests of evaluator and candidate. ``ask`` has an agent change
    the code; None: the mutation command does. ``applied`` tells what the lab itself wrote into
    the user's workspace. With ``again`` none of these is asked for.
    """

    incumbent: Callable[[], Incumbent | None]
    seen: Callable[[str, str], str | None]
    given: Given | None = None
    ask: Callable[[Workplace], Answer] | None = None
    again: Again | None = None
    applied: Callable[[], Mapping[str, Written]] = dict


# In a bundle


@dataclass(frozen=True)
class _File:
    sha256: str
    size: int
    executable: bool


@dataclass(frozen=True)
class _Record:
    """``candidate.json``."""

    schema_version: int
    parent_run: str | None
    evaluator: str
    surface_sha256: str
    hypothesis: str
    changed: Mapping[str, _File | None]
    replaced: Mapping[str, _File | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A candidate as its bundle keeps it.

    ``changed`` is how it differs from the user's workspace, and ``replaced`` tells what stood
    there in the place of each of these files when it was made. ``surface`` is its digest.
    """

    changed: Changes
    replaced: Mapping[str, Mark | None]
    parent_run: str | None
    surface: str
    hypothesis: str


def keep(
    bundle: BundleLayout,
    changed: Changes,
    base: Tree,
    *,
    parent_run: str | None,
    evaluator: str,
    surface: str,
    hypothesis: str,
) -> None:
    """Put a candidate into the bundle of its run, its record last.

    ``base`` is the surface as it is in the user's workspace.

    Writes: ``artifacts/candidate/`` and ``artifacts/candidate.json``. Raises OSError.
    """
    folder, record = bundle.candidate, bundle.candidate_record
    files.remove_tree(folder)
    files.remove_tree(record)
    for path, content in changed.items():
        if content is not None:
            target = folder / path
            files.make_folder(target.parent)
            files.write_new(target, content.data)
    stated = {path: _file(content) for path, content in changed.items()}
    replaced = {path: _file(base.get(path)) for path in changed}
    made = _Record(SCHEMA_VERSION, parent_run, evaluator, surface, hypothesis, stated, replaced)
    files.write_new(record, codec.to_lined_json(made))


def _file(content: Content | None) -> _File | None:
    if content is None:
        return None
    return _File(codec.digest(content.data), len(content.data), content.executable)


def load(bundle: BundleLayout) -> tuple[Changes, str]:
    """Read a candidate back from a bundle, and its hypothesis. Raises BrokenFile."""
    kept = load_kept(bundle)
    return kept.changed, kept.hypothesis


def load_kept(bundle: BundleLayout) -> Kept:
    """Read all that a bundle says of its candidate. Raises BrokenFile."""
    record = bundle.candidate_record
    try:
        found = codec.read_record(_Record, files.read(record) or b"")
        changed = {path: _content(bundle, path, file) for path, file in found.changed.items()}
    except (OSError, ValueError) as error:
        raise BrokenFile(str(record), str(error)) from None
    replaced = {path: _mark(file) for path, file in found.replaced.items()}
    return Kept(changed, replaced, found.parent_run, found.surface_sha256, found.hypothesis)


def _mark(file: _File | None) -> Mark | None:
    return None if file is None else Mark(file.sha256, file.executable)


def _content(bundle: BundleLayout, path: str, file: _File | None) -> Content | None:
    if file is None:
        return None
    data = files.read(bundle.candidate / path)
    if data is None or codec.digest(data) != file.sha256:
        raise ValueError(f"candidate/{path} is not the file that it names")
    return Content(data, file.executable)
