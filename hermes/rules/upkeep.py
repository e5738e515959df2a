"""When the lab is looked after: refresh, watchdog, recover, verify."""

from __future__ import annotations

from typing import Any

from hermes.cli import console
from hermes.errors import CheckFailed
from hermes.rules.asked import asked
from hermes.rules.view import view


def task_refresh() -> dict[str, Any]:
    """Rebuild every projection from the canonical files."""
    return asked("refresh", refresh_all)


def task_watchdog() -> dict[str, Any]:
    """Report what is unhealthy; with repair=yes mend what can be mended."""
    return asked("watchdog", watch)


def task_recover() -> dict[str, Any]:
    """Recover everything after a crash; living work is never touched."""
    return asked("recover", recover_all)


def task_verify() -> dict[str, Any]:
    """Check every checksum and chain."""
    return asked("verify", verify_all)


def refresh_all() -> None:
    """Rebuild projections and say of how many experiments."""
    from hermes.steps.refresh import refresh

    refreshed = refresh(view().lab, view().given("exp", str))
    for problem in refreshed.problems:
        console.notice(problem)
    console.say(f"Rebuilt the projections of {refreshed.count} experiment(s) and of the lab.")
    if refreshed.problems:
        raise CheckFailed(
            f"{len(refreshed.problems)} could not be rebuilt; see above.",
            f"Run `{view().request.again} watchdog`.",
        )


def watch() -> None:
    """Print the findings; exit 1 when any remains."""
    from hermes.steps.watchdog import watchdog

    repair = view().given("repair", str) == "yes"
    findings = watchdog(view().lab, repair=repair)
    open_findings = [finding for finding in findings if not finding.mended]
    if view().wants_json:
        console.document({"healthy": not open_findings, "findings": findings})
    for finding in findings if not view().wants_json else []:
        console.say(finding.text)
    if open_findings:
        raise CheckFailed(
            f"{len(open_findings)} finding(s).",
            "What remains needs a person." if repair else _mend(),
        )
    if not view().wants_json:
        console.say("The lab is healthy.")


def _mend() -> str:
    again = view().request.again
    return f"Run `{again} watchdog repair=yes`; what then remains needs a person."


def recover_all() -> None:
    """Recover and say what was done."""
    from hermes.steps.recover import recover

    for line in recover(view().lab):
        console.say(line)
    console.say("Recovered; nothing is left unfinished.")


def verify_all() -> None:
    """Verify and name each file that is not as it was sealed; exit 1 when there is one."""
    from hermes.steps.verify import verify

    checked = verify(view().lab, view().given("exp", str))
    for problem in checked.problems:
        console.say(problem)
    if checked.problems:
        raise CheckFailed(
            f"{len(checked.problems)} problem(s) in {checked.bundles} sealed run(s).",
            "Restore the files named above from a backup; derived ones with "
            f"`{view().request.again} refresh`.",
        )
    console.say(f"{checked.bundles} sealed run(s) are as they were sealed.")
