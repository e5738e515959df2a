"""What reaches the user: the only module that prints, for every command and for the reporter.

Limits first: standard output belongs to the answer that was asked for, and a reader who goes away
(``| head``) never stops the lab's work. Progress and notices go to standard error.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TextIO, cast

from doit.exceptions import TaskFailed

from hermes import codec
from hermes.errors import EXIT_MEANINGS, ExitCode, LabError

Arguments = ParamSpec("Arguments")

_MARK = "ends_with_an_exit_code"


def say(text: str) -> None:
    """Print a part of the answer, and a newline, on standard output."""
    _write(sys.stdout, text + "\n")


def notice(text: str) -> None:
    """Print a remark, and a newline, on standard error."""
    _write(sys.stderr, text + "\n")


def prompt(text: str) -> None:
    """Print what somebody is to answer behind, on standard error; the line stays open."""
    _write(sys.stderr, text)


def is_at_terminal() -> bool:
    """Say whether a person can be asked: reads what is noticed, and types."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def refuse(error: LabError) -> None:
    """Print what is wrong and the next step, as doit prints its own errors."""
    notice(f"ERROR: {error}")


def document(value: object) -> None:
    """Print exactly one JSON document on standard output.

    Raises ValueError, and prints nothing, when ``value`` has no strict JSON form.
    """
    _write(sys.stdout, codec.to_json(value, pretty=True).decode(), escape=_json_escapes)


def raw(content: bytes) -> None:
    """Print the JSON document that a file of the lab holds, on standard output."""
    _write(sys.stdout, content.decode("utf-8", "replace"), escape=_json_escapes)


def width(otherwise: int = 100) -> int:
    """Return the terminal's width in characters, or ``otherwise`` when there is no terminal."""
    import shutil

    return shutil.get_terminal_size((otherwise, 24)).columns


class Bar(Protocol):
    """A progress bar at the terminal; the methods are those of ``tqdm.tqdm``."""

    def update(self) -> object:
        """Count one more."""

    def set_postfix_str(self, s: str, refresh: bool = True) -> None:
        """Show ``s`` behind the bar."""

    def write(self, s: str) -> None:
        """Print a line above the bar."""

    def close(self) -> None:
        """Leave the bar as it stands."""


def bar(total: int) -> Bar | None:
    """Return a progress bar on standard error; None where that is no terminal."""
    stream = sys.stderr
    if stream is None or not stream.isatty():
        return None
    from tqdm import tqdm

    class _Bar(tqdm):  # type: ignore[type-arg]  # counts runs, iterates over nothing
        def write(self, s: str) -> None:  # type: ignore[override]  # always where the bar is
            tqdm.write(s, file=stream)

    known = os.get_terminal_size(stream.fileno()).columns > 0  # some terminals do not tell
    size: dict[str, Any] = {"dynamic_ncols": True} if known else {"ncols": width(), "nrows": 24}
    return cast(Bar, _Bar(total=total, file=stream, unit="run", mininterval=0.2, **size))


def _write(stream: TextIO | None, text: str, escape: Callable[[str], str] | None = None) -> None:
    if stream is None:  # closed before the process began
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write((escape or _python_escapes)(text))
        stream.flush()
    except BrokenPipeError:
        _nobody_reads(stream)


def _nobody_reads(stream: TextIO) -> None:
    """Let what else is written to a closed pipe vanish, also at the interpreter's end."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _python_escapes(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _json_escapes(text: str) -> str:
    """Write what is beyond ASCII in a JSON text by its code, which means the same."""
    import json

    return json.dumps(json.loads(text), indent=2) + "\n"


class Refused(TaskFailed):  # type: ignore[misc]  # doit has no type hints
    """An action that ended with an exit code of its own, and perhaps an error to show."""

    def __init__(self, exit_code: ExitCode, error: LabError | None = None) -> None:
        super().__init__(str(error) if error else EXIT_MEANINGS[exit_code])
        self.exit_code = exit_code
        self.error = error


def action(function: Callable[Arguments, object]) -> Callable[Arguments, Any]:
    """Make a function the action of a task: a ``LabError`` it raises becomes its exit code.

    The function may also return an ``ExitCode``: the command then ends with that, silently.
    ``False`` means ``ExitCode.FAILED``. Other tasks of the same command still run.
    The lab's reporter makes one of every action; a rule may say so where it is read.
    """
    if getattr(function, _MARK, False):
        return function

    @functools.wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> object:
        try:
            result = function(*args, **kwargs)
        except LabError as error:
            return Refused(ExitCode(error.exit_code), error)
        if result is False:
            return Refused(ExitCode.FAILED)
        if isinstance(result, ExitCode):
            return Refused(result) if result else True
        return result

    setattr(run, _MARK, True)
    return run
