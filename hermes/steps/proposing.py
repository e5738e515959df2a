"""Where the next trial comes from: a retry of what was cut off, the strategy, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hermes.errors import RequestError
from hermes.model import EMPTY, Json, Origin, Proposal
from hermes.spec import STRATEGIES
from hermes.steps.session import Session

if TYPE_CHECKING:
    from hermes.search.base import Strategy
    from hermes.search.space import Space

PLAIN = "none"
_DEFAULT_SPACE = "search_space.json"


@dataclass(frozen=True)
class Idea:
    """A proposal, the number of its trial, and the run it repeats, if any."""

    proposal: Proposal
    trial: int
    parent_run: str | None


def next_idea(session: Session) -> Idea | None:
    """Return what to try next; None when the search space has no point left."""
    flying = [planned.manifest for planned in session.in_flight]
    trials = {manifest.trial for manifest in flying}
    retry = next((item for item in session.state.retries if item.trial not in trials), None)
    if retry is not None:
        note = f"runs {retry.run_id} again: it was cut off"
        proposal = Proposal(retry.params, retry.strategy, Origin.RETRY, note, retry.parents)
        return Idea(proposal, retry.trial, retry.run_id)
    number = max(session.state.last_trial, *trials, 0) + 1
    if session.strategy is None and session.strategy_name is not None:
        session.strategy = make_strategy(session, session.strategy_name)
    if session.strategy is None:
        return Idea(Proposal(EMPTY, PLAIN, Origin.PLAIN), number, None)
    proposed = session.strategy.ask(number, [manifest.params for manifest in flying])
    return None if proposed is None else Idea(proposed, number, None)


def make_strategy(session: Session, name: str) -> Strategy:
    """Make a strategy and tell it the whole history.

    Raises RequestError when a strategy is named and there is no search space for it.
    """
    from hermes.search.base import SearchContext
    from hermes.search.registry import known, make
    from hermes.steps.consulting import consultant

    if name in STRATEGIES and name not in known():
        raise RequestError(
            f"The strategy {name!r} is not there yet.", f"Choose one of: {', '.join(known())}."
        )
    context = SearchContext(
        space=find_space(session),
        direction=session.spec.metric_direction,
        seed=session.seed,
        budget=session.spec.max_iterations_total,
        options=_options(session, name),
        agent=consultant(session),
    )
    strategy = make(name, context)
    for line in session.lab.index(session.experiment).read().lines:
        if line.fidelity_tier == session.tier:  # runs of different tiers are never compared
            strategy.tell(line.trial_record())
    if session.sealing is not None:  # not history yet
        strategy.tell(session.sealing.line.trial_record())
    return strategy


def _options(session: Session, name: str) -> Mapping[str, Json]:
    """Return the strategy's own settings: the command's over those of a SPEC that names it."""
    of_spec = session.spec.strategy_options if name == session.spec.strategy else {}
    return {**of_spec, **(session.order.options or {})}


def find_space(session: Session) -> Space:
    """Read the search space: the command's, the SPEC's, or the workspace's own file."""
    chosen = session.order.search_space or session.spec.search_space or _workspace_space(session)
    if chosen is None:
        raise RequestError(
            f"Strategy {session.strategy_name!r} needs a search space, and there is none.",
            f"Put a {_DEFAULT_SPACE} into the workspace, or give search_space=FILE.",
        )
    return read_space(chosen, source=str(session.layout.spec))


def read_space(chosen: Path | str | Mapping[str, object], *, source: str) -> Space:
    """Read a search space: a file, or what a SPEC holds in place of one. Raises SpecError."""
    from hermes.search.space import load_space, parse_space

    if isinstance(chosen, Mapping):
        return parse_space(chosen, source=source)
    return load_space(Path(chosen))


def _workspace_space(session: Session) -> Path | None:
    root = session.spec.workspace_root
    path = Path(root) / _DEFAULT_SPACE if root is not None else None
    return path if path is not None and path.is_file() else None
