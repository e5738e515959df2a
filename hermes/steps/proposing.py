"""Where the next trial comes from: a retry of what was cut off, a person, or the strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import codec
from hermes.errors import RequestError
from hermes.model import EMPTY, Json, Origin, Proposal
from hermes.spec import Spec
from hermes.steps.coding import needs_baseline
from hermes.steps.session import Session
from hermes.steps.submitted import is_there, next_submission, proposal_of

if TYPE_CHECKING:
    from hermes.search.base import SearchContext, Strategy
    from hermes.search.space import Space
    from hermes.state import Retry
    from hermes.steering import Request
    from hermes.store.items import Held

PLAIN = "none"
BASELINE = "baseline"
MUTATION = "mutation"
_MOST_IDEAS = 20
_DEFAULT_SPACE = "search_space.json"


@dataclass(frozen=True)
class Idea:
    """A proposal, the number of its trial, and the run it repeats, if any.

    ``request`` is the person's request that it answers, ``ideas`` those in words that go with it.
    ``skip`` says that a person wants it passed over. ``role`` is the hat that an agent was given.
    """

    proposal: Proposal
    trial: int
    parent_run: str | None = None
    request: str | None = None
    ideas: tuple[str, ...] = ()
    skip: bool = False
    reason: str = ""
    role: str | None = None


def next_idea(session: Session) -> Idea | None:
    """Return what to try next; None when there is nothing left to try.

    What was cut off goes first, then what agents sent, then what people asked for, then the
    strategy's own. An order for one answer of an agent asks for nothing beyond it, and a session
    that makes only what a person lets it asks no strategy.
    """
    flying = [planned.manifest for planned in session.in_flight]
    trials, requests = {item.trial for item in flying}, {item.request for item in flying}
    only = session.order.item
    cut_off = [item for item in session.state.retries if item.trial not in trials]
    retry = next((item for item in cut_off if _is_to_be_repeated(session, item)), None)
    if retry is not None:
        return _again(retry)
    if needs_baseline(session):
        proposal = Proposal(EMPTY, BASELINE, Origin.BASELINE, "the code as it is, to compare with")
        return Idea(proposal, next_trial(session))
    sent = next_submission(session)
    if sent is not None:
        return _sent(session, sent)
    if only is not None:
        return None
    wanted = [item for item in session.state.steering.points if item.id not in requests]
    number = next_trial(session)
    if wanted:
        return _wanted(wanted[0], number)
    if session.only_let:
        return None
    proposed = propose(session, number)
    return None if proposed is None else Idea(proposed, number, ideas=new_ideas(session))


def _is_to_be_repeated(session: Session, retry: Retry) -> bool:
    only = session.order.item
    ordered = only in (None, retry.request) or retry.strategy == BASELINE
    return ordered and is_there(session, retry)


def _sent(session: Session, held: Held) -> Idea:
    role = held.item.role if held.item is not None else None
    return Idea(proposal_of(held), next_trial(session), request=held.dispatch_id, role=role)


def next_trial(session: Session) -> int:
    """Return the number of the next trial that is not a repetition."""
    return max([session.state.last_trial, *(run.trial for run in session.unsealed)]) + 1


def propose(session: Session, number: int) -> Proposal | None:
    """Ask the strategy, if there is one, for trial ``number``; None when it has nothing left."""
    strategy = made_strategy(session)
    if strategy is None:
        return _without_strategy(session)
    return strategy.ask(number, [item.manifest.params for item in session.in_flight])


def _without_strategy(session: Session) -> Proposal | None:
    spec = session.spec.at_tier(session.tier)
    if not spec.is_code_loop:
        return Proposal(EMPTY, PLAIN, Origin.PLAIN)
    if spec.waits_for_agents:
        return None
    return Proposal(EMPTY, spec.agent_provider or MUTATION, Origin.STRATEGY)


def made_strategy(session: Session) -> Strategy | None:
    """Return the session's strategy, made when first asked for. Raises as ``make_strategy``."""
    if session.strategy is None and session.strategy_name is not None:
        session.strategy = make_strategy(session, session.strategy_name)
    return session.strategy


def _again(retry: Retry) -> Idea:
    """Repeat a trial; what a person asked for, or an agent sent, stays theirs."""
    origin = retry.origin if retry.origin in (Origin.HUMAN, Origin.AGENT) else Origin.RETRY
    note = f"runs {retry.run_id} again: it was cut off"
    proposal = Proposal(retry.params, retry.strategy, origin, note, retry.parents)
    return Idea(proposal, retry.trial, retry.run_id, retry.request)


