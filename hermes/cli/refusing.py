"""How a request is refused: in two lines on standard error, or as JSON to a program that asked.

For whoever ends a command before its own task can answer: the doors, the request, the reporter.
Limit first: which commands speak JSON alone is told by the table of commands.
"""

from __future__ import annotations

from collections.abc import Sequence

from hermes.cli import console
from hermes.cli.commands import COMMANDS
from hermes.cli.line import DOIT_COMMANDS
from hermes.errors import LabError

_SPEAKING = frozenset(command.name for command in COMMANDS.values() if command.only_json)
_KNOWN = (frozenset(COMMANDS) | frozenset(DOIT_COMMANDS)) - {"run"}


def speaks_json(words: Sequence[str]) -> bool:
    """Say whether a command line, or the names of its tasks, ask for a command of programs.

    The line may be wrong in any way, so that what is known by name in it has to do.
    """
    return next((word for word in words if word in _KNOWN), "") in _SPEAKING


def refuse(error: LabError, words: Sequence[str]) -> None:
    """Print what is wrong and the next step, as whoever called ``words`` reads it."""
    if not speaks_json(words):
        console.refuse(error)
        return
    from hermes.render.work import error_document

    console.document(error_document(error))
