"""Loads adapters that are not the lab's own: files of a user, and installed packages.

Limit first: an adapter is code that runs within the lab, with the lab's rights; no sandbox holds
it. Loading a file leaves no byte code beside it, for the folder is the user's.
"""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes.errors import RequestError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NAME = "ADAPTER"


class _LeavingNothing(SourceFileLoader):
    """A loader that writes no byte code."""

    def set_data(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""


def load_file(path: Path) -> object:
    """Return what a file calls ``ADAPTER``. Raises RequestError when it cannot be loaded."""
    name = f"hermes_lab_adapter_{path.stem}"
    spec = spec_from_file_location(name, path, loader=_LeavingNothing(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return getattr(module, NAME)
    except Exception as error:
        raise _refusal(str(path), error, f"Mend it: it must define {NAME}.") from error


def load_point(point: EntryPoint) -> object:
    """Return what an entry point names. Raises RequestError when it cannot be loaded."""
    try:
        return point.load()
    except Exception as error:
        what = f"{point.name} ({point.value})"
        raise _refusal(what, error, "Mend or remove the package that brings it.") from error


def _refusal(what: str, error: Exception, remedy: str) -> RequestError:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return RequestError(f"The agent's adapter {what} cannot be loaded: {said}", remedy)
