"""The step ``promote``: carries an accepted change out of the lab, as its SPEC asks for.

Called by whoever holds the lease: once a run is sealed that was accepted (``promote``), and when a
session is opened, for what a crash kept from being done (``complete``).

Limits first. A change that was refused is not tried again: the next accepted one holds it. Nothing
stops for a refusal; the pages of the experiment and of the lab ask a person to act.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hermes.clock import parse_time
from hermes.decisions import Decision, Intent
from hermes.errors import LabError, broken_file
from hermes.model import SCHEMA_VERSION, IndexLine
from hermes.promotions import BRANCHES, Applied, Refusal
from hermes.state import ExperimentState
from hermes.steps.session import Session

if TYPE_CHECKING:
    from hermes.executing.applying import Plan
    from hermes.executing.candidate import Kept
    from hermes.model import Manifest

Ending = tuple[Decision, str]


def owed(state: ExperimentState) -> str | None:
    """Return the run whose change was accepted and about which nothing was done yet."""
    return state.promotions.owed


def changes_workspace(session: Session) -> bool:
    """Say whether sealing the run that was judged last will write into the user's workspace."""
    is_applied = session.spec.promotion_strategy == "apply-on-accept"
    return is_applied and owed(session.state) is not None


def complete(session: Session) -> None:
    """Promote what is owed, if anything is; raises as ``promote``.

    Writes: as ``promote``.
    """
    run_id = owed(session.state)
    if run_id is None or session.spec.promotion_strategy == "patch-only":
        return
    lines = session.lab.index(session.experiment).read().lines
    line = next((line for line in reversed(lines) if line.run_id == run_id), None)
    if line is not None:
        promote(session, line)


def promote(session: Session, line: IndexLine) -> None:
    """Promote the change of a sealed run, if it is the one that is owed.

    Raises OSError when the machine is to blame, as for a full disk; then it stays owed.

    May be repeated after a kill at any point: what was done is recognised.

    Writes: the user's workspace, or the branch ``hermes/<id>`` of its repository; a line of the
    journal, durable, and an event. Nothing with ``patch-only``, or when the lease is not ours.
    """
    if owed(session.state) != line.run_id or session.spec.promotion_strategy == "patch-only":
        return
    session.beat()
    if session.fenced_out:
        return
    decision, reason = _ended(session, line)
    session.lab.journal(session.experiment).append(
        at=session.lab.now(),
        intent=Intent.PROMOTION,
        by="lab",
        after_runs=session.state.sealed_count,
        request=line.run_id,
        decision=decision,
        reason=reason,
    )
    detail = f"{decision.value}: {reason}"
    session.lab.record("promotion", session.experiment, line.run_id, detail)
    session.catch_up()


def _ended(session: Session, line: IndexLine) -> Ending:
    """Carry a change out and say what became of it."""
    from hermes.executing.candidate import load_kept

    spec = session.spec
    if spec.workspace_root is None:
        return _refused(Refusal("there is no workspace", "set workspace_root in SPEC.yaml"))
    act = _apply if spec.promotion_strategy == "apply-on-accept" else _commit
    try:
        manifest = session.lab.bundles.read(session.experiment, line.run_id).manifest
        kept = load_kept(session.layout.run(line.run_id))
        return act(session, line, spec.workspace_root, manifest, kept)
    except LabError as error:
        return _failed(error)
    except OSError as error:
        broken = broken_file(error)
        if broken is None:
            raise
        return _failed(broken)


def _failed(error: LabError) -> Ending:
    remedy = error.remedy.rstrip(".") or "put that right"
    return _refused(Refusal(error.message.rstrip("."), remedy))


def _refused(refusal: Refusal) -> Ending:
    return Decision.REFUSED, str(refusal)


# Applying


def _apply(
    session: Session, line: IndexLine, workspace: str, manifest: Manifest, kept: Kept
) -> Ending:
    from hermes.executing import applying, trees
    from hermes.steps.restoring import wanted_of

    root = trees.real(workspace)
    store = session.lab.promoted(session.experiment)
    known = store.read()
    earlier = known.files if known is not None and known.root == root else {}
    wanted = wanted_of(session, root, manifest.fidelity_tier, kept, earlier)
    if isinstance(wanted, Refusal):
        return _refused(wanted)
    planned = applying.plan(root, wanted, replaced=kept.replaced, earlier=earlier)
    if isinstance(planned, Refusal):
        return _refused(planned)
    foreign = _uncommitted(session, root, planned)
    if foreign:
        return _refused(
            Refusal(
                f"the workspace has changes that are not committed: {applying.named(foreign)}",
                "commit them or put them away",
            )
        )
    for data in planned.originals():
        store.keep_original(data)
    session.applied = planned.written
    store.write(Applied(SCHEMA_VERSION, line.run_id, root, planned.written))
    applying.carry_out(root, planned)
    return Decision.APPLIED, f"{workspace} holds it"


def _uncommitted(session: Session, root: str, planned: Plan) -> list[str]:
    """Name what git calls changed and the lab did not write; nothing outside of a repository."""
    from hermes.executing import git, git_workspace, trees

    repository = git_workspace.find_repository(root)
    if repository is None or not git.is_there(session.base_environment):
        return []
    leave_out = (trees.real(session.lab.layout.root),)
    changed = git_workspace.changed_paths(repository, leave_out, session.base_environment)
    return [path for path in changed if not planned.is_own(path)]


# Committing


def _commit(
    session: Session, line: IndexLine, workspace: str, manifest: Manifest, kept: Kept
) -> Ending:
    from hermes.executing import branch
    from hermes.render.commit_text import message
    from hermes.steps.kept import change_of

    facts = manifest.workspace
    lines = session.lab.index(session.experiment).read().lines
    ours = _may_be_tip(session, lines)
    change = change_of(session.experiment, session.spec.metric, lines, line)
    revision = facts.get("git_revision")
    order = branch.Order(
        workspace=workspace,
        branch=f"{BRANCHES}{session.experiment}",
        run_id=line.run_id,
        revision=revision if isinstance(revision, str) else None,
        changed=kept.changed,
        replaced=kept.replaced if facts.get("git_dirty") else None,
        message=message(change).encode("utf-8", "replace"),
        epoch=int(parse_time(line.completed_at).timestamp()),
        is_ours=lambda run: run in ours,
    )
    done = branch.commit(order, _index(session), session.base_environment)
    if isinstance(done, Refusal):
        return _refused(done)
    return Decision.COMMITTED, f"{done.branch} is at {done.commit}"


def _may_be_tip(session: Session, lines: Iterable[IndexLine]) -> set[str]:
    """Return the run committed last and those accepted since, whose lines a crash may have cost."""
    committed = session.state.promotions.committed
    since = next((line.seq for line in lines if line.run_id == committed), 0)
    return {line.run_id for line in lines if line.accepted and line.seq >= since}


def _index(session: Session) -> Path:
    return session.lab.layout.promotion(session.experiment) / "index"
