"""Which agents there are, by the name of their provider; for the steps that ask one.

Limits: a name of the lab's own cannot be taken by another. A user's adapter is found first in the
workspace's folder ``adapters/``, then in the data root's, then among installed packages.

A package brings an adapter by an entry point of the group ``hermes_lab.agents``; its object is an
``Adapter``, or itself an ``Agent``::

    [project.entry-points."hermes_lab.agents"]
    my-agent = "my_package.agents:ADAPTER"
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from hermes.agents.adapter import Adapter
from hermes.agents.base import Agent, Settings
from hermes.errors import RequestError, UnknownName
from hermes.executing.surface import Surface
from hermes.layout import ADAPTERS, Layout
from hermes.spec import Command, Spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "hermes_lab.agents"
COMMAND = "command"
_BUILT_IN = {
    "aider": "hermes.agents.aider",
    "claude-code": "hermes.agents.claude_code",
    "codex": "hermes.agents.codex",
    "command": "hermes.agents.command",
    "dispatch": "hermes.agents.dispatch",
    "gemini": "hermes.agents.gemini",
    "hermes-agent": "hermes.agents.hermes_agent",
    "opencode": "hermes.agents.opencode",
    "stub": "hermes.agents.stub",
}
_ENDING = ".py"


def settings_of(
    spec: Spec, *, command: Command | None = None, most_usd: float | None = None
) -> Settings:
    """Return what a SPEC, as it stands at the run's tier, says of its agent; none is ``command``.

    ``most_usd`` bounds one call, in US dollars.
    """
    return Settings(
        provider=spec.agent_provider or COMMAND,
        command=command,
        model=spec.agent_model,
        effort=spec.agent_effort,
        base_url=spec.agent_base_url,
        background=spec.agent_background,
        most_usd=most_usd,
        mutable_paths=spec.mutable_paths,
        read_only_paths=spec.read_only_paths,
    )


def adapter_folders(spec: Spec, layout: Layout) -> tuple[Path, ...]:
    """Return where a user's adapters for an experiment may stand, the nearest first."""
    workspace = (Path(spec.workspace_root) / ADAPTERS,) if spec.workspace_root else ()
    return (*workspace, layout.adapters)


def known(folders: Sequence[Path] = ()) -> list[str]:
    """Return the names of all providers, sorted."""
    files = (path.name.removesuffix(_ENDING) for folder in folders for path in _modules(folder))
    return sorted({*_BUILT_IN, *files, *_points().names})


def check_agent(
    settings: Settings, environment: Mapping[str, str], *, folders: Sequence[Path] = ()
) -> Agent:
    """Return the agent of a SPEC, which can be asked as far as can be told beforehand.

    ``environment`` is what commands get. Raises UnknownName, and RequestError for a tool that is
    missing, a setting that it does not heed, and an adapter that cannot be loaded, or that the
    agent itself could change.
    """
    _check_out_of_reach(settings)
    agent = agent_for(settings.provider, folders=folders)
    agent.check(settings, environment)
    return agent


def agent_for(provider: str, *, folders: Sequence[Path] = ()) -> Agent:
    """Return the agent called ``provider``. Raises as ``check_agent``, but for what it checks."""
    found = _found(provider, folders)
    if isinstance(found, Adapter):
        from hermes.agents.running import ToolAgent

        return ToolAgent(found)
    if isinstance(found, Agent):
        return found
    raise RequestError(
        f"What is called the agent provider {provider!r} is neither an Adapter nor an Agent.",
        "Test it with hermes.agents.contract.AdapterContract.",
    )


def _check_out_of_reach(settings: Settings) -> None:
    """Refuse to load into the lab what an agent may write."""
    path = f"{ADAPTERS}/{settings.provider}{_ENDING}"
    surface = Surface(settings.mutable_paths, settings.read_only_paths)
    if settings.provider not in _BUILT_IN and surface.holds(path):
        raise RequestError(
            f"mutable_paths cover {path}: the agent could change what the lab itself runs.",
            f"Name it in read_only_paths, or keep it in the data root's folder {ADAPTERS}/ "
            "and leave that path out of mutable_paths.",
        )


def _found(provider: str, folders: Sequence[Path]) -> object:
    if provider in _BUILT_IN:
        return import_module(_BUILT_IN[provider]).ADAPTER
    for folder in folders:
        for path in _modules(folder):
            if path.name == provider + _ENDING:
                from hermes.agents.own import load_file

                return load_file(path)
    for point in _points().select(name=provider):
        from hermes.agents.own import load_point

        return load_point(point)
    names = known(folders)
    raise UnknownName("agent provider", provider, names, f"There are: {', '.join(names)}.")


def _modules(folder: Path) -> Iterator[Path]:
    """Return the files of a folder that may be adapters; none when it is missing."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name.endswith(_ENDING) and not name.startswith(("_", ".")):
            yield folder / name


def _points() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)
