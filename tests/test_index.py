from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_samples import (
    EXPERIMENT,
    Conveyor,
    execution_of,
    finished,
    metrics_of,
    planned,
    sealed_runs,
)

from hermes import codec, files
from hermes.errors import BrokenFile
from hermes.model import IndexLine, Outcome
from hermes.store.index import Index, index_line


def line_of(seq: int, **changes) -> IndexLine:
    draft = planned(seq)
    execution = execution_of(draft)
    line = index_line(finished(draft, execution, seq, None), metrics_of(draft, execution), "a" * 64)
    return replace(line, **changes)


@pytest.fixture
def lab(tmp_path):
    return Conveyor(tmp_path).prepare()


@pytest.fixture
def index(lab) -> Index:
    return lab.index


@pytest.fixture
def path(lab):
    return lab.layout.experiment(EXPERIMENT).metrics


def three_runs(lab) -> bytes:
    for iteration in (1, 2, 3):
        lab.run(iteration)
    return lab.layout.experiment(EXPERIMENT).metrics.read_bytes()


def rebuild(lab):
    return lab.index.rebuild(lambda: lab.bundles.read_all(EXPERIMENT))


# Lines


def test_a_draft_has_no_line():
    draft = planned(1)
    with pytest.raises(ValueError, match="not sealed"):
        index_line(draft, metrics_of(draft, execution_of(draft)), "a" * 64)


def test_a_strategy_is_told_what_a_run_was_built_upon():
    draft = replace(planned(1), parents=("RUN-1", "RUN-0"))
    execution = execution_of(draft)
    manifest, metrics = finished(draft, execution, 1, None), metrics_of(draft, execution)
    written = codec.to_line(index_line(manifest, metrics, "a" * 64))
    read = codec.from_line(IndexLine, written)
    assert read.trial_record().parents == ("RUN-1", "RUN-0")


def test_a_line_from_before_runs_had_parents_can_be_read():
    old = {key: value for key, value in codec.shallow(line_of(1)).items() if key != "parents"}
    assert codec.from_line(IndexLine, codec.to_line(old)) == line_of(1)


@given(st.integers(-(2**60), 2**60), st.integers(0, 10**6))
def test_whole_numbers_become_fractions_so_that_the_disk_changes_nothing(value, cost):
    draft = planned(1)
    execution = execution_of(draft, value=value, secondary={"cost": cost})
    manifest, metrics = finished(draft, execution, 1, None), metrics_of(draft, execution)
    line = codec.to_line(index_line(manifest, metrics, "a" * 64))
    read = codec.read_record(type(metrics), codec.to_json(metrics))
    assert codec.to_line(index_line(manifest, read, "a" * 64)) == line


# Appending


def test_what_is_appended_is_read(index):
    assert index.read() == type(index.read())((), 0, 0)
    assert index.last() is None
    written = [index.append(line_of(seq)) for seq in (1, 2)]
    part = index.read()
    assert part.lines == (line_of(1), line_of(2))
    assert (part.offset, part.skipped) == (sum(map(len, written)), 0)
    assert index.read(len(written[0])).lines == (line_of(2),)
    assert index.read(part.offset).lines == ()
    assert index.last() == line_of(2)


def test_a_run_is_appended_once(index, path):
    for seq in (1, 2, 3):
        index.append(line_of(seq))
    before = path.read_bytes()
    for seq in (3, 2, 1):
        assert index.append(line_of(seq)) == b""
    assert path.read_bytes() == before


def test_another_run_of_the_same_seq_is_not_taken_for_it(index):
    index.append(line_of(1))
    assert index.append(line_of(1, run_id=planned(9).run_id)) != b""


def test_a_torn_line_is_closed_off_and_the_run_appended(index, path):
    index.append(line_of(1))
    path.write_bytes(path.read_bytes() + codec.to_line(line_of(2))[:60])
    assert index.append(line_of(2)) != b""
    assert index.read().lines == (line_of(1), line_of(2))
    assert index.read().skipped == 1


def test_a_line_that_is_whole_but_for_its_newline_is_not_repeated(index, path):
    index.append(line_of(1))
    path.write_bytes(path.read_bytes() + codec.to_line(line_of(2))[:-1])
    assert index.append(line_of(2)) == b""


