"""Makes an agent of an adapter: one run of its tool a call, whatever that does; for ``providers``.

Limits first. Of standard output the end is read as far as the adapter says, of standard error
the last 16 KiB. What the tool leaves running is killed, and the call's folder removed. A variable
of the caller's that an adapter names is blotted out wherever the tool prints its value, if its
name speaks of a secret; what the tool writes into ``work`` is not looked at.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hermes import files
from hermes.agents.adapter import Adapter, Line, Request
from hermes.agents.base import Call, Settings
from hermes.agents.report import Report, guarded
from hermes.agents.working import files_of
from hermes.errors import RequestError
from hermes.exchange import Answer, Spending
from hermes.executing import local
from hermes.executing.environment import is_secret
from hermes.executing.logs import Log
from hermes.plain_text import one_line, within
from hermes.spec import Command

_COMPLAINT_BYTES = 16 * 1024
_PROBE_SECONDS = 20.0
_VERSION_BYTES = 100
_SHORTEST_SECRET = 6  # a shorter value is more likely a word than a secret
_BACKGROUND = ("nice", "-n", "10")
_SETTINGS = ("model", "effort", "base_url")


class _Installed(NamedTuple):
    """A tool's file, told from what an update puts into its place."""

    path: str
    changed_ns: int
    size: int


_versions: dict[_Installed, str] = {}


class ToolAgent:
    """Asks by running a tool; each process asks a tool for its version once."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def check(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Refuse a tool that is not there, and settings that it does not heed.

        Raises RequestError.
        """
        adapter = self._adapter
        if adapter.program is None:
            _check_command(adapter, settings)
        elif shutil.which(adapter.program, path=environment.get("PATH", "")) is None:
            raise RequestError(
                f"The agent provider {adapter.name!r} needs the command {adapter.program!r}, "
                "which is not on the PATH.",
                adapter.install or "Install it, or correct the PATH.",
            )
        for name in _SETTINGS:
            if getattr(settings, name) and name not in adapter.takes:
                raise RequestError(
                    f"The agent provider {adapter.name!r} cannot be told an agent_{name}.",
                    "Remove it from the SPEC, and set it in that tool's own configuration.",
                )

    def ask(self, call: Call) -> Answer:
        """Run the tool and return what it said.

        Writes: the call's folder, which is removed on return, and ``call.log``.
        """
        try:
            files.make_folder(call.folder / "scratch")
            return self._ask(call, _request(call, self._adapter))
        finally:
            with contextlib.suppress(OSError):  # whoever opens the next session tries again
                files.remove_tree(call.folder)

    def _ask(self, call: Call, request: Request) -> Answer:
        named = {name: call.caller[name] for name in self._adapter.variables if name in call.caller}
        environment = {**call.environment, **named}
        secrets = [value for name, value in named.items() if _is_telling(name, value)]
        line = guarded(self._adapter, lambda: self._adapter.line(request), Line)
        if isinstance(line, str):
            return Answer("", problem=line, agent=self._adapter.name, spending=Spending(calls=1))
        agent = self._named(call, environment)
        with contextlib.ExitStack() as logs:
            said = _log(logs, call.folder / "answer.log", self._adapter.output_bytes)
            complained = _log(logs, call.folder / "stderr.log", _COMPLAINT_BYTES)
            ended = local.run(
                _in_background(line.words) if call.settings.background else line.words,
                folder=request.work,
                environment={**environment, **line.variables},
                stdout=said,
                stderr=complained,
                limit_seconds=call.limit_seconds,
                tick=call.tick,
                begun=call.meanwhile,
            )
            report = Report(call, ended, said, complained, secrets)
        report.keep(_shown(line.words, request))
        return report.answer(self._adapter, request.scratch, agent)

    def _named(self, call: Call, environment: Mapping[str, str]) -> str:
        """Return the provider and its tool's version, which is asked for unless it is known."""
        found = _installed(self._adapter.program, environment)
        if found is None:
            return self._adapter.name
        if found not in _versions:
            _versions[found] = _probed(found.path, call, environment)
        return f"{self._adapter.name} {_versions[found]}".strip()


def _check_command(adapter: Adapter, settings: Settings) -> None:
    if settings.command is None:
        raise RequestError(
            f"The agent provider {adapter.name!r} has no agent to ask: the SPEC names no command.",
            "Add mutation_command, or `strategy_options: {command: COMMAND}` for the strategy llm; "
            "it finds the prompt in $LAB_PROMPT_PATH.",
        )


def _request(call: Call, adapter: Adapter) -> Request:
    """Return the request of a call.

    Writes: the prompt file and, where the call brings no folder to work in, an empty one.
    """
    prompt = call.prompt.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    prompt_file, work = call.folder / "prompt.md", call.work or call.folder / "work"
    if call.work is None:
        files.make_folder(work)
    files.write_new(prompt_file, prompt.encode())
    return Request(
        prompt=prompt,
        prompt_file=prompt_file,
        scratch=call.folder / "scratch",
        work=work,
        may_edit=call.work is not None,
        settings=call.settings,
        files=files_of(work, call.settings) if adapter.wants_files and call.work else (),
    )


def _installed(program: str | None, environment: Mapping[str, str]) -> _Installed | None:
    """Return the file that would be run; None where there is none."""
    path = program and shutil.which(program, path=environment.get("PATH", ""))
    with contextlib.suppress(OSError):
        if path:
            entry = os.stat(path)
            return _Installed(path, entry.st_mtime_ns, entry.st_size)
    return None


def _probed(program: str, call: Call, environment: Mapping[str, str]) -> str:
    """Return the first line that ``--version`` prints; "" for a tool that says nothing useful."""
    with contextlib.ExitStack() as logs:
        log = _log(logs, call.folder / "version.log", _COMPLAINT_BYTES)
        ended = local.run(
            (program, "--version"),
            folder=call.folder / "scratch",
            environment=environment,
            stdout=log,
            limit_seconds=min(_PROBE_SECONDS, call.limit_seconds),
            tick=call.tick,
        )
        said = log.since(0).decode("utf-8", "replace").strip().splitlines()
    is_told = ended.exit_status == 0 and not ended.timed_out and said
    return within(one_line(said[0].strip()), _VERSION_BYTES) if is_told else ""


def _in_background(words: Command) -> tuple[str, ...]:
    """Return the command at a low priority, so that it disturbs no measurement beside it."""
    return (*_BACKGROUND, *(("sh", "-c", words) if isinstance(words, str) else words))


def _is_telling(name: str, value: str) -> bool:
    return is_secret(name) and len(value) >= _SHORTEST_SECRET


def _log(logs: contextlib.ExitStack, path: Path, size: int) -> Log:
    log = Log(path, head_bytes=0, tail_bytes=size)
    logs.callback(log.close)
    return log


def _shown(words: Command, request: Request) -> str:
    """Return the command line for people, without the prompt."""
    text = words if isinstance(words, str) else shlex.join(words)
    return text.replace(shlex.quote(request.prompt), "{prompt}")
