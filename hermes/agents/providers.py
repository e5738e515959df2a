"""Which agents there are, by the name of their provider; for the steps that ask one."""

from __future__ import annotations

from hermes.agents.base import Agent
from hermes.errors import RequestError
from hermes.spec import Command

PROVIDERS = ("command",)


def check_provider(name: str | None) -> None:
    """Refuse a provider that there is no adapter for; none means ``command``.

    Raises RequestError.
    """
    if name is not None and name not in PROVIDERS:
        raise RequestError(
            f"The agent provider {name!r} cannot be asked for proposals yet.",
            "Write `agent_provider: command`, and that agent's command line as the command.",
        )


def agent_for(provider: str | None, command: Command) -> Agent:
    """Return the agent of a SPEC. Raises RequestError as ``check_provider``."""
    from hermes.agents.command import CommandAgent

    check_provider(provider)
    return CommandAgent(command)
