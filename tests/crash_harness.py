"""Kills, full disks and power cuts at every operation that goes through ``hermes.files``.

Limit first: only what goes through ``files.Operations`` is counted and killed. What a command or
another library writes by itself is noticed by the recorder when its folder or file is synced or
renamed, not before.

Kills and full disks::

    whole = run_killed(function, 0)                    # runs it to its end, in a child
    for at, how in points(whole):                      # every operation, every way to die there
        result = run_killed(function, at, how)         # runs it in a child and kills that
        ... run the recovery, look at the disk ...

A kill is left out where another finds the same on the disk. To die after an operation and before
the next is one thing when nothing else can have changed anything in between; a sync changes nothing
that a kill could take away. What else may have changed something is found in the whole run: another
process that was there, and whatever Python tells its auditors of calls that avoid ``Operations``.

``how`` is ``before`` and ``after`` (the process dies before or after the operation), ``torn``
(it dies in the middle of a write), ``full`` (the disk refuses this one operation, a write after
half of its data) or ``stays-full`` (it refuses from there on whatever needs space).

Power cuts::

    record = recorded(root, function)                  # runs it here and remembers every operation
    for at in range(record.calls + 1):
        for state in power_loss_states(record, at, seed=at):
            state.write(folder)                        # what the disk may hold after the cut
            ... run the recovery on ``folder`` ...

What the disk may hold: file content is durable by a sync of the file, a name by a sync of its
folder. What is not synced may be lost, kept, or (content) emptied, cut in half, zeroed, or mixed
with what it replaced; each on its own. Renames within a folder are atomic. A rename between
folders may leave the old name beside the new one until the old folder is synced, but never
neither: no file system that is meant loses both.
"""

from __future__ import annotations

import errno
import os
import random
import select
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hermes import files

KILLS = ("before", "after", "torn")
FULL = ("full", "stays-full")
Found = TypeVar("Found")


