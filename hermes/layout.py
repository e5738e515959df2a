"""The only code that knows file names: where everything stands in a data root.

Pure: a ``Layout`` builds paths and takes names apart; it never looks at the disk.
A path is built when first asked for and kept: building one takes longer than most look-ups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

PROJECTIONS = (
    "STATUS.json",
    "RUNBOOK.md",
    "SUMMARY.md",
    "NEXT.md",
    "context.md",
    "best.md",
    "BLACKBOARD.md",
    "blackboard.json",
)
PROJECTED_FROM = ("SPEC.yaml", "journal.jsonl", "metrics.jsonl")
CONTROL_FOLDERS = ("inbox", "approvals", "outbox")
STAGES = ("ready", "running", "complete")
ADAPTERS = "adapters"  # a user's adapters of agents, in the data root and in workspaces
SET_ASIDE = ".set-aside-"  # what is kept though nobody can use it has this in its name

_ID = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
EXPERIMENT_ID = re.compile(_ID + r"\Z")
RESERVED_IDS = frozenset(
    {"lab", "all", "none", "null", "con", "prn", "aux", "nul"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
)
RUN_ID = re.compile(r"RUN-\d{8}T\d{6}\.\d{6}Z-[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_PACKAGE = re.compile(
    rf"(?P<id>(?P<experiment>{_ID})-(?P<iteration>\d{{6,18}}))"
    r"(?:,a(?P<attempt>\d{1,9}),(?P<worker>[A-Za-z0-9._-]{1,80}))?\Z",
    re.ASCII,
)


_APPROVAL = re.compile(rf"(?P<experiment>{_ID})-\d{{6,18}}-[0-9a-f]{{8}}\Z", re.ASCII)
_ITEM = re.compile(rf"(?P<experiment>{_ID})-item-[0-9a-f]{{8}}\Z", re.ASCII)
WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}\Z", re.ASCII)


class PackageName(NamedTuple):
    """What the folder name of a package says."""

    dispatch_id: str
    experiment: str
    iteration: int
    attempt: int
    worker: str


def dispatch_id(experiment: str, iteration: int) -> str:
    """Return the id of the package that carries ``iteration`` of ``experiment``."""
    return f"{experiment}-{iteration:06d}"


def package_name(dispatch_id: str, attempt: int, worker: str) -> str:
    """Return the folder name of a package in the hands of ``worker``.

    Raises ValueError when the parts make no such name.
    """
    name = f"{dispatch_id},a{attempt},{worker}"
    if parse_package(name) is None:
        raise ValueError(f"{name!r} is not the name of a package")
    return name


def parse_package(name: str) -> PackageName | None:
    """Take a package's folder name apart; None when it is not one."""
    match = _PACKAGE.match(name)
    if match is None:
        return None
    return PackageName(
        match["id"],
        match["experiment"],
        int(match["iteration"]),
        int(match["attempt"] or 0),
        match["worker"] or "",
    )


def approval_id(experiment: str, trial: int, mark: str) -> str:
    """Return the id of a proposal that waits; ``mark`` are 8 hexadecimal digits of its digest."""
    return f"{experiment}-{trial:06d}-{mark}"


def approval_owner(name: str) -> str | None:
    """Return whose proposal has the id ``name``; None when it is no such id."""
    match = _APPROVAL.match(name)
    return match["experiment"] if match else None


def item_id(experiment: str, mark: str) -> str:
    """Return the id of an agent's work item; ``mark`` are 8 hexadecimal digits, drawn at random."""
    return f"{experiment}-item-{mark}"


def item_owner(name: str) -> str | None:
    """Return whose work item has the id ``name``; None when it is no such id."""
    match = _ITEM.match(name)
    return match["experiment"] if match else None


def run_id(moment: str, role: str) -> str:
    """Return a run's id from its planning time (ISO 8601, UTC, microseconds) and its role."""
    return f"RUN-{_compact(moment)}-{role}"


def call_id(moment: str, experiment: str) -> str:
    """Return the name of a call to an agent, made at ``moment`` (as in ``run_id``)."""
    return f"CALL-{_compact(moment)}-{experiment}"


def _compact(moment: str) -> str:
    return moment.replace("-", "").replace(":", "")


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
        return self.locks / f"{experiment}.guard"

    def lease(self, experiment: str) -> Path:
        """The lease file of an experiment."""
        return self.locks / f"{experiment}.lease.json"

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
        return ExperimentLayout(self.experiments / experiment)

    def sandbox(self, experiment: str, slot: int = 0) -> Path:
        """The folder that holds the sandbox of one slot of an experiment."""
        return self.scratch / "sandboxes" / f"{experiment}.{slot}"

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


