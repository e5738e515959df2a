"""Opens a session: takes the lease, completes what was left unfinished, notes an edited SPEC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hermes.decisions import Intent
from hermes.lab import Lab
from hermes.steps.promote import complete
from hermes.steps.reconcile import reconcile
from hermes.steps.session import Order, Session


def open_session(
    lab: Lab, experiment: str, order: Order, *, wait_seconds: float = 0.0
) -> Session | None:
    """Take the lease and complete what was left unfinished; None when somebody else works.

    Raises BrokenFile when the SPEC or the journal cannot be read; the lease is given back then.
    """
    lease = lab.leases.acquire(experiment, wait_seconds=wait_seconds)
    if lease is None:
        return None
    try:
        session = Session(lab, experiment, lease, order)
        reconcile(session)
        _accept_edit(session)
        complete(session)
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
