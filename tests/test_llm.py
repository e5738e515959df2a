"""The strategy ``llm``: what it asks, which answers it takes, and what it does with the others."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from render_reading import outside_fences

from hermes.errors import RequestError
from hermes.exchange import Answer, Attempt, Exchange
from hermes.model import Direction, Outcome, Proposal
from hermes.render.exchange import MOST_ANSWERED, exchange_section
from hermes.search.base import Consultant, Guidance, SearchContext, Strategy
from hermes.search.contract import StrategyContract, result, trial
from hermes.search.generated_spaces import declarations, parsed, small_space
from hermes.search.llm import LlmSearch
from hermes.search.llm_answer import FAULT_BYTES, MOST_FAULTS, Unusable, read_answer
from hermes.search.llm_memory import MOST_KEPT
from hermes.search.llm_options import MOST_RETRIES, read_options
from hermes.search.llm_prompt import MOST_BYTES, SPACE_BYTES
from hermes.search.space import Space

COMMAND = {"command": "agent"}
LINE = {"x": {"type": "float", "low": 0, "high": 10}}
PLANE = {**LINE, "n": {"type": "int", "low": 1, "high": 9}}


def number_of(prompt: str) -> int:
    return int(re.search(r"^# Propose the parameters of trial (\d+)", prompt)[1])


def space_of(prompt: str) -> Space:
    """Read the space as an agent finds it in its prompt."""
    block = prompt.partition("## The search space\n\n")[2].partition("\n}\n")[0]
    return parsed(json.loads(block + "\n}"))


def drawing(prompt: str) -> Answer:
    """Answer with a point drawn from the space that the prompt shows: a function of it alone."""
    rng = random.Random(f"{number_of(prompt)}:{prompt.count('- answer ')}")
    return Answer(json.dumps({"params": space_of(prompt).sample(rng), "hypothesis": "a guess"}))


def consultant(send: Callable[[str], Answer], **more: object) -> Consultant:
    return Consultant(lambda command, minutes: send, **more)


class TestLlm(StrategyContract):
    examples = 10

    def make(self, context: SearchContext) -> Strategy:
        return LlmSearch(replace(context, options=COMMAND, agent=consultant(drawing)))


class Script:
    """An agent that gives prepared answers, the last for ever, and remembers its prompts."""

    def __init__(self, *answers: str | Answer) -> None:
        self.answers = [item if isinstance(item, Answer) else Answer(item) for item in answers]
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> Answer:
        self.prompts.append(prompt)
        return self.answers[min(len(self.prompts), len(self.answers)) - 1]


def searching(
    send: Callable[[str], Answer], *, space: dict | None = None, options: dict | None = None, **more
) -> LlmSearch:
    told = {name: more.pop(name) for name in ("goal", "metric", "guidance") if name in more}
    return LlmSearch(
        SearchContext(
            parsed(space or LINE),
            more.pop("direction", Direction.MINIMIZE),
            options={**COMMAND, **(options or {})},
            agent=consultant(send, **told),
            **more,
        )
    )


def asked(strategy: LlmSearch, number: int = 1, pending: tuple = ()) -> Proposal:
    proposal = strategy.ask(number, pending)
    assert proposal is not None
    return proposal


def point(x: float, **more: object) -> str:
    return json.dumps({"params": {"x": x}, **more})


# Answers


def taken(text: str, raw: dict = PLANE) -> dict:
    return dict(read_answer(text, parsed(raw)).params)


def faults(text: str, raw: dict = PLANE) -> tuple[str, ...]:
    with pytest.raises(Unusable) as caught:
        read_answer(text, parsed(raw))
    return caught.value.faults


GOOD = '{"params": {"x": 1.5, "n": 3}}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n\n  {GOOD}\n",
        f"Let me think about {{x}} and {{'n': 3}}.\n```json\n{GOOD}\n```\nDoes that help?",
        f'{{"params": {{"x": 9, "n": 9}}}} no, rather {GOOD}',
        f'{{"note": "not {{"}} {GOOD} {{"confidence": 0.9}}',
        f'{{"answer": {GOOD}}}',
        '{"params": {"x": 1.5, "n": 3, "m": null}, "extra": [1], "previous": {"params": {"x": 2}}}',
        '{"n": 1, {"params": ' + GOOD,
        "{" * 500 + GOOD,
    ],
)
def test_the_last_object_with_params_counts_whatever_stands_around_it(text):
    raw = {**PLANE, "m": {"type": "bool", "when": {"n": 1}}}
    assert taken(text, raw) == {"x": 1.5, "n": 3}


def test_a_value_is_spelled_as_the_space_spells_it():
    grid = {"x": {"type": "float", "low": 0, "high": 1, "step": 0.1}}
    assert taken('{"params": {"x": 0.30000000000000004}}', grid) == {"x": 0.3}
    assert type(taken('{"params": {"x": 1}}', grid)["x"]) is float


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the answer is empty"),
        (" \n\t", "the answer is empty"),
        ("I would try x = 3.", "no JSON object with `params`"),
        ('{"x": 1, "n": 2}', "no JSON object with `params`"),
        ('{"params": {"x": 1, "n": 2}', "no JSON object with `params`"),
        ("{'params': {'x': 1}}", "no JSON object with `params`"),
        ('["params"]', "no JSON object with `params`"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "no JSON object with `params`"),
        ('{"params": {"x": NaN, "n": 1}}', "not strict JSON: NaN is not JSON"),
        ('{"params": {"x": -Infinity, "n": 1}}', "not strict JSON: -Infinity is not JSON"),
        ('{"params": {"x": 1e999, "n": 1}}', "not strict JSON: 1e999 is too large a number"),
        ('{"params": {"x": 1, "x": 2, "n": 1}}', 'the key "x" stands there twice'),
        ('{"params": {"x": 1}, "params": {"x": 1, "n": 2}}', 'the key "params" stands there twice'),
        (f'{GOOD} {{"params": {{"x": NaN}}}}', "not strict JSON: NaN"),
        ('{"params": [1, 2]}', "`params` is not an object"),
        ('{"params": null}', "`params` is not an object"),
        ('{"params": {"x": 1, "n": 2}, "hypothesis": ["a"]}', "`hypothesis` is not a text"),
        ('{"params": {"x": 1, "n": 2}, "reasoning": 3}', "`reasoning` is not a text"),
        ('{"params": {"x": 11, "n": 2}}', "x: 11 is not a number from 0.0 to 10.0"),
        ('{"params": {"x": "1", "n": 2}}', "x: '1' is not a number from 0.0 to 10.0"),
        ('{"params": {"x": 1, "n": 2.0}}', "n: 2.0 is not a whole number from 1 to 9"),
        ('{"params": {"x": 1, "n": true}}', "n: True is not a whole number"),
        ('{"params": {"x": 1, "n": {"value": 2}}}', "n: {'value': 2} is not a whole number"),
        ('{"params": {"x": 1}}', "n: is missing; it is a whole number from 1 to 9"),
        ('{"params": {"x": 1, "n": 2, "nn": 3}}', "nn: no such parameter; did you mean 'n'?"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_exactly(text, fault):
    assert any(fault in told for told in faults(text)), faults(text)


def test_all_faults_of_a_point_are_told_at_once():
    assert len(faults('{"params": {"x": 11, "n": 0, "y": 1}}')) == 3


def test_faults_are_few_and_short_however_long_the_answer_is():
    many = json.dumps({"params": {f"p{n}": "v" * 1000 for n in range(3000)}})
    long = json.dumps({"params": {"x": "v\n\0" * 9000, "n": "w" * 9000, "\ud800" * 900: 1}})
    for text in (many, long):
        told = faults(text)
        assert len(told) <= MOST_FAULTS
        for fault in told:
            assert len(fault.encode()) <= FAULT_BYTES
            assert fault.isprintable()
    large = {f"p{n}": LINE["x"] for n in range(200)}
    assert faults('{"params": {}}', large)[-1] == f"and {200 - MOST_FAULTS + 1} more faults"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='{}[]":,paramsx1 \\\n', max_size=300))
def test_any_answer_is_a_point_or_unusable(text):
    try:
        suggestion = read_answer(text + GOOD[: len(text) % 31], parsed(PLANE))
    except Unusable as unusable:
        assert unusable.faults  # noqa: PT017  either is fine, and neither may be empty
    else:
        assert parsed(PLANE).contains(suggestion.params) == []


@settings(max_examples=30, deadline=None)
@given(declarations(), st.integers())
def test_every_point_of_a_space_is_taken_as_it_is(raw, seed):
    space = parsed(raw)
    drawn = space.sample(random.Random(seed))
    assert read_answer(json.dumps({"params": drawn}), space).params == drawn


# The exchange


def test_a_good_answer_is_the_proposal_and_its_hypothesis_the_note():
    agent = Script(point(2.5, hypothesis="the  middle\nis flat", reasoning="long"))
    proposal = asked(searching(agent))
    assert (proposal.params, proposal.strategy) == ({"x": 2.5}, "llm")
    assert proposal.note == "the middle is flat"
    assert proposal.exchange == Exchange(agent.prompts[0], (Attempt(agent.answers[0]),))
    assert proposal.duplicates_avoided == 0


def test_without_a_hypothesis_the_reasoning_is_the_note_and_it_is_short():
    note = asked(searching(Script(point(1, reasoning="why " * 500)))).note
    assert note.startswith("why why")
    assert len(note.encode()) <= 400
    assert asked(searching(Script(point(1, hypothesis=None)))).note == "the agent gave no reason"


def test_the_agent_is_told_its_faults_and_may_mend_them():
    agent = Script(point(11), "what?", point(3))
    proposal = asked(searching(agent))
    assert proposal.params == {"x": 3.0}
    first, second, third = agent.prompts
    assert second == (
        f"{first}\n## What was wrong with your answers to this prompt\n\n"
        "Answer anew, with this mended; the latest answer's faults come first.\n\n"
        "- answer 1: x: 11 is not a number from 0.0 to 10.0\n"
    )
    assert third.index("- answer 2: the answer has no JSON object") < third.index("- answer 1: x")
    kept = proposal.exchange.attempts
    assert [attempt.answer.text for attempt in kept] == [point(11), "what?", point(3)]
    assert [len(attempt.faults) for attempt in kept] == [1, 1, 0]


def test_a_point_that_was_tried_or_is_in_flight_is_refused_and_counted():
    agent = Script(point(1), point(2.0), point(3))
    strategy = searching(agent)
    strategy.tell(trial(1, {"x": 1.0}, outcome=Outcome.INTERRUPTED))
    proposal = asked(strategy, 3, ({"x": 2},))
    assert proposal.params == {"x": 3.0}
    assert proposal.duplicates_avoided == 2
    told = [attempt.faults for attempt in proposal.exchange.attempts]
    assert told == [
        ("the point was tried already: propose another",),
        ("the point is in flight already: propose another",),
        (),
    ]


@pytest.mark.parametrize(("retries", "asks"), [(0, 1), (2, 3), (MOST_RETRIES, 1 + MOST_RETRIES)])
def test_after_the_last_retry_the_fallback_proposes_and_the_note_says_so(retries, asks):
    agent = Script("no idea")
    proposal = asked(searching(agent, options={"retries": retries}))
    assert len(agent.prompts) == len(proposal.exchange.attempts) == asks
    assert proposal.strategy == "llm"
    times = "in its answer" if asks == 1 else f"in {asks} answers"
    assert proposal.note.startswith(
        f"random chose it, for the agent proposed nothing usable {times}: "
        "the answer has no JSON object with `params`"
    )


def test_the_fallback_is_the_named_strategy_and_learns_too():
    choices = {"x": {"type": "categorical", "choices": ["a", "b", "c"]}}
    strategy = searching(Script(""), space=choices, options={"fallback": "grid"})
    assert asked(strategy).params == {"x": "a"}
    strategy.tell(trial(1, {"x": "a"}, value=1.0))
    proposal = asked(strategy, 2, ({"x": "b"},))
    assert proposal.params == {"x": "c"}
    assert proposal.note.startswith("grid chose it, ")


def test_an_agent_whose_time_is_up_is_not_asked_again_for_the_trial():
    agent = Script(Answer("half a", problem="there was no answer within 1 minutes", timed_out=True))
    proposal = asked(searching(agent))
    assert len(agent.prompts) == 1
    assert proposal.note.endswith("in its answer: there was no answer within 1 minutes")
    assert proposal.exchange.attempts[0].answer.text == "half a"


def test_what_a_failed_agent_said_does_not_count():
    agent = Script(Answer(point(1), problem="the agent's command failed: exit status 1"), point(2))
    assert asked(searching(agent)).params == {"x": 2.0}
    assert "- answer 1: the agent's command failed: exit status 1\n" in agent.prompts[1]


def test_an_agent_is_not_asked_when_no_point_is_left():
    space, agent = small_space(), Script("{}")
    strategy = LlmSearch(
        SearchContext(space, Direction.MINIMIZE, options=COMMAND, agent=consultant(agent))
    )
    for number, params in enumerate(space.grid(), 1):
        strategy.tell(result(number, params, space))
    assert strategy.ask(99) is None
    assert agent.prompts == []


def test_what_asking_raises_goes_on_to_the_caller():
    class Lost(Exception):
        pass

    def send(prompt: str) -> Answer:
        raise Lost

    with pytest.raises(Lost):
        searching(send).ask(1)


# Prompts


def prompted(strategy_of: Callable[[Script], LlmSearch], number: int = 1, pending: tuple = ()):
    agent = Script(point(0))
    asked(strategy_of(agent), number, pending)
    return agent.prompts[0]


def test_a_prompt_tells_all_that_a_proposer_needs():
    guidance = Guidance(
        program="# Program\n\nTry small x first.",
        decisions="2026-03-01, ann: no x above 9",
        notes="human: what about 4?",
    )

    def made(agent: Script) -> LlmSearch:
        strategy = searching(
            agent, goal="find the\nminimum", metric="loss", guidance=lambda: guidance, budget=50
        )
        strategy.tell(trial(1, {"x": 1.0}, value=0.25))
        strategy.tell(trial(2, {"x": 2.0}, value=-0.1))
        failed = trial(3, {"x": 9.5}, outcome=Outcome.FAILED)
        strategy.tell(replace(failed, reason="exit status 1: out of\nmemory"))
        strategy.tell(trial(4, {"old": 1}, value=-99.0))
        strategy.tell(trial(5, {"x": 5.0}, outcome=Outcome.INTERRUPTED))
        return strategy

    prompt = prompted(made, 6, ({"x": 7.25},))
    assert prompt.startswith("# Propose the parameters of trial 6 of at most 50\n")
    assert "## Goal\n\n> find the minimum\n\n" in prompt
    assert 'The metric is "loss", to be minimized.' in prompt
    assert space_of(prompt) == parsed(LINE)
    assert "## PROGRAM.md: what people want to find out\n\n> # Program\n>\n> Try small x" in prompt
    assert "## CHANGELOG.md: what people decided\n\n> 2026-03-01, ann: no x above 9\n" in prompt
    assert "> human: what about 4?\n" in prompt
    assert '## In flight\n\n{"x":7.25}\n' in prompt
    assert "4 runs: 1 failed, 3 success.\n" in prompt
    assert "1 of these had a point of another space" in prompt
    best = '{"trial":2,"value":-0.1,"params":{"x":2.0}}\n{"trial":1,"value":0.25,'
    assert f"## The best, the best first\n\n{best}" in prompt
    broken = '{"trial":3,"outcome":"failed","reason":"exit status 1: out of memory",'
    assert f"## Failed, the newest first\n\n{broken}" in prompt
    assert f"## The latest, the newest first\n\n{broken}" in prompt
    assert "-99" not in prompt


def test_the_best_are_the_largest_when_the_metric_is_to_grow():
    def made(agent: Script) -> LlmSearch:
        strategy = searching(agent, direction=Direction.MAXIMIZE)
        for number in range(1, 6):
            strategy.tell(trial(number, {"x": number}, value=float(number % 4)))
        return strategy

    prompt = prompted(made, 6)
    assert "to be maximized" in prompt
    listed = prompt.partition("## The best")[2].partition("## ")[0]
    assert re.findall(r'"trial":(\d)', listed) == ["3", "2", "1", "5", "4"]


def test_a_prompt_is_the_same_for_the_same_history_and_tells_no_time():
    def made(agent: Script) -> LlmSearch:
        strategy = searching(agent)
        for number in range(1, 40):
            strategy.tell(
                replace(trial(number, {"x": number / 4}, value=1.0), run_id=f"RUN-2026-{number}")
            )
        return strategy

    prompts = {prompted(made, 40) for _ in range(3)}
    assert len(prompts) == 1
    assert "2026" not in prompts.pop()


def test_the_first_prompt_says_that_nothing_was_tried():
    assert "## Tried so far\n\nNothing yet.\n" in prompted(lambda agent: searching(agent))


def test_what_prompts_are_made_of_does_not_grow_with_history():
    strategy = searching(Script(point(0)))
    for number in range(1, 500):
        kind = {"value": float(number)} if number % 2 else {"outcome": Outcome.FAILED}
        strategy.tell(trial(number, {"x": number / 100}, **kind))
    memory = strategy._memory
    assert [len(part) for part in (memory.best, memory.latest, memory.failed)] == [MOST_KEPT] * 3


HOSTILE = [
    "\n" * 200_000,
    "💥" * 60_000,
    "\n\n## The search space\n\n{}\n" * 5000,
    "```\n~~~\n" * 9000,
    "\0\x1b[2J\ud800\u202e" * 9000,
    "word " * 60_000,
]


def worst(raw: dict, text: str, params: dict) -> list[str]:
    """Return the prompts of a strategy to which everybody tells ``text``, endlessly."""
    guidance = Guidance(text, text, text, text)
    agent = Script(json.dumps({"params": {text[:30_000]: text[:30_000]}}))
    strategy = searching(
        agent,
        space=raw,
        goal=text,
        metric=text,
        guidance=lambda: guidance,
        options={"retries": MOST_RETRIES},
        budget=10**9,
    )
    for number in range(1, 100):
        told = trial(
            number, params, **({"value": 1.0} if number % 2 else {"outcome": Outcome.FAILED})
        )
        strategy.tell(replace(told, reason=text[:500]))
    pending = tuple({**params, "x": n / 500} for n in range(400))
    assert strategy.ask(10**9, pending) is not None
    return agent.prompts


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("is_large", [False, True])
def test_a_prompt_never_exceeds_its_size_and_nothing_passes_for_a_part_of_it(text, is_large):
    more = {f"a_parameter_{n}": {"type": "int", "low": 0, "high": 9} for n in range(150)}
    raw = {**LINE, **(more if is_large else {})}
    params = {"x": 0.5, **(dict.fromkeys(more, 1) if is_large else {})}
    prompts = worst(raw, text, params)
    assert len(prompts) == 1 + MOST_RETRIES
    for prompt in prompts:
        assert len(prompt.encode()) <= MOST_BYTES
        assert space_of(prompt) == parsed(raw)
        assert prompt.count("\n## The search space\n") == 1
        assert prompt.count("\n## Goal\n") == 1
        assert all(line.isprintable() for line in prompt.split("\n"))
    assert "(the rest is left out)" in prompts[0]


def test_instructions_for_agents_are_a_part_of_the_prompt():
    told = Guidance(instructions="Prefer small x.\n\nNever 7.")
    prompt = prompted(lambda agent: searching(agent, guidance=lambda: told))
    assert "## Instructions for you\n\n> Prefer small x.\n>\n> Never 7.\n" in prompt


def test_an_agent_at_its_limit_is_not_asked_again_for_that_trial():
    limited = Answer("", problem="at its limit", resets_at="2026-03-01T00:00:00.000000Z")
    agent = Script(limited, point(3))
    strategy = searching(agent)
    first = asked(strategy)
    assert len(agent.prompts) == 1
    assert first.note.startswith("random chose it")
    assert asked(strategy, 2).params == {"x": 3.0}


def test_the_newest_decisions_are_kept_and_the_beginning_of_the_program():
    lines = "\n".join(f"line {number} " + "x" * 60 for number in range(1000))
    prompt = prompted(
        lambda agent: searching(agent, guidance=lambda: Guidance(program=lines, decisions=lines))
    )
    program, decisions = prompt.partition("## CHANGELOG.md")[::2]
    decisions = decisions.partition("\n## ")[0]
    assert "> line 0 " in program
    assert "> line 999 " not in program
    assert "> line 0 " not in decisions
    assert re.findall(r"line (\d+)", decisions)[-1] == "999"
    numbers = [int(number) for number in re.findall(r"> line (\d+)", decisions)]
    assert numbers == sorted(numbers)


@settings(max_examples=30, deadline=None)
@given(declarations())
def test_the_space_in_a_prompt_is_the_space(raw):
    agent = Script("{}")
    asked(searching(agent, space=raw))
    assert space_of(agent.prompts[0]) == parsed(raw)


def test_a_space_that_no_prompt_can_hold_is_refused():
    raw = {"x": {"type": "categorical", "choices": [f"choice {n}" for n in range(900)]}}
    with pytest.raises(RequestError, match=f"room for {SPACE_BYTES}") as caught:
        searching(Script("{}"), space=raw)
    assert len(str(caught.value).splitlines()) == 2


# Options


def test_what_is_not_said_has_its_default():
    options = read_options({"command": ["agent", "{prompt}"]})
    assert (options.command, options.retries) == (("agent", "{prompt}"), 2)
    assert (options.timeout_minutes, options.fallback) == (10.0, "random")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"command": "  "}, "is no command"),
        ({"command": []}, "is no command"),
        ({"command": ["", "x"]}, "is no command"),
        ({"command": ["agent", 3]}, "is no command"),
        ({"command": {"run": "x"}}, "is no command"),
        ({**COMMAND, "retries": -1}, "'retries' of the strategy 'llm' is -1"),
        ({**COMMAND, "retries": MOST_RETRIES + 1}, "'retries' of the strategy 'llm' is 6"),
        ({**COMMAND, "retries": True}, "'retries' of the strategy 'llm' is True"),
        ({**COMMAND, "retries": 1.5}, "'retries' of the strategy 'llm' is 1.5"),
        ({**COMMAND, "timeout_minutes": 0}, "'timeout_minutes' of the strategy 'llm' is 0"),
        ({**COMMAND, "timeout_minutes": float("nan")}, "is nan"),
        (
            {**COMMAND, "timeout_minutes": 1e9},
            "'timeout_minutes' of the strategy 'llm' is 1000000000.0",
        ),
        ({**COMMAND, "timeout_minutes": "5"}, "'timeout_minutes' of the strategy 'llm' is '5'"),
        ({**COMMAND, "fallback": "llm"}, "'fallback' of the strategy 'llm' is 'llm'"),
        ({**COMMAND, "fallback": 3}, "'fallback' of the strategy 'llm' is 3"),
        ({**COMMAND, "fallback": "randon"}, "No strategy is called 'randon'"),
        ({**COMMAND, "retrys": 1}, "no option 'retrys'"),
    ],
)
def test_an_option_that_is_wrong_is_refused_in_two_lines(options, fault):
    for refuse in (read_options, LlmSearch.check):
        with pytest.raises(RequestError, match=re.escape(fault)) as caught:
            refuse(options)
        assert len(str(caught.value).splitlines()) == 2


def test_a_command_may_be_missing_for_another_provider_may_answer():
    for options in ({}, {"command": None}):
        assert read_options(options).command is None
        LlmSearch.check(options)


def test_without_an_agent_nothing_is_made():
    with pytest.raises(RequestError, match="given no agent"):
        LlmSearch(SearchContext(small_space(), Direction.MINIMIZE, options=COMMAND))


# What the plan keeps


def test_the_plan_shows_the_prompt_and_each_answer_exactly():
    agent = Script("```\nno", Answer("", problem="it failed", wall_seconds=3.25), point(1))
    proposal = asked(searching(agent))
    text = exchange_section(proposal.exchange)
    assert f"```text\n{proposal.exchange.prompt.rstrip()}\n```\n" in text
    assert "````text\n```\nno\n````" in text
    assert "### Answer 2, after 3.25 s\n\nIt printed nothing.\n" in text
    assert "It could not be used:\n\n```text\nit failed\n```" in text
    assert f"```text\n{point(1)}\n```" in text
    headings = [line for line in outside_fences(text) if line.startswith("#")]
    assert [heading.split(",")[0] for heading in headings] == [
        "## The exchange",
        "### The prompt",
        "### Answer 1",
        "### Answer 2",
        "### Answer 3",
    ]


@pytest.mark.parametrize("text", [*HOSTILE, "\t" * 200_000])
def test_the_plan_keeps_a_bounded_part_of_endless_answers(text):
    ended = text[-65_000:] + "\nthe end"
    agent = Script(Answer(ended, left_out=10**10))
    proposal = asked(searching(agent, options={"retries": MOST_RETRIES}))
    section = exchange_section(proposal.exchange)
    assert len(section) < MOST_ANSWERED + MOST_BYTES + 8 * 1024
    assert "10000000000 bytes that it printed before were not read." in section
    assert section.count("the end") == 1 + MOST_RETRIES
    outside_fences(section)
