"""The provider ``codex``: Codex CLI by ``codex exec``, read from its events and its last message.

Limit: Codex tells tokens and no money.
"""

from __future__ import annotations

from hermes.agents.adapter import (
    Adapter,
    Line,
    Output,
    Reply,
    Request,
    count_of,
    json_lines,
    part,
    text_of,
)

_LAST_MESSAGE = "last-message.txt"


def _line(request: Request) -> Line:
    settings = request.settings
    sandbox = "workspace-write" if request.may_edit else "read-only"
    words = ["codex", "exec", "--json", "--sandbox", sandbox, "--skip-git-repo-check"]
    words += ["-C", str(request.work), "-o", str(request.scratch / _LAST_MESSAGE)]
    if settings.model:
        words += ["-m", settings.model]
    if settings.effort:
        words += ["-c", f"model_reasoning_effort={_quoted(settings.effort)}"]
    if settings.base_url:
        words += ["-c", f"openai_base_url={_quoted(settings.base_url)}"]
    return Line((*words, "--", request.prompt))


def _quoted(text: str) -> str:
    """Return a string of TOML, which is what ``-c`` reads."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _read(output: Output) -> Reply:
    events = list(json_lines(output.stdout))
    messages = [
        text_of(part(event, "item", "text"))
        for event in events
        if part(event, "item", "type") == "agent_message"
    ]
    text = output.written.get(_LAST_MESSAGE, "").strip() or (messages or [""])[-1]
    usages = [part(event, "usage") for event in events if event.get("type") == "turn.completed"]
    return Reply(
        text=text,
        problem=_problem(events, has_turn=bool(usages)),
        input_tokens=count_of(*(part(usage, "input_tokens") for usage in usages)),
        output_tokens=count_of(*(part(usage, "output_tokens") for usage in usages)),
        turns=len(usages),
    )


def _problem(events: list[dict[str, object]], *, has_turn: bool) -> str:
    """Return why no turn came to its end; an error that was followed by one was got over."""
    said = [
        text_of(part(event, "error", "message")) or text_of(event.get("message"))
        for event in events
        if event.get("type") in ("turn.failed", "error")
    ]
    failed = any(event.get("type") == "turn.failed" for event in events)
    if failed or not has_turn:
        return (said or [""])[-1] or "it completed no turn"
    return ""


ADAPTER = Adapter(
    name="codex",
    line=_line,
    read=_read,
    program="codex",
    install="Install it with `npm install -g @openai/codex`, then log in: `codex login`.",
    variables=("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_HOME"),
    writes=(_LAST_MESSAGE,),
)
