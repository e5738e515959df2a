"""Prepared answers to proposals, from a file."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from labs import an_experiment, lines
from steered import GRID, answers_in, ask, status, waiting

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


def test_a_word_may_have_a_note_behind_it_as_at_the_prompt(tmp_path):
    path = tmp_path / "answers"
    path.write_text('skip too slow\napprove\n  stop  enough of it \n"skip why not"\n')
    replies = read_answers(path)
    given = [replies.ask(SimpleNamespace(decisions=number), bool) for number in range(4)]
    assert [(reply.decision.value, reply.note) for reply in given] == [
        ("skip", "too slow"),
        ("approve", ""),
        ("stop", "enough of it"),
        ("skip", "why not"),
    ]


def test_a_note_in_a_file_is_the_reason_of_the_run_that_was_passed_over(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    assert ask(root, 1, answers_in(tmp_path, "skip too slow\n")).code == 0
    assert "too slow" in lines(lab)[0].reason


def test_a_bad_answer_after_some_runs_is_told_after_what_they_brought(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    bad = '{"decision": "edit", "params": {"x": 99}}'
    answer = ask(root, 5, answers_in(tmp_path, f"approve\napprove\napprove\n{bad}\n"))
    assert answer.code == 3
    assert "exp: 3 runs, 3 succeeded.\nBest loss: 1 in " in answer.out
    assert answer.err.count("ERROR: ") == 1
    assert "answer 4: No such point: x: 99 is not" in answer.err
    assert len(lines(lab)) == 3
    assert status(root)["run_count"] == 3


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
        ("skipp too slow", "Did you mean 'skip'?"),
        ("edit x", "params are for edit, which needs them"),
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
