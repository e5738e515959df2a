"""Builders of records for tests: everything has a default, tests name what matters to them."""

from __future__ import annotations

from dataclasses import replace

from hermes import codec
from hermes.decisions import Intent, JournalRecord
from hermes.model import IndexLine, Origin, Outcome, Phase


def plain(record: object):
    """Return what whoever reads the file of a record finds there."""
    return codec.from_json(codec.to_json(record))


def time_of(second: int) -> str:
    """Return a time so many seconds after an arbitrary start."""
    return f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000000Z"


def run_line(seq: int, outcome: Outcome = Outcome.SUCCESS, value: float | None = None, **changes):
    """Return an index line; a success without a value gets its ``seq`` as the value."""
    if outcome is Outcome.SUCCESS and value is None:
        value = float(seq)
    line = IndexLine(
        seq=seq,
        run_id=f"RUN-{seq:06d}-worker",
        iteration=seq,
        trial=seq,
        role="worker",
        origin=Origin.STRATEGY,
        strategy="random",
        fidelity_tier="default",
        planned_at=time_of(seq),
        completed_at=time_of(seq),
        outcome=outcome,
        reason="" if outcome is Outcome.SUCCESS else "because",
        value=value if outcome is Outcome.SUCCESS else None,
        accepted=False,
        params={"x": float(seq)},
        secondary={},
        wall_seconds=0.5,
        parent_run=None,
        sha256="0" * 64,
    )
    return replace(line, **changes)


def phase_line(seq: int, phase: Phase, after_runs: int = 0, by: str = "human", reason: str = ""):
    """Return a journal record that sets the phase."""
    return JournalRecord(
        seq, time_of(seq), Intent.PHASE, by, after_runs, phase=phase, reason=reason
    )


def created_line():
    """Return the first record of a journal."""
    return JournalRecord(1, time_of(0), Intent.CREATED, "human", 0, spec_sha256="f" * 64)
