"""The provider ``hermes-agent``: Hermes Agent's one-shot mode, which prints the final text alone.

Limit: effort and the address of the service are set in Hermes Agent's own configuration.
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
    usd_of,
)

_USAGE = "usage.json"


def _line(request: Request) -> Line:
    words = ["hermes", "-z", request.prompt, "--usage-file", str(request.scratch / _USAGE)]
    if request.settings.model:
        words += ["-m", request.settings.model]
    return Line(tuple(words))


def _read(output: Output) -> Reply:
    usage = last_object(output.written.get(_USAGE, "")) or {}
    return Reply(
        text=output.stdout.strip(),
        input_tokens=count_of(
            *(usage.get(f"{kind}_tokens") for kind in ("input", "cache_read", "cache_write"))
        ),
        output_tokens=count_of(usage.get("output_tokens")),
        cost_usd=usd_of(usage.get("estimated_cost_usd")),
        turns=count_of(usage.get("api_calls")),
    )


ADAPTER = Adapter(
    name="hermes-agent",
    line=_line,
    read=_read,
    program="hermes",
    install="Install it as hermes-agent.nousresearch.com says, then run `hermes setup`.",
    variables=(
        "HERMES_HOME",
        "OPENROUTER_API_KEY",
        "NOUS_API_KEY",
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "GEMINI_API_KEY",
    ),
    takes=frozenset({"model"}),
    writes=(_USAGE,),
)
