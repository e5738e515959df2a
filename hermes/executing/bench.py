"""Measures candidates, and the incumbent in turns with them; one bench serves one code run.

Limit first: a sample is taken in a sandbox that was reset before, so nothing of one measurement
is there in the next, but for what commands keep outside of it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial

from hermes import files
from hermes.executing import artifacts, boundary, surface
from hermes.executing.candidate import Changes
from hermes.executing.content import Tree
from hermes.executing.desk import Place
from hermes.executing.evaluator import written_by_measuring
from hermes.executing.job import Job
from hermes.executing.logs import Log
from hermes.executing.measuring import Measuring
from hermes.executing.metric import read_metric
from hermes.executing.outside import Startup
from hermes.executing.stages import Result, Stages
from hermes.executing.surface import Surface
from hermes.executing.workspaces import Workspace
from hermes.measured import Sample
from hermes.model import EMPTY, Json, Outcome

_HOLDOUT_LOG = "holdout.log"


class Over(Exception):
    """A run ends here, with a result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.reason)
        self.result = result


def go_on(failed: Result | None) -> None:
    """Raise Over for a result, go on without one."""
    if failed is not None:
        raise Over(failed)


@dataclass(frozen=True)
class Candidate:
    """Code to be measured: its surface, how that differs from the user's workspace, and why."""

    tree: Tree
    changed: Changes
    digest: str
    hypothesis: str = ""


def candidate_of(base: Tree, changed: Changes, hypothesis: str = "") -> Candidate:
    """Return the candidate that differs from the surface ``base`` by ``changed``."""
    tree = surface.overlaid(base, changed)
    return Candidate(tree, changed, surface.digest(tree), hypothesis)


class Bench:
    """The measuring sandbox of one run, with the user's surface and the logs of the run."""

    def __init__(self, job: Job, place: Place, stages: Stages, stdout: Log, stderr: Log) -> None:
        self.facts: dict[str, Json] = {}
        self._job = job
        self._place = place
        self._stages = stages
        self._measuring = Measuring(job, stages, strict=True)
        self._stdout = stdout
        self._stderr = stderr
        self._surface = Surface.of(job.spec)
        self._startup = Startup(job)
        self._has_kept = False

    def base(self) -> Tree:
        """Read the surface as it is in the user's workspace. Raises TooLarge, OSError."""
        return self._place.base()

    def sample(self, found: Candidate) -> Sample:
        """Measure the run's candidate once; the first time what the SPEC asks for is kept.

        Raises Over for whatever gives no value; OSError, Fault.

        Writes: artifacts of the bundle.
        """
        return self._sample(found, is_own=True)

    def sample_incumbent(self, incumbent: Candidate) -> Sample:
        """Measure the incumbent once; that it cannot be is not the candidate's fault."""
        try:
            return self._sample(incumbent, is_own=False)
        except Over as over:
            why = f"the incumbent could not be measured again: {over.result.reason}"
            raise Over(Result(Outcome.INFRA, why)) from None

    def _sample(self, found: Candidate, *, is_own: bool) -> Sample:
        workspace = self._hold(found)
        go_on(self._measuring.give_parameters(workspace))
        self.facts.update(self._measuring.facts)
        check = partial(self._check_untouched, workspace)
        measured = self._measuring.measure(workspace, self._stdout, self._stderr, between=check)
        if is_own and not self._has_kept:
            self._has_kept = True
            self.facts.update(artifacts.take(self._job, workspace, self._stages.pulse))
        check()
        if measured.outcome is not Outcome.SUCCESS or measured.value is None:
            raise Over(measured)
        return Sample(measured.value, measured.secondary)

    def run_beside(self, name: str, found: Candidate) -> None:
        """Run another command of the SPEC over a candidate. Raises Over when it fails."""
        workspace = self._hold(found)
        params = self._job.manifest.params
        go_on(self._stages.run(name, workspace, params, self._stdout, self._stderr))

    def hold_out(self, found: Candidate) -> tuple[float | None, str]:
        """Ask the hold-out about a candidate: its value, or None and what went wrong.

        What it prints is not kept: nobody who makes candidates is to see it.
        """
        workspace = self._hold(found)
        path = self._place.sandbox / _HOLDOUT_LOG
        files.remove_tree(path)
        log = Log(path)
        try:
            failed = self._stages.run("holdout_command", workspace, EMPTY, log, None)
            if failed is not None:
                return None, failed.reason.partition(": ")[2] or failed.reason
            self._check_untouched(workspace)
            reading = read_metric(
                self._job.spec.metric, documents=[], outputs=[log.since(0)], strict=True
            )
            return reading.value, reading.reason
        except Over as over:
            return None, over.result.reason
        finally:
            log.close()
            with contextlib.suppress(OSError):
                files.remove_tree(path)

    def _hold(self, found: Candidate) -> Workspace:
        """Reset the sandbox and put a candidate into it; the time budget begins anew."""
        workspace = self._place.prepare(self._stages.pulse)
        self._stages.begin()
        go_on(self._place.set_up(workspace, self._stages))
        self._place.hold(workspace, found.tree)
        return workspace

    def _check_untouched(self, workspace: Workspace) -> None:
        spared = written_by_measuring(self._job.spec)
        found = boundary.tampered(
            self._surface, self._place.workspaces, str(workspace.folder), spared
        )
        found = found or self._startup.breach()
        if found is not None:
            raise Over(Result(found.outcome, found.reason))
