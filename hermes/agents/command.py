"""The provider ``command``: any command that reads a prompt file and prints its answer.

Limits first. Of what it prints the last 64 KiB are read; what it writes to files is removed with
its folder. An exit status other than 0 makes any answer count for nothing.

The command runs as every command of the lab does: a session of its own, nothing on standard
input, ended with all that it started when its time is up. It starts in an empty folder, and finds
the prompt by ``LAB_PROMPT_PATH`` or in the place of ``{prompt}``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from hermes import files
from hermes.agents.base import Call
from hermes.exchange import Answer
from hermes.executing import local, placeholders
from hermes.executing.logs import Log
from hermes.spec import Command

PROMPT_VARIABLE = "LAB_PROMPT_PATH"
ANSWER_BYTES = 64 * 1024
_COMPLAINT_BYTES = 4 * 1024


class CommandAgent:
    """Asks by running a command."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def ask(self, call: Call) -> Answer:
        """Run the command and return what it printed.

        Writes: the call's folder, which is removed on return.
        """
        work, prompt = call.folder / "work", call.folder / "prompt.md"
        try:
            files.make_folder(work)
            files.write_new(prompt, call.prompt.encode("utf-8", "backslashreplace"))
            with contextlib.ExitStack() as logs:
                said = _log(logs, call.folder / "answer.log", ANSWER_BYTES)
                complained = _log(logs, call.folder / "stderr.log", _COMPLAINT_BYTES)
                return self._run(call, work, prompt, said, complained)
        finally:
            with contextlib.suppress(OSError):  # whoever opens the next session tries again
                files.remove_tree(call.folder)

    def _run(self, call: Call, work: Path, prompt: Path, said: Log, complained: Log) -> Answer:
        ended = local.run(
            placeholders.fill(self._command, {"prompt": str(prompt)}),
            folder=work,
            environment={**call.environment, PROMPT_VARIABLE: str(prompt)},
            stdout=said,
            stderr=complained,
            limit_seconds=call.limit_seconds,
            tick=call.tick,
            begun=call.meanwhile,
        )
        data = said.since(0)
        return Answer(
            data.decode("utf-8", "replace"),
            problem=_problem(ended, complained, call.limit_seconds),
            timed_out=ended.timed_out,
            left_out=said.printed - len(data),
            wall_seconds=ended.usage.wall_seconds,
        )


def _log(logs: contextlib.ExitStack, path: Path, size: int) -> Log:
    log = Log(path, head_bytes=0, tail_bytes=size)
    logs.callback(log.close)
    return log


def _problem(ended: local.Ended, complained: Log, limit_seconds: float) -> str:
    if ended.timed_out:
        return f"there was no answer within {limit_seconds / 60:g} minutes"
    if ended.exit_status == 0:
        return ""
    return f"the agent's command failed: {local.explained(ended, complained)}"
