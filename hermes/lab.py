"""The lab's wiring: from a data root to the stores that own its files; no logic.

Stores are made when first asked for, so that a command imports only what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import files
from hermes.clock import Clock, SystemClock, format_time
from hermes.errors import BrokenFile, RequestError, UnknownName
from hermes.layout import EXPERIMENT_ID, ExperimentLayout, Layout
from hermes.model import SCHEMA_VERSION

if TYPE_CHECKING:
    from hermes.store.bundles import Bundles
    from hermes.store.control import Control
    from hermes.store.index import Index
    from hermes.store.items import Items
    from hermes.store.journal import Journal
    from hermes.store.leases import Leases
    from hermes.store.ledger import Ledger
    from hermes.store.packages import Packages
    from hermes.store.projections import Projections
    from hermes.store.promoted import Promoted


class Lab:
    """One data root and the stores over it."""

    schema_version = SCHEMA_VERSION

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        term_seconds: float = 300.0,
    ) -> None:
        self.layout = Layout(root)
        self.clock: Clock = clock or SystemClock()
        self.environ: Mapping[str, str] = environ or {}
        self._term_seconds = term_seconds

    def now(self) -> str:
        """Return the time as records write it."""
        return format_time(self.clock.now())

    @property
    def is_there(self) -> bool:
        """Say whether the data root has been initialised."""
        return files.exists(self.layout.experiments)

    def require(self) -> None:
        """Raise RequestError when there is no lab at the data root."""
        if not self.is_there:
            raise RequestError(
                f"There is no lab at {self.layout.root}.",
                "Run `hermes-lab init` first, or set HERMES_LAB_DATA_ROOT to the one you mean.",
            )

    def experiments(self) -> list[str]:
        """Return the ids of all experiments, sorted."""
        return [name for name in files.list_folder(self.layout.experiments) if is_id(name)]

    def experiment(self, experiment: str) -> ExperimentLayout:
        """Return the paths of an experiment that exists. Raises UnknownName."""
        self.require()
        if not is_id(experiment) or not self.layout.experiment(experiment).folder.is_dir():
            raise UnknownName(
                "experiment",
                experiment,
                self.experiments(),
                "See `hermes-lab experiments` for all of them.",
            )
        return self.layout.experiment(experiment)

    @cached_property
    def leases(self) -> Leases:
        """Who works on which experiment."""
        from hermes.store.leases import Leases

        return Leases(self.layout, self.clock, term_seconds=self._term_seconds)

    @cached_property
    def packages(self) -> Packages:
        """Runs on their way."""
        from hermes.store.packages import Packages

        return Packages(self.layout)

    @cached_property
    def items(self) -> Items:
        """Work in the hands of agents."""
        from hermes.store.items import Items

        return Items(self.layout)

    @cached_property
    def bundles(self) -> Bundles:
        """Sealed runs."""
        from hermes.store.bundles import Bundles

        return Bundles(self.layout)

    @cached_property
    def ledger(self) -> Ledger:
        """Everything that happened."""
        from hermes.store.ledger import Ledger

        return Ledger(self.layout.events)

    @cached_property
    def control(self) -> Control:
        """What waits for a person, in files."""
        from hermes.store.control import Control

        return Control(self.layout)

    @cached_property
    def projections(self) -> Projections:
        """Files derived from the records."""
        from hermes.store.projections import Projections

        return Projections(self.layout)

    def journal(self, experiment: str) -> Journal:
        """The decisions about one experiment."""
        from hermes.store.journal import Journal

        return Journal(self.layout.experiment(experiment).journal)

    def promoted(self, experiment: str) -> Promoted:
        """What promotions of one experiment wrote into the user's workspace."""
        from hermes.store.promoted import Promoted

        return Promoted(self.layout.experiment(experiment))

    def index(self, experiment: str) -> Index:
        """The index of one experiment's sealed runs."""
        from hermes.store.index import Index

        return Index(self.layout.experiment(experiment))

    def record(
        self, kind: str, experiment: str | None = None, run_id: str | None = None, detail: str = ""
    ) -> None:
        """Append an event to the ledger. A broken ledger stops no work: ``watchdog`` names it.

        Writes: one line of ``registry/events.jsonl``, not synced; ``recover`` completes it.
        """
        with suppress(BrokenFile):
            self.ledger.append(self.now(), kind, experiment, run_id, detail)


def is_id(name: str) -> bool:
    """Say whether ``name`` may be an experiment's id."""
    return EXPERIMENT_ID.match(name) is not None
