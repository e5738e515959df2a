"""Mends the index of an experiment's sealed runs; for whatever reads it or is about to add to it.

Limit first: a run whose bundle is gone or cannot be read keeps its line, for that is all that is
left of it; ``verify`` names the bundle. Without the line, too, the run is out of history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import files, history
from hermes.errors import BrokenFile
from hermes.history import History
from hermes.lab import Lab

if TYPE_CHECKING:
    from hermes.model import IndexLine
    from hermes.store.bundles import SealedBundle


def read_mended(lab: Lab, experiment: str) -> History:
    """Read an experiment whose lease the caller holds, its index mended first if need be.

    Raises BrokenFile. Writes: as ``mend_index``.
    """
    mend_index(lab, experiment)
    past = history.read(lab, experiment)
    if past.skipped and mend_index(lab, experiment, thorough=True):
        past = history.read(lab, experiment)
    return past


def mend_index(lab: Lab, experiment: str, *, thorough: bool = False) -> bool:
    """Rebuild the index when it does not name just the sealed runs; False when nothing changed.

    Looks at the form of each line; at its checksum too if ``thorough``, which takes longer.
    Safe beside a living owner: the file is replaced under its lock, and a line that the rebuilt
    file holds already is not appended again.

    Writes: ``metrics.jsonl`` and an event; what stands in its place and is no file is set aside.
    """
    index, path = lab.index(experiment), lab.layout.experiment(experiment).metrics
    sealed = lab.bundles.list(experiment)
    if not thorough and not index.missing(sealed):
        return False
    _make_way(path)
    part = index.read()
    known = {line.run_id: line for line in part.lines}
    if not part.skipped and not index.missing({*sealed, *known}):
        return False
    if not index.rebuild(lambda: _sealed_runs(lab, experiment, known)):
        return False
    lab.record("repaired", experiment, detail=f"{path.name} was rebuilt from the bundles")
    return True


def _make_way(path: Path) -> None:
    if files.exists(path) and not path.is_file():
        files.set_aside(path, only_folder=path.is_dir())


def _sealed_runs(
    lab: Lab, experiment: str, known: Mapping[str, IndexLine]
) -> Iterator[SealedBundle | IndexLine | BrokenFile]:
    """Read every sealed run; of one that cannot be read, take the line that the index had."""
    sealed = lab.bundles.list(experiment)
    for run_id in sealed:
        try:
            yield lab.bundles.read(experiment, run_id)
        except BrokenFile as error:
            yield known.get(run_id, error)
    yield from (line for run_id, line in known.items() if run_id not in set(sealed))
