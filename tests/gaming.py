"""A workspace with an evaluator that others want to fool, and mutations that are shell scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from executing_jobs import make_spec

from hermes.spec import Spec

BENCH = """\
import json, sys
sys.path[1:1] = ["src", "eval"]
import limits
import fast

print(json.dumps({"loss": limits.TARGET - fast.answer(), "size": 1}))
"""
ANSWER = "def answer():\n    return {}\n"
FIRST = 0.0  # the answer of the user's own code: its loss is 100


def make_gamed(root: Path) -> Path:
    """Make a workspace: ``src`` may be changed; ``bench.py`` and ``eval`` measure it."""
    for folder in ("src/pkg", "eval/data"):
        (root / folder).mkdir(parents=True)
    (root / "bench.py").write_text(BENCH)
    (root / "eval" / "limits.py").write_text("TARGET = 100\n")
    (root / "eval" / "data" / "a.csv").write_text("1,2\n")
    (root / "src" / "fast.py").write_text(ANSWER.format(FIRST))
    (root / "src" / "pkg" / "extra.txt").write_text("extra\n")
    return root


def spec_of(workspace: Path, mutation: str, **fields: Any) -> Spec:
    """Return the SPEC of a code loop whose mutation is a shell script."""
    return make_spec(
        **{
            "workspace_root": str(workspace),
            "workspace_mode": "copy",
            "executor_command": f"{sys.executable} bench.py",
            "mutation_command": mutation,
            "mutable_paths": ("src/**",),
            "read_only_paths": ("eval/**",),
            **fields,
        }
    )


def becomes(source: str, path: str = "src/fast.py") -> str:
    """Return a mutation that gives a file other content."""
    return f"cat > {path} <<'END'\n{source}\nEND\n"


def answers(value: float, first: str = "") -> str:
    """Return a mutation to code that answers ``value``, behind what it does ``first``."""
    return becomes(f"{first}\n{ANSWER.format(value)}")


def python(script: str) -> str:
    """Return a shell script that runs Python."""
    return f"{sys.executable} - <<'END'\n{script}\nEND\n"
