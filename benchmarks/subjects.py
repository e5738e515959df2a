"""What the benchmarks measure: small labs with a trivial command, and the commands themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from hermes.lab import Lab
from hermes.steps.create import create
from hermes.steps.init import init

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "optimize-function"
TRIVIAL = """echo '{"loss": 1.5}'"""
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")


def environ(root: Path | None = None) -> dict[str, str]:
    """Return a small environment for a lab and its commands, so that no setting has a say."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept if root is None else {**kept, "HERMES_LAB_DATA_ROOT": str(root)}


def a_lab(place: Path) -> Lab:
    """Return a new lab in ``place``."""
    lab = Lab(place / "lab", environ=environ())
    init(lab)
    return lab


def an_experiment(lab: Lab, name: str, **fields: object) -> str:
    """Register an experiment like the example's, but for its command, which is over at once."""
    beside = lab.layout.root.parent
    if not (beside / "workspace").is_dir():
        shutil.copytree(EXAMPLE / "workspace", beside / "workspace")
    spec = {
        "id": name,
        "goal": "See how long an iteration takes.",
        "metric": "loss",
        "metric_direction": "minimize",
        "workspace_root": "workspace",
        "workspace_mode": "copy",
        "executor_command": TRIVIAL,
        "time_budget_minutes": 0.5,
        "strategy": "random",
        "search_space": "workspace/search_space.json",
        "seed": 1,
        "params_file": "config.json",
        "mutable_paths": ["config.json"],
        **fields,
    }
    source = beside / f"{name}.yaml"
    source.write_text(json.dumps(spec))
    return create(lab, source).experiment


def tool(name: str, module: str) -> list[str]:
    """Return the words that call an installed command: its script, or else its module."""
    script = Path(sys.executable).with_name(name)
    return [str(script)] if script.is_file() else [sys.executable, "-m", module]


def hermes(root: Path, *words: str) -> Callable[[], bytes]:
    """Return what calls ``hermes-lab`` on a data root and returns what it printed."""
    return _caller([*tool("hermes-lab", "hermes"), *words], root.parent, environ(root))


def doit_list(place: Path) -> Callable[[], bytes]:
    """Return what calls ``doit list`` beside an empty ``dodo.py``."""
    folder = place / "empty"
    folder.mkdir(exist_ok=True)
    (folder / "dodo.py").write_text("")
    return _caller([*tool("doit", "doit"), "list"], folder, environ())


def _caller(words: list[str], folder: Path, variables: dict[str, str]) -> Callable[[], bytes]:
    def call() -> bytes:
        ended = subprocess.run(
            words,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"{words} ended with {ended.returncode}: {ended.stderr.decode()}")
        return ended.stdout

    return call
