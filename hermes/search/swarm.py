"""Several strategies on one experiment, in turns; made by ``registry``.

Limits first.
Every arm is told every run, so the swarm costs what its arms cost together to tell, and one of
them to ask.
Each arm is made with the experiment's seed and budget: a swarm of one proposes what that one would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hermes.errors import RequestError, nearest
from hermes.model import Json, Outcome, Params, Proposal, Trial
from hermes.search import registry
from hermes.search.allocation import ALLOCATIONS, Allocation, Turn
from hermes.search.base import SearchContext, Strategy, check_options
from hermes.search.space import Space

DEFAULT_STRATEGIES = ("tree", "perturb")
DEFAULT_ALLOCATION = "adaptive"
"""Of the mixes that were tried, the one with the best average ranks in ``benchmarks/search``.

It needs no library beyond the lab's own.
"""


class Swarm:
    """Asks one of its arms; options: ``strategies``, ``allocation``, and the arms' ``options``.

    Raises RequestError for options that make no swarm, and what an arm raises when it is made.
    """

    name = "swarm"

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse options that make no swarm, and arms that could not be made.

        Raises RequestError.
        """
        for name, of_arm in _roster(options).arms.items():
            registry.check(name, of_arm)

    @staticmethod
    def check_space(space: Space, options: Mapping[str, Json]) -> None:
        """Refuse a space that an arm could not search. Raises SpecError."""
        for name, of_arm in _roster(options).arms.items():
            registry.check_space(name, space, of_arm)

    def __init__(self, context: SearchContext) -> None:
        self.check(context.options)
        roster = _roster(context.options)
        self._allocation = roster.allocation
        self._arms: dict[str, Strategy] = {
            name: registry.make(name, replace(context, options=options))
            for name, options in roster.arms.items()
        }
        self._direction = context.direction
        self._best: float | None = None
        self._told: set[str] = set()

    def tell(self, trial: Trial) -> None:
        """Tell every arm, and note whether the run was a new best."""
        if trial.run_id in self._told:
            return
        self._told.add(trial.run_id)
        for arm in self._arms.values():
            arm.tell(trial)
        improved = self._improves(trial)
        if not trial.outcome.is_retried:  # the lab is to blame; the same trial runs again
            self._allocation.tell(trial.strategy, improved=improved)

    def _improves(self, trial: Trial) -> bool:
        """Keep the best value, and say whether the trial's is better than one before."""
        if trial.outcome is not Outcome.SUCCESS or trial.value is None:
            return False
        before = self._best
        if before is None or self._direction.better(trial.value, before):
            self._best = trial.value
        return before is not None and self._best != before

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return the proposal of the arm whose turn it is, or of the next that has one."""
        out: list[str] = []
        for turn in self._allocation.turns(number, len(pending)):
            proposal = self._arms[turn.arm].ask(number, pending)
            if proposal is not None:
                return replace(proposal, strategy=turn.arm, note=_note(proposal.note, turn, out))
            out.append(turn.arm)
        return None


@dataclass(frozen=True)
class _Roster:
    """Who is in a swarm, each with its options, and who decides about turns."""

    arms: Mapping[str, Mapping[str, Json]]
    allocation: Allocation


def _roster(options: Mapping[str, Json]) -> _Roster:
    """Read a swarm's options. Raises RequestError."""
    check_options(Swarm.name, options, ("strategies", "allocation", "options"))
    names = _names(options.get("strategies"))
    given = _options(options.get("options"), names)
    allocation = _allocation(options.get("allocation"), names)
    return _Roster({name: given.get(name, {}) for name in names}, allocation)


def _note(note: str, turn: Turn, out: Sequence[str]) -> str:
    instead = f"in place of {', '.join(out)}, which had no point left" if out else ""
    return "; ".join(filter(None, (note, turn.why, instead)))


def _names(chosen: Json) -> tuple[str, ...]:
    """Check the names of the arms, of which there is at least one. Raises RequestError."""
    if chosen is None:
        return DEFAULT_STRATEGIES
    listed = chosen if isinstance(chosen, list) else []
    names = tuple(name for name in listed if isinstance(name, str))
    if not names or len(names) < len(listed):
        raise RequestError(
            "The strategies of a swarm are a list of names, at least one.",
            f"Write, for example: [{', '.join(DEFAULT_STRATEGIES)}].",
        )
    for name in names:
        _check_name(name, names)
    return names


def _check_name(name: str, names: tuple[str, ...]) -> None:
    if name == Swarm.name:
        raise RequestError(
            "A swarm cannot be in a swarm.", "Name the strategies that it is to be made of."
        )
    if names.count(name) > 1:
        raise RequestError(f"The strategy {name!r} is in the swarm twice.", "Name it once.")


def _options(chosen: Json, names: tuple[str, ...]) -> Mapping[str, Mapping[str, Json]]:
    """Return the options of each arm that has any. Raises RequestError."""
    given = {} if chosen is None else chosen
    if not isinstance(given, dict):
        raise RequestError(
            "The options of a swarm's strategies are a mapping of their names.",
            'Write, for example: {"bayesian": {"sampler": "tpe"}}.',
        )
    found: dict[str, Mapping[str, Json]] = {}
    for name, options in given.items():
        if name not in names:
            near = nearest(name, names)
            hint = f"Did you mean {near!r}?" if near else f"Its strategies are: {', '.join(names)}."
            raise RequestError(f"The swarm has options for {name!r}, which is not in it.", hint)
        if not isinstance(options, dict):
            raise RequestError(
                f"The swarm's options for {name!r} are not a mapping.",
                "Write each option with its value.",
            )
        found[name] = options
    return found


def _allocation(chosen: Json, names: tuple[str, ...]) -> Allocation:
    name = DEFAULT_ALLOCATION if chosen is None else chosen
    if not isinstance(name, str) or name not in ALLOCATIONS:
        near = nearest(str(name), ALLOCATIONS)
        hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(ALLOCATIONS)}."
        raise RequestError(f"No allocation of a swarm's turns is called {name!r}.", hint)
    return ALLOCATIONS[name](names)
