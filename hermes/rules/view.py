"""What the graph looks at before it is built: which experiments have work in this call.

Reads only, and little: a folder listing and three file stamps an experiment, the lab's index,
and what the graph remembers. One graph serves every command; a command that runs tasks loads
the part of it that can have work, ``list`` and ``info`` load all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hermes import policy
from hermes.cli import console, signals
from hermes.cli import request as requests
from hermes.cli.request import Wanted
from hermes.cli.taskdb import recorded
from hermes.lab import Lab
from hermes.layout import PROJECTIONS
from hermes.model import Json
from hermes.status import Status
from hermes.steps.project import Signature, read_index, read_status, signature

if TYPE_CHECKING:
    from hermes.steps.session import Order

_ALL_PROJECTIONS = frozenset(PROJECTIONS)
_VALUES = "_values_:"
MODES = ("burst", "swarm")
"""The commands that make runs of one experiment because somebody asked for just these."""
GUIDED = "guided"
"""The one that has no chain of tasks, for a person comes between its steps."""
GUIDING = "_guide"
"""The task that makes its runs."""


@dataclass(frozen=True)
class Memory:
    """What the graph remembers of an experiment's last projection."""

    signature: Signature
    as_of: list[Any]


class View:
    """The lab as one call sees it at its start.

    Raises UnknownName when the call names an experiment that does not exist.
    """

    def __init__(self, request: requests.Request) -> None:
        self.request = request
        self.lab = Lab(request.data_root, environ=request.environ)
        self.now = self.lab.now()
        wanted = self.given("exp", str)
        if wanted is not None:
            self.lab.experiment(wanted)

    def given(self, name: str, kind: type[Wanted]) -> Wanted | None:
        """Return a variable of this call, or None when it has none such or no value."""
        variables = self.request.variables
        return variables.get(name, kind) if name in variables.values else None

    def need(self, name: str, kind: type[Wanted]) -> Wanted:
        """Return a variable that this call's command requires or has a default for."""
        return self.request.variables.need(name, kind)

    @property
    def wants_json(self) -> bool:
        """Say whether one JSON document is asked for."""
        return self.given("format", str) == "json"

    @cached_property
    def names(self) -> list[str]:
        """Every experiment."""
        return self.lab.experiments()

    @cached_property
    def index(self) -> Mapping[str, Status]:
        """What LAB-INDEX.json says."""
        return read_index(self.lab)

    @cached_property
    def memories(self) -> dict[str, Memory]:
        """What the graph remembers, by experiment."""
        found = {}
        for task, values in recorded(self.lab.layout.task_database).items():
            kind, _, name = task.partition(":")
            saved = values.get(_VALUES)
            if kind == "project" and isinstance(saved, dict) and "as_of" in saved:
                found[name] = Memory(
                    cast(Signature, saved["inputs"]), cast(list[Any], saved["as_of"])
                )
        return found

    def is_fresh(self, experiment: str) -> bool:
        """Say whether the experiment's projections are all there and made from what is there."""
        memory = self.memories.get(experiment)
        layout = self.lab.layout.experiment(experiment)
        if memory is None or memory.signature != signature(layout):
            return False
        try:
            return _ALL_PROJECTIONS.issubset(os.listdir(layout.folder))
        except OSError:
            return False

    @cached_property
    def stale(self) -> list[str]:
        """Experiments whose projections are missing or behind."""
        return [name for name in self.names if not self.is_fresh(name)]

    @cached_property
    def unindexed(self) -> list[str]:
        """Experiments of which LAB-INDEX.json does not say what their projections say."""
        behind = set(self.stale)
        for name in self.names:
            status, memory = self.index.get(name), self.memories.get(name)
            if status is None or memory is None or _as_list(status) != memory.as_of:
                behind.add(name)
        return sorted(behind)

    @property
    def lab_is_fresh(self) -> bool:
        """Say whether the lab's own projections are there and up to date."""
        layout = self.lab.layout
        return (
            not self.unindexed
            and len(self.index) == len(self.names)
            and layout.lab_status.is_file()
        )

    def statuses(self) -> list[Status]:
        """Return every experiment's status, from the index where that is up to date."""
        behind = set(self.unindexed)
        found = (
            read_status(self.lab, name, anew=True) if name in behind else self.index[name]
            for name in self.names
        )
        return [status for status in found if status is not None]

    @cached_property
    def quotas(self) -> dict[str, int]:
        """How many runs each experiment gets in this call, in their turn."""
        command = self.request.command
        if command in MODES:
            return {self.need("exp", str): self.need("n", int)}
        if command != "run_once":
            return {}
        max_runs = self.need("max_runs", int)
        return policy.shares(list(islice(self._free, max_runs)), max_runs)

    def spare(self) -> Iterator[str]:
        """Return the experiments that are due and free beyond those with a quota, in turn."""
        return (status.id for status in self._free) if self.quotas else iter(())

    @cached_property
    def _free(self) -> Iterator[Status]:
        """Every experiment that is due and free, in turn; one is looked at when it is its turn."""
        only, allowed = self.given("exp", str), self.given("executor_class", str)
        sent = {held.experiment for held in self.lab.items.held() if held.submission is not None}
        due = [
            status
            for status in self.statuses()
            if policy.has_turn(status, self.now, sent=status.id in sent)
            and (only is None or status.id == only)
            and (allowed is None or status.executor_class == allowed)
        ]
        return (status for status in policy.in_turn(due, now=self.now) if self._is_free(status.id))

    def _is_free(self, experiment: str) -> bool:
        lease = self.lab.leases.read(experiment)
        return lease is None or not lease.held or self.lab.leases.is_stale(lease)

    @property
    def is_attended(self) -> bool:
        """Say whether this call was given for an experiment by name, and not by the clock."""
        return self.request.command in (*MODES, GUIDED)

    def order(self, experiment: str) -> Order:
        """Return what this call asks of an experiment's iterations."""
        from hermes.steps.session import Order

        if not self.is_attended:
            return Order(
                runs=self.quotas.get(experiment, 1), halt=signals.halt, uncut=signals.later
            )
        return Order(
            attended=True,
            runs=self.need("n", int),
            strategy=self._strategy,
            options=self._options,
            seed=self.given("seed", int),
            search_space=self.given("search_space", Path),
            pause_seconds=self.given("pause", float) or 0.0,
            parallel=self.given("parallel", int),
            waiting=console.notice,
            halt=signals.halt,
            uncut=signals.later,
        )

    @property
    def _strategy(self) -> str | None:
        """Return the strategy that this call names; None leaves it to the SPEC."""
        return "swarm" if self.request.command == "swarm" else self.given("strategy", str)

    @property
    def _options(self) -> dict[str, Json] | None:
        """Return what this call asks of the swarm; None leaves it to the SPEC."""
        if self.request.command != "swarm":
            return None
        options: dict[str, Json] = {}
        strategies, allocation = self.given("strategies", str), self.given("allocation", str)
        if strategies is not None:
            options["strategies"] = [name.strip() for name in strategies.split(",")]
        if allocation is not None:
            options["allocation"] = allocation
        return options

    @property
    def shows_all(self) -> bool:
        """Say whether the whole graph is to be loaded, for ``list``, ``info`` and their like."""
        return self.request.command is None

    @cached_property
    def chained(self) -> list[str]:
        """Experiments whose chain of steps is loaded."""
        return self.names if self.shows_all else list(self.quotas)

    def runs_before(self, experiment: str) -> list[str]:
        """Return the tasks that make runs of an experiment in this call, before it is projected."""
        if experiment in self.chained:
            return [f"iterate:{experiment}"]
        is_guided = self.request.command == GUIDED and experiment == self.given("exp", str)
        return [GUIDING] if is_guided else []

    @cached_property
    def projected(self) -> list[str]:
        """Experiments whose ``project`` task is loaded."""
        if self.shows_all:
            return self.names
        wanted = self.given("exp", str)
        named = [wanted] if wanted in self.names else []
        return sorted({*self.stale, *self.chained, *named})


def _as_list(status: Status) -> list[Any]:
    as_of = status.as_of
    return [as_of.spec_sha256, as_of.journal_bytes, as_of.metrics_bytes]


@cache
def view() -> View:
    """Return the one view of this call."""
    return View(requests.current())
