"""The step ``verify``: checks every checksum and chain; reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hermes.errors import BrokenFile
from hermes.lab import Lab
from hermes.model import IndexLine
from hermes.store.specs import load


@dataclass(frozen=True)
class Verified:
    """How many bundles were checked, and every problem with the exact file."""

    bundles: int
    problems: tuple[str, ...]


def verify(lab: Lab, experiment: str | None = None) -> Verified:
    """Check one experiment, or all of them and the ledger."""
    lab.require()
    names = [lab.experiment(experiment).folder.name] if experiment else lab.experiments()
    problems = [problem for name in names for problem in experiment_problems(lab, name)]
    if experiment is None:
        problems += lab.ledger.check()
    return Verified(sum(len(lab.bundles.list(name)) for name in names), tuple(problems))


def experiment_problems(lab: Lab, experiment: str) -> Iterator[str]:
    """Name everything of one experiment that is not as it was written."""
    layout = lab.layout.experiment(experiment)
    try:
        load(layout)
    except BrokenFile as error:
        yield error.message
    yield from lab.journal(experiment).check()
    indexed = {line.run_id: line.sha256 for line in lab.index(experiment).read().lines}
    for run in lab.bundles.list(experiment):
        yield from lab.bundles.verify(experiment, run, expected_sha256=indexed.get(run))
    yield from lab.bundles.verify_chain(experiment)
    yield from index_problems(lab, experiment)


def index_problems(lab: Lab, experiment: str) -> Iterator[str]:
    """Say where the index and the sealed bundles disagree."""
    index = lab.index(experiment)
    path = lab.layout.experiment(experiment).metrics
    part = index.read()
    if part.skipped:
        yield f"{path}: {part.skipped} line(s) are not whole; `refresh` rebuilds the file"
    if index.missing(lab.bundles.list(experiment)):
        yield f"{path}: does not name just the sealed runs; `refresh` rebuilds the file"
    for line in part.lines:
        if lab.bundles.has(experiment, line.run_id) and not _agrees(lab, experiment, line):
            yield f"{path}: {line.run_id} does not match its manifest"


def _agrees(lab: Lab, experiment: str, line: IndexLine) -> bool:
    from hermes.store.index import index_line

    try:
        manifest, metrics, sha256 = lab.bundles.read(experiment, line.run_id)
    except BrokenFile:
        return True  # told of by its own check
    return index_line(manifest, metrics, sha256) == line
