"""The task graph's memory of what succeeded: an append-only file of its own; doit's back end.

Limits first: it is a cache. A file that is broken, foreign, unreadable or gone costs time and
nothing else, and what could not be written is a notice, never a failed task.
A task that succeeded is one line, appended at once: a kill forgets the task in flight and no
other, and processes that write side by side lose nothing of each other's.

A line is ``{"task": name, "state": {...}}`` with a checksum (see ``codec.to_line``); a state of
null forgets the task, a task of null forgets all. The last line of a task counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hermes import codec, files
from hermes.cli import console

if TYPE_CHECKING:
    from hermes.model import Json  # only for its name: its import costs every command

State: TypeAlias = "Mapping[str, Json]"

_PREFIX = b'{"task":"'
_FORGOTTEN = b'","state":null,'
_SUM_AT = slice(-26, -18)  # where a whole line says ,"sum":"
_COMPLETE = frozenset(("deps:", "ignore:"))  # the keys doit sets last
_FEW_LINES = 1000
_DEAD_SHARE = 4  # a file is rewritten when it has more than so many times the living lines


class Recorded(Mapping[str, State]):
    """What the lines of a task database say; each is decoded when it is first asked for.

    A task whose line is damaged has an empty state.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.line_count = len(lines)
        self._lines = _last_lines(lines)
        self._decoded: dict[str, State] = {}

    def __getitem__(self, task: str) -> State:
        if task not in self._decoded:
            self._decoded[task] = _state(self._lines[task])
        return self._decoded[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, task: str) -> bytes | None:
        """Return the line of a task as it was read, without its newline."""
        return self._lines.get(task)

    def content(self) -> bytes:
        """Return the lines that count, as they were read."""
        return b"".join(line + b"\n" for task, line in self._lines.items() if self[task])


def recorded(path: Path | str) -> Mapping[str, State]:
    """Return what the graph remembers of each task; read once as long as the file is the same.

    Names come free, a state is decoded when it is asked for.
    """
    return _read(os.fspath(path))


class TaskDatabase:
    """doit's back end; the methods are those of the classes in ``doit.dependency``.

    Writes: the file ``name`` and at most the one folder it stands in, when there is something to
    record; nothing where that folder's own folder is missing.
    """

    desc = "the lab's own: append-only, safe beside other processes and under a kill"

    def __init__(self, name: str, codec: object, *, module_name: str | None = None) -> None:
        self.name = name
        self.codec = codec
        self.module_name = module_name
        self._path = Path(name)
        self._read = _read(name)
        self._changed: dict[str, dict[str, Any] | None] = {}
        self._appended = 0
        self._complained = False

    def get(self, task_id: str, dependency: str) -> Any:
        """Return a value of a task's state, or None."""
        state = self._state(task_id)
        return None if state is None else state.get(dependency)

    def in_(self, task_id: str) -> bool:
        """Say whether anything is known of a task."""
        return self._state(task_id) is not None

    def set(self, task_id: str, dependency: str, value: object) -> None:
        """Set a value of a task's state; the key that doit sets last writes the whole of it."""
        state = self._changed.get(task_id)
        if state is None:
            state = self._changed[task_id] = dict(self._state(task_id) or {})
        state[dependency] = value
        if dependency in _COMPLETE:
            self._record(task_id, _without_strays(state))

    def remove(self, task_id: str) -> None:
        """Forget a task, also what another process may have recorded of it meanwhile."""
        known = self.in_(task_id) or task_id in _read(self.name)
        self._changed[task_id] = None
        if known and files.exists(self._path):
            self._record(task_id, None)

    def remove_all(self) -> None:
        """Forget every task."""
        self._changed = {}
        self._read = Recorded([])
        if files.exists(self._path):
            self._record(None, None)

    def dump(self) -> None:
        """End the session: rewrite the file when most of it is dead lines."""
        if not self._appended:
            return
        lines = self._read.line_count + self._appended
        living = len(self._read) + len(self._changed)
        if lines > max(_FEW_LINES, _DEAD_SHARE * living):
            try:
                files.rewrite_locked(self._path, self._living_lines)
            except OSError as error:
                self._complain(error)

    def _living_lines(self) -> bytes:
        """Read anew, under the lock, what is to be kept: others may have appended meanwhile."""
        return Recorded(files.read_lines(self._path)[0]).content()

    def _state(self, task_id: str) -> State | None:
        if task_id in self._changed:
            return self._changed[task_id]
        return self._read.get(task_id)

    def _record(self, task_id: str | None, state: dict[str, Any] | None) -> None:
        """Append a line, unless the file says just that already."""
        try:
            line = codec.to_line({"task": task_id, "state": state})
            if task_id is None or not self._says(task_id, line):
                self._append(line)
        except (OSError, ValueError, TypeError) as error:
            self._complain(error)

    def _says(self, task_id: str, line: bytes) -> bool:
        """Look into the file as it is now: what another process recorded since must not win."""
        unchanged = self._read.line(task_id) == line[:-1]
        return unchanged and _read(self.name).line(task_id) == line[:-1]

    def _append(self, line: bytes) -> None:
        folder = self._path.parent
        if not folder.exists():
            if not folder.parent.is_dir():
                return
            files.make_folder(folder)
        files.append(self._path, lambda _: line)
        self._appended += 1

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            console.notice(f"{self.name}: {error}; finished steps may be looked at again.")
        self._complained = True


def _without_strays(state: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is kept of files that the task no longer depends on, and sort the rest.

    doit lists the files in the order of a set, which differs from process to process.
    """
    kept = state.get("deps:")
    if kept is None:
        return state
    names = sorted(key for key in state if key.endswith(":") or key in kept)
    return {key: sorted(kept) if key == "deps:" else state[key] for key in names}


# Reading


_cache: dict[str, tuple[tuple[int, int, int], Recorded]] = {}


def _read(name: str) -> Recorded:
    """Read a task database, or take what was read of the same file before."""
    try:
        found = os.stat(name)
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = _cache.get(name)
        if known is None or known[0] != stamp:
            known = _cache[name] = (stamp, Recorded(files.read_lines(name)[0]))
        return known[1]
    except OSError:  # not there, a folder, or not ours to read
        return Recorded([])


def _last_lines(lines: list[bytes]) -> dict[str, bytes]:
    """Return the last line of each task; lines that are plainly torn are left out.

    Nothing is decoded here: thousands of lines must cost a few milliseconds.
    """
    last: dict[str, bytes] = {}
    for line in lines:
        if line[_SUM_AT] != b',"sum":"' or line[:9] != _PREFIX:
            if (codec.parse_line(line) or {}).get("task", "") is None:
                last.clear()
            continue
        end = line.find(b'"', 9)
        name = line[9:end]
        if b"\\" in name:
            _note_escaped(last, line)
        elif line.startswith(_FORGOTTEN, end):
            last.pop(name.decode("utf-8", "replace"), None)
        else:
            last[name.decode("utf-8", "replace")] = line
    return last


def _note_escaped(last: dict[str, bytes], line: bytes) -> None:
    """Take in the line of a task whose name needs JSON's escapes."""
    raw = codec.parse_line(line) or {}
    name = raw.get("task")
    if isinstance(name, str):
        last.pop(name, None)
        if raw.get("state") is not None:
            last[name] = line


def _state(line: bytes) -> State:
    state = (codec.parse_line(line) or {}).get("state")
    return state if isinstance(state, dict) else {}
