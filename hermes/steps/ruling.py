"""The verdict on a candidate, as the step ``seal`` writes it down: decision.json and the outcome.

Limit first: the decision is made anew from the samples, against the incumbent of the moment of
sealing; nothing is measured any more then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hermes import acceptance
from hermes.acceptance import Verdict
from hermes.measured import Code, Measurement
from hermes.model import Execution, Outcome
from hermes.steps.coding import codes
from hermes.steps.plan import Planned
from hermes.steps.session import Session

if TYPE_CHECKING:
    from hermes.executing.candidate import Incumbent

_OUTCOMES = {
    Verdict.ACCEPT: Outcome.SUCCESS,
    Verdict.REJECT: Outcome.REJECTED,
    Verdict.INCONCLUSIVE: Outcome.INCONCLUSIVE,
}


_OUTLIVED = "meanwhile the evaluator was changed: it was measured by the one before"


@dataclass(frozen=True)
class Ruling:
    """What became of an execution: as it is judged, and what was decided, if anything was."""

    execution: Execution
    accepted: bool
    decision: acceptance.Decision | None = None


def ruled(session: Session, planned: Planned, execution: Execution) -> Ruling | None:
    """Judge a candidate that was measured; None for a run that is no such thing."""
    measurement, code = execution.measurement, execution.code
    if measurement is None or code is None or execution.outcome is not Outcome.SUCCESS:
        return None
    incumbent = codes(session).incumbent(planned.manifest.fidelity_tier)
    if measurement.compared_with is not None and _is_outlived(incumbent, code):
        return Ruling(
            replace(execution, outcome=Outcome.INCONCLUSIVE, reason=_OUTLIVED), accepted=False
        )
    decision = _decided(session, planned, incumbent, code, measurement)
    accepted = decision.verdict is Verdict.ACCEPT
    judged = replace(
        execution,
        outcome=_OUTCOMES[decision.verdict],
        reason=_told(decision, incumbent, code),
    )
    if accepted:
        run_id = planned.manifest.run_id
        codes(session).keep(run_id, planned.folder.run, code, decision)
    return Ruling(judged, accepted, decision)


def _is_outlived(incumbent: Incumbent | None, code: Code) -> bool:
    """Say whether what a candidate was to beat is not there any more, or measured otherwise."""
    return incumbent is None or incumbent.evaluator != code.evaluator


def _told(decision: acceptance.Decision, incumbent: Incumbent | None, code: Code) -> str:
    """Return the reason for the record, which agents read: no number of a hold-out is in it.

    An ordinary win needs none.
    """
    if decision.holdout is not None and not decision.holdout.passed:
        return "It is withdrawn: the hold-out does not bear it out; decision.json has the numbers."
    if decision.verdict is not Verdict.ACCEPT or decision.complexity.broke_tie:
        return decision.reason
    return _why_anew(incumbent, code) if decision.case.standing is None else ""


def _why_anew(incumbent: Incumbent | None, code: Code) -> str:
    """Say why a baseline was needed, unless it is the first."""
    if incumbent is None:
        return ""
    before = incumbent.standing.run_id
    what = "what measures" if incumbent.evaluator != code.evaluator else "the workspace's own code"
    return f"{what} was changed since {before}, so its code is measured anew"


def _decided(
    session: Session,
    planned: Planned,
    incumbent: Incumbent | None,
    code: Code,
    measurement: Measurement,
) -> acceptance.Decision:
    standing = None
    if incumbent is not None and _is_rival(incumbent, code, measurement):
        standing = incumbent.standing
        if standing.run_id != measurement.compared_with:  # another has won since
            measurement = replace(
                measurement,
                compared_with=standing.run_id,
                incumbent=(),
                holdout_before=incumbent.holdout,
            )
    spec = session.spec.at_tier(planned.manifest.fidelity_tier)
    case = acceptance.Case(spec.metric_direction, spec.acceptance, measurement, standing)
    return acceptance.weigh(case, final=True)


def _is_rival(incumbent: Incumbent, code: Code, measurement: Measurement) -> bool:
    """Say whether the incumbent is what a measurement is to be compared with.

    A baseline is compared with nothing, unless another slot's came first.
    """
    if measurement.compared_with is not None:
        return True
    came_first = incumbent.standing.run_id != measurement.replaces
    return came_first and incumbent.evaluator == code.evaluator
