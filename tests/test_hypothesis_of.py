"""Holds ``hermes.hypothesis``: one sentence out of what the maker of a candidate said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.hypothesis import MOST, hypothesis_of


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        ("\n\n", ""),
        ("## A plan\nmore", "A plan"),
        ("HYPOTHESIS: first\nHYPOTHESIS: caching   helps \nbye", "caching helps"),
        ("text\n**Hypothesis:** loops are slow", "loops are slow"),
        ("HYPOTHESIS:\nnext line", "next line"),
        ("HYPOTHESIS: said\nHYPOTHESIS:\n", "said"),
        ("> - `HYPOTHESIS: fewer *copies*`", "fewer *copies"),
        ("The HYPOTHESIS: is in the middle", "The HYPOTHESIS: is in the middle"),
        ("\n\n  I made it faster.\nBye", "I made it faster."),
    ],
)
def test_the_last_one_that_is_stated_counts_else_the_first_line(said, found):
    assert hypothesis_of(said) == found


def test_a_long_one_is_cut_and_shows_it():
    assert len(hypothesis_of("HYPOTHESIS: " + "x" * MOST)) == MOST
    assert hypothesis_of("HYPOTHESIS: " + "x" * (MOST + 1)) == "x" * (MOST - 1) + "…"


@pytest.mark.parametrize("flood", ["\n", " \n", "> ", "HYPOTHESIS:\n", "*HYPOTHESIS "])
def test_a_flood_says_nothing_and_is_read_at_once(flood):
    found = hypothesis_of(flood * (64 * 1024))
    assert len(found) <= MOST


@given(st.text() | st.text(alphabet="HYPOTHESIS: *`\n>x"))
def test_it_is_one_short_printable_line_whatever_was_said(said):
    found = hypothesis_of(said)
    assert len(found) <= MOST
    assert found.isprintable()
