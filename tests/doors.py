"""What the tests of the doors share: a clean process-wide state, calls of `main`, fake installs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from doit import doit_cmd, loader

from hermes.cli import checker, door, request

REPOSITORY = Path(__file__).resolve().parents[1]


@contextmanager
def fresh_process() -> Iterator[None]:
    """Let the body begin and end as if nothing had been asked of this process."""

    def forget() -> None:
        request.install(None)
        doit_cmd._CMDLINE_VARS = None
        loader.initial_workdir = None
        checker._before.clear()

    forget()
    try:
        yield
    finally:
        forget()


def lab(words: str | list[str], **tasks: Callable[..., Any] | dict[str, Any]) -> int:
    """Call ``hermes-lab`` in this process with the tasks given by name; return its exit code.

    A task is its action, or its whole dictionary.
    """
    made = {f"task_{name}": _creator(value) for name, value in tasks.items()}
    arguments = words.split() if isinstance(words, str) else words
    with fresh_process():
        try:
            door.main(arguments, creators=made)
        except SystemExit as end:
            return int(end.code or 0)


def _creator(value: Callable[..., Any] | dict[str, Any]) -> Callable[[], dict[str, Any]]:
    def create() -> dict[str, Any]:
        return dict(value) if isinstance(value, dict) else {"actions": [value]}

    return create


def installed(folder: Path) -> Mapping[str, str]:
    """Return an environment in which this checkout counts as installed, whether it is or not."""
    info = folder / "hermes_lab-0.1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hermes-lab\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(
        "[doit.BACKEND]\nhermes = hermes.cli.taskdb:TaskDatabase\n"
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}"}


def begin_doit(*words: str, cwd: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start ``doit`` as a process of its own, with pipes to read it by."""
    return subprocess.Popen(
        [sys.executable, "-m", "doit", *words],
        cwd=cwd,
        env=dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_doit(
    *words: str, cwd: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Call ``doit`` and wait for its end."""
    process = begin_doit(*words, cwd=cwd, environ=environ)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, out, err)
