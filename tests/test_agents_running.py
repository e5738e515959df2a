"""Agents' tools as processes: fakes that answer like the real ones, and fakes that misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fake_agents import ANSWER, SAMPLES, Tools, adapter_of

from hermes.agents.adapter import Adapter, Line, Reply
from hermes.agents.base import Call, Settings
from hermes.agents.providers import agent_for
from hermes.agents.running import ToolAgent
from hermes.errors import RequestError
from hermes.exchange import Answer, Spending
from hermes.executing import local
from hermes.executing.logs import Log

NOW = datetime(2026, 3, 4, 1, 30, tzinfo=timezone.utc)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
each_tool = pytest.mark.parametrize("provider", sorted(SAMPLES))


@pytest.fixture
def tools(tmp_path) -> Tools:
    return Tools(tmp_path / "tools")


@pytest.fixture
def work(tmp_path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def ask(tmp_path, tools) -> Callable[..., Answer]:
    def asked(provider: str, prompt: str = "improve it", **more) -> Answer:
        environment = {
            "PATH": tools.path,
            "HOME": "/home/x",
            "LAB_RUN_ID": "CALL-1-exp",
            "TZ": "America/New_York",
            **more.pop("environment", {}),
        }
        given = {"limit_seconds": 60.0, "now": lambda: NOW, **more}
        call = Call(prompt, tmp_path / "call", environment, **given)
        try:
            return agent_for(provider).ask(call)
        finally:
            assert not call.folder.exists()

    return asked


def program_of(provider: str) -> str:
    return str(adapter_of(provider).program)


def lives(mark: str) -> bool:
    shown = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True)
    lines = [line for line in shown.stdout.splitlines() if mark in line]
    return any(not line.startswith("Z") for line in lines)


# Good tools


@each_tool
def test_a_tool_that_answers_is_read_and_what_it_took_is_known(provider, tools, ask, work):
    program, sample = program_of(provider), SAMPLES[provider]
    tools.install(program, sample.body() + "\npathlib.Path('changed').write_text('x')")
    answer = ask(provider, work=work)
    assert (answer.text, answer.problem, answer.resets_at) == (sample.reply.text, "", None)
    assert answer.agent == f"{provider} fake 1.2.3"
    assert answer.turns == sample.reply.turns
    told = sample.reply
    assert answer.spending == Spending(
        1, told.input_tokens, told.output_tokens, told.cost_usd, answer.wall_seconds
    )
    assert answer.wall_seconds > 0
    assert [path.name for path in work.iterdir()] == ["changed"]
    (seen,) = tools.calls(program)
    assert seen.folder == str(work)
    assert seen.stdin == ""


@each_tool
def test_a_tool_gets_the_variables_that_it_needs_and_no_other_secret(provider, tools, ask):
    program, adapter = program_of(provider), adapter_of(provider)
    tools.install(program, SAMPLES[provider].body())
    mine = {name: f"value of {name}" for name in adapter.variables}
    caller = {**mine, "GITHUB_TOKEN": "other", "DB_PASSWORD": "other", "UNKNOWN": "other"}
    ask(provider, caller=caller)
    (seen,) = tools.calls(program)
    assert {name: seen.environment[name] for name in mine} == mine
    assert not {"GITHUB_TOKEN", "DB_PASSWORD", "UNKNOWN"} & set(seen.environment)
    assert seen.environment["HOME"] == "/home/x"
    assert "value of" not in " ".join(seen.arguments)


@each_tool
def test_a_hostile_prompt_arrives_whole_and_runs_nothing(provider, tools, ask, work):
    program = program_of(provider)
    script = (
        "data = [pathlib.Path(w).read_text() for w in sys.argv[1:] if w.endswith('prompt.md')]\n"
    )
    script += "pathlib.Path('read').write_text(json.dumps(data))\n" + SAMPLES[provider].body()
    tools.install(program, script)
    prompt = "--version\n'\"`touch gone` $(touch gone); ä💥 {prompt}"
    assert ask(provider, prompt, work=work).problem == ""
    (seen,) = tools.calls(program)
    by_file = '["--version\\n' in (work / "read").read_text()
    assert by_file or prompt in seen.arguments
    assert not (work / "gone").exists()


def test_the_version_is_asked_for_once_and_again_after_an_update(tools, ask):
    body = SAMPLES["claude-code"].body()
    tools.install("claude", body, version="2.1.3 (Claude Code)\nmore")
    for _ in range(3):
        assert ask("claude-code").agent == "claude-code 2.1.3 (Claude Code)"
    assert tools.probes("claude") == 1
    assert len(tools.calls("claude")) == 3
    tools.install("claude", body, version="2.1.14 (Claude Code)")
    assert ask("claude-code").agent == "claude-code 2.1.14 (Claude Code)"
    assert tools.probes("claude") == 2


def test_a_tool_that_cannot_tell_its_version_is_asked_all_the_same(tools, ask):
    script = tools.folder / "claude"
    tools.install("claude", SAMPLES["claude-code"].body())
    script.write_text(script.read_text().replace("sys.exit(0)", "sys.exit(1)"))
    answer = ask("claude-code")
    assert (answer.agent, answer.problem) == ("claude-code", "")


def test_without_a_folder_to_work_in_it_gets_an_empty_one(tools, ask, tmp_path):
    tools.install("claude", "print(os.listdir('.'))\n" + SAMPLES["claude-code"].body())
    assert ask("claude-code").text == ANSWER
    (seen,) = tools.calls("claude")
    assert seen.folder == str(tmp_path / "call" / "work")
    assert seen.after("--permission-mode") == "dontAsk"


def test_aider_is_given_the_files_of_the_surface(tools, ask, work):
    tools.install("aider", SAMPLES["aider"].body())
    for path in ("src/b.py", "src/a.py", "src/bench.py", "other.py", ".git/x.py"):
        (work / path).parent.mkdir(exist_ok=True)
        (work / path).write_text("x")
    (work / "src" / "link.py").symlink_to("a.py")
    settings = Settings(mutable_paths=("src/*.py",), read_only_paths=("src/bench.py",))
    ask("aider", work=work, settings=settings)
    (seen,) = tools.calls("aider")
    assert [word for word in seen.arguments if word.startswith("./")] == [
        "./src/a.py",
        "./src/b.py",
    ]


def test_in_the_background_it_runs_at_a_low_priority(tools, ask):
    tools.install("claude", "print(os.nice(0))")
    before = os.nice(0)
    said = {}
    for background in (False, True):
        log = tools.folder / f"log-{background}"
        ask("claude-code", settings=Settings(background=background), log=log)
        said[background] = log.read_text().partition("standard output\n")[2].split()[0]
    assert said == {False: str(before), True: str(min(19, before + 10))}


def test_the_log_of_a_call_has_the_command_and_what_was_printed_and_no_secret(tools, ask, tmp_path):
    body = "print('using', os.environ['OPENAI_API_KEY']); sys.exit('key sk-12345678 refused')"
    tools.install("codex", body)
    log = tmp_path / "mutation.log"
    caller = {"OPENAI_API_KEY": "sk-12345678"}
    answer = ask("codex", "the prompt", log=log, caller=caller)
    text = log.read_text()
    assert text.startswith("codex exec --json ")
    assert "-- '{prompt}'" in text or "-- {prompt}" in text
    assert "the prompt" not in text
    assert "using ***" in text
    assert "key *** refused" in text
    assert "exit status 1" in text
    assert "key *** refused" in answer.problem
    assert "sk-12345678" not in repr(answer) + text


# Tools that misbehave


@each_tool
def test_a_tool_that_does_nothing_has_no_answer(provider, tools, ask, work):
    tools.install(program_of(provider), "pass")
    answer = ask(provider, work=work)
    assert answer.text == ""
    assert answer.problem or provider in ("aider", "hermes-agent")
    assert answer.spending.calls == 1
    assert list(work.iterdir()) == []


@each_tool
def test_a_tool_that_prints_garbage_is_an_answer_and_no_crash(provider, tools, ask):
    tools.install(program_of(provider), "os.write(1, bytes(range(256)) * 50 + b'{\"type\": [')")
    answer = ask(provider)
    assert answer.problem or provider in ("aider", "hermes-agent")
    assert answer.spending.cost_usd == 0


@each_tool
def test_a_tool_that_fails_says_why(provider, tools, ask):
    tools.install(program_of(provider), "sys.exit('no credit left')")
    answer = ask(provider)
    assert answer.problem.startswith("the agent's command failed: exit status 1: no credit left")
    assert answer.resets_at is None


@linux
def test_a_tool_that_hangs_is_ended_with_all_that_it_started(tools, ask):
    mark = f"sleep 66{os.getpid()}"
    start = f"subprocess.Popen(['setsid', *{mark.split()!r}])\n"
    tools.install("claude", f"{start}print('thinking', flush=True)\ntime.sleep(600)")
    answer = ask("claude-code", limit_seconds=1.0)
    assert answer.timed_out
    assert answer.problem.startswith("there was no answer within ")
    assert not lives(mark)


def test_a_tool_that_asks_for_approval_finds_nobody_and_ends(tools, ask):
    asks = "print('Allow this edit? [y/N] ', end='', flush=True)\n"
    asks += "if input() != 'y':\n    sys.exit('refused')"
    script = tools.folder / "claude"
    tools.install("claude", asks)
    script.write_text(script.read_text().replace("sys.stdin.read()", "''"))
    answer = ask("claude-code")
    assert answer.problem.startswith("the agent's command failed: exit status 1: EOFError")
    assert answer.wall_seconds < 30


@linux
def test_a_child_that_stays_is_killed_before_the_answer_counts(tools, ask, work):
    mark = f"sleep 67{os.getpid()}"
    loop = "while :; do echo late >> late; sleep 0.05; done"
    body = f"""
