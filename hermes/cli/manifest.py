"""``LAB_MANIFEST.json``: what a program may rely on, generated from the code that keeps it.

Pure: it describes, and the task that writes the file is elsewhere. Nothing is said here that
another module knows: paths and their meanings are the layout's, commands are the table's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from hermes import codec
from hermes.cli.commands import COMMANDS, Command, Variable
from hermes.errors import EXIT_MEANINGS
from hermes.layout import PROJECTIONS, Layout, PackageLayout
from hermes.model import SCHEMA_VERSION, Direction, Outcome, Phase, Priority

MANIFEST_NAME = "LAB_MANIFEST.json"

Standing: TypeAlias = Literal["canonical", "derived", "possession", "human", "cache"]

_ROOT = Layout(Path())
_EXPERIMENT = _ROOT.experiment("<experiment>")
_BUNDLE = _EXPERIMENT.run("<run>")
_PACKAGE = PackageLayout(_ROOT.running / "<dispatch-id>,a<attempt>,<worker>")

_ITEM = _ROOT.item("<item>")

_STANDINGS: tuple[tuple[object, Mapping[str, Standing]], ...] = (
    (
        _ROOT,
        {
            "readme": "human",
            "program": "human",
            "changelog": "human",
            "lab_status": "derived",
            "lab_index": "derived",
            "executors": "human",
            "events": "canonical",
            "locks": "possession",
            "ready": "possession",
            "running": "possession",
            "complete": "possession",
            "agents": "possession",
            "daily_digests": "derived",
            "approvals": "derived",
            "scratch": "cache",
            "task_database": "cache",
            "fault_log": "cache",
        },
    ),
    (
        _EXPERIMENT,
        {
            "spec": "canonical",
            "journal": "canonical",
            "metrics": "derived",
            "runs": "canonical",
            "checkpoints": "cache",
        },
    ),
    (
        _BUNDLE,
        {
            "manifest": "canonical",
            "plan": "canonical",
            "result": "canonical",
            "metrics": "canonical",
            "stdout": "canonical",
            "stderr": "canonical",
            "artifacts": "canonical",
        },
    ),
    (_PACKAGE, {"dispatch": "possession", "execution": "possession"}),
    (_ITEM, {"item": "possession", "submission": "possession"}),
)
_STANDING_MEANINGS: Mapping[Standing, str] = {
    "canonical": "the record; never edited, never deleted",
    "derived": "rebuilt from the record byte for byte by `refresh`",
    "possession": "who holds what right now; removed when the work is done",
    "human": "written for and by people; the lab never overwrites it",
    "cache": "deletable; costs time and nothing else",
}


def manifest() -> dict[str, object]:
    """Return the content of ``LAB_MANIFEST.json``."""
    from hermes.executing.environment import CONTRACT_KEYS

    return {
        "schema_version": SCHEMA_VERSION,
        "programs": {
            "doit": "in a checkout: doit TASK name=value …",
            "hermes-lab": "from any folder: hermes-lab TASK name=value …",
        },
        "commands": {name: _command(item) for name, item in COMMANDS.items()},
        "exit_codes": {str(int(code)): meaning for code, meaning in EXIT_MEANINGS.items()},
        "data_root": {
            "environment_variable": "HERMES_LAB_DATA_ROOT",
            "default": "./lab-data",
            "standings": dict(_STANDING_MEANINGS),
            "files": _files(),
        },
        "environment": list(CONTRACT_KEYS),
        "outcomes": [item.value for item in Outcome],
        "phases": [item.value for item in Phase],
        "priorities": [item.value for item in Priority],
        "directions": [item.value for item in Direction],
    }


def render() -> bytes:
    """Return the bytes of ``LAB_MANIFEST.json``."""
    return codec.to_json(manifest(), pretty=True)


def _command(command: Command) -> dict[str, object]:
    return {
        "purpose": command.purpose,
        "usage": command.usage,
        "json": command.json,
        "variables": {item.name: _variable(item) for item in command.variables},
    }


def _variable(variable: Variable) -> dict[str, object]:
    """Describe a variable; limits and choices only where there are some."""
    described: dict[str, object] = {
        "type": variable.kind,
        "required": variable.required,
        "default": variable.default,
        "help": variable.help,
    }
    limits = {"minimum": variable.minimum, "maximum": variable.maximum}
    described.update({name: limit for name, limit in limits.items() if limit is not None})
    if variable.choices:
        described["choices"] = list(variable.choices)
    return described


def _files() -> dict[str, dict[str, str]]:
    """Return every file of the contract by its path in the data root."""
    entries: dict[str, dict[str, str]] = {}
    for owner, standings in _STANDINGS:
        for name, standing in standings.items():
            path: Path = getattr(owner, name)
            entries[path.as_posix()] = _entry(_meaning(owner, name), standing)
    for name in PROJECTIONS:
        path = _EXPERIMENT.folder / name
        entries[path.as_posix()] = _entry("A view of the experiment.", "derived")
    return dict(sorted(entries.items()))


def _meaning(owner: object, name: str) -> str:
    text = getattr(type(owner), name).__doc__ or ""
    return text.split("\n", 1)[0]


def _entry(meaning: str, standing: Standing) -> dict[str, str]:
    return {"meaning": meaning, "standing": standing}
