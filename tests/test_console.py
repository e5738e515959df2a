"""What reaches the user."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable

import pytest
from doit.exceptions import TaskFailed

from hermes.cli import console
from hermes.errors import Busy, ExitCode


class Ascii(io.TextIOWrapper):
    """A stream that cannot write what is beyond ASCII."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii", errors="strict")

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


def test_answers_and_remarks_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("answer")
    console.notice("remark")
    console.refuse(Busy("it is held", "wait"))
    assert capsys.readouterr() == ("answer\n", "remark\nERROR: it is held\nwait\n")


def test_a_document_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    console.document({"name": "é", "phases": ("a", "b")})
    assert json.loads(capsys.readouterr().out) == {"name": "é", "phases": ["a", "b"]}


def test_a_document_that_is_not_json_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        console.document({"value": float("nan")})
    assert capsys.readouterr().out == ""


def test_a_file_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.raw('{"name": "é"}\n'.encode())
    assert capsys.readouterr().out == '{"name": "é"}\n'


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        (lambda: console.say("é 🜁 \udc80"), "\\xe9 \\U0001f701 \\udc80\n"),
        (lambda: console.document(["é 🜁"]), '[\n  "\\u00e9 \\ud83d\\udf01"\n]\n'),
        (lambda: console.raw('["é"]'.encode()), '[\n  "\\u00e9"\n]\n'),
    ],
)
def test_a_terminal_without_unicode_gets_escapes(
    show: Callable[[], None], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Ascii()
    monkeypatch.setattr(sys, "stdout", stream)
    show()
    assert stream.text() == expected


def test_a_reader_who_goes_away_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        for _ in range(3):
            console.say("x" * 100_000)


def test_a_closed_standard_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    console.say("nobody hears")


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert console.width() == 72


# Actions


def interrupt() -> None:
    raise KeyboardInterrupt


def result_of(function: Callable[[], object]) -> object:
    return console.action(function)()


@pytest.mark.parametrize("value", [None, True, {"a": 1}, "text"])
def test_an_action_hands_on_what_doit_understands(value: object) -> None:
    assert result_of(lambda: value) is value


def test_an_error_of_the_lab_becomes_its_exit_code() -> None:
    def busy() -> None:
        raise Busy("it is held", "wait")

    refused = result_of(busy)
    assert isinstance(refused, console.Refused)
    assert isinstance(refused, TaskFailed)
    assert refused.exit_code is ExitCode.BUSY
    assert str(refused.error) == "it is held\nwait"


@pytest.mark.parametrize(
    ("value", "code"), [(ExitCode.NOTHING, ExitCode.NOTHING), (False, ExitCode.FAILED)]
)
def test_an_action_may_end_with_a_code_and_no_words(value: object, code: ExitCode) -> None:
    refused = result_of(lambda: value)
    assert isinstance(refused, console.Refused)
    assert (refused.exit_code, refused.error) == (code, None)


def test_done_is_a_success() -> None:
    assert result_of(lambda: ExitCode.DONE) is True


def test_what_is_unexpected_is_left_to_doit() -> None:
    with pytest.raises(ZeroDivisionError):
        result_of(lambda: 1 / 0)
    with pytest.raises(KeyboardInterrupt):
        result_of(interrupt)


def test_an_action_is_made_once() -> None:
    once = console.action(lambda: None)
    assert console.action(once) is once
