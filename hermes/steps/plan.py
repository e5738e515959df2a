"""The step ``plan``: decides what to try next and writes it down before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hermes import policy
from hermes.clock import format_time, parse_time
from hermes.layout import PackageLayout, dispatch_id, run_id
from hermes.model import SCHEMA_VERSION, Manifest, Package
from hermes.steps.proposing import Idea, next_idea
from hermes.steps.session import Session


@dataclass(frozen=True)
class Planned:
    """A package in our hands that waits to be executed."""

    package: Package
    folder: PackageLayout
    manifest: Manifest


@dataclass(frozen=True)
class Stop:
    """Why no run was planned."""

    reason: str


def plan(session: Session) -> Planned | Stop:
    """Write the package of the next run, durably, or say why there is none.

    Writes: a folder in ``dispatch/running``; perhaps a phase line in the journal.
    A package that an earlier owner planned and never started is taken up as it stands.
    """
    session.catch_up()
    stop = _held_back(session)
    if stop is not None:
        return stop
    waiting = _waiting(session)
    if waiting is not None:
        return waiting
    idea = next_idea(session)
    if idea is None:
        return Stop("the search space has no point left to try")
    return _publish(session, idea)


def _held_back(session: Session) -> Stop | None:
    attended = session.order.attended
    refused = policy.refusal(session.state, attended=attended)
    if refused is not None:
        return Stop(refused)
    change = policy.review(session.state, session.spec, attended=attended)
    if change is None:
        return None
    session.decide(change.phase, change.reason)
    return Stop(change.reason)


def _waiting(session: Session) -> Planned | None:
    """Return a package that was planned and never started."""
    packages = session.lab.packages
    for found in packages.running(session.experiment):
        if packages.stage_of(found.layout) == "planned":
            content = packages.read(found.layout)
            if content is not None:
                return Planned(content[0], found.layout, content[1])
    return None


def _publish(session: Session, idea: Idea) -> Planned:
    from hermes.executing.parameters import check_parameters
    from hermes.executing.sandbox import check_workspace
    from hermes.render.run_text import plan_text

    check_parameters(session.spec, idea.proposal.params)
    check_workspace(session.spec)
    manifest = _draft(session, idea)
    package = Package(
        schema_version=SCHEMA_VERSION,
        dispatch_id=dispatch_id(session.experiment, manifest.iteration),
        experiment=session.experiment,
        run_id=manifest.run_id,
        created_at=manifest.planned_at,
        lease_id=session.lease.lease_id,
        attempt=1,
        rerunnable=True,
    )
    text = plan_text(session.spec, manifest, session.state)
    folder = session.lab.packages.publish_running(package, manifest, text, worker=session.worker)
    return Planned(package, folder, manifest)


def _draft(session: Session, idea: Idea) -> Manifest:
    iteration = session.state.last_iteration + 1
    role = policy.role_for(session.spec, iteration)
    planned_at = _planning_time(session)
    return Manifest(
        schema_version=SCHEMA_VERSION,
        run_id=run_id(planned_at, role),
        experiment=session.experiment,
        role=role,
        iteration=iteration,
        trial=idea.trial,
        strategy=idea.proposal.strategy,
        origin=idea.proposal.origin,
        params=idea.proposal.params,
        note=idea.proposal.note,
        parents=idea.proposal.parents,
        parent_run=idea.parent_run,
        seed=session.seed,
        fidelity_tier=session.tier,
        executor_class=session.spec.executor_class,
        lease_id=session.lease.lease_id,
        spec_sha256=session.loaded.sha256,
        planned_at=planned_at,
    )


def _planning_time(session: Session) -> str:
    """Return the time, or just after the last run's when the clock went back."""
    now = session.lab.now()
    if now <= session.last_planned_at:
        now = format_time(parse_time(session.last_planned_at) + timedelta(microseconds=1))
    session.last_planned_at = now
    return now
