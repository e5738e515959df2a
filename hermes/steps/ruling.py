"""The verdict on a candidate, as the step ``seal`` writes it down: decision.json and the outcome.

Limit first: the decision is made anew from the samples, against the incumbent of the moment of
sealing; nothing is measured any more then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hermes import acceptance, codec
from hermes.acceptance import Verdict
from hermes.model import Execution, Measurement, Outcome
from hermes.steps.coding import codes
from hermes.steps.plan import Planned
from hermes.steps.session import Session

_OUTCOMES = {
    Verdict.ACCEPT: Outcome.SUCCESS,
    Verdict.REJECT: Outcome.REJECTED,
    Verdict.INCONCLUSIVE: Outcome.INCONCLUSIVE,
}


@dataclass(frozen=True)
class Ruling:
    """What became of an execution: as it is judged, and decision.json, if there is any."""

    execution: Execution
    accepted: bool
    decision: bytes | None = None


def ruled(session: Session, planned: Planned, execution: Execution) -> Ruling | None:
    """Judge a candidate that was measured; None for a run that is no such thing."""
    measurement, code = execution.measurement, execution.code
    if measurement is None or code is None or execution.outcome is not Outcome.SUCCESS:
        return None
    decision = _decided(session, planned, measurement)
    accepted = decision.verdict is Verdict.ACCEPT
    outcome = _OUTCOMES[decision.verdict]
    reason = "" if accepted else _told(decision)
    judged = replace(execution, outcome=outcome, reason=reason)
    if accepted:
        run_id = planned.manifest.run_id
        codes(session).keep(run_id, planned.folder.run, code, decision)
    return Ruling(judged, accepted, codec.to_json(decision, pretty=True))


def _told(decision: acceptance.Decision) -> str:
    """Return the reason for the record, which agents read: no number of a hold-out is in it."""
    if decision.holdout is not None and not decision.holdout.passed:
        return "It is withdrawn: the hold-out does not bear it out; decision.json has the numbers."
    return decision.reason


def _decided(session: Session, planned: Planned, measurement: Measurement) -> acceptance.Decision:
    tier = planned.manifest.fidelity_tier
    incumbent = codes(session).incumbent(tier)
    standing = None
    if measurement.compared_with is not None and incumbent is not None:
        standing = incumbent.standing
        if standing.run_id != measurement.compared_with:  # another has won since
            measurement = replace(
                measurement, compared_with=standing.run_id, incumbent=(), holdout_before=None
            )
    spec = session.spec.at_tier(tier)
    case = acceptance.Case(spec.metric_direction, spec.acceptance, measurement, standing)
    return acceptance.weigh(case, final=True)
