"""Agents' tools as tests need them: scripts on a PATH of their own that record how they are called.

A fake tool writes its arguments, environment, standard input and folder into ``<folder>/<program>
.json`` of each call, and answers in the real tool's output format, or misbehaves.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from hermes.agents.adapter import Adapter, Output, Reply
from hermes.agents.providers import agent_for

_HEAD = f"""#!{sys.executable} -I
import json, os, pathlib, subprocess, sys, time
if sys.argv[1:] == ["--version"]:
    with open({{probes!r}}, "a") as probes:
        probes.write("probed\\n")
    print({{version!r}})
    sys.exit(0)
with open({{calls!r}}, "a") as calls:
    calls.write(json.dumps({{{{
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "stdin": sys.stdin.read(),
        "folder": os.getcwd(),
    }}}}) + "\\n")
"""


@dataclass(frozen=True)
class Seen:
    """How a fake tool was called."""

    arguments: list[str]
    environment: dict[str, str]
    stdin: str
    folder: str

    def after(self, flag: str) -> str:
        """Return the argument that follows a flag."""
        return self.arguments[self.arguments.index(flag) + 1]


class Tools:
    """A folder of fake tools, to be put in front of the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> str:
        """The PATH on which the fake tools come first."""
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def install(self, program: str, body: str, *, version: str = "fake 1.2.3") -> None:
        """Put a program there that records its call and then runs ``body`` (Python)."""
        head = _HEAD.format(
            version=version, calls=str(self._calls(program)), probes=str(self._probes(program))
        )
        script = self.folder / program
        script.write_text(head + body + "\n")
        script.chmod(0o755)

    def calls(self, program: str) -> list[Seen]:
        """Return how a program was called, each time but for its version."""
        path = self._calls(program)
        lines = path.read_text().splitlines() if path.exists() else []
        return [Seen(**json.loads(line)) for line in lines]

    def probes(self, program: str) -> int:
        """Return how often a program was asked for its version."""
        path = self._probes(program)
        return len(path.read_text().splitlines()) if path.exists() else 0

    def _calls(self, program: str) -> Path:
        return self.folder / f"{program}.calls"

    def _probes(self, program: str) -> Path:
        return self.folder / f"{program}.probes"


def adapter_of(provider: str) -> Adapter:
    """Return the adapter of one of the lab's own providers."""
    return agent_for(provider)._adapter


@dataclass(frozen=True)
class Sample:
    """What a tool leaves when all went well, and how that is to be read."""

    output: Output
    reply: Reply

    def body(self) -> str:
        """Return the program (Python) that answers so."""
        return _ANSWERING.format(written=dict(self.output.written), stdout=self.output.stdout)


_ANSWERING = """
for name, text in {written!r}.items():
    for word in sys.argv[1:]:
        if os.path.basename(word) == name:
            pathlib.Path(word).write_text(text)
sys.stdout.write({stdout!r})
"""
ANSWER = 'Here it is: {"params": {"x": 2.5}, "hypothesis": "half way"}'


def _lines(*events: object) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


CLAUDE = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "duration_ms": 1234,
    "num_turns": 3,
    "result": ANSWER,
    "session_id": "abc",
    "total_cost_usd": 0.0125,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 3000,
        "output_tokens": 40,
    },
}
CODEX = (
    {"type": "thread.started", "thread_id": "t1"},
    {"type": "turn.started"},
    {"type": "error", "message": "Reconnecting... 1/5"},
    {"type": "item.completed", "item": {"id": "i0", "type": "reasoning", "text": "hm"}},
    {"type": "item.completed", "item": {"id": "i1", "type": "agent_message", "text": ANSWER}},
    {
        "type": "turn.completed",
        "usage": {"input_tokens": 900, "cached_input_tokens": 600, "output_tokens": 70},
    },
)
GEMINI = {
    "session_id": "s",
    "response": ANSWER,
    "stats": {
        "models": {
            "pro": {"tokens": {"prompt": 500, "candidates": 60, "thoughts": 7}},
            "flash": {"tokens": {"prompt": 20, "candidates": 3, "cached": 9}},
        }
    },
}
HERMES = {
    "input_tokens": 100,
    "cache_read_tokens": 12,
    "output_tokens": 30,
    "estimated_cost_usd": 0.002,
    "api_calls": 4,
}
AIDER = f"""Aider v0.86.1
{ANSWER}
Tokens: 2.5k sent, 120 received. Cost: $0.01 message, $0.01 session.
Tokens: 3,000 sent, 1.2k cache hit, 80 received. Cost: $0.02 message, $0.03 session."""
OPENCODE = (
    {"type": "step_start", "sessionID": "s", "part": {"type": "step-start"}},
    {"type": "tool_use", "part": {"type": "tool", "tool": "edit"}},
    {
        "type": "step_finish",
        "part": {
            "reason": "tool-calls",
            "cost": 0.25,
            "tokens": {"input": 5, "output": 6, "reasoning": 7, "cache": {"read": 80}},
        },
    },
    {"type": "text", "part": {"type": "text", "text": ANSWER}},
    {
        "type": "step_finish",
        "part": {"reason": "stop", "cost": 0.5, "tokens": {"input": 900, "output": 1}},
    },
)
SAMPLES = {
    "claude-code": Sample(
        Output(0, json.dumps(CLAUDE)),
        Reply(ANSWER, input_tokens=3210, output_tokens=40, cost_usd=0.0125, turns=3),
    ),
    "codex": Sample(
        Output(0, _lines(*CODEX), written={"last-message.txt": ANSWER}),
        Reply(ANSWER, input_tokens=900, output_tokens=70, turns=1),
    ),
    "gemini": Sample(
        Output(0, f"Loaded cached credentials.\n{json.dumps(GEMINI, indent=2)}"),
        Reply(ANSWER, input_tokens=520, output_tokens=70),
    ),
    "hermes-agent": Sample(
        Output(0, f"{ANSWER}\n", written={"usage.json": json.dumps(HERMES)}),
        Reply(ANSWER, input_tokens=112, output_tokens=30, cost_usd=0.002, turns=4),
    ),
    "aider": Sample(
        Output(0, f"{AIDER}\n"),
        Reply(AIDER, input_tokens=5500, output_tokens=200, cost_usd=0.03, turns=2),
    ),
    "opencode": Sample(
        Output(0, _lines(*OPENCODE)),
        Reply(ANSWER, input_tokens=985, output_tokens=14, cost_usd=0.75, turns=2),
    ),
}
