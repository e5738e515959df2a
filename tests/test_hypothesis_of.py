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
    ],
)
def test_the_last_one_that_is_stated_counts_else_the_first_line(said, found):
    assert hypothesis_of(said) == found


@given(st.text())
def test_it_is_one_short_printable_line_whatever_was_said(said):
    found = hypothesis_of(said)
    assert len(found) <= MOST
    assert found.isprintable()
