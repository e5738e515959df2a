"""Strict YAML: what is read, what is refused and where, and editing that keeps comments."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.errors import SpecError
from hermes.located import MAX_BYTES
from hermes.yaml_events import MAX_DEPTH
from hermes.yaml_text import dump_yaml, load_yaml, with_changes


def read(text):
    data = text if isinstance(text, bytes) else text.encode()
    return load_yaml(data, source="spec.yaml").data


def refusal(text):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(SpecError) as caught:
        load_yaml(data, source="spec.yaml")
    lines = str(caught.value).split("\n")
    assert len(lines) == 2
    assert lines[0].startswith("spec.yaml:")
    assert all(lines)
    return str(caught.value)


@pytest.fixture(params=["libyaml", "pure"])
def loader(request, monkeypatch):
    if request.param == "pure":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    return request.param


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-2.5e+2", -250.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("007", 7),
        ("-12", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("2026-01-31", "2026-01-31"),
        ("12:30:45", "12:30:45"),
        ("~", None),
        ("", None),
        ("null", None),
        ('"1e-3"', "1e-3"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("1_000", "1_000"),
        ("1.2.3", "1.2.3"),
        ("|\n  two\n  lines", "two\nlines"),
    ],
)
def test_a_scalar_is_what_its_writer_means(written, meant, loader):
    found = read(f"key: {written}")["key"]
    assert repr(found) == repr(meant)


def test_keys_are_text_whatever_they_look_like():
    assert read("1: a\ntrue: b\n1e-3: c\n? d\n: e") == {
        "1": "a",
        "true": "b",
        "1e-3": "c",
        "d": "e",
    }


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert read(b"\xef\xbb\xbfid: x") == {"id": "x"}


def test_windows_line_ends_are_fine():
    assert read("a: 1\r\nb: [x, y]\r\n") == {"a": 1, "b": ["x", "y"]}


def test_an_alias_stands_for_its_value():
    assert read("a: &list [1, 2]\nb: *list\nc: {d: *list}") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": {"d": [1, 2]},
    }


def test_every_part_knows_its_line():
    located = load_yaml(
        b"# head\na: 1\nb:\n  - x\n  - y: 2\n    z: {q: 1}\nc: *n\n".replace(b"*n", b"5"),
        source="s",
    )
    places = {(): 2, ("a",): 2, ("b",): 3, ("b", 1): 5, ("b", 1, "z"): 6, ("b", 1, "z", "q"): 6}
    assert {place: located.line(place) for place in places} == places
    assert located.line(("b", 1, "nowhere", 3)) == 5
    assert located.line(("nowhere",)) == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("~", 1, "the file is empty"),
        ("- a\n- b", 1, "not a mapping"),
        ("just text", 1, "not a mapping"),
        ("a: 1\nb: 2\na: 3", 3, "a: given twice, first on line 1"),
        ("x:\n  y: 1\n  y: 2", 3, "x.y: given twice, first on line 2"),
        ('a: 1\n"a": 2', 2, "given twice"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: b: c", 1, "not YAML"),
        ("a: [1, 2\nb: 1\nc: 2", 1, "not YAML"),
        ('x: 1\na: "1\nb: 1\nc: 2', 2, "not YAML"),
        ("\ta: 1", 1, "not YAML"),
        ("a: 1\nb: .inf", 2, "b: .inf is not a finite number"),
        ("a: -.INF", 1, "not a finite number"),
        ("a: .nan", 1, "not a finite number"),
        ("a: 1e999", 1, "not a finite number"),
        ("a: 99999999999999999999", 1, "too large a number"),
        ("a: " + "9" * 5000, 1, "too large a number"),
        ("a: !!python/object/apply:os.system [x]", 1, "tag"),
        ("a: !mine x", 1, "tag"),
        ("a: !!int 3", 1, "tag"),
        ("a: !!binary aGk=", 1, "tag"),
        ("? [a, b]\n: 1", 1, "a key that is not text"),
        ("? {a: b}\n: 1", 1, "a key that is not text"),
        ("a: &x [1]\n? *x\n: 2", 2, "a key that is not text"),
        ("a: *nothing", 1, "stands for nothing"),
        ("a: &a [*a]", 1, "stands for nothing"),
        ("base: &b {x: 1}\n<<: *b", 2, "merge keys"),
        ('a: "x\\0y"', 1, "NUL"),
        ("a: \x01", 1, "not YAML"),
    ],
)
def test_what_is_not_a_plain_mapping_is_refused_with_its_line(text, line, words, loader):
    message = refusal(text)
    assert message.startswith(f"spec.yaml:{line}:")
    assert words in message


@pytest.mark.parametrize("escape", ["\\ud800", "\\UFFFFFFFF"])
def test_half_a_character_or_more_than_one_is_refused(escape, loader):
    refusal(f'a: "{escape}"')


def test_what_is_not_utf8_is_refused_with_its_line():
    assert refusal(b"a: 1\nb: \xff").startswith("spec.yaml:2: not UTF-8")
    assert "not UTF-8" in refusal("a: 1".encode("utf-16"))


def test_more_than_64_kib_is_refused():
    assert "larger than 64 KiB" in refusal(b"a: " + b"x" * MAX_BYTES)
    fits = b"a: " + b"x" * (MAX_BYTES - 3)
    assert len(read(fits)["a"]) == MAX_BYTES - 3


def test_a_bomb_of_aliases_is_refused_at_once():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    started = time.perf_counter()
    assert "aliases" in refusal(bomb)
    assert time.perf_counter() - started < 1


def test_a_bomb_of_one_long_text_is_refused():
    text = f"a: &a {'x' * 30_000}\nb: [{', '.join(['*a'] * 5000)}]\n"
    assert "aliases" in refusal(text)


def test_nesting_is_bounded_also_through_aliases():
    levels = "".join(f"k{n}: &k{n} [*k{n - 1}]\n" for n in range(1, MAX_DEPTH + 5))
    assert "levels deep" in refusal("k0: &k0 x\n" + levels)
    assert "levels deep" in refusal("a: " + "[" * 60_000)
    assert "levels deep" in refusal("a: " + "{b: " * 10_000)
    inside = MAX_DEPTH - 1
    assert read("a: " + "[" * inside + "]" * inside)


def test_a_message_is_two_short_lines_whatever_the_file_says():
    message = refusal("a:\n  " + "k" * 3000 + ": 1\n  " + "k" * 3000 + ": 2\n")
    assert max(map(len, message.split("\n"))) < 250
    assert "\x1b" not in refusal('"\\e[31m": 1\n"\\e[31m": 2')


# Editing


def test_an_edit_changes_the_value_and_nothing_else():
    text = b"# top\nid: old   # name\n\nroot: ./x # here\nlast: [1,\n  2]  # end\n"
    located = load_yaml(text, source="s")
    edited = with_changes(located, {"id": "new", "root": "/x"})
    assert edited == text.replace(b"old", b'"new"').replace(b"./x", b'"/x"')


def test_a_missing_key_comes_first():
    located = load_yaml(b"# top\n\n  a: 1\n  b: 2\n", source="s")
    assert with_changes(located, {"id": "x"}) == b'# top\n\n  id: "x"\n  a: 1\n  b: 2\n'


def test_an_empty_value_is_filled_in():
    located = load_yaml(b"id:\nb: 2 # two\n", source="s")
    assert with_changes(located, {"id": "x"}) == b'id: "x"\nb: 2 # two\n'


@pytest.mark.parametrize(
    "text",
    [
        "{id: a, b: 1}",
        "id: &x a\nb: *x\n",
        "id: >-\n  a\nb: 1\n",
        "--- {b: 1}",
        "id: !!str a\nb: 1",
    ],
)
def test_what_cannot_be_edited_in_place_is_written_anew(text):
    located = load_yaml(text.encode(), source="s")
    edited = load_yaml(with_changes(located, {"id": "new"}), source="s").data
    assert edited == {**located.data, "id": "new"}


NASTY = ["a\\b", 'say "x"', "it's", "# no comment", ": ", "é😀", "1e-3", "no", "~", "\x85", " x "]


@pytest.mark.parametrize("value", NASTY)
def test_any_text_survives_an_edit(value):
    located = load_yaml(b"a: 1 # one\nroot: x # r\n", source="s")
    edited = with_changes(located, {"root": value})
    assert load_yaml(edited, source="s").data == {"a": 1, "root": value}
    assert (b"# r" in edited) is (value != "\x85")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
    | st.sampled_from(NASTY),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1<-?: ", max_size=4), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "id", "true", "1", "x y", "é"]), JSON, min_size=1))
@settings(max_examples=150, deadline=None)
def test_what_is_dumped_reads_back_the_same(data):
    assert repr(load_yaml(dump_yaml(data), source="s").data) == repr(data)
