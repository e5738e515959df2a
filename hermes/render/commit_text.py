"""What a commit says of the accepted run that it holds, and the same as a mail that git takes.

Pure; called by the steps ``promote`` and ``export``. Limit first: the hypothesis is an agent's own
words, so no line of it may be taken for the beginning of a mail or of a patch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hermes import plain_text
from hermes.model import IndexLine
from hermes.promotions import TRAILER
from hermes.render.text import number, plural

_WIDTH = 72
_MOST_HYPOTHESIS = 4000  # characters
_TELLING = re.compile(r"diff -|Index: |---|>*From ")
_NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class Change:
    """An accepted run that brought a change, and the value that it was compared with."""

    experiment: str
    metric: str
    line: IndexLine
    before: float | None


def subject(change: Change) -> str:
    """Return the first line: the experiment, and the metric before and after."""
    values = f"{number(change.before)} → {number(change.line.value)}"
    return plain_text.one_line(f"hermes/{change.experiment}: {change.metric} {values}")


def message(change: Change) -> str:
    """Return the whole message of a commit, its trailer last."""
    return f"{subject(change)}\n\n{_body(change)}\n\n{TRAILER}: {change.line.run_id}\n"


def _body(change: Change) -> str:
    line, code = change.line, change.line.code
    assert code is not None, "only the code loop brings changes"
    numbers = (
        f"Iteration {line.iteration} of tier {line.fidelity_tier}: {change.metric} is "
        f"{_exact(line.value)}, it was {_exact(change.before)}.\n"
        f"{plural(code.added, 'line')} added, {code.removed} removed."
    )
    hypothesis = _hypothesis(code.hypothesis)
    return f"{numbers}\n\n{hypothesis}" if hypothesis else numbers


def _exact(value: float | None) -> str:
    return "not known" if value is None else repr(value)


def _hypothesis(text: str) -> str:
    lines = text[:_MOST_HYPOTHESIS].strip().splitlines()
    return "\n".join(_harmless(plain_text.readable(line).rstrip()) for line in lines)


def _harmless(line: str) -> str:
    """Return a line that no program takes for more than words."""
    return f" {line}" if _TELLING.match(line) else line


# Mail


def mail(
    change: Change, patch: bytes, *, number: int, count: int, author: tuple[str, str], date: str
) -> bytes:
    """Return a patch as the mail that ``git am`` makes the same commit of.

    ``date`` is written as mails write it.
    """
    from email.header import Header
    from email.utils import formataddr

    name, address = author
    title = Header(subject(change), "utf-8", maxlinelen=_WIDTH, header_name="Subject: [PATCH]")
    head = (
        f"From {_NO_COMMIT} Mon Sep 17 00:00:00 2001\n"
        f"From: {formataddr((name, address), 'utf-8')}\n"
        f"Date: {date}\n"
        f"Subject: [PATCH {number}/{count}] {title.encode()}\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\n"
        "Content-Transfer-Encoding: 8bit\n\n"
        f"{_body(change)}\n\n{TRAILER}: {change.line.run_id}\n---\n\n"
    )
    return head.encode("utf-8", "replace") + patch + b"-- \nhermes-lab\n\n"
