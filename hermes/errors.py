"""Every error the lab raises: its message, its next step and its exit code.

    LabError
    ├── RequestError        3   the request is wrong
    │   ├── UnknownName     3   a name that does not exist; says the nearest one
    │   ├── SpecError       3   a SPEC or search space that is refused; says line and key
    │   │   └── SpaceError  3   a search space that is refused; says file and parameter
    │   └── AgentError      3   what an agent asked for or sent is refused; has a code
    ├── PersonNeeded        4   a person must decide before the lab goes on
    ├── Busy                5   another process holds it
    ├── NothingToDo         6   there is no work of the kind asked for
    ├── CheckFailed         1   a check found something
    └── Fault               2   the lab itself erred, or its disk did
        └── BrokenFile      2   one file of the data root cannot be read
            └── BrokenSpec  3   a SPEC.yaml that a person edited cannot be read

Losing a race is not an error but a value (``None`` or ``False``), and so is a failed run.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell; in line with doit's own codes."""

    DONE = 0
    FAILED = 1
    FAULT = 2
    REQUEST = 3
    PERSON = 4
    BUSY = 5
    NOTHING = 6


EXIT_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "it ran, and what it ran failed or a check found something",
    ExitCode.FAULT: "the lab itself erred",
    ExitCode.REQUEST: "the request is wrong",
    ExitCode.PERSON: "a person is needed",
    ExitCode.BUSY: "busy: another process holds it",
    ExitCode.NOTHING: "nothing to do",
}


class LabError(Exception):
    """An error with a message, a next step and an exit code.

    ``str(error)`` is at most two lines: what is wrong, then what to do.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class RequestError(LabError):
    """The request is wrong; nothing was changed."""

    exit_code = ExitCode.REQUEST


class UnknownName(RequestError):
    """A name that does not exist, with the nearest one that does."""

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        near = nearest(name, known)
        hint = f"Did you mean {near!r}?" if near else remedy
        super().__init__(f"No {kind} is called {name!r}.", hint or remedy)


class SpecError(RequestError):
    """A SPEC or search space that is refused, with the place and the remedy."""


class SpaceError(SpecError):
    """A search space that is refused: its file or SPEC, the keys that lead there, the fault."""

    def __init__(self, source: str, place: tuple[str, ...], fault: str, remedy: str) -> None:
        super().__init__(f"{source}: {fault}", remedy)
        self.place = place
        self.fault = fault


class AgentError(RequestError):
    """What an agent asked for or sent is refused; ``code`` is one word for programs."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code


class PersonNeeded(LabError):
    """A person must decide before the lab goes on."""

    exit_code = ExitCode.PERSON


class Busy(LabError):
    """Another process holds what was asked for."""

    exit_code = ExitCode.BUSY


class NothingToDo(LabError):
    """There is no work of the kind asked for."""

    exit_code = ExitCode.NOTHING


class CheckFailed(LabError):
    """A check found something; the message names the file."""

    exit_code = ExitCode.FAILED


class Fault(LabError):
    """The lab itself erred, or the disk under it."""


class BrokenFile(Fault):
    """One file of the data root cannot be read; only what it belongs to is affected."""

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        super().__init__(f"{path}: {reason}", remedy or "Run `hermes-lab watchdog repair=yes`.")
        self.path = path
        self.reason = reason


_OF_THE_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)


def broken_file(error: OSError, remedy: str = "") -> BrokenFile | None:
    """Return what the system said of one file as the error of that file alone.

    None when it said it of no file, or when the machine is to blame: a full disk stops everybody.
    """
    if error.filename is None or error.errno in _OF_THE_MACHINE:
        return None
    return BrokenFile(str(error.filename), str(error.strerror), remedy)


class BrokenSpec(BrokenFile):
    """A SPEC.yaml that a person edited cannot be read; the request must wait for its mending."""

    exit_code = ExitCode.REQUEST


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, or None when none is near."""
    import difflib

    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
