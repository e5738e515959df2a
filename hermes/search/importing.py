"""Imports a library without costly parts of others that it names and can do without.

For the modules that import a search library. Limits: what was imported before stays as it is, and
another thread that imports the same meanwhile gets what the body gets.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let the modules seem not to be installed during the body."""
    with _in_place_of(dict.fromkeys(names)):  # None is how Python notes an absence
        yield


@contextmanager
def later(*names: str) -> Iterator[None]:
    """Let what the body imports of the modules be stand-ins, which import them when called.

    Only for libraries that call what they import: a stand-in is no class and has no value.
    """
    with _in_place_of({name: _Module(name) for name in names}):
        yield


@contextmanager
def parts_of(package: str) -> Iterator[None]:
    """Let the body import modules of the package, and read its data, without the package itself.

    Only for modules that are imported by their whole names. What they use of the package is a
    stand-in as in ``later``, also afterwards.
    """
    stand_in, found = _Module(package), find_spec(package)
    if found is not None:
        stand_in.__spec__, stand_in.__path__ = found, found.submodule_search_locations or []
    with _in_place_of({package: stand_in}):
        yield


@contextmanager
def _in_place_of(wanted: dict[str, ModuleType | None]) -> Iterator[None]:
    modules: dict[str, Any] = sys.modules
    placed = {name: module for name, module in wanted.items() if name not in modules}
    modules.update(placed)
    try:
        yield
    finally:
        for name in placed:
            del modules[name]


class _Module(ModuleType):
    """Stands for a module."""

    def __getattr__(self, name: str) -> _Part:
        return _Part(self.__name__, "").__getattr__(name)


class _Part:
    """Stands for something in a module."""

    def __init__(self, module: str, path: str) -> None:
        self._module = module
        self._path = path

    def __getattr__(self, name: str) -> _Part:
        if name.startswith("__"):  # Python asks what it can do with it: copy it, for example
            raise AttributeError(name)
        return _Part(self._module, f"{self._path}.{name}".lstrip("."))

    def __call__(self, *arguments: object, **named: object) -> object:
        found: Any = import_module(self._module)
        for name in self._path.split("."):
            found = getattr(found, name)
        return found(*arguments, **named)
