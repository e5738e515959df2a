"""Asks the person at the terminal about each proposal; for the rule of ``guided`` alone.

Limits first. What is typed is read a line at a time, and nothing is kept of it but the answer.
The end of the input and Ctrl-C are the answer stop.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from hermes.cli import console, signals
from hermes.decisions import Decision
from hermes.errors import RequestError
from hermes.modes.guided import Question
from hermes.render.approval import best_line, proposal_lines
from hermes.render.tables import wrap
from hermes.status import approval_of
from hermes.steps.approving import Reply

_TICK_SECONDS = 1.0
_PIECE = 4096
_ASK = "[a]pprove, [e]dit JSON, [s]kip WHY, or [q] stop? "
_ASK_EDIT = "What is to change, as JSON (nothing goes back): "
_WORDS = {
    "a": Decision.APPROVE,
    "approve": Decision.APPROVE,
    "e": Decision.EDIT,
    "edit": Decision.EDIT,
    "s": Decision.SKIP,
    "skip": Decision.SKIP,
    "q": Decision.STOP,
    "quit": Decision.STOP,
    "stop": Decision.STOP,
}
_STOP = Reply(Decision.STOP)

IsOver = Callable[[], bool]


class Lines:
    """What is typed, a line at a time."""

    def __init__(self, fd: int, *, tick_seconds: float = _TICK_SECONDS) -> None:
        self._fd = fd
        self._tick_seconds = tick_seconds
        self._typed = b""
        self._has_ended = False

    def next(self, is_over: IsOver) -> str | None:
        """Wait for a line and return it, "" at the end of the input; None when ``is_over``.

        ``has_ended`` tells an empty line from the end.
        """
        while b"\n" not in self._typed and not self._has_ended:
            if not select.select([self._fd], [], [], self._tick_seconds)[0]:
                if is_over():
                    return None
                continue
            piece = os.read(self._fd, _PIECE)
            self._typed += piece
            self._has_ended = not piece
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    @property
    def has_ended(self) -> bool:
        """Say whether nothing more can be read."""
        return self._has_ended and not self._typed


class Prompt:
    """The person at the terminal, as a source of answers; ``before`` is called ere one is asked."""

    def __init__(self, lines: Lines, *, before: Callable[[], None]) -> None:
        self._lines = lines
        self._before = before
        self._shown = ""

    def ask(self, question: Question, is_over: IsOver) -> Reply | None:
        """Show the proposal and return the answer; None when it was answered elsewhere."""
        if question.waiting.id != self._shown:
            self._before()
            _show(question)
            self._shown = question.waiting.id
        try:
            with signals.finishing(in_hand=False):
                return self._answer(is_over)
        except KeyboardInterrupt as cause:
            if isinstance(cause, signals.Terminated) and not cause.is_from_keyboard:
                raise
            console.notice("")
            return _STOP

    def refuse(self, error: RequestError) -> None:
        """Say why an answer cannot be; the person gives another."""
        console.notice(error.message)

    def _answer(self, is_over: IsOver) -> Reply | None:
        while True:
            text = self._typed(_ASK, is_over)
            if not text:
                if text is None or self._lines.has_ended:
                    return None if text is None else _STOP
                continue
            word, _, rest = text.partition(" ")
            decision = _WORDS.get(word.lower())
            if decision is Decision.EDIT:
                changes = rest.strip() or self._typed(_ASK_EDIT, is_over)
                if changes is None:
                    return None
                if changes:
                    return Reply(decision, params=changes)
            elif decision is not None:
                return Reply(decision, note=rest.strip())
            else:
                console.notice(f"{word!r} is no answer: type a, e, s or q.")

    def _typed(self, asked: str, is_over: IsOver) -> str | None:
        console.prompt(asked)
        text = self._lines.next(is_over)
        if text is None:
            console.notice("\nIt was answered elsewhere, or no longer waits.")
        elif self._lines.has_ended:
            console.notice("")
        return text


def _show(question: Question) -> None:
    width = console.width()
    console.notice(f"\nProposal {question.number} of {question.runs}:")
    for line in proposal_lines(approval_of(question.waiting), width=width):
        console.notice(line)
    for line in wrap(best_line(question.metric, question.best), width):
        console.notice(line)
