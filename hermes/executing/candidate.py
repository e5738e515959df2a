"""A candidate of the code loop: what it is made of, and its files in a bundle.

Limit first: a bundle keeps every file that differs from the user's workspace, so that a candidate
can be made again from that workspace and its bundle alone, whatever became of earlier bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hermes import codec, files
from hermes.acceptance import Standing
from hermes.errors import BrokenFile
from hermes.exchange import Answer
from hermes.executing.content import Content
from hermes.layout import BundleLayout
from hermes.model import SCHEMA_VERSION

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
    the code; None: the mutation command does. With ``again`` none of these is asked for.
    """

    incumbent: Callable[[], Incumbent | None]
    seen: Callable[[str, str], str | None]
    given: Given | None = None
    ask: Callable[[Workplace], Answer] | None = None
    again: Again | None = None


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


def keep(
    bundle: BundleLayout,
    changed: Changes,
    *,
    parent_run: str | None,
    evaluator: str,
    surface: str,
    hypothesis: str,
) -> None:
    """Put a candidate into the bundle of its run, its record last.

    Writes: ``artifacts/candidate/`` and ``artifacts/candidate.json``. Raises OSError.
    """
    folder, record = bundle.candidate, bundle.candidate_record
    files.remove_tree(folder)
    files.remove_tree(record)
    stated: dict[str, _File | None] = {}
    for path, content in changed.items():
        if content is None:
            stated[path] = None
            continue
        target = folder / path
        files.make_folder(target.parent)
        files.write_new(target, content.data)
        stated[path] = _File(codec.digest(content.data), len(content.data), content.executable)
    files.write_new(
        record,
        codec.to_lined_json(
            _Record(SCHEMA_VERSION, parent_run, evaluator, surface, hypothesis, stated)
        ),
    )


def load(bundle: BundleLayout) -> tuple[Changes, str]:
    """Read a candidate back from a bundle, and its hypothesis. Raises BrokenFile."""
    record = bundle.candidate_record
    try:
        found = codec.read_record(_Record, files.read(record) or b"")
        changed = {path: _content(bundle, path, file) for path, file in found.changed.items()}
    except (OSError, ValueError) as error:
        raise BrokenFile(str(record), str(error)) from None
    return changed, found.hypothesis


def _content(bundle: BundleLayout, path: str, file: _File | None) -> Content | None:
    if file is None:
        return None
    data = files.read(bundle.candidate / path)
    if data is None or codec.digest(data) != file.sha256:
        raise ValueError(f"candidate/{path} is not the file that it names")
    return Content(data, file.executable)
