"""The options of the strategy ``llm``, checked; for the strategy and for who wires its agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from hermes.errors import RequestError
from hermes.model import Json
from hermes.search.base import check_options, number_option
from hermes.search.registry import check
from hermes.spec import Command

NAME = "llm"
MOST_RETRIES = 5
LEAST_MINUTES, MOST_MINUTES = 0.001, 24 * 60.0
_NAMES = ("command", "retries", "timeout_minutes", "fallback")
_EXAMPLE = "strategy_options: {command: COMMAND}"


@dataclass(frozen=True)
class LlmOptions:
    """How often an agent may correct itself, and who proposes if it cannot.

    ``command`` answers where no other provider of agents does.
    ``timeout_minutes`` is the time of one call; ``fallback`` the name of a strategy.
    """

    command: Command | None = None
    retries: int = 2
    timeout_minutes: float = 10.0
    fallback: str = "random"


def read_options(options: Mapping[str, Json]) -> LlmOptions:
    """Return the options of a SPEC. Raises RequestError for what is missing, unknown or wrong."""
    check_options(NAME, options, _NAMES)
    number = partial(number_option, NAME, options)
    retries = number("retries", LlmOptions.retries, low=0, high=MOST_RETRIES, whole=True)
    minutes = LlmOptions.timeout_minutes
    return LlmOptions(
        command=_command(options.get("command")),
        retries=int(retries),
        timeout_minutes=number("timeout_minutes", minutes, low=LEAST_MINUTES, high=MOST_MINUTES),
        fallback=_fallback(options.get("fallback") or LlmOptions.fallback),
    )


def _command(given: Json) -> Command | None:
    if given is None:
        return None
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, list) and given and isinstance(given[0], str) and given[0]:
        words = [word for word in given if isinstance(word, str)]
        if len(words) == len(given):
            return tuple(words)
    raise RequestError(
        f"The option 'command' of the strategy {NAME!r} is no command.",
        f"Write a text or a list of words: `{_EXAMPLE}`.",
    )


def _fallback(given: Json) -> str:
    if not isinstance(given, str) or given == NAME:
        raise RequestError(
            f"The option 'fallback' of the strategy {NAME!r} is {given!r}.",
            "Name another strategy, such as random.",
        )
    check(given)
    return given
