"""Reads the truth of an experiment: its SPEC, and its two streams folded into a state.

Reads only. The checkpoint spares folding what was folded before; one that does not fit the
streams any more (they were rebuilt, restored or cut) is left aside, and the fold starts at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hermes import codec, files
from hermes.lab import Lab
from hermes.layout import ExperimentLayout
from hermes.model import DERIVED_VERSION, Direction
from hermes.state import ExperimentState, fold_intent, fold_run
from hermes.status import Status, status_of
from hermes.store.specs import LoadedSpec, load

_MARK_BYTES = 20


@dataclass(frozen=True)
class Checkpoint:
    """A state, the version that folded it, and the ends of the two streams."""

    schema_version: int
    derived_version: int
    journal_mark: str
    metrics_mark: str
    state: ExperimentState


@dataclass(frozen=True)
class History:
    """An experiment as its canonical files tell it.

    ``resumed``: a checkpoint fitted them. ``skipped``: so many lines of the index are damaged,
    of those that were read.
    """

    spec: LoadedSpec
    state: ExperimentState
    resumed: bool = False
    skipped: int = 0

    def status(self) -> Status:
        """Return the status that follows from it."""
        return status_of(self.spec.spec, self.spec.sha256, self.state)


def read(lab: Lab, experiment: str) -> History:
    """Read an experiment and fold both streams to their ends, from the checkpoint if it fits.

    Raises BrokenFile when its SPEC or its index cannot be read.
    """
    layout = lab.layout.experiment(experiment)
    spec = load(layout)
    saved = _checkpointed(lab, layout, spec.spec.metric_direction)
    state = saved or ExperimentState(spec.spec.metric_direction)
    state, skipped = _advance(lab, experiment, state)
    return History(spec, state, resumed=saved is not None, skipped=skipped)


def advance(lab: Lab, experiment: str, state: ExperimentState) -> ExperimentState:
    """Fold what has been appended to either stream since ``state``. Raises BrokenFile."""
    return _advance(lab, experiment, state)[0]


def _advance(lab: Lab, experiment: str, state: ExperimentState) -> tuple[ExperimentState, int]:
    journal = lab.journal(experiment).read(state.journal_bytes)
    for record in journal.records:
        state = fold_intent(state, record)
    index = lab.index(experiment).read(state.metrics_bytes)
    for line in index.lines:
        if state.last is None or line.seq > state.last.seq:  # a session folds before it writes
            state = fold_run(state, line)
    if (journal.offset, index.offset) != (state.journal_bytes, state.metrics_bytes):
        state = replace(state, journal_bytes=journal.offset, metrics_bytes=index.offset)
    return state, index.skipped


def checkpoint(lab: Lab, experiment: str, state: ExperimentState) -> bytes:
    """Return the bytes of a checkpoint of ``state``: a line with its checksum."""
    layout = lab.layout.experiment(experiment)
    return codec.to_line(
        Checkpoint(
            lab.schema_version,
            DERIVED_VERSION,
            _mark(layout.journal, state.journal_bytes),
            _mark(layout.metrics, state.metrics_bytes),
            state,
        )
    )


def _checkpointed(
    lab: Lab, layout: ExperimentLayout, direction: Direction
) -> ExperimentState | None:
    try:
        saved = codec.from_line(Checkpoint, files.read(layout.state) or b"")
    except OSError:
        return None
    if saved is None:
        return None
    state = saved.state
    fits = (
        saved.schema_version == lab.schema_version
        and saved.derived_version == DERIVED_VERSION
        and state.direction is direction
        and saved.journal_mark == _mark(layout.journal, state.journal_bytes)
        and saved.metrics_mark == _mark(layout.metrics, state.metrics_bytes)
    )
    return state if fits else None


def _mark(path: object, offset: int) -> str:
    """Return the end of the last folded line, which holds its checksum."""
    try:
        data = files.read_before(str(path), offset, _MARK_BYTES)
    except OSError:
        return "unreadable"
    return data.decode("utf-8", "replace") if data or not offset else "cut"
