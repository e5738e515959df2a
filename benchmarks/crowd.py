"""Makes a lab of very many experiments quickly: one is run for real, the others are its copies.

Each copy is what the lab itself would have written under the other id, and passes ``verify``: the
id is put in the place of the first one's, then every digest is made anew, along the chains.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from subjects import an_experiment

from hermes import codec
from hermes.decisions import JournalRecord
from hermes.lab import Lab
from hermes.layout import ExperimentLayout
from hermes.model import Event, FileDigest, IndexLine, Manifest
from hermes.modes.loop import Tally, iterate
from hermes.steps.opening import opened
from hermes.steps.session import Order

_DIGITS = 4


def name_of(number: int) -> str:
    """Return the id of the experiment with this number; all are of one length."""
    return f"crowd-{number:0{_DIGITS}d}"


def make(lab: Lab, experiments: int, runs: int, **fields: object) -> list[str]:
    """Fill ``lab`` with experiments of ``runs`` sealed runs each; return their ids.

    ``fields`` are of every SPEC. Projections are left for the next command to make.
    """
    names = [name_of(number) for number in range(experiments)]
    first = an_experiment(lab, names[0], **fields)
    run_for_real(lab, first, runs)
    model = _Model(lab.layout.experiment(first), first)
    for name in names[1:]:
        model.copy(lab.layout.experiment(name), name)
    _append_events(lab, first, names[1:])
    return names


def run_for_real(lab: Lab, name: str, runs: int) -> None:
    """Make iterations of one experiment."""
    order = Order(attended=True, runs=runs)
    with opened(lab, name, order) as session:
        assert session is not None
        iterate(session, Tally(), runs, on_run=lambda _: None)


class _Model:
    """The experiment that was run, read once."""

    def __init__(self, layout: ExperimentLayout, name: str) -> None:
        self._name = name.encode()
        self._spec = layout.spec.read_bytes()
        self._journal = codec.read_record(JournalRecord, layout.journal.read_bytes())
        lines = layout.metrics.read_bytes().splitlines()
        self._lines = [codec.read_record(IndexLine, line) for line in lines]
        self._runs = [_read_run(layout.run(line.run_id).folder) for line in self._lines]

    def copy(self, layout: ExperimentLayout, name: str) -> None:
        """Write the whole experiment under another id."""
        for folder in (layout.runs, layout.checkpoints):
            os.makedirs(folder)
        spec = self._renamed(self._spec, name)
        created = replace(self._journal, spec_sha256=codec.digest(spec))
        layout.spec.write_bytes(spec)
        layout.journal.write_bytes(codec.to_line(created))
        previous: str | None = None
        index = []
        for line, run in zip(self._lines, self._runs, strict=True):
            previous = self._copy_run(layout, name, line.run_id, run, codec.digest(spec), previous)
            index.append(codec.to_line(replace(line, sha256=previous)))
        layout.metrics.write_bytes(b"".join(index))

    def _copy_run(
        self,
        layout: ExperimentLayout,
        name: str,
        run_id: str,
        run: dict[str, bytes],
        spec_sha256: str,
        previous: str | None,
    ) -> str:
        """Write one bundle; return the digest of its manifest."""
        folder = layout.run(run_id).folder
        os.makedirs(folder)
        contents = {path: self._renamed(data, name) for path, data in run.items()}
        manifest = codec.read_record(Manifest, contents.pop("manifest.json"))
        named = {path: FileDigest(codec.digest(data), len(data)) for path, data in contents.items()}
        final = replace(manifest, files=named, spec_sha256=spec_sha256, previous_sha256=previous)
        contents["manifest.json"] = codec.to_json(final, pretty=True)
        for path, data in contents.items():
            _write(f"{folder}/{path}", data)
        return codec.digest(contents["manifest.json"])

    def _renamed(self, data: bytes, name: str) -> bytes:
        return data.replace(self._name, name.encode())


def _read_run(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _append_events(lab: Lab, first: str, others: list[str]) -> None:
    """Write into the ledger for each copy what it says of the model."""
    lines = lab.layout.events.read_bytes().splitlines()
    events = [codec.read_record(Event, line) for line in lines]
    wanted = [event for event in events if event.experiment == first]
    with open(lab.layout.events, "ab") as stream:
        stream.writelines(_chained(wanted, others, events[-1].seq, codec.digest(lines[-1])))


def _chained(events: list[Event], names: list[str], seq: int, previous: str) -> Iterator[bytes]:
    for name in names:
        for event in events:
            seq += 1
            line = codec.to_line(replace(event, seq=seq, experiment=name, previous=previous))
            previous = codec.digest(line.rstrip(b"\n"))
            yield line
