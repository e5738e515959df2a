"""The floor under an iteration: the command, and the same files written durably by plain means."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.steps.session import Session

_PLAN = "plan.md"


def bare(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command and keep nothing."""
    return subprocess.run(
        ["sh", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


@dataclass(frozen=True)
class Specimen:
    """The bytes that the lab itself writes for one run."""

    bundle: Mapping[str, bytes]
    index_line: bytes
    event_line: bytes


def specimen(session: Session) -> Specimen:
    """Return what the lab wrote for its last run."""
    last = session.state.last
    assert last is not None
    folder = session.layout.run(last.run_id).folder
    return Specimen(
        {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()},
        session.layout.metrics.read_bytes().splitlines(keepends=True)[-1],
        session.lab.layout.events.read_bytes().splitlines(keepends=True)[-1],
    )


class Floor:
    """Writes what a specimen holds again and again, each time with the command before it.

    Nothing is removed, nothing is checked, and nothing of the lab's own is written beside.
    """

    def __init__(self, place: Path, command: str, sample: Specimen) -> None:
        self._command = command
        self._sample = sample
        self._place = place
        self._running = place / "running"
        self._runs = place / "runs"
        self._number = 0
        for folder in (self._running, self._runs):
            folder.mkdir(parents=True)

    def least(self) -> None:
        """Run the command, write the files and their folder durably, add a line to an index."""
        ended = bare(self._command)
        run = self._next(self._runs)
        os.mkdir(run)
        self._write_files(run, {**self._sample.bundle, **_printed(ended)})
        _sync(run)
        _append(self._place / "metrics.jsonl", self._sample.index_line)

    def in_steps(self) -> None:
        """Do it in the lab's steps: plan durable, command, the rest durable, rename, two lines."""
        running = self._next(self._running)
        sealed = self._runs / running.name
        self._plan(running)
        ended = bare(self._command)
        rest = {name: data for name, data in self._sample.bundle.items() if name != _PLAN}
        self._write_files(running, {**rest, **_printed(ended)})
        _sync(running)
        os.rename(running, sealed)
        _sync(self._runs)
        _sync(self._running)
        _append(self._place / "metrics.jsonl", self._sample.index_line)
        _append(self._place / "events.jsonl", self._sample.event_line)

    def _next(self, folder: Path) -> Path:
        self._number += 1
        return folder / f"RUN-{self._number:06d}"

    def _plan(self, running: Path) -> None:
        building = self._running / f".{running.name}.tmp"
        os.mkdir(building)
        self._write_files(building, {_PLAN: self._sample.bundle[_PLAN]})
        _sync(building)
        os.rename(building, running)
        _sync(self._running)

    def _write_files(self, folder: Path, contents: Mapping[str, bytes]) -> None:
        for name, data in contents.items():
            _write(folder / name, data)


def _printed(ended: subprocess.CompletedProcess[bytes]) -> dict[str, bytes]:
    return {"stdout.log": ended.stdout, "stderr.log": ended.stderr}


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
    try:
        os.write(fd, data)
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
