"""Owns ``journal.jsonl``: what was decided about an experiment, by whom, and when.

Called by the steps. Limits first: lines cut off the end do not show, and appending waits for as
long as another process keeps the file's lock (it does so for the moment of one write).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from hermes import chain, files
from hermes.codec import digest
from hermes.decisions import Asked, Decision, Intent, JournalRecord
from hermes.model import Params, Phase

JournalPart: TypeAlias = chain.Part[JournalRecord]


def first_line(*, at: str, by: str, spec_sha256: str, reason: str = "") -> bytes:
    """Return the line ``created``, for the journal of a folder that is not published yet."""
    record = JournalRecord(
        seq=1,
        at=at,
        intent=Intent.CREATED,
        by=by,
        after_runs=0,
        phase=Phase.QUEUED,
        reason=reason,
        spec_sha256=spec_sha256,
    )
    return chain.first_line(record)


class Journal:
    """The decisions about one experiment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(
        self,
        *,
        at: str,
        intent: Intent,
        by: str,
        after_runs: int,
        phase: Phase | None = None,
        tier: str | None = None,
        reason: str = "",
        spec_sha256: str | None = None,
        request: str | None = None,
        params: Params | None = None,
        decision: Decision | None = None,
        asked: Asked | None = None,
        runs: int | None = None,
        since: int | None = None,
        check: Callable[[], None] | None = None,
    ) -> JournalRecord:
        """Write a decision down; when this returns, no crash can undo it. Raises BrokenFile.

        What is enqueued gets its id here. ``check`` is called while nobody else can append; what
        it raises goes on, and nothing is written then.

        Writes: one line of the journal, synced.
        """

        def make(seq: int, previous: str | None) -> JournalRecord:
            if check is not None:
                check()
            return JournalRecord(
                seq,
                at,
                intent,
                by,
                after_runs,
                phase,
                tier,
                reason,
                spec_sha256,
                previous,
                _request_id(seq, at, previous) if intent is Intent.ENQUEUE else request,
                params,
                decision,
                asked,
                runs,
                since,
            )

        return chain.append(self._path, JournalRecord, make, durable=True)

    def held(self) -> AbstractContextManager[None]:
        """Return what keeps everybody from deciding anything during its body, a quick one."""
        return files.held(self._path)

    def read(self, offset: int = 0) -> JournalPart:
        """Return the decisions after ``offset`` bytes; raises nothing, skips what is not whole."""
        return chain.read(self._path, JournalRecord, offset)

    def check(self) -> list[str]:
        """Return what is wrong with the journal, a line each; scars of crashes are not wrong."""
        problems = chain.check(self._path, JournalRecord)
        records = self.read().records
        if records and records[0].intent is not Intent.CREATED:
            problems.append(f"{self._path}: does not begin with `created`")
        return problems


def _request_id(seq: int, at: str, previous: str | None) -> str:
    """Return the id of what line ``seq`` enqueues; no line of another journal has the same."""
    mark = digest(f"{seq} {at} {previous}".encode())[:8]
    return f"q{seq:06d}-{mark}"
