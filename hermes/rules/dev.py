"""When the project checks itself, in a checkout: when a file that a check reads has changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hermes import files

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "LAB_MANIFEST.json"
_SOURCES = ("hermes", "tests", "benchmarks", "examples")
_CHECKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "format": ("The code is formatted.", ("-m", "ruff", "format", "--check", ".")),
    "lint": ("The code keeps the lint rules.", ("-m", "ruff", "check", ".")),
    "types": ("The types hold.", ("-m", "mypy")),
    "floors": (
        "A module imports only from floors below it.",
        ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"),
    ),
}


def task_check() -> Iterator[dict[str, Any]]:
    """Run the project's own checks: format, lint, types, floors, manifest."""
    yield {"name": None, "doc": "Run the project's own checks."}
    sources = [str(path) for path in _python_files()]
    for name, (doc, command) in _CHECKS.items():
        yield {
            "name": name,
            "doc": doc,
            "file_dep": [*sources, str(ROOT / "pyproject.toml")],
            "actions": [(run_tool, [command])],
        }
    yield {
        "name": "manifest",
        "doc": "LAB_MANIFEST.json says what the code says.",
        "actions": [manifest_is_true],
    }


def task_manifest() -> dict[str, Any]:
    """Write LAB_MANIFEST.json from the code."""
    package = sorted((ROOT / "hermes").rglob("*.py"))
    return {
        "file_dep": [str(path) for path in package],
        "actions": [write_manifest],
        "targets": [str(MANIFEST)],
    }


def run_tool(arguments: tuple[str, ...]) -> bool:
    """Run a checker by this interpreter, in the checkout; True when it is content."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode == 0


def write_manifest() -> None:
    """Write the manifest; a rename, so that a reader never sees half of it."""
    from hermes.cli.manifest import render

    files.replace(MANIFEST, render(), mode=0o644)


def manifest_is_true() -> bool:
    """Say whether the manifest in the checkout is what the code would write."""
    from hermes.cli.manifest import render

    return files.read(MANIFEST) == render()


def _python_files() -> Iterator[Path]:
    yield ROOT / "dodo.py"
    for folder in _SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))
