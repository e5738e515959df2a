"""What a SPEC of the code loop must have beside the rest; ``validation`` asks.

Pure. Limit first: fields of single tiers are not looked at; what is wrong there the first run of
that tier tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from hermes.model import Json
from hermes.schema_faults import Fault

_ADVISING = "llm"  # the strategy whose agent proposes parameters and changes no code
_NEEDED = {
    "mutable_paths": "Name the files that may be changed, for example: mutable_paths: [src/*.py].",
    "workspace_root": "Name the folder that holds the code, for example: workspace_root: .",
}


def code_rule(mapping: Mapping[str, Json]) -> Fault | None:
    """Return what keeps a SPEC that changes code from doing so; None when nothing does."""
    changer = _changer(mapping)
    if changer is None:
        return None
    for name, remedy in _NEEDED.items():
        if not mapping.get(name):
            return [changer], f"needs {name}.", remedy
    if not (mapping.get("executor_command") or mapping.get("validation_command")):
        what = "needs a command that measures what was changed."
        return [changer], what, "Write it as executor_command or validation_command."
    if mapping.get("workspace_mode") == "in-place":
        what = "in-place is not for changing code: candidates are made in sandboxes."
        return ["workspace_mode"], what, "Write auto, git or copy."
    return _two_changers(mapping) or _unclean(mapping)


def _unclean(mapping: Mapping[str, Json]) -> Fault | None:
    applied = mapping.get("promotion_strategy") == "apply-on-accept"
    if not (applied and mapping.get("require_clean_workspace")):
        return None
    what = "the first accepted change would make the workspace unclean."
    return ["require_clean_workspace"], what, "Remove it, or write commit-on-accept."


def _changer(mapping: Mapping[str, Json]) -> str | None:
    """Return the field that makes it a code loop."""
    if mapping.get("mutation_command"):
        return "mutation_command"
    provider = mapping.get("agent_provider")
    return "agent_provider" if provider and mapping.get("strategy") != _ADVISING else None


def _two_changers(mapping: Mapping[str, Json]) -> Fault | None:
    provider, command = mapping.get("agent_provider"), mapping.get("mutation_command")
    if provider == "command" and not command:
        what = "the provider `command` needs the agent's command line."
        return (
            ["agent_provider"],
            what,
            "Write it as mutation_command; {prompt} is its prompt file.",
        )
    if command and provider not in (None, "command"):
        what = f"stands beside agent_provider: {provider}, and only one of the two can change code."
        return ["mutation_command"], what, "Remove one, or write agent_provider: command."
    return None
