"""The contract of a strategy, and what strategies share: told points and a source of chance.

A strategy is told of every sealed run of the experiment, whoever proposed it, and asked for the
proposal of a trial. What it answers depends on its context, on what it was told and on the
question alone: a new process that tells the sealed runs again gets the same answers.
So chance comes from the seed and the trial's number, never from how often it was asked.

Limits: a point is known by 64 bits of its digest. Among 20,000 points two share them with a
probability of 1e-11; then one of them would not be proposed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from hashlib import blake2b, sha256
from typing import Protocol, runtime_checkable

from hermes.errors import RequestError, nearest
from hermes.exchange import Answer
from hermes.model import Direction, Json, Params, Proposal, Trial
from hermes.search.space import Space
from hermes.spec import Command


@dataclass(frozen=True)
class Guidance:
    """What people want a proposer to know: their direction, and their decisions and notes.

    Of decisions and notes each is a line, the newest last. ``instructions`` are for agents alone.
    """

    program: str = ""
    decisions: str = ""
    notes: str = ""
    instructions: str = ""


@dataclass(frozen=True)
class Consultant:
    """The experiment's agent, and what it is told beyond the search.

    ``reach`` takes the command, if the options name one, and the minutes of one call, and returns
    what sends a prompt and returns the answer, whatever the agent does; what that raises means
    that nobody may ask any more. It raises RequestError itself when there is no such agent.
    ``guidance`` is read anew for each proposal.
    """

    reach: Callable[[Command | None, float], Callable[[str], Answer]]
    goal: str = ""
    metric: str = "value"
    guidance: Callable[[], Guidance] = Guidance


@dataclass(frozen=True)
class SearchContext:
    """What a strategy is made from.

    ``budget`` is the number of trials that the whole experiment may have, if that is known; it is
    the same for a search that is resumed. ``options`` are the strategy's own. ``agent`` is there
    for a strategy that asks one.
    """

    space: Space
    direction: Direction
    _: KW_ONLY
    seed: int = 0
    budget: int | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    agent: Consultant | None = None


@runtime_checkable
class Strategy(Protocol):
    """What makes proposals; ``contract.StrategyContract`` tests one."""

    @property
    def name(self) -> str:
        """The name by which the strategy is asked for and recorded."""
        ...

    def tell(self, trial: Trial) -> None:
        """Learn of a sealed run, in sealing order; told twice (same ``run_id``) is told once.

        ``trial.value`` is None unless the run succeeded. The point may be one that this strategy
        did not propose, or that is not of the space any more.
        """
        ...

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return the proposal of trial ``number`` (from 1, perhaps with gaps).

        ``pending`` are the points in flight. Never a point told or pending while the space has
        others; None when it has none.
        """
        ...


class Seen:
    """The points a strategy was told of; 8 bytes of digest each."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._marks: set[int] = set()

    def add(self, params: Params) -> int:
        """Remember a point, whatever came of it; return its mark."""
        mark = self.mark(params)
        self._marks.add(mark)
        return mark

    def add_new(self, params: Params) -> int | None:
        """Remember a point and return its mark; None when it is remembered already."""
        before = len(self._marks)
        mark = self.add(params)
        return mark if len(self._marks) > before else None

    def mark(self, params: Params) -> int:
        """Return what the point is known by; equal for equal points."""
        key = self._space.key(params).encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")

    def marks(self, points: Sequence[Params]) -> frozenset[int]:
        """Return the marks of several points."""
        return frozenset(map(self.mark, points))

    def __contains__(self, mark: object) -> bool:
        return mark in self._marks


def chance(label: str, seed: int, number: int) -> random.Random:
    """Return the source of chance of trial ``number``; the same in every process.

    Only its ``random()`` is promised to give the same numbers on every version of Python.
    """
    digest = sha256(f"{label}:{seed}:{number}".encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))  # noqa: S311  no secret is made of it


def check_options(strategy: str, options: Mapping[str, Json], known: Collection[str] = ()) -> None:
    """Refuse options that ``strategy`` does not have. Raises RequestError."""
    for name in options:
        if name in known:
            continue
        near = nearest(name, known)
        listed = f"Its options are: {', '.join(known)}." if known else "It takes no options."
        raise RequestError(
            f"The strategy {strategy!r} has no option {name!r}.",
            f"Did you mean {near!r}?" if near else listed,
        )


def number_option(
    strategy: str,
    options: Mapping[str, Json],
    name: str,
    default: float,
    *,
    low: float,
    high: float,
    whole: bool = False,
) -> float:
    """Return a number among the options of ``strategy``, ``default`` when it is not set.

    Raises RequestError when it is no number from ``low`` to ``high``, or not ``whole``.
    """
    given = options.get(name)
    if given is None:
        return default
    is_number = isinstance(given, int if whole else (int, float)) and not isinstance(given, bool)
    if not is_number or not low <= given <= high:  # type: ignore[operator]
        noun = "whole number" if whole else "number"
        raise RequestError(
            f"The option {name!r} of the strategy {strategy!r} is {given!r}.",
            f"Give it a {noun} from {low:g} to {high:g}.",
        )
    return given  # type: ignore[return-value]
