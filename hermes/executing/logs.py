"""Owns the log files of a run while it runs; only ``run`` and ``local`` use it.

Limits first. A log keeps the first and the last 8 MiB of what was printed; a line between the
two says how many bytes were left out. While output pours in, the file may hold up to 8 MiB more
than that; the surplus is cut away from the middle as it grows, so memory and disk stay bounded
however much is printed.
"""

from __future__ import annotations

import os
from pathlib import Path

from hermes import files

HEAD_BYTES = 8 * 1024 * 1024
TAIL_BYTES = 8 * 1024 * 1024
_CHUNK = 1024 * 1024
_NOTE = "\n[hermes-lab: {:020d} bytes left out here]\n"
_NOTE_BYTES = len(_NOTE.format(0))
_MODE = 0o444


class Log:
    """One growing log: what was printed, without its middle when it is long."""

    def __init__(
        self,
        path: Path,
        *,
        home: str | None = None,
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
    ) -> None:
        """Create the file, empty; ``home`` is the real name of its folder, where that is known.

        Raises FileExistsError when it is there already.
        """
        self.path = path
        self._home = home or os.path.realpath(path.parent)
        self.printed = 0  # bytes received
        self.left_out = 0  # bytes cut away from the middle
        self._size = 0  # bytes in the file
        self._head = head_bytes
        self._tail = tail_bytes
        self._stream = files.Stream(path, mode=_MODE)

    def write(self, data: bytes) -> None:
        """Add what was printed; anyone who reads the file sees it at once.

        Writes: the end of the log, and its middle when the surplus is cut away.
        """
        self._stream.write(data)
        self.printed += len(data)
        self._size += len(data)
        if self._size > self._head + _NOTE_BYTES + 2 * self._tail:
            self._cut()

    def since(self, mark: int) -> bytes:
        """Return what was printed after ``mark`` bytes, as far as the tail was kept."""
        length = min(self.printed - mark, self._tail, self._after_gap())
        return self._stream.read_at(self._size - length, length) if length > 0 else b""

    def last_line(self) -> str:
        """Return the last line that is not blank, shortened, without control characters."""
        text = self._stream.read_at(max(0, self._size - 2048), 2048).decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if line.strip()]
        shown = "".join(c if c.isprintable() else " " for c in lines[-1]) if lines else ""
        return shown.strip()[:200]

    def close(self) -> None:
        """Cut the log to its final size and close it.

        Writes: the middle of the log; the whole of it when its name was taken away meanwhile.
        """
        try:
            if self._size > self._head + _NOTE_BYTES + self._tail:
                self._cut()
            if not self._stream.still_named():
                self._put_back()
        finally:
            self._stream.close()

    def _after_gap(self) -> int:
        """Return how many bytes the file holds behind what was left out."""
        return self._size - self._head - _NOTE_BYTES if self.left_out else self._size

    def _cut(self) -> None:
        """Keep the first and the last bytes, and say how many there were between them."""
        source = self._size - self._tail
        target = self._head + _NOTE_BYTES
        self.left_out = self.printed - self._head - self._tail
        self._stream.move_to(self._head)
        self._stream.write(_NOTE.format(self.left_out).encode())
        for offset in range(0, self._tail, _CHUNK):
            piece = self._stream.read_at(source + offset, min(_CHUNK, self._tail - offset))
            self._stream.move_to(target + offset)
            self._stream.write(piece)
        self._size = target + self._tail
        self._stream.truncate(self._size)
        self._stream.move_to(self._size)

    def _put_back(self) -> None:
        """Give the content its name again: a command may remove the log, the record stays.

        It does not follow a link that the command put in the place of the log's folder.
        """
        if os.path.realpath(self.path.parent) != self._home:
            links = (folder for folder in self.path.parents if folder.is_symlink())
            files.remove(next(links, self.path))
        files.make_folder(self.path.parent)
        files.remove_tree(self.path)
        copy = files.Stream(self.path, mode=_MODE)
        try:
            for offset in range(0, self._size, _CHUNK):
                copy.write(self._stream.read_at(offset, min(_CHUNK, self._size - offset)))
        finally:
            copy.close()
