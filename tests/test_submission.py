"""What an agent sends is taken only in its form and within the surface."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes import codec
from hermes.errors import AgentError, ExitCode
from hermes.executing.surface import Surface
from hermes.submission import (
    MOST_BYTES,
    MOST_FILE_BYTES,
    MOST_FILES,
    Submission,
    check,
    parse,
)

SURFACE = Surface(("src/**", "conf.yaml", "linked/*"), ("src/eval/*",))
PRESENT = {
    "src": "folder",
    "src/a.py": "file",
    "src/sub": "folder",
    "src/sub/b.py": "file",
    "src/link": "link",
    "src/alias.py": "link",
    "linked": "link",
    "conf.yaml": "file",
    "bench.py": "file",
}


def sent(**fields):
    """Return a submission as an agent writes it; fields may be changed, None leaves one out."""
    whole = {
        "dispatch_id": "exp-item-0a1b2c3d",
        "changes": {"src/a.py": "x = 1\n"},
        "reasoning": "because",
        "hypothesis": "it is faster",
        **fields,
    }
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def code_of(action) -> str:
    with pytest.raises(AgentError) as refused:
        action()
    assert refused.value.message
    assert refused.value.remedy
    assert refused.value.exit_code is ExitCode.REQUEST
    assert "\n" not in str(refused.value).replace("\n", "", 1)
    return refused.value.code


def test_what_was_sent_comes_back_as_a_record():
    assert parse(sent()) == Submission(
        "exp-item-0a1b2c3d", {"src/a.py": "x = 1\n"}, "because", "it is faster"
    )
    assert parse(sent(reasoning=None, hypothesis=None)).reasoning == ""
    assert parse(sent(changes={"src/a.py": None})).changes == {"src/a.py": None}


def test_a_record_survives_its_way_to_the_disk():
    before = Submission("exp-item-0a1b2c3d", {"a": "ünï\n", "b": None}, "r", "h")
    assert codec.from_line(Submission, codec.to_line(before)) == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{",
        b'{"dispatch_id": NaN, "changes": {}}',
        b'{"dispatch_id": "a", "dispatch_id": "b", "changes": {"x": "y"}}',
        b'{"dispatch_id": "a", "changes": {"x": "y", "x": "z"}}',
        b"[" * 100_000,
        b'{"%s": 1, "%s": 2}' % (b"k" * 10_000, b"k" * 10_000),
        sent(dispatch_id=""),
        sent(dispatch_id=7),
        sent(dispatch_id=None),
        sent(changes={}),
        sent(changes=None),
        sent(changes=[]),
        sent(changes="src/a.py"),
        sent(reasoning=["because"]),
        sent(hypothesis="\udc80"),
        sent(patch="diff"),
    ],
)
def test_what_has_another_form_is_malformed(data):
    assert code_of(lambda: parse(data)) == "malformed"


@pytest.mark.parametrize("content", [7, 1.5, True, [], {}, "a\0b", "\ud800"])
def test_a_content_that_is_no_text_is_refused(content):
    assert code_of(lambda: parse(sent(changes={"src/a.py": content}))) == "not-text"


@pytest.mark.parametrize(
    "data",
    [
        sent(changes={"src/a.py": "x" * (MOST_FILE_BYTES + 1)}),
        sent(changes={"src/a.py": "ü" * (MOST_FILE_BYTES // 2 + 1)}),
        sent(changes={f"src/{number}": "" for number in range(MOST_FILES + 1)}),
        sent(reasoning="x" * 20_001),
        sent(hypothesis="x" * 2_001),
        b" " * (MOST_BYTES + 1),
    ],
)
def test_what_is_too_large_is_refused(data):
    assert code_of(lambda: parse(data)) == "too-large"


def test_an_error_names_the_nearest_key():
    with pytest.raises(AgentError, match="Did you mean 'changes'"):
        parse(sent(change={"src/a.py": ""}))


@pytest.mark.parametrize(
    "changes",
    [
        {"/etc/passwd": ""},
        {"\\src\\a.py": ""},
        {"C:/src/a.py": ""},
        {"../a.py": ""},
        {"src/../bench.py": ""},
        {"src/..": ""},
        {"": ""},
        {"src//a.py": ""},
        {"src/": ""},
        {"src/./a.py": ""},
        {".": ""},
        {".git/config": ""},
        {"src/.git/hooks/x": ""},
        {"src/.GIT/config": ""},
        {"src/.git./config": ""},
        {"src/a\n.py": ""},
        {"src/a\0.py": ""},
        {"src/\udcff.py": ""},
        {"src/a.py ": ""},
        {"src/" + "d/" * 70 + "a.py": ""},
        {"src/" + "x" * 300: ""},
        {"src/" + "ü" * 200: ""},
        {"bench.py": ""},
        {"SRC/a.py": ""},
        {"src/eval/score.py": ""},
        {"src/__pycache__/a.pyc": ""},
        {"src/link/new.py": ""},
        {"linked/new.py": ""},
        {"src/alias.py": ""},
        {"src/alias.py": None},
        {"src/a.py/b.py": ""},
        {"src/sub": ""},
        {"src/sub": None},
        {"src/missing.py": None},
        {"src/x": "", "src/x/y": ""},
        {"conf.yaml": "fine", "bench.py": "not"},
    ],
)
def test_a_path_outside_the_surface_is_refused(changes):
    assert code_of(lambda: check(Submission("exp-item-00000000", changes), SURFACE, PRESENT)) == (
        "outside"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"src/a.py": "y = 2\n"},
        {"src/new/deep/c.py": ""},
        {"conf.yaml": None},
        {"src/a.py": None, "src/a.py/b.py": "a folder in the place of the file"},
        {"src/.gitignore": ""},
        {"src/...": ""},
        {"src/naïve ☃.py": ""},
    ],
)
def test_a_path_within_the_surface_is_taken(changes):
    check(Submission("exp-item-00000000", changes), SURFACE, PRESENT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {"dispatch_id": JSON | st.just("exp-item-00000000"), "changes": JSON},
    optional={"reasoning": JSON, "hypothesis": JSON, "other": JSON},
)


def refusal(action) -> AgentError | None:
    try:
        action()
    except AgentError as error:
        return error
    return None


def is_whole(submission: Submission) -> bool:
    texts = [submission.dispatch_id, submission.reasoning, submission.hypothesis]
    contents = [item for item in submission.changes.values() if item is not None]
    return bool(submission.changes) and all(
        text.encode() is not None and "\0" not in text for text in (*texts, *contents)
    )


@settings(max_examples=150, deadline=None)
@given(NEARLY.map(lambda raw: json.dumps(raw).encode()) | st.binary(max_size=200))
def test_anything_that_is_sent_is_taken_whole_or_refused_with_a_code(data):
    refused = refusal(lambda: parse(data))
    if refused is None:
        assert is_whole(parse(data))
    else:
        assert refused.code in ("malformed", "not-text", "too-large")
        assert len(str(refused)) < 1_000


PARTS = st.sampled_from(["src", "a.py", "sub", "link", "..", ".", "", ".git", "eval", "x", "é"])
PATHS = st.lists(PARTS, max_size=5).map("/".join) | st.text(max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(PATHS, st.none() | st.just("text"), min_size=1, max_size=4))
def test_whatever_paths_are_named_only_ordinary_ones_of_the_surface_are_taken(changes):
    submission = Submission("exp-item-00000000", changes)
    refused = refusal(lambda: check(submission, SURFACE, PRESENT))
    if refused is not None:
        assert refused.code == "outside"
        return
    for path in changes:
        parts = path.split("/")
        assert SURFACE.holds(path)
        assert not SURFACE.is_read_only(path)
        assert not {"", ".", "..", ".git"} & set(parts)
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        assert not any(PRESENT.get(folder) == "link" for folder in (*above, path))
