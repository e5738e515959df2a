"""The provider ``opencode``: ``opencode run``, read from its JSON events.

Limit: the address of the service needs a model written as ``provider/model``.
"""

from __future__ import annotations

import json

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
    usd_of,
)
from hermes.agents.base import Settings


def _line(request: Request) -> Line:
    settings = request.settings
    words = ["opencode", "run", "--format", "json"]
    if settings.model:
        words += ["--model", settings.model]
    if settings.effort:
        words += ["--variant", settings.effort]
    return Line((*words, "--", request.prompt), _configured(settings))


def _configured(settings: Settings) -> dict[str, str]:
    """Return the address of the service the way in which opencode is told of it."""
    if not settings.base_url:
        return {}
    service = (settings.model or "openai").partition("/")[0]
    options = {"provider": {service: {"options": {"baseURL": settings.base_url}}}}
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(options)}


def _read(output: Output) -> Reply:
    events = list(json_lines(output.stdout))
    steps = [part(event, "part") for event in events if event.get("type") == "step_finish"]
    texts = [part(event, "part", "text") for event in events if event.get("type") == "text"]
    errors = [event for event in events if event.get("type") == "error"]
    return Reply(
        text="\n".join(text for text in map(text_of, texts) if text),
        problem=_said(errors[-1]) if errors else ("" if steps else "it finished no step"),
        input_tokens=count_of(
            *(part(step, "tokens", "input") for step in steps),
            *(part(step, "tokens", "cache", kind) for step in steps for kind in ("read", "write")),
        ),
        output_tokens=count_of(
            *(part(step, "tokens", kind) for step in steps for kind in ("output", "reasoning"))
        ),
        cost_usd=sum(usd_of(part(step, "cost")) for step in steps),
        turns=len(steps),
    )


def _said(error: dict[str, object]) -> str:
    message = text_of(part(error, "error", "data", "message"))
    return message or text_of(part(error, "error", "name")) or "it failed without a reason"


ADAPTER = Adapter(
    name="opencode",
    line=_line,
    read=_read,
    program="opencode",
    install="Install it with `npm install -g opencode-ai`, then log in: `opencode auth login`.",
    variables=(
        "OPENCODE_API_KEY",
        "OPENCODE_CONFIG",
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "OPENROUTER_API_KEY",
    ),
)
