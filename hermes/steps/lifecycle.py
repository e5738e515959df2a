"""The steps ``pause``, ``resume`` and ``complete``: a person's decisions about a phase."""

from __future__ import annotations

from hermes import history
from hermes.decisions import Intent
from hermes.errors import RequestError
from hermes.lab import Lab
from hermes.model import Phase
from hermes.status import guidance
from hermes.steps.guiding import end

_REFUSED = {
    (Phase.COMPLETED, Phase.PAUSED): "it is completed; resume it first if you mean to go on",
}


def set_phase(lab: Lab, experiment: str, phase: Phase, reason: str) -> bool:
    """Set the phase on a person's word; False when it was that already.

    Takes no lease: a running burst sees it at its next iteration. A guided experiment that nothing
    else holds back is let go on by itself: its guided session ends.

    Writes: a line of the journal, durable, and an event; two, when a guided session ends by it.
    """
    lab.experiment(experiment)
    past = history.read(lab, experiment)
    refused = _REFUSED.get((past.state.phase, phase))
    if refused:
        raise RequestError(f"{experiment} cannot be {phase.value}: {refused}.")
    if past.state.phase is phase and phase is not Phase.ACTIVE:
        return False
    if phase is Phase.ACTIVE and guidance(past.state) is not None:
        end(lab, experiment, past.state, "a person let it go on by itself")
    lab.journal(experiment).append(
        at=lab.now(),
        intent=Intent.PHASE,
        by="human",
        after_runs=past.state.sealed_count,
        phase=phase,
        reason=reason,
    )
    lab.record("phase", experiment, detail=f"{phase.value}: {reason}" if reason else phase.value)
    return True
