"""The step ``recover``: everything that a crash can leave, completed or cleared away.

Limit first: what a living process holds is left alone, so recovering while the lab works is safe
and may leave that work unfinished.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hermes import files
from hermes.errors import LabError
from hermes.lab import Lab
from hermes.layout import PackageLayout, parse_package
from hermes.steps.init import init
from hermes.steps.mending import mend_index
from hermes.steps.project import project, project_lab
from hermes.steps.session import Order, opened


def recover(lab: Lab) -> list[str]:
    """Recover the whole lab and return what was done, a line each.

    Writes: what ``init`` finds missing; sealed bundles, index lines and events of runs that were
    cut off; projections. Removes unfinished temporary files of dead processes.
    """
    lab.require()
    init(lab)
    done = [line for name in lab.experiments() for line in _recover_experiment(lab, name)]
    done += _set_aside_strangers(lab)
    done += _complete_ledger(lab)
    done += [f"removed {path}" for path in _remove_temporaries(lab)]
    project_lab(lab)
    if done:
        lab.record("recovered", detail=f"{len(done)} thing(s)")
    return done


def _recover_experiment(lab: Lab, experiment: str) -> Iterator[str]:
    before = len(lab.index(experiment).read().lines)
    try:
        with opened(lab, experiment, Order()) as session:
            if session is None:
                yield f"{experiment}: left to the living process that works on it"
                return
            mend_index(lab, experiment)
        project(lab, experiment)
    except (LabError, OSError) as error:
        yield f"{experiment}: {error}"
        return
    sealed = len(lab.index(experiment).read().lines) - before
    if sealed:
        yield f"{experiment}: {sealed} run(s) that were cut off are in history now"


def _set_aside_strangers(lab: Lab) -> Iterator[str]:
    """Move what is no package of a known experiment out of ``dispatch/running``."""
    known = set(lab.experiments())
    for name in files.list_folder(lab.layout.running):
        parsed = parse_package(name)
        if parsed is None or parsed.experiment not in known:
            aside = lab.packages.set_aside(
                PackageLayout(lab.layout.running / name), "no package of a known experiment"
            )
            yield f"set {name} aside as {aside.name}"


def _complete_ledger(lab: Lab) -> Iterator[str]:
    """Append the events of sealed runs that a crash kept from the ledger."""
    told = {event.run_id for event in lab.ledger.read().records if event.kind == "sealed"}
    for experiment in lab.experiments():
        for line in lab.index(experiment).read().lines:
            if line.run_id not in told:
                lab.record("sealed", experiment, line.run_id, line.outcome.value)
                yield f"{experiment}: {line.run_id} is in the ledger now"


def _remove_temporaries(lab: Lab) -> Iterator[Path]:
    """Remove unfinished files and folders whose process is gone."""
    for path in temporaries(lab):
        files.remove_tree(path)
        yield path


def temporaries(lab: Lab) -> Iterator[Path]:
    """Find unfinished files and folders whose process is gone, outside of sealed bundles."""
    from hermes.store.processes import start_time

    skipped = {lab.layout.scratch, *(lab.layout.experiment(e).runs for e in lab.experiments())}
    for folder, folders, names in os.walk(lab.layout.root):
        here = Path(folder)
        for name in [*folders, *names]:
            owner = files.temporary_owner(name) if files.is_temporary(name) else None
            if owner is not None and start_time(owner) is None:
                yield here / name
        folders[:] = [
            name for name in folders if here / name not in skipped and not files.is_temporary(name)
        ]
