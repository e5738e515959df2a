"""The provider ``dispatch``: no call is made; the work waits for an agent that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from hermes.agents.base import Call, Settings
from hermes.errors import RequestError


class Waiting:
    """Stands where an agent does, and refuses to be asked."""

    def check(self, settings: Settings, environment: Mapping[str, str]) -> NoReturn:
        """Refuse. Raises RequestError."""
        del settings, environment
        raise _refusal()

    def ask(self, call: Call) -> NoReturn:
        """Refuse. Raises RequestError."""
        del call
        raise _refusal()


def _refusal() -> RequestError:
    return RequestError(
        "The agent provider 'dispatch' is asked by nobody: its work waits to be fetched.",
        "Let an agent run `hermes-lab agent_next`, or name another agent_provider.",
    )


ADAPTER = Waiting()