subprocess.Popen(["setsid", *{mark.split()!r}])
subprocess.Popen(["sh", "-c", {loop!r}], start_new_session=True)
time.sleep(0.3)
"""
    tools.install("claude", body + SAMPLES["claude-code"].body())
    assert ask("claude-code", work=work).text == ANSWER
    assert not lives(mark)
    size = (work / "late").stat().st_size
    subprocess.run(["sleep", "0.2"], check=True)
    assert (work / "late").stat().st_size == size


def test_of_a_flood_the_end_is_read_and_little_is_kept(tools, ask, monkeypatch):
    largest = 0

    class Measured(Log):
        def write(self, data: bytes) -> None:
            nonlocal largest
            super().write(data)
            largest = max(largest, self.path.stat().st_size)

    monkeypatch.setattr("hermes.agents.running.Log", Measured)
    flood = "for _ in range(100):\n    os.write(1, b'x' * (1 << 20))\nos.write(1, b'\\n')\n"
    tools.install("claude", flood + SAMPLES["claude-code"].body())
    answer = ask("claude-code")
    assert answer.text == ANSWER
    assert answer.left_out > 98 * (1 << 20)
    assert largest < 4 * (1 << 20)


def test_a_long_answer_is_cut_at_its_beginning(tools, ask):
    tools.install("hermes", "print('x' * 200_000 + 'the end')")
    answer = ask("hermes-agent")
    assert len(answer.text) == 64 * 1024
    assert answer.text.endswith("the end")


@linux
def test_whoever_may_not_wait_ends_a_slow_tool(tools, ask, monkeypatch):
    class Enough(Exception):
        pass

    def tick() -> None:
        if tools.calls("claude"):
            raise Enough

    monkeypatch.setattr(local, "_TICK_SECONDS", 0.05)
    mark = f"sleep 68{os.getpid()}"
    tools.install("claude", f"subprocess.run({mark.split()!r})")
    with pytest.raises(Enough):
        ask("claude-code", tick=tick)
    assert not lives(mark)


# Limits of accounts

NOTICE = "You've hit your session limit · resets 9pm (America/New_York)"
AT_NINE = "2026-03-04T02:00:00.000000Z"
LIMITED = {
    "claude-code": f"""print(json.dumps({{"type": "result", "is_error": True, "num_turns": 1,
        "result": {NOTICE!r}}})); sys.exit(1)""",
    "codex": """print('{"type":"error","message":"You\\'ve hit your usage limit. Upgrade or """
    """try again in 30 minutes."}'); print('{"type":"turn.failed","error":{"message":"You\\'ve """
    """hit your usage limit. Upgrade or try again in 30 minutes."}}'); sys.exit(1)""",
    "gemini": """sys.stderr.write('{"error": {"type": "ApiError", "message": "RESOURCE_"""
    """EXHAUSTED: Your quota will reset after 30m0s."}}'); sys.exit(1)""",
    "hermes-agent": "sys.exit('HTTP 429: retry-after: 1800')",
    "aider": "print('litellm.RateLimitError: please try again in 30m0s.'); sys.exit(1)",
    "opencode": """print(json.dumps({"type": "error", "error": {"name": "APIError", "data":
        {"message": "Rate limited", "responseHeaders": {"retry-after": "1800"}}}}))""",
}


