"""The step ``seal``: judges what came of a run, closes its bundle and enters it into history."""

from __future__ import annotations

from dataclasses import replace

from hermes import acceptance, policy
from hermes.model import Execution, IndexLine, Manifest, Outcome, RunMetrics
from hermes.state import fold_run
from hermes.steps.plan import Planned
from hermes.steps.session import Session
from hermes.store.index import index_line

_MOST_REASON = 500  # characters


def seal(session: Session, planned: Planned, execution: Execution) -> IndexLine | None:
    """Seal a run that has ended and return its line; None when the lease is no longer ours.

    Writes: the bundle (the commit), then the index line, the event, the package's folder put by
    for the next one, and a phase line when the history now calls for one. Whoever finds one of
    these missing completes it.
    """
    from hermes.render.run_text import result_text

    metrics = _judged(session, planned.manifest, execution)
    manifest = _final(session, planned.manifest, execution)
    text = result_text(session.spec, manifest, metrics, session.state)
    bundle = session.lab.bundles.seal(
        planned.folder, manifest, metrics, text, fence=session.lab.leases.fenced(session.lease)
    )
    if bundle is None:
        session.fenced_out = True
        return None
    line = index_line(bundle.manifest, metrics, bundle.sha256)
    _enter(session, line)
    if planned in session.in_flight:
        session.in_flight.remove(planned)
    session.lab.packages.recycle(planned.folder)
    _review(session)
    return line


def _judged(session: Session, manifest: Manifest, execution: Execution) -> RunMetrics:
    """Say whether the run became the best of its tier. Only a success has a value."""
    succeeded = execution.outcome is Outcome.SUCCESS and execution.value is not None
    value = execution.value if succeeded else None
    return RunMetrics(
        metric=session.spec.metric,
        value=value,
        params=manifest.params,
        accepted=value is not None and _is_accepted(session, manifest.fidelity_tier, value),
        outcome=execution.outcome,
        secondary=execution.secondary if succeeded else {},
    )


def _is_accepted(session: Session, tier: str, value: float) -> bool:
    """Say whether a value beats the incumbent, and every other run of its tier.

    The second follows from the first, unless the direction or the margin was edited.
    """
    spec, best = session.spec, session.state.best(tier)
    if best is not None and not spec.metric_direction.better(value, best.value):
        return False
    incumbent = session.state.incumbents.get(tier)
    against = incumbent.value if incumbent else None
    return acceptance.improves(value, against, spec.metric_direction, spec.acceptance)


def _final(session: Session, draft: Manifest, execution: Execution) -> Manifest:
    return replace(
        draft,
        lease_id=session.lease.lease_id,
        seq=session.state.sealed_count + 1,
        outcome=execution.outcome,
        reason=_short(execution.reason),
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        exit_status=execution.exit_status,
        usage=execution.usage,
        workspace=execution.workspace,
        machine=execution.machine,
        previous_sha256=session.previous_sha256,
    )


def _short(reason: str) -> str:
    """Return a reason that fits a line of the index; the logs hold the rest."""
    return reason if len(reason) <= _MOST_REASON else f"{reason[:_MOST_REASON]}…"


def _enter(session: Session, line: IndexLine) -> None:
    """Index the sealed run, record the event, and fold it into the session's own view."""
    written = session.lab.index(session.experiment).append(line)
    detail = line.outcome.value if line.value is None else f"{line.outcome.value} {line.value!r}"
    session.lab.record("sealed", session.experiment, line.run_id, detail)
    if written:
        state = fold_run(session.state, line)
        session.state = replace(state, metrics_bytes=state.metrics_bytes + len(written))
    else:  # whoever mended the index was quicker: fold the line that stands there
        session.catch_up()
    session.previous_sha256 = line.sha256
    session.tell(line.trial_record())


def _review(session: Session) -> None:
    change = policy.review(session.state, session.spec, attended=session.order.attended)
    if change is not None:
        session.decide(change.phase, change.reason)
