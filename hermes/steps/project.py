"""The step ``project``: derives every projection of an experiment, or of the lab, anew."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import codec, files
from hermes.errors import BrokenFile
from hermes.lab import Lab
from hermes.layout import PROJECTED_FROM, ExperimentLayout
from hermes.model import DERIVED_VERSION
from hermes.status import AsOf, Status
from hermes.store.projections import LAB_LOCK

if TYPE_CHECKING:  # whoever only looks whether all is fresh folds nothing
    from hermes.blackboard import InFlight
    from hermes.history import History

Signature = list[list[int]]


def inputs(layout: ExperimentLayout) -> list[Path]:
    """Return the files that an experiment's projections are made from."""
    return [layout.folder / name for name in PROJECTED_FROM]


def signature(layout: ExperimentLayout) -> Signature:
    """Return what tells fresh from stale: size and modification time (ns) of each input.

    And the version of what is derived, so that none of another program's is taken for our own.
    """
    folder = str(layout.folder)  # a thousand paths would take longer than looking at the files
    return [[DERIVED_VERSION], *(_size_and_time(f"{folder}/{name}") for name in PROJECTED_FROM)]


def _size_and_time(path: str) -> list[int]:
    try:
        entry = os.stat(path)
    except OSError:
        return [-1, -1]
    return [entry.st_size, entry.st_mtime_ns]


@dataclass(frozen=True)
class Projected:
    """What an experiment's projections were made from.

    ``signature`` is that of the inputs as they were before they were read.
    """

    signature: Signature
    as_of: AsOf


def project(lab: Lab, experiment: str) -> Projected:
    """Write every projection of an experiment that differs from what it should be.

    Writes: the projections and checkpoints, by rename, under the experiment's projection lock;
    the file of a proposal that waits, and the removal of one that does not any more; the index,
    when it is not what was read the last time and does not name just the sealed runs.
    Raises BrokenFile when the SPEC cannot be read.
    """
    with lab.projections.lock(experiment):
        seen, past = _look_mended(lab, experiment)
        derived = _derived(lab, past, _in_flight(lab, experiment), thorough=not past.resumed)
        for path, data in derived.items():
            lab.projections.write(path, data)
        lab.control.show(experiment, _questions(lab, past))
    return Projected(seen, past.status().as_of)


def _look_mended(lab: Lab, experiment: str) -> tuple[Signature, History]:
    """Look at the records; at an index that is not the one read the last time, mended first."""
    from hermes.steps.mending import mend_index

    found = None
    with suppress(BrokenFile):
        found = _look(lab, experiment)
        if found[1].resumed and not found[1].skipped:
            return found
    thorough = found is None or found[1].skipped > 0
    if mend_index(lab, experiment, thorough=thorough) or found is None:
        return _look(lab, experiment)
    return found


def _look(lab: Lab, experiment: str) -> tuple[Signature, History]:
    from hermes import history

    return signature(lab.layout.experiment(experiment)), history.read(lab, experiment)


def _in_flight(lab: Lab, experiment: str) -> list[InFlight]:
    """Return the points of the packages that carry a run which is not sealed."""
    from hermes.blackboard import point

    drafts = lab.packages.drafts(experiment)
    return [point(draft) for draft in drafts if not lab.bundles.has(experiment, draft.run_id)]


def _told_in_flight(lab: Lab, experiment: str) -> Iterable[InFlight]:
    """Return what the blackboard says was in flight when it was written."""
    from hermes.blackboard import Blackboard

    try:
        data = files.read(lab.layout.experiment(experiment).blackboard)
        return codec.read_record(Blackboard, data or b"").in_flight
    except (ValueError, OSError):
        return ()


def _derived(
    lab: Lab, past: History, in_flight: Iterable[InFlight], *, thorough: bool
) -> dict[Path, bytes]:
    """Return the content of every file that is derived from one experiment's records.

    Of the blocks of the index only those to write, as ``Index.new_blocks`` finds them. They come
    before the state, which says that those before it need no second look.
    """
    from hermes import history
    from hermes.render.experiment import projections
    from hermes.store.specs import checkpoint as spec_checkpoint

    status = past.status()
    layout = lab.layout.experiment(status.id)
    views = projections(past.spec.spec, past.state, status, in_flight=in_flight)
    return {
        **{layout.folder / name: text for name, text in views.items()},
        **dict(lab.index(status.id).new_blocks(past.state.unbroken, thorough=thorough)),
        layout.state: history.checkpoint(lab, status.id, past.state),
        layout.parsed_spec: spec_checkpoint(past.spec),
        layout.checkpoints / "latest-run.txt": f"{status.last_run or ''}\n".encode(),
        layout.checkpoints / "best-run.txt": f"{status.best_run or ''}\n".encode(),
    }


def _questions(lab: Lab, past: History) -> dict[Path, bytes]:
    """Return the file of the proposal that waits for a person, if one does."""
    from hermes.render.approval import approval_file

    spec, state = past.spec.spec, past.state
    if state.waiting is None:
        return {}
    return {lab.layout.approval(state.waiting.id): approval_file(spec, state, state.waiting)}


