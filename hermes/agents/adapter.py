"""What an adapter is: data and two pure functions about one agent's command line tool.

``line`` says how the tool is called for a request, ``read`` what its output means. ``running``
does all that touches the system. Limit: one call is one process that ends by itself.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hermes.agents.base import Settings
from hermes.spec import Command

ANSWER_BYTES = 64 * 1024
OUTPUT_BYTES = 1024 * 1024
_LARGEST_COUNT = 10**15
_OPENING = re.compile(r"^\{", re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """One call, as an adapter sees it.

    ``prompt`` also stands in ``prompt_file``. ``scratch`` is a folder for files that the tool is
    told to write, removed after the call. The tool starts in ``work``; with ``may_edit`` it is to
    change files there. ``files`` are those it may change, relative to it, if the adapter
    ``wants_files``.
    """

    prompt: str
    prompt_file: Path
    scratch: Path
    work: Path
    may_edit: bool
    settings: Settings
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A command line (a string is run by ``sh -c``), and variables for this call alone."""

    words: Command
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """What a tool left: of standard output and error the ends, and the files of ``scratch``.

    ``written`` has those among ``Adapter.writes`` that are there, by name.
    """

    exit_status: int
    stdout: str
    stderr: str = ""
    written: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What an output means; ``problem`` says why it cannot count, in the tool's own words.

    Tokens and US dollars are of the whole call, 0 where the tool does not tell. ``turns`` counts
    the steps that the agent took.
    """

    text: str
    problem: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    turns: int = 0


@dataclass(frozen=True)
class Adapter:
    """How one tool is called and read.

    ``program`` is looked for on the PATH, and ``install`` says where it comes from; None for a
    command of the user's own. ``variables`` names what the tool needs of the caller's
    environment: credentials, and places of its configuration. ``takes`` names the settings that it
    heeds; another one that a SPEC sets is refused. ``writes`` names files of ``scratch`` to read.
    Of standard output the last ``output_bytes`` are read.
    """

    name: str
    line: Callable[[Request], Line]
    read: Callable[[Output], Reply]
    program: str | None = None
    install: str = ""
    variables: tuple[str, ...] = ()
    takes: frozenset[str] = frozenset({"model", "effort", "base_url"})
    writes: tuple[str, ...] = ()
    wants_files: bool = False
    output_bytes: int = OUTPUT_BYTES


# For ``read``: what tools print as JSON, taken for what it is and nothing else


def json_lines(text: str) -> Iterator[dict[str, Any]]:
    """Return the JSON objects among the lines of ``text``; other lines are passed over."""
    for line in text.splitlines():
        value = _parsed(line)
        if isinstance(value, dict):
            yield value


def last_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that ``text`` is from its first brace on; else the last of its lines.

    Of a JSON list its last object; of an object that other text follows, that object.
    """
    listed = _parsed(text)
    found = [item for item in listed if isinstance(item, dict)] if _is_list(listed) else []
    whole = _parsed(text[text.find("{") :] if "{" in text else "")
    found += [whole] if isinstance(whole, dict) else [*json_lines(text)]
    return found[-1] if found else _leading_object(text)


def part(value: object, *keys: str) -> Any:
    """Return what stands under ``keys`` within mappings; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_of(value: object) -> str:
    """Return a text; "" for anything else."""
    return value if isinstance(value, str) else ""


def count_of(*values: object) -> int:
    """Return the sum of the whole numbers from 0 among ``values``."""
    return sum(value for value in values if type(value) is int and 0 <= value <= _LARGEST_COUNT)


def usd_of(value: object) -> float:
    """Return an amount of money; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    amount = float(value) if abs(value) < _LARGEST_COUNT else 0.0
    return amount if math.isfinite(amount) and amount > 0 else 0.0


def _leading_object(text: str) -> dict[str, Any] | None:
    """Return the object that a line of its own opens, whatever follows its end."""
    start = _OPENING.search(text)
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.end() - 1) if start else (None, 0)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_list(value: object) -> bool:
    return isinstance(value, list)
