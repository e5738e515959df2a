"""The search along a line: where it looks next, and where it ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.search.lines import Line


def walk(function, *, lowest=-10.0, highest=10.0):
    """Search a line to its end; return it and the places that were tried."""
    line, places = Line(function(0.0) or 0.0, lowest, highest), []
    while line.wanted is not None:
        places.append(line.wanted)
        line.tell(line.wanted, function(line.wanted))
    return line, places


def test_the_first_place_is_one_step_away_and_the_other_side_is_next():
    line, places = walk(abs)
    assert places == [1.0, -1.0]
    assert line.best == 0.0


def test_what_pays_is_gone_on_with_in_longer_steps():
    _, places = walk(lambda place: -place, highest=100.0)
    assert places[:3] == [1.0, 2.0, 4.0]
    assert places == sorted(places)


def test_a_parabola_is_solved_by_its_vertex():
    line, places = walk(lambda place: (place - 0.4) ** 2)
    assert places[:2] == [1.0, -1.0]
    assert line.best == pytest.approx(0.4, abs=1 / 64)
    assert len(places) == 3


def test_the_other_side_may_be_the_better_one():
    line, _ = walk(lambda place: (place + 3) ** 2)
    assert line.best == pytest.approx(-3, abs=0.1)


def test_the_place_stays_within_the_bounds():
    line, places = walk(lambda place: -place, highest=1.5)
    assert max(places) == line.best == 1.5
    _, places = walk(lambda place: -place, lowest=-2.0, highest=0.0)
    assert places == [-1.0]


def test_a_failure_bounds_the_line_and_is_no_number():
    line, places = walk(lambda place: None if place > 0 else (place + 0.5) ** 2)
    assert places[:2] == [1.0, -1.0]
    assert all(place <= 0 for place in places[1:])
    line, places = walk(lambda place: None if place > 1.5 else -place)
    assert (line.best, places) == (1.0, [1.0, 2.0])


def test_a_line_where_everything_fails_is_given_up():
    _, places = walk(lambda place: None)
    assert places == [1.0, -1.0]


def test_equal_values_lead_nowhere():
    line, places = walk(lambda place: 5.0)
    assert (line.best, len(places)) == (0.0, 2)


def test_another_scale_and_another_zero_lead_to_the_same_places():
    def value(place):
        return math.sin(place) + (place - 1.7) ** 2

    _, places = walk(value)
    for factor, shift in [(1e6, 0.0), (1e-6, 0.0), (1.0, 1000.0), (3.7, -20.0)]:
        assert walk(lambda p, f=factor, s=shift: f * value(p) + s)[1] == places


@given(st.data())
def test_it_ends_soon_whatever_it_is_told(data):
    values = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
    line, tried = Line(data.draw(values) or 0.0, -3.0, 4.0), [0.0]
    while line.wanted is not None:
        assert -3 <= line.wanted <= 4
        assert line.wanted not in tried
        tried.append(line.wanted)
        line.tell(line.wanted, data.draw(values))
        assert len(tried) <= 7
    assert line.best in tried
