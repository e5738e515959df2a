"""What counts as a change of a file."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.cli import checker
from hermes.cli.checker import SMALL_BYTES, StateChecker, state_of
from hermes.clock import FixedClock, parse_time

NOW = parse_time("2026-01-31T09:30:00.000000Z")
NOW_NS = int(NOW.timestamp()) * 1_000_000_000
LONG_AGO = NOW_NS - 3_600_000_000_000


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    checker._before.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token.json"


def write(path: Path, content: bytes, *, mtime_ns: int = LONG_AGO) -> Path:
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def recorded(path: Path, previous: Any = None) -> Any:
    """Return the state as it comes back from disk."""
    return json.loads(json.dumps(StateChecker().get_state(str(path), previous)))


def is_modified(path: Path, state: Any) -> bool:
    found = StateChecker().info(str(path))
    return StateChecker().check_modified(str(path), found, state)


def test_a_file_that_is_left_alone_is_unchanged(path: Path) -> None:
    write(path, b"{}")
    assert not is_modified(path, recorded(path))


def test_a_small_file_that_was_only_touched_is_unchanged(path: Path) -> None:
    state = recorded(write(path, b"{}"))
    os.utime(path, ns=(LONG_AGO + 7, LONG_AGO + 7))
    assert not is_modified(path, state)


def test_a_small_file_of_the_same_size_with_other_content_is_changed(path: Path) -> None:
    state = recorded(write(path, b"{1}"))
    assert is_modified(write(path, b"{2}", mtime_ns=LONG_AGO + 7), state)


def test_a_change_within_one_tick_of_the_clock_is_seen(path: Path) -> None:
    write(path, b"{1}", mtime_ns=NOW_NS)
    state = state_of(str(path), path.stat(), clock=FixedClock(NOW + timedelta(milliseconds=3)))
    write(path, b"{2}", mtime_ns=NOW_NS)
    assert is_modified(path, state)
    write(path, b"{1}", mtime_ns=NOW_NS)
    assert not is_modified(path, state)


def test_a_time_that_lies_well_back_is_trusted_without_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, b"{1}", mtime_ns=NOW_NS)
    state = state_of(str(path), path.stat(), clock=FixedClock(NOW + timedelta(milliseconds=50)))
    monkeypatch.setattr(checker, "_digest", lambda _: pytest.fail("read"))
    assert not is_modified(path, state)


def test_a_time_in_the_future_is_not_trusted(path: Path) -> None:
    write(path, b"{1}", mtime_ns=NOW_NS + 10**12)
    state = state_of(str(path), path.stat(), clock=FixedClock(NOW))
    write(path, b"{2}", mtime_ns=NOW_NS + 10**12)
    assert is_modified(path, state)


def test_another_size_is_a_change_without_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = recorded(write(path, b"{}"))
    write(path, b"{ }")
    monkeypatch.setattr(checker, "_digest", lambda _: pytest.fail("read"))
    assert is_modified(path, state)


@pytest.mark.parametrize(("name", "size"), [("lines.jsonl", 5), ("large.bin", SMALL_BYTES + 1)])
def test_append_only_and_large_files_are_never_read(
    tmp_path: Path, name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "_digest", lambda _: pytest.fail("read"))
    path = write(tmp_path / name, b"x" * size)
    state = recorded(path)
    assert state == [size, LONG_AGO]
    assert not is_modified(path, state)
    assert is_modified(write(path, b"x" * size, mtime_ns=LONG_AGO + 1), state)
    assert is_modified(write(path, b"x" * (size + 1)), state)


def test_a_file_of_exactly_the_limit_is_read(path: Path) -> None:
    assert len(recorded(write(path, b"x" * SMALL_BYTES))) == 4


def test_a_folder_as_a_dependency_does_not_crash(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    state = recorded(folder)
    assert not is_modified(folder, state)
    os.utime(folder, ns=(1, 1))
    assert is_modified(folder, state)


def test_a_file_that_became_a_folder_of_the_same_size_is_changed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    state = [folder.stat().st_size, 1, "0" * 64, True]
    assert is_modified(folder, state)


def test_the_same_state_is_not_recorded_again(path: Path) -> None:
    state = recorded(write(path, b"{}"))
    assert StateChecker().get_state(str(path), state) is None
    assert StateChecker().get_state(str(path), tuple(state)) is None
    write(path, b"{ }")
    assert StateChecker().get_state(str(path), state) is not None


def test_a_missing_file_is_doits_own_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StateChecker().get_state(str(path), None)
    checker.look([str(write(path, b"{}"))])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        StateChecker().get_state(str(path), None)


def test_what_another_process_appends_while_an_action_runs_is_a_change(path: Path) -> None:
    write(path, b"1\n")
    checker.look([str(path), str(path.parent / "missing")])
    write(path, b"1\n2\n")
    state = recorded(path)
    assert is_modified(path, state)


def test_a_look_counts_for_one_task_only(path: Path) -> None:
    write(path, b"1\n")
    checker.look([str(path)])
    checker.look([])
    write(path, b"1\n2\n")
    assert not is_modified(path, recorded(path))


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5),
)


@settings(deadline=None)
@given(state=ODD)
def test_a_state_of_another_kind_means_changed(
    state: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.json"
    write(path, b"{}")
    if state not in ([2, LONG_AGO], [2, LONG_AGO, True, True]):
        assert is_modified(path, state)
    StateChecker().get_state(str(path), state)
