"""The contract of an agent: one prompt, one answer, within one call; open to whoever asks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from hermes.clock import SystemClock
from hermes.exchange import Answer
from hermes.spec import Command


def _nothing() -> None:
    """Have nothing to do meanwhile."""


@dataclass(frozen=True)
class Settings:
    """What a SPEC says of its agent; None leaves it to the agent.

    ``command`` is what the provider ``command`` runs. ``most_usd`` is what one call may cost, in
    US dollars, where the tool can be told. ``mutable_paths`` and ``read_only_paths`` are globs.
    """

    provider: str = "command"
    command: Command | None = None
    model: str | None = None
    effort: str | None = None
    base_url: str | None = None
    background: bool = False
    most_usd: float | None = None
    mutable_paths: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One question to an agent, and what it may use and take.

    ``folder`` is not there yet: the agent's adapter makes it and removes it. ``work`` is the
    folder that the agent works in and may change; None means an empty one of the call's own, in
    which nothing is to be changed. ``environment`` is what every command gets; of ``caller``, the
    variables of whoever called the lab, an adapter adds those that its tool needs, by name.
    ``log`` is a file to be made of what the tool printed. ``now`` tells the time (aware, UTC).

    ``tick`` is called about every second meanwhile, ``meanwhile`` once when the agent is at work;
    when one of them raises, everything that was started is ended.
    """

    prompt: str
    folder: Path
    environment: Mapping[str, str]
    limit_seconds: float
    tick: Callable[[], None] = _nothing
    meanwhile: Callable[[], object] = _nothing
    settings: Settings = Settings()
    work: Path | None = None
    caller: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    now: Callable[[], datetime] = SystemClock().now


@runtime_checkable
class Agent(Protocol):
    """What answers prompts."""

    def check(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Refuse what could never be asked, before anything is planned.

        ``environment`` is what the agent's tool would get. Raises RequestError.
        """
        ...

    def ask(self, call: Call) -> Answer:
        """Return the agent's answer: whatever it does is one, perhaps with a problem.

        Nothing that it started is left on return. Raises OSError when the system is at fault,
        and what ``tick`` and ``meanwhile`` raise.
        """
        ...
