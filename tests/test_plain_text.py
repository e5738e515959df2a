"""Text that can be read: where a sentence ends."""

from __future__ import annotations

import pytest
from forked import command
from labs import a_lab, an_experiment

from hermes.model import Phase
from hermes.plain_text import sentence
from hermes.steps.lifecycle import set_phase
from hermes.steps.project import project


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("it is off", "it is off."),
        ("it is off.", "it is off."),
        ("did you mean {lr}?", "did you mean {lr}?"),
        ("stop!", "stop!"),
        ("cut off…", "cut off…"),
    ],
)
def test_a_sentence_has_one_end(text, told):
    assert sentence(text) == told


@pytest.mark.parametrize("reason", ["no option 'exploratio'.", "did you mean {lr}?"])
@pytest.mark.parametrize(
    "words", ["burst exp=exp", "guided exp=exp", "show exp=exp", "run_once exp=exp", "digest"]
)
def test_a_reason_that_is_a_sentence_is_not_ended_twice(tmp_path, reason, words):
    lab = a_lab(tmp_path / "lab")
    an_experiment(lab, tmp_path)
    set_phase(lab, "exp", Phase.PAUSED, reason)
    project(lab, "exp")
    answer = command(lab.layout.root, *words.split())
    for end in ("..", "?.", ".;"):
        assert end not in (answer.out + answer.err).replace("...", "")


def test_the_last_words_of_a_run_that_failed_are_not_ended_twice(tmp_path):
    lab = a_lab(tmp_path / "lab")
    an_experiment(lab, tmp_path, executor_command="echo 'See /model.' >&2; exit 1")
    answer = command(lab.layout.root, "burst", "exp=exp", "n=1")
    assert answer.code == 1
    assert ".." not in answer.err.replace("...", "")
