"""A command line, taken apart exactly as doit does it; used by ``request`` alone.

doit's own option tables and parser are used, so that an option with a value is never taken for
a task, whichever version of doit is installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from getopt import GetoptError
from typing import Any, TypeAlias

from doit.cmd_base import DoitCmdBase
from doit.cmdparse import CmdOption, CmdParse, CmdParseError
from doit.doit_cmd import DoitMain

from hermes.errors import RequestError

OptionTable: TypeAlias = tuple[dict[str, Any], ...]

DOIT_COMMANDS: dict[str, Any] = {item.get_name(): item for item in DoitMain.DOIT_CMDS}


@dataclass(frozen=True)
class Line:
    """The parts: doit's sub-command (``run`` if none was given), options, words and variables.

    ``names`` are tasks, targets, and what stands behind them; ``given`` keeps the order and
    repetitions of the variables.
    """

    doit_command: str
    options: Mapping[str, object]
    names: tuple[str, ...]
    given: tuple[tuple[str, str], ...]


def take_apart(argv: Sequence[str], loader_options: OptionTable) -> Line:
    """Follow ``DoitMain.run``: loader options, variables, sub-command, its options, the rest.

    Raises RequestError for an option that doit does not know.
    """
    if "" in argv:
        raise RequestError("An argument is empty.", "Leave it out.")
    try:
        _, rest = _parser(loader_options).parse_only(list(argv))
    except CmdParseError:  # doit's own way: options of a command that is not named
        rest = list(argv)
    variables = [word for word in rest if word[0] != "-" and "=" in word]
    words = [word for word in rest if word[0] == "-" or "=" not in word]
    doit_command = words.pop(0) if words and words[0] in DOIT_COMMANDS else "run"
    options, names = _parse_options(doit_command, loader_options, words)
    given = (word.partition("=") for word in variables)
    return Line(doit_command, options, tuple(names), tuple((name, text) for name, _, text in given))


def _parse_options(
    name: str, loader_options: OptionTable, words: list[str]
) -> tuple[dict[str, object], list[str]]:
    command = DOIT_COMMANDS[name]
    table: OptionTable = tuple(command.cmd_options)
    if issubclass(command, DoitCmdBase):
        table = (*command.base_options, *loader_options, *table)
    try:
        return _parser(table).parse_only(words)  # type: ignore[no-any-return]  # untyped doit
    except CmdParseError as error:
        cause = error.__context__
        text = str(cause if isinstance(cause, GetoptError) else error)
        reason = text.splitlines()[0].rstrip(".")
        message = f"{reason[:1].upper()}{reason[1:]}."
        raise RequestError(message, f"Run `hermes-lab help {name}` for the options.") from None


def _parser(table: OptionTable) -> Any:
    return CmdParse([CmdOption(item) for item in table])
