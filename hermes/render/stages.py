"""How the commands of a SPEC read, in files and for a terminal. For ``render`` alone; pure."""

from __future__ import annotations

from hermes.render.text import cell, code
from hermes.spec import Command, Spec

_COMMAND = 160
_NOTHING = "none is configured, so the run is a stub and has no metric."


def commands(spec: Spec) -> str:
    """Return the command that a run executes, on one line, as Markdown."""
    chosen = spec.executor_command or spec.validation_command
    return _NOTHING if chosen is None else command_code(chosen)


def measuring(spec: Spec) -> str:
    """Return the commands that measure a candidate, in their order, as Markdown."""
    given = [one for one in (spec.executor_command, spec.validation_command) if one is not None]
    return ", then ".join(map(command_code, given)) if given else _NOTHING


def who_changes(spec: Spec) -> str:
    """Return who changes the code, as Markdown: the mutation command, or an agent."""
    if spec.mutation_command is not None:
        return f"the mutation command, {command_code(spec.mutation_command)}"
    model = f" with the model {cell(spec.agent_model)}" if spec.agent_model else ""
    return f"the agent {code(spec.agent_provider or '')}{model}"


def command_code(given: Command) -> str:
    """Return a command of a SPEC on one line, as Markdown."""
    return code(command_line(given), _COMMAND)


def command_line(given: Command) -> str:
    """Return a command of a SPEC as text; a list is shown as it would be typed."""
    if isinstance(given, str):
        return given
    import shlex

    return shlex.join(given)
