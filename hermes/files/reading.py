"""Reads files and folders; what is not there is a value, not an error."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hermes.files.temporary import is_temporary


def read(path: Path | str) -> bytes | None:
    """Return a file's content, or None when there is no such file."""
    try:
        with open(path, "rb", opener=_open_file) as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_lines(path: Path | str, offset: int = 0) -> tuple[list[bytes], int]:
    """Return the complete lines after ``offset`` and the offset behind the last of them.

    Takes no lock. A line still being written (no newline yet) is left for the next reading.
    """
    try:
        if offset and os.stat(path).st_size == offset:  # as a rule nothing has been added
            return [], offset
        with open(path, "rb", opener=_open_file) as stream:
            stream.seek(offset)
            data = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], offset + end


def read_before(path: Path | str, offset: int, length: int) -> bytes:
    """Return up to ``length`` bytes that end at ``offset``; b"" when the file is shorter."""
    try:
        with open(path, "rb", opener=_open_file) as stream:
            stream.seek(max(0, offset - length))
            data = stream.read(min(length, offset))
    except (FileNotFoundError, NotADirectoryError):
        return b""
    return data if len(data) == min(length, offset) else b""


def check_is_file(fd: int, name: str) -> None:
    """Raise OSError when what was opened is neither a file nor a folder: a pipe never ends."""
    kind = os.fstat(fd).st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise OSError(errno.EINVAL, "Not a file", name)


def _open_file(name: str, flags: int) -> int:
    """Open without waiting for somebody to write into what turns out to be a pipe."""
    fd = os.open(name, flags | os.O_NONBLOCK)
    try:
        check_is_file(fd, name)
    except OSError:
        os.close(fd)
        raise
    return fd


def list_folder(path: Path | str) -> list[str]:
    """Return the names in a folder, sorted; temporary files left out; [] when it is missing."""
    try:
        return sorted(name for name in os.listdir(path) if not is_temporary(name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def exists(path: Path | str) -> bool:
    """Say whether something (a dangling link too) is called ``path``."""
    return os.path.lexists(path)
