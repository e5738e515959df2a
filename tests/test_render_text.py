from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_cases import HOSTILE
from render_reading import (
    cells_of_github,
    cells_of_markdown_it,
    check_readable,
    outside_fences,
)

import hermes.render
from hermes.render import text

ANY = st.text(st.characters())
RENDER = Path(hermes.render.__file__).parent


@pytest.mark.parametrize("path", sorted(RENDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_renderer_asks_for_the_time_the_place_or_the_machine(path):
    names = {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None) or "", *(item.name for item in node.names)]
    }
    assert not names & {"time", "datetime", "locale", "random", "os", "platform", "hermes.clock"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "true"),
        (3, "3"),
        (-12345678901, "-12345678901"),
        (0.1 + 0.2, "0.3"),
        (1234567.0, "1.23457e+06"),
        (100.0, "100"),
        (1e-9, "1e-09"),
        (2**64, "1.84467e+19"),
        (10**400, "inf"),
        (-(10**400), "-inf"),
    ],
)
def test_numbers_have_six_significant_digits(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.001234, "0.00123 s"),
        (42.54, "42.5 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (864000, "10 days"),
    ],
)
def test_durations_come_in_the_unit_that_suits_them(seconds, shown):
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 bytes"), (1023, "1023 bytes"), (123_456_789, "118 MiB")]
)
def test_sizes_come_in_the_unit_that_suits_them(count, shown):
    assert text.size(count) == shown


def test_times_are_shown_to_the_second():
    assert text.when("2026-01-31T09:30:43.500000Z") == "2026-01-31 09:30:43"
    assert text.when(None) == "-"


def test_lines_become_one_line_and_what_steers_becomes_visible():
    assert text.one_line("two\n\t lines\r\nand\u2028more ") == "two lines and more"
    assert text.one_line("\x1b[31mred\x9b") == "\ufffd[31mred\ufffd"
    assert text.one_line("right\u202eleft\ufeff") == "rightleft"
    assert text.one_line("👩\u200d🔬") == "👩\u200d🔬"


def test_a_cut_shows():
    assert text.clip("abcdefgh", 5) == "abcd…"
    assert text.clip("abcde", 5) == "abcde"
    assert text.prose("x" * 700).endswith("x… (100 more characters)")


@given(ANY, st.integers(2, 60))
def test_a_clipped_text_is_one_readable_line_within_its_limit(anything, limit):
    shown = text.clip(anything, limit)
    assert len(shown) <= limit
    check_readable(shown)
    assert "\n" not in shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_becomes_one_cell(hostile):
    for shown in (text.cell(hostile), text.code(hostile), text.prose(hostile)):
        line = f"| {shown} |"
        assert cells_of_github(line) == cells_of_markdown_it(line) == 1
        check_readable(line)
        assert "\n" not in line


@given(ANY)
def test_any_text_becomes_one_cell(anything):
    for shown in (text.cell(anything), text.code(anything)):
        line = f"| {shown} |"
        assert cells_of_github(line) == cells_of_markdown_it(line) == 1


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_escaped_text_reads_as_it_was(plain):
    assert re.sub(r"\\([\\`*\[\]<|_])", r"\1", text.escape(plain)) == plain


def test_markup_in_a_text_is_not_markup():
    shown = text.cell("*bold* `code` [link](x) <b> a|b _it_ snake_case")
    assert shown == r"\*bold\* \`code\` \[link\](x) \<b> a\|b \_it\_ snake_case"


def test_a_code_span_is_used_only_where_it_holds():
    assert text.code("lr=0.1, n=3") == "`lr=0.1, n=3`"
    assert text.code("a`b") == r"a\`b"
    assert text.code("a|b") == r"a\|b"
    assert text.code("") == ""


@given(ANY)
def test_nothing_closes_a_fenced_block_but_its_own_fence(anything):
    block = text.fenced(anything, "sh")
    assert outside_fences(f"before\n{block}\nafter") == ["before", "after"]


def test_a_fenced_block_keeps_its_lines_and_says_what_it_cut():
    assert text.fenced("set -e\n\trun", "sh") == "```sh\nset -e\n    run\n```"
    assert "… (3000 more characters)" in text.fenced("x" * 5000)


def params_of_block(block: str):
    assert block.startswith("```json\n")
    assert block.endswith("\n```")
    return json.loads(block[len("```json\n") : -len("\n```")])


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=30),
        max_size=5,
    )
)
def test_parameters_in_a_block_are_exact_and_cannot_leave_it(params):
    block = text.json_block(params, "metrics.json")
    assert params_of_block(block) == params
    assert outside_fences(f"before\n{block}\nafter") == ["before", "after"]
    assert "\x9b" not in block
    assert "\u202e" not in block


def test_very_long_parameters_are_cut_and_the_block_says_where_they_are():
    block = text.json_block({"x": "y" * 10_000}, "metrics.json")
    assert len(block) < 6200
    assert "whole in metrics.json" in block


def test_parameters_are_listed_up_to_a_limit():
    assert text.params({"lr": 0.1, "n": 3, "on": True, "name": "adam"}) == (
        "lr=0.1, n=3, on=true, name=adam"
    )
    assert text.params({}) == "-"
    assert text.params({f"p{i}": i for i in range(100)}, 20) == "p0=0, p1=1, p2=2, … 97 more"


def test_a_thousand_long_parameters_stay_short():
    shown = text.params({f"{i}" * 100: "v" * 10_000 for i in range(1000)}, 160)
    assert len(shown) < 300


def test_a_count_takes_its_noun_in_the_right_number():
    assert [text.plural(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


def test_a_command_is_what_a_person_types():
    assert text.command("resume", exp="tune-it") == "hermes-lab resume exp=tune-it"
