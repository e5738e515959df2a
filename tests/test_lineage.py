"""The tree of a search: who was built upon whom, and what to go on with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.search.lineage import Branch, Lineage


def tree(*runs, exploration: float = 0.3) -> Lineage:
    """Return the tree of runs given as (id, value, id of the parent or None, begins)."""
    lineage = Lineage(exploration=exploration)
    for run_id, value, parent, begins in runs:
        above = None if parent is None else lineage[parent]
        node = lineage.add(run_id, value, parent=above, begins=begins)
        if node.branch.head == run_id:
            lineage.open(node.branch)
    return lineage


def heads(lineage: Lineage) -> list[str | None]:
    return [None if branch is None else branch.head for branch in lineage.choices()]


FAMILY = [
    ("a", 5.0, None, True),
    ("b", 3.0, "a", False),
    ("c", None, "b", False),
    ("d", 4.0, "c", False),
    ("e", 1.0, "b", True),
    ("f", 9.0, None, True),
]


# The tree


def test_depth_counts_the_runs_above_and_visits_those_below():
    lineage = tree(*FAMILY)
    assert [lineage[name].depth for name in "abcdef"] == [0, 1, 2, 3, 2, 0]
    assert [lineage[name].visits for name in "abcdef"] == [4, 3, 1, 0, 0, 0]


def test_the_best_below_is_known_above():
    lineage = tree(*FAMILY)
    assert [lineage[name].best for name in "abcdef"] == [1.0, 1.0, 4.0, 4.0, 1.0, 9.0]


def test_the_line_leads_up_to_the_first_run_and_the_success_is_the_nearest():
    lineage = tree(*FAMILY)
    assert [node.run_id for node in lineage["d"].line()] == ["d", "c", "b", "a"]
    assert [lineage[name].success.run_id for name in "dcb"] == ["d", "b", "b"]
    assert tree(("a", None, None, True))["a"].success is None


def test_a_run_is_of_its_parents_branch_unless_it_begins_one():
    lineage = tree(*FAMILY)
    assert [lineage[name].branch.head for name in "abcdef"] == list("aaaaef")
    assert lineage["a"].branch == Branch("a", tries=4, best=3.0)
    assert lineage["e"].branch == Branch("e", tries=1, best=1.0)


def test_the_first_known_parent_counts():
    lineage = tree(*FAMILY)
    assert lineage.parent(["gone", "c", "a"]).run_id == "c"
    assert lineage.parent(["gone"]) is None
    assert lineage.parent([]) is None
    assert "c" in lineage
    assert "gone" not in lineage


# Scores


def test_scores_come_from_ranks_and_the_first_ones_are_far_apart():
    lineage = tree(*[(str(n), float(n), None, True) for n in range(10)])
    scores = [lineage.score(float(n)) for n in range(10)]
    assert scores[0] == 1
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[1] > 4 * (scores[8] - scores[9])
    assert lineage.score(99.0) == 0


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=12, unique=True),
    st.sampled_from([(1e6, 0.0), (1e-6, 0.0), (1.0, 1e6), (-0.0 + 3.7, -20.0)]),
)
def test_another_scale_and_another_zero_change_no_choice(values, change):
    factor, shift = change
    plain = tree(*[(str(n), float(value), None, True) for n, value in enumerate(values)])
    scaled = tree(*[(str(n), factor * value + shift, None, True) for n, value in enumerate(values)])
    assert heads(plain) == heads(scaled)


# Choices


def test_the_best_branch_comes_first_and_another_one_is_always_a_choice():
    lineage = tree(("a", 5.0, None, True), ("b", 1.0, None, True), ("c", 3.0, None, True))
    assert [head for head in heads(lineage) if head] == ["b", "c", "a"]
    assert heads(lineage).count(None) == 1


def test_what_is_little_known_comes_first_when_exploration_weighs_much():
    runs = [("a", 1.0, None, True), ("b", 2.0, None, True)]
    runs += [(f"a{n}", 3.0 + n, "a", False) for n in range(20)]
    assert heads(tree(*runs, exploration=0.0))[0] == "a"
    assert heads(tree(*runs, exploration=5.0))[0] in ("b", None)


def test_another_branch_comes_first_when_the_others_were_tried_long_enough():
    runs = [("a", 1.0, None, True), *((f"a{n}", 2.0, "a", False) for n in range(300))]
    assert heads(tree(*runs, exploration=1.0)) == [None, "a"]
    assert heads(tree(*runs[:4], exploration=0.1)) == ["a", None]


def test_a_closed_branch_is_no_choice():
    lineage = tree(*FAMILY)
    lineage.close(lineage["e"].branch)
    assert "e" not in heads(lineage)


def test_the_worst_branch_is_closed_when_there_are_too_many():
    lineage = Lineage(exploration=0.3)
    closed = []
    for n in range(100):
        node = lineage.add(str(n), float(n % 50), parent=None, begins=True)
        closed.append(lineage.open(node.branch))
    assert len(heads(lineage)) == 33
    assert max(float(head) % 50 for head in heads(lineage) if head) == 15
    assert sum(one is not None for one in closed) == 68


@pytest.mark.parametrize("length", [2000])
def test_a_long_line_is_told_to_all_above(length):
    runs = [("0", 0.0, None, True)]
    runs += [(str(n), -float(n), str(n - 1), False) for n in range(1, length)]
    lineage = tree(*runs)
    assert (lineage["0"].visits, lineage["0"].best) == (length - 1, 1.0 - length)
    assert lineage[str(length - 1)].depth == length - 1
