"""The request: what was asked for, with which variables, from where; read once a process.

Limits first: this is the only module that reads ``os.environ``, and it changes nothing.
A request that is wrong in any way is refused while the task graph loads: one or two lines, exit
code 3, before any task runs. doit itself would let most of it pass.
"""

from __future__ import annotations

import fnmatch
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar

import doit
from doit import doit_cmd
from doit.cmd_base import DodoTaskLoader
from doit.exceptions import InvalidCommand

from hermes.cli import refusing
from hermes.cli.commands import COMMANDS, DEFAULT_COMMAND, Command, takers
from hermes.cli.line import DOIT_COMMANDS, Line, OptionTable, take_apart
from hermes.cli.values import Value, absolute, convert
from hermes.errors import RequestError, UnknownName, nearest
from hermes.layout import EXPERIMENT_ID, Layout

DATA_ROOT_KEY = "HERMES_LAB_DATA_ROOT"
_DEFAULT_ROOTS = {"demo": "demo-data"}
_LONGEST = 1024  # characters of a word that may be a path
_NAME_TAKERS = frozenset(
    ("run", "list", "info", "forget", "clean", "ignore", "help", "strace", "reset-dep")
)

Wanted = TypeVar("Wanted", str, int, float, Path)


@dataclass(frozen=True)
class Variables:
    """The variables of one command, of the types its table names; None where there is no value."""

    values: Mapping[str, Value]

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def get(self, name: str, kind: type[Wanted]) -> Wanted | None:
        """Return a variable of the type ``kind``, or None when it was not given."""
        value = self.values[name]
        assert value is None or isinstance(value, kind), f"{name} is not of {kind}"
        return value

    def need(self, name: str, kind: type[Wanted]) -> Wanted:
        """Return a variable that is required or has a default."""
        value = self.get(name, kind)
        assert value is not None, f"{name} has no value"
        return value


@dataclass(frozen=True)
class Request:
    """One command line, judged.

    ``command`` is the first of the lab's commands that was named (``run_once`` when no task was),
    and None when doit only lists or explains, when another task was named, and when the request
    is refused as soon as the names are known. ``names`` are the tasks and targets as given.
    ``workdir`` is where the user stood; relative paths mean that folder.
    ``program`` is the name of what was called, and ``called_as`` the path it was started by.
    """

    command: str | None
    names: tuple[str, ...]
    doit_command: str
    data_root: Path
    workdir: Path
    environ: Mapping[str, str]
    program: str = "doit"
    typed: Mapping[str, Variables] = field(default_factory=dict)
    deferred: RequestError | None = None
    called_as: str = ""

    @property
    def run_names(self) -> tuple[str, ...]:
        """The tasks and targets that are to be run, as given."""
        return self.names if self.doit_command == "run" else ()

    @property
    def again(self) -> str:
        """What to type in ``workdir`` to call the program again: its name if a shell finds it."""
        if os.path.basename(self.called_as) != self.program:
            return self.program  # ``python -m``
        found = shutil.which(self.program, path=self.environ.get("PATH"))
        if found and os.path.realpath(found) == os.path.realpath(self.workdir / self.called_as):
            return self.program
        return shlex.quote(self.called_as)

    def of(self, command: str) -> Variables:
        """Return the variables of ``command``: as given, or its defaults when it was not named."""
        if command in self.typed:
            return self.typed[command]
        return Variables({item.name: item.default for item in COMMANDS[command].variables})

    @property
    def variables(self) -> Variables:
        """The variables of the command that was asked for; none when there is no such command."""
        return self.of(self.command) if self.command else Variables({})


# One a process


_installed: Request | None = None


def current() -> Request:
    """Return the request of this process.

    Raises doit's InvalidCommand when it is wrong, which doit shows without a traceback; ends the
    process where a program is told in JSON.
    """
    if _installed is None:
        try:
            install(_from_doit())
        except RequestError as error:
            _refuse(error, sys.argv[1:])
    assert _installed is not None
    return _installed


def _refuse(error: RequestError, words: Sequence[str]) -> NoReturn:
    if refusing.speaks_json(words):
        refusing.refuse(error, words)
        raise SystemExit(int(error.exit_code)) from None
    raise InvalidCommand(str(error)) from None


def install(request: Request | None) -> None:
    """Make ``request`` the one of this process; None lets the next ``current`` read it anew."""
    global _installed  # noqa: PLW0603  one request a process
    _installed = request


