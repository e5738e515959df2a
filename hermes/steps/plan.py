"""The step ``plan``: decides what to try next and writes it down before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from hermes import policy
from hermes.clock import format_time, parse_time
from hermes.errors import BrokenFile, RequestError
from hermes.files import Syncing
from hermes.layout import PackageLayout, run_id
from hermes.model import SCHEMA_VERSION, Manifest, Origin, Outcome, Params, Phase
from hermes.spec import Spec
from hermes.steps.coding import needs_baseline
from hermes.steps.commissioning import agent_of
from hermes.steps.proposing import Idea, next_idea, still_wanted
from hermes.steps.session import Halted, Session, TakenOver
from hermes.steps.submitted import is_there

FENCED = "another process took the experiment over"
HALTED = "it was asked to stop"
UNASKED = "what a person asked for was withdrawn"


@dataclass(frozen=True)
class Planned:
    """A package in our hands that waits to be executed; ``syncing`` while it is not yet durable."""

    folder: PackageLayout
    manifest: Manifest
    syncing: Syncing | None = field(default=None, compare=False)

    @property
    def is_new(self) -> bool:
        """Say whether it was planned here and now, so that nobody can have executed it."""
        return self.syncing is not None

    def make_durable(self) -> None:
        """Return when the plan is on the disk: before that no command may start."""
        if self.syncing is not None:
            self.syncing.wait()


@dataclass(frozen=True)
class Stop:
    """Why no run was planned, and what a person can do about it.

    ``until`` (ISO 8601, UTC) is when one may be planned again, where that is all there is to it;
    ``for_person`` says that a person has to do something first.
    """

    reason: str
    remedy: str = ""
    until: str | None = None
    for_person: bool = False


def plan(session: Session) -> Planned | Stop:
    """Write the package of the next run, or say why there is none; it is executed when durable.

    While runs are in flight, or on their way into history, a refusal is not the last word, and
    decides nothing: ask again when they have ended.

    Writes: a folder in ``dispatch/running``; perhaps a phase line in the journal.
    A package that an earlier owner planned and never started is taken up as it stands.
    Raises RequestError when the SPEC asks for what cannot be; unattended, a person is called for.
    """
    try:
        return _plan(session)
    except TakenOver:  # while an agent was asked, as the next one
        return Stop(FENCED)
    except Halted:
        return Stop(HALTED)
    except RequestError as error:
        unasked = not session.order.attended  # it would fail in every cycle, and take a turn each
        if unasked and session.sealing is None:
            session.decide(Phase.AWAITING_HUMAN, error.message)
        raise


def _plan(session: Session) -> Planned | Stop:
    stop = held_back(session)
    if stop is not None:
        return stop
    planned = _waiting(session)
    while planned is None:
        idea = next_idea(session)
        if idea is None:
            return _nothing_left(session)
        planned = _publish(session, idea)
    _begin(session, planned)
    return planned


def held_back(session: Session) -> Stop | None:
    """Say why no run may be planned now, after a look at what others decided; None if one may.

    Writes: perhaps a phase line in the journal. Raises RequestError as ``plan``.
    """
    session.beat()  # short runs give no other sign of life
    session.catch_up()
    stop = _refused(session)
    if stop is None and not session.has_planned:
        _check_metric(session)
    return stop


def _check_metric(session: Session) -> None:
    """Refuse to rank the numbers of one metric with those of another, after an edit."""
    scored = next(iter(session.state.top_by_tier.values()), None)
    if not scored:
        return
    try:
        before = session.lab.bundles.read(session.experiment, scored[0].run_id).metrics.metric
    except BrokenFile:
        return  # told by ``verify``
    if before != session.spec.metric:
        raise RequestError(
            f"The runs of {session.experiment} measured {before!r}, and SPEC.yaml now says "
            f"{session.spec.metric!r}: these cannot be compared.",
            f"Write `metric: {before}` again, or create another experiment for the other metric.",
        )


def _refused(session: Session) -> Stop | None:
    if session.fenced_out:
        return Stop(FENCED)
    attended = session.order.attended
    refused = policy.refusal(session.state, attended=attended, begun=session.has_planned)
    if refused is not None:
        held = policy.has_reached_out(session.state)
        return Stop(refused, policy.remedy(session.state, session.spec), for_person=held)
    change = policy.review(session.state, session.spec, attended=attended)
    if change is None:
        return _limited(session) or _spoken_for(session)
    if session.sealing is None:
        session.decide(change.phase, change.reason)
    return Stop(change.reason, policy.remedy(session.state, session.spec))


def _limited(session: Session) -> Stop | None:
    """Wait for the end of the limit that the agent's account has reached."""
    until = session.state.memory.resets_at
    if session.order.item is not None:
        return None  # nobody is asked
    if until is None or until <= session.lab.now():
        return None
    return Stop(
        f"the agent's usage limit is reached; it ends at {until}",
        "Run the command again then; `run_once` does so by itself.",
        until,
    )


def _spoken_for(session: Session) -> Stop | None:
    """Leave no more runs in flight than the experiment may still have, a baseline alone."""
    flying = len(session.in_flight)
    if flying and needs_baseline(session):
        return Stop("the baseline is measured first")
    if flying and policy.is_spent(session.state, session.spec, in_flight=flying):
        return Stop("the runs in flight are the last ones that max_iterations_total allows")
    return None


