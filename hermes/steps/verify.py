"""The step ``verify``: checks every checksum and chain; reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from hermes import files
from hermes.decisions import Intent
from hermes.errors import BrokenFile
from hermes.lab import Lab
from hermes.model import IndexLine
from hermes.steps.reclaim import is_worked_on
from hermes.store.specs import load

_UNTOLD = (Intent.CREATED, Intent.NOTE)
_DECISIONS = [intent.value for intent in Intent if intent not in _UNTOLD]


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
        problems += ledger_problems(lab)
    return Verified(sum(len(lab.bundles.list(name)) for name in names), tuple(problems))


def experiment_problems(lab: Lab, experiment: str) -> Iterator[str]:
    """Name everything of one experiment that is not as it was written."""
    try:
        load(lab.layout.experiment(experiment))
    except BrokenFile as error:
        yield error.message
    yield from record_problems(lab, experiment)
    yield from index_problems(lab, experiment)


def record_problems(lab: Lab, experiment: str) -> Iterator[str]:
    """Name what is not as it was written in the journal and in every bundle."""
    yield from lab.journal(experiment).check()
    runs = lab.layout.experiment(experiment).runs
    if files.exists(runs) and not runs.is_dir():
        yield f"{runs}: is no folder"
    indexed = {line.run_id: line.sha256 for line in _indexed(lab, experiment)}
    sealed = lab.bundles.list(experiment)  # after the index, which names only what is sealed
    for run in sorted(indexed.keys() - set(sealed)):
        yield f"{runs / run}: is missing, though the index names it"
    problems = [
        problem
        for run in sealed
        for problem in lab.bundles.verify(experiment, run, expected_sha256=indexed.get(run))
    ]
    yield from dict.fromkeys([*problems, *lab.bundles.verify_chain(experiment)])


def index_problems(lab: Lab, experiment: str) -> Iterator[str]:
    """Say where the index is damaged, or disagrees with the sealed bundles that are there."""
    path = lab.layout.experiment(experiment).metrics
    sealed = lab.bundles.list(experiment)
    if sealed and is_worked_on(lab, experiment):
        sealed.pop()  # its owner may be about to enter it
    try:
        part = lab.index(experiment).read()
    except BrokenFile as error:
        yield error.message
        return
    torn = not (files.read(path) or b"\n").endswith(b"\n")
    if part.skipped or torn:
        yield f"{path}: {part.skipped + torn} line(s) are not whole"
    unnamed = set(sealed) - {line.run_id for line in part.lines}
    if unnamed:
        yield f"{path}: does not name {len(unnamed)} sealed run(s): {min(unnamed)}"
    for line in part.lines:
        if not _agrees(lab, experiment, line):
            yield f"{path}: {line.run_id} does not match its manifest"


def ledger_problems(lab: Lab) -> Iterator[str]:
    """Name what is not as it was written in the ledger, and where it tells more or less than is so.

    An event is written after what it tells of. So a decision that only the ledger knows was cut
    off the end of a journal, where the chain does not show it.
    """
    yield from lab.ledger.check()
    indexed = {
        name: {line.run_id for line in _indexed(lab, name)} for name in lab.experiments()
    }  # before the ledger is read, as it is written; the journals after it
    told = _told(lab)
    for experiment, runs in indexed.items():
        events = told.get(experiment, Counter())
        lost = _lost_decisions(lab, experiment, events)
        if lost:
            path = lab.layout.experiment(experiment).journal
            yield f"{path}: {lost} decision(s) that the ledger tells of are gone"
        untold = len(runs - events.keys())
        if untold and not is_worked_on(lab, experiment):
            yield f"{lab.layout.events}: does not tell of {untold} sealed run(s) of {experiment}"


def _lost_decisions(lab: Lab, experiment: str, events: Counter[str]) -> int:
    records = lab.journal(experiment).read().records
    decided = Counter(record.intent.value for record in records)
    return sum(max(0, events[kind] - decided[kind]) for kind in _DECISIONS)


def _told(lab: Lab) -> dict[str, Counter[str]]:
    """Count the events of each experiment, by kind; of sealed runs, by run.

    What was told of an earlier experiment of the same name does not count.
    """
    told: dict[str, Counter[str]] = {}
    for event in lab.ledger.read().records:
        if event.experiment is not None:
            if event.kind == "created":
                told[event.experiment] = Counter()
            what = event.run_id if event.kind == "sealed" else event.kind
            told.setdefault(event.experiment, Counter())[what or ""] += 1
    return told


def _indexed(lab: Lab, experiment: str) -> tuple[IndexLine, ...]:
    try:
        return lab.index(experiment).read().lines
    except BrokenFile:
        return ()  # told of by its own check


def _agrees(lab: Lab, experiment: str, line: IndexLine) -> bool:
    from hermes.store.index import index_line

    try:
        manifest, metrics, sha256 = lab.bundles.read(experiment, line.run_id)
    except (BrokenFile, ValueError):
        return True  # told of by the bundle's check
    return sha256 != line.sha256 or index_line(manifest, metrics, sha256) == line
