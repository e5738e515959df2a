# ruff: noqa: D102  the name of a test is its sentence
"""The tests that every adapter passes: subclass ``AdapterContract`` and say what yours reads.

Needs pytest and Hypothesis, and is imported by tests only::

    from hermes.agents.adapter import Output, Reply
    from hermes.agents.contract import AdapterContract
    from my_package.agents import ADAPTER

    class TestMyAgent(AdapterContract):
        adapter = ADAPTER
        output = Output(0, "what the tool prints when all went well")
        reply = Reply("what it means", input_tokens=12, output_tokens=3)

Limits: a stand-in for the tool is run, never the tool itself, so that the tests cannot see whether
the real one takes the arguments that it is given.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.agents.adapter import Adapter, Line, Output, Reply, Request
from hermes.agents.base import Call, Settings
from hermes.agents.running import ToolAgent
from hermes.exchange import Answer

HOSTILE = "--help\n'\"`$(touch gone)` ; echo {prompt} ${HOME} \\ ä💥 %s\n"
_WORDS = (
    *("type", "result", "usage", "error", "message", "text", "part", "item", "stats", "models"),
    *("turn.completed", "step_finish", "tokens", "response", "cost", "total_cost_usd"),
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_STAND_IN = f"""#!{sys.executable} -I
import json, os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(print("stand-in 1.0"))
seen = {{{{"arguments": sys.argv[1:], "names": sorted(os.environ), "stdin": sys.stdin.read()}}}}
pathlib.Path({{seen!r}}).write_text(json.dumps(seen))
for name, text in {{written!r}}.items():
    for word in sys.argv[1:]:
        if os.path.basename(word) == name:
            pathlib.Path(word).write_text(text)
