"""Lets a strategy ask an agent while the lease is held; ``proposing`` hands it to strategies.

Limits first. An agent sees the part of the caller's environment that every command sees and what
its adapter names, works in an empty folder of its own under ``scratch/``, and is ended when its
time is up, when another process takes the experiment over, and when no further run is wanted.
An agent that a killed process of ours left at work is ended by whoever opens the next session.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import files, status
from hermes.exchange import Answer
from hermes.lab import Lab
from hermes.layout import call_id
from hermes.spec import Command
from hermes.steps.session import Halted, Session

if TYPE_CHECKING:
    from hermes.agents.base import Agent, Settings
    from hermes.search.base import Consultant, Guidance

_MINUTE = 60.0


def consultant(session: Session) -> Consultant:
    """Return what strategies may ask the experiment's agent by; nothing is asked or checked yet."""
    from hermes.search.base import Consultant

    return Consultant(
        reach=partial(_reach, session),
        goal=session.spec.goal,
        metric=session.spec.metric,
        guidance=partial(guidance, session),
    )


def clear_calls(lab: Lab, experiment: str) -> None:
    """End the agents that a killed owner of the experiment left at work, and remove their folders.

    The caller holds the lease.

    Writes: only removals, in ``scratch/``.
    """
    folder = lab.layout.calls(experiment)
    for name in files.list_folder(folder):
        from hermes.executing.local import MARK_VARIABLE
        from hermes.executing.strays import stop_marked

        stop_marked(f"{MARK_VARIABLE}={name}")
        files.remove_tree(folder / name)


def _reach(session: Session, command: Command | None, minutes: float) -> Callable[[str], Answer]:
    """Return what asks the agent. Raises RequestError when it could not be asked."""
    from hermes.agents.providers import adapter_folders, check_agent, settings_of

    spec = session.spec.at_tier(session.tier)
    settings = settings_of(spec, command=command, most_usd=spec.agent_budget.usd)
    folders = adapter_folders(spec, session.lab.layout)
    agent = check_agent(settings, session.base_environment, folders=folders)
    return partial(_ask, session, agent, settings, minutes * _MINUTE)


def _ask(
    session: Session, agent: Agent, settings: Settings, limit_seconds: float, prompt: str
) -> Answer:
    """Ask, giving signs of life. Raises TakenOver or Halted when nobody needs the answer."""
    from hermes.agents.base import Call

    name = call_id(session.lab.now(), session.experiment)
    call = Call(
        prompt=prompt,
        folder=session.lab.layout.calls(session.experiment) / name,
        environment=_environment(session, name),
        limit_seconds=limit_seconds,
        tick=partial(_go_on, session),
        meanwhile=session.meanwhile,
        settings=settings,
        caller=session.lab.environ,
        now=session.lab.clock.now,
    )
    answer = agent.ask(call)
    _go_on(session)
    return answer


def _go_on(session: Session) -> None:
    session.hold()
    if session.order.halt():
        raise Halted


def _environment(session: Session, name: str) -> dict[str, str]:
    """Return all that the agent gets; the call's name stands where a run's would."""
    from hermes.executing import environment

    spec, layout = session.spec.at_tier(session.tier), session.layout
    best = status.overall_best(session.spec, session.state)
    known = {
        "LAB_DATA_ROOT": str(session.lab.layout.root),
        "LAB_EXPERIMENT_ID": session.experiment,
        "LAB_RUN_ID": name,
        "LAB_LEASE_ID": session.lease.lease_id,
        "LAB_SPEC_PATH": str(layout.spec),
        "LAB_SUMMARY_PATH": str(layout.folder / "SUMMARY.md"),
        "LAB_NEXT_PATH": str(layout.folder / "NEXT.md"),
        "LAB_CONTEXT_PATH": str(layout.folder / "context.md"),
        "LAB_PROGRAM_PATH": str(session.lab.layout.program),
        "LAB_FIDELITY_TIER": session.tier,
        "LAB_NEXT_FIDELITY_TIER": session.spec.next_tier(session.tier) or "",
        "LAB_BEST_RUN_ID": best.run_id if best else "",
        "LAB_BEST_METRIC_VALUE": environment.text_of(best.value) if best else "",
        "LAB_SEED": str(session.seed),
    }
    return {**session.base_environment, **environment.before_a_run(spec, known)}


def guidance(session: Session) -> Guidance:
    """Read what people wrote, as it stands now."""
    from hermes.search.base import Guidance

    layout, notes = session.lab.layout, session.state.notes
    instructions = session.spec.at_tier(session.tier).agent_instruction_file
    return Guidance(
        program=written(layout.program),
        decisions=written(layout.changelog),
        notes="\n".join(f"{note.by}: {note.text}" for note in notes),
        instructions=written(Path(instructions)) if instructions else "",
    )


def written(path: Path) -> str:
    """Return what stands in a person's file; nothing when it cannot be read."""
    try:
        return (files.read(path) or b"").decode("utf-8", "replace")
    except OSError:
        return ""
