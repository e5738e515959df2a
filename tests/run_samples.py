"""Runs for tests of the stores: planned, executed and sealed without a SPEC or a command.

``Conveyor`` does by hand what the steps do: it is small enough to be killed at every operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hermes import files
from hermes.layout import Layout, PackageLayout, run_id
from hermes.model import (
    Execution,
    Manifest,
    Origin,
    Outcome,
    RunMetrics,
    Usage,
)
from hermes.store.bundles import Bundles, SealedBundle
from hermes.store.index import Index, index_line
from hermes.store.packages import Packages

EXPERIMENT = "exp"
PLAN = "# Plan\n\nTry a point.\n"
RESULT = "# Result\n\nIt was tried.\n"


def moment(number: int) -> str:
    """Return a time, later for a larger number."""
    return f"2026-01-31T09:{number // 60 % 60:02d}:{number % 60:02d}.000000Z"


def planned(iteration: int = 1, *, at: int | None = None, **changes) -> Manifest:
    """Return a manifest as planned; ``at`` is the second of planning."""
    planned_at = moment(iteration if at is None else at)
    draft = Manifest(
        schema_version=1,
        run_id=run_id(planned_at, "explorer"),
        experiment=EXPERIMENT,
        role="explorer",
        iteration=iteration,
        trial=iteration,
        strategy="random",
        origin=Origin.STRATEGY,
        params={"x": iteration / 3, "kind": "näive", "n": iteration, "on": True},
        note="",
        parents=(),
        parent_run=None,
        seed=7,
        fidelity_tier="default",
        executor_class="local",
        lease_id="exp.1",
        spec_sha256="0" * 64,
        planned_at=planned_at,
    )
    return replace(draft, **changes)


def value_of(iteration: int) -> float:
    """Return the value that the sample run of an iteration measures."""
    return 1000.0 + iteration


def execution_of(draft: Manifest, **changes) -> Execution:
    """Return what executing a planned run gave: a success."""
    execution = Execution(
        outcome=Outcome.SUCCESS,
        reason="",
        value=value_of(draft.iteration),
        secondary={"cost": 3.0},
        exit_status=0,
        started_at=draft.planned_at,
        completed_at=draft.planned_at,
        usage=Usage(0.5, 0.25, 1024),
        workspace={"mode": "copy"},
        machine={"platform": "test"},
    )
    return replace(execution, **changes)


def metrics_of(draft: Manifest, execution: Execution) -> RunMetrics:
    """Return the metrics of a run; only a success has a number."""
    succeeded = execution.outcome is Outcome.SUCCESS
    return RunMetrics(
        metric="loss",
        value=execution.value if succeeded else None,
        params=draft.params,
        accepted=False,
        outcome=execution.outcome,
        secondary=execution.secondary if succeeded else {},
    )


def finished(draft: Manifest, execution: Execution, seq: int, previous: str | None) -> Manifest:
    """Return the manifest of a run about to be sealed."""
    return replace(
        draft,
        seq=seq,
        outcome=execution.outcome,
        reason=execution.reason,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        exit_status=execution.exit_status,
        usage=execution.usage,
        workspace=execution.workspace,
        machine=execution.machine,
        previous_sha256=previous,
    )


@contextmanager
def fence(ours: bool = True) -> Iterator[bool]:
    """Say whether the lease is still ours, as the lease's guard would."""
    yield ours


def ignore(what: str) -> None:
    """Take no note."""