# Reading


def test_the_last_line_is_found_behind_damage_and_among_long_lines(index, path):
    long = line_of(1, reason="x" * 100_000)
    index.append(long)
    path.write_bytes(path.read_bytes() + b"garbage\n" * 20_000)
    assert index.last() == long
    path.write_bytes(b"garbage\n")
    assert index.last() is None


def test_the_last_line_is_read_from_the_tail_alone(index, monkeypatch):
    for seq in range(1, 200):
        index.append(line_of(seq))
    from hermes import files

    lengths = []
    read_before = files.read_before

    def watched(path, offset, length):
        lengths.append(length)
        return read_before(path, offset, length)

    monkeypatch.setattr(files, "read_before", watched)
    assert index.last() == line_of(199)
    assert lengths == [8192]


def test_damaged_repeated_and_misplaced_lines_are_skipped_and_counted(index, path):
    lines = [codec.to_line(line_of(seq)) for seq in (1, 2, 2, 1, 3)]
    lines.insert(2, b"garbage\n")
    lines.insert(4, codec.to_line(line_of(2)).replace(b"success", b"failed!"))
    path.write_bytes(b"".join(lines))
    part = index.read()
    assert [line.seq for line in part.lines] == [1, 2, 3]
    assert part.skipped == 4


# Blocks


def cut(lab, last: int, **how) -> list[str]:
    """Write the blocks that are missing; return their names."""
    return [written(path, data) for path, data in lab.index.new_blocks(last, **how)]


def written(path, data) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path.name


def blocks_of(lab) -> dict[str, bytes]:
    folder = lab.layout.experiment(EXPERIMENT).checkpoints
    return {path.name: path.read_bytes() for path in folder.glob("trials-*")}


def appended(lab, *seqs: int) -> None:
    for seq in seqs:
        lab.index.append(line_of(seq, parents=("RUN-0",) * (seq % 2), reason="x" * seq))


def spoilt(data: bytes, place: int) -> bytes:
    """Change a byte, or cut the data off there."""
    place %= len(data)
    return data[:place] if place % 3 else data[:place] + b"?" + data[place + 1 :]


