"""The provider ``aider``: aider with a message file and the files that it may change.

Limits first. It is told of at most ``MOST_FILES`` files, in the order of their names. Its
histories go to the call's own folder, and git, the map of the repository and whatever it asks or
looks up by itself are off: in the workspace it changes those files and nothing else.
"""

from __future__ import annotations

import re

from hermes.agents.adapter import Adapter, Line, Output, Reply, Request

MOST_FILES = 40
_QUIET = (
    *("--yes-always", "--no-auto-commits", "--no-git", "--map-tokens", "0"),
    *("--no-pretty", "--no-stream", "--no-check-update", "--no-show-release-notes"),
    *("--no-analytics", "--no-suggest-shell-commands", "--no-detect-urls"),
)
_TOKENS = re.compile(r"Tokens: ([\d.,]+)(k|M)? sent,(?: .{0,80}?,)?? ([\d.,]+)(k|M)? received")
_COST = re.compile(r"Cost: \$[\d.]+ message, \$([\d.]+) session")
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}


def _line(request: Request) -> Line:
    settings, scratch = request.settings, request.scratch
    words = ["aider", "--message-file", str(request.prompt_file), *_QUIET]
    for history in ("chat", "input"):
        words += [f"--{history}-history-file", str(scratch / f"{history}.history")]
    if settings.model:
        words += ["--model", settings.model]
    if settings.effort:
        words += ["--reasoning-effort", settings.effort]
    if settings.base_url:
        words += ["--openai-api-base", settings.base_url]
    if not request.may_edit:
        words += ["--chat-mode", "ask"]
    return Line((*words, *(f"./{path}" for path in request.files[:MOST_FILES])))


def _read(output: Output) -> Reply:
    used = _TOKENS.findall(output.stdout)
    costs = _COST.findall(output.stdout)
    return Reply(
        text=output.stdout.strip(),
        input_tokens=sum(_count(sent, unit) for sent, unit, _, _ in used),
        output_tokens=sum(_count(received, unit) for _, _, received, unit in used),
        cost_usd=_number(costs[-1]) if costs else 0.0,
        turns=len(used),
    )


def _count(digits: str, unit: str) -> int:
    return round(_number(digits) * _UNITS[unit])


def _number(digits: str) -> float:
    try:
        return float(digits.replace(",", "").rstrip("."))
    except ValueError:
        return 0.0


ADAPTER = Adapter(
    name="aider",
    line=_line,
    read=_read,
    program="aider",
    install="Install it with `python -m pip install aider-install && aider-install`.",
    variables=(
        "OPENAI_API_KEY",
        "OPENAI_API_BASE",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "DEEPSEEK_API_KEY",
        "OPENROUTER_API_KEY",
        "OLLAMA_API_BASE",
    ),
    wants_files=True,
)
