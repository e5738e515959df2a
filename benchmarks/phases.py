"""Where an iteration's time goes: times the lab's functions from outside, nested as they call."""

from __future__ import annotations

import functools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hermes import files
from hermes.executing import local, parameters, sandbox, workspaces
from hermes.lab import Lab
from hermes.modes import loop, slots
from hermes.render import run_text
from hermes.steps import execute, plan
from hermes.steps.session import Session
from hermes.store.index import Index
from hermes.store.packages import Packages

# Where a function is looked up, its name there, and what it is called in the table.
_WATCHED: tuple[tuple[Any, str, str], ...] = (
    (loop, "plan", "plan"),
    (Session, "catch_up", "read what others decided"),
    (plan, "next_idea", "propose"),
    (parameters, "check_parameters", "check the parameters"),
    (sandbox, "check_workspace", "check the workspace"),
    (run_text, "plan_text", "write the plan's text"),
    (Packages, "publish_running", "publish the package"),
    (files, "publish_folder", "rename and sync"),
    (slots, "execute", "execute"),
    (execute, "_environment", "make the environment"),
    (workspaces.Workspaces, "prepare", "reset the sandbox"),
    (parameters, "merge", "merge the parameters"),
    (local, "run", "run the command"),
    (local, "_start", "start it"),
    (local._Run, "until_end_or_limit", "wait for its end"),
    (local._Run, "finish", "clear up after it"),
    (Packages, "record_execution", "record the execution"),
    (loop, "judge", "judge"),
    (loop, "write_small_bundle", "write the bundle of the run before"),
    (loop, "settle", "enter the run before into history"),
    (run_text, "result_text", "write the result's text"),
    (files.Operations, "sync_all", "sync"),
    (files.Syncing, "wait", "wait for the disk"),
    (Index, "append", "append to the index"),
    (Lab, "record", "append to the ledger"),
    (Session, "tell", "tell the strategy"),
    (Packages, "discard", "remove the package"),
    (Packages, "recycle", "keep the package's folder for the next"),
)


class Phases:
    """Seconds by the path of phases that were open."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._taken: dict[tuple[str, ...], float] = defaultdict(float)
        self._history: list[dict[tuple[str, ...], float]] = []

    def end_iteration(self) -> None:
        """Close the books on one iteration."""
        self._history.append(dict(self._taken))
        self._taken.clear()

    def rows(self) -> list[tuple[int, str, float]]:
        """Return depth, name and median seconds of each phase, in the order of first use."""
        paths = list(dict.fromkeys(path for taken in self._history for path in taken))
        return [
            (
                len(path) - 1,
                path[-1],
                statistics.median(taken.get(path, 0.0) for taken in self._history),
            )
            for path in _nested(paths, ())
        ]

    def timed(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return the function, which from now on is a phase of this name."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._open.append(name)
            self._taken[tuple(self._open)] += 0.0  # it comes before those that it calls
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._taken[tuple(self._open)] += time.perf_counter() - began
                self._open.pop()

        return call


def _nested(paths: list[tuple[str, ...]], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield what lies below ``above``, each before what lies below it."""
    for path in paths:
        if path[:-1] == above:
            yield path
            yield from _nested(paths, path)


@contextmanager
def watched() -> Iterator[Phases]:
    """Time the lab's functions during the body; one that has gone is not missed."""
    phases = Phases()
    before = [
        (owner, name, getattr(owner, name)) for owner, name, _ in _WATCHED if hasattr(owner, name)
    ]
    for owner, name, label in _WATCHED:
        if hasattr(owner, name):
            setattr(owner, name, phases.timed(getattr(owner, name), label))
    try:
        yield phases
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)
