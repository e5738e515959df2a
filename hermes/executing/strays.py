"""Finds and kills what a command left running: the only code that looks at the process table.

Limits first. Only on Linux can processes be found that left their process group; elsewhere only
the group itself dies. Processes of other users are never touched.

How it works on Linux. The lab declares itself a subreaper, so whatever a command leaves behind
becomes a child of the lab when its parent ends, and one system call says that there is none.
Of several children, a run's own are told by their group or by a word in their environment. One
that left its group and cleared its environment belongs to the run that finds it first: it began
no earlier than that run's command did (to a hundredth of a second), in a session that is nobody
else's, without the word of another run.
Whoever else in this process starts a child in a session of its own must do so through ``local``:
of children in foreign sessions that ended unnoticed, none but those listed in ``OWN`` is spared.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

OWN: set[int] = set()
"""The processes that ``local`` started and waits for itself."""

OWN_LOCK = threading.Lock()
"""Held while a process starts and enters ``OWN``, while it is reaped and leaves it, and while
strays are told from others: else a slot could reap what another slot has just started."""

MARKS: set[str] = set()
"""The words by which the commands that run now know their own."""

_LINUX = sys.platform.startswith("linux")
_PR_SET_CHILD_SUBREAPER = 36
_KERNEL_THREAD = 0x00200000
_PATIENCE_SECONDS = 5.0
_STEP_SECONDS = 0.002
_EXEC_LOOKS = 5
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_adopting: dict[int, bool] = {}


class Entry(NamedTuple):
    """One line of the process table."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    is_kernels: bool
    started: int  # clock ticks since the machine's start


def adopt_orphans() -> None:
    """Make this process the parent of what its commands leave behind; once, and only on Linux."""
    if not _LINUX or os.getpid() in _adopting:
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _adopting[os.getpid()] = True


def moment() -> int:
    """Return now as the process table tells when processes started, for ``sweep`` and ``living``.

    Never, where there is no such table.
    """
    if not _LINUX:
        return sys.maxsize
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS_A_SECOND // 1_000_000_000


def sweep(group: int, mark: str, since: int = sys.maxsize) -> None:
    """Kill and reap what is left of a command whose main process has been reaped.

    ``mark`` is a word ``NAME=value`` that its environment has and no other run's; ``since`` is
    the ``moment`` before its main process was started.
    """
    if not _LINUX:
        return
    while True:
        if not _has_children():
            return
        with OWN_LOCK:
            strays = [entry.pid for entry in _children() if _belongs(entry, group, mark, since)]
        if not strays or not _end(strays):
            return


def stop_marked(mark: str) -> int:
    """Kill every process of this user whose environment has ``mark``; return how many there were.

    For what an earlier lab process left running when it was killed itself.
    """
    found = [entry for entry in _table() if _may_be_users(entry) and _has_mark(entry.pid, mark)]
    for entry in found:
        _kill(entry.pid)
    _wait_gone(entry.pid for entry in found)
    return len(found)


def _may_be_users(entry: Entry) -> bool:
    """Leave out this process, zombies, and the kernel's own threads."""
    return entry.pid != os.getpid() and entry.state != "Z" and not entry.is_kernels


def group_lives(group: int) -> bool:
    """Say whether a process group has a member that is not a zombie; False where unknown."""
    return any(entry.group == group and entry.state != "Z" for entry in _table())


def living(group: int, mark: str, since: int = sys.maxsize) -> int:
    """Count what runs of a command, at the top of its family; call it before the group is killed.

    Its main process counts until it has ended. Always 0 where it is unknown.
    """
    if not _LINUX:
        return 0
    alive = [entry for entry in _children() if entry.state != "Z"]
    return sum(entry.group == group or _belongs(entry, group, mark, since) for entry in alive)


def _belongs(entry: Entry, group: int, mark: str, since: int) -> bool:
    if entry.pid in OWN:
        return False
    if entry.group == group:
        return True
    foreign = entry.session != os.getsid(0)
    if entry.state == "Z":  # its environment is gone; nobody else waits for it
        return foreign
    if foreign and entry.started >= since:
        return not _has_mark(entry.pid, *(MARKS - {mark}))
    return _has_mark(entry.pid, mark)


def _end(strays: list[int]) -> bool:
    """Kill our children ``strays`` and reap them; False when one will not die."""
    for pid in strays:
        _kill(pid)
    patience = time.monotonic() + _PATIENCE_SECONDS
    for pid in strays:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > patience:
                    return False
                time.sleep(_STEP_SECONDS)
    return True


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _wait_gone(pids: Iterable[int]) -> None:
    patience = time.monotonic() + _PATIENCE_SECONDS
    for pid in pids:
        while time.monotonic() < patience:
            entry = _entry(pid)
            if entry is None or entry.state == "Z":
                break
            time.sleep(_STEP_SECONDS)


def _has_children() -> bool:
    """Ask the system with one call whether this process has any child, living or zombie."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> list[Entry]:
    """List this process's children.

    The kernel's own list is quick, but it may skip some while others end: so it serves only when
    no other slot is at work.
    """
    me = os.getpid()
    listed = None if OWN else _listed_children()
    if listed is None:
        return [entry for entry in _table() if entry.parent == me]
    return [entry for entry in map(_entry, listed) if entry is not None and entry.parent == me]


def _listed_children() -> list[int] | None:
    """Read the kernel's own list; None where it keeps none."""
    found: list[int] = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as stream:
                found.extend(map(int, stream.read().split()))
        except FileNotFoundError:
            if os.path.isdir(f"/proc/self/task/{task}"):
                return None
    return found


def _table() -> list[Entry]:
    try:
        names = os.listdir("/proc") if _LINUX else []
    except OSError:
        return []
    entries = (_entry(int(name)) for name in names if name.isdigit())
    return [entry for entry in entries if entry is not None]


def _entry(pid: int) -> Entry | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            text = stream.read()
    except OSError:
        return None
    words = text[text.rfind(b")") + 2 :].split()
    parent, group, session = map(int, words[1:4])
    is_kernels = bool(int(words[6]) & _KERNEL_THREAD)
    state, started = words[0].decode("ascii"), int(words[19])
    return Entry(pid, state, parent, group, session, is_kernels, started)


def _has_mark(pid: int, *marks: str) -> bool:
    """Look into the environment of a process, which is empty for the moment in which it execs."""
    for _ in range(_EXEC_LOOKS):
        try:
            with open(f"/proc/{pid}/environ", "rb") as stream:
                variables = stream.read()
        except OSError:
            return False
        if variables:
            return not set(map(os.fsencode, marks)).isdisjoint(variables.split(b"\0"))
        time.sleep(_STEP_SECONDS)
    return False