@each_tool
def test_a_limit_is_recognised_with_its_end(provider, tools, ask):
    tools.install(program_of(provider), LIMITED[provider])
    answer = ask(provider)
    assert answer.resets_at == AT_NINE
    assert answer.problem.startswith("the agent's account has reached a limit: ")


def test_a_time_without_a_zone_is_of_the_zone_in_which_the_tool_runs(tools, ask):
    tools.install("hermes", "sys.exit('5-hour limit reached, resets 9pm')")
    assert ask("hermes-agent").resets_at == AT_NINE
    in_berlin = ask("hermes-agent", environment={"TZ": "Europe/Berlin"})
    assert in_berlin.resets_at == "2026-03-04T20:00:00.000000Z"


def test_a_limit_that_does_not_say_until_when_is_waited_for(tools, ask):
    tools.install("hermes", "sys.exit('Error: too many requests')")
    answer = ask("hermes-agent")
    assert answer.resets_at == "2026-03-04T02:00:00.000000Z"
    assert "does not say until when" in answer.problem


def test_a_notice_instead_of_an_answer_is_a_limit_though_the_tool_ended_well(tools, ask):
    tools.install("hermes", f"print({NOTICE!r})")
    answer = ask("hermes-agent")
    assert answer.resets_at == AT_NINE
    assert NOTICE in answer.problem


