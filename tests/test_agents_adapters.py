"""Adapters of agents' tools: what each calls, and what it makes of what its tool prints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from fake_agents import ANSWER, CLAUDE, SAMPLES, adapter_of

from hermes.agents.adapter import Adapter, Line, Output, Reply, Request
from hermes.agents.base import Settings
from hermes.agents.contract import AdapterContract

CALL = Path("/call")


class TestClaudeCode(AdapterContract):
    adapter = adapter_of("claude-code")
    output, reply = SAMPLES["claude-code"].output, SAMPLES["claude-code"].reply


class TestCodex(AdapterContract):
    adapter = adapter_of("codex")
    output, reply = SAMPLES["codex"].output, SAMPLES["codex"].reply


class TestGemini(AdapterContract):
    adapter = adapter_of("gemini")
    output, reply = SAMPLES["gemini"].output, SAMPLES["gemini"].reply


class TestHermesAgent(AdapterContract):
    adapter = adapter_of("hermes-agent")
    output, reply = SAMPLES["hermes-agent"].output, SAMPLES["hermes-agent"].reply


class TestAider(AdapterContract):
    adapter = adapter_of("aider")
    output, reply = SAMPLES["aider"].output, SAMPLES["aider"].reply


class TestOpencode(AdapterContract):
    adapter = adapter_of("opencode")
    output, reply = SAMPLES["opencode"].output, SAMPLES["opencode"].reply


class TestCommand(AdapterContract):
    adapter = adapter_of("command")
    output, reply = Output(0, ANSWER), Reply(ANSWER)
    settings = Settings(command="my-agent < {prompt}")


class TestAnAdapterOfSomebodyElse(AdapterContract):
    """One that uses what the lab's own do not: the prompt's file, and a string for the shell."""

    adapter = Adapter(
        name="mine",
        line=lambda request: Line(f"mine --file {shlex.quote(str(request.prompt_file))}"),
        read=lambda output: Reply(output.stdout.removeprefix("> ")),
        program="mine",
        takes=frozenset(),
    )
    output, reply = Output(0, "> yes"), Reply("yes")


def words(provider: str, *, may_edit: bool = True, files=(), **settings) -> tuple[str, ...]:
    request = Request(
        prompt="do it",
        prompt_file=CALL / "prompt.md",
        scratch=CALL / "scratch",
        work=Path("/work"),
        may_edit=may_edit,
        settings=Settings(**settings),
        files=files,
    )
    return adapter_of(provider).line(request).words


def variables(provider: str, **settings) -> dict[str, str]:
    request = Request("p", CALL, CALL, CALL, may_edit=True, settings=Settings(**settings))
    return dict(adapter_of(provider).line(request).variables)


def read(provider: str, stdout: str, *, exit_status: int = 0, **more) -> Reply:
    return adapter_of(provider).read(Output(exit_status, stdout, **more))


FULL = {"model": "m", "effort": "high", "base_url": "http://x/v1", "most_usd": 1.5}


def test_each_tool_is_called_headless_with_what_the_spec_says():
    assert words("claude-code", **FULL) == (
        *("claude", "-p", "do it", "--output-format", "json", "--permission-mode", "acceptEdits"),
        *("--model", "m", "--effort", "high", "--max-budget-usd", "1.5000"),
    )
    assert words("codex", **FULL) == (
        *("codex", "exec", "--json", "--sandbox", "workspace-write", "--skip-git-repo-check"),
        *("-C", "/work", "-o", "/call/scratch/last-message.txt", "-m", "m"),
        *("-c", 'model_reasoning_effort="high"', "-c", 'openai_base_url="http://x/v1"'),
        *("--", "do it"),
    )
    assert words("gemini", model="m") == (
        *("gemini", "-p", "do it", "-o", "json", "--approval-mode", "auto_edit", "-m", "m"),
    )
    assert words("hermes-agent", model="m") == (
        *("hermes", "-z", "do it", "--usage-file", "/call/scratch/usage.json", "-m", "m"),
    )
    assert words("opencode", **FULL) == (
        *("opencode", "run", "--format", "json", "--model", "m", "--variant", "high"),
        *("--", "do it"),
    )
    said = words("aider", files=("-a.py", "b/c.py"), **FULL)
    assert said[:5] == (
        "aider",
        "--message-file",
        "/call/prompt.md",
        "--yes-always",
        "--no-auto-commits",
    )
    assert said[-8:] == (
        *("--model", "m", "--reasoning-effort", "high", "--openai-api-base", "http://x/v1"),
        *("./-a.py", "./b/c.py"),
    )


def test_what_the_spec_leaves_open_is_left_to_the_tool():
    for provider in SAMPLES:
        said = " ".join(words(provider))
        for flag in ("model ", "--effort", "-m ", "base", "budget", "variant", "reasoning"):
            assert flag not in said, (provider, flag)
        assert variables(provider) == {}


def test_an_agent_that_is_only_asked_may_change_nothing():
    assert "dontAsk" in words("claude-code", may_edit=False)
    assert "read-only" in words("codex", may_edit=False)
    assert "--approval-mode" not in words("gemini", may_edit=False)
    assert words("aider", may_edit=False)[-2:] == ("--chat-mode", "ask")


def test_the_address_of_the_service_reaches_each_tool_in_its_own_way():
    address = {"base_url": 'http://x/"v1'}
    assert variables("claude-code", **address) == {"ANTHROPIC_BASE_URL": 'http://x/"v1'}
    assert variables("gemini", **address) == {"GOOGLE_GEMINI_BASE_URL": 'http://x/"v1'}
    assert 'openai_base_url="http://x/\\"v1"' in words("codex", **address)
    told = variables("opencode", model="local/llama", **address)
    assert json.loads(told["OPENCODE_CONFIG_CONTENT"]) == {
        "provider": {"local": {"options": {"baseURL": 'http://x/"v1'}}}
    }


@pytest.mark.parametrize(
    ("provider", "stdout", "problem"),
    [
        ("claude-code", "not JSON", "no result"),
        ("claude-code", '{"type":"result","subtype":"error_max_turns"}', "error_max_turns"),
        ("claude-code", json.dumps({**CLAUDE, "is_error": True, "result": "API Error"}), "API Err"),
        ("codex", "", "completed no turn"),
        ("codex", '{"type":"turn.failed","error":{"message":"no credit"}}', "no credit"),
        ("codex", '{"type":"error","message":"stream lost"}', "stream lost"),
        ("gemini", "", "no JSON answer"),
        ("gemini", '{"error":{"type":"Api","message":"quota","code":1}}', "quota"),
        ("gemini", '{"error":{}, "response": "x"}', ""),
        ("opencode", "", "finished no step"),
        (
            "opencode",
            '{"type":"error","error":{"name":"N","data":{"message":"bad key"}}}',
            "bad key",
        ),
        ("opencode", '{"type":"error","error":{"name":"ProviderAuthError"}}', "ProviderAuthError"),
    ],
)
def test_what_a_tool_says_of_its_failure_is_the_problem(provider, stdout, problem):
    said = read(provider, stdout).problem
    assert problem in said
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(("status", "word"), [(41, "logged in"), (42, "refused"), (53, "turns")])
def test_the_exit_codes_of_gemini_are_told_in_words(status, word):
    error = json.dumps({"error": {"message": "why"}})
    assert word in read("gemini", "", exit_status=status).problem
    both = read("gemini", "", exit_status=status, stderr=error).problem
    assert word in both
    assert both.endswith("why")


def test_a_stream_of_results_counts_by_its_last_and_a_list_does_too():
    first = {**CLAUDE, "result": "first"}
    stream = f'{{"type": "system"}}\n{json.dumps(first)}\n{json.dumps(CLAUDE)}\n'
    assert read("claude-code", stream).text == ANSWER
    assert read("claude-code", json.dumps([first, CLAUDE])).text == ANSWER
    noisy = f"warning\n{json.dumps(CLAUDE, indent=1)}\nnpm notice\n"
    assert read("claude-code", noisy).text == ANSWER


def test_codex_is_read_by_its_last_message_where_it_wrote_none():
    sample = SAMPLES["codex"]
    assert read("codex", sample.output.stdout) == sample.reply


def test_aider_is_told_of_some_files_only():
    many = tuple(f"f{number:03}.py" for number in range(100))
    assert len([word for word in words("aider", files=many) if word.startswith("./")]) == 40
