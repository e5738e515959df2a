"""The provider ``gemini``: Gemini CLI with a prompt, read from its JSON answer.

Limit: Gemini CLI tells tokens and no money, and has no word for effort.
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
)

_MEANINGS = {
    41: "it is not logged in: run `gemini` once by hand, or set GEMINI_API_KEY",
    42: "it refused the prompt or an argument",
    53: "it took more turns than it may",
}


def _line(request: Request) -> Line:
    settings = request.settings
    words = ["gemini", "-p", request.prompt, "-o", "json"]
    if request.may_edit:
        words += ["--approval-mode", "auto_edit"]
    if settings.model:
        words += ["-m", settings.model]
    return Line(
        tuple(words), {"GOOGLE_GEMINI_BASE_URL": settings.base_url} if settings.base_url else {}
    )


def _read(output: Output) -> Reply:
    answer = last_object(output.stdout) or last_object(output.stderr)
    if answer is None or not {"response", "error"} & answer.keys():
        return Reply("", problem=_MEANINGS.get(output.exit_status, "it printed no JSON answer"))
    models = part(answer, "stats", "models")
    tokens = [part(model, "tokens") for model in (models.values() if _is_map(models) else ())]
    said = text_of(part(answer, "error", "message"))
    meaning = _MEANINGS.get(output.exit_status, "")
    problem = ": ".join(text for text in (meaning, said) if text)
    return Reply(
        text=text_of(answer.get("response")),
        problem=problem or ("it failed without a reason" if answer.get("error") else ""),
        input_tokens=count_of(*(part(used, "prompt") for used in tokens)),
        output_tokens=count_of(
            *(part(used, kind) for used in tokens for kind in ("candidates", "thoughts"))
        ),
    )


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


ADAPTER = Adapter(
    name="gemini",
    line=_line,
    read=_read,
    program="gemini",
    install="Install it with `npm install -g @google/gemini-cli`, then log in: `gemini`.",
    variables=(
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
    ),
    takes=frozenset({"model", "base_url"}),
)
