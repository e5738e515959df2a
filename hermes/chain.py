"""Append-only records in a chain: each line carries the digest of the one before it.

For ``store/journal`` and ``store/ledger`` alone; everybody else goes through them.

Limits first. The chain shows every line that was changed, removed, added or moved, with one
exception: lines cut off the end leave a shorter chain that is whole. It tells of accidents; who
may write the file may also write a new chain.

A *scar* is the beginning of a line that a crash left behind. It was never acknowledged, so it is
skipped and is no damage; the next line follows the last whole line before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from hermes import codec, files
from hermes.errors import BrokenFile, broken_file

_START = b'{"seq":'
_END = re.compile(rb',"sum":"[0-9a-f]{16}"\}')
_END_LIKE = b',"sum":"' + b"0" * 16 + b'"}'
_REMEDY = "Move what stands there elsewhere, and take the file from a backup."


class Chained(Protocol):
    """A record that may stand in a chain; its first field is ``seq``."""

    @property
    def seq(self) -> int:
        """Its number, from 1."""
        ...

    @property
    def previous(self) -> str | None:
        """The SHA-256 of the line before, without its newline; None on the first."""
        ...


Record = TypeVar("Record", bound=Chained)

_ours: dict[Path, tuple[bytes, int]] = {}
"""The last line that this process wrote to a chain, and its ``seq``: as a rule it still is the
last one, and need not be parsed."""


@dataclass(frozen=True)
class Part(Generic[Record]):
    """What one reading gave: ``offset`` (bytes) is where the next one goes on."""

    records: tuple[Record, ...]
    offset: int
    skipped: int


def append(
    path: Path,
    record_type: type[Record],
    make: Callable[[int, str | None], Record],
    *,
    durable: bool,
) -> Record:
    """Append the record that ``make`` builds from its ``seq`` and ``previous``, and return it.

    Raises BrokenFile when ``path`` cannot be appended to, whatever stands there.

    Writes: one line of ``path`` under its lock, synced if ``durable``.
    """
    made: list[Record] = []

    def build(tail: list[bytes]) -> bytes:
        made.append(make(*_continue(path, record_type, tail)))
        return codec.to_line(made[-1])

    try:
        line = files.append(path, build, durable=durable)
    except OSError as error:
        if broken_file(error) is None:
            raise
        reason = f"cannot be appended to ({error.strerror})"
        raise BrokenFile(str(path), reason, _REMEDY) from None
    _ours[path] = (line[:-1], made[-1].seq)
    return made[-1]


def first_line(record: Chained) -> bytes:
    """Return the line that opens a chain in a file which is not there yet."""
    return codec.to_line(record)


def read(path: Path, record_type: type[Record], offset: int = 0) -> Part[Record]:
    """Return the records after ``offset``; lines that are not whole are skipped and counted.

    Takes no lock and raises nothing: ``check`` names what is wrong with a file.
    """
    try:
        lines, end = files.read_lines(path, offset)
    except OSError:
        return Part((), offset, 0)
    found = [codec.from_line(record_type, line) for line in lines]
    records = tuple(record for record in found if record is not None)
    return Part(records, end, len(found) - len(records))


def check(path: Path, record_type: type[Record]) -> list[str]:
    """Return what is wrong with the file, a line each that begins with its path; [] if nothing."""
    try:
        data = files.read(path)
    except OSError as error:
        return [f"{path}: cannot be read ({error.strerror})"]
    if data is None:
        return [f"{path}: is missing"]
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    problems = _problems(record_type, lines)
    if not any(codec.from_line(record_type, line) for line in lines):
        problems.insert(0, "holds no readable record")
    return [f"{path}: {problem}" for problem in problems]


def _problems(record_type: type[Record], lines: Sequence[bytes]) -> list[str]:
    problems: list[str] = []
    expected: str | None = None
    explained = chained = False
    for number, line in enumerate(lines, 1):
        record = codec.from_line(record_type, line)
        if record is not None:
            if record.previous != expected and not explained:
                problems.append(f"line {number} does not follow the one before: a line is missing")
            expected, explained, chained = codec.digest(line), False, True
        else:
            if not _is_scar(line):
                problems.append(f"line {number} was changed")
                explained = True
            if not chained:
                expected = codec.digest(line)
    return problems


def _is_scar(line: bytes) -> bool:
    """Say whether a crash may have left this: how a line begins, and not how one ends.

    Where data never reached the disk there are NULs.
    """
    text = line.rstrip(b"\0")
    begins = text.startswith(_START) or _START.startswith(text)
    return bool(line) and begins and min(text, default=32) >= 32 and not _has_ended(line)


def _has_ended(line: bytes) -> bool:
    """Say whether a line was written to its end, even if one byte is not what it was since.

    The byte may be one of the ending, or the newline behind it.
    """
    if _END.search(line[-len(_END_LIKE) - 1 :]):
        return True
    ending = line[-len(_END_LIKE) :]
    return any(
        _END.fullmatch(ending[:place] + _END_LIKE[place : place + 1] + ending[place + 1 :])
        for place in range(len(ending))
    )


def _continue(
    path: Path, record_type: type[Record], tail: Sequence[bytes]
) -> tuple[int, str | None]:
    """Return ``seq`` and ``previous`` of the next line."""
    if not tail:
        return 1, None
    line, seq = _ours.get(path, (b"", 0))
    if tail[-1] == line:
        return seq + 1, codec.digest(line)
    last = _last_whole(record_type, tail)
    if last is None:  # much garbage: the chain may go on before what was read
        last = _last_whole(record_type, (files.read(path) or b"").split(b"\n"))
    return last or (1, codec.digest(tail[-1]))


def _last_whole(record_type: type[Record], lines: Sequence[bytes]) -> tuple[int, str] | None:
    for line in reversed(lines):
        record = codec.from_line(record_type, line)
        if record is not None:
            return record.seq + 1, codec.digest(line)
    return None
