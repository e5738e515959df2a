"""The provider ``command``: any command that reads a prompt file and prints its answer.

Limits first. Of what it prints the last 64 KiB are read. An exit status other than 0 makes any
answer count for nothing. It gets no variable of the caller's beyond those of every command.

It finds the prompt by ``LAB_PROMPT_PATH`` or in the place of ``{prompt}``.
"""

from __future__ import annotations

from hermes.agents.adapter import ANSWER_BYTES, Adapter, Line, Output, Reply, Request
from hermes.executing import placeholders

PROMPT_VARIABLE = "LAB_PROMPT_PATH"


def _line(request: Request) -> Line:
    prompt = str(request.prompt_file)
    command = placeholders.fill(request.settings.command or "", {"prompt": prompt})
    return Line(command, {PROMPT_VARIABLE: prompt})


def _read(output: Output) -> Reply:
    return Reply(output.stdout)


ADAPTER = Adapter(name="command", line=_line, read=_read, output_bytes=ANSWER_BYTES)
