"""Whatever a SPEC holds, it is refused in two lines or stored so that it reads back the same."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_specs import EVERYTHING, LEAST

from hermes.errors import BrokenFile, SpecError
from hermes.layout import Layout
from hermes.schema_faults import types_of
from hermes.spec import EXECUTION_FIELDS, FIELDS
from hermes.store.specs import PreparedSpec, checkpoint, load, prepare
from hermes.validation import schema
from hermes.yaml_text import load_yaml

QUICK = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture(scope="module")
def place():
    folder = Path(tempfile.mkdtemp())
    (folder / "code").mkdir()
    (folder / "space.json").write_text("{}")
    yield folder
    shutil.rmtree(folder)


def check(place, data, experiment=None):
    """Hold what was said above; return what was prepared, or None."""
    source = place / "spec.yaml"
    source.write_bytes(data)
    try:
        ready = prepare(source, experiment=experiment, data_root=place / "lab")
    except SpecError as error:
        _check_refusal(str(error))
        return None
    _check_reads_back(place, ready)
    return ready


def _check_refusal(text):
    lines = text.splitlines()
    assert len(lines) == 2
    assert all(line.strip() and len(line) < 500 for line in lines)
    assert lines[0].startswith(("spec.yaml:", "id: "))


def _check_reads_back(place, ready: PreparedSpec):
    layout = Layout(place / "lab").experiment(ready.id)
    layout.checkpoints.mkdir(parents=True, exist_ok=True)
    try:
        layout.spec.write_bytes(ready.text)
        parsed = load(layout)
        assert parsed.spec == ready.spec
        layout.parsed_spec.write_bytes(checkpoint(parsed))
        assert load(layout) == parsed
        assert repr(load(layout).mapping) == repr(parsed.mapping)
        assert all("\n" not in notice for notice in ready.notices)
        for tier in ready.spec.tiers:
            ready.spec.at_tier(tier)
    finally:
        shutil.rmtree(layout.folder)


TEXT = st.text(max_size=12) | st.sampled_from(
    [
        "no",
        "../x",
        "/",
        "~",
        "<x>",
        "a\nb",
        "\x00",
        "\x85",
        "1e-3",
        "* * * * *",
        "0 0 31 2 *",
        "x" * 300,
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def of_rule(rule):
    """Make values that a rule of the schema mostly allows."""
    if "enum" in rule:
        return st.sampled_from(rule["enum"])
    return st.one_of([_OF_TYPE[kind](rule) for kind in types_of(rule)])


def _mapping(rule):
    parts = rule.get("properties") or schema()["$defs"]["stop_conditions"]["properties"]
    return st.dictionaries(st.sampled_from(sorted(parts)), st.none(), max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({key: of_rule(parts[key]) for key in chosen})
    )


_OF_TYPE = {
    "boolean": lambda rule: st.sampled_from([True, False, "no", "On"]),
    "integer": lambda rule: st.integers(rule.get("minimum"), rule.get("maximum")),
    "number": lambda rule: st.floats(0.001, 1e5),
    "string": lambda rule: st.sampled_from(
        [*rule.get("examples", []), "a", "b-1", "code", "space.json", "src/*.py", "hourly", "é 😀"]
    ),
    "array": lambda rule: st.lists(
        of_rule(rule["items"]), min_size=rule.get("minItems", 0), max_size=3, unique_by=json.dumps
    ),
    "object": _mapping,
}
FIELD = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: st.tuples(st.just(name), of_rule(schema()["properties"][name]))
)
TIERED = st.sampled_from(sorted(EXECUTION_FIELDS)).flatmap(
    lambda name: st.tuples(st.just(f"a_{name}"), of_rule(schema()["properties"][name]))
)
PATHS = st.sampled_from([("workspace_root", "code"), ("search_space", "space.json")])
LIKELY = st.lists(FIELD | TIERED | PATHS, max_size=10).map(
    lambda pairs: {
        **load_yaml(LEAST.encode(), source="s").data,
        "fidelity_tiers": ["a", "b-1"],
        **dict(pairs),
    }
)
KEYS = st.sampled_from([*sorted(FIELDS), "low_seed", "sed", "proxy_"]) | TEXT
PIECES = [
    *(b":", b"- ", b"&a ", b"*a", b"\n", b'"', b"[", b"}", b"!!", b"\xff", b"#", b"\t", b"? "),
    *(b"---\n", b"|", b"\x00", b"\xc2\x85", b"<<: ", b"id: x\n", b"  ", b"\r", b"\xef\xbb\xbf"),
]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "double", "swap", "put"]),
        st.integers(0, 10_000),
        st.sampled_from(PIECES),
    ),
    max_size=4,
)


def edited(data, edits):
    for kind, at, piece in edits:
        spot = at % (len(data) + 1)
        if kind == "put":
            data = data[:spot] + piece + data[spot:]
        elif kind == "cut":
            data = data[:spot] + data[spot + len(piece) * 3 :]
        elif kind == "double":
            start = data.rfind(b"\n", 0, spot) + 1
            end = data.find(b"\n", spot) + 1 or len(data)
            data = data[:end] + data[start:end] + data[end:]
        else:
            data = data[:spot] + piece + data[spot + len(piece) :]
    return data


def as_json(data):
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")


FRAGMENTS = [
    *("code", "./code", "&r code", "*r", "!!str code", "'code'", '"co\\u0064e"', ">-\n  code"),
    *("|-\n  code", "code # here", "space.json", "", "~", "[a, *r]", "{a: &s b}", "no", "1"),
    *("code\n  # below", "\n  code"),
]
PLACES = ["workspace_root", "search_space", "known_good_config", "agent_instruction_file", "mode"]
LINES = st.lists(
    st.builds("{}: {}\n".format, st.sampled_from([*PLACES, "tags"]), st.sampled_from(FRAGMENTS)),
    max_size=4,
    unique_by=lambda line: line.partition(":")[0],
).map(lambda lines: (LEAST + "".join(lines)).encode())


SOURCES = st.sampled_from([LEAST, EVERYTHING])
NAMES = st.none() | TEXT | st.just("other")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
@QUICK
def test_any_bytes_are_refused_or_stored(place, data):
    check(place, data)


@given(SOURCES, EDITS, NAMES)
@QUICK
def test_a_damaged_spec_is_refused_or_stored(place, text, edits, experiment):
    check(place, edited(text.encode(), edits), experiment)


@given(st.dictionaries(KEYS, JSON, max_size=6), NAMES)
@QUICK
def test_a_wild_mapping_is_refused_or_stored(place, data, experiment):
    given = {"id": "x", "goal": "y", "metric": "z", "metric_direction": "minimize", **data}
    check(place, as_json(given), experiment)


@given(LIKELY)
@QUICK
def test_a_likely_spec_is_refused_or_stored(place, data):
    check(place, as_json(data))


@given(LINES, NAMES)
@QUICK
def test_paths_written_in_any_way_are_refused_or_stored(place, data, experiment):
    check(place, data, experiment)


@given(SOURCES, EDITS)
@QUICK
def test_a_stored_spec_that_is_damaged_is_broken_or_read(place, text, edits):
    layout = Layout(place / "lab").experiment("demo")
    layout.checkpoints.mkdir(parents=True, exist_ok=True)
    layout.spec.write_bytes(edited(text.encode(), edits))
    try:
        found = load(layout)
    except BrokenFile as error:
        lines = str(error).splitlines()
    else:
        lines = [found.spec.id, found.sha256]
    assert len(lines) == 2


@pytest.mark.parametrize("source", [LIKELY.map(as_json), LINES], ids=["likely", "lines"])
def test_many_of_them_are_accepted(place, source):
    """Guard the fuzzing itself: one that is nearly always refused proves little."""
    outcomes = []

    @given(source)
    @settings(QUICK, database=None, derandomize=True)
    def run(data):
        outcomes.append(check(place, data) is not None)

    run()
    assert sum(outcomes) > len(outcomes) / 10


LENGTHY = {
    "bytes": [st.binary(max_size=400)],
    "damaged": [st.builds(lambda text, edits: edited(text.encode(), edits), SOURCES, EDITS), NAMES],
    "wild": [st.dictionaries(KEYS, JSON, max_size=8).map(as_json), NAMES],
    "likely": [LIKELY.map(as_json)],
    "lines": [LINES, NAMES],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LENGTHY)
@pytest.mark.parametrize("loader", ["libyaml", "pure"])
def test_the_same_at_length(place, kind, loader, monkeypatch):
    if loader == "pure":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    @given(st.tuples(*LENGTHY[kind]))
    @settings(QUICK, max_examples=1500)
    def run(drawn):
        check(place, *drawn)

    run()
