from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from records import plain
from run_samples import execution_of, finished, metrics_of, planned

from hermes import codec
from hermes.model import (
    Execution,
    FileDigest,
    IndexLine,
    Json,
    Manifest,
    Outcome,
    RunMetrics,
)
from hermes.store.index import index_line

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # whatever text a command or a file name may bring, lone surrogates too
    | st.text(st.characters(exclude_categories=[]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@dataclass(frozen=True)
class Inner:
    number: float


@dataclass(frozen=True)
class Outer:
    name: str
    outcome: Outcome
    inner: Inner | None = None
    parts: tuple[Inner, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    free: Mapping[str, Json] = field(default_factory=dict)
    maybe: float | None = None
    flag: bool = False


def sample_manifest() -> Manifest:
    draft = planned(3)
    manifest = finished(draft, execution_of(draft), 3, "e" * 64)
    files = {"a/\udcff\n.txt": FileDigest("d" * 64, 12)}
    return Manifest(**{**vars(manifest), "files": files})


def sample_line() -> IndexLine:
    manifest = sample_manifest()
    return index_line(manifest, metrics_of(manifest, execution_of(manifest)), "f" * 64)


RECORDS = [
    (Manifest, sample_manifest()),
    (Execution, execution_of(planned())),
    (RunMetrics, metrics_of(planned(), execution_of(planned()))),
    (IndexLine, sample_line()),
    (Outer, Outer("n", Outcome.INFRA, Inner(1.5), (Inner(2.0),), {"a": 1.0}, {"b": [None]}, 2.0)),
]


# JSON


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.to_json({"value": number})
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.to_line({"value": [number]})
    for text in ("NaN", "[Infinity]", '{"a": -Infinity}', "1e999"):
        with pytest.raises(ValueError, match=r"is not JSON|too large"):
            codec.from_json(text)


@given(JSON)
def test_what_is_written_is_utf8_and_reads_the_same_with_any_parser(value):
    for pretty in (False, True):
        data = codec.to_json(value, pretty=pretty)
        assert data.endswith(b"\n")
        assert json.loads(data.decode("utf-8")) == codec.from_json(data)
    if json.loads(json.dumps(value)) == value:  # but for halves of one character side by side
        assert codec.from_json(codec.to_json(value)) == value


def test_a_name_that_is_not_utf8_is_escaped():
    data = codec.to_json({"caf\udce9": 1})
    assert data == b'{"caf\\udce9":1}\n'
    assert codec.from_json(data) == {"caf\udce9": 1}


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"{} {}", b"[" * 100_000, b"'a'", b"\x00"])
def test_what_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011  each says it in its own words
        codec.from_json(text)


def test_a_repeated_key_is_refused_where_that_is_asked_for():
    assert codec.from_json('{"a": 1, "a": 2}') == {"a": 2}
    with pytest.raises(ValueError, match='"a"'):
        codec.from_json('{"b": {"a": 1, "a": 2}}', unique_keys=True)


def test_records_enums_and_mappings_become_plain():
    value = {"o": Outcome.NO_METRIC, "m": MappingProxyType({"t": (1, 2)}), "r": Inner(1.0)}
    assert plain(value) == {"o": "no-metric", "m": {"t": [1, 2]}, "r": {"number": 1.0}}
    with pytest.raises(ValueError, match="object"):
        plain(object())


# Records


@pytest.mark.parametrize(("kind", "record"), RECORDS, ids=[kind.__name__ for kind, _ in RECORDS])
def test_every_record_survives_the_disk(kind, record):
    assert codec.read_record(kind, codec.to_json(record)) == record
    assert codec.read_record(kind, codec.to_json(record, pretty=True)) == record
    assert codec.from_line(kind, codec.to_line(record)) == record


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ([], "object"),
        ({"outcome": "success"}, "name"),
        ({"name": 1, "outcome": "success"}, "name"),
        ({"name": "n", "outcome": "won"}, "outcome"),
        ({"name": "n", "outcome": "success", "inner": {"number": "1"}}, "inner: number"),
        ({"name": "n", "outcome": "success", "inner": 3}, "inner"),
        ({"name": "n", "outcome": "success", "parts": {}}, "parts"),
        ({"name": "n", "outcome": "success", "scores": {"a": True}}, "scores"),
        ({"name": "n", "outcome": "success", "scores": []}, "scores"),
        ({"name": "n", "outcome": "success", "maybe": "1"}, "maybe"),
        ({"name": "n", "outcome": "success", "flag": 1}, "flag"),
    ],
)
def test_a_field_of_another_type_is_named(raw, named):
    with pytest.raises(ValueError, match=named):
        codec.decode(Outer, raw)


def test_a_whole_number_may_stand_for_a_fraction_and_unknown_fields_for_nothing():
    record = codec.decode(
        Outer, {"name": "n", "outcome": "success", "maybe": 2, "scores": {"a": 1}, "later": 1}
    )
    assert (record.maybe, type(record.maybe), record.scores) == (2.0, float, {"a": 1.0})


@given(JSON)
def test_whatever_is_read_is_a_record_or_a_value_error(raw):
    for kind, _ in RECORDS:
        with suppress(ValueError):
            assert type(codec.decode(kind, raw)) is kind


# Lines


@pytest.mark.parametrize("record", [sample_line(), {"text": "näive \udcff\n\r\u2028"}])
def test_a_changed_line_is_refused(record):
    line = codec.to_line(record)
    assert codec.parse_line(line) is not None
    for place in range(len(line)):
        for bit in (1, 32, 128):
            changed = bytearray(line)
            changed[place] ^= bit
            if place == len(line) - 1:
                continue  # the newline ends the line; it is no part of it
            assert codec.parse_line(bytes(changed)) is None, place


def test_a_line_is_one_line_and_ends_in_its_sum():
    line = codec.to_line({"text": "two\nlines\r\u2028"})
    assert line.count(b"\n") == 1
    assert list(json.loads(line))[-1] == "sum"


@given(st.binary(max_size=80))
@example(b"")
@example(b'{"sum":"e3b0c44298fc1c14"}')
def test_no_garbage_passes_for_a_line(data):
    assert codec.parse_line(data) is None
    assert codec.from_line(IndexLine, data) is None


def test_a_line_of_another_record_is_none():
    assert codec.from_line(IndexLine, codec.to_line(planned())) is None


def test_every_beginning_of_a_line_is_refused():
    line = codec.to_line(sample_line())
    for length in range(len(line) - 1):
        assert codec.parse_line(line[:length]) is None


# Records of earlier versions


@pytest.mark.parametrize("record", [sample_manifest(), sample_line()], ids=["manifest", "line"])
def test_a_record_from_before_duplicates_were_counted_counts_none(record):
    raw = plain(replace(record, duplicates_avoided=3))
    assert codec.decode(type(record), raw).duplicates_avoided == 3
    del raw["duplicates_avoided"]
    assert codec.from_line(type(record), codec.to_line(raw)) == record
