"""What is said with an agent, as records: pure data, below ``model`` and open to every floor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What an agent said to a prompt; ``problem`` says why that cannot count, if it cannot.

    ``left_out`` counts the bytes that it printed before ``text`` and that nobody read.
    """

    text: str
    problem: str = ""
    timed_out: bool = False
    left_out: int = 0
    wall_seconds: float = 0.0


@dataclass(frozen=True)
class Attempt:
    """An answer, and what was wrong with it: told to the agent with the next prompt."""

    answer: Answer
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exchange:
    """What was said with an agent: the first prompt, and each answer to it."""

    prompt: str
    attempts: tuple[Attempt, ...]
