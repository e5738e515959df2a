"""When somebody asks whether an evaluator can be trusted: audit."""

from __future__ import annotations

from typing import Any

from hermes.cli import console, signals
from hermes.errors import CheckFailed
from hermes.rules.asked import asked
from hermes.rules.plan import WAIT_SECONDS, busy
from hermes.rules.view import view


def task_audit() -> dict[str, Any]:
    """Test the evaluator of a code loop."""
    return asked("audit", audit)


def audit() -> None:
    """Print what the audit found; exit 1 when that is more than notes."""
    from hermes.render.audit import audit_text
    from hermes.steps.audit import audit as test
    from hermes.steps.session import TakenOver

    experiment, repeats = view().need("exp", str), view().need("repeats", int)
    try:
        report = test(
            view().lab, experiment, repeats=repeats, wait_seconds=WAIT_SECONDS, halt=signals.halt
        )
    except TakenOver:
        raise busy(experiment) from None
    if report is None:
        raise busy(experiment)
    if view().wants_json:
        console.document(report)
    else:
        console.say(
            audit_text(report.id, report.metric, report.probes, report.audit, width=console.width())
        )
    if not report.audit.is_fine:
        raise CheckFailed(
            f"The evaluator of {experiment} is not to be trusted as it is.",
            "Mend what is named above, then audit it again.",
        )
