"""The lines of a journal as records: what people and the lab decide, ask for and are asked.

Pure data, spelled on disk as it is here, as in ``model``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hermes.model import Params, Phase, Proposal


class Intent(str, Enum):
    """What a line of the journal decides."""

    CREATED = "created"
    PHASE = "phase"
    TIER = "tier"
    SPEC = "spec"
    NOTE = "note"
    ENQUEUE = "enqueue"
    WITHDRAW = "withdraw"
    GUIDED = "guided"
    PROPOSAL = "proposal"
    DECISION = "decision"
    PROMOTION = "promotion"


class Decision(str, Enum):
    """What a person says to a proposal, or what became of a promotion."""

    APPROVE = "approve"
    EDIT = "edit"
    SKIP = "skip"
    STOP = "stop"
    APPLIED = "applied"
    COMMITTED = "committed"
    REFUSED = "refused"


ANSWERS = (Decision.APPROVE, Decision.EDIT, Decision.SKIP, Decision.STOP)
"""What a person may say to a proposal."""


@dataclass(frozen=True)
class Asked:
    """A proposal that a person is asked about, and the trial that it is meant for.

    ``basis`` is the digest of what it was made by; ``search_space`` the file of the space, when
    the command named one; ``ideas`` are those in words that were there before it.
    """

    trial: int
    basis: str
    proposal: Proposal
    search_space: str | None = None
    ideas: tuple[str, ...] = ()


@dataclass(frozen=True)
class JournalRecord:
    """One line of ``journal.jsonl``: a decision, by whom, and after how many sealed runs.

    ``request`` is the id of the point or idea that is enqueued or withdrawn, of the proposal
    spoken of, or of the run that was promoted;
    ``runs`` is what a guided session is to make, ``since`` so many were answered for.
    """

    seq: int
    at: str
    intent: Intent
    by: str
    after_runs: int
    phase: Phase | None = None
    tier: str | None = None
    reason: str = ""
    spec_sha256: str | None = None
    previous: str | None = None
    request: str | None = None
    params: Params | None = None
    decision: Decision | None = None
    asked: Asked | None = None
    runs: int | None = None
    since: int | None = None
