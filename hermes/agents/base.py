"""The contract of an agent's adapter: one prompt, one answer, within one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hermes.exchange import Answer


def _nothing() -> None:
    """Have nothing to do meanwhile."""


@dataclass(frozen=True)
class Call:
    """One question to an agent, and what it may use and take.

    ``folder`` is not there yet: the adapter makes it, works in it and removes it. ``environment``
    is all that the agent gets. ``tick`` is called about every second meanwhile, ``meanwhile`` once
    when the agent is at work; when one of them raises, everything that was started is ended.
    """

    prompt: str
    folder: Path
    environment: Mapping[str, str]
    limit_seconds: float
    tick: Callable[[], None] = _nothing
    meanwhile: Callable[[], object] = _nothing


class Agent(Protocol):
    """What answers prompts."""

    def ask(self, call: Call) -> Answer:
        """Return the agent's answer: whatever it does is one, perhaps with a problem.

        Nothing that it started is left on return. Raises OSError when the system is at fault,
        and what ``tick`` and ``meanwhile`` raise.
        """
        ...
