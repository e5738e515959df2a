"""What came of a call to an agent's tool: its logs, told as an answer; ``running`` alone makes it.

Limits first. An answer has at most 64 KiB, the log of a call 64 KiB of what was printed. Secrets
are blotted out wherever the tool printed them. An account's limit is looked for in calls that
failed in time, and in an answer that is nothing but its notice.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from hermes import files
from hermes.agents.adapter import ANSWER_BYTES, Adapter, Output, Reply
from hermes.agents.base import Call
from hermes.agents.limits import Limit, find_limit, is_notice
from hermes.clock import format_time
from hermes.exchange import Answer, Spending
from hermes.executing import local
from hermes.executing.logs import Log
from hermes.plain_text import one_line, within

_WRITTEN_BYTES = 256 * 1024
_PROBLEM_BYTES = 600
_LAST_LINES = 12

_Made = TypeVar("_Made")


class Report:
    """What came of a call: read from its logs while they are there, told as an answer."""

    def __init__(
        self, call: Call, ended: local.Ended, said: Log, complained: Log, secrets: list[str]
    ) -> None:
        self._call = call
        self._ended = ended
        self._secrets = secrets
        data = said.since(0)
        self._left_out = said.printed - len(data)
        self._stdout = self._blotted(data.decode("utf-8", "replace"))
        self._stderr = self._blotted(complained.since(0).decode("utf-8", "replace"))
        self._why = "" if ended.exit_status == 0 else local.explained(ended, complained)

    def keep(self, command: str) -> None:
        """Write what the tool printed into the call's log, if one is wanted."""
        if self._call.log is None:
            return
        ended, half = self._ended, ANSWER_BYTES // 2
        head = f"{self._blotted(command)}\nexit status {ended.exit_status}"
        seconds = f" after {ended.usage.wall_seconds:.1f} s\n"
        parts = (head, seconds, _titled("standard output", self._stdout[-half:]))
        text = "".join((*parts, _titled("standard error", self._stderr[-half:])))
        files.write_new(self._call.log, text.encode("utf-8", "replace"))

    def answer(self, adapter: Adapter, scratch: Path, agent: str) -> Answer:
        """Return the answer as the adapter reads it, with what the account's limit says."""
        written = {name: self._written(scratch / name) for name in adapter.writes}
        output = Output(
            self._ended.exit_status,
            self._stdout,
            self._stderr,
            {name: text for name, text in written.items() if text},
        )
        reply = guarded(adapter, lambda: adapter.read(output), Reply)
        if isinstance(reply, str):
            reply = Reply("", problem=reply)
        problem = self._problem(reply)
        limit = self._limit(reply, problem)
        seconds = self._ended.usage.wall_seconds
        return Answer(
            _end_of(reply.text),
            problem=_limited(limit) if limit else problem,
            timed_out=self._ended.timed_out,
            left_out=self._left_out,
            wall_seconds=seconds,
            spending=Spending(1, reply.input_tokens, reply.output_tokens, reply.cost_usd, seconds),
            resets_at=format_time(limit.resets_at) if limit else None,
            agent=agent,
            turns=reply.turns,
        )

    def _problem(self, reply: Reply) -> str:
        if self._ended.timed_out:
            return f"there was no answer within {self._call.limit_seconds / 60:g} minutes"
        said = within(one_line(self._blotted(reply.problem)), _PROBLEM_BYTES)
        if not self._why:
            return f"the agent failed: {said}" if said else ""
        why = within(self._blotted(self._why), _PROBLEM_BYTES)
        return f"the agent's command failed: {why}" + (f" ({said})" if said else "")

    def _limit(self, reply: Reply, problem: str) -> Limit | None:
        now, zone = self._call.now(), _zone(self._call.environment, self._call.now())
        if self._ended.timed_out:
            return None
        if not problem:
            notice = reply.text if is_notice(reply.text, now=now, zone=zone) else ""
            return find_limit(notice, now=now, zone=zone)
        told = "\n".join(map(_last_words, (self._stderr, reply.text, reply.problem)))
        found = find_limit(told, now=now, zone=zone)
        if found is None or found.is_told:
            return found
        more = find_limit(_last_words(self._stdout), now=now, zone=zone)
        return more if more is not None and more.is_told else found

    def _written(self, path: Path) -> str:
        with contextlib.suppress(OSError, ValueError):
            data = files.read_before(path, path.stat().st_size, _WRITTEN_BYTES)
            return self._blotted(data.decode("utf-8", "replace"))
        return ""

    def _blotted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def guarded(adapter: Adapter, made: Callable[[], _Made], kind: type[_Made]) -> _Made | str:
    """Return what an adapter makes; or, for it may be anybody's code, how it failed to."""
    try:
        found = made()
    except Exception as error:  # noqa: BLE001  a user's adapter must not end the experiment
        return f"the adapter {adapter.name!r} failed: {type(error).__name__}: {error}"
    if isinstance(found, kind):
        return found
    return f"the adapter {adapter.name!r} failed: it made no {kind.__name__}"


def _titled(title: str, text: str) -> str:
    return f"\n--- {title}\n{text.rstrip()}\n"


def _last_words(text: str) -> str:
    """Return the lines in which a tool says why it failed; those before are of its work."""
    return "\n".join(text.splitlines()[-_LAST_LINES:])


def _end_of(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return data[-ANSWER_BYTES:].decode("utf-8", "replace") if len(data) > ANSWER_BYTES else text


def _limited(limit: Limit) -> str:
    said = within(one_line(limit.said), _PROBLEM_BYTES)
    until = "" if limit.is_told else ", which does not say until when"
    return f"the agent's account has reached a limit{until}: {said}"


def _zone(environment: Mapping[str, str], now: datetime) -> tzinfo:
    """Return the zone in which the tool's own clock shows the time."""
    linked = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    for name in (environment.get("TZ", "").lstrip(":"), linked):
        with contextlib.suppress(ValueError, OSError, LookupError):
            if name:
                return ZoneInfo(name)
    return now.astimezone().tzinfo or timezone.utc
