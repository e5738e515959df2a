"""Owns ``registry/events.jsonl``: everything that happened in the lab, in order.

Called by the steps. Limits first: an event is not synced unless that is asked for, so losing
power may lose the latest ones; what they tell of is in the journals and the bundles.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from hermes import chain, codec, files
from hermes.model import Event

_HEAD_BYTES = 4096

LedgerPart: TypeAlias = chain.Part[Event]


class Ledger:
    """The events of one data root."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(
        self,
        at: str,
        kind: str,
        experiment: str | None = None,
        run_id: str | None = None,
        detail: str = "",
        *,
        durable: bool = False,
    ) -> Event:
        """Write down that something happened. Raises BrokenFile.

        Writes: one line of the ledger, synced if ``durable``.
        """

        def make(seq: int, previous: str | None) -> Event:
            return Event(seq, at, kind, experiment, run_id, detail, previous)

        return chain.append(self._path, Event, make, durable=durable)

    def first(self) -> Event | None:
        """Return the first event that is whole, from the head of the file alone."""
        try:
            head = files.read_before(self._path, _HEAD_BYTES, _HEAD_BYTES) or files.read(self._path)
        except OSError:
            return None  # ``check`` names what is wrong with it
        for line in (head or b"").split(b"\n"):
            event = codec.from_line(Event, line)
            if event is not None:
                return event
        return None

    def read(self, offset: int = 0) -> LedgerPart:
        """Return the events after ``offset`` bytes; raises nothing, skips what is not whole."""
        return chain.read(self._path, Event, offset)

    def check(self) -> list[str]:
        """Return what is wrong with the ledger, a line each; scars of crashes are not wrong."""
        return chain.check(self._path, Event)