class Conveyor:
    """One experiment of a data root, its stores, and the way of a run through them."""

    def __init__(self, root: Path, *, promise: Callable[[str], None] = ignore) -> None:
        self.layout = Layout(root)
        self.packages = Packages(self.layout)
        self.bundles = Bundles(self.layout)
        self.index = Index(self.layout.experiment(EXPERIMENT))
        self.promise = promise
        self.worker = "one"

    def prepare(self) -> Conveyor:
        """Create the folders that `init` and `create` make."""
        files.make_folder(self.layout.experiment(EXPERIMENT).runs)
        files.make_folder(self.layout.running)
        files.make_folder(self.layout.complete)
        return self

    def plan(self, iteration: int, *, at: int | None = None) -> tuple[Manifest, PackageLayout]:
        """Publish the package of a run."""
        draft = planned(iteration, at=at)
        folder, syncing = self.packages.publish_running(draft, PLAN, worker=self.worker)
        syncing.wait()
        self.promise(f"planned {draft.run_id}")
        return draft, folder

    def execute(
        self, draft: Manifest, folder: PackageLayout, *, artifacts: bool = True
    ) -> Execution:
        """Write what a command would leave behind, and record its end."""
        files.write_new(folder.run.stdout, b"%d\n" % draft.iteration, mode=0o444)
        files.write_new(folder.run.stderr, b"", mode=0o444)
        if artifacts:
            folder.run.artifacts.mkdir(exist_ok=True)  # as `logged` does
            (folder.run.artifacts / "model.bin").write_bytes(bytes(range(256)))
        execution = execution_of(draft)
        self.packages.record_execution(folder, execution)
        return execution

    def seal(
        self, draft: Manifest, folder: PackageLayout, execution: Execution, *, ours: bool = True
    ) -> SealedBundle | None:
        """Seal a run, enter it into the index, and be done with its package."""
        last = self.index.last()
        final = finished(
            draft, execution, last.seq + 1 if last else 1, last.sha256 if last else None
        )
        closed = self.bundles.close(folder, final, metrics_of(draft, execution), RESULT)
        sealed = self.bundles.publish(closed, fence=fence(ours))
        if sealed is not None:
            self.promise(f"sealed {draft.run_id} {sealed.sha256}")
            self.index.append(index_line(sealed.manifest, sealed.metrics, sealed.sha256))
            self.packages.recycle(folder)
        return sealed

    def run(
        self, iteration: int, *, at: int | None = None, artifacts: bool = True
    ) -> SealedBundle | None:
        """Take one run the whole way."""
        draft, folder = self.plan(iteration, at=at)
        return self.seal(draft, folder, self.execute(draft, folder, artifacts=artifacts))

    # After a crash

    def recover(self) -> None:
        """Bring everything into order, as docs/FORMAT.md says in sections 7 and 8."""
        self.packages.clear_unfinished(EXPERIMENT)
        self.repair_index()
        for found in self.packages.running(EXPERIMENT):
            sealed = {line.iteration for line in self.index.read().lines}
            self.reclaim(found.layout, is_sealed=found.name.iteration in sealed)

    def repair_index(self) -> None:
        """Rebuild the index unless it names just the sealed runs."""
        if self.index.missing(self.bundles.list(EXPERIMENT)):
            self.index.rebuild(lambda: self.bundles.read_all(EXPERIMENT))

    def reclaim(self, folder: PackageLayout, *, is_sealed: bool) -> None:
        """Complete or clear away one package that an earlier owner left."""
        draft, stage = self.packages.read(folder), self.packages.stage_of(folder)
        if is_sealed or stage == "empty":
            self.packages.discard(folder)
        elif draft is None:
            self.packages.set_aside(folder, "its files are damaged")
        else:
            self.complete(draft, folder, stage)

    def complete(self, draft: Manifest, folder: PackageLayout, stage: str) -> None:
        """Take a package over and bring it to its end."""
        ours = self.packages.take_over(folder, worker=self.worker)
        assert ours is not None
        self.packages.restore(ours)
        execution = self.packages.read_execution(ours)
        if stage == "planned":
            execution = self.execute(draft, ours)
        elif execution is None:
            self.packages.detach_logs(ours)
            execution = execution_of(draft, outcome=Outcome.INTERRUPTED, value=None, reason="cut")
        self.seal(draft, ours, execution)

    def go_on(self, iterations: int, *, at: int = 600) -> None:
        """Recover, then run until so many iterations are sealed."""
        self.worker = "two"
        self.recover()
        done = [line.iteration for line in self.index.read().lines]
        for iteration in range(max(done, default=0) + 1, iterations + 1):
            self.run(iteration, at=at + iteration)
        self.packages.close()


def sealed_runs(conveyor: Conveyor) -> dict[str, SealedBundle]:
    """Return every sealed run by its id. Raises BrokenFile for a broken one."""
    names = conveyor.bundles.list(EXPERIMENT)
    return {name: conveyor.bundles.read(EXPERIMENT, name) for name in names}


def visible_faults(root: Path) -> list[str]:
    """Name what is half-made among the sealed runs: nothing may ever be."""
    conveyor = Conveyor(root)
    names = conveyor.bundles.list(EXPERIMENT)
    return [fault for name in names for fault in conveyor.bundles.verify(EXPERIMENT, name)]


def faults(root: Path, iterations: int, promised: set[str] = frozenset()) -> list[str]:
    """Name everything that is not as an undisturbed lab would have it after so many runs."""
    conveyor = Conveyor(root)
    problems = [*visible_faults(root), *conveyor.bundles.verify_chain(EXPERIMENT)]
    runs = sealed_runs(conveyor)
    numbers = sorted(run.manifest.iteration for run in runs.values())
    if numbers != [*range(1, iterations + 1)]:
        problems.append(f"iterations sealed: {numbers}")
    problems += [f"wrong: {fault}" for fault in _wrong_values(runs)]
    problems += [f"index: {fault}" for fault in conveyor.index.missing(runs)]
    lines = conveyor.index.read()
    if lines.skipped or lines.lines != tuple(
        sorted((index_line(*run) for run in runs.values()), key=lambda line: line.seq)
    ):
        problems.append("the index is not what the bundles say")
    problems += [f"left over: {name}" for name in _listing(conveyor.layout.running)]
    problems += [f"set aside: {name}" for name in _listing(conveyor.layout.complete)]
    return problems + [f"lost: {what}" for what in promised if _is_lost(what, runs)]


def _wrong_values(runs: dict[str, SealedBundle]) -> Iterator[str]:
    for name, run in runs.items():
        expected = value_of(run.manifest.iteration)
        if run.metrics.outcome is Outcome.SUCCESS and run.metrics.value != expected:
            yield f"{name} has the value {run.metrics.value}"
        if run.manifest.params != planned(run.manifest.iteration).params:
            yield f"{name} has other parameters than planned"


def _listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _is_lost(what: str, runs: dict[str, SealedBundle]) -> bool:
    """Say whether a promise is broken: a planned run has no record, a sealed one another."""
    kind, run, *digest = what.split()
    if run not in runs:
        return True
    return kind == "sealed" and runs[run].sha256 != digest[0]