def _nothing_left(session: Session) -> Stop:
    """Say why there is nothing to try just now."""
    if session.only_let:
        return Stop(UNASKED)
    item = session.order.item
    if item is not None:
        return Stop(f"nothing that was sent for {item} waits to be measured")
    if session.spec.at_tier(session.tier).waits_for_agents:
        return Stop(
            "the next change is an agent's to make",
            "An agent asks for work with "
            f"`hermes-lab agent_next exp={session.experiment} worker=NAME`.",
        )
    return exhausted(session)


def exhausted(session: Session) -> Stop:
    """Say that every point was tried; without a person who looks on, that is the end."""
    stop = Stop(
        "the search space has no point left to try",
        "Widen search_space in SPEC.yaml, or name another strategy=.",
    )
    if not (session.order.attended or session.in_flight or session.sealing):
        session.decide(Phase.COMPLETED, stop.reason)
    return stop


def _begin(session: Session, planned: Planned) -> None:
    """Note that the session makes runs: whoever ordered them has answered what waited for that."""
    session.in_flight.append(planned)
    if session.state.phase is Phase.AWAITING_HUMAN:
        session.decide(Phase.ACTIVE, "its runs were ordered by name", by="human")
    session.has_planned = True


def _waiting(session: Session) -> Planned | None:
    """Return a package that was planned and never started; one of another SPEC is removed."""
    packages = session.lab.packages
    while session.left_planned:
        folder = session.left_planned.pop(0)
        if packages.stage_of(folder) == "planned":
            draft = packages.read(folder)
            if draft is not None:
                session.last_planned_at = max(session.last_planned_at, draft.planned_at)
            if draft is not None and not _is_ordered(session, draft):
                session.put_off.append(draft)  # it waits for whoever makes runs of all kinds
                continue
            whole = draft is not None and is_there(session, draft)
            if whole and draft is not None and draft.spec_sha256 == session.loaded.sha256:
                return Planned(folder, draft)
            packages.discard(folder)
    return None


def _is_ordered(session: Session, manifest: Manifest) -> bool:
    only = session.order.item
    return only in (None, manifest.request) or manifest.origin is Origin.BASELINE


def _publish(session: Session, idea: Idea) -> Planned | None:
    """Put the package of ``idea`` into our hands; None when its request was withdrawn just now."""
    from hermes.executing.sandbox import check_workspace

    spec, root = session.spec.at_tier(session.tier), session.lab.layout.root
    if not idea.skip:
        _check_parameters(session, spec, idea.proposal.params)
        _check_slots(session, spec)
        agent_of(session)
    check_workspace(spec, data_root=root, environment=session.base_environment)
    waits = idea.request in session.state.steering.requests
    if not waits and not idea.ideas:
        return _place(session, idea)
    with session.lab.journal(session.experiment).held():  # whoever withdraws looks under it, too
        session.catch_up()
        wanted = still_wanted(session, idea, waited=waits)
        return None if wanted is None else _place(session, wanted)


def _place(session: Session, idea: Idea) -> Planned:
    from hermes.render.run_text import plan_text

    manifest = _draft(session, idea)
    text = plan_text(session.spec, manifest, session.state, exchange=idea.proposal.exchange)
    folder, syncing = session.lab.packages.publish_running(manifest, text, worker=session.worker)
    return Planned(folder, manifest, syncing)


def _check_slots(session: Session, spec: Spec) -> None:
    """Refuse runs side by side of which one would look at what the other writes."""
    if spec.promotion_strategy == "apply-on-accept" and session.parallel > 1:
        raise RequestError(
            "promotion_strategy: apply-on-accept writes into the workspace while "
            f"{session.parallel} runs at a time copy it.",
            "Use commit-on-accept, or one run at a time (parallel=1, max_parallel: 1).",
        )
    if spec.workspace_mode == "in-place" and session.parallel > 1:
        raise RequestError(
            f"workspace_mode: in-place has one folder for {session.parallel} runs at a time.",
            "Use workspace_mode: copy, or one run at a time (parallel=1, max_parallel: 1).",
        )


def _check_parameters(session: Session, spec: Spec, params: Params) -> None:
    """Refuse parameters that cannot reach the command; once in a session for the same names.

    Whoever changes the user's configuration file later is told by the run's outcome.
    """
    from hermes.executing.parameters import check_parameters

    names = (session.tier, frozenset(params))
    if names not in session.checked_names:
        check_parameters(spec, params)
        session.checked_names.add(names)


def _draft(session: Session, idea: Idea) -> Manifest:
    iterations = [run.iteration for run in session.unsealed]
    iteration = max([session.state.last_iteration, *iterations]) + 1
    role = idea.role or policy.role_for(session.spec, iteration)
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
        duplicates_avoided=idea.proposal.duplicates_avoided,
        request=idea.request,
        ideas=idea.ideas,
        outcome=Outcome.SKIPPED if idea.skip else None,
        reason=idea.reason,
        asked=idea.proposal.exchange.spending if idea.proposal.exchange else None,
    )


def _planning_time(session: Session) -> str:
    """Return the time, or just after the last run's when the clock went back."""
    now = session.lab.now()
    if now <= session.last_planned_at:
        now = format_time(parse_time(session.last_planned_at) + timedelta(microseconds=1))
    session.last_planned_at = now
    return now