sys.stdout.write({{stdout!r}})
sys.exit({{exit_status}})
"""


class AdapterContract:
    """What the lab relies on; a subclass names the adapter and an output that went well."""

    adapter: Adapter
    output: Output
    reply: Reply
    settings = Settings()
    """What else a SPEC must say for the adapter to work."""

    # What a subclass may use, too

    def line(self, prompt: str = "do it", **more: str) -> Line:
        """Return the command line for a request in made-up folders."""
        call = Path("/call")
        request = Request(
            prompt=prompt,
            prompt_file=call / "prompt.md",
            scratch=call / "scratch",
            work=Path("/work"),
            may_edit=True,
            settings=replace(self.settings, **more),  # type: ignore[arg-type]
            files=("src/a.py",) if self.adapter.wants_files else (),
        )
        return self.adapter.line(request)

    def ask(self, folder: Path, prompt: str, output: Output) -> tuple[Answer, dict[str, object]]:
        """Ask a stand-in for the tool that gives ``output``; return the answer and what it saw."""
        assert self.adapter.program is not None
        seen, tools = folder / "seen.json", folder / "tools"
        tools.mkdir()
        text = _STAND_IN.format(
            seen=str(seen),
            written=dict(output.written),
            stdout=output.stdout,
            exit_status=output.exit_status,
        )
        program = tools / self.adapter.program
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
        (folder / "work").mkdir()
        call = Call(
            prompt=prompt,
            folder=folder / "call",
            environment={"PATH": f"{tools}{os.pathsep}/usr/bin:/bin", "LAB_RUN_ID": "CALL-1-x"},
            limit_seconds=60.0,
            settings=self.settings,
            work=folder / "work",
            caller=dict.fromkeys(self.adapter.variables, "a-secret-value"),
        )
        answer = ToolAgent(self.adapter).ask(call)
        return answer, json.loads(seen.read_text())

    # The contract

    def test_the_same_request_gives_the_same_command_line(self) -> None:
        assert self.line() == self.line()

    def test_the_prompt_arrives_by_a_file_or_as_one_whole_argument(self) -> None:
        words = self.line(HOSTILE).words
        if isinstance(words, str):
            assert HOSTILE not in words, "a prompt never passes through a shell"
        else:
            assert HOSTILE in words or "/call/prompt.md" in words

    def test_what_it_says_it_heeds_is_told_to_the_tool(self) -> None:
        for name in self.adapter.takes if self.adapter.program else ():
            told = self.line(**{name: "a-value/of-it"})
            assert "a-value/of-it" in f"{told.words} {dict(told.variables)}", name

    def test_names_of_variables_are_names_of_variables(self) -> None:
        assert all(map(_VARIABLE.match, self.adapter.variables))
        assert len(set(self.adapter.variables)) == len(self.adapter.variables)

    def test_files_that_it_reads_are_plain_names_that_its_tool_is_told(self) -> None:
        for name in self.adapter.writes:
            assert os.path.basename(name) == name
            assert f"/call/scratch/{name}" in " ".join(self.line().words)

    def test_an_output_that_went_well_is_read_as_it_is_meant(self) -> None:
        assert self.adapter.read(self.output) == self.reply
        assert self.reply.problem == ""

    def test_no_output_makes_it_fail(self) -> None:
        quiet = settings(
            max_examples=60,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        texts = st.one_of(st.text(), st.sampled_from(self._broken()), _json_texts())
        quiet(given(texts, texts, st.integers(-15, 255)))(self._check_total)()

    def test_a_tool_that_says_nothing_has_no_answer(self) -> None:
        assert self.adapter.read(Output(0, "")).text.strip() == ""

    def test_asked_through_the_lab_it_answers_and_its_secrets_stay_within(
        self, tmp_path: Path
    ) -> None:
        if self.adapter.program is None:
            return
        answer, seen = self.ask(tmp_path, HOSTILE, self.output)
        assert (answer.text, answer.problem) == (self.reply.text, "")
        spent = answer.spending
        assert (spent.calls, spent.cost_usd) == (1, self.reply.cost_usd)
        assert (spent.input_tokens, spent.output_tokens) == (
            self.reply.input_tokens,
            self.reply.output_tokens,
        )
        assert answer.agent == f"{self.adapter.name} stand-in 1.0"
        assert seen["stdin"] == ""
        assert "a-secret-value" not in json.dumps(seen["arguments"])
        assert not (tmp_path / "call").exists()
        assert list((tmp_path / "work").iterdir()) == []

    def test_a_tool_that_fails_has_a_problem(self, tmp_path: Path) -> None:
        if self.adapter.program is None:
            return
        answer, _ = self.ask(tmp_path, "do it", replace(self.output, exit_status=3))
        assert "exit status 3" in answer.problem

    def _broken(self) -> list[str]:
        """Return the good output cut, doubled, and with its numbers gone wrong."""
        text = self.output.stdout
        cuts = [text[: len(text) * part // 7] for part in range(7)]
        wrong = [re.sub(r"\d+", value, text) for value in ("-1", "null", "1e999", '"x"', "[]")]
        return [*cuts, text + text, text[::-1], *wrong]

    def _check_total(self, stdout: str, written: str, exit_status: int) -> None:
        files = dict.fromkeys(self.adapter.writes, written)
        reply = self.adapter.read(Output(exit_status, stdout, written, files))
        assert type(reply.text) is str
        assert type(reply.problem) is str
        counts = (reply.input_tokens, reply.output_tokens, reply.turns)
        assert all(type(count) is int and count >= 0 for count in counts)
        assert math.isfinite(reply.cost_usd)
        assert reply.cost_usd >= 0


def _json_texts() -> st.SearchStrategy[str]:
    """Return JSON of any shape, with the words that tools use as keys and values."""
    words = st.sampled_from(_WORDS)
    leaves = st.one_of(words, st.none(), st.booleans(), st.integers(), st.floats())
    values = st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner), st.dictionaries(words, inner))
    )
    return st.lists(values, max_size=3).map(lambda items: "\n".join(map(json.dumps, items)))
