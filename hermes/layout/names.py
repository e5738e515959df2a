"""The names of things: ids, and what the folder names of packages and proposals say; pure."""

from __future__ import annotations

import re
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
