"""The right to work on one experiment, and what is known of it while that lasts.

A session holds the lease. Its owner plans, executes and seals; nobody else does meanwhile.
It is opened by ``steps/opening``, which first completes what an earlier owner left unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import history
from hermes.decisions import Intent
from hermes.errors import BrokenFile
from hermes.lab import Lab
from hermes.layout import PackageLayout
from hermes.model import Json, Lease, Manifest, Phase, Trial
from hermes.state import ExperimentState, current_tier
from hermes.steps.mending import read_mended
from hermes.store.specs import LoadedSpec

if TYPE_CHECKING:
    from hermes.executing.run import Executor
    from hermes.promotions import Written
    from hermes.search.base import Strategy
    from hermes.spec import Spec
    from hermes.steps.coding import Codes
    from hermes.steps.plan import Planned
    from hermes.steps.seal import Sealing


_SWARM = "swarm"


def _go_on() -> bool:
    return False


def _say_nothing(reason: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Order:
    """What a command asks of its iterations.

    ``attended`` means that a person or agent gave the command for this experiment, so cadence
    and autonomy do not hold it back. ``runs`` bounds the iterations, ``parallel`` those at a time
    (None: as the SPEC says). ``options`` are the strategy's, in the place of the SPEC's.
    ``waiting`` is told why nothing is run for a while, when that will pass by itself.
    ``item`` names the work item whose answer alone is to be measured.
    ``halt`` says whether no further run is wanted; it raises when none may go on. While a run is
    entered into history within ``uncut``, no signal cuts that short.
    """

    attended: bool = False
    runs: int = 1
    strategy: str | None = None
    seed: int | None = None
    search_space: Path | None = None
    pause_seconds: float = 0.0
    parallel: int | None = None
    options: Mapping[str, Json] | None = None
    waiting: Callable[[str], None] = _say_nothing
    item: str | None = None
    halt: Callable[[], bool] = _go_on
    uncut: Callable[[], AbstractContextManager[None]] = nullcontext


class TakenOver(Exception):
    """What runs must stop: the lease is no longer ours, or it is being ended."""


class Halted(Exception):
    """What is only prepared must stop: no further run is wanted."""


class Session:
    """One experiment under lease. Close it when done."""

    def __init__(self, lab: Lab, experiment: str, lease: Lease, order: Order) -> None:
        self.lab = lab
        self.experiment = experiment
        self.lease = lease
        self.order = order
        self.layout = lab.layout.experiment(experiment)
        past = read_mended(lab, experiment)
        self.loaded: LoadedSpec = past.spec
        self.state: ExperimentState = past.state
        self._check_journal()
        last = lab.index(experiment).last()
        self.previous_sha256: str | None = last.sha256 if last else None
        self.last_planned_at: str = max((run.planned_at for run in self.state.recent), default="")
        self.left_planned: list[PackageLayout] = []  # by an earlier owner, and never started
        self.put_off: list[Manifest] = []  # of these, those that this order is not for
        self.in_flight: list[Planned] = []  # planned, and neither sealed nor given up
        self.sealing: Sealing | None = None  # judged, and not yet history
        self._executors: dict[int, Executor] = {}
        self.meanwhile: Callable[[], object] = lambda: None  # for when an agent is at work
        self.strategy: Strategy | None = None  # made when it is first asked: ``proposing``
        self.codes: Codes | None = None  # what is known of candidates: ``coding``
        self.applied: Mapping[str, Written] = {}  # what promotions wrote into the workspace
        self.fenced_out = False
        self.only_let = False  # to be run only what a person asked for or let run
        self.has_planned = False
        self.checked_names: set[tuple[str, frozenset[str]]] = set()

    def _check_journal(self) -> None:
        """Refuse to work where it cannot be told any more whether a person allows it."""
        if not self.state.journal_seq:
            raise BrokenFile(
                str(self.layout.journal),
                "holds no decision that can be read",
                "Take it from a backup, or decide anew: "
                f"`hermes-lab resume exp={self.experiment}`.",
            )

    @property
    def spec(self) -> Spec:
        """The SPEC in force for this session."""
        return self.loaded.spec

    @property
    def worker(self) -> str:
        """The name under which this session holds packages."""
        return f"local-{self.lease.pid}-{self.lease.token}"

    @property
    def tier(self) -> str:
        """The tier of the next run."""
        return current_tier(self.state, self.spec.first_tier)

    @property
    def strategy_name(self) -> str | None:
        """The strategy that makes proposals; None when runs have no parameters.

        The default swarm over a code loop without a search space is one of candidates alone.
        """
        named = self.order.strategy or self.spec.strategy
        return None if named == _SWARM and self._has_only_code else named

    @property
    def _has_only_code(self) -> bool:
        if not self.spec.at_tier(self.tier).is_code_loop:
            return False
        asked = "strategies" in (self.order.options or {})
        return not (asked or self.order.search_space or self.spec.search_space)

    @property
    def seed(self) -> int:
        """The seed of strategy and runs."""
        return self.order.seed if self.order.seed is not None else self.spec.seed

    @property
    def parallel(self) -> int:
        """How many runs may be in flight at a time."""
        return self.order.parallel or self.spec.max_parallel

    @property
    def unsealed(self) -> list[Manifest]:
        """The runs that have a number and no place in history, nor on the way to it."""
        return [*self.put_off, *(planned.manifest for planned in self.in_flight)]

    def executor(self, slot: int = 0) -> Executor:
        """Return what runs the commands of a slot; it keeps its sandbox warm between iterations."""
        if slot not in self._executors:
            from hermes.executing.run import Executor

            self._executors[slot] = Executor(self.lab.clock)
        return self._executors[slot]

    @cached_property
    def base_environment(self) -> dict[str, str]:
        """The part of the caller's environment that commands may see."""
        from hermes.executing import environment

        return environment.base(self.lab.environ)

    def tell(self, trial: Trial) -> None:
        """Tell the strategy of a sealed run, if one is in use."""
        if self.strategy is not None:
            self.strategy.tell(trial)

    def catch_up(self) -> None:
        """Fold what others decided meanwhile: a pause takes effect at the next iteration."""
        self.state = history.advance(self.lab, self.experiment, self.state)

    def decide(self, phase: Phase, reason: str, *, by: str = "lab") -> None:
        """Set the phase, on the lab's own account unless another is named.

        Writes: a line of the journal, durable, and an event.
        """
        self.lab.journal(self.experiment).append(
            at=self.lab.now(),
            intent=Intent.PHASE,
            by=by,
            after_runs=self.state.sealed_count,
            phase=phase,
            reason=reason,
        )
        self.lab.record("phase", self.experiment, detail=f"{phase.value}: {reason}")
        self.catch_up()

    def beat(self) -> None:
        """Give a sign of life; notes when the lease is no longer ours."""
        self.fenced_out = not self.lab.leases.renew(self.lease)

    def hold(self) -> None:
        """Give a sign of life while a command runs.

        Raises TakenOver, which stops the command, when it could not be sealed any more.
        """
        self.order.halt()
        self.beat()
        if self.fenced_out:
            raise TakenOver

    def close(self) -> None:
        """Release the lease. Called once, whatever happened."""
        for planned in self.in_flight:
            planned.make_durable()
        for executor in self._executors.values():
            executor.close()
        self.lab.packages.close()  # before others may take the lease and clear the folder away
        self.lab.leases.release(self.lease)
