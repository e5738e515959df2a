"""Commands at a terminal of their own, typed into and read as a person would."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import time
import warnings

import pytest


class Terminal:
    """One command; ``close`` it, whatever became of it."""

    def __init__(self, root, *words):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking with idle threads
            self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HERMES_LAB_DATA_ROOT=str(root), COLUMNS="200")
            os.execv(sys.executable, [sys.executable, "-m", "hermes", *words])
        self.text = ""

    def see(self, expected, seconds=30.0):
        """Read until ``expected`` shows up behind what was seen before."""
        until = time.monotonic() + seconds
        while expected not in self.text:
            assert time.monotonic() < until, f"{expected!r} does not come: {self.text!r}"
            self._read()
        before, _, self.text = self.text.partition(expected)
        return before

    def _read(self):
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                self.text += os.read(self.fd, 4096).decode()
            except OSError:  # Linux: the other end is closed
                raise AssertionError(f"it has ended: {self.text!r}") from None

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=60.0):
        """Return the exit code and the rest of what was said."""
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                self._read()
            pytest.fail(f"it does not end: {self.text!r}")
        except AssertionError:
            os.close(self.fd)
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.text

    def close(self):
        """Kill what still runs."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
