"""Real commands in a forked child: as the door runs them, without the cost of starting Python.

What a test has patched holds in the child: clocks, waits, terms. The environment is the child's
own, so nothing of the caller's reaches it but ``labs.ENVIRON``. On Linux a child that a failed
test leaves behind dies with the test process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from doors import fresh_process
from labs import ENVIRON

_PR_SET_PDEATHSIG = 1


class Answer(NamedTuple):
    """How a command ended and what it said; a negative code is the signal that killed it."""

    code: int
    out: str
    err: str


class Running:
    """A command in a child of its own."""

    def __init__(self, root: Path, words: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self._out, self._err = _unnamed_file(), _unnamed_file()
        begun, tell = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking with idle threads
            self.pid = os.fork()
        if self.pid == 0:
            _child(root, words, environ, self._out, self._err, tell)
        os.close(tell)
        os.read(begun, 1)  # from here on no signal is lost, as it may be to this process's handlers
        os.close(begun)

    def kill(self, number: signal.Signals) -> None:
        """Send the child a signal."""
        os.kill(self.pid, number)

    def says(self, text: str, *, timeout: float = 30.0) -> None:
        """Wait until the child has said ``text`` on standard error."""
        until = time.monotonic() + timeout
        while text.encode() not in os.pread(self._err, 1024 * 1024, 0):
            assert time.monotonic() < until, f"the command does not say {text!r}"
            time.sleep(0.002)

    def end(self, *, timeout: float = 60.0) -> Answer:
        """Wait for the end and return what came of it."""
        until = time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return Answer(
                    os.waitstatus_to_exitcode(status), _taken(self._out), _taken(self._err)
                )
            if time.monotonic() > until:
                self.kill(signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"the command hangs: {_taken(self._out)}{_taken(self._err)}")
            time.sleep(0.002)


def begin(root: Path, *words: str, environ: Mapping[str, str] | None = None) -> Running:
    """Begin a command on a data root."""
    return Running(root, words, {**ENVIRON, **(environ or {})})


def command(root: Path, *words: str, environ: Mapping[str, str] | None = None) -> Answer:
    """Run a command on a data root to its end."""
    return begin(root, *words, environ=environ).end()


def done(root: Path, *words: str, environ: Mapping[str, str] | None = None) -> Answer:
    """Run a command that is to succeed."""
    answer = command(root, *words, environ=environ)
    assert answer.code == 0, answer
    return answer


def _unnamed_file() -> int:
    fd, path = tempfile.mkstemp()
    os.unlink(path)
    return fd


def _taken(fd: int) -> str:
    """Return what was written to the file, and close it."""
    with open(fd, "rb") as stream:
        stream.seek(0)
        return stream.read().decode()


def _child(
    root: Path, words: tuple[str, ...], environ: Mapping[str, str], out: int, err: int, tell: int
) -> None:
    code = 99
    try:
        _die_with_parent()
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  as long as the child lives
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  as long as the child lives
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(tell)
        os.environ.clear()
        os.environ.update({**environ, "HERMES_LAB_DATA_ROOT": str(root)})
        os.chdir(root.parent)
        code = _run(list(words))
    except KeyboardInterrupt:  # it came before the door was open; Python ends just so
        code = 130
    except BaseException:  # noqa: BLE001  the parent is told
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(words: list[str]) -> int:
    from hermes.cli import door
    from hermes.rules import creators

    with fresh_process():
        try:
            door.main(words, creators=creators())
        except SystemExit as end:
            return int(end.code or 0)
