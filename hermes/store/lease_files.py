"""The three files of a lease, read with suspicion: lease, beat and guard; for ``store/leases``.

Limits first. What cannot be read counts as absent, but a disk that refuses is an error: a lease
must not look free because the system has run out of file descriptors.
Every writer here holds the guard.
"""

from __future__ import annotations

import contextlib
import errno
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from hermes import codec, files
from hermes.clock import parse_time
from hermes.layout import Layout
from hermes.model import Lease

Record = TypeVar("Record")

_LARGEST_TOKEN = 10**18
_NUMBER = re.compile(rb"\d{20}\n\Z")
_FREE = b'"held":false'
_NO_FILE = (errno.EISDIR, errno.ELOOP, errno.EINVAL)  # a folder, a link to itself, a pipe
_LEASE, _BEAT, _GUARD = ".lease.json", ".beat.json", ".guard"


@dataclass(frozen=True)
class Beat:
    """The owner's latest sign of life: wall time, and seconds of the clock of his boot."""

    token: int
    wall: str
    monotonic: float


class LeaseFiles:
    """The files of all leases of one data root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def content(self, experiment: str) -> bytes | None:
        """Return what the lease file holds; None when there is no file. Raises OSError."""
        return _content(self._layout.lease(experiment))

    def parse(self, experiment: str, data: bytes | None) -> Lease | None:
        """Return the lease in ``data``; None when there is no believable one."""
        lease = _record(Lease, data)
        if lease is None or lease.experiment != experiment or lease.token < 1:
            return None
        return lease if _is_time(lease.acquired_at) else None

    def beat(self, experiment: str) -> Beat | None:
        """Return the latest beat; None when there is no believable one. Raises OSError."""
        beat = _record(Beat, _content(self._layout.heartbeat(experiment)))
        if beat is None or not 0 < beat.token < _LARGEST_TOKEN:
            return None
        return beat if _is_time(beat.wall) else None

    def number(self, experiment: str) -> int:
        """Return the largest token the guard knows of; 0 when it knows none. Raises OSError."""
        data = _content(self._layout.guard(experiment)) or b""
        number = int(data) if _NUMBER.match(data) else 0
        return number if number < _LARGEST_TOKEN else 0

    def largest_token(self, experiment: str) -> int:
        """Return the largest token on record, in any of the files; 0 when there is none."""
        lease = self.parse(experiment, self.content(experiment))
        beat = self.beat(experiment)
        return max(lease.token if lease else 0, beat.token if beat else 0, self.number(experiment))

    def write_number(self, experiment: str, token: int) -> None:
        """Note a token where it outlives the lease file.

        Writes: the guard, in place (it must never be replaced), synced.
        """
        files.overwrite(self._layout.guard(experiment), b"%020d\n" % token, durable=True)

    def write_lease(self, lease: Lease) -> None:
        """Put a lease in place.

        Writes: the lease file, by rename, synced.
        """
        files.replace(self._layout.lease(lease.experiment), _bytes(lease), durable=True)

    def write_beat(self, experiment: str, beat: Beat) -> None:
        """Put a beat in place.

        Writes: the beat, by rename, not synced.
        """
        files.replace(self._layout.heartbeat(experiment), codec.to_json(beat))

    def is_current(self, lease: Lease) -> bool:
        """Say whether the lease file holds just this lease."""
        return self.content(lease.experiment) == _bytes(lease)

    def held(self) -> list[Lease]:
        """Return every lease that is held; files that cannot be read are left out."""
        found = []
        for experiment in self._names(_LEASE):
            try:
                data = self.content(experiment)
            except OSError:
                continue
            if data is not None and _FREE not in data:  # most are free: spare parsing them
                found.append(self.parse(experiment, data))
        return [lease for lease in found if lease is not None and lease.held]

    def damaged(self, experiment: str) -> list[Path]:
        """Return the files of one lease that do not hold what belongs there."""
        checks = (
            (self._layout.lease(experiment), self._is_sound_lease),
            (self._layout.heartbeat(experiment), self._is_sound_beat),
            (self._layout.guard(experiment), self._is_sound_guard),
        )
        return [
            path for path, is_sound in checks if files.exists(path) and not is_sound(experiment)
        ]

    def all_damaged(self) -> list[Path]:
        """Return the files of all leases that do not hold what belongs there."""
        names = {name for kind in (_LEASE, _BEAT, _GUARD) for name in self._names(kind)}
        return [path for name in sorted(names) for path in self.damaged(name)]

    def _is_sound_lease(self, experiment: str) -> bool:
        with contextlib.suppress(OSError):
            return self.parse(experiment, self.content(experiment)) is not None
        return False

    def _is_sound_beat(self, experiment: str) -> bool:
        with contextlib.suppress(OSError):
            return self.beat(experiment) is not None
        return False

    def _is_sound_guard(self, experiment: str) -> bool:
        """Say whether the guard has its number; it is empty until the first lease is taken."""
        with contextlib.suppress(OSError):
            if self.number(experiment):
                return True
            empty = _content(self._layout.guard(experiment)) == b""
            return empty and not files.exists(self._layout.lease(experiment))
        return False

    def _names(self, kind: str) -> list[str]:
        names = files.list_folder(self._layout.locks)
        return [name.removesuffix(kind) for name in names if name.endswith(kind)]


@lru_cache(maxsize=64)
def _bytes(lease: Lease) -> bytes:
    return codec.to_json(lease)


def _content(path: Path) -> bytes | None:
    try:
        return files.read(path)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise


def _record(record_type: type[Record], data: bytes | None) -> Record | None:
    try:
        return codec.read_record(record_type, data or b"")
    except ValueError:
        return None


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
