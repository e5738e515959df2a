"""What is kept of a long history."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hermes.search.window import Window

LOSSES = st.lists(st.one_of(st.none(), st.integers(0, 9).map(float)), max_size=40)


@given(LOSSES, st.integers(1, 8), st.integers(0, 6))
def test_the_latest_and_the_best_are_kept_in_order(losses, latest, best):
    window: Window[str] = Window(latest=latest, best=best)
    for place, loss in enumerate(losses):
        window.add(f"item {place}", loss)
    ranked = sorted((loss, place) for place, loss in enumerate(losses) if loss is not None)
    expected = {place for _, place in ranked[:best]} | set(range(len(losses))[-latest:])
    assert [item.place for item in window.items()] == sorted(expected)
    assert [item.place for item in window.best()] == [place for _, place in ranked[:best]]
    assert window.count == len(losses)


def test_a_history_within_the_bounds_is_kept_whole():
    window: Window[int] = Window(latest=5, best=2)
    for place in range(5):
        window.add(place, None if place == 2 else 9.0 - place)
    assert [item.item for item in window.items()] == [0, 1, 2, 3, 4]
