"""What doit compares to see whether a file changed: size, time and, for small files, content.

Limits first: a rewrite of a large or append-only file that keeps its size and falls into one tick
of the file system's clock is not seen. A small file's is: its time is trusted only when the state
was taken a while after it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, TypeAlias

from doit.dependency import FileChangedChecker

from hermes.clock import Clock, SystemClock

State: TypeAlias = tuple[int, int] | tuple[int, int, str, bool]

SMALL_BYTES = 64 * 1024
SETTLED_NANOSECONDS = 50_000_000  # longer than the tick of any file system's clock

_before: dict[str, State] = {}


def look(paths: Iterable[str]) -> None:
    """Keep the state of a task's files as they are when its action begins.

    That state is recorded when the action has succeeded: what another process appends while the
    action runs is then a change, and not taken for something that the action has seen.
    """
    _before.clear()
    for path in paths:
        with contextlib.suppress(OSError):
            _before[path] = state_of(path, os.stat(path))


class StateChecker(FileChangedChecker):  # type: ignore[misc]  # doit has no type hints
    """doit's checker. A state is size, time, and for small files digest and "settled"."""

    def check_modified(self, file_path: str, file_stat: os.stat_result, state: Any) -> bool:
        """Say whether a file differs from the ``state`` recorded of it."""
        if not _is_state(state) or state[0] != file_stat.st_size:
            return True
        same_time = bool(state[1] == file_stat.st_mtime_ns)
        if len(state) == 2:
            return not same_time
        if same_time and state[3]:
            return False
        try:
            return bool(_digest(file_path) != state[2])
        except OSError:
            return True

    def get_state(self, dep: str, current_state: Any) -> State | None:
        """Return the state to record, or None when ``current_state`` is it.

        Raises FileNotFoundError when the file is gone, as doit expects.
        """
        found = os.stat(dep)
        state = _before.pop(dep, None) or state_of(dep, found)
        unchanged = _is_state(current_state) and tuple(current_state) == state
        return None if unchanged else state


def state_of(path: str, found: os.stat_result, *, clock: Clock | None = None) -> State:
    """Return a file's state; ``found`` must have been asked for just now.

    The time is taken before the content is read: whatever is written later is then later than it.
    """
    now = round((clock or SystemClock()).now().timestamp() * 1e6) * 1000
    plain = (found.st_size, found.st_mtime_ns)
    if not _is_small(path, found):
        return plain
    try:
        return (*plain, _digest(path), now - found.st_mtime_ns >= SETTLED_NANOSECONDS)
    except PermissionError:
        return plain


def _is_small(path: str, found: os.stat_result) -> bool:
    """Say whether the content decides: a regular file, small, and not one that only grows."""
    return (
        stat.S_ISREG(found.st_mode) and found.st_size <= SMALL_BYTES and not path.endswith(".jsonl")
    )


def _digest(path: str) -> str:
    with open(path, "rb") as stream:
        return sha256(stream.read()).hexdigest()


def _is_state(state: Any) -> bool:
    return isinstance(state, (list, tuple)) and len(state) in (2, 4)
