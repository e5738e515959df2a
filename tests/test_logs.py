"""Holds ``hermes.executing.logs``: the beginning and the end are kept, whatever is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.executing.logs import Log

NOTE = re.compile(rb"\n\[hermes-lab: (\d{20}) bytes left out here\]\n")


def test_a_log_is_read_only_and_new(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log")
    log.write(b"x")
    log.close()
    assert log.path.stat().st_mode & 0o777 == 0o444
    with pytest.raises(FileExistsError):
        Log(tmp_path / "a.log")


@given(
    chunks=st.lists(st.integers(0, 400), max_size=12),
    head=st.integers(0, 100),
    tail=st.integers(1, 100),
    mark=st.integers(0, 600),
)
def test_a_log_keeps_its_beginning_and_its_end_and_counts_the_rest(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[int], head: int, tail: int, mark: int
) -> None:
    everything = b"".join(b"%07d\n" % number for number in range(800))
    log = Log(tmp_path_factory.mktemp("log") / "log", head_bytes=head, tail_bytes=tail)
    at = 0
    for size in chunks:
        log.write(everything[at : at + size])
        at += size
        assert log.path.stat().st_size <= head + 2 * tail + 64
    whole = everything[:at]
    assert log.printed == len(whole)
    since = log.since(min(mark, at))
    assert whole[min(mark, at) :].endswith(since)
    assert len(since) == min(tail, max(0, at - mark)) or (log.left_out and len(since) <= tail)
    log.close()
    content = log.path.read_bytes()
    if at <= head + tail:
        assert content == whole
    found = NOTE.search(content)
    if found is None:
        assert content == whole
    else:
        assert content[: found.start()] == whole[:head]
        assert content[found.end() :] == whole[-tail:]
        assert int(found[1]) == at - head - tail


def test_the_last_line_of_a_log_is_short_and_printable(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    assert log.last_line() == ""
    log.write(b"first\n\x1b[31mError: \xff" + b"x" * 500 + b"\n \n\n")
    assert log.last_line().startswith("[31mError: ")
    assert len(log.last_line()) <= 200
    log.close()
