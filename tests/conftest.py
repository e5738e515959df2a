"""What holds for every test: timings never decide one, and where a test's lab lies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashed_labs import Copies
from hypothesis import settings
from labs import a_lab
from memory import in_memory

from hermes.lab import Lab

_USUAL = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGQUIT: signal.SIG_DFL,
}
for _number, _handler in _USUAL.items():
    if signal.getsignal(_number) is signal.SIG_IGN:  # as in the background, and all below it
        signal.signal(_number, _handler)

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The data root, which nobody has made yet."""
    return tmp_path / "lab-data"


@pytest.fixture
def lab(root: Path) -> Lab:
    """A lab without experiments in ``root``."""
    return a_lab(root)


@pytest.fixture
def copies() -> Iterator[Copies]:
    """What keeps a data root and brings fresh copies of it; in memory, where there is room."""
    with in_memory() as folder:
        yield Copies(folder)


@pytest.fixture
def blocks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the index into blocks of two runs, so that a few runs make several."""
    monkeypatch.setattr("hermes.store.blocks.RUNS", 2)