@dataclass(frozen=True)
class ExperimentLayout:
    """Every path of one experiment."""

    folder: Path

    @cached_property
    def spec(self) -> Path:
        """The user's specification."""
        return self.folder / "SPEC.yaml"

    @cached_property
    def journal(self) -> Path:
        """The intents."""
        return self.folder / "journal.jsonl"

    @cached_property
    def metrics(self) -> Path:
        """The index of sealed runs."""
        return self.folder / "metrics.jsonl"

    @cached_property
    def status(self) -> Path:
        """Projection: the experiment's state."""
        return self.folder / "STATUS.json"

    @cached_property
    def blackboard(self) -> Path:
        """Projection: what the strategies of the search share, for machines."""
        return self.folder / "blackboard.json"

    @cached_property
    def runs(self) -> Path:
        """The sealed bundles."""
        return self.folder / "runs"

    @cached_property
    def checkpoints(self) -> Path:
        """Step tokens and fold checkpoints; deletable."""
        return self.folder / "checkpoints"

    @cached_property
    def planned(self) -> Path:
        """Token: what ``plan`` left for ``execute``."""
        return self.checkpoints / "planned.json"

    @cached_property
    def executed(self) -> Path:
        """Token: what ``execute`` left for ``seal``."""
        return self.checkpoints / "executed.json"

    @cached_property
    def sealed(self) -> Path:
        """Token: what ``seal`` left for ``iterate`` and ``project``."""
        return self.checkpoints / "sealed.json"

    @cached_property
    def state(self) -> Path:
        """The fold up to a place in the journal and the index."""
        return self.checkpoints / "state.json"

    @cached_property
    def parsed_spec(self) -> Path:
        """The SPEC as parsed, with the digest of the text it was parsed from."""
        return self.checkpoints / "spec.json"

    @cached_property
    def promoted(self) -> Path:
        """What promotions wrote into the user's workspace, and what stood there before."""
        return self.folder / "promoted"

    @cached_property
    def applied(self) -> Path:
        """Which files of the user's workspace promotions wrote."""
        return self.promoted / "applied.json"

    def original(self, sha256: str) -> Path:
        """The content of one of the user's files from before the first promotion wrote it."""
        return self.promoted / "originals" / sha256

    def projections(self) -> list[Path]:
        """Every projection of the experiment."""
        return [self.folder / name for name in PROJECTIONS]

    def run(self, run: str) -> BundleLayout:
        """Every path of one sealed run."""
        return BundleLayout(self.runs / run)


@dataclass(frozen=True)
class BundleLayout:
    """Every path of one run bundle, sealed or in the making."""

    folder: Path

    @cached_property
    def manifest(self) -> Path:
        """Identity, outcome, provenance and checksums."""
        return self.folder / "manifest.json"

    @cached_property
    def plan(self) -> Path:
        """What was to be tried, and why."""
        return self.folder / "plan.md"

    @cached_property
    def result(self) -> Path:
        """What came of it, for people."""
        return self.folder / "RESULT.md"

    @cached_property
    def metrics(self) -> Path:
        """What came of it, for machines."""
        return self.folder / "metrics.json"

    @cached_property
    def stdout(self) -> Path:
        """What the command printed."""
        return self.folder / "stdout.log"

    @cached_property
    def stderr(self) -> Path:
        """What the command complained of."""
        return self.folder / "stderr.log"

    @cached_property
    def artifacts(self) -> Path:
        """Egress files and whatever else the run keeps."""
        return self.folder / "artifacts"

    @cached_property
    def candidate(self) -> Path:
        """The files in which a candidate differs from the user's workspace."""
        return self.artifacts / "candidate"

    @cached_property
    def candidate_record(self) -> Path:
        """What those files are, and what they were made from."""
        return self.artifacts / "candidate.json"

    @cached_property
    def patch(self) -> Path:
        """How a candidate differs from the code that it was made from."""
        return self.artifacts / "diff.patch"

    @cached_property
    def decision(self) -> Path:
        """Every number behind the verdict on a candidate."""
        return self.artifacts / "decision.json"

    @cached_property
    def mutation_log(self) -> Path:
        """What the command or agent printed that made a candidate."""
        return self.artifacts / "mutation.log"

    @cached_property
    def setup_log(self) -> Path:
        """What the setup command printed where the run is measured."""
        return self.artifacts / "setup.log"

    @cached_property
    def edit_setup_log(self) -> Path:
        """What it printed where code is changed."""
        return self.artifacts / "edit-setup.log"


@dataclass(frozen=True)
class PackageLayout:
    """Every path of one package on its way through ``dispatch/``."""

    folder: Path

    @cached_property
    def dispatch(self) -> Path:
        """The package's own facts."""
        return self.folder / "dispatch.json"

    @cached_property
    def draft(self) -> Path:
        """The manifest as it was planned."""
        return self.folder / "draft.json"

    @cached_property
    def execution(self) -> Path:
        """What executing it gave; there when the command has ended."""
        return self.folder / "execution.json"

    @cached_property
    def run(self) -> BundleLayout:
        """The bundle in the making; only its worker writes there."""
        return BundleLayout(self.folder / "run")


@dataclass(frozen=True)
class ItemLayout:
    """Every path of one agent's work item."""

    folder: Path

    @cached_property
    def item(self) -> Path:
        """What was given out, to whom, and until when."""
        return self.folder / "item.json"

    @cached_property
    def submission(self) -> Path:
        """What the agent sent; there until the run that measures it is sealed."""
        return self.folder / "submission.json"
