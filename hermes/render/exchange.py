"""What was said with an agent, as the last section of plan.md; called by ``run_text``. Pure.

Limits first: of all answers together about ``MOST_ANSWERED`` characters are kept, each its first
quarter and its end, and what is cut is said. What cannot be read is shown as ``\ufffd``.
"""

from __future__ import annotations

from collections.abc import Iterator

from hermes.exchange import Attempt, Exchange
from hermes.render.text import CUT, duration, fenced, plural

MOST_ANSWERED = 32 * 1024


def exchange_section(exchange: Exchange) -> str:
    """Return the section: the first prompt whole, then each answer and what was wrong with it."""
    return "\n" + "\n\n".join(_parts(exchange)) + "\n"


def _parts(exchange: Exchange) -> Iterator[str]:
    yield "## The exchange"
    yield (
        f"An agent was asked, and gave {plural(len(exchange.attempts), 'answer')}.\n"
        "Each prompt after the first was the same, followed by what was wrong with the answers."
    )
    yield "### The prompt"
    yield _whole(exchange.prompt)
    for number, attempt in enumerate(exchange.attempts, 1):
        yield from _attempt(number, attempt, MOST_ANSWERED // len(exchange.attempts))


def _attempt(number: int, attempt: Attempt, limit: int) -> Iterator[str]:
    answer = attempt.answer
    yield f"### Answer {number}, after {duration(answer.wall_seconds)}"
    if answer.left_out:
        yield f"{plural(answer.left_out, 'byte')} that it printed before were not read."
    yield _whole(_shortened(answer.text, limit)) if answer.text else "It printed nothing."
    if attempt.faults:
        yield "It could not be used:"
        yield _whole("\n".join(attempt.faults))


def _shortened(text: str, limit: int) -> str:
    """Return the first quarter and the end of a long text: what counts stands at the end."""
    text = text.expandtabs(4)
    if len(text) <= limit:
        return text
    head = limit // 4
    cut = len(text) - limit
    return f"{text[:head]}\n{CUT} ({cut} characters are left out here)\n{text[head + cut :]}"


def _whole(text: str) -> str:
    return fenced(text, "text", limit=len(text))
