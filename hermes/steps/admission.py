"""What ``create`` asks of a SPEC beyond its form: that its agent and its search can work.

Limits first: looks at the user's own workspace and PATH as they are now, and changes nothing; what
is taken away later, the next run tells. A strategy without a search space is let in, for a burst
may name one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hermes.errors import SpaceError, SpecError
from hermes.lab import Lab
from hermes.spec import Spec
from hermes.store.specs import PreparedSpec

if TYPE_CHECKING:
    from hermes.agents.base import Settings
    from hermes.search.space import Space

_FIELD = "search_space"


def check(lab: Lab, prepared: PreparedSpec) -> None:
    """Refuse an agent that could not be asked, and a search that could not be made.

    Raises RequestError; SpecError names the line where the SPEC itself holds the search space.
    """
    _check_strategy(prepared.spec)
    _check_agents(lab, prepared.spec)
    try:
        _check_search(prepared)
    except SpaceError as error:
        raise _located(prepared, error) from None


def _check_strategy(spec: Spec) -> None:
    from hermes.search.registry import check

    if spec.strategy is not None:
        check(spec.strategy, spec.strategy_options)


# Agents


def _check_agents(lab: Lab, spec: Spec) -> None:
    """Refuse an agent that the strategy ``llm`` or the code loop could not ask, in any tier."""
    for tier in spec.tiers:
        at_tier = spec.at_tier(tier)
        settings = _settings(at_tier)
        if settings is not None:
            from hermes.agents.providers import adapter_folders, check_agent
            from hermes.executing.environment import base

            folders = adapter_folders(at_tier, lab.layout)
            check_agent(settings, base(lab.environ), folders=folders)


def _settings(spec: Spec) -> Settings | None:
    """Return what a SPEC, as it stands at a tier, says of its agent; None when none is asked."""
    from hermes.search.llm_options import NAME, read_options

    if spec.strategy == NAME:
        command = read_options(spec.strategy_options).command
    elif spec.is_code_loop and spec.agent_provider is not None and not spec.waits_for_agents:
        command = spec.mutation_command
    else:
        return None
    from hermes.agents.providers import settings_of

    return settings_of(spec, command=command)


# Search


def _check_search(prepared: PreparedSpec) -> None:
    from hermes.search.registry import check_space
    from hermes.steps.proposing import space_of

    spec = prepared.spec
    if spec.strategy is None and spec.search_space is None:
        return
    space = space_of(spec, None, source=prepared.located.source)
    if space is None:
        return
    if spec.strategy is not None:
        check_space(spec.strategy, space, spec.strategy_options)
    _check_parameters(spec, space)


def _check_parameters(spec: Spec, space: Space) -> None:
    """Refuse a parameter that could not be brought to the commands of some tier."""
    from hermes.executing.parameters import check_parameters
    from hermes.search.base import chance

    rng = chance("create", 0, 1)
    params = {dimension.name: dimension.sample(rng) for dimension in space.dimensions}
    for tier in spec.tiers:
        check_parameters(spec.at_tier(tier), params)


def _located(prepared: PreparedSpec, error: SpaceError) -> SpecError:
    """Name the line of the user's SPEC when the fault stands in it, and not in another file."""
    if isinstance(prepared.spec.search_space, str) or prepared.spec.search_space is None:
        return error
    return prepared.located.refuse((_FIELD, *error.place), error.fault, error.remedy)
