"""What doit reports: nothing but errors, in two lines each, and the exit code they ask for.

Limits first: standard output is left to the commands. What the lab did not expect goes with its
traceback to the fault log of the data root (to standard error where there is no data root).
The exit code is the first that a ``LabError`` asked for, except that a fault outweighs the rest.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from doit.action import PythonAction
from doit.exceptions import (
    BaseFail,
    InvalidCommand,
    InvalidDodoFile,
    InvalidTask,
    TaskError,
    TaskFailed,
    UnmetDependency,
)

from hermes import files
from hermes.cli import checker, console, refusing, request, signals
from hermes.clock import SystemClock, format_time
from hermes.errors import ExitCode, Fault, LabError
from hermes.layout import Layout

_SHOWN = 300  # characters of an unexpected error that are shown
_LOG_LIMIT = 4 * 1024 * 1024
_LOG_KEPT = 1024 * 1024
_SHOWN_BY_DOIT = (InvalidCommand, InvalidDodoFile, InvalidTask)


class LabReporter:
    """doit's reporter for the lab; the methods are those of ``doit.reporter.ConsoleReporter``."""

    desc = "the lab's own: errors only, on standard error"

    def __init__(self, outstream: object, options: Mapping[str, object]) -> None:
        self.outstream = outstream
        self.options = options
        self._codes: list[ExitCode] = []
        self._restore: Callable[[], None] = lambda: None

    def initialize(self, tasks: Iterable[str], selected_tasks: object) -> None:  # noqa: ARG002
        """From here on a signal ends the run in order, so that what succeeded is kept."""
        request.check_names(tasks, targets=request.current().names)  # doit has found those
        self._restore = signals.catch()

    def get_status(self, task: Any) -> None:
        """A task is selected: nothing to say."""

    def execute_task(self, task: Any) -> None:
        """A task begins: what its files are now is what it will have seen."""
        checker.look(task.file_dep)
        for item in task.actions:
            if isinstance(item, PythonAction):
                item.py_callable = console.action(item.py_callable)

    def add_success(self, task: Any) -> None:
        """A task succeeded: nothing to say."""

    def skip_uptodate(self, task: Any) -> None:
        """A task is up to date: nothing to say."""

    def skip_ignore(self, task: Any) -> None:
        """A task is left out because ``doit ignore`` said so."""
        console.notice(
            f"{task.name} is ignored; `{request.current().again} forget {task.name}` ends that."
        )

    def teardown_task(self, task: Any) -> None:
        """A task is torn down: nothing to say."""

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """A task failed: say why, unless the cause is another that was named already."""
        if isinstance(fail, UnmetDependency):
            return
        if isinstance(fail, console.Refused):
            if fail.error is not None:
                _refuse(fail.error, is_first=not self._codes)
            self._codes.append(fail.exit_code)
        elif isinstance(fail, TaskFailed):
            self._codes.append(ExitCode.FAILED)
            console.notice(f"ERROR: {task.name}: {_first_line(fail.message)}")
        else:
            self._codes.append(ExitCode.FAULT)
            _report_fault(task.name, fail)

    def cleanup_error(self, exception: BaseFail) -> None:
        """A teardown failed."""
        _report_fault("clearing up", exception)

    def runtime_error(self, msg: str) -> None:
        """The graph itself is wrong."""
        console.notice(f"ERROR: {msg}")
        self._codes.append(ExitCode.FAULT)

    def complete_run(self) -> None:
        """The run is over and its successes are saved: end with the exit code asked for."""
        self._restore()
        cause = sys.exc_info()[1]
        if isinstance(cause, KeyboardInterrupt):
            signals.interrupted(cause)
        if isinstance(cause, Exception):  # raised where doit asks whether a task is up to date
            end_with(cause, "looking for work")
        if cause is None and signals.asked():
            signals.interrupted()
        if cause is None and self._codes:
            faulty = ExitCode.FAULT in self._codes
            raise SystemExit(int(ExitCode.FAULT if faulty else self._codes[0]))


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While the task graph is made, let an error end the process as one of a task would."""
    try:
        yield
    except Exception as error:
        end_with(error, "making the task graph")
        raise


def end_with(error: Exception, doing: str) -> None:
    """End the process because of ``error``; returns when it is one that doit shows by itself."""
    if isinstance(error, LabError):
        _refuse(error)
        raise SystemExit(int(error.exit_code)) from None
    if not isinstance(error, _SHOWN_BY_DOIT):
        _report_fault(doing, TaskError("", error))
        raise SystemExit(int(ExitCode.FAULT)) from None


def _refuse(error: LabError, *, is_first: bool = True) -> None:
    """Say what is wrong; a program is told one thing, and the rest goes to standard error."""
    refusing.refuse(error, request.current().run_names if is_first else ())


# Faults


def _report_fault(name: str, fail: BaseFail) -> None:
    """Say what went wrong in two lines, and keep the traceback.

    Writes: the fault log, appended; its oldest part is dropped when it is over 4 MiB.
    """
    traceback = "".join(fail.traceback)
    if not traceback:  # doit's own message says it all
        _refuse(Fault(_first_line(fail.message.removeprefix("ERROR: "))))
        return
    log = _keep(name, traceback)
    told = f"This is a fault of the lab; its traceback is in {log}." if log else traceback
    _refuse(Fault(f"{name}: {_first_line(fail.traceback[-1])}", told))


def _first_line(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _keep(name: str, traceback: str) -> str | None:
    """Append a traceback to the fault log; None when there is no data root or the disk refuses."""
    asked = request.current()
    log = Layout(asked.data_root).fault_log
    moment = format_time(SystemClock().now())
    entry = f"{moment} {asked.program} {name}\n{traceback}\n"
    if not asked.data_root.is_dir():
        return None
    with contextlib.suppress(OSError):
        files.make_folder(log.parent)
        if files.exists(log) and log.stat().st_size > _LOG_LIMIT:
            files.rewrite_locked(log, lambda: (files.read(log) or b"")[-_LOG_KEPT:])
        files.append(log, lambda _: entry.encode("utf-8", "backslashreplace"))
        return str(log)
    return None
