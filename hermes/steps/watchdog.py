"""The step ``watchdog``: what is unhealthy, where, and what to do about it.

Reads only, unless it is asked to repair; then it recovers and refreshes, and looks again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hermes import files, history, policy
from hermes.errors import BrokenFile, Busy
from hermes.lab import Lab
from hermes.layout import SET_ASIDE, item_owner, parse_package
from hermes.model import Phase
from hermes.steps.digest import damaged
from hermes.steps.project import broken_tokens, differing, differing_of_lab
from hermes.steps.reclaim import reclaimable
from hermes.steps.recover import is_task_database_damaged, recover, temporaries
from hermes.steps.refresh import refresh
from hermes.steps.verify import index_problems, ledger_problems, record_problems
from hermes.store.projections import LAB_LOCK

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

    Writes: nothing but lock files, unless ``repair``; then what ``recover`` and ``refresh`` write.
    """
    lab.require()
    found = list(_findings(lab))
    if not repair or not found:
        return found
    recover(lab)
    refresh(lab)
    left = list(_findings(lab))
    still = {(finding.where, finding.problem) for finding in left}
    return [_for_a_person(finding) for finding in left] + [
        replace(finding, mended=True)
        for finding in found
        if (finding.where, finding.problem) not in still
    ]


def _for_a_person(finding: Finding) -> Finding:
    """Return a finding that mending has left; what has just been tried is not advised again."""
    if finding.remedy in (_RECOVER, _REFRESH) or "repair=yes" in finding.remedy:
        return replace(finding, remedy="Mending did not help: look at it, or take it from a backup")
    return finding


def _findings(lab: Lab) -> Iterator[Finding]:
    yield from _disk(lab)
    yield from _folders(lab)
    yield from _possession(lab)
    for experiment in lab.experiments():
        yield from _experiment(lab, experiment)
    yield from _strangers(lab)
    yield from _ledger(lab)
    yield from _deletable(lab)


_RECOVER = "Run `hermes-lab recover`"
_REFRESH = "Run `hermes-lab refresh`"
_RESTORE = "Restore it from a backup"
_LOOK = "Look at it, then move it elsewhere"


def _disk(lab: Lab) -> Iterator[Finding]:
    usage = shutil.disk_usage(lab.layout.root)
    if usage.free < _LOW_BYTES or usage.free < _LOW_SHARE * usage.total:
        free = usage.free // 2**20
        yield Finding(str(lab.layout.root), f"only {free} MiB of disk are free", "Make room")


def _folders(lab: Lab) -> Iterator[Finding]:
    for folder in lab.layout.folders():
        if not folder.is_dir():
            yield Finding(str(folder), "the folder is missing", _RECOVER)


def _possession(lab: Lab) -> Iterator[Finding]:
    for lease in lab.leases.stale():
        where = str(lab.layout.lease(lease.experiment))
        yield Finding(where, f"its owner {lease.owner} is gone", _RECOVER)
    for path in lab.leases.unreadable():
        yield Finding(str(path), "the lease cannot be read", _RECOVER)
    folder = lab.layout.running
    names = files.list_folder(folder)
    known, abandoned = set(lab.experiments()), set(reclaimable(lab))
    for name in names:
        parsed = parse_package(name)
        if parsed is None or parsed.experiment not in known:
            yield Finding(str(folder / name), "is no package of a known experiment", _RECOVER)
        elif parsed.experiment in abandoned:
            yield Finding(str(folder / name), "nobody alive works on it", _RECOVER)


def _experiment(lab: Lab, experiment: str) -> Iterator[Finding]:
    for problem in record_problems(lab, experiment):
        yield Finding(*_split(problem), _RESTORE)
    for problem in index_problems(lab, experiment):
        yield Finding(*_split(problem), _REFRESH)
    try:
        past = history.read(lab, experiment)
    except BrokenFile as error:
        yield Finding(experiment, error.message.rstrip("."), error.remedy.rstrip("."))
        return
    yield from _derived(lab, experiment)
    yield from _needs(experiment, past)


def _derived(lab: Lab, experiment: str) -> Iterator[Finding]:
    layout = lab.layout.experiment(experiment)
    found = {path for path in layout.projections() if not path.is_file()}
    found.update(_differing(lab, experiment))
    for path in sorted(found):
        yield Finding(str(path), "is missing or not what the records tell", _REFRESH)
    for path in broken_tokens(lab, experiment):
        yield Finding(str(path), "the token cannot be read", _REFRESH)


def _differing(lab: Lab, name: str) -> list[Path]:
    """Return what is damaged of the projections of an experiment, or of the lab.

    What is being written just now is left to its writer.
    """
    lock = lab.layout.projection_lock(name)
    if files.exists(lock) and not lock.is_file():
        return [lock]
    if not lock.parent.is_dir():
        return []
    try:
        return differing_of_lab(lab) if name == LAB_LOCK else differing(lab, name)
    except Busy:
        return []


def _needs(experiment: str, past: history.History) -> Iterator[Finding]:
    """Say when an experiment waits for a person or keeps failing."""
    from hermes.render.advice import advice

    status = past.status()
    told = advice(status)
    if status.phase is Phase.AWAITING_HUMAN and told is not None:
        why = told.why if status.phase_reason else "no reason given"
        remedy = f"Look at it, then `{told.command}`"
        yield Finding(experiment, f"waits for a person: {why}", remedy)
    elif past.state.failure_streak >= policy.ASK_AFTER:
        yield Finding(
            experiment,
            f"{past.state.failure_streak} failures in a row: {policy.last_failure(past.state)}",
            f"See `hermes-lab show exp={experiment}`",
        )


def _strangers(lab: Lab) -> Iterator[Finding]:
    known = set(lab.experiments())
    for name in files.list_folder(lab.layout.experiments):
        path: Path = lab.layout.experiments / name
        if name not in known or not path.is_dir():
            yield Finding(str(path), "is no experiment", "Move it elsewhere")
    for name in files.list_folder(lab.layout.complete):
        if SET_ASIDE in name and item_owner(name.partition(SET_ASIDE)[0]) is None:
            path = lab.layout.complete / name
            yield Finding(str(path), "is a package that nobody could use", _LOOK)


def _ledger(lab: Lab) -> Iterator[Finding]:
    path = lab.layout.events
    for problem in ledger_problems(lab):
        where, what = _split(problem)
        yield Finding(where, what, _RECOVER if where == str(path) else _RESTORE)
    for name in files.list_folder(path.parent):
        if name.startswith(path.name + SET_ASIDE):
            yield Finding(str(path.parent / name), "is what is left of a damaged ledger", _LOOK)


def _deletable(lab: Lab) -> Iterator[Finding]:
    for path in _differing(lab, LAB_LOCK):
        yield Finding(str(path), "is missing or damaged", _REFRESH)
    for path in damaged(lab):
        yield Finding(str(path), "the digest is not as it was written", _REFRESH)
    if is_task_database_damaged(lab):
        where = str(lab.layout.task_database)
        yield Finding(where, "the cache of the task graph is damaged", _RECOVER)
    for path in temporaries(lab):
        yield Finding(str(path), "is unfinished work of a process that is gone", _RECOVER)


def _split(problem: str) -> tuple[str, str]:
    where, _, what = problem.partition(": ")
    return where, what