class WatchedOperations(files.Operations):
    """Sends every changing call through ``act``; syncing side by side becomes one by one.

    Real syncs are left out: a kill does not lose what was written, and the recorder knows.
    What is synced aside is synced at once when ``early``, else when it is waited for.
    """

    early = False

    def act(
        self, what: str, action: Callable[[], Found], half: Callable[[], object] | None = None
    ) -> Found:
        raise NotImplementedError

    def open(self, path: str, flags: int, mode: int) -> int:
        action = lambda: files.Operations.open(self, path, flags, mode)  # noqa: E731
        if not flags & (os.O_CREAT | os.O_TRUNC):
            return action()
        return self.act(f"create {path}", action)

    def write(self, fd: int, data: bytes) -> None:
        self.act(
            f"write {len(data)} bytes to {path_of(fd)}",
            lambda: files.Operations.write(self, fd, data),
            lambda: os.write(fd, data[: len(data) // 2]),
        )

    def fsync(self, fd: int) -> None:
        self.act(f"sync {path_of(fd)}", lambda: None)

    def sync_all(self, fds: Any) -> None:
        for fd in fds:
            self.fsync(fd)

    def begin_sync(self, fds: Any) -> Callable[[], None]:
        if not self.early:
            return lambda: self.sync_all(fds)
        self.sync_all(fds)
        return lambda: None

    def truncate(self, fd: int, size: int) -> None:
        self.act(f"truncate {path_of(fd)}", lambda: files.Operations.truncate(self, fd, size))

    def rename(self, source: str, target: str) -> None:
        self.act(f"rename {source} {target}", lambda: os.rename(source, target))

    def link(self, source: str, target: str) -> None:
        self.act(f"link {source} {target}", lambda: os.link(source, target))

    def unlink(self, path: str) -> None:
        self.act(f"unlink {path}", lambda: os.unlink(path))

    def mkdir(self, path: str, mode: int) -> None:
        self.act(f"mkdir {path}", lambda: os.mkdir(path, mode))

    def rmdir(self, path: str) -> None:
        self.act(f"rmdir {path}", lambda: os.rmdir(path))

    def chmod(self, path: str, mode: int) -> None:
        self.act(f"chmod {path}", lambda: os.chmod(path, mode))


def path_of(fd: int) -> str:
    """Return the path behind a descriptor (Linux only)."""
    return os.readlink(f"/proc/self/fd/{fd}")


@contextmanager
def using(operations: files.Operations) -> Iterator[None]:
    """Let ``hermes.files`` work through ``operations`` for the body."""
    before = files.use(operations)
    try:
        yield
    finally:
        files.use(before)


# Kills and full disks

_FREEING = ("unlink", "rmdir", "truncate", "sync", "chmod")


class CrashingOperations(WatchedOperations):
    """Dies, or finds the disk full, at operation ``at`` (from 1; 0 is never)."""

    def __init__(self, at: int, how: str, report: Callable[[str], object]) -> None:
        assert how in (*KILLS, *FULL), how
        self.early = at % 2 == 0 or how in KILLS  # to a kill, when it is synced is all one
        self._at = at
        self._how = how
        self._report = report
        self._count = 0
        self._elsewhere = _Elsewhere() if at == 0 else None

    def act(
        self, what: str, action: Callable[[], Found], half: Callable[[], object] | None = None
    ) -> Found:
        if self._elsewhere is not None:
            return self._watched(what, action)
        self._count += 1
        self._report(what)
        if self._how == "stays-full" and 0 < self._at <= self._count:
            return self._refuse(what, action, half)
        if self._count != self._at:
            return action()
        if self._how == "full":
            return self._refuse(what, action, half)
        try:
            if self._how == "after":
                action()
            elif self._how == "torn" and half is not None:
                half()
        finally:  # also when the operation fails, as it may be meant to
            os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed")

    def _watched(self, what: str, action: Callable[[], Found]) -> Found:
        """Do it, and tell whether anything else may have changed something since the last one."""
        assert self._elsewhere is not None
        if self._elsewhere.happened():
            self._report(_ELSEWHERE)
        self._report(what)
        with self._elsewhere.ignored():
            return action()

    def _refuse(
        self, what: str, action: Callable[[], Found], half: Callable[[], object] | None
    ) -> Found:
        if self._how == "stays-full" and what.startswith(_FREEING):
            return action()
        if half is not None and self._count == self._at:
            half()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)


_ELSEWHERE = "elsewhere"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_AUDITED = {
    *(f"os.{name}" for name in ("chmod", "link", "mkdir", "remove", "rename", "rmdir", "symlink")),
    *(f"os.{name}" for name in ("truncate", "utime", "exec", "fork", "posix_spawn", "system")),
    "subprocess.Popen",
}


class _Elsewhere:
    """Notices what may change files without going through ``Operations``; for a child alone.

    Python cannot be kept from telling its auditors, so this lasts as long as the process. Who wrote
    to a file that it opened earlier goes unnoticed.
    """

    def __init__(self) -> None:
        self._seen = False
        self._is_ours = threading.local()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_open = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        if (is_open or event in _AUDITED) and not getattr(self._is_ours, "value", False):
            self._seen = True

    def happened(self) -> bool:
        """Say whether there was anything since the last question, or is another process now."""
        seen, self._seen = self._seen, False
        return seen or _has_children()

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """Do not notice what this thread does in the body."""
        self._is_ours.value = True
        try:
            yield
        finally:
            self._is_ours.value = False


def _has_children() -> bool:
    """Say whether a process that this one began is there, or was a moment ago."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


@dataclass(frozen=True)
class Result:
    """What became of a child: was it killed, what did it do, what did the function raise.

    ``loose`` are the operations after which, before the next, something else may have happened;
    it is known of a child that ran to its end.
    """

    died: bool
    trace: tuple[str, ...]
    error: str
    loose: frozenset[int] = frozenset()

    @property
    def calls(self) -> int:
        """How many changing operations it began."""
        return len(self.trace)


def run_killed(
    function: Callable[[], object], at: int, how: str = "before", *, timeout: float = 60.0
) -> Result:
    """Run ``function`` in a forked child that dies (or is refused) at operation ``at``.

    ``at`` 0 lets it run to its end. An exception of the function is returned as text.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process with idle threads
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(function, at, how, writing)
    os.close(writing)
    text = _read_all(reading, pid, timeout)
    _, status = os.waitpid(pid, 0)
    told, _, error = text.partition("\x00")
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    trace, loose = _read_trace(told.splitlines())
    return Result(died, trace, error, loose)


def _read_trace(told: list[str]) -> tuple[tuple[str, ...], frozenset[int]]:
    trace: list[str] = []
    loose: set[int] = set()
    for line in told:
        if line == _ELSEWHERE:
            loose.add(len(trace))
        else:
            trace.append(line)
    return tuple(trace), frozenset(loose)


def _child(function: Callable[[], object], at: int, how: str, report: int) -> None:
    def tell(text: str) -> None:
        os.write(report, text.encode("utf-8", "backslashreplace"))

    try:
        files.use(CrashingOperations(at, how, lambda what: tell(repr(what)[1:-1] + "\n")))
        function()
    except BaseException:  # noqa: BLE001  the parent is told
        tell("\x00" + traceback.format_exc())
    finally:
        os._exit(0)


def _read_all(fd: int, pid: int, timeout: float) -> str:
    data = b""
    with open(fd, "rb", buffering=0) as stream:
        while True:
            if not select.select([stream], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError(f"the child hangs after:\n{data.decode()[-2000:]}")
            piece = stream.read(65536)
            if not piece:
                return data.decode()
            data += piece


def count_calls(function: Callable[[], object]) -> int:
    """Run ``function`` in a child to its end and count its operations. Raises what it raises."""
    result = run_killed(function, 0)
    assert not result.error, result.error
    return result.calls


def points(whole: Result, ways: tuple[str, ...] = KILLS) -> Iterator[tuple[int, str]]:
    """Yield every operation of a whole run with every way to die there, or to be refused.

    ``torn`` is for writes only; a kill that finds on the disk what another one does is left out.
    """
    for at in range(1, whole.calls + 1):
        for how in ways:
            if how in FULL or _is_its_own(whole, at, how):
                yield at, how


def _is_its_own(whole: Result, at: int, how: str) -> bool:
    changes = not whole.trace[at - 1].startswith("sync")
    if how == "torn":
        return whole.trace[at - 1].startswith("write")
    if how == "before":  # as before the sync that nothing followed
        return at - 1 in whole.loose or at == 1 or not whole.trace[at - 2].startswith("sync")
    if at == whole.calls:
        return changes
    return at in whole.loose and changes  # else as before the next one, or before the sync itself


# Recording


class Names(NamedTuple):
    """Names given (to an inode) or taken away (None) in one folder, together or not at all.

    ``needs`` is the index of the event without which this one cannot have happened.
    """

    number: int
    folder: int
    entries: tuple[tuple[str, int | None], ...]
    needs: int | None = None


class Data(NamedTuple):
    """The whole content of a file after a write."""

    number: int
    inode: int
    content: bytes


class Synced(NamedTuple):
    """A file or folder was made durable."""

    number: int
    inode: int


@dataclass
class Record:
    """Everything that was done to a folder: inode 0 is the folder itself."""

    root: str
    events: list[Names | Data | Synced] = field(default_factory=list)
    folders: set[int] = field(default_factory=lambda: {0})
    links: dict[int, str] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many changing operations there were."""
        return len(self.trace)

    def mark(self, what: str) -> None:
        """Note that ``what`` has been promised by now: a power cut from here on must keep it."""
        self.marks[what] = self.calls

    def promised(self, at: int) -> set[str]:
        """Return what had been promised when operation ``at`` was done."""
        return {what for what, number in self.marks.items() if number <= at}


class RecordingOperations(WatchedOperations):
    """Does everything and records it. ``ignored`` syncs (by number) are left out: mutants."""

    def __init__(self, root: Path, *, ignored: frozenset[int] = frozenset()) -> None:
        self.record = Record(os.path.realpath(root))
        self._ignored = ignored
        self._names: dict[int, dict[str, int]] = {0: {}}
        self._content: dict[int, bytes] = {}
        self._known: dict[tuple[int, int], int] = {_identity(self.record.root): 0}
        self._next = 1
        self._adopt_folder(0, self.record.root)
        for inode in range(self._next):
            self.record.events.append(Synced(0, inode))

    def act(
        self, what: str, action: Callable[[], Found], half: Callable[[], object] | None = None
    ) -> Found:
        self.record.trace.append(what)
        return action()

    def open(self, path: str, flags: int, mode: int) -> int:
        is_new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        fd = super().open(path, flags, mode)
        if is_new and self._is_inside(path):
            self._adopt(path)
        return fd

    def write(self, fd: int, data: bytes) -> None:
        super().write(fd, data)
        self._note_content(fd)

    def truncate(self, fd: int, size: int) -> None:
        super().truncate(fd, size)
        self._note_content(fd)

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        path = path_of(fd)
        if not self._is_inside(path):
            return
        inode = self._inode(path)
        if inode in self.record.folders:
            self._adopt_folder(inode, path)
        else:
            self._note_content(fd)
        if self.record.calls not in self._ignored:
            self.record.events.append(Synced(self.record.calls, inode))

    def rename(self, source: str, target: str) -> None:
        inode = self._inode(source)
        self._forget(target)
        super().rename(source, target)
        old, new = self._place(source), self._place(target)
        if old[0] == new[0]:
            self._give(old[0], ((old[1], None), (new[1], inode)))
        else:
            given = self._give(new[0], ((new[1], inode),))
            self._give(old[0], ((old[1], None),), needs=given)

    def link(self, source: str, target: str) -> None:
        inode = self._inode(source)
        super().link(source, target)
        folder, name = self._place(target)
        self._give(folder, ((name, inode),))

    def unlink(self, path: str) -> None:
        self._forget(path)
        super().unlink(path)
        self._take(path)

    def rmdir(self, path: str) -> None:
        self._forget(path)
        super().rmdir(path)
        self._take(path)

    def mkdir(self, path: str, mode: int) -> None:
        super().mkdir(path, mode)
        if self._is_inside(path):
            self._adopt(path)

    def _is_inside(self, path: str) -> bool:
        real = os.path.realpath(os.path.dirname(path)) + "/" + os.path.basename(path)
        return f"{real}/".startswith(f"{self.record.root}/")

    def _place(self, path: str) -> tuple[int, str]:
        return self._inode(os.path.dirname(path)), os.path.basename(path)

    def _inode(self, path: str) -> int:
        """Return the inode of a path; what came into being by itself is taken in."""
        identity = _identity(path)
        if identity not in self._known:
            self._adopt(path)
        return self._known[identity]

    def _forget(self, path: str) -> None:
        """Drop the identity of what loses its last name: the system will give it to another."""
        if os.path.isdir(path) or (os.path.lexists(path) and os.lstat(path).st_nlink == 1):
            self._known.pop(_identity(path), None)

    def _adopt(self, path: str) -> None:
        folder, name = self._place(path)
        inode = self._next
        self._next += 1
        self._known[_identity(path)] = inode
        if os.path.islink(path):
            self.record.links[inode] = os.readlink(path)
        elif os.path.isdir(path):
            self.record.folders.add(inode)
            self._names[inode] = {}
        self._give(folder, ((name, inode),))
        if inode in self.record.folders:
            self._adopt_folder(inode, path)
        elif os.path.isfile(path) and inode not in self.record.links:
            self._set_content(inode, Path(path).read_bytes())

    def _adopt_folder(self, inode: int, path: str) -> None:
        """Take in what others made or removed in a folder."""
        present = set(os.listdir(path))
        for name in sorted(present - set(self._names[inode])):
            self._adopt(f"{path}/{name}")
        for name in sorted(set(self._names[inode]) - present):
            self._give(inode, ((name, None),))

    def _give(
        self, folder: int, entries: tuple[tuple[str, int | None], ...], needs: int | None = None
    ) -> int:
        for name, inode in entries:
            if inode is None:
                self._names[folder].pop(name, None)
            else:
                self._names[folder][name] = inode
        self.record.events.append(Names(self.record.calls, folder, entries, needs))
        return len(self.record.events) - 1

    def _take(self, path: str) -> None:
        folder, name = self._place(path)
        self._give(folder, ((name, None),))

    def _note_content(self, fd: int) -> None:
        path = path_of(fd)
        if self._is_inside(path):
            self._set_content(self._inode(path), Path(f"/proc/self/fd/{fd}").read_bytes())

    def _set_content(self, inode: int, content: bytes) -> None:
        if self._content.get(inode, b"") != content:
            self._content[inode] = content
            self.record.events.append(Data(self.record.calls, inode, content))


def _identity(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def recorded(
    root: Path,
    function: Callable[[Record], object],
    *,
    ignored: frozenset[int] = frozenset(),
    early: bool = False,
) -> Record:
    """Run ``function`` here and record what it does below ``root``.

    It is given the record, to ``mark`` what it has promised.
    """
    operations = RecordingOperations(root, ignored=ignored)
    operations.early = early
    with using(operations):
        function(operations.record)
    return operations.record


# Power cuts

Tree = Mapping[str, Any]  # name → bytes, another Tree, or a link's target as text


@dataclass(frozen=True)
class PowerLoss:
    """What the disk may hold after a power cut, and which of the possibilities this is."""

    name: str
    tree: Tree

    def write(self, folder: Path) -> None:
        """Write the tree to ``folder``, which is emptied first."""
        if os.path.lexists(folder):
            shutil.rmtree(folder)
        _write_tree(self.tree, str(folder))


def _write_tree(tree: Tree, folder: str) -> None:
    os.mkdir(folder, 0o700)
    for name, content in tree.items():
        path = f"{folder}/{name}"
        if isinstance(content, bytes):
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            os.write(fd, content)
            os.close(fd)
        elif isinstance(content, str):
            os.symlink(content, path)
        else:
            _write_tree(content, path)


def _shared_start(one: bytes, other: bytes) -> bytes:
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return one[:i]
    return min(one, other, key=len)


class _Cut:
    """A record up to operation ``at``: what is durable, what is pending."""

    def __init__(self, record: Record, at: int) -> None:
        self.record = record
        self.events = [event for event in record.events if event.number <= at]
        synced = {event.inode: i for i, event in enumerate(self.events) if type(event) is Synced}
        self.durable_names: set[int] = set()
        self.pending_names: list[int] = []
        self.old: dict[int, bytes] = {}
        self.new: dict[int, bytes] = {}
        for i, event in enumerate(self.events):
            if type(event) is Data:
                self.new[event.inode] = event.content
                if i < synced.get(event.inode, -1):
                    self.old[event.inode] = event.content
            elif type(event) is Names and i < synced.get(event.folder, -1):
                self.durable_names |= {i, i if event.needs is None else event.needs}
        self.pending_names = [
            i
            for i, event in enumerate(self.events)
            if type(event) is Names and i not in self.durable_names
        ]
        self.pending_data = [
            inode for inode, content in self.new.items() if self.old.get(inode, b"") != content
        ]

    def tree(self, kept: set[int], data: Mapping[int, bytes]) -> Tree:
        """Build the tree that holds with these pending names kept and these contents."""
        folders: dict[int, dict[str, int]] = {inode: {} for inode in self.record.folders}
        for i, event in enumerate(self.events):
            if type(event) is Names and (i in self.durable_names or self._happened(i, kept)):
                for name, inode in event.entries:
                    folders[event.folder].pop(name, None)
                    if inode is not None:
                        folders[event.folder][name] = inode
        return self._subtree(0, folders, data)

    def _happened(self, index: int, kept: set[int]) -> bool:
        event = self.events[index]
        assert type(event) is Names
        if index not in kept:
            return False
        return event.needs is None or event.needs in kept or event.needs in self.durable_names

    def _subtree(
        self, folder: int, folders: dict[int, dict[str, int]], data: Mapping[int, bytes]
    ) -> Tree:
        tree: dict[str, Any] = {}
        for name, inode in sorted(folders[folder].items()):
            if inode in folders:
                tree[name] = self._subtree(inode, folders, data)
            elif inode in self.record.links:
                tree[name] = self.record.links[inode]
            else:
                tree[name] = data.get(inode, self.old.get(inode, b""))
        return tree

    def damaged(self, inode: int, how: str) -> bytes:
        """Return what a file whose last writes were not synced may hold."""
        old, new = self.old.get(inode, b""), self.new[inode]
        same = _shared_start(old, new)
        middle = len(same) + (len(new) - len(same)) // 2
        return {
            "old": old,
            "new": new,
            "empty": old if same == old else b"",  # appending takes nothing away
            "half": new[:middle],
            "mixed": new[:middle] + old[middle:],
            "zeros": same + b"\0" * (len(new) - len(same)),
        }[how]


_DAMAGES = ("old", "new", "empty", "half", "mixed", "zeros")


def power_loss_states(
    record: Record, at: int, seed: int, *, randoms: int = 4
) -> Iterator[PowerLoss]:
    """Yield what the disk may hold when the power fails just after operation ``at`` (0: before).

    All pending lost or kept; each damage to all contents; each name, each content alone lost and
    each name alone kept; ``randoms`` subsets. States that are alike are yielded once.
    """
    cut = _Cut(record, at)
    seen: set[str] = set()
    for name, kept, damages in _variants(cut, random.Random(seed), randoms):
        data = {inode: cut.damaged(inode, how) for inode, how in damages.items()}
        tree = cut.tree(kept, data)
        if repr(tree) not in seen:
            seen.add(repr(tree))
            yield PowerLoss(f"operation {at}: {name}", tree)


def _variants(
    cut: _Cut, rng: random.Random, randoms: int
) -> Iterator[tuple[str, set[int], dict[int, str]]]:
    names, inodes = set(cut.pending_names), cut.pending_data
    for how in _DAMAGES:
        yield f"all names kept, contents {how}", names, dict.fromkeys(inodes, how)
        yield f"no name kept, contents {how}", set(), dict.fromkeys(inodes, how)
    for one in cut.pending_names:
        yield f"name {cut.events[one]} lost", names - {one}, dict.fromkeys(inodes, "new")
        yield f"name {cut.events[one]} alone kept", {one}, dict.fromkeys(inodes, "old")
    for inode in inodes:
        for how in _DAMAGES[:1] + _DAMAGES[2:]:
            damages = {**dict.fromkeys(inodes, "new"), inode: how}
            yield f"content of {inode} {how}", names, damages
    for number in range(randoms if names or inodes else 0):
        some = {one for one in cut.pending_names if rng.random() < 0.5}
        yield f"random {number}", some, {inode: rng.choice(_DAMAGES) for inode in inodes}
