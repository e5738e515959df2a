"""Every provider in the code loop, through whole labs: what it changes, costs and leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_agents import CLAUDE, SAMPLES, Seen, Tools, adapter_of
from labs import ENVIRON, a_lab, an_experiment, burst, lines

from hermes.lab import Lab
from hermes.steps.verify import verify

SECRET = "sk-0123456789"
CHANGE = """
work = pathlib.Path("value")
work.write_text(str(int(work.read_text()) - 1) + "\\n")
"""


@pytest.fixture
def tools(tmp_path) -> Tools:
    return Tools(tmp_path / "tools")


@pytest.fixture
def lab(tmp_path, tools) -> Lab:
    root = tmp_path / "lab-data"
    a_lab(root)
    secrets = {"ANTHROPIC_API_KEY": SECRET, "OPENAI_API_KEY": SECRET, "GEMINI_API_KEY": SECRET}
    return Lab(root, environ={**ENVIRON, **secrets, "PATH": tools.path})


@pytest.fixture
def workspace(tmp_path) -> Path:
    root = tmp_path / "ws"
    root.mkdir()
    (root / "value").write_text("9\n")
    (root / "bench.sh").write_text('echo "{\\"loss\\": $(cat value)}"\n')
    (root / "notes.py").write_text("x = 1\n")
    return root


def loop(lab: Lab, tmp_path: Path, provider: str, **fields) -> str:
    given = {
        "strategy": None,
        "search_space": None,
        "workspace_root": "ws",
        "workspace_mode": "copy",
        "mutable_paths": ["value", "notes.py"],
        "read_only_paths": ["bench.sh"],
        "executor_command": "sh bench.sh",
        "agent_provider": provider,
        **fields,
    }
    return an_experiment(lab, tmp_path, **given)


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("provider", sorted(SAMPLES))
def test_a_tool_that_improves_the_code_is_kept_and_paid_for(
    provider, lab, tmp_path, tools, workspace
):
    program, sample = str(adapter_of(provider).program), SAMPLES[provider]
    tools.install(program, CHANGE + sample.body() + f"\nsys.stderr.write({SECRET!r})")
    loop(lab, tmp_path, provider)
    burst(lab, "exp", 3)
    assert [line.value for line in lines(lab)] == [9.0, 8.0, 7.0]
    assert [line.strategy for line in lines(lab)] == ["baseline", provider, provider]
    spent = lines(lab)[1].code.spending
    told = sample.reply
    assert (spent.calls, spent.cost_usd) == (1, told.cost_usd)
    assert (spent.input_tokens, spent.output_tokens) == (told.input_tokens, told.output_tokens)
    assert spent.seconds > 0
    assert verify(lab).problems == ()
    (first, _) = seen = tools.calls(program)
    assert "RUN-" in first.environment["LAB_RUN_ID"]
    assert all(SECRET not in " ".join(item.arguments) for item in seen)
    assert not list(lab.layout.calls("exp").iterdir())
    assert SECRET.encode() not in bytes_of(lab.layout.root)
    log = lab.layout.experiment("exp").run(lines(lab)[1].run_id).mutation_log.read_text()
    assert log.startswith(f"{program} ")
    assert "Change code so that a number gets better" not in log
    assert "--- standard error\n***" in log


def prompt_of(seen: Seen) -> str:
    return seen.after("-p")


def test_the_prompt_tells_the_boundaries_the_best_and_what_was_tried(
    lab, tmp_path, tools, workspace
):
    tools.install("claude", CHANGE + SAMPLES["claude-code"].body())
    (tmp_path / "HOW.md").write_text("Count down.\n")
    acceptance = {"min_improvement": 0.5}
    loop(
        lab,
        tmp_path,
        "claude-code",
        agent_instruction_file="HOW.md",
        acceptance=acceptance,
        constraints=["Only whole numbers."],
        agent_budget=2,
    )
    burst(lab, "exp", 3)
    first, second = tools.calls("claude")
    assert "- `value`\n- `notes.py`\n" in prompt_of(first)
    assert "- `bench.sh`\n" in prompt_of(first)
    assert "by at least 0.5" in prompt_of(first)
    assert "> Count down." in prompt_of(first)
    assert "- Only whole numbers." in prompt_of(first)
    assert "Best so far: 9.0" in prompt_of(first)
    assert "Best so far: 8.0" in prompt_of(second)
    budgets = [float(seen.after("--max-budget-usd")) for seen in (first, second)]
    assert budgets == [2.0, 2.0 - CLAUDE["total_cost_usd"]]


def test_the_stub_runs_a_whole_loop_without_an_account(lab, tmp_path, tools, workspace):
    loop(lab, tmp_path, "stub")
    burst(lab, "exp", 3)
    baseline, *others = lines(lab)
    assert baseline.value == 9.0
    assert [line.outcome.value for line in others] == ["rejected", "rejected"]
    assert all(line.code.measured == 9.0 for line in others)
    assert "a comment changes nothing" in others[0].code.hypothesis.lower()
    assert (workspace / "notes.py").read_text() == "x = 1\n"
    log = lab.layout.experiment("exp").run(others[0].run_id).mutation_log.read_text()
    assert "A comment was written at the end of notes.py" in log


@pytest.mark.parametrize(
    ("body", "outcome", "said"),
    [
        ("sys.exit('no credit left')", "failed", "no credit left"),
        ("print('garbage')", "failed", "no result that can be read"),
        (SAMPLES["claude-code"].body(), "no-op", ""),
        ("pathlib.Path('bench.sh').write_text('echo 1')\n{good}", "tampered", "bench.sh"),
        ("pathlib.Path('other').write_text('x')\n{good}", "out-of-bounds", "other"),
        ("time.sleep(600)", "timeout", ""),
    ],
)
def test_a_tool_that_does_not_improve_the_code_ends_in_an_outcome_that_says_so(
    lab, tmp_path, tools, workspace, body, outcome, said
):
    good = SAMPLES["claude-code"].body()
    tools.install("claude", body.replace("{good}", good))
    loop(lab, tmp_path, "claude-code", time_budget_minutes=0.03)
    burst(lab, "exp", 2)
    line = lines(lab)[1]
    assert (line.outcome.value, line.value) == (outcome, None)
    assert said in line.reason
    assert line.code.spending.calls == 1


def test_a_limit_is_recorded_with_its_end_and_nothing_is_held_against_the_code(
    lab, tmp_path, tools, workspace
):
    result = {"type": "result", "is_error": True, "result": "limit reached, try again in 2 hours"}
    tools.install("claude", f"print({json.dumps(result)!r}); sys.exit(1)")
    loop(lab, tmp_path, "claude-code")
    burst(lab, "exp", 2)
    line = lines(lab)[-1]
    assert line.outcome.value == "infra"
    assert line.code.resets_at is not None
    assert line.code.resets_at > line.completed_at
