"""An agent proposes: it reads a prompt and answers with parameters; made by ``registry``.

Limits: an agent is asked at most once and ``retries`` times more for a trial, each time with what
was wrong with its answers before. Then the ``fallback`` strategy proposes, and the note says so.
An agent whose time is up, or whose account is at its limit, is not asked again for that trial,
and none is once its run is planned.
Whether a search can be repeated is up to the agent: the same history gives the same prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hermes.errors import RequestError
from hermes.exchange import Answer, Attempt, Exchange
from hermes.model import Json, Origin, Params, Proposal, Trial
from hermes.plain_text import one_line, within
from hermes.search.base import Consultant, SearchContext, Seen
from hermes.search.llm_answer import Suggestion, Unusable, read_answer
from hermes.search.llm_memory import Memory
from hermes.search.llm_options import NAME, read_options
from hermes.search.llm_prompt import Question, prompt_text, space_text, with_faults
from hermes.search.registry import make

_NOTE_BYTES = 400
_FAULT_BYTES = 150


class LlmSearch:
    """Asks the context's agent for each trial.

    Raises RequestError for options that it cannot use, and for a space that no prompt can hold.
    """

    name = NAME

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse options that cannot be used. Raises RequestError."""
        read_options(options)

    def __init__(self, context: SearchContext) -> None:
        options = read_options(context.options)
        self._context = context
        self._agent = _agent(context)
        self._send = self._agent.reach(options.command, options.timeout_minutes)
        self._tries = options.retries + 1
        self._spare = make(options.fallback, replace(context, options={}, agent=None))
        self._space = context.space
        self._space_text = space_text(context.space)
        self._seen = Seen(context.space)
        self._memory = Memory(context.space, context.direction)

    def tell(self, trial: Trial) -> None:
        """Take the run into the next prompts; its point will be refused."""
        self._seen.add(trial.params)
        self._memory.add(trial)
        self._spare.tell(trial)

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return what the agent proposes, else the fallback's; None when no point is left."""
        spare = self._spare.ask(number, pending)
        if spare is None:
            return None
        talk = _Talk(prompt_text(self._question(number, pending)))
        suggestion = self._consult(talk, self._seen.marks(pending))
        if suggestion is None:
            return _fallen_back(spare, talk)
        note = within(one_line(suggestion.why), _NOTE_BYTES) or "the agent gave no reason"
        return _proposal(suggestion.params, note, talk)

    def _consult(self, talk: _Talk, busy: frozenset[int]) -> Suggestion | None:
        """Ask until an answer is a point that can be tried; None when that takes too often."""
        for _ in range(self._tries):
            answer = self._send(talk.next_prompt())
            try:
                suggestion = self._read(answer, busy)
            except Unusable as unusable:
                talk.refuse(answer, unusable)
                if answer.timed_out or answer.resets_at:
                    break
            else:
                talk.attempts.append(Attempt(answer))
                return suggestion
        return None

    def _question(self, number: int, pending: Sequence[Params]) -> Question:
        return Question(
            number=number,
            budget=self._context.budget,
            space=self._space_text,
            direction=self._context.direction,
            goal=self._agent.goal,
            metric=self._agent.metric,
            guidance=self._agent.guidance(),
            memory=self._memory,
            pending=pending,
        )

    def _read(self, answer: Answer, busy: frozenset[int]) -> Suggestion:
        """Return what an answer proposes. Raises Unusable, also for a point that is taken."""
        if answer.problem:
            raise Unusable(answer.problem)
        suggestion = read_answer(answer.text, self._space)
        mark = self._seen.mark(suggestion.params)
        if mark in self._seen:
            raise _Taken("the point was tried already: propose another")
        if mark in busy:
            raise _Taken("the point is in flight already: propose another")
        return suggestion


class _Taken(Unusable):
    """A point that nobody needs to propose again."""


class _Talk:
    """What was said with an agent about one trial."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self.attempts: list[Attempt] = []
        self.repeats = 0

    def next_prompt(self) -> str:
        return with_faults(self.prompt, self.attempts) if self.attempts else self.prompt

    def refuse(self, answer: Answer, unusable: Unusable) -> None:
        self.attempts.append(Attempt(answer, unusable.faults))
        self.repeats += isinstance(unusable, _Taken)

    def exchange(self) -> Exchange:
        return Exchange(self.prompt, tuple(self.attempts))


def _agent(context: SearchContext) -> Consultant:
    if context.agent is None:
        raise RequestError(
            f"The strategy {NAME!r} was given no agent to ask.",
            "Use it through the lab's own commands, or give SearchContext an agent.",
        )
    return context.agent


def _proposal(params: Params, note: str, talk: _Talk) -> Proposal:
    return Proposal(
        params,
        NAME,
        Origin.STRATEGY,
        note,
        duplicates_avoided=talk.repeats,
        exchange=talk.exchange(),
    )


def _fallen_back(spare: Proposal, talk: _Talk) -> Proposal:
    """Return the fallback's proposal as one of this strategy, which says why it is another's."""
    count = len(talk.attempts)
    times = "in its answer" if count == 1 else f"in {count} answers"
    fault = within(talk.attempts[-1].faults[0], _FAULT_BYTES)
    note = f"{spare.strategy} chose it, for the agent proposed nothing usable {times}: {fault}"
    proposal = _proposal(spare.params, note, talk)
    avoided = proposal.duplicates_avoided + spare.duplicates_avoided
    return replace(proposal, parents=spare.parents, duplicates_avoided=avoided)