def test_an_agent_that_worked_on_limits_has_reached_none(tools, ask):
    text = f"I made the client wait.\nIt now shows: {NOTICE}\nHYPOTHESIS: fewer retries"
    tools.install("hermes", f"print({text!r}); sys.stderr.write('retry-after: 45')")
    answer = ask("hermes-agent")
    assert (answer.problem, answer.resets_at) == ("", None)


def test_what_an_agent_read_before_it_failed_is_no_limit(tools, ask):
    log = f"the test's data: {NOTICE}\n" + "working\n" * 20
    tools.install("hermes", f"print({log!r}); sys.exit('no network')")
    answer = ask("hermes-agent")
    assert answer.problem.endswith("exit status 1: no network")
    assert answer.resets_at is None


# What cannot be asked at all


@each_tool
def test_a_tool_that_is_not_there_is_refused_with_where_to_get_it(provider, tmp_path):
    with pytest.raises(RequestError, match="not on the PATH") as caught:
        agent_for(provider).check(Settings(), {"PATH": str(tmp_path)})
    assert len(str(caught.value).splitlines()) == 2
    assert "nstall it" in caught.value.remedy


@each_tool
def test_a_tool_that_is_there_passes(provider, tools):
    tools.install(program_of(provider), "pass")
    agent_for(provider).check(Settings(model="m"), {"PATH": tools.path})
    assert tools.probes(program_of(provider)) == 0


@pytest.mark.parametrize(
    ("provider", "setting"),
    [("gemini", "effort"), ("hermes-agent", "effort"), ("hermes-agent", "base_url")],
)
def test_a_setting_that_a_tool_cannot_be_told_is_refused(provider, setting, tools):
    tools.install(program_of(provider), "pass")
    settings = Settings(**{setting: "x"})
    with pytest.raises(RequestError, match=f"cannot be told an agent_{setting}") as caught:
        agent_for(provider).check(settings, {"PATH": tools.path})
    assert len(str(caught.value).splitlines()) == 2


def test_the_provider_command_needs_one():
    with pytest.raises(RequestError, match="names no command") as caught:
        agent_for("command").check(Settings(), {})
    assert len(str(caught.value).splitlines()) == 2
    agent_for("command").check(Settings(command="x", model="m", effort="e", base_url="u"), {})


def test_a_tool_that_vanished_since_is_a_problem(ask):
    answer = ask("opencode")
    assert answer.problem.startswith("the agent's command failed: cannot start 'opencode'")
    assert answer.agent == "opencode"


# Adapters that break


@pytest.mark.parametrize(
    ("line", "read", "said"),
    [
        (lambda request: 1 / 0, lambda output: Reply(""), "ZeroDivisionError"),
        (lambda request: "echo", lambda output: Reply(""), "it made no Line"),
        (lambda request: Line("echo hi"), lambda output: output.nothing, "AttributeError"),
        (lambda request: Line("echo hi"), lambda output: "text", "it made no Reply"),
    ],
)
def test_an_adapter_that_breaks_is_an_answer_with_a_problem(tmp_path, line, read, said):
    agent = ToolAgent(Adapter(name="mine", line=line, read=read))
    call = Call("p", tmp_path / "call", {"PATH": os.environ["PATH"]}, 60.0)
    answer = agent.ask(call)
    assert "the adapter 'mine' failed: " in answer.problem
    assert said in answer.problem
    assert not call.folder.exists()
