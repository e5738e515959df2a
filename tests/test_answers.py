"""Prepared answers to proposals, from a file."""

from __future__ import annotations

import pytest
from labs import an_experiment, lines
from steered import GRID, answers_in, ask, waiting

from hermes.cli.answers import read_answers
from hermes.errors import RequestError


def test_answers_from_a_file_are_given_in_their_order(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    given = """
        approve
        # a remark, and an empty line

        {"decision": "edit", "params": {"x": 7}, "note": "seven"}
        {"decision": "skip", "note": "too slow"}
        "approve"
    """
    answer = ask(root, 9, answers_in(tmp_path, given))
    assert answer.code == 4
    outcomes = [(line.params["x"], line.outcome.value) for line in lines(lab)]
    assert outcomes == [(1, "success"), (7, "success"), (2, "skipped"), (3, "success")]
    listed = '["approve", {"decision": "stop"}]'
    answer = ask(root, 2, answers_in(tmp_path, listed))
    assert answer.code == 0
    assert "It stopped before n: a person stopped it." in answer.out
    assert len(lines(lab)) == 5


def test_each_answer_is_for_its_proposal_also_when_the_command_is_run_again(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    answers = answers_in(tmp_path, "approve\n")
    assert ask(root, 3, answers).code == 4
    answers = answers_in(tmp_path, "approve\nskip\napprove\n")
    assert ask(root, 3, answers).code == 0
    assert [line.outcome.value for line in lines(lab)] == ["success", "skipped", "success"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("aprove", "Did you mean 'approve'?"),
        ("approve\nedit", "answer 2: params are for edit, which needs them"),
        ('{"decision": "skip", "params": {"x": 1}}', "params are for edit"),
        ('{"decision": "skip", "notes": "a"}', "Did you mean 'note'?"),
        ('{"decision": "skip", "note": 3}', "the note is no text"),
        ('{"decision"', "answer 1: not JSON"),
        ("[1]", "answer 1: neither a word nor an object"),
        ("[", "the list: not JSON"),
    ],
)
def test_a_file_that_holds_what_is_no_answer_is_refused_before_anything_is_done(
    tmp_path, text, told
):
    path = tmp_path / "answers"
    path.write_text(text)
    with pytest.raises(RequestError) as refused:
        read_answers(path)
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 2


def test_a_file_of_answers_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "answers"
    with pytest.raises(RequestError, match="cannot be read"):
        read_answers(path)
    path.write_bytes(b"\xff")
    with pytest.raises(RequestError, match="not UTF-8"):
        read_answers(path)
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(RequestError, match="larger than 1 MiB"):
        read_answers(path)


def test_an_edit_from_a_file_that_is_no_point_leaves_the_proposal_waiting(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    answers = answers_in(tmp_path, '{"decision": "edit", "params": {"x": 99}}')
    answer = ask(root, 1, answers)
    assert answer.code == 3
    assert "answer 1: No such point: x: 99 is not a whole number from 1 to 9" in answer.err
    assert (waiting(lab).proposal.params, lines(lab)) == ({"x": 1}, ())
