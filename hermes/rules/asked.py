"""The form of a task that somebody calls by name; its purpose and variables are in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hermes.cli import console
from hermes.cli.commands import COMMANDS


def asked(
    name: str, function: Callable[[], object], *, after: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the task of a command: it runs each time it is called, after its ``after`` tasks."""
    return {
        "basename": name,
        "doc": COMMANDS[name].description,
        "task_dep": list(after),
        "actions": [console.action(function)],
        "uptodate": [False],
    }
