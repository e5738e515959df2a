"""A person at a terminal answers each proposal at a prompt."""

from __future__ import annotations

import os
import signal

import pytest
from forked import done
from labs import an_experiment, lines
from steered import GRID, approve, ask, status, tried, waiting
from terminals import Terminal

from hermes.cli.prompt import Lines

PROMPT = "or [q] stop? "


@pytest.fixture
def at_terminal(lab, root, tmp_path):
    an_experiment(lab, tmp_path, strategy="grid", search_space=GRID)
    opened_terminals = []

    def begin(n):
        opened_terminals.append(Terminal(root, "guided", "exp=exp", f"n={n}"))
        return opened_terminals[-1]

    yield begin
    for one in opened_terminals:
        one.close()


def test_a_person_at_a_terminal_answers_each_proposal_at_a_prompt(lab, root, at_terminal):
    terminal = at_terminal(4)
    shown = terminal.see(PROMPT)
    assert "Proposal 1 of 4" in shown
    assert "by grid" in shown
    assert "combination 1 of 9" in shown
    assert "Best loss so far: none yet" in shown
    terminal.type("what\n")
    assert "'what' is no answer" in terminal.see(PROMPT)
    terminal.type("a\n")
    assert "Best loss so far: 1 in RUN-" in terminal.see(PROMPT)
    terminal.type('e {"x": 99}\n')
    assert "x: 99 is not a whole number from 1 to 9" in terminal.see(PROMPT)
    terminal.type("edit\n")
    terminal.see("nothing goes back): ")
    terminal.type("\n")
    terminal.see(PROMPT)
    terminal.type("e\n")
    terminal.see("nothing goes back): ")
    terminal.type('{"x": 7}\n')
    terminal.see(PROMPT)
    terminal.type("s too slow\n")
    terminal.see("skipped: a person passed it over: too slow")
    terminal.see(PROMPT)
    terminal.type("q\n")
    code, rest = terminal.end()
    assert code == 0
    assert "It stopped before n: a person stopped it." in rest
    found = [(line.params["x"], line.origin.value, line.outcome.value) for line in lines(lab)]
    assert found == [
        (1, "strategy", "success"),
        (7, "human", "success"),
        (2, "strategy", "skipped"),
    ]
    assert status(root)["phase"] == "active"


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 130)])
def test_the_end_of_the_input_and_ctrl_c_are_a_stop_and_nothing_is_lost(
    lab, root, at_terminal, key, code
):
    terminal = at_terminal(3)
    terminal.see(PROMPT)
    terminal.type("a\n")
    terminal.see(PROMPT)
    proposed = waiting(lab).proposal
    terminal.type(key)
    assert terminal.end()[0] == code
    assert tried(lab) == [1]
    assert waiting(lab) is None
    assert lab.leases.read("exp").held is False
    assert status(root)["phase"] == "active"
    assert ask(root, 3).code == 4
    assert waiting(lab).proposal == proposed


def test_a_terminal_that_goes_away_leaves_the_proposal_waiting(lab, root, at_terminal):
    terminal = at_terminal(2)
    terminal.see(PROMPT)
    name = waiting(lab).id
    os.kill(terminal.pid, signal.SIGHUP)
    assert terminal.end()[0] == 129
    assert waiting(lab).id == name
    approve(lab, root, "approve")
    assert ask(root, 2).code == 4
    assert tried(lab) == [1]


def test_an_answer_from_another_process_ends_the_prompt(lab, root, at_terminal):
    terminal = at_terminal(2)
    terminal.see(PROMPT)
    answer = approve(lab, root, "edit", 'params={"x": 5}')
    assert "takes it up" in answer.out
    terminal.see("It was answered elsewhere")
    terminal.see(PROMPT)
    assert tried(lab) == [5]
    terminal.type("a\n")
    assert terminal.end()[0] == 0
    assert tried(lab) == [5, 1]


def test_who_waits_at_a_prompt_keeps_the_lease(lab, root, at_terminal, tmp_path):
    terminal = at_terminal(1)
    terminal.see(PROMPT)
    assert lab.leases.acquire("exp") is None
    assert done(root, "run_once").out == ""
    terminal.type("a\n")
    assert terminal.end()[0] == 0


def test_lines_are_read_one_by_one_however_they_arrive():
    reading, writing = os.pipe()
    lines_ = Lines(reading, tick_seconds=0.01)
    os.write(writing, b"first\nsecond\nthi")
    assert [lines_.next(lambda: False), lines_.next(lambda: False)] == ["first", "second"]
    assert lines_.next(lambda: True) is None  # half a line is none yet
    os.write(writing, b"rd")
    os.close(writing)
    assert (lines_.next(lambda: False), lines_.has_ended) == ("third", True)
    assert (lines_.next(lambda: False), lines_.has_ended) == ("", True)
    os.close(reading)
