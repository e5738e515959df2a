"""What is said with an agent, as records: pure data, below ``model`` and open to every floor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spending:
    """What agents took: calls, tokens, US dollars and seconds; 0 for what they did not tell."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        """Return what both took together."""
        return Spending(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.seconds + other.seconds,
        )


NOTHING_SPENT = Spending()


@dataclass(frozen=True)
class Answer:
    """What an agent said to a prompt; ``problem`` says why that cannot count, if it cannot.

    ``left_out`` counts the bytes that it printed before ``text`` and that nobody read.
    ``resets_at`` (ISO 8601, UTC) is there when the agent's account has reached a limit, and says
    when that ends. ``agent`` is the provider, with the version of its tool where it tells one;
    ``turns`` counts the steps that the agent took, 0 for what it did not tell.
    """

    text: str
    problem: str = ""
    timed_out: bool = False
    left_out: int = 0
    wall_seconds: float = 0.0
    spending: Spending = NOTHING_SPENT
    resets_at: str | None = None
    agent: str = ""
    turns: int = 0


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

    @property
    def spending(self) -> Spending:
        """What all its calls took together."""
        return sum((attempt.answer.spending for attempt in self.attempts), NOTHING_SPENT)
