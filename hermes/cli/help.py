"""What ``help`` without a word says: the lab's commands, then doit's own; for ``door`` alone."""

from __future__ import annotations

from collections.abc import Mapping

from hermes.cli.commands import COMMANDS, DEFAULT_COMMAND
from hermes.cli.line import DOIT_COMMANDS

_DOIT = {
    "list": "List every task; with --all --status every step, and whether it would run.",
    "info": "Show what a task takes, what it depends on and what it makes.",
    "help": "Show this, or what one task or command takes.",
}


def overview(program: str) -> str:
    """Return a line for each command of the lab, then what doit brings."""
    own = {name: command.purpose for name, command in COMMANDS.items()}
    others = ", ".join(sorted(name for name in DOIT_COMMANDS if name not in _DOIT))
    return "\n".join(
        (
            f"Usage: {program} TASK name=value …",
            f"Without a task it is {DEFAULT_COMMAND}.",
            "",
            "The lab's commands:",
            *_lines(own),
            "",
            "The lab is a graph of doit tasks, so doit's own commands are there too:",
            *_lines(_DOIT),
            f"  and {others}",
            "",
            f"{program} help TASK tells what a command takes.",
        )
    )


def _lines(words: Mapping[str, str]) -> list[str]:
    longest = max(map(len, words))
    return [f"  {name:<{longest}}  {text}" for name, text in words.items()]
