from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from memory import MEMORY
from store_crashes import at_each_call, recording
from store_twins import TwinChain

from hermes import codec, files
from hermes.decisions import Intent, JournalRecord
from hermes.errors import BrokenFile
from hermes.model import Phase
from hermes.store.journal import Journal, first_line

AT = "2026-01-31T09:30:00.000000Z"
# hostile: newlines of all kinds, control characters, half characters, what looks like a line
HOSTILE = (
    "",
    "\n",
    "a\r\nb\u2028c",
    "\x00\x1f",
    "\udc80\ud800",
    '","sum":"0123456789abcdef"}',
    "é𝄞",
)


def begun(path: Path) -> Journal:
    path.write_bytes(first_line(at=AT, by="human", spec_sha256="5" * 64))
    return Journal(path)


def note(journal: Journal, reason: str) -> JournalRecord:
    return journal.append(at=AT, intent=Intent.NOTE, by="human", after_runs=3, reason=reason)


def reasons(journal: Journal, offset: int = 0) -> list[str]:
    return [record.reason for record in journal.read(offset).records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Journal:
    return begun(path)


def test_a_journal_begins_with_created(journal: Journal) -> None:
    (record,) = journal.read().records
    assert (record.seq, record.intent, record.phase) == (1, Intent.CREATED, Phase.QUEUED)
    assert (record.after_runs, record.spec_sha256, record.previous) == (0, "5" * 64, None)
    assert journal.check() == []


def test_each_line_carries_the_digest_of_the_one_before(journal: Journal, path: Path) -> None:
    appended = [
        note(journal, "one"),
        journal.append(
            at=AT, intent=Intent.PHASE, by="lab", after_runs=4, phase=Phase.PAUSED, reason="two"
        ),
        journal.append(at=AT, intent=Intent.TIER, by="human", after_runs=4, tier="full"),
        journal.append(at=AT, intent=Intent.SPEC, by="human", after_runs=4, spec_sha256="6" * 64),
    ]
    lines = path.read_bytes().splitlines()
    assert [record.previous for record in appended] == [codec.digest(line) for line in lines[:-1]]
    assert [record.seq for record in appended] == [2, 3, 4, 5]
    assert journal.read().records[1:] == tuple(appended)
    assert journal.check() == []


@pytest.mark.parametrize("reason", HOSTILE)
def test_any_text_survives(journal: Journal, path: Path, reason: str) -> None:
    note(journal, reason)
    assert reasons(journal) == ["", reason]
    assert path.read_bytes().count(b"\n") == 2
    path.read_bytes().decode("utf-8")
    assert journal.check() == []


def test_reading_goes_on_where_the_last_one_ended(journal: Journal) -> None:
    part = journal.read()
    note(journal, "later")
    further = journal.read(part.offset)
    assert [record.reason for record in further.records] == ["later"]
    assert journal.read(further.offset).records == ()
    assert journal.read(further.offset).offset == further.offset


@pytest.mark.parametrize("torn", [b'{"se', b'{"seq":2,"at":"2026-01', b"{", b"\0\0\0\0"])
def test_a_torn_line_is_a_scar_and_no_damage(journal: Journal, path: Path, torn: bytes) -> None:
    note(journal, "one")
    with path.open("ab") as stream:
        stream.write(torn)
    assert reasons(journal) == ["", "one"]
    assert journal.check() == []
    assert note(journal, "two").seq == 3
    part = journal.read()
    assert [record.reason for record in part.records] == ["", "one", "two"]
    assert part.skipped == 1
    assert journal.check() == []


def test_a_line_that_lacks_only_its_newline_becomes_part_of_the_chain(
    journal: Journal, path: Path
) -> None:
    note(journal, "one")
    os.truncate(path, path.stat().st_size - 1)
    assert reasons(journal) == [""]
    assert journal.check() == []
    assert note(journal, "two").seq == 3
    assert reasons(journal) == ["", "one", "two"]
    assert journal.check() == []


def test_two_scars_in_a_row_are_no_damage(journal: Journal, path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b'{"seq":2,"at"\n{"seq":2,"at":"20')
    note(journal, "one")
    assert journal.read().skipped == 2
    assert journal.check() == []


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"\xff\xfe garbage", b"[1, 2]\n", b"\0" * 99]
)
def test_what_is_no_journal_is_named_and_can_be_appended_to(
    path: Path, content: bytes | None
) -> None:
    if content is not None:
        path.write_bytes(content)
    journal = Journal(path)
    assert journal.read().records == ()
    assert journal.check()
    assert str(path) in journal.check()[0]
    assert note(journal, "healed").seq == 1
    assert reasons(journal) == ["healed"]
    assert note(journal, "on").seq == 2
    assert journal.check()  # what was there before is still not right


