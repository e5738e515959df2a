"""The step ``watchdog``: what is unhealthy, where, and what to do about it.

Reads only, unless it is asked to repair; then it recovers and refreshes, and looks again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hermes import files, history, policy
from hermes.errors import LabError
from hermes.lab import Lab
from hermes.layout import parse_package
from hermes.model import Phase
from hermes.steps.reclaim import reclaimable
from hermes.steps.recover import recover, temporaries
from hermes.steps.refresh import refresh
from hermes.steps.verify import index_problems

_LOW_BYTES = 2**30
_LOW_SHARE = 0.02


@dataclass(frozen=True)
class Finding:
    """Something unhealthy: the file or experiment, what is wrong, and the next step."""

    where: str
    problem: str
    remedy: str
    mended: bool = False

    @property
    def text(self) -> str:
        """The finding in one line."""
        state = "mended: " if self.mended else ""
        return f"{state}{self.where}: {self.problem}. {self.remedy}"


def watchdog(lab: Lab, *, repair: bool = False) -> list[Finding]:
    """Return every finding; with ``repair``, those that could be mended are marked so.

    Writes: nothing, unless ``repair``; then what ``recover`` and ``refresh`` write.
    """
    lab.require()
    found = list(_findings(lab))
    if not repair or not found:
        return found
    recover(lab)
    refresh(lab)
    left = list(_findings(lab))
    still = {(finding.where, finding.problem) for finding in left}
    return left + [
        replace(finding, mended=True)
        for finding in found
        if (finding.where, finding.problem) not in still
    ]


def _findings(lab: Lab) -> Iterator[Finding]:
    yield from _disk(lab)
    yield from _folders(lab)
    yield from _possession(lab)
    for experiment in lab.experiments():
        yield from _experiment(lab, experiment)
    yield from _strangers(lab)
    for problem in lab.ledger.check():
        yield Finding(*_split(problem), "Restore it from a backup")
    for path in temporaries(lab):
        yield Finding(str(path), "is unfinished work of a process that is gone", _RECOVER)


_RECOVER = "Run `recover`"
_REFRESH = "Run `refresh`"


def _disk(lab: Lab) -> Iterator[Finding]:
    usage = shutil.disk_usage(lab.layout.root)
    if usage.free < _LOW_BYTES or usage.free < _LOW_SHARE * usage.total:
        free = usage.free // 2**20
        yield Finding(str(lab.layout.root), f"only {free} MiB of disk are free", "Make room")


def _folders(lab: Lab) -> Iterator[Finding]:
    for folder in lab.layout.folders():
        if not folder.is_dir():
            yield Finding(str(folder), "the folder is missing", _RECOVER)
    for path in (lab.layout.lab_index, lab.layout.lab_status):
        if not path.is_file():
            yield Finding(str(path), "the projection is missing or no file", _REFRESH)
    if not lab.layout.events.is_file():
        yield Finding(str(lab.layout.events), "the ledger is missing or no file", _RECOVER)


def _possession(lab: Lab) -> Iterator[Finding]:
    for lease in lab.leases.stale():
        where = str(lab.layout.lease(lease.experiment))
        yield Finding(where, f"its owner {lease.owner} is gone", _RECOVER)
    for path in lab.leases.unreadable():
        yield Finding(str(path), "the lease cannot be read", _RECOVER)
    known, abandoned = set(lab.experiments()), set(reclaimable(lab))
    folder = lab.layout.running
    for name in files.list_folder(folder):
        parsed = parse_package(name)
        if parsed is None or parsed.experiment not in known:
            yield Finding(str(folder / name), "is no package of a known experiment", _RECOVER)
        elif parsed.experiment in abandoned:
            yield Finding(str(folder / name), "nobody alive works on it", _RECOVER)


def _experiment(lab: Lab, experiment: str) -> Iterator[Finding]:
    layout = lab.layout.experiment(experiment)
    try:
        past = history.read(lab, experiment)
    except LabError as error:
        yield Finding(experiment, error.message.rstrip("."), error.remedy.rstrip("."))
        return
    except OSError as error:
        yield Finding(experiment, str(error), "Restore the file from a backup")
        return
    for problem in lab.journal(experiment).check():
        yield Finding(*_split(problem), "Restore it from a backup")
    for problem in index_problems(lab, experiment):
        yield Finding(*_split(problem), _REFRESH)
    for path in layout.projections():
        if not path.is_file():
            yield Finding(str(path), "the projection is missing or no file", _REFRESH)
    yield from _unreadable_bundles(lab, experiment)
    yield from _needs(experiment, past)


def _unreadable_bundles(lab: Lab, experiment: str) -> Iterator[Finding]:
    for run in lab.bundles.list(experiment):
        try:
            lab.bundles.read(experiment, run)
        except LabError as error:
            yield Finding(*_split(error.message), "Restore it from a backup")


def _needs(experiment: str, past: history.History) -> Iterator[Finding]:
    """Say when an experiment waits for a person or keeps failing."""
    if past.state.phase is Phase.AWAITING_HUMAN:
        yield Finding(
            experiment,
            f"waits for a person: {past.state.phase_reason or 'no reason given'}",
            f"Look at it, then `resume exp={experiment}`",
        )
    elif past.state.failure_streak >= policy.ASK_AFTER:
        yield Finding(
            experiment,
            f"{past.state.failure_streak} failures in a row: {policy.last_failure(past.state)}",
            f"See `show exp={experiment}`",
        )


def _strangers(lab: Lab) -> Iterator[Finding]:
    known = set(lab.experiments())
    for name in files.list_folder(lab.layout.experiments):
        path: Path = lab.layout.experiments / name
        if name not in known or not path.is_dir():
            yield Finding(str(path), "is no experiment", "Move it elsewhere")


def _split(problem: str) -> tuple[str, str]:
    where, _, what = problem.partition(": ")
    return where, what
