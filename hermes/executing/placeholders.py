"""Puts parameters in the place of ``{name}`` in commands; planning and ``run`` use it.

Limits first. Braces are also the shell's, awk's and Python's own: what is no parameter's name
stays as it is. Only a name that looks like a parameter which the command does not name otherwise
is taken for a misspelling, and refused when a run is planned.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from hermes import files
from hermes.errors import RequestError
from hermes.executing.environment import text_of
from hermes.model import Params
from hermes.spec import Command, Spec

_ALIKE = 0.75
_WORKSPACE_SPACE = "search_space.json"
_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_.-]{0,63})\}")
_DIGITS = re.compile("[0-9]+")


def fill(command: Command, params: Params) -> Command:
    """Put parameters in the place of ``{name}``: quoted for the shell in a string, plain in a list.

    Braces around anything else, and ``${name}``, stay as they are.
    """
    if not params:
        return command
    names = "|".join(re.escape(name) for name in sorted(params, key=len, reverse=True))
    pattern = re.compile(r"(?<!\$)\{(" + names + r")\}")
    if isinstance(command, str):
        return pattern.sub(lambda match: shlex.quote(text_of(params[match[1]])), command)
    return tuple(pattern.sub(lambda match: text_of(params[match[1]]), word) for word in command)


def check_placeholders(spec: Spec, params: Params) -> None:
    """Raise RequestError for a placeholder that looks like a misspelt parameter."""
    for field in ("executor_command", "validation_command"):
        for name, meant in _misspellings(getattr(spec, field), spec, params):
            raise RequestError(
                f"{field}: {{{name}}} is no parameter; did you mean {{{meant}}}?",
                "Correct it; braces that mean something else can go into a script.",
            )


def _misspellings(command: Command | None, spec: Spec, params: Params) -> Iterator[tuple[str, str]]:
    """Return each misspelt placeholder with the parameter that is meant."""
    used = set(_placeholders(command))
    unknown = used.difference(params)
    spare = sorted(set(params) - used)
    for name in sorted(unknown - _declared(spec)) if unknown and spare else ():
        meant = _misspelt(name, spare)
        if meant is not None:
            yield name, meant


def _placeholders(command: Command | None) -> list[str]:
    words = (command,) if isinstance(command, str) else command or ()
    return [name for word in words for name in _PLACEHOLDER.findall(word)]


def _declared(spec: Spec) -> set[str]:
    """Return the parameters of the search space, also those that this proposal does without."""
    space: object = spec.search_space
    if space is None and spec.workspace_root is not None:
        space = str(Path(spec.workspace_root) / _WORKSPACE_SPACE)
    if isinstance(space, str):
        try:
            space = json.loads(files.read(space) or b"{}")
        except (OSError, ValueError):
            return set()
    return set(space) if isinstance(space, dict) else set()


def _misspelt(name: str, params: Iterable[str]) -> str | None:
    """Return the parameter that ``name`` is nearly; what differs in its numbers is another name."""
    import difflib

    likes = {_plain(known): known for known in params}
    near = difflib.get_close_matches(_plain(name), likes, n=1, cutoff=_ALIKE)
    if not near:
        return None
    meant = likes[near[0]]
    digits_differ = _DIGITS.findall(name) != _DIGITS.findall(meant)
    return None if digits_differ else meant


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")
