"""The answer of ``agent_next`` and of ``agent_submit``, as programs read them.

Pure. Limit first: at most 1 MiB of the code is shown, 256 KiB of a file; what is left out is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hermes.errors import AgentError, ExitCode, LabError
from hermes.model import SCHEMA_VERSION, IndexLine, Json
from hermes.spec import Spec
from hermes.status import Status
from hermes.submission import MOST_BYTES, MOST_FILE_BYTES, MOST_FILES, WorkItem

MOST_SHOWN_BYTES = 1024 * 1024
MOST_SHOWN_OF_A_FILE = 256 * 1024

_CODES = {
    ExitCode.FAILED: "failed",
    ExitCode.FAULT: "fault",
    ExitCode.REQUEST: "request",
    ExitCode.PERSON: "person-needed",
    ExitCode.BUSY: "busy",
    ExitCode.NOTHING: "nothing-to-do",
}


@dataclass(frozen=True)
class Texts:
    """What people and the lab wrote for whoever changes the code, by file."""

    summaries: Mapping[str, str]
    program: str
    decisions: str
    instructions: Mapping[str, str] | None


def work_document(
    item: WorkItem, spec: Spec, status: Status, code: Mapping[str, bytes], texts: Texts, again: str
) -> dict[str, object]:
    """Return the answer of ``agent_next``; ``spec`` stands at the item's tier.

    ``again`` is how the program is called.
    """
    files, left_out = _shown(code)
    return {
        "schema_version": SCHEMA_VERSION,
        "dispatch_id": item.dispatch_id,
        "experiment": item.experiment,
        "worker": item.worker,
        "role": item.role,
        "deadline": item.deadline,
        "goal": spec.goal,
        "metric": spec.metric,
        "metric_direction": spec.metric_direction,
        "best": _best(status, item.fidelity_tier),
        "incumbent_run": item.incumbent_run,
        "fidelity_tier": item.fidelity_tier,
        "time_budget_minutes": spec.time_budget_minutes,
        "constraints": spec.constraints,
        "acceptance_rule": spec.acceptance_rule,
        "acceptance": spec.acceptance,
        "workspace_root": spec.workspace_root,
        "mutable_paths": spec.mutable_paths,
        "read_only_paths": spec.read_only_paths,
        "files": files,
        "left_out": left_out,
        "summaries": texts.summaries,
        "program": texts.program,
        "decisions": texts.decisions,
        "instructions": texts.instructions,
        "answer": _how(item, again),
    }


def _best(status: Status, tier: str) -> dict[str, Json] | None:
    run = status.best_run_by_tier.get(tier)
    return None if run is None else {"run_id": run, "value": status.best_metric_by_tier[tier]}


def _how(item: WorkItem, again: str) -> dict[str, object]:
    return {
        "command": f"{again} agent_submit file=FILE worker={item.worker}",
        "file": {
            "dispatch_id": item.dispatch_id,
            "changes": {"PATH": "the whole new content of the file, or null to delete it"},
            "reasoning": "why, in words",
            "hypothesis": "what you expect, in one sentence",
        },
        "limits": {
            "files": MOST_FILES,
            "bytes_a_file": MOST_FILE_BYTES,
            "bytes": MOST_BYTES,
        },
    }


def _shown(code: Mapping[str, bytes]) -> tuple[dict[str, str], list[dict[str, Json]]]:
    """Return the texts of a surface, and what is left out of it, with the reason."""
    files: dict[str, str] = {}
    left_out: list[dict[str, Json]] = []
    room = MOST_SHOWN_BYTES
    for path in sorted(code):
        why = _unfit(code[path], room)
        if why is None:
            files[path] = code[path].decode()
            room -= len(code[path])
        else:
            left_out.append({"path": path, "bytes": len(code[path]), "why": why})
    return files, left_out


def _unfit(data: bytes, room: int) -> str | None:
    if len(data) > min(room, MOST_SHOWN_OF_A_FILE):
        return "too large"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "not text"
    return "not text" if b"\0" in data else None


def measured_document(
    line: IndexLine,
    experiment: str,
    status: Status,
    *,
    worker: str,
    command: Callable[[str], str],
) -> dict[str, object]:
    """Return the answer of ``agent_submit`` to what ``worker`` sent, measured in a run's line."""
    code = line.code
    return {
        "schema_version": SCHEMA_VERSION,
        "dispatch_id": line.request,
        "experiment": experiment,
        "run_id": line.run_id,
        "outcome": line.outcome,
        "accepted": line.accepted,
        "value": line.value,
        "measured": code.measured if code is not None else None,
        "compared_with": code.compared_with if code is not None else None,
        "reason": line.reason,
        "metric": status.metric,
        "metric_direction": status.metric_direction,
        "best": _best(status, line.fidelity_tier),
        "next": f"See `{command(f'show exp={experiment} run={line.run_id}')}`; "
        f"ask for more with `{command(f'agent_next exp={experiment} worker={worker}')}`.",
    }


def error_document(error: LabError) -> dict[str, object]:
    """Return what a program is told of an error: a code, what is wrong, and the next step."""
    code = error.code if isinstance(error, AgentError) else _CODES[ExitCode(error.exit_code)]
    return {"error": {"code": code, "message": error.message, "next": error.remedy}}