@given(
    damage=st.lists(st.integers(0, 8), max_size=3),
    again=st.integers(0, 8),
    blocks=st.sampled_from([0, 4, 8]),
    spoil=st.lists(st.integers(0, 10**6), max_size=2),
)
def test_strategies_are_told_of_just_the_runs_that_are_read(
    tmp_path_factory, damage, again, blocks, spoil
):
    lab = Conveyor(tmp_path_factory.mktemp("lab")).prepare()
    path = lab.layout.experiment(EXPERIMENT).metrics
    lines = [codec.to_line(line_of(seq)) for seq in range(1, 10)]
    foreign = codec.to_line({"seq": 10, "trial": 10, "params": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hermes.store.blocks.RUNS", 2)
        path.write_bytes(b"".join(lines))
        assert len(cut(lab, blocks)) == blocks // 2
        for place in spoil:
            folder = path.parent / "checkpoints"
            for name, data in [*blocks_of(lab).items()][place % 4 :][:1]:
                (folder / name).write_bytes(spoilt(data, place) if data else b"")
        for number in damage:
            lines[number] = lines[number].replace(b"1", b"2", 1)
        path.write_bytes(b"".join([*lines, foreign, lines[again], b"torn"]))
        read = [line.trial_record() for line in lab.index.read().lines]
        assert list(lab.index.trials()) == read
        assert len(read) == 9 - len(set(damage))
        missing = lab.index.missing([trial.run_id for trial in read])
        for name in blocks_of(lab):
            (path.parent / "checkpoints" / name).unlink()
        assert lab.index.missing([trial.run_id for trial in read]) == missing


@pytest.mark.usefixtures("blocks_of_two")
def test_a_block_counts_for_nothing_when_the_index_is_not_what_it_was_taken_from(lab, path):
    appended(lab, 1, 2, 3, 4, 5)
    assert cut(lab, 5) == ["trials-2.jsonl", "trials-4.jsonl"]
    known, names = list(lab.index.trials()), [planned(seq).run_id for seq in range(1, 6)]
    assert lab.index.missing(names) == []
    others = [line_of(seq, value=0.5, parents=("RUN-0",) * (seq % 2)) for seq in (1, 2, 3)]
    rest = path.read_bytes().splitlines(keepends=True)[3:]
    path.write_bytes(b"".join([*map(codec.to_line, others), *rest]))  # the last line is the same
    assert [trial.value for trial in lab.index.trials()][:3] == [0.5, 0.5, 0.5]
    assert list(lab.index.trials())[3:] == known[3:]
    assert cut(lab, 5) == []  # those that are there are taken as right ...
    assert cut(lab, 5, thorough=True) == ["trials-2.jsonl", "trials-4.jsonl"]  # ... unless asked
    assert [trial.value for trial in lab.index.trials()][:3] == [0.5, 0.5, 0.5]


@pytest.mark.usefixtures("blocks_of_two")
def test_a_history_is_told_from_its_blocks_and_the_lines_behind_them(lab, monkeypatch):
    appended(lab, 1, 2, 3, 4, 5)
    expected = [line.trial_record() for line in lab.index.read().lines]
    assert len(cut(lab, 5)) == 2
    decoded = []
    from_line = codec.from_line

    def watched(record_type, line):
        decoded.append(record_type)
        return from_line(record_type, line)

    monkeypatch.setattr(codec, "from_line", watched)
    assert list(lab.index.trials()) == expected
    assert decoded.count(IndexLine) == 1


@pytest.mark.usefixtures("blocks_of_two")
def test_a_block_is_cut_from_the_end_of_the_one_before(lab, path, monkeypatch):
    appended(lab, *range(1, 9))
    assert len(cut(lab, 7)) == 3
    offsets = []
    read_lines = files.read_lines

    def watched(name, offset=0):
        offsets.append(offset)
        return read_lines(name, offset)

    monkeypatch.setattr(files, "read_lines", watched)
    assert cut(lab, 7) == []
    assert cut(lab, 8) == ["trials-8.jsonl"]
    assert offsets == [sum(map(len, path.read_bytes().splitlines(keepends=True)[:6]))]


@pytest.mark.usefixtures("blocks_of_two")
@pytest.mark.parametrize("lost", ["trials-2.jsonl", "trials-4.jsonl", "trials-6.jsonl"])
def test_blocks_that_are_lost_are_cut_again_byte_for_byte(lab, lost):
    appended(lab, *range(1, 8))
    cut(lab, 7)
    before = blocks_of(lab)
    lost_block = lab.layout.experiment(EXPERIMENT).checkpoints / lost
    lost_block.unlink()
    assert lost in cut(lab, 7, thorough=True)
    assert blocks_of(lab) == before
    block, _, told = before[lost].partition(b"\n")
    lost_block.write_bytes(block + b"\n" + told.replace(b"random", b"ramdon"))
    assert len(list(lab.index.trials())) == 7
    assert {trial.strategy for trial in lab.index.trials()} == {"random"}
    assert lost in cut(lab, 7, thorough=True)
    assert blocks_of(lab) == before


@pytest.mark.usefixtures("blocks_of_two")
def test_there_are_no_blocks_after_a_gap_or_a_damaged_line(lab, path):
    appended(lab, 1, 2, 3, 5, 6, 7)
    assert cut(lab, 7) == ["trials-2.jsonl"]
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":9'))
    assert cut(lab, 7, thorough=True) == []
    assert cut(lab, 1, thorough=True) == []


@pytest.mark.usefixtures("blocks_of_two")
def test_blocks_of_another_version_count_for_nothing(lab, monkeypatch):
    appended(lab, 1, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr("hermes.store.blocks.DERIVED_VERSION", 0)
        cut(lab, 3)
    older = blocks_of(lab)
    assert cut(lab, 3) == []
    assert cut(lab, 3, thorough=True) == ["trials-2.jsonl"]
    assert blocks_of(lab) != older


@pytest.mark.usefixtures("blocks_of_two")
def test_a_folder_in_the_place_of_a_block_only_takes_time(lab):
    appended(lab, 1, 2, 3)
    lab.layout.experiment(EXPERIMENT).block(2).mkdir(parents=True)
    assert len(list(lab.index.trials())) == 3
    assert lab.index.missing([planned(seq).run_id for seq in (1, 2, 3)]) == []


def test_trials_of_a_folder_in_the_place_of_the_index_cannot_be_told(lab, path):
    path.mkdir()
    with pytest.raises(BrokenFile, match="cannot be read"):
        list(lab.index.trials())


# Comparing with the bundles


def test_an_index_that_names_just_the_sealed_runs_lacks_nothing(lab):
    three_runs(lab)
    assert lab.index.missing(lab.bundles.list(EXPERIMENT)) == []


def test_a_missing_file_is_an_empty_index(index):
    assert index.missing([]) == []
    assert index.missing(["RUN"]) == ["RUN is missing"]


def spoilers():
    def lines(data: bytes) -> list[bytes]:
        return data.splitlines(keepends=True)

    return {
        "removed": lambda data: b"".join(lines(data)[:2]),
        "first removed": lambda data: b"".join(lines(data)[1:]),
        "torn": lambda data: data[:-40],
        "no newline": lambda data: data[:-1],
        "more torn": lambda data: data + lines(data)[-1][:30],
        "repeated": lambda data: data + lines(data)[-1],
        "swapped": lambda data: b"".join(lines(data)[::-1]),
        "healed": lambda data: data[:-40] + b"\n" + lines(data)[-1],
        "emptied": lambda data: b"",
        "garbage": lambda data: b"\xff\x00garbage\n" + data,
        "a stranger": lambda data: data + codec.to_line(line_of(4, run_id=planned(9).run_id)),
    }


@pytest.mark.parametrize("spoil", spoilers().values(), ids=spoilers())
def test_a_spoilt_index_is_noticed_and_rebuilt_byte_for_byte(lab, path, spoil):
    before = three_runs(lab)
    path.write_bytes(spoil(before))
    assert lab.index.missing(lab.bundles.list(EXPERIMENT))
    assert rebuild(lab)
    assert path.read_bytes() == before
    assert lab.index.missing(lab.bundles.list(EXPERIMENT)) == []


def test_a_folder_in_the_place_of_the_index_is_noticed(lab, path):
    three_runs(lab)
    path.unlink()
    path.mkdir()
    assert "cannot be read" in lab.index.missing([])[0]


def test_a_rebuild_that_changes_nothing_says_so(lab, path):
    three_runs(lab)
    inode = path.stat().st_ino
    assert not rebuild(lab)
    assert path.stat().st_ino == inode


def test_a_missing_index_is_rebuilt(lab, path):
    before = three_runs(lab)
    path.unlink()
    assert rebuild(lab).changed
    assert path.read_bytes() == before


def test_a_broken_bundle_is_left_out_and_reported(lab, path):
    three_runs(lab)
    lines = path.read_bytes().splitlines(keepends=True)
    second = lab.layout.experiment(EXPERIMENT).run(planned(2).run_id)
    second.manifest.chmod(0o600)
    second.manifest.write_bytes(b"{}")
    rebuilt = rebuild(lab)
    assert [error.path for error in rebuilt.broken] == [str(second.manifest)]
    assert path.read_bytes() == lines[0] + lines[2]


def test_a_rebuild_in_any_order_sorts_by_seq(lab, path):
    before = three_runs(lab)
    runs = list(sealed_runs(lab).values())
    path.unlink()
    lab.index.rebuild(lambda: [runs[2], BrokenFile("x", "broken"), runs[0], runs[1]])
    assert path.read_bytes() == before


def test_a_run_sealed_during_a_rebuild_is_neither_lost_nor_repeated(lab, path):
    """An append that waits for the rebuild finds its run there already."""
    import threading

    three_runs(lab)
    whole = path.read_bytes()
    line = lab.index.last()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    appending = threading.Thread(target=lab.index.append, args=(line,))

    def read_all():
        appending.start()
        return list(lab.bundles.read_all(EXPERIMENT))

    lab.index.rebuild(read_all)
    appending.join()
    assert path.read_bytes() == whole


def test_a_failure_has_no_number_in_the_index(lab):
    draft, folder = lab.plan(1)
    failed = execution_of(draft, outcome=Outcome.TIMEOUT, reason="too long")
    lab.seal(draft, folder, failed)
    line = lab.index.last()
    assert (line.outcome, line.value, dict(line.secondary)) == (Outcome.TIMEOUT, None, {})
