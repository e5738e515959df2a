"""The two doors: doit's configuration for a checkout, and ``hermes-lab`` for everywhere else.

Limits first: neither writes anything before a task runs, and ``hermes-lab`` reads no settings
from the folder it is called in.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from doit.cmd_base import TaskLoader2
from doit.doit_cmd import DoitMain
from doit.exceptions import InvalidCommand
from doit.loader import generate_tasks

import hermes
from hermes.cli import console, refusing, request, signals
from hermes.cli.checker import StateChecker
from hermes.cli.commands import COMMANDS, DEFAULT_COMMAND
from hermes.cli.help import overview
from hermes.cli.reporter import LabReporter, loading
from hermes.cli.request import Request
from hermes.errors import ExitCode, RequestError
from hermes.layout import Layout

Creators: TypeAlias = Mapping[str, Callable[..., Any]]

PROGRAM = "hermes-lab"
_EXPLAINING = frozenset(("info", "help"))
_READING = _EXPLAINING | {"list"}
_CREATOR = "task_"


def configuration(asked: Request) -> dict[str, object]:
    """Return ``DOIT_CONFIG``. A command that only reads ends quietly when its reader goes away.

    Raises doit's InvalidCommand where the lab is not installed: doit could not find its back end.
    """
    if asked.program != PROGRAM and asked.doit_command:
        _check_installed()
    if asked.doit_command in _READING and _into_a_pipe():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return {
        "backend": "hermes",
        "dep_file": str(task_database(asked)),
        "check_file_uptodate": StateChecker,
        "reporter": LabReporter,
        "verbosity": 2,
        "default_tasks": [DEFAULT_COMMAND],
        "continue": True,
        "num_process": 0,
    }


def _check_installed() -> None:
    try:
        metadata.distribution(PROGRAM)
    except metadata.PackageNotFoundError:
        raise InvalidCommand(
            "Hermes Lab is not installed in this Python.\nRun `pip install -e .` in the checkout."
        ) from None


def _into_a_pipe() -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(1).st_mode)
    except OSError:
        return False


def task_database(asked: Request) -> Path:
    """Return where the graph's memory stands: in the data root, or beside a checkout's ``dodo.py``.

    The second only while there is no lab and none of the lab's own commands was asked for: so the
    project's checks leave no data root behind.
    """
    checkout = Path(hermes.__file__).parent.parent
    if asked.command is None and not asked.data_root.is_dir() and (checkout / "dodo.py").is_file():
        return checkout / ".doit" / "tasks.jsonl"
    return Layout(asked.data_root).task_database


class _Tasks(TaskLoader2):  # type: ignore[misc]  # doit has no type hints
    """The lab's tasks, without a ``dodo.py``, in the order of their creators.

    doit's own loader sorts by line number, for which it reads and parses every source file.
    """

    def __init__(self, asked: Request, creators: Creators) -> None:
        super().__init__()
        self._asked = asked
        self._creators = creators

    def load_doit_config(self) -> dict[str, object]:
        """Return what ``dodo.py`` calls ``DOIT_CONFIG``."""
        return configuration(self._asked)

    def load_tasks(self, cmd: Any, pos_args: list[str]) -> list[Any]:  # noqa: ARG002  doit's form
        """Call the creators."""
        return tasks(self._creators)


def tasks(creators: Creators) -> list[Any]:
    """Call the task creators among ``creators`` in their order, and refuse what does not exist.

    A ``dodo.py`` may hand the result to doit as that of a single creator. It must then be the
    only one. Delayed creators and those with parameters are not for the lab.
    """
    with loading():
        made = [
            task
            for name, creator in creators.items()
            if name.startswith(_CREATOR)
            for task in generate_tasks(name.removeprefix(_CREATOR), creator(), creator.__doc__)
        ]
    if request.current().doit_command in _EXPLAINING:
        _explain(made)
    request.check_names(
        [task.name for task in made], targets=(target for task in made for target in task.targets)
    )
    return made


def _explain(made: list[Any]) -> None:
    """Say in full what a command takes: doit keeps only the first line of a task's words."""
    for task in made:
        if task.name in COMMANDS:
            task.doc = COMMANDS[task.name].description


class _Door(DoitMain):  # type: ignore[misc]  # doit has no type hints
    """doit under the lab's name."""

    BIN_NAME = PROGRAM

    @staticmethod
    def print_version() -> None:
        """Print the lab's version, then doit's."""
        console.say(f"{PROGRAM} {hermes.__version__}")
        DoitMain.print_version()


def main(argv: Sequence[str] | None = None, *, creators: Creators) -> NoReturn:
    """Run ``hermes-lab`` and end the process with its exit code.

    ``argv`` leaves out the program's name; ``creators`` are those of the rules.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    release = signals.catch()
    try:
        sys.exit(_run(words, creators))
    except KeyboardInterrupt as cause:
        signals.interrupted(cause)
    finally:
        release()


def _run(words: list[str], creators: Creators) -> int:
    if words[:1] in (["--help"], ["-h"]) or words == ["help"]:
        console.say(overview(PROGRAM))
        return ExitCode.DONE
    try:
        asked = request.receive([] if words[:1] == ["--version"] else words, program=PROGRAM)
    except RequestError as error:
        refusing.refuse(error, words)
        return ExitCode.REQUEST
    backend = {"BACKEND": {"hermes": "hermes.cli.taskdb:TaskDatabase"}}
    return int(_Door(_Tasks(asked, creators), (), backend).run(words) or 0)
