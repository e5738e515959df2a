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
REFERENCE = ROOT / "docs" / "SPEC.md"
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
    """Run the project's own checks: format, lint, types, floors, pages."""
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
    yield {
        "name": "reference",
        "doc": "docs/SPEC.md says what the schemas say.",
        "actions": [reference_is_true],
    }


def task_manifest() -> dict[str, Any]:
    """Write LAB_MANIFEST.json from the code."""
    return {
        "file_dep": [str(path) for path in sorted(_package("py"))],
        "actions": [write_manifest],
        "targets": [str(MANIFEST)],
    }


def task_reference() -> dict[str, Any]:
    """Write docs/SPEC.md from the schemas and the prose beside its generator."""
    package = sorted(path for kind in ("py", "json", "md") for path in _package(kind))
    return {
        "file_dep": [str(path) for path in package],
        "actions": [write_reference],
        "targets": [str(REFERENCE)],
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


def write_reference() -> None:
    """Write the reference of the SPEC, by a rename too."""
    from hermes.cli.reference import render

    files.replace(REFERENCE, render(), mode=0o644)


def reference_is_true() -> bool:
    """Say whether the reference in the checkout is what the schemas would give."""
    from hermes.cli.reference import render

    return files.read(REFERENCE) == render()


def _package(kind: str) -> Iterator[Path]:
    yield from (ROOT / "hermes").rglob(f"*.{kind}")


def _python_files() -> Iterator[Path]:
    yield ROOT / "dodo.py"
    for folder in _SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))
