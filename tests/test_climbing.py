"""One climb: what its sweeps try in turn, how steps are understood, and when it is stuck."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hermes.model import Outcome, Params, Trial
from hermes.search.base import Seen
from hermes.search.climbing import Climb
from hermes.search.courses import Base, Course, base_of
from hermes.search.generated_spaces import parsed
from hermes.search.places import Moves

PLANE = {name: {"type": "float", "low": 0, "high": 1} for name in "ab"}


def run(number: int, params: Params, value: float | None) -> Trial:
    outcome = Outcome.FAILED if value is None else Outcome.SUCCESS
    return Trial(number, params, outcome, value, "perturb", f"RUN-{number}", "default")


class Climber:
    """A climb, driven."""

    def __init__(
        self,
        raw: dict,
        start: Params,
        function: Callable[[Params], float],
        seed: int = 1,
        *,
        step: float = 0.2,
    ):
        space = parsed(raw)
        self.moves, self.seen, self.function = Moves(space), Seen(space), function
        self.seen.add(start)
        first = base_of(self.moves, run(0, start, function(start)), function(start), None)
        self.climb = Climb(
            self.moves,
            first,
            is_tried=lambda params: self.seen.mark(params) in self.seen,
            step=step,
            seed=seed,
            number=0,
        )
        self.tried: list[Params] = []

    def step(self) -> Params | None:
        """Make the step that the climb wants next; return its point."""
        candidate = next(self.climb.steps(), None)
        if candidate is None:
            return None
        number = len(self.tried) + 1
        self.tried.append(candidate.params)
        self.seen.add(candidate.params)
        value = self.function(candidate.params)
        self.climb.tell(run(number, candidate.params, value), value, parent=candidate.parents[0])
        return candidate.params

    def until_stuck(self, most: int = 500) -> int:
        while not self.climb.is_stuck and len(self.tried) < most:
            self.step()
        return len(self.tried)


def test_each_number_has_its_line_in_a_sweep():
    climber = Climber(PLANE, {"a": 0.5, "b": 0.5}, lambda p: 1.0)
    points = [climber.step() for _ in range(4)]
    moved = [{name for name in "ab" if point[name] != 0.5} for point in points]
    assert moved[0] == moved[1] != moved[2] == moved[3]
    assert {round(point["a"], 9) for point in points} == {0.3, 0.5, 0.7}


def test_after_the_lines_it_goes_on_the_way_that_it_has_come():
    climber = Climber(PLANE, {"a": 0.1, "b": 0.1}, lambda p: (p["a"] - p["b"]) ** 2 - p["a"] / 9)
    notes = []
    while not climber.climb.is_stuck:
        notes.append(next(climber.climb.steps()).note)
        climber.step()
    assert "goes on the way that its best point has come" in notes
    assert climber.climb.base.value < -0.09


def test_it_finds_the_best_of_a_valley_and_is_stuck_there():
    climber = Climber(PLANE, {"a": 0.9, "b": 0.1}, lambda p: (p["a"] - 0.3) ** 2 + p["b"] ** 2)
    assert climber.until_stuck() < 60
    assert climber.climb.base.params == pytest.approx({"a": 0.3, "b": 0.0}, abs=0.01)


def test_it_goes_on_to_a_thousandth_of_a_range():
    """Along a crease, where no parabola tells the way, precision is what the steps still are."""
    crease = Climber(
        PLANE, {"a": 0.9, "b": 0.1}, lambda p: abs(p["a"] - 0.3437) + abs(p["b"] - 0.7291)
    )
    crease.until_stuck()
    assert crease.climb.base.value < 0.002


def test_before_it_is_stuck_it_leaps():
    """The better place is behind a wall that no small step crosses."""

    def walled(point: Params) -> float:
        return abs(point["a"] - 0.1) + (0.0 if point["a"] > 0.8 else 1.0) + point["b"]

    found = 0
    for seed in range(20):
        climber = Climber(PLANE, {"a": 0.1, "b": 0.5}, walled, seed)
        climber.until_stuck()
        found += climber.climb.base.value < 0.9
    assert found >= 3


def test_an_exhausted_neighbourhood_makes_it_stuck():
    raw = {"n": {"type": "int", "low": 1, "high": 3}, "kind": {"type": "bool"}}
    climber = Climber(raw, {"n": 2, "kind": False}, lambda p: abs(p["n"] - 2) + p["kind"])
    assert climber.until_stuck() <= 5


@pytest.mark.parametrize("seed", range(6))
def test_a_line_begins_on_the_side_that_led_on_before(seed):
    climber = Climber({"a": PLANE["a"]}, {"a": 0.1}, lambda p: -p["a"], seed, step=0.02)
    points = []
    while climber.climb.base.params["a"] < 0.8:
        points.append(climber.step()["a"])
    assert len(points) > 5  # more than one line
    assert points[1:] == sorted(points[1:])


def test_a_choice_takes_turns_though_the_base_moves():
    raw = {"kind": {"type": "categorical", "choices": list("wxyz")}, "a": PLANE["a"]}

    def function(point: Params) -> float:
        return 10 * (point["kind"] != "w") + (point["a"] - 0.62) ** 4

    climber = Climber(raw, {"kind": "w", "a": 0.1}, function)
    kinds = [climber.step()["kind"] for _ in range(20)]
    assert {kind for kind in kinds if kind != "w"} == set("xyz")


def test_a_choice_is_tried_once_a_sweep_and_another_one_in_the_next():
    raw = {"kind": {"type": "categorical", "choices": list("wxyz")}, "a": PLANE["a"]}
    climber = Climber(raw, {"kind": "w", "a": 0.5}, lambda p: 1.0)
    kinds = [climber.step()["kind"] for _ in range(9)]
    assert set(kinds) == set("wxyz")
    assert kinds.count("w") == 6


def test_a_step_that_was_made_from_an_earlier_base_still_counts():
    """Two are in flight from one base; both lead down, and the second result is not forgotten."""
    climber = Climber(PLANE, {"a": 0.5, "b": 0.5}, lambda p: p["a"] + p["b"])
    climb = climber.climb
    parent = climb.base.run_id
    climb.tell(run(1, {"a": 0.3, "b": 0.5}, 0.8), 0.8, parent=parent)
    climb.tell(run(2, {"a": 0.5, "b": 0.3}, 0.8), 0.8, parent=parent)
    assert climb.base.params == {"a": 0.3, "b": 0.5}
    wanted = [dict(candidate.params) for candidate in climb.steps()]
    assert any(point["b"] == pytest.approx(0.1) and point["a"] == 0.3 for point in wanted)


def test_a_step_from_a_base_that_is_forgotten_means_nothing():
    climber = Climber(PLANE, {"a": 0.5, "b": 0.5}, lambda p: p["a"] + p["b"])
    before = [candidate.params for candidate in climber.climb.steps()]
    climber.climb.tell(run(9, {"a": 0.1, "b": 0.1}, 0.2), 0.2, parent="OLDER")
    assert [candidate.params for candidate in climber.climb.steps()] == before


def test_points_beside_the_base_are_drawn_for_who_waits():
    climber = Climber(PLANE, {"a": 0.5, "b": 0.5}, lambda p: 1.0)
    points = [candidate.params for candidate in climber.climb.nearby(random.Random(1))]
    assert len({str(point) for point in points}) == len(points) == 32
    assert all(climber.moves.point(point) is not None for point in points)


# Courses


def base(value: float, **places: float) -> Base:
    return Base(value, "RUN", places, places)


def test_a_course_ends_where_the_space_does():
    course = Course(base(1.0, a=0.5, b=0.9), {"a": 0.2, "b": 0.2})
    assert course.wanted(base(1.0, a=0.5, b=0.9)) == pytest.approx({"a": 0.6, "b": 1.0})


def test_a_course_measures_each_step_against_the_base_it_was_made_from():
    start, moved = base(5.0, a=0.5, b=0.5), base(3.0, a=0.5, b=0.2)
    course = Course(start, {"a": 0.2})
    course.tell(moved, {"a": 0.7}, 4.0)  # worse than where it was made from, by 1
    course.tell(start, {"a": 0.3}, 4.5)  # better, by a half
    assert course.wanted(moved) == pytest.approx({"a": 0.2})  # the vertex of -0.5, 0 and 1


def test_a_course_tries_its_best_place_from_where_the_base_is_at_last():
    start, moved = base(5.0, a=0.5, b=0.5), base(3.0, a=0.5, b=0.2)
    course = Course(start, {"a": 0.2})
    for place, value in [(0.7, 4.0), (0.9, None)]:
        course.tell(start, {"a": place}, value)
    assert course.wanted(moved) == pytest.approx({"a": 0.7})
    course.tell(moved, {"a": 0.7}, 3.5)
    assert course.wanted(moved) is None


def test_a_course_says_what_goes_along_it():
    start = base(5.0, a=0.5, b=0.5)
    course = Course(start, {"a": 0.1, "b": 0.2})
    assert course.meets(start, {"a": 0.6, "b": 0.7})
    assert course.meets(start, {"a": 0.61, "b": 0.69})
    assert not course.meets(start, {"a": 0.7, "b": 0.4})
    assert not course.meets(start, {"a": 0.6})
