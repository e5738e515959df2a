"""Finding a point that nobody has tried."""

from __future__ import annotations

import random

from hermes.search.base import Seen
from hermes.search.generated_spaces import SMALL_SIZE, small_space
from hermes.search.untried import Candidate, anywhere, propose


def test_the_first_point_neither_told_nor_in_flight_is_proposed():
    space = small_space()
    told, flying, free, other = list(space.grid())[:4]
    seen = Seen(space)
    seen.add(told)
    candidates = [Candidate(point, "why", ("RUN-1",)) for point in (told, flying, free, other)]
    proposal = propose("mine", candidates, seen, [flying])
    assert (proposal.params, proposal.strategy, proposal.note) == (free, "mine", "why")
    assert (proposal.parents, proposal.duplicates_avoided) == (("RUN-1",), 2)


def test_candidates_that_are_not_needed_are_not_made():
    def candidates():
        yield Candidate(point, "first")
        raise AssertionError

    space = small_space()
    point = next(space.grid())
    assert propose("mine", candidates(), Seen(space), []).params == point


def test_none_is_proposed_when_all_are_tried():
    space = small_space()
    seen = Seen(space)
    for point in space.grid():
        seen.add(point)
    assert propose("mine", anywhere(space, random.Random(1), "x"), seen, []) is None


def test_what_comes_from_anywhere_meets_every_point():
    space = small_space()
    points = {space.key(one.params) for one in anywhere(space, random.Random(1), "x")}
    assert len(points) == SMALL_SIZE
