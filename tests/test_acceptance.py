from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hermes.improvement import improves
from hermes.model import Direction
from hermes.spec import Acceptance

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


@given(finite, st.sampled_from(list(Direction)))
def test_anything_beats_nothing_and_nothing_beats_itself(value, direction):
    assert improves(value, None, direction, Acceptance())
    assert not improves(value, value, direction, Acceptance())


@given(finite, finite)
def test_the_direction_decides(value, incumbent):
    assert improves(value, incumbent, Direction.MINIMIZE, Acceptance()) == (value < incumbent)
    assert improves(value, incumbent, Direction.MAXIMIZE, Acceptance()) == (value > incumbent)


def test_a_win_must_reach_the_least_improvement():
    rule = Acceptance(min_improvement=0.5)
    assert not improves(9.6, 10.0, Direction.MINIMIZE, rule)
    assert improves(9.5, 10.0, Direction.MINIMIZE, rule)


def test_a_relative_improvement_is_a_share_of_the_incumbents_size():
    rule = Acceptance(min_improvement=0.1, relative=True)
    assert not improves(-10.5, -10.0, Direction.MINIMIZE, rule)
    assert improves(-11.0, -10.0, Direction.MINIMIZE, rule)
