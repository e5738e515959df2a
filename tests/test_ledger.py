from __future__ import annotations

import os
from pathlib import Path

import pytest

from hermes import codec, files
from hermes.errors import BrokenFile
from hermes.store.ledger import Ledger

AT = "2026-01-31T09:30:00.000000Z"


class CountingSyncs(files.Operations):
    def __init__(self) -> None:
        self.syncs = 0

    def fsync(self, fd: int) -> None:
        self.syncs += 1


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "events.jsonl")


def filled(ledger: Ledger) -> None:
    ledger.append(AT, "init")
    ledger.append(AT, "created", "opt", None, "spec.yaml")
    ledger.append(AT, "sealed", "opt", "RUN-1", "success 0.5")


def test_events_are_numbered_and_chained(ledger: Ledger, tmp_path: Path) -> None:
    filled(ledger)
    events = ledger.read().records
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    assert [event.seq for event in events] == [1, 2, 3]
    assert [event.previous for event in events] == [None, *map(codec.digest, lines[:2])]
    assert (events[0].experiment, events[0].run_id, events[0].detail) == (None, None, "")
    assert (events[2].kind, events[2].experiment) == ("sealed", "opt")
    assert (events[2].run_id, events[2].detail, events[2].at) == ("RUN-1", "success 0.5", AT)
    assert ledger.check() == []


def test_what_was_appended_is_returned(ledger: Ledger) -> None:
    event = ledger.append(AT, "init")
    assert ledger.read().records == (event,)


def test_reading_goes_on_where_the_last_one_ended(ledger: Ledger) -> None:
    filled(ledger)
    offset = ledger.read().offset
    event = ledger.append(AT, "repaired", "opt")
    assert ledger.read(offset).records == (event,)


def test_an_event_is_synced_only_when_asked_for(ledger: Ledger) -> None:
    counting = CountingSyncs()
    previous = files.use(counting)
    try:
        ledger.append(AT, "init")
        assert counting.syncs == 0
        ledger.append(AT, "created", "opt", durable=True)
        assert counting.syncs == 1
    finally:
        files.use(previous)


def test_a_removed_line_is_found(ledger: Ledger, tmp_path: Path) -> None:
    filled(ledger)
    path = tmp_path / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    assert ledger.check() == [f"{path}: line 2 does not follow the one before: a line is missing"]


def test_a_changed_line_is_found(ledger: Ledger, tmp_path: Path) -> None:
    filled(ledger)
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b"success 0.5", b"success 0.4"))
    assert ledger.check() == [f"{path}: line 3 was changed"]


def test_a_torn_event_is_skipped_and_no_damage(ledger: Ledger, tmp_path: Path) -> None:
    filled(ledger)
    path = tmp_path / "events.jsonl"
    os.truncate(path, path.stat().st_size - 30)
    assert [event.seq for event in ledger.read().records] == [1, 2]
    assert ledger.check() == []
    assert ledger.append(AT, "recovered").seq == 3
    assert ledger.read().skipped == 1
    assert ledger.check() == []


def test_a_ledger_that_is_missing_empty_or_garbage_is_named_and_goes_on(
    ledger: Ledger, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    assert ledger.check() == [f"{path}: is missing"]
    path.write_bytes(b"")
    assert ledger.check() == [f"{path}: holds no readable record"]
    path.write_bytes(b"garbage\n")
    assert ledger.check() == [f"{path}: holds no readable record", f"{path}: line 1 was changed"]
    assert ledger.append(AT, "recovered").seq == 1
    assert ledger.check() == [f"{path}: line 1 was changed"]


def test_a_folder_in_place_of_the_ledger_is_named(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    assert ledger.read().records == ()
    assert ledger.check()
    with pytest.raises(BrokenFile, match=r"events\.jsonl"):
        ledger.append(AT, "init")
