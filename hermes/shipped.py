"""Finds what ships with the lab: examples and templates, in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def example(name: str) -> Path:
    """Return the folder of an example."""
    return _shipped("examples") / name


def templates() -> Path:
    """Return the folder of the SPEC templates."""
    return _shipped("templates")


def _shipped(kind: str) -> Path:
    """Prefer what the wheel carries; in a checkout the same folders stand beside the package."""
    carried = _PACKAGE / "bundled" / kind
    return carried if carried.is_dir() else _PACKAGE.parent / kind
