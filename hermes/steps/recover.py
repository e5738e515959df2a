"""The step ``recover``: everything that a crash can leave, completed or cleared away.

Limit first: what a living process holds is left alone, so recovering while the lab works is safe
and may leave that work unfinished.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hermes import codec, files
from hermes.errors import BrokenFile, LabError
from hermes.lab import Lab
from hermes.layout import PackageLayout, item_owner, parse_package
from hermes.steps.init import init
from hermes.steps.opening import opened
from hermes.steps.project import project, project_lab
from hermes.steps.reproduce import clear_left
from hermes.steps.session import Order
from hermes.store.projections import LAB_LOCK

SealedEvents = set[tuple[str | None, str | None]]


def recover(lab: Lab) -> list[str]:
    """Recover the whole lab and return what was done, a line each.

    Writes: what ``init`` finds missing; sealed bundles, index lines and events of runs that were
    cut off; projections. Removes unfinished temporary files of dead processes, and sets aside
    what stands in the place of something else.
    """
    lab.require()
    done = [*_make_way(lab)]
    init(lab)
    done += _renew_ledger(lab)
    told = _sealed_events(lab)
    done += [line for name in lab.experiments() for line in _recover_experiment(lab, name, told)]
    done += _clear_reproductions(lab)
    done += _set_aside_strangers(lab)
    done += _set_aside_strange_items(lab)
    done += _renew_task_database(lab)
    done += [f"removed {path}" for path in _remove_temporaries(lab)]
    try:
        project_lab(lab)
    except BrokenFile as error:
        done.append(error.message)
    if done:
        lab.record("recovered", detail=f"{len(done)} thing(s)")
    return done


def _make_way(lab: Lab) -> Iterator[str]:
    """Set aside files that stand where the lab has a folder."""
    root = lab.layout.root
    places = {place for folder in lab.layout.folders() for place in (folder, *folder.parents)}
    for place in sorted(places):  # a folder before what is in it
        if root in place.parents and place.is_file() and not place.is_symlink():
            files.set_aside(place)
            yield f"set {place} aside: a file in the place of a folder"


def _recover_experiment(lab: Lab, experiment: str, told: SealedEvents) -> Iterator[str]:
    before = len(lab.bundles.list(experiment))
    try:
        with opened(lab, experiment, Order()) as session:
            if session is None:
                yield f"{experiment}: left to the living process that works on it"
                return
            yield from _complete_ledger(lab, experiment, told)
        project(lab, experiment)
    except (LabError, OSError) as error:
        yield f"{experiment}: {error}"
        return
    sealed = len(lab.bundles.list(experiment)) - before
    if sealed:
        yield f"{experiment}: {sealed} run(s) that were cut off are in history now"


def _clear_reproductions(lab: Lab) -> Iterator[str]:
    """Remove what is left of running a run again where the process that did is gone."""
    for name in files.list_folder(lab.layout.reproductions):
        if clear_left(lab, name):
            yield f"{name}: removed what was left of running a run again"


def _set_aside_strangers(lab: Lab) -> Iterator[str]:
    """Move what is no package of a known experiment out of ``dispatch/running``."""
    names = files.list_folder(lab.layout.running)
    known = set(lab.experiments())  # after the packages: an experiment is there before those
    for name in names:
        parsed = parse_package(name)
        if parsed is None or parsed.experiment not in known:
            aside = lab.packages.set_aside(
                PackageLayout(lab.layout.running / name), "no package of a known experiment"
            )
            yield f"set {name} aside as {aside.name}"


def _set_aside_strange_items(lab: Lab) -> Iterator[str]:
    """Move what is no work item of a known experiment out of ``dispatch/agents``."""
    names = files.list_folder(lab.layout.agents)
    known = set(lab.experiments())
    for name in names:
        if item_owner(name) not in known:
            aside = lab.items.set_aside(name, "no work item of a known experiment", None)
            yield f"set {name} aside as {aside.name}"


# The ledger


def _complete_ledger(lab: Lab, experiment: str, told: SealedEvents) -> Iterator[str]:
    """Append the events of sealed runs that a crash kept from the ledger.

    The caller holds the lease: nobody else is about to write one of them.
    """
    lines = lab.index(experiment).read().lines
    if all((experiment, line.run_id) in told for line in lines):
        return
    told |= _sealed_events(lab)  # some may have been written since
    for line in lines:
        if (experiment, line.run_id) not in told:
            lab.record("sealed", experiment, line.run_id, line.outcome.value)
            yield f"{experiment}: {line.run_id} is in the ledger now"


def _sealed_events(lab: Lab) -> SealedEvents:
    events = lab.ledger.read().records
    return {(event.experiment, event.run_id) for event in events if event.kind == "sealed"}


def _renew_ledger(lab: Lab) -> Iterator[str]:
    """Set a damaged ledger aside whole, and begin another one by saying so.

    The chain cannot be mended: it would have to be written anew, and show nothing of the damage.
    """
    if not _is_ledger_damaged(lab):
        return
    with lab.projections.lock(LAB_LOCK):  # not two at once: the second would set the new one aside
        if not _is_ledger_damaged(lab):
            return
        kept = files.set_aside(lab.layout.events)
        if kept is not None:
            lab.record("broken", detail=f"the ledger was damaged; what is left is in {kept.name}")
            yield f"set the damaged ledger aside as {kept.name}"


def _is_ledger_damaged(lab: Lab) -> bool:
    """Say whether the ledger has damage that the next event does not cure.

    One without a record is no damage: it is what losing power leaves of a new one.
    """
    path = lab.layout.events
    is_blank = path.is_file() and not lab.ledger.read().records
    return files.exists(path) and len(lab.ledger.check()) > is_blank


# What is deletable


def is_task_database_damaged(lab: Lab) -> bool:
    """Say whether the graph's cache is no file, or has lines that are not whole."""
    path = lab.layout.task_database
    if not path.is_file():
        return files.exists(path)
    lines = (files.read(path) or b"").removesuffix(b"\n").split(b"\n")
    return lines != [b""] and not all(codec.parse_line(line) for line in lines)


def _renew_task_database(lab: Lab) -> Iterator[str]:
    """Put a damaged cache out of the way; the next command makes a new one."""
    if is_task_database_damaged(lab):
        files.set_aside(lab.layout.task_database)
        yield f"set {lab.layout.task_database} aside: it was damaged"


def _remove_temporaries(lab: Lab) -> Iterator[Path]:
    """Remove unfinished files and folders whose process is gone."""
    for path in temporaries(lab):
        files.remove_tree(path)
        yield path


def temporaries(lab: Lab) -> Iterator[Path]:
    """Find unfinished files and folders whose process is gone, outside of sealed bundles."""
    skipped = {lab.layout.scratch, *(lab.layout.experiment(e).runs for e in lab.experiments())}
    for folder, folders, names in os.walk(lab.layout.root):
        here = Path(folder)
        for name in [*folders, *names]:
            if is_left(name):
                yield here / name
        folders[:] = [
            name for name in folders if here / name not in skipped and not files.is_temporary(name)
        ]


def is_left(name: str) -> bool:
    """Say whether a name is that of unfinished work whose process is gone."""
    from hermes.store.processes import start_time

    owner = files.temporary_owner(name) if files.is_temporary(name) else None
    return owner is not None and start_time(owner) is None
