"""Who a process is, beyond its pid, and whether it still lives; for leases and for recovery.

Limits first. Only processes of this host can be asked after; of another host's nothing is known.
A host is told by its name, its machine id and its process namespace: two containers that share a
folder count as two hosts, for neither sees the other's processes. Where the system hides a
process, it counts as living.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from hermes import files

StartOf = Callable[[int], str | None]

_FIRST_NAMESPACE = "pid:[4026531836]"
_DEAD_STATES = ("Z", "X", "x")
_QUIET = {"PATH": "/bin:/usr/bin:/sbin:/usr/sbin", "LC_ALL": "C", "TZ": "UTC0"}
_TOOL_SECONDS = 10.0


@dataclass(frozen=True)
class ProcessIdentity:
    """One process, for ever: no other process on any host has the same four.

    An empty ``boot_id`` or ``started`` means that the system does not tell.
    """

    host: str
    boot_id: str
    pid: int
    started: str


def this_process() -> ProcessIdentity:
    """Return the identity of the process that asks (after a fork: the child's)."""
    pid = os.getpid()
    return ProcessIdentity(host(), boot_id(), pid, start_time(pid) or "")


def is_dead(owner: ProcessIdentity, me: ProcessIdentity, start_of: StartOf | None = None) -> bool:
    """Say whether ``owner`` is known to have ended; False when that cannot be told from ``me``."""
    if owner.host != me.host:
        return False
    if owner.boot_id and me.boot_id and owner.boot_id != me.boot_id:
        return True
    started = (start_of or start_time)(owner.pid)
    if started is None:
        return True
    return bool(started and owner.started) and started != owner.started


def start_time(pid: int) -> str | None:
    """Return when a process started, in the system's own words.

    None when there is no such process or it is a zombie; "" when it is there but hidden.
    """
    if pid <= 0:
        return None
    if sys.platform.startswith("linux"):
        stat = _read(f"/proc/{pid}/stat")
        started = parse_stat(stat) if stat else ""
    else:
        started = parse_ps(_tool("/bin/ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)))
    if started == "" and not _is_there(pid):
        return None
    return started


def parse_stat(stat: bytes) -> str | None:
    """Return the start time in ``/proc/<pid>/stat`` (ticks since boot); None for a zombie."""
    values = stat[stat.rfind(b")") + 1 :].decode("ascii", "replace").split()
    if len(values) < 20:
        return ""
    return None if values[0] in _DEAD_STATES else values[19]


def parse_ps(line: str) -> str | None:
    """Return the start time in a line ``STAT LSTART`` of ps; None for a zombie, "" for none."""
    state, _, started = line.strip().partition(" ")
    return None if state[:1] in _DEAD_STATES else " ".join(started.split())


@cache
def host() -> str:
    """Return what tells this host, and this process namespace, from others."""
    machine = _read("/etc/machine-id").strip()
    parts = [os.uname().nodename]
    if machine:  # the id itself is not for publication
        parts.append(sha256(b"hermes-lab " + machine).hexdigest()[:8])
    namespace = _link("/proc/self/ns/pid")
    if namespace not in ("", _FIRST_NAMESPACE):
        parts.append(namespace)
    return "/".join(parts)


@cache
def boot_id() -> str:
    """Return what tells this boot of the system from others; "" when it does not tell."""
    linux = _read("/proc/sys/kernel/random/boot_id").decode("ascii", "replace").strip()
    return linux or (
        # the boot time moves when the clock is set, so it is the second choice
        _tool("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")
        or _tool("/usr/sbin/sysctl", "-n", "kern.boottime")
    )


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _read(path: str) -> bytes:
    try:
        return files.read(path) or b""
    except OSError:
        return b""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _tool(*command: str) -> str:
    """Return what a system tool prints; "" when it is missing or fails."""
    import subprocess

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_QUIET,
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
