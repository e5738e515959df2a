"""The floor under an iteration: the command, and the same files written durably by plain means."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.modes.loop import Tally
from hermes.steps.execute import execute
from hermes.steps.plan import Stop, plan
from hermes.steps.seal import seal
from hermes.steps.session import Session

_PLANNED = ("dispatch.json", "draft.json", "run/plan.md")


def bare(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command and keep nothing."""
    return subprocess.run(
        ["sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@dataclass(frozen=True)
class Specimen:
    """The bytes that the lab itself writes for one run, by name."""

    package: Mapping[str, bytes]
    bundle: Mapping[str, bytes]
    index_line: bytes
    event_line: bytes


def specimen(session: Session, tally: Tally) -> Specimen:
    """Make one iteration step by step, and keep what it wrote."""
    planned = plan(session)
    assert not isinstance(planned, Stop), planned.reason
    package = {name: (planned.folder.folder / name).read_bytes() for name in _PLANNED}
    execution = execute(session, planned)
    package["execution.json"] = planned.folder.execution.read_bytes()
    sealed = seal(session, planned, execution)
    assert sealed is not None
    tally.add(sealed.line)
    folder = session.layout.run(sealed.line.run_id).folder
    return Specimen(
        package,
        {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()},
        session.layout.metrics.read_bytes().splitlines(keepends=True)[-1],
        session.lab.layout.events.read_bytes().splitlines(keepends=True)[-1],
    )


class Floor:
    """Writes what a specimen holds again and again, each time with the command in between."""

    def __init__(self, place: Path, command: str, sample: Specimen) -> None:
        self._command = command
        self._sample = sample
        self._running = place / "running"
        self._runs = place / "runs"
        self._place = place
        self._number = 0
        for folder in (self._running, self._runs):
            folder.mkdir(parents=True)

    def __call__(self) -> None:
        """Make one iteration: plan made durable, command, bundle made durable, two lines."""
        self._number += 1
        package = self._running / f"package-{self._number:06d}"
        self._plan(package)
        ended = bare(self._command)
        self._write_rest(package, ended)
        os.rename(package / "run", self._runs / f"RUN-{self._number:06d}")
        _sync(self._runs)
        _sync(package)
        _append(self._place / "metrics.jsonl", self._sample.index_line)
        _append(self._place / "events.jsonl", self._sample.event_line)
        shutil.rmtree(package)

    def _plan(self, package: Path) -> None:
        building = self._running / f".{package.name}.tmp"
        for folder in (building, building / "run", building / "run" / "artifacts"):
            os.mkdir(folder)
        for name in _PLANNED:
            _write(building / name, self._sample.package[name])
        _sync(building / "run")
        _sync(building)
        os.rename(building, package)
        _sync(self._running)

    def _write_rest(self, package: Path, ended: subprocess.CompletedProcess[bytes]) -> None:
        _write(package / "execution.json", self._sample.package["execution.json"], durable=False)
        printed = {"stdout.log": ended.stdout, "stderr.log": ended.stderr}
        for name, data in {**self._sample.bundle, **printed}.items():
            if f"run/{name}" not in _PLANNED:
                _write(package / "run" / name, data)
        _sync(package / "run")


def _write(path: Path, data: bytes, *, durable: bool = True) -> None:
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
    try:
        os.write(fd, data)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _append(path: Path, line: bytes) -> None:
    with open(path, "ab", buffering=0) as stream:
        stream.write(line)
