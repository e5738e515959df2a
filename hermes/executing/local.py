"""Runs one command to its end or to the end of its time; the only code that starts user code.

Limits first. What a command prints after it has ended is not waited for. The peak of memory is
the system's figure for the largest process of the command; on Linux a new process inherits the
peak of the one that started it, so a command that needs less memory than the lab itself (some 40
MB) is recorded with the lab's peak. CPU time counts the processes that the command waited for.
Deadlines follow the machine's monotonic clock, whatever clock the records follow.

A command gets a session and process group of its own and nothing on standard input. When its
main process has ended, or its time is up, whatever is left of the group is killed (``strays``
tells what else).
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes.executing import strays
from hermes.executing.logs import Log
from hermes.model import Usage

MARK_VARIABLE = "LAB_RUN_ID"
GRACE_SECONDS = 2.0
_TICK_SECONDS = 1.0
_POLL_WITHOUT_PIDFD = 0.01
_GROUP_STEP_SECONDS = 0.02
_LINGER_SECONDS = 0.3
_CHUNK = 256 * 1024
_MOST_AFTER_THE_END = 4 * 1024 * 1024
_MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_USERS_FAULT = {
    errno.ENOENT: _NOT_FOUND,
    errno.ENOTDIR: _NOT_FOUND,
    errno.ELOOP: _NOT_FOUND,
    errno.ENAMETOOLONG: _NOT_FOUND,
    errno.EACCES: _NOT_EXECUTABLE,
    errno.ENOEXEC: _NOT_EXECUTABLE,
    errno.EISDIR: _NOT_EXECUTABLE,
    errno.E2BIG: _NOT_EXECUTABLE,
}
_SIGNAL_NAMES = {9: "SIGKILL (the system may have run out of memory)", 11: "SIGSEGV", 15: "SIGTERM"}


@dataclass(frozen=True)
class Ended:
    """How a command ended. A negative status is the signal that killed it.

    ``problem`` says why it could not be started at all; the status is 126 or 127 then.
    ``left_running`` counts the processes that had to be killed after its end, where it was asked.
    """

    exit_status: int
    timed_out: bool
    usage: Usage
    problem: str = ""
    left_running: int = 0


def run(
    command: str | tuple[str, ...],
    *,
    folder: Path,
    environment: Mapping[str, str],
    stdout: Log,
    stderr: Log | None = None,
    limit_seconds: float | None = None,
    grace_seconds: float = GRACE_SECONDS,
    tick: Callable[[], None] = lambda: None,
    begun: Callable[[], object] = lambda: None,
    monotonic: Callable[[], float] = time.monotonic,
    count_left: bool = False,
) -> Ended:
    """Run ``command`` in ``folder`` and wait until nothing of it is left.

    ``tick`` is called about every second meanwhile; when it raises, everything is killed and the
    exception goes on; so it is with ``begun``, which is called once the command has been started
    and may take a moment: that counts as the command's wall time if it ends before that.
    ``monotonic`` gives the time (seconds) for the record. With ``count_left`` what the command
    started gets a moment to end by itself, and what does not is counted.
    Without ``stderr`` both streams go to ``stdout``.
    Raises OSError when the system, not the command, is at fault.

    Writes: the two logs.
    """
    strays.adopt_orphans()
    mark = f"{MARK_VARIABLE}={environment.get(MARK_VARIABLE, '')}"
    began, since = monotonic(), strays.moment()
    try:
        process = _start(command, folder, environment, mark, joined=stderr is None)
    except (OSError, ValueError) as error:
        return _not_started(error, command, folder)
    except BaseException:
        strays.sweep(-1, mark)  # it may have been started when the exception came
        raise
    run = _Run(process, stdout, stderr or stdout, since, tick)
    try:
        begun()
        timed_out = run.until_end_or_limit(limit_seconds, grace_seconds)
        left = run.left(mark) if count_left and not timed_out else 0
    except BaseException:
        run.stop(grace_seconds)
        raise
    finally:
        resources = run.finish(mark)
    usage = _usage(resources, monotonic() - began)
    return Ended(process.returncode, timed_out, usage, left_running=left)


def explained(ended: Ended, log: Log) -> str:
    """Say why a command failed: its last words are taken from ``log``."""
    if ended.problem:
        return ended.problem
    if ended.exit_status < 0:
        number = -ended.exit_status
        return f"killed by signal {_SIGNAL_NAMES.get(number, number)}"
    said = log.last_line()
    return f"exit status {ended.exit_status}" + (f": {said}" if said else "")


def _start(
    command: str | tuple[str, ...],
    folder: Path,
    environment: Mapping[str, str],
    mark: str,
    *,
    joined: bool,
) -> subprocess.Popen[bytes]:
    words = ["sh", "-c", command] if isinstance(command, str) else list(command)
    with strays.OWN_LOCK:
        process = subprocess.Popen(
            words,
            executable="/bin/sh" if isinstance(command, str) else None,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if joined else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        strays.OWN.add(process.pid)
        strays.MARKS.add(mark)
    return process


def _not_started(
    error: OSError | ValueError, command: str | tuple[str, ...], folder: Path
) -> Ended:
    """Turn what the user can mend into a value; raise what the system is to blame for."""
    name = "sh" if isinstance(command, str) else command[0]
    status, why = _NOT_EXECUTABLE, str(error)
    if isinstance(error, OSError):
        if error.errno not in _USERS_FAULT or not folder.is_dir():
            raise error
        status, why = _USERS_FAULT[error.errno], str(error.strerror)
    problem = f"cannot start {name!r}: {why}"
    return Ended(exit_status=status, timed_out=False, usage=Usage(0.0, 0.0, 0), problem=problem)


def _usage(resources: _Resources, wall_seconds: float) -> Usage:
    return Usage(
        wall_seconds=wall_seconds,
        cpu_seconds=resources.cpu_seconds,
        peak_memory_bytes=resources.peak_memory_bytes,
    )


@dataclass(frozen=True)
class _Resources:
    cpu_seconds: float
    peak_memory_bytes: int


class _Run:
    """A command that was started: its output, its end, and the ends that it is made to come to."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdout: Log,
        stderr: Log,
        since: int,
        tick: Callable[[], None],
    ) -> None:
        self._process = process
        self._tick = tick
        self._next_tick = time.monotonic() + _TICK_SECONDS
        self._sinks: dict[int, Log] = {}
        self._poll = select.poll()
        self._ended = False
        self._since = since
        self._resources: _Resources | None = None
        self._pidfd = _open_pidfd(process.pid)
        for pipe, log in ((process.stdout, stdout), (process.stderr, stderr)):
            if pipe is not None:
                self._sinks[pipe.fileno()] = log
        for fd in (*self._sinks, *([self._pidfd] if self._pidfd is not None else [])):
            self._poll.register(fd, select.POLLIN)

    def until_end_or_limit(self, limit_seconds: float | None, grace_seconds: float) -> bool:
        """Wait for the end, which comes after ``limit_seconds`` at the latest; say if it had to."""
        limit = None if limit_seconds is None else time.monotonic() + limit_seconds
        if self._wait(limit):
            return False
        self.stop(grace_seconds)
        return True

    def stop(self, grace_seconds: float) -> None:
        """Ask the whole group to end, and make it end when the grace is over. Ticks no more."""
        self._tick = _silence
        self._signal(signal.SIGTERM)
        over = time.monotonic() + grace_seconds
        try:
            if self._wait(over):
                self._wait_for_group(over)
        finally:
            self._signal(signal.SIGKILL)
        self._wait(None)

    def left(self, mark: str) -> int:
        """Count what still runs a moment after the main process has ended."""
        until = time.monotonic() + _LINGER_SECONDS
        while (alive := self._living(mark)) and time.monotonic() < until:
            self._drain()
            time.sleep(_GROUP_STEP_SECONDS)
        return alive

    def _living(self, mark: str) -> int:
        return strays.living(self._process.pid, mark, self._since)

    def finish(self, mark: str) -> _Resources:
        """Kill and reap what is left, take in what was printed, and close everything."""
        self._signal(signal.SIGKILL)  # while the main process is unreaped, its group is its own
        self._tick = _silence
        self._wait(None)
        resources = self._reap()
        strays.sweep(self._process.pid, mark, self._since)
        strays.MARKS.discard(mark)
        try:
            self._drain()
        finally:
            self._close()
        return resources

    def _wait(self, until: float | None) -> bool:
        """Take in output until the main process has ended, or the time has come; say which."""
        while not self._ended:
            now = time.monotonic()
            if until is not None and now >= until:
                return False
            if now >= self._next_tick:
                self._next_tick = now + _TICK_SECONDS
                self._tick()
            wake = self._next_tick if until is None else min(self._next_tick, until)
            self._take(max(0.0, wake - now))
        return True

    def _take(self, timeout: float) -> None:
        """Wait for something to happen, at most ``timeout`` seconds, and take it in."""
        if self._pidfd is None:
            timeout = min(timeout, _POLL_WITHOUT_PIDFD)
        for fd, _ in self._poll.poll(timeout * 1000 + 0.5):
            if fd == self._pidfd:
                self._ended = True
            else:
                self._read(fd)
        if self._pidfd is None:
            self._ended = self._reap_if_ended()

    def _read(self, fd: int) -> int:
        data = os.read(fd, _CHUNK)
        if data:
            self._sinks[fd].write(data)
        else:
            self._poll.unregister(fd)
            del self._sinks[fd]
        return len(data)

    def _wait_for_group(self, until: float) -> None:
        """Leave the rest of the group the rest of the grace; its main process has ended."""
        while time.monotonic() < until and strays.group_lives(self._process.pid):
            self._drain()
            time.sleep(_GROUP_STEP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _reap(self) -> _Resources:
        with strays.OWN_LOCK:
            if self._resources is None:
                self._note_end(os.wait4(self._process.pid, 0))
            strays.OWN.discard(self._process.pid)
        assert self._resources is not None
        return self._resources

    def _reap_if_ended(self) -> bool:
        if self._resources is None:
            ended = os.wait4(self._process.pid, os.WNOHANG)
            if ended[0] == 0:
                return False
            self._note_end(ended)
        return True

    def _note_end(self, ended: tuple[int, int, Any]) -> None:
        _, status, usage = ended
        self._ended = True
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._resources = _Resources(
            usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MEMORY_UNIT
        )

    def _drain(self) -> None:
        """Take in what stands in the pipes already."""
        left = _MOST_AFTER_THE_END
        while self._sinks and left > 0:
            ready = [fd for fd, _ in self._poll.poll(0) if fd in self._sinks]
            if not ready:
                return
            left -= sum(self._read(fd) for fd in ready)

    def _close(self) -> None:
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._pidfd is not None:
            os.close(self._pidfd)


def _silence() -> None:
    """Tick no more: what is left to do takes a moment."""


def _open_pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when ``pid`` ends; None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