def receive(words: Sequence[str], *, program: str) -> Request:
    """Judge the words behind ``program`` and make them the request of this process.

    Raises RequestError.
    """
    asked = parse(words, environ=os.environ, workdir=here(), program=program, called_as=sys.argv[0])
    install(asked)
    return asked


def _from_doit() -> Request:
    """Read the request of the doit that is loading the tasks; an idle one when none is."""
    seen = doit_cmd._CMDLINE_VARS  # noqa: SLF001  doit has no other way to list the variables
    workdir = doit.get_initial_workdir()
    if seen is None or workdir is None:
        return idle(os.environ, here())
    return parse(
        sys.argv[1:],
        environ=os.environ,
        workdir=Path(workdir),
        loader_options=DodoTaskLoader.cmd_options,
        expected=seen,
        called_as=sys.argv[0],
    )


def here() -> Path:
    """Return the folder the process stands in. Raises RequestError when it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise RequestError("The current folder was removed.", "Change to another one.") from None


def idle(environ: Mapping[str, str], workdir: Path) -> Request:
    """Return the request of a process that no command line asked for anything."""
    return Request(None, (), "", _data_root(environ, workdir, ()), workdir, dict(environ))


# From words to a request


def parse(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    workdir: Path,
    loader_options: OptionTable = (),
    program: str = "doit",
    expected: Mapping[str, str] | None = None,
    called_as: str = "",
) -> Request:
    """Judge a command line (without the program's name). Raises RequestError.

    ``loader_options`` are doit's options for finding tasks; ``expected`` the variables doit found.
    When a task is named that is not in the table of commands, a fault in the variables waits for
    ``check_names``: the name may be the thing that is wrong. No command is asked for until then.
    """
    line = take_apart(argv, loader_options)
    _agree(line, expected)
    if line.doit_command == "run":
        _check_options(line)
    names = _task_names(line)
    commands = _commands(line, names)
    typed: dict[str, Variables] = {}
    deferred = None
    try:
        typed = _judge(line, commands, workdir, environ)
    except RequestError as error:
        if all(name in COMMANDS for name in names):
            raise
        deferred = error
    return Request(
        command=commands[0].name if commands and deferred is None else None,
        names=names,
        doit_command=line.doit_command,
        data_root=_data_root(environ, workdir, commands),
        workdir=workdir,
        environ=dict(environ),
        program=program,
        typed=typed,
        deferred=deferred,
        called_as=called_as,
    )


def _agree(line: Line, expected: Mapping[str, str] | None) -> None:
    if expected is not None and dict(line.given) != dict(expected):
        raise RequestError(
            "The lab's tasks were loaded by another program than doit's own.",
            "Call `doit` or `hermes-lab`.",
        )


def _check_options(line: Line) -> None:
    parallel = {"num_process", "par_type"} & set(line.options)
    behind = [name for name in line.names if name.startswith(("-n", "-P", "--process", "--par"))]
    if parallel or behind:
        raise RequestError(
            "doit's -n would run the steps of one experiment against each other.",
            "Use a command's own parallel=, or start several commands side by side.",
        )


def _task_names(line: Line) -> tuple[str, ...]:
    """Return the names of tasks and targets; options behind a task of the lab are refused."""
    for place, word in enumerate(line.names):
        if word.startswith("-"):
            if line.doit_command != "run" or line.names[place - 1] in COMMANDS:
                raise RequestError(
                    f"Option {word} stands behind a task.",
                    "Options come before the tasks; variables are written name=value.",
                )
            return line.names[:place]  # options of a task that is not one of the lab's
    return line.names


def _commands(line: Line, names: tuple[str, ...]) -> tuple[Command, ...]:
    if line.doit_command != "run":
        return ()
    found = tuple(COMMANDS[name] for name in names or (DEFAULT_COMMAND,) if name in COMMANDS)
    if len(found) > 1:
        raise RequestError(
            f"{found[0].name} and {found[1].name} are two commands.", "Call one at a time."
        )
    return found


def _data_root(environ: Mapping[str, str], workdir: Path, commands: tuple[Command, ...]) -> Path:
    default = next((_DEFAULT_ROOTS[c.name] for c in commands if c.name in _DEFAULT_ROOTS), None)
    return absolute(environ.get(DATA_ROOT_KEY) or default or "lab-data", workdir, environ)


# Variables


def _judge(
    line: Line, commands: tuple[Command, ...], workdir: Path, environ: Mapping[str, str]
) -> dict[str, Variables]:
    given = dict(line.given)
    if len(given) < len(line.given):
        names = [name for name, _ in line.given]
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestError(f"{twice}= is given twice.", "Give it once.")
    for name in given:
        if not any(command.variable(name) for command in commands):
            raise _unknown_variable(name, line, commands)
    return {command.name: _typed(command, given, workdir, environ) for command in commands}


def _typed(
    command: Command, given: Mapping[str, str], workdir: Path, environ: Mapping[str, str]
) -> Variables:
    values: dict[str, Value] = {}
    for variable in command.variables:
        if variable.name in given:
            text = given[variable.name]
            values[variable.name] = convert(variable, text, workdir=workdir, environ=environ)
        elif variable.required:
            raise RequestError(f"{command.name} needs {variable.name}=.", f"Usage: {command.usage}")
        else:
            values[variable.name] = variable.default
    return Variables(values)


def _unknown_variable(name: str, line: Line, commands: tuple[Command, ...]) -> RequestError:
    """Say that nothing named takes ``name``, and what is nearest to it or takes it."""
    speaker = " and ".join(item.name for item in commands) or _speaker(line)
    message = f"{speaker} takes no variable {name!r}."
    own = [variable.name for command in commands for variable in command.variables]
    near = nearest(name.lower(), own)
    if near:
        return RequestError(message, f"Did you mean {near}=?")
    hints = [f"Usage: {item.usage}" for item in commands if item.variables]
    others = takers(name)
    if others:
        hints.insert(0, f"It belongs to {', '.join(others)}.")
    return RequestError(message, " ".join(hints) or "Leave it out.")


def _speaker(line: Line) -> str:
    return line.names[0] if line.doit_command == "run" and line.names else line.doit_command


# Names


def check_names(known: Iterable[str], *, targets: Iterable[str] = ()) -> None:
    """Refuse a task name that is not among ``known`` (nor a target of one), with the nearest.

    To be called once all task names are known. Raises as ``current``.
    """
    request = current()
    tasks = set(known)
    try:
        if request.doit_command in _NAME_TAKERS:
            for name in request.names:
                _check_name(name, tasks, targets, request)
        if request.deferred is not None:
            raise request.deferred
    except RequestError as error:
        _refuse(error, request.run_names)


def _check_name(name: str, tasks: set[str], targets: Iterable[str], request: Request) -> None:
    if name in tasks or ("*" in name and fnmatch.filter(tasks, name)):
        return
    if request.doit_command == "run" and name in set(targets):
        return
    if request.doit_command == "help" and (name == "task" or name in DOIT_COMMANDS):
        return
    if name == request.names[0] and _is_plugin(name):
        return
    _check_bare(name, request)
    near = nearest(name, [*COMMANDS, *DOIT_COMMANDS]) or nearest(name, tasks)
    remedy = f"Run `{request.again} list` for the names."
    raise UnknownName("task", name, [near] if near else [], remedy)


def _check_bare(word: str, request: Request) -> None:
    """Refuse the value of a variable that stands alone behind the command it is meant for."""
    if request.doit_command != "run":
        return
    before = request.names[: request.names.index(word)]
    takes = {item.name for name in before if name in COMMANDS for item in COMMANDS[name].variables}
    if "exp" in takes and _is_experiment(word, request.data_root):
        raise RequestError(f"{word} is an experiment, and not a task.", f"Write exp={word}.")
    if "spec" in takes and _is_file(word, request.workdir):
        written = f"spec={shlex.quote(word)}"
        raise RequestError(f"{word} is a file, and not a task.", f"Write {written}.")


def _is_experiment(word: str, data_root: Path) -> bool:
    if EXPERIMENT_ID.match(word) is None:
        return False
    return Layout(data_root).experiment(word).folder.is_dir()


def _is_file(word: str, workdir: Path) -> bool:
    return word.endswith((".yaml", ".yml")) or (len(word) < _LONGEST and (workdir / word).is_file())


def _is_plugin(name: str) -> bool:
    """Say whether another package brings a doit command of this name."""
    from importlib.metadata import entry_points

    return name in entry_points(group="doit.COMMAND").names
