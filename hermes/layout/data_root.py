"""Where everything stands in a data root; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from hermes.layout.experiment import ExperimentLayout
from hermes.layout.names import ADAPTERS, CONTROL_FOLDERS, SET_ASIDE, STAGES
from hermes.layout.package import ItemLayout, PackageLayout


@dataclass(frozen=True)
class Layout:
    """Every path of one data root."""

    root: Path

    # the lab
    @cached_property
    def readme(self) -> Path:
        """How to read the folder."""
        return self.root / "README-FIRST.md"

    @cached_property
    def program(self) -> Path:
        """The human's research direction."""
        return self.root / "PROGRAM.md"

    @cached_property
    def changelog(self) -> Path:
        """The human's decisions, a line each."""
        return self.root / "CHANGELOG.md"

    @cached_property
    def lab_status(self) -> Path:
        """Projection: the lab at a glance."""
        return self.root / "LAB-STATUS.md"

    @cached_property
    def lab_index(self) -> Path:
        """Projection: the lab at a glance, for machines."""
        return self.root / "LAB-INDEX.json"

    @cached_property
    def executors(self) -> Path:
        """Executor classes (the user's file)."""
        return self.root / "executors.yaml"

    @cached_property
    def adapters(self) -> Path:
        """Adapters of agents (the user's files)."""
        return self.root / ADAPTERS

    @cached_property
    def events(self) -> Path:
        """The ledger."""
        return self.root / "registry" / "events.jsonl"

    @cached_property
    def locks(self) -> Path:
        """Leases and lock files."""
        return self.root / "registry" / "locks"

    @cached_property
    def experiments(self) -> Path:
        """One folder an experiment."""
        return self.root / "experiments"

    @cached_property
    def dispatch(self) -> Path:
        """Packages, by stage."""
        return self.root / "dispatch"

    @cached_property
    def ready(self) -> Path:
        """Packages that wait for a worker."""
        return self.dispatch / "ready"

    @cached_property
    def running(self) -> Path:
        """Packages in a worker's hands."""
        return self.dispatch / "running"

    @cached_property
    def complete(self) -> Path:
        """Packages that wait to be ingested, and those set aside."""
        return self.dispatch / "complete"

    @cached_property
    def agents(self) -> Path:
        """Work items in the hands of agents that think about them."""
        return self.dispatch / "agents"

    def item(self, item: str) -> ItemLayout:
        """Every path of one work item."""
        return ItemLayout(self.agents / item)

    def set_aside(self, package: str, number: int) -> Path:
        """The folder in which a package is kept that nobody can use, with the reason."""
        return self.complete / f"{package}{SET_ASIDE}{number}"

    @cached_property
    def daily_digests(self) -> Path:
        """One file a day."""
        return self.root / "digests" / "daily"

    @cached_property
    def approvals(self) -> Path:
        """Proposals that wait for a person, a file each."""
        return self.root / "control" / "approvals"

    def approval(self, approval: str) -> Path:
        """The file of one proposal that waits."""
        return self.approvals / f"{approval}.json"

    @cached_property
    def scratch(self) -> Path:
        """Sandboxes; deletable while nothing runs."""
        return self.root / "scratch"

    @cached_property
    def task_database(self) -> Path:
        """The task graph's cache; deletable."""
        return self.root / ".doit" / "tasks.jsonl"

    @cached_property
    def fault_log(self) -> Path:
        """Tracebacks of the lab's own errors."""
        return self.root / ".doit" / "faults.log"

    def folders(self) -> list[Path]:
        """Every folder that ``init`` makes."""
        return [
            self.locks,
            self.experiments,
            *(self.dispatch / stage for stage in STAGES),
            self.agents,
            self.daily_digests,
            self.root / "digests" / "weekly",
            *(self.root / "control" / name for name in CONTROL_FOLDERS),
            self.root / "reports",
            self.root / "backups",
            self.scratch,
            self.root / ".doit",
        ]

    def guard(self, experiment: str) -> Path:
        """The lock file under which an experiment's lease is changed and its runs sealed."""
        return _in(self.locks, f"{experiment}.guard")

    def lease(self, experiment: str) -> Path:
        """The lease file of an experiment."""
        return _in(self.locks, f"{experiment}.lease.json")

    def heartbeat(self, experiment: str) -> Path:
        """The sign of life of the lease's owner."""
        return self.locks / f"{experiment}.beat.json"

    def projection_lock(self, experiment: str) -> Path:
        """The lock file under which an experiment's projections (or the lab's) are written."""
        return self.locks / f"{experiment}.project"

    def items_lock(self, experiment: str) -> Path:
        """The lock file under which an experiment's work items are given out and taken back."""
        return self.locks / f"{experiment}.items"

    # one experiment
    def experiment(self, experiment: str) -> ExperimentLayout:
        """Every path of one experiment."""
        return _experiment(self.experiments, experiment)

    def sandbox(self, experiment: str, slot: int = 0) -> Path:
        """The folder that holds the sandbox of one slot of an experiment."""
        return _in(self.scratch, f"sandboxes/{experiment}.{slot}")

    @cached_property
    def reproductions(self) -> Path:
        """Where sealed runs are run again."""
        return self.scratch / "reproductions"

    def reproduction(self, experiment: str) -> Path:
        """The folder in which one run of an experiment is run again; gone when that has ended."""
        return self.reproductions / experiment

    def reproduction_sandbox(self, experiment: str) -> Path:
        """The folder that holds its sandbox."""
        return self.reproduction(experiment) / "sandbox"

    def reproduction_package(self, experiment: str, number: int) -> PackageLayout:
        """The folder that holds what its execution ``number`` leaves."""
        return PackageLayout(self.reproduction(experiment) / f"{number}")

    def reproduction_lock(self, experiment: str) -> Path:
        """The lock file of whoever runs a run of the experiment again."""
        return self.locks / f"{experiment}.reproduce"

    def promotion(self, experiment: str) -> Path:
        """The folder that holds an index of git's while a promotion commits."""
        return self.scratch / "promotions" / experiment

    def audit(self, experiment: str) -> Path:
        """The folder in which an evaluator is tested, while that lasts."""
        return self.scratch / "audits" / experiment

    def calls(self, experiment: str) -> Path:
        """The folder in which each call to an agent has one of its own while it lasts."""
        return self.scratch / "calls" / experiment


# The same object while others need it too: making a path is dearer than asking it.


@lru_cache(maxsize=1024)
def _experiment(experiments: Path, name: str) -> ExperimentLayout:
    return ExperimentLayout(experiments / name)


@lru_cache(maxsize=1024)
def _in(folder: Path, name: str) -> Path:
    return folder / name
