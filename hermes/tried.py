"""What a code loop remembers of its candidates, and what agents took: a part of ``state``'s fold.

Pure. Limits first: the last 60 candidates that were accepted and the last 120 that were not; what
is older is only counted. A hypothesis is cut after 200 characters, a reason after 120.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hermes.exchange import NOTHING_SPENT, Spending
from hermes.model import IndexLine, Outcome

MOST_KEPT = 60
MOST_DROPPED = 120
_HYPOTHESIS = 200
_REASON = 120


@dataclass(frozen=True)
class Tried:
    """One candidate, as far as it helps to know what was tried; ``measured`` is a mean."""

    seq: int
    run_id: str
    outcome: Outcome
    hypothesis: str
    measured: float | None
    reason: str
    added: int
    removed: int


@dataclass(frozen=True)
class Memory:
    """The candidates of an experiment, the newest last, and what agents took for all of them.

    ``agent_runs`` counts the runs in which one was asked. ``resets_at`` (ISO 8601, UTC) is when
    the limit ends that stopped the last of them, None when the last one was not stopped by one.
    """

    kept: tuple[Tried, ...] = ()
    dropped: tuple[Tried, ...] = ()
    count: int = 0
    spending: Spending = NOTHING_SPENT
    agent_runs: int = 0
    resets_at: str | None = None


def fold_run(memory: Memory, run: IndexLine) -> Memory:
    """Return the memory after one more sealed run; of a search only what agents took is kept."""
    memory, code = _with_spending(memory, run), run.code
    if code is None or code.compared_with is None or run.outcome.is_retried:
        return memory
    tried = Tried(
        run.seq,
        run.run_id,
        run.outcome,
        code.hypothesis[:_HYPOTHESIS],
        code.measured,
        run.reason[:_REASON],
        code.added,
        code.removed,
    )
    memory = replace(memory, count=memory.count + 1)
    if run.accepted:
        return replace(memory, kept=(*memory.kept, tried)[-MOST_KEPT:])
    return replace(memory, dropped=(*memory.dropped, tried)[-MOST_DROPPED:])


def _with_spending(memory: Memory, run: IndexLine) -> Memory:
    code, asked = run.code, run.asked
    if code is None and asked is None:
        return memory
    spent = (code.spending if code else NOTHING_SPENT) + (asked or NOTHING_SPENT)
    return replace(
        memory,
        spending=memory.spending + spent,
        agent_runs=memory.agent_runs + bool(spent.calls),
        resets_at=code.resets_at if code else memory.resets_at,
    )
