"""What became of accepted changes of code in the user's workspace: a part of the state.

Pure and resumable, as ``state`` is: journal and index may be folded in any interleaving.

Limit: only the latest accepted change is owed. It holds those before it that it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hermes.decisions import Decision, Intent, JournalRecord
from hermes.model import IndexLine

TRAILER = "Hermes-Run"  # by which a commit names the run that it holds the change of
BRANCHES = "hermes/"  # the branch of an experiment has its id after this


@dataclass(frozen=True)
class Promotion:
    """One line of the journal: what became of the change that a run brought."""

    run_id: str
    decision: Decision
    at: str
    reason: str


@dataclass(frozen=True)
class Promotions:
    """The run accepted last, what became of the last promotion, and the run committed last."""

    accepted: str | None = None
    last: Promotion | None = None
    committed: str | None = None

    @property
    def owed(self) -> str | None:
        """The run whose change was accepted and about which nothing was done yet."""
        done = self.last.run_id if self.last is not None else None
        return self.accepted if self.accepted != done else None


def fold_run(promotions: Promotions, run: IndexLine) -> Promotions:
    """Return what is owed after one more sealed run; a baseline brings no change."""
    if not run.accepted or run.code is None or run.code.compared_with is None:
        return promotions
    return replace(promotions, accepted=run.run_id)


def fold_intent(promotions: Promotions, record: JournalRecord) -> Promotions:
    """Return what is owed after one more line of the journal."""
    if record.intent is not Intent.PROMOTION or record.request is None or record.decision is None:
        return promotions
    last = Promotion(record.request, record.decision, record.at, record.reason)
    is_commit = record.decision is Decision.COMMITTED
    committed = record.request if is_commit else promotions.committed
    return replace(promotions, last=last, committed=committed)


# What a promotion says, and what it remembers


@dataclass(frozen=True)
class Refusal:
    """Why a change was not promoted, and what a person does about it."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


@dataclass(frozen=True)
class Mark:
    """What a file holds, without its content."""

    sha256: str
    executable: bool


@dataclass(frozen=True)
class Written:
    """A file of the user's workspace that promotions wrote; None is for no file.

    ``original`` stood there before the first one; the last one found ``before`` and wrote
    ``after``.
    """

    original: Mark | None
    before: Mark | None
    after: Mark | None

    def allows(self, found: Mark | None) -> bool:
        """Say whether what is found there is the lab's own doing, or was there before it."""
        return found in (self.before, self.after)


@dataclass(frozen=True)
class Applied:
    """``applied.json``: all that promotions wrote into the workspace ``root``, by path."""

    schema_version: int
    run_id: str
    root: str
    files: Mapping[str, Written]
