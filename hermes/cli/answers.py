"""Prepared answers to proposals, from a file; for the rule of ``guided`` alone.

The file holds an answer a line, or one JSON list of them. An answer is a word (``approve``,
``skip``, ``stop``), perhaps with a note behind it as at the prompt (``skip too slow``), or a JSON
object ``{"decision": WORD, "params": {…}, "note": TEXT}``; ``params`` is for ``edit``. Empty lines
and those that begin with ``#`` are passed over.
The k-th answer is for the k-th proposal of the session, also when the command is run again.

Limits: 1 MiB. The whole file is read and checked before anything is done, but for what only the
proposal can tell: whether an edit of it is a point of the search space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hermes import codec
from hermes.decisions import ANSWERS, Decision
from hermes.errors import RequestError, UnknownName
from hermes.modes.guided import Question
from hermes.steps.approving import Reply

_LARGEST_FILE = 1024 * 1024
_KEYS = ("decision", "params", "note")
_EXAMPLE = 'Write approve, skip or stop, or {"decision": "edit", "params": {"x": 0.5}}.'


class Prepared:
    """The answers of a file, in their order."""

    def __init__(self, path: Path, replies: list[Reply]) -> None:
        self._path = path
        self._replies = replies
        self._number = 0

    def ask(self, question: Question, is_over: Callable[[], bool]) -> Reply | None:  # noqa: ARG002
        """Return the answer for this proposal; None when the file has no more."""
        if question.decisions >= len(self._replies):
            return None
        self._number = question.decisions + 1
        return self._replies[question.decisions]

    def refuse(self, error: RequestError) -> None:
        """Name the answer that cannot be; nobody is there to give another."""
        message = f"{self._path}, answer {self._number}: {error.message}"
        raise RequestError(message, error.remedy)


class Nobody:
    """Nobody who could answer: each proposal is left waiting."""

    def ask(self, question: Question, is_over: Callable[[], bool]) -> Reply | None:  # noqa: ARG002
        """Return None: the proposal is left waiting."""
        return None

    def refuse(self, error: RequestError) -> None:
        """Never called with an answer, for there was none."""
        raise error


def read_answers(path: Path) -> Prepared:
    """Read a file of answers. Raises RequestError, which names the answer that is none."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise RequestError(
            f"{path}: the answers cannot be read: {error.strerror}.", "Name a file that exists."
        ) from None
    except UnicodeDecodeError:
        raise RequestError(f"{path}: the answers are not UTF-8.", _EXAMPLE) from None
    if len(data) > _LARGEST_FILE:
        raise RequestError(f"{path}: larger than 1 MiB.", "Split it into several sessions.")
    return Prepared(path, [_reply(path, number, raw) for number, raw in _raw_answers(path, text)])


def _raw_answers(path: Path, text: str) -> Iterator[tuple[int, object]]:
    if text.lstrip().startswith("["):
        listed = _json(path, "the list", text)
        assert isinstance(listed, list), "it begins with a bracket"
        yield from enumerate(listed, 1)
        return
    lines = (line.strip() for line in text.splitlines())
    for number, line in enumerate((line for line in lines if line and line[0] != "#"), 1):
        yield number, _json(path, f"answer {number}", line) if line[0] in '{"' else line


def _json(path: Path, what: str, text: str) -> object:
    try:
        return codec.from_json(text, unique_keys=True)
    except ValueError as error:
        raise RequestError(f"{path}, {what}: not JSON: {error}.", _EXAMPLE) from None


def _reply(path: Path, number: int, raw: object) -> Reply:
    where = f"{path}, answer {number}"
    if isinstance(raw, str):
        said, _, behind = raw.strip().partition(" ")
        raw = {"decision": said, "note": behind.strip()}
    if not isinstance(raw, dict):
        raise RequestError(f"{where}: neither a word nor an object.", _EXAMPLE)
    for key in raw:
        if key not in _KEYS:
            raise UnknownName(f"key of an answer ({where})", key, _KEYS, _EXAMPLE)
    word, params, note = raw.get("decision"), raw.get("params"), raw.get("note", "")
    known = [item.value for item in ANSWERS]
    if word not in known:
        raise UnknownName(f"decision ({where})", str(word), known, _EXAMPLE)
    if (params is not None) != (word == Decision.EDIT.value):
        raise RequestError(f"{where}: params are for edit, which needs them.", _EXAMPLE)
    if not isinstance(note, str):
        raise RequestError(f"{where}: the note is no text.", _EXAMPLE)
    changes = None if params is None else codec.to_json(params).decode().strip()
    return Reply(Decision(word), changes, note)
