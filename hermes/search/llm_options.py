"""The options of the strategy ``llm``, checked; for the strategy and for who wires its agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hermes.errors import RequestError
from hermes.model import Json
from hermes.search.base import check_options
from hermes.search.registry import check
from hermes.spec import Command

NAME = "llm"
MOST_RETRIES = 5
MOST_MINUTES = 24 * 60.0
_NAMES = ("command", "retries", "timeout_minutes", "fallback")
_EXAMPLE = "strategy_options: {command: COMMAND}"


@dataclass(frozen=True)
class LlmOptions:
    """Which command answers, how often it may correct itself, and who proposes if it cannot.

    ``timeout_minutes`` is the time of one call; ``fallback`` the name of a strategy.
    """

    command: Command
    retries: int = 2
    timeout_minutes: float = 10.0
    fallback: str = "random"


def read_options(options: Mapping[str, Json]) -> LlmOptions:
    """Return the options of a SPEC. Raises RequestError for what is missing, unknown or wrong."""
    check_options(NAME, options, _NAMES)
    return LlmOptions(
        command=_command(options.get("command")),
        retries=_retries(options.get("retries", LlmOptions.retries)),
        timeout_minutes=_minutes(options.get("timeout_minutes", LlmOptions.timeout_minutes)),
        fallback=_fallback(options.get("fallback", LlmOptions.fallback)),
    )


def _command(given: Json) -> Command:
    if given is None:
        raise RequestError(
            f"The strategy {NAME!r} has no agent to ask: strategy_options names no command.",
            f"Add it to the SPEC, as in `{_EXAMPLE}`; it finds the prompt in $LAB_PROMPT_PATH.",
        )
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, list) and given and isinstance(given[0], str) and given[0]:
        words = [word for word in given if isinstance(word, str)]
        if len(words) == len(given):
            return tuple(words)
    raise _refused("command", "is no command", f"Write a text or a list of words: `{_EXAMPLE}`.")


def _retries(given: Json) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MOST_RETRIES:
        return given
    raise _refused("retries", f"is {given!r}", f"Write a whole number from 0 to {MOST_RETRIES}.")


def _minutes(given: Json) -> float:
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if is_number and 0 < given <= MOST_MINUTES:  # type: ignore[operator]
        return float(given)  # type: ignore[arg-type]
    remedy = f"Write a number of minutes above 0, up to {MOST_MINUTES:g}."
    raise _refused("timeout_minutes", f"is {given!r}", remedy)


def _fallback(given: Json) -> str:
    if not isinstance(given, str) or given == NAME:
        raise _refused("fallback", f"is {given!r}", "Name another strategy, such as random.")
    check(given)
    return given


def _refused(option: str, fault: str, remedy: str) -> RequestError:
    return RequestError(f"strategy_options.{option} {fault}.", remedy)
