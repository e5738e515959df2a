from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_cases import HOSTILE
from render_reading import check_tables, tables_of, wide

from hermes.render.tables import (
    Column,
    broken_command,
    cells,
    columns,
    fit,
    pad,
    table,
    wrap,
)
from hermes.render.text import cell, clip, code, one_line

ANY = st.text(st.characters(), max_size=60)
HEADS = (
    Column("NAME", need=3, least=6),
    Column("VALUE", need=4, right=True),
    Column("NOTE", need=1, least=4, most=30),
)


def test_a_table_reads_as_markdown():
    made = table(("A", "B"), [("x", "1"), ("y", "2")], align="lr")
    assert made == "| A | B |\n| --- | --: |\n| x | 1 |\n| y | 2 |"


@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=6))
def test_a_table_keeps_its_shape_whatever_the_cells_say(rows):
    made = table(("A", "B", "C"), [(cell(a), code(b), cell(c, 5)) for a, b, c in rows])
    check_tables(made)
    assert len(tables_of(made)[0]) == len(rows) + 2


@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=6), st.integers(20, 200))
def test_columns_are_never_wider_than_asked_for(rows, width):
    shown = [tuple(clip(item, 60) for item in row) for row in rows]
    made = columns(HEADS, shown, width=width)
    lines = made.split("\n")
    assert len(lines) == len(rows) + 1
    assert all(wide(line) <= width for line in lines)


def test_columns_are_aligned_also_for_wide_characters():
    rows = [("ascii", "1", "n1"), ("漢字", "22", "n2"), ("e\u0301", "333", "n3")]
    lines = columns(HEADS, rows, width=60).split("\n")
    places = {wide(line[: line.index(mark)]) for line, mark in zip(lines[1:], "nnn", strict=True)}
    assert len({wide(line) for line in lines[1:]}) == 1
    assert len(places) == 1


def test_the_least_needed_column_goes_first_when_there_is_no_room():
    rows = [("a-long-name", "1.23457e+06", "a note of some length")]
    assert columns(HEADS, rows, width=60).split("\n")[0].split() == ["NAME", "VALUE", "NOTE"]
    assert columns(HEADS, rows, width=22).split("\n")[0].split() == ["NAME", "VALUE"]


def test_a_column_that_may_not_shrink_keeps_its_numbers_whole():
    rows = [("a-very-long-name-indeed", "1.23457e+06", "a note of some length")]
    for width in range(20, 80):
        assert "1.23457e+06" in columns(HEADS, rows, width=width)


def test_text_that_has_no_room_is_cut_and_shows_it():
    assert fit("abcdef", 4) == "abc…"
    assert fit("漢字漢字", 5) == "漢字…"
    assert fit("漢字漢字", 4) == "漢…"
    assert fit("abcd", 4) == "abcd"


def test_padding_counts_cells_and_not_characters():
    assert pad("漢", 4) == "漢  "
    assert pad("ab", 4, right=True) == "  ab"
    assert cells("👩") == 2


@given(ANY, st.integers(8, 100))
def test_wrapped_lines_fit_and_lose_nothing(anything, width):
    plain = one_line(anything)
    lines = wrap(plain, width)
    assert all(wide(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == plain.replace(" ", "")


def test_wrapping_indents_the_lines_that_follow_and_keeps_the_first_indent():
    assert wrap("  one two three four", 12, indent="    ") == ["  one two", "    three", "    four"]


def test_a_path_is_broken_after_a_slash():
    assert wrap("experiments/tune/runs/RUN-1", 24) == ["experiments/tune/runs/", "RUN-1"]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("width", [60, 100])
def test_hostile_text_is_wrapped_within_the_width(hostile, width):
    lines = wrap(clip(hostile, 500), width, indent="    ")
    assert all(wide(line) <= width for line in lines)


@pytest.mark.parametrize("width", [20, 60])
def test_a_broken_command_still_is_the_command(width):
    command = f"printf %s\\n resume exp={'a' * 64} reason=because"
    lines = broken_command(command, width)
    assert all(len(line) <= width for line in lines)
    outputs = [
        subprocess.run(["sh", "-c", text], capture_output=True, check=True).stdout
        for text in (command, "\n".join(lines))
    ]
    assert outputs[0] == outputs[1]
