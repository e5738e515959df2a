"""Measures what tests an evaluator: the code as it is, several times, and code that is wrong.

``steps/audit`` calls it. Limits first. Nothing enters history: runs take place in folders of
scratch. Wrong code is made without knowing the language: nonsense, nothing, and a syntax error in
most languages; what prints is made for Python and shells only.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hermes import files
from hermes.acceptance.audit import Kind, Probe, Traces
from hermes.clock import Clock
from hermes.executing import local, trees
from hermes.executing.bench import Bench, Candidate, Over, candidate_of
from hermes.executing.boundary import named
from hermes.executing.content import Content, Tree
from hermes.executing.desk import Desk, logged
from hermes.executing.job import Job
from hermes.executing.outside import users
from hermes.executing.stages import Result, Stages
from hermes.executing.surface import Surface
from hermes.executing.workspaces import Workspaces
from hermes.model import Outcome

_NONSENSE = b"\xf0\x9f\x8e\xb2 this is )( no code at all \x00\xff\n" * 3
_ERROR = b"\n)( this cannot be parsed ]{\n"
_PRINTS = {".py": b'\nprint("%b: nan")\n', ".sh": b'\necho "%b: nan"\n'}
_MOST_TEXT = 1024 * 1024


KINDS = (Kind.GARBAGE, Kind.EMPTY, Kind.BROKEN, Kind.PRINTING)


class Auditor:
    """Measures for one audit; close it when done. ``job_of`` makes the job of a probe."""

    def __init__(
        self, job_of: Callable[[int], Job], clock: Clock, tick: Callable[[], None]
    ) -> None:
        self._job_of = job_of
        self._clock = clock
        self._tick = tick
        self._desk = Desk()
        self._first = job_of(0)

    def measure(self, repeats: int) -> tuple[list[Probe], Traces]:
        """Measure the code as it is so often, then what is wrong. Raises LabError, OSError.

        Writes: the sandbox and the folders of the jobs.
        """
        before = dict(users(self._first)), _elsewhere(self._first)
        probes: list[Probe] = []
        for kind in (*[Kind.AS_IS] * repeats, *KINDS):
            probe = self._probe(kind, self._job_of(len(probes) + 1))
            if probe is not None:
                probes.append(probe)
        return probes, self._traces(*before)

    def close(self) -> None:
        """Remove the sandbox."""
        self._desk.close()

    def _probe(self, kind: Kind, job: Job) -> Probe | None:
        """Measure once; None where there is nothing of that kind to measure."""
        stages = Stages(job, self._clock, local.GRACE_SECONDS, self._tick)
        place = self._desk.measuring(job)
        workspace = place.prepare(stages.pulse)
        with logged(job.bundle) as (stdout, stderr):
            stages.begin()
            failed = place.set_up(workspace, stages)
            if failed is not None:
                return _failed(kind, failed, stages)
            measuring = Stages(job, self._clock, local.GRACE_SECONDS, self._tick)
            bench = Bench(job, place, measuring, stdout, stderr)
            found = _made(kind, bench.base(), job.spec.metric)
            return None if found is None else _sampled(kind, bench, found, measuring)

    def _traces(self, before: Mapping[str, trees.Signature], around: set[str]) -> Traces:
        now = dict(users(self._first))
        changed = sorted(
            path for path in before.keys() | now.keys() if before.get(path) != now.get(path)
        )
        new = sorted(_elsewhere(self._first) - around)
        return Traces(_few(changed), _few(new), tuple(self._naming()))

    def _naming(self) -> Iterator[str]:
        """Yield what of the evaluator says the path of the user's workspace."""
        spec, workspaces = self._first.spec, self._desk.measuring(self._first).workspaces
        if spec.workspace_root is None:
            return
        path = os.fsencode(spec.workspace_root)
        for name in ("setup_command", "executor_command", "validation_command"):
            command = getattr(spec, name)
            if command is not None and path in os.fsencode(str(command)):
                yield name
        own = Surface.of(spec)
        for original, sign in sorted(workspaces.originals.items()):
            readable = stat.S_ISREG(sign[0]) and sign[1] <= _MOST_TEXT
            if readable and not own.holds(original) and path in _text(workspaces, original):
                yield original


def _text(workspaces: Workspaces, original: str) -> bytes:
    try:
        return files.read(Path(workspaces.locate(original))) or b""
    except OSError:
        return b""


def _sampled(kind: Kind, bench: Bench, found: Candidate, stages: Stages) -> Probe:
    try:
        sample = bench.sample(found)
    except Over as over:
        return _failed(kind, over.result, stages)
    seconds = stages.usage.wall_seconds
    return Probe(kind, Outcome.SUCCESS, "", sample.value, sample.secondary, seconds)


def _failed(kind: Kind, result: Result, stages: Stages) -> Probe:
    return Probe(kind, result.outcome, result.reason, seconds=stages.usage.wall_seconds)


def _made(kind: Kind, base: Tree, metric: str) -> Candidate | None:
    """Return the candidate of a kind; None when the surface has no file to make it of."""
    changed = {
        path: content
        for path, content in ((path, _changed(kind, path, base[path], metric)) for path in base)
        if content is not None
    }
    return candidate_of(base, changed) if changed or kind is Kind.AS_IS else None


def _changed(kind: Kind, path: str, was: Content, metric: str) -> Content | None:
    if kind is Kind.GARBAGE:
        return replace(was, data=_NONSENSE)
    if kind is Kind.EMPTY:
        return replace(was, data=b"")
    if kind is Kind.BROKEN:
        return replace(was, data=_ERROR + was.data + _ERROR)
    printing = _PRINTS.get(os.path.splitext(path)[1]) if kind is Kind.PRINTING else None
    if printing is None:
        return None
    return replace(was, data=was.data + printing % metric.encode("utf-8", "replace"))


def _elsewhere(job: Job) -> set[str]:
    """Return the names in the home and temporary folders, but for those that are the lab's."""
    places = (job.environment.get("HOME"), job.environment.get("TMPDIR", "/tmp"))  # noqa: S108  only looked at
    found: set[str] = set()
    for place in filter(None, places):
        with contextlib.suppress(OSError):
            found.update(f"{place.rstrip('/')}/{name}" for name in os.listdir(place))
    return found


def _few(paths: list[str]) -> tuple[str, ...]:
    return (named(paths),) if paths else ()
