"""The provider ``claude-code``: Claude Code in print mode, read from its JSON result.

Limit: edits are accepted without asking, and nothing else is; what more the agent may do, such as
running a test, the user's own configuration of Claude Code allows.
"""

from __future__ import annotations

from hermes.agents.adapter import (
    Adapter,
    Line,
    Output,
    Reply,
    Request,
    count_of,
    last_object,
    part,
    text_of,
    usd_of,
)

_NO_RESULT = "it printed no result that can be read"


def _line(request: Request) -> Line:
    settings = request.settings
    mode = "acceptEdits" if request.may_edit else "dontAsk"
    words = ["claude", "-p", request.prompt, "--output-format", "json", "--permission-mode", mode]
    if settings.model:
        words += ["--model", settings.model]
    if settings.effort:
        words += ["--effort", settings.effort]
    if settings.most_usd:
        words += ["--max-budget-usd", f"{settings.most_usd:.4f}"]
    return Line(
        tuple(words), {"ANTHROPIC_BASE_URL": settings.base_url} if settings.base_url else {}
    )


def _read(output: Output) -> Reply:
    result = last_object(output.stdout)
    if result is None or result.get("type", "result") != "result":
        return Reply("", problem=_NO_RESULT)
    said = text_of(result.get("result"))
    problem = (said or text_of(result.get("subtype")) or _NO_RESULT) if _failed(result) else ""
    usage = result.get("usage")
    return Reply(
        text=said,
        problem=problem,
        input_tokens=count_of(
            part(usage, "input_tokens"),
            part(usage, "cache_creation_input_tokens"),
            part(usage, "cache_read_input_tokens"),
        ),
        output_tokens=count_of(part(usage, "output_tokens")),
        cost_usd=usd_of(result.get("total_cost_usd")),
        turns=count_of(result.get("num_turns")),
    )


def _failed(result: dict[str, object]) -> bool:
    return bool(result.get("is_error")) or "result" not in result


ADAPTER = Adapter(
    name="claude-code",
    line=_line,
    read=_read,
    program="claude",
    install="Install it with `npm install -g @anthropic-ai/claude-code`, then log in: `claude`.",
    variables=(
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_PROFILE",
        "AWS_REGION",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "ANTHROPIC_VERTEX_PROJECT_ID",
        "CLOUD_ML_REGION",
    ),
)
