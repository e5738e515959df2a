"""The right to work on one experiment, and what is known of it while that lasts.

A session holds the lease. Its owner plans, executes and seals; nobody else does meanwhile.
Opening one first completes what an earlier owner left unfinished (``steps/reclaim``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import history
from hermes.errors import BrokenFile
from hermes.lab import Lab
from hermes.model import Intent, Lease, Phase
from hermes.state import ExperimentState, current_tier
from hermes.store.specs import LoadedSpec

if TYPE_CHECKING:
    from hermes.executing.run import Executor
    from hermes.search.base import Strategy
    from hermes.spec import Spec


@dataclass(frozen=True)
class Order:
    """What a command asks of its iterations.

    ``attended`` means that a person or agent gave the command for this experiment, so cadence
    and autonomy do not hold it back. ``runs`` bounds the iterations.
    """

    attended: bool = False
    runs: int = 1
    strategy: str | None = None
    seed: int | None = None
    search_space: Path | None = None
    pause_seconds: float = 0.0


class Session:
    """One experiment under lease. Use ``opened``; close it when done."""

    def __init__(self, lab: Lab, experiment: str, lease: Lease, order: Order) -> None:
        self.lab = lab
        self.experiment = experiment
        self.lease = lease
        self.order = order
        self.layout = lab.layout.experiment(experiment)
        past = history.read(lab, experiment)
        self.loaded: LoadedSpec = past.spec
        self.state: ExperimentState = past.state
        self._check_journal()
        last = lab.index(experiment).last()
        self.previous_sha256: str | None = last.sha256 if last else None
        self.last_planned_at: str = last.planned_at if last else ""
        self.fenced_out = False
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
        """The strategy that makes proposals; None when runs have no parameters."""
        return self.order.strategy or self.spec.strategy

    @property
    def seed(self) -> int:
        """The seed of strategy and runs."""
        return self.order.seed if self.order.seed is not None else self.spec.seed

    @cached_property
    def executor(self) -> Executor:
        """What runs the commands; it keeps the sandbox warm between iterations."""
        from hermes.executing.run import Executor

        return Executor(self.lab.clock)

    @cached_property
    def base_environment(self) -> dict[str, str]:
        """The part of the caller's environment that commands may see."""
        from hermes.executing import environment

        return environment.base(self.lab.environ)

    @cached_property
    def strategy(self) -> Strategy | None:
        """The strategy, told of every sealed run; None when the runs have no parameters."""
        from hermes.steps.proposing import make_strategy

        return make_strategy(self)

    def tell(self, line_trial: object) -> None:
        """Tell the strategy of a sealed run, if there is one in use."""
        if "strategy" in self.__dict__ and self.strategy is not None:
            self.strategy.tell(line_trial)  # type: ignore[arg-type]  # a Trial

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

    def close(self) -> None:
        """Release the lease. Called once, whatever happened."""
        if "executor" in self.__dict__:
            self.executor.close()
        self.lab.packages.close()  # before others may take the lease and clear the folder away
        self.lab.leases.release(self.lease)


def open_session(
    lab: Lab, experiment: str, order: Order, *, wait_seconds: float = 0.0
) -> Session | None:
    """Take the lease and complete what was left unfinished; None when somebody else works.

    Raises BrokenFile when the SPEC or the journal cannot be read; the lease is given back then.
    """
    from hermes.steps.mending import mend_index
    from hermes.steps.reclaim import reconcile

    lease = lab.leases.acquire(experiment, wait_seconds=wait_seconds)
    if lease is None:
        return None
    try:
        mend_index(lab, experiment)
        session = Session(lab, experiment, lease, order)
        reconcile(session)
        _accept_edit(session)
    except BaseException:
        lab.packages.close()
        lab.leases.release(lease)
        raise
    return session


@contextmanager
def opened(
    lab: Lab, experiment: str, order: Order, *, wait_seconds: float = 0.0
) -> Iterator[Session | None]:
    """Open a session for the body and close it; yields None when somebody else works."""
    session = open_session(lab, experiment, order, wait_seconds=wait_seconds)
    try:
        yield session
    finally:
        if session is not None:
            session.close()


def _accept_edit(session: Session) -> None:
    """Write down that SPEC.yaml was edited, so that each run's SPEC can be told by its digest."""
    if session.loaded.sha256 == session.state.spec_sha256:
        return
    session.lab.journal(session.experiment).append(
        at=session.lab.now(),
        intent=Intent.SPEC,
        by="human",
        after_runs=session.state.sealed_count,
        reason="SPEC.yaml was edited",
        spec_sha256=session.loaded.sha256,
    )
    session.lab.record("spec", session.experiment, detail=session.loaded.sha256)
    session.catch_up()
