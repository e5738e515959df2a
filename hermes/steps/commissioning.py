"""Has an agent change code for a run of the code loop; ``execute`` hands this to the executor.

Limits first. The agent is told what was known when the run was handed to the executor; what other
slots found meanwhile it does not know. It works in the editing sandbox, and sees the part of the
caller's environment that every command sees and what its adapter names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hermes import status
from hermes.exchange import Answer
from hermes.layout import call_id
from hermes.steps.consulting import guidance
from hermes.steps.session import Session

if TYPE_CHECKING:
    from hermes.agents.base import Agent, Settings
    from hermes.executing.candidate import Workplace
    from hermes.steps.plan import Planned


def agent_of(session: Session) -> tuple[Agent, Settings] | None:
    """Return who changes the code of the present tier; None when a command does, or nobody.

    Nobody either where agents come by themselves, and when only what one of them sent is measured.
    Raises RequestError for an agent that could not be asked.
    """
    spec = session.spec.at_tier(session.tier)
    by_itself = spec.waits_for_agents or session.order.item is not None
    if by_itself or not spec.is_code_loop or spec.agent_provider is None:
        return None
    from hermes.agents.providers import adapter_folders, check_agent, settings_of

    limit, spent = spec.agent_budget.usd, session.state.memory.spending.cost_usd
    left = None if limit is None else max(limit - spent, 0.0)
    settings = settings_of(spec, command=spec.mutation_command, most_usd=left)
    folders = adapter_folders(spec, session.lab.layout)
    return check_agent(settings, session.base_environment, folders=folders), settings


def commission(session: Session, planned: Planned) -> Callable[[Workplace], Answer] | None:
    """Return what has the agent change code, as of now. Raises as ``agent_of``."""
    found = agent_of(session)
    if found is None:
        return None
    agent, settings = found
    return partial(_ask, session, planned, agent, settings, _prompt(session, planned))


def _ask(
    session: Session,
    planned: Planned,
    agent: Agent,
    settings: Settings,
    prompt: str,
    place: Workplace,
) -> Answer:
    from hermes.agents.base import Call

    name = call_id(planned.manifest.planned_at, session.experiment)
    return agent.ask(
        Call(
            prompt=prompt,
            folder=session.lab.layout.calls(session.experiment) / name,
            environment=place.environment,
            limit_seconds=place.limit_seconds,
            tick=place.tick,
            meanwhile=place.begun,
            settings=settings,
            work=place.folder,
            caller=session.lab.environ,
            log=place.log,
            now=session.lab.clock.now,
        )
    )


def _prompt(session: Session, planned: Planned) -> str:
    from hermes.agents.briefing import Brief, briefing
    from hermes.render.context import context_page

    spec, state = session.spec.at_tier(planned.manifest.fidelity_tier), session.state
    best, people = state.incumbents.get(session.tier), guidance(session)
    shown = status.status_of(session.spec, session.loaded.sha256, state)
    return briefing(
        Brief(
            goal=spec.goal,
            metric=spec.metric,
            direction=spec.metric_direction,
            tier=session.tier,
            minutes=spec.time_budget_minutes,
            mutable_paths=spec.mutable_paths,
            read_only_paths=spec.read_only_paths,
            constraints=spec.constraints,
            acceptance=spec.acceptance,
            rule=spec.acceptance_rule,
            best=best.value if best else None,
            best_run=best.run_id if best else None,
            context=context_page(session.spec, state, shown),
            program=people.program,
            decisions=people.decisions,
            instructions=people.instructions,
        )
    )
