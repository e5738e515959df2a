"""Libraries that look as if nobody had installed them, for tests of what is said then."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError

import pytest

from hermes.search import libraries


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let these packages be found neither by their version nor by an import."""
    real = libraries.version

    def version(package: str) -> str:
        if package in packages:
            raise PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(libraries, "version", version)
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
