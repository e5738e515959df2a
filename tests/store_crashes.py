"""Operations that die: the process is as good as killed at a chosen call, before, in or after it.

From then on nothing this process does reaches the disk, whatever its ``finally`` clauses try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

from hermes import files

State = TypeVar("State")

MOMENTS = ("before", "halfway", "after")


class Killed(BaseException):
    """The process is gone."""


class DyingOperations(files.Operations):
    """Dies at call number ``at`` (from 0)."""

    def __init__(self, at: int, moment: str) -> None:
        self.left = at
        self.moment = moment
        self.dead = False

    def _do(self, effect: Callable[[], object], half: Callable[[], object] | None = None) -> object:
        if self.dead:
            raise Killed
        self.left -= 1
        if self.left >= 0:
            return effect()
        self.dead = True
        if self.moment == "after":
            effect()
        elif self.moment == "halfway" and half is not None:
            half()
        raise Killed

    def open(self, path: str, flags: int, mode: int) -> int:
        return self._do(lambda: super(DyingOperations, self).open(path, flags, mode))  # type: ignore[return-value]

    def write(self, fd: int, data: bytes) -> None:
        whole = super().write
        self._do(lambda: whole(fd, data), lambda: whole(fd, data[: len(data) // 2]))

    def fsync(self, fd: int) -> None:
        whole = super().fsync
        self._do(lambda: whole(fd))

    def sync_all(self, fds: Sequence[int]) -> None:
        for fd in fds:
            self.fsync(fd)

    def begin_sync(self, fds: Sequence[int]) -> Callable[[], None]:
        return lambda: self.sync_all(fds)  # as late as it may come

    def truncate(self, fd: int, size: int) -> None:
        whole = super().truncate
        self._do(lambda: whole(fd, size))

    def rename(self, source: str, target: str) -> None:
        whole = super().rename
        self._do(lambda: whole(source, target))

    def link(self, source: str, target: str) -> None:
        whole = super().link
        self._do(lambda: whole(source, target))

    def unlink(self, path: str) -> None:
        whole = super().unlink
        self._do(lambda: whole(path))

    def mkdir(self, path: str, mode: int) -> None:
        whole = super().mkdir
        self._do(lambda: whole(path, mode))


class RecordingOperations(files.Operations):
    """Notes what is written, synced and renamed, by the names of the files."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def _note(self, call: str, fd: int) -> None:
        self.calls.append((call, Path(f"/proc/self/fd/{fd}").readlink().name))

    def write(self, fd: int, data: bytes) -> None:
        self._note("write", fd)
        super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._note("fsync", fd)
        super().fsync(fd)

    def rename(self, source: str, target: str) -> None:
        self.calls.append(("rename", Path(target).name))
        super().rename(source, target)


@contextmanager
def recording() -> Iterator[list[tuple[str, str]]]:
    """Note the calls of the body; temporary names are those of what they are for."""
    operations = RecordingOperations()
    previous = files.use(operations)
    calls: list[tuple[str, str]] = []
    try:
        yield calls
    finally:
        files.use(previous)
        calls.extend(
            (call, files.temporary_for(name) if files.is_temporary(name) else name)
            for call, name in operations.calls
        )


@contextmanager
def dying(at: int, moment: str) -> Iterator[DyingOperations]:
    """Kill what the body does at that call; the body's caller lives on."""
    operations = DyingOperations(at, moment)
    previous = files.use(operations)
    try:
        yield operations
    except Killed:
        pass
    finally:
        files.use(previous)


def at_each_call(
    make: Callable[[], State],
    act: Callable[[State], object],
    check: Callable[[State, bool], None],
) -> int:
    """Let ``act`` die at each of its calls, on a state made anew; return how many calls it makes.

    ``check`` is told whether ``act`` was killed; the last time it was not.
    """
    for at in count():
        for moment in MOMENTS:
            state = make()
            with dying(at, moment) as operations:
                act(state)
            check(state, operations.dead)
            if not operations.dead:
                return at
    raise AssertionError("there is always a last call")