def _wanted(request: Request, number: int) -> Idea:
    assert request.proposal is not None, "an idea in words is no point"
    reason = (
        f"a person passed it over: {request.text}" if request.text else "a person passed it over"
    )
    return Idea(
        request.proposal,
        number,
        request=request.id,
        ideas=request.ideas,
        skip=request.skip,
        reason=reason if request.skip else "",
    )


def new_ideas(session: Session) -> tuple[str, ...]:
    """Return the ideas that no plan has repeated yet: the next proposal is made after them."""
    taken = {name for planned in session.in_flight for name in planned.manifest.ideas}
    left = [idea.id for idea in session.state.steering.ideas if idea.id not in taken]
    return tuple(left[:_MOST_IDEAS])


def still_wanted(session: Session, idea: Idea, *, waited: bool) -> Idea | None:
    """Return ``idea`` without what was withdrawn meanwhile; None when it is the point itself.

    ``waited`` says that its request did, before.
    """
    requests = session.state.steering.requests
    if waited and idea.request not in requests:
        return None
    return replace(idea, ideas=tuple(name for name in idea.ideas if name in requests))


def make_strategy(session: Session, name: str) -> Strategy:
    """Make a strategy and tell it the whole history.

    Raises RequestError when a strategy is named and there is no search space for it.
    """
    from hermes.search.registry import make

    strategy, tier = make(name, search_context(session, name)), session.tier
    for trial in session.lab.index(session.experiment).trials():
        if trial.fidelity_tier == tier:  # runs of different tiers are never compared
            strategy.tell(trial)
    if session.sealing is not None:  # not history yet
        strategy.tell(session.sealing.line.trial_record())
    return strategy


def _options(session: Session, name: str) -> Mapping[str, Json]:
    """Return the strategy's own settings: the command's over those of a SPEC that names it."""
    of_spec = session.spec.strategy_options if name == session.spec.strategy else {}
    return {**of_spec, **(session.order.options or {})}


def search_context(session: Session, name: str) -> SearchContext:
    """Return what the strategy ``name`` is made from. Raises as ``find_space``."""
    from hermes.search.base import SearchContext
    from hermes.steps.consulting import consultant

    return SearchContext(
        space=find_space(session),
        direction=session.spec.metric_direction,
        seed=session.seed,
        budget=session.spec.max_iterations_total,
        options=_options(session, name),
        agent=consultant(session),
    )


def basis(session: Session) -> str:
    """Return a digest of what proposals are made from, beside the runs that were told."""
    name = session.strategy_name
    told = repr((name, session.tier))
    if name is not None:
        context = search_context(session, name)
        told += repr((context.space.dimensions, context.direction, context.seed, context.budget))
        told += repr(sorted(context.options.items()))
    return codec.digest(told.encode("utf-8", "backslashreplace"))[:16]


def find_space(session: Session) -> Space:
    """Read the search space: the command's, the SPEC's, or the workspace's own file."""
    found = space_of(session.spec, session.order.search_space, source=str(session.layout.spec))
    if found is None:
        raise RequestError(
            f"Strategy {session.strategy_name!r} needs a search space, and there is none.",
            f"Put a {_DEFAULT_SPACE} into the workspace, or give search_space=FILE.",
        )
    return found


def space_of(spec: Spec, named: Path | str | None, *, source: str) -> Space | None:
    """Read the space of an experiment; None when it has none. Raises SpecError.

    ``named`` is the file that a command names in its place, ``source`` that of the SPEC.
    """
    chosen = named or spec.search_space or _workspace_space(spec)
    return None if chosen is None else read_space(chosen, source=source)


def read_space(chosen: Path | str | Mapping[str, object], *, source: str) -> Space:
    """Read a search space: a file, or what a SPEC holds in place of one. Raises SpecError."""
    from hermes.search.space import load_space, parse_space

    if isinstance(chosen, Mapping):
        return parse_space(chosen, source=source)
    return load_space(Path(chosen))


def _workspace_space(spec: Spec) -> Path | None:
    path = Path(spec.workspace_root) / _DEFAULT_SPACE if spec.workspace_root is not None else None
    return path if path is not None and path.is_file() else None