def test_much_garbage_at_the_end_does_not_start_the_chain_anew(
    journal: Journal, path: Path
) -> None:
    note(journal, "one")
    with path.open("ab") as stream:
        stream.write(b"garbage\n" * 50_000)
    assert note(journal, "two").seq == 3
    assert reasons(journal) == ["", "one", "two"]
    assert journal.check()


def test_a_folder_in_place_of_the_journal_is_named(path: Path) -> None:
    path.mkdir()
    journal = Journal(path)
    assert journal.read().records == ()
    assert journal.check() == [f"{path}: cannot be read (Is a directory)"]
    with pytest.raises(BrokenFile, match=r"journal\.jsonl"):
        note(journal, "one")


def test_a_journal_whose_folder_is_gone_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gone" / "journal.jsonl")
    assert journal.read().records == ()
    assert journal.check() == [f"{tmp_path / 'gone' / 'journal.jsonl'}: is missing"]
    with pytest.raises(BrokenFile):
        note(journal, "one")


def test_a_disk_that_refuses_leaves_the_journal_as_it_was(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    class Full(files.Operations):
        def write(self, fd: int, data: bytes) -> None:
            os.write(fd, data[:10])
            raise OSError(28, "No space left on device")

    previous = files.use(Full())
    try:
        with pytest.raises(OSError, match="No space"):
            note(journal, "one")
    finally:
        files.use(previous)
    assert path.read_bytes() == before


# Damage


@pytest.fixture(scope="module")
def written() -> Iterator[tuple[Path, bytes]]:
    """A journal of five lines, one scar among them, and its bytes."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "journal.jsonl"
        journal = begun(path)
        note(journal, "one")
        with path.open("ab") as stream:
            stream.write(b'{"seq":3,"at":"2026')
        for reason in ("two }", "three", "four"):
            note(journal, reason)
        assert journal.check() == []
        yield path, path.read_bytes()


def scar_of(data: bytes) -> range:
    start = data.index(b'{"seq":3')
    return range(start, data.index(b"\n", start) + 1)


def test_any_changed_byte_of_an_acknowledged_line_is_found(written: tuple[Path, bytes]) -> None:
    path, data = written
    journal = Journal(path)
    for place in range(len(data)):
        if place in scar_of(data):
            continue
        for flip in (0x01, 0x20, 0x80, data[place] ^ 0x0A or 0x02, data[place] or 0x04):
            changed = bytearray(data)
            changed[place] ^= flip
            path.write_bytes(changed)
            assert journal.check(), (place, flip)
    path.write_bytes(data)


def test_any_missing_or_added_byte_inside_the_chain_is_found(written: tuple[Path, bytes]) -> None:
    path, data = written
    journal = Journal(path)
    last = data.rindex(b"\n", 0, len(data) - 1)
    for place in range(last):
        if place in scar_of(data):
            continue
        for changed in (data[:place] + data[place + 1 :], data[:place] + b"x" + data[place:]):
            path.write_bytes(changed)
            assert journal.check(), place
    path.write_bytes(data)


def test_a_removed_repeated_or_moved_line_is_found(written: tuple[Path, bytes]) -> None:
    path, data = written
    journal = Journal(path)
    lines = data.splitlines(keepends=True)
    whole = [number for number, line in enumerate(lines) if codec.parse_line(line)]
    for number in whole[:-1]:  # lines cut off the end do not show
        path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        assert journal.check(), number
    for number in whole:
        path.write_bytes(b"".join(lines[: number + 1] + lines[number:]))
        assert journal.check(), number
    for one, two in pairwise(whole):
        swapped = list(lines)
        swapped[one], swapped[two] = lines[two], lines[one]
        path.write_bytes(b"".join(swapped))
        assert journal.check(), (one, two)
    path.write_bytes(data)


def test_damage_is_still_found_after_further_lines(written: tuple[Path, bytes]) -> None:
    path, data = written
    journal = Journal(path)
    for place in range(data.rindex(b"\n", 0, len(data) - 1) + 1, len(data)):
        for flip in (0x01, 0x80, data[place] ^ 0x0A or 0x02):
            changed = bytearray(data)
            changed[place] ^= flip
            path.write_bytes(changed)
            note(journal, "five")
            assert any("was changed" in problem for problem in journal.check()), (place, flip)
    path.write_bytes(data)


def test_a_changed_line_is_named_by_its_number(journal: Journal, path: Path) -> None:
    for reason in ("one", "two", "three"):
        note(journal, reason)
    path.write_bytes(path.read_bytes().replace(b"one", b"won"))
    assert journal.check() == [f"{path}: line 2 was changed"]
    assert reasons(journal) == ["", "two", "three"]


def test_a_journal_that_lost_its_first_line_is_named(journal: Journal, path: Path) -> None:
    note(journal, "one")
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    problems = journal.check()
    assert any("a line is missing" in problem for problem in problems)
    assert any("created" in problem for problem in problems)


@given(st.binary(max_size=300), st.integers(0, 2000))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_no_bytes_make_reading_checking_or_appending_fail(noise: bytes, place: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "journal.jsonl"
        journal = begun(path)
        for reason in ("one", "two"):
            note(journal, reason)
        data = path.read_bytes()
        path.write_bytes(data[:place] + noise)
        before = journal.read().records
        journal.check()
        added = note(journal, "three")
        assert journal.read().records[-1] == added
        assert journal.read().records[: len(before)] == before


# Crashes


def test_a_decision_is_on_the_disk_before_it_is_acknowledged(journal: Journal) -> None:
    with recording() as calls:
        note(journal, "one")
    assert calls == [("write", "journal.jsonl"), ("fsync", "journal.jsonl")]


def test_what_was_acknowledged_is_there_after_a_kill_at_any_call(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    number = iter(range(10_000))

    def make() -> Path:
        acknowledged.clear()
        path = tmp_path / f"{next(number)}.jsonl"
        journal = begun(path)
        note(journal, "before")
        with path.open("ab") as stream:
            stream.write(b'{"seq":3,"at"')
        return path

    def act(path: Path) -> None:
        for reason in ("one", "two"):
            note(Journal(path), reason)
            acknowledged.append(reason)

    def check(path: Path, killed: bool) -> None:
        journal = Journal(path)
        found = reasons(journal)
        assert found[: 2 + len(acknowledged)] == ["", "before", *acknowledged]
        assert len(found) <= 3 + len(acknowledged)
        assert journal.check() == []
        note(journal, "after")
        assert reasons(journal)[: len(found)] == found
        assert reasons(journal)[-1] == "after"
        assert journal.check() == []

    assert at_each_call(make, act, check) == 6


# The store and its twin


class JournalMachine(RuleBasedStateMachine):
    """Appending, reading on, and crashes that tear lines; the store against its twin."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.mkdtemp(dir=MEMORY)
        self.path = Path(self.folder) / "journal.jsonl"
        self.journal = begun(self.path)
        self.twin = TwinChain([""])
        self.offset = self.journal.read().offset

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(reason=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)))
    def append(self, reason: str) -> None:
        assert note(self.journal, reason).seq == self.twin.append(reason)

    @rule(reason=st.text("abc}\n", min_size=1, max_size=9000))
    def append_much(self, reason: str) -> None:
        assert note(self.journal, reason).seq == self.twin.append(reason)

    @rule(
        reason=st.one_of(st.text("b}", max_size=20), st.text(max_size=20)), cut=st.integers(1, 600)
    )
    def a_crash_tears_a_line(self, reason: str, cut: int) -> None:
        before = self.path.read_bytes()
        note(self.journal, reason)
        line = self.path.read_bytes()[len(before) :]
        healed = int(bool(before) and not before.endswith(b"\n"))  # its newline came first
        kept = line[: healed + min(cut, len(line) - healed - 1)]
        self.path.write_bytes(before + kept)
        if healed:
            self.twin.heal()
        if len(kept) == len(line) - 1:
            self.twin.waiting = reason
        self.twin.torn = True

    @rule()
    def read_on(self) -> None:
        part = self.journal.read(self.offset)
        self.offset = part.offset
        assert [record.reason for record in part.records] == self.twin.read_on()

    @invariant()
    def nothing_is_lost_and_nothing_is_wrong(self) -> None:
        if hasattr(self, "journal"):
            part = self.journal.read()
            assert [record.reason for record in part.records] == self.twin.texts
            assert [record.seq for record in part.records] == list(
                range(1, len(self.twin.texts) + 1)
            )
            assert part.skipped == self.twin.scars
            assert self.journal.check() == []


QUICK = settings(max_examples=60, stateful_step_count=25, deadline=None)


class TestJournalAgainstItsTwin(JournalMachine.TestCase):
    settings = QUICK


@pytest.mark.slow
class TestJournalAgainstItsTwinAtLength(JournalMachine.TestCase):
    settings = settings(QUICK, max_examples=800)