def differing(lab: Lab, experiment: str) -> list[Path]:
    """Return the derived files of an experiment that are missing or not what its records tell.

    What lags behind the records as a whole is none of them: the next command brings it up to
    date. Nor is a blackboard that tells of what has landed since, for work goes on meanwhile.
    Raises BrokenFile when the records cannot be read, Busy.
    """
    from hermes import history

    with lab.projections.lock(experiment):
        past = history.read(lab, experiment)
        projected = _projected_status(lab, experiment)
        if projected is not None and projected.as_of != past.status().as_of:
            return []
        wrong = _wrong(lab, past, _in_flight(lab, experiment))
        return wrong and min(wrong, _wrong(lab, past, _told_in_flight(lab, experiment)), key=len)


def _wrong(lab: Lab, past: History, in_flight: Iterable[InFlight]) -> list[Path]:
    questions = _questions(lab, past)
    derived = {**_derived(lab, past, in_flight, thorough=True), **questions}
    lost = [path for path, data in derived.items() if not _holds(path, data)]
    shown = lab.control.shown(past.spec.spec.id)
    return [*lost, *(path for path in shown if path not in questions)]


def broken_tokens(lab: Lab, experiment: str) -> list[Path]:
    """Return the tokens of the graph that cannot be read; without them it looks at the packages."""
    layout = lab.layout.experiment(experiment)
    tokens = (layout.planned, layout.executed, layout.sealed)
    return [path for path in tokens if files.exists(path) and not lab.projections.is_token(path)]


def _holds(path: Path, data: bytes) -> bool:
    try:
        return files.read(path) == data
    except OSError:
        return False


def project_lab(lab: Lab, changed: Iterable[str] | None = None) -> None:
    """Write the lab's own projections.

    ``changed`` names the experiments whose status may differ from what LAB-INDEX.json says of
    them; None reads every status anew.
    Writes: LAB-STATUS.md and LAB-INDEX.json, by rename, under the lab's projection lock.
    """
    from hermes.render.overview import lab_index, lab_status

    with lab.projections.lock(LAB_LOCK):
        known = {} if changed is None else dict(read_index(lab))
        names = lab.experiments()
        fresh = set(names) - set(known) | (set(changed) if changed is not None else set())
        statuses: dict[str, Status] = {}
        for name in names:
            status = read_status(lab, name) if name in fresh else known[name]
            if status is not None:
                statuses[name] = status
        ordered = [statuses[name] for name in sorted(statuses)]
        lab.projections.write(lab.layout.lab_index, lab_index(ordered))
        lab.projections.write(lab.layout.lab_status, lab_status(ordered))


def differing_of_lab(lab: Lab) -> list[Path]:
    """Return those of the lab's own projections that are missing or damaged. Raises Busy."""
    from hermes.render.overview import lab_index, lab_status

    with lab.projections.lock(LAB_LOCK):
        statuses = [_as_projected(lab, status) for status in read_index(lab).values()]
        if not _holds(lab.layout.lab_index, lab_index(statuses)):
            return [lab.layout.lab_index]
        if not _holds(lab.layout.lab_status, lab_status(statuses)):
            return [lab.layout.lab_status]
        return []


def _as_projected(lab: Lab, status: Status) -> Status:
    """Return what the experiment's own projection says, unless that is of another time."""
    projected = _projected_status(lab, status.id)
    return projected if projected is not None and projected.as_of == status.as_of else status


def read_index(lab: Lab) -> Mapping[str, Status]:
    """Return every status in LAB-INDEX.json; empty when it is missing or broken.

    Read once as long as the file is the same: a thousand statuses take 15 ms.
    """
    try:
        found = os.stat(lab.layout.lab_index)
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp not in _indexes:
            _indexes.clear()
            _indexes[stamp] = _decoded_index(files.read(lab.layout.lab_index) or b"null")
    except (ValueError, TypeError, KeyError, OSError):
        return {}
    return _indexes[stamp]


_indexes: dict[tuple[int, ...], Mapping[str, Status]] = {}


def _decoded_index(data: bytes) -> Mapping[str, Status]:
    entries = codec.from_json(data)["experiments"]
    statuses = (codec.decode(Status, entry) for entry in entries)
    return {status.id: status for status in statuses}


def read_status(lab: Lab, experiment: str, *, anew: bool = False) -> Status | None:
    """Return an experiment's status as projected, else as its records tell it, else None.

    ``anew`` asks the records first; the projection then serves only when they are broken.
    """
    projected = None if anew else _projected_status(lab, experiment)
    return projected or _recorded_status(lab, experiment) or _projected_status(lab, experiment)


def _projected_status(lab: Lab, experiment: str) -> Status | None:
    try:
        data = files.read(lab.layout.experiment(experiment).status)
        return codec.read_record(Status, data or b"")
    except (ValueError, OSError):
        return None


def _recorded_status(lab: Lab, experiment: str) -> Status | None:
    from hermes import history

    try:
        return history.read(lab, experiment).status()
    except (BrokenFile, OSError):
        return None
