"""The step ``seal``: judges what came of a run, closes its bundle and enters it into history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hermes import codec, files, history, policy
from hermes.errors import LabError
from hermes.improvement import improves
from hermes.model import Execution, IndexLine, Manifest, Origin, Outcome, RunMetrics
from hermes.state import fold_run
from hermes.steps.items import put_by
from hermes.steps.plan import Planned
from hermes.steps.promote import promote
from hermes.steps.proposing import BASELINE
from hermes.steps.session import Session
from hermes.store.index import index_line

if TYPE_CHECKING:
    from hermes.acceptance import Decision
    from hermes.steps.ruling import Ruling
    from hermes.store.bundles import ClosedBundle

_MOST_REASON = 500  # characters


@dataclass
class Sealing:
    """A run on its way into history: as it was folded, and what its bundle is to hold.

    ``line`` lacks the digest of the manifest; ``offset`` is where its index line will begin.
    ``closed`` is there when the bundle has been written.
    """

    planned: Planned
    line: IndexLine
    offset: int
    manifest: Manifest
    metrics: RunMetrics
    text: str
    decision: Decision | None
    closed: ClosedBundle | None = None


def seal(session: Session, planned: Planned, execution: Execution) -> IndexLine | None:
    """Seal a run that has ended and return its line; None when the lease is no longer ours.

    Writes: the bundle (the commit), then the index line, the event, the package's folder put by
    for the next one, and a phase line when the history now calls for one. Whoever finds one of
    these missing completes it.
    """
    judge(session, planned, execution)
    return settle(session)


def judge(session: Session, planned: Planned, execution: Execution) -> None:
    """Judge a run and take it into the session's view; ``settle`` makes it history.

    In between the next run may be planned and its command started, which then runs while this
    one is published; after a crash both are found as packages.
    """
    from hermes.render.run_text import result_text

    assert session.sealing is None, "the run before is not settled"
    ruling = _ruled(session, planned, execution)
    if ruling is not None:
        execution = ruling.execution
    metrics = _judged(session, planned.manifest, execution, ruling)
    manifest = _final(session, planned.manifest, execution)
    decision = None if ruling is None else ruling.decision
    text = result_text(session.spec, manifest, metrics, session.state, decision=decision)
    line = index_line(manifest, metrics, "")
    offset = session.state.metrics_bytes
    session.sealing = Sealing(planned, line, offset, manifest, metrics, text, decision)
    if planned in session.in_flight:
        session.in_flight.remove(planned)
    session.state = fold_run(session.state, line)
    if session.codes is not None and not line.outcome.is_retried:
        session.codes.note(line.run_id, line.code)
    session.tell(line.trial_record())


def _ruled(session: Session, planned: Planned, execution: Execution) -> Ruling | None:
    if execution.measurement is None:  # no candidate was measured
        return None
    from hermes.steps.ruling import ruled

    return ruled(session, planned, execution)


def write_bundle(session: Session) -> None:
    """Write the bundle of the run that was judged, if there is one: the first part of ``settle``.

    It becomes durable while other things are done.

    Writes: as ``Bundles.close``.
    """
    sealing = session.sealing
    if sealing is None or sealing.closed is not None:
        return
    decision = sealing.decision
    try:
        sealing.closed = session.lab.bundles.close(
            sealing.planned.folder,
            sealing.manifest,
            sealing.metrics,
            sealing.text,
            decision=None if decision is None else codec.to_json(decision, pretty=True),
        )
    except (LabError, OSError):  # its package stays where it is, for the next owner
        session.sealing = None
        raise


def write_small_bundle(session: Session) -> None:
    """Write the bundle of the run that was judged, unless there are artifacts to digest and sync.

    Those had better wait until the next command is at work.

    Writes: as ``write_bundle``.
    """
    sealing = session.sealing
    if sealing is not None and not files.list_folder(sealing.planned.folder.run.artifacts):
        write_bundle(session)


def settle(session: Session) -> IndexLine | None:
    """Make the run that was judged history; None when that cannot be any more.

    None too when there is no such run. Interrupted, it may be called again.

    Writes: as ``seal``.
    """
    sealing = session.sealing
    if sealing is None:
        return None
    try:
        write_bundle(session)
        ended = _enter(session, sealing)
    except (LabError, OSError):  # as in ``write_bundle``
        session.sealing = None
        raise
    except BaseException:
        sealing.closed = None  # nobody knows whether it became durable
        raise
    session.sealing = None
    if ended is None:
        session.fenced_out = True
        return None
    line = ended.line
    session.previous_sha256 = line.sha256
    if ended.is_as_judged:
        _confirm(session, sealing, ended)
    else:
        session.state = history.read(session.lab, session.experiment).state
    _review(session)
    promote(session, line)
    return line


@dataclass(frozen=True)
class _Entered:
    """A run in history: its line, and what the index grew by, in bytes.

    Not ``is_as_judged`` when it was sealed before, by an attempt that was cut short.
    """

    line: IndexLine
    length: int
    is_as_judged: bool


def _enter(session: Session, sealing: Sealing) -> _Entered | None:
    """Publish the bundle and enter it into history; None when the lease is no longer ours."""
    assert sealing.closed is not None
    lab, metrics = session.lab, sealing.metrics
    bundle = lab.bundles.publish(sealing.closed, fence=lab.leases.fenced(session.lease))
    if bundle is None:
        return None
    line = index_line(bundle.manifest, metrics, bundle.sha256)
    written = lab.index(session.experiment).append(line)
    detail = line.outcome.value if line.value is None else f"{line.outcome.value} {line.value!r}"
    lab.record("sealed", session.experiment, line.run_id, detail)
    lab.packages.recycle(sealing.planned.folder)
    put_by(lab, session.experiment, line)
    return _Entered(line, len(written), is_as_judged=bundle.metrics is metrics)


def _confirm(session: Session, sealing: Sealing, ended: _Entered) -> None:
    """Complete the folded line, and count its bytes unless they have been read meanwhile."""
    state, line = session.state, ended.line
    recent = tuple(line if item.seq == line.seq else item for item in state.recent)
    unread = ended.length if state.metrics_bytes == sealing.offset else 0
    session.state = replace(state, recent=recent, metrics_bytes=state.metrics_bytes + unread)


def _judged(
    session: Session, manifest: Manifest, execution: Execution, ruling: Ruling | None
) -> RunMetrics:
    """Say whether the run became the best of its tier. Only a success has a value."""
    succeeded = execution.outcome is Outcome.SUCCESS and execution.value is not None
    value = execution.value if succeeded else None
    if ruling is not None:
        accepted = ruling.accepted
    else:
        accepted = value is not None and _is_accepted(session, manifest.fidelity_tier, value)
    return RunMetrics(
        metric=session.spec.metric,
        value=value,
        params=manifest.params,
        accepted=accepted,
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
    return improves(value, against, spec.metric_direction, spec.acceptance)


def _final(session: Session, draft: Manifest, execution: Execution) -> Manifest:
    return replace(
        draft,
        lease_id=session.lease.lease_id,
        seq=session.state.sealed_count + 1,
        outcome=execution.outcome,
        reason=shortened(execution.reason),
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        exit_status=execution.exit_status,
        usage=execution.usage,
        workspace=execution.workspace,
        machine=execution.machine,
        code=execution.code,
        **_as_baseline(execution),
        previous_sha256=session.previous_sha256,
    )


def shortened(reason: str) -> str:
    """Return a reason that fits a line of the index; the logs hold the rest."""
    return reason if len(reason) <= _MOST_REASON else f"{reason[:_MOST_REASON]}…"


def _as_baseline(execution: Execution) -> dict[str, Any]:
    """Say what a run has become that was planned as a change, and met a new evaluator."""
    taken = execution.measurement
    if taken is None or taken.compared_with is not None:
        return {}
    return {"origin": Origin.BASELINE, "strategy": BASELINE}


def _review(session: Session) -> None:
    change = policy.review(session.state, session.spec, attended=session.order.attended)
    if change is not None:
        session.decide(change.phase, change.reason)
