"""Begins and ends the sessions in which a person answers each proposal; for the mode ``guided``.

A session is lines of the journal, so that the next call of the command goes on with it. While one
is open, nothing of the experiment runs unattended.
"""

from __future__ import annotations

from hermes.decisions import Intent
from hermes.lab import Lab
from hermes.model import Manifest
from hermes.state import ExperimentState
from hermes.steps.session import Session


def begin(session: Session, runs: int) -> None:
    """Go on with the open session of ``runs`` runs, or begin one; any other one ends with that.

    Also removes what was planned and never started without a person's word.

    Writes: perhaps a line of the journal, durable, and an event; removals.
    """
    _withdraw_planned(session)
    before = session.state.steering.session
    if before is not None and before.runs == runs:
        return
    session.lab.journal(session.experiment).append(
        at=session.lab.now(),
        intent=Intent.GUIDED,
        by="human",
        after_runs=session.state.sealed_count,
        reason="began",
        runs=runs,
        since=session.state.steering.answered,
    )
    session.lab.record("guided", session.experiment, detail=f"began: {runs}")
    session.catch_up()


def going_on(experiment: str, state: ExperimentState) -> str:
    """Return the command that goes on with the open session; another ``n`` would begin another."""
    session = state.steering.session
    return f"guided exp={experiment}" + (f" n={session.runs}" if session is not None else "")


def end(lab: Lab, experiment: str, state: ExperimentState, why: str) -> None:
    """End the open session, if there is one; a proposal that waits is withdrawn.

    Writes: perhaps a line of the journal, durable, and an event.
    """
    if state.steering.session is None:
        return
    lab.journal(experiment).append(
        at=lab.now(),
        intent=Intent.GUIDED,
        by="human",
        after_runs=state.sealed_count,
        reason=f"ended: {why}",
    )
    lab.record("guided", experiment, detail=f"ended: {why}")


def _withdraw_planned(session: Session) -> None:
    """Remove a run that was planned and never started, and that no person has let run.

    Its strategy proposes the same again, and a person is asked then.
    """
    packages = session.lab.packages
    for found in packages.running(session.experiment):
        draft = packages.read(found.layout)
        is_let_run = draft is None or _is_let_run(draft)
        if not is_let_run and packages.stage_of(found.layout) == "planned":
            packages.discard(found.layout)


def _is_let_run(draft: Manifest) -> bool:
    """Say whether a person asked for it, or let it run before it was cut off."""
    return draft.request is not None or draft.parent_run is not None
