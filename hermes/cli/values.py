"""From the text of a ``name=value`` to a value of the type its table names, or a refusal.

Pure; used by ``request`` alone. A value is never guessed at and never trimmed to fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from hermes.cli.commands import EXPECTED, Kind, Variable
from hermes.errors import RequestError, UnknownName
from hermes.layout import EXPERIMENT_ID

Value: TypeAlias = str | int | float | Path | None

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")
_SHOWN = 60


def absolute(text: str, workdir: Path, environ: Mapping[str, str]) -> Path:
    """Return a path as the user meant it: from ``workdir``, with a leading ``~/`` as the home."""
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    path = workdir / text
    return path.resolve() if ".." in path.parts else path


def convert(variable: Variable, text: str, *, workdir: Path, environ: Mapping[str, str]) -> Value:
    """Return the value that ``text`` means for ``variable``. Raises RequestError."""
    if not text.strip():
        raise RequestError(f"{variable.name}= is empty.", "Give it a value, or leave it out.")
    if variable.kind == "path":
        return absolute(text, workdir, environ)
    if variable.kind == "choice":
        return _choice(variable, text)
    if variable.kind == "strategy":
        return _strategy(text)
    value = _READERS[variable.kind](text)
    if value is None:
        raise _refusal(variable, text, f"is not {EXPECTED[variable.kind]}")
    if isinstance(value, (int, float)):
        _check_range(variable, text, value)
    return value


def _choice(variable: Variable, text: str) -> str:
    if text not in variable.choices:
        listed = f"{variable.name}= is one of: {', '.join(variable.choices)}."
        raise UnknownName(variable.name, _short(text), variable.choices, listed)
    return text


def _strategy(text: str) -> str:
    """Return the name of a strategy that can be used here; a missing library is told now."""
    from hermes.search.registry import check

    check(text)
    return text


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.match(text) else None


def _number(text: str) -> float | None:
    number = float(text) if _NUMBER.match(text) else math.inf
    return number if math.isfinite(number) else None


_READERS: dict[Kind, Callable[[str], str | int | float | None]] = {
    "str": lambda text: text,
    "int": _whole,
    "float": _number,
    "experiment": lambda text: text if EXPERIMENT_ID.match(text) else None,
    "run": lambda text: text if _RUN.match(text) else None,
}


def _check_range(variable: Variable, text: str, value: float) -> None:
    if variable.minimum is not None and value < variable.minimum:
        raise _refusal(variable, text, f"is less than {variable.minimum:g}")
    if variable.maximum is not None and value > variable.maximum:
        message = f"{variable.name}={_short(text)} is more than {variable.maximum:g}."
        raise RequestError(message, variable.ceiling or _takes(variable))


def _refusal(variable: Variable, text: str, what: str) -> RequestError:
    return RequestError(f"{variable.name}={_short(text)} {what}.", _takes(variable))


def _takes(variable: Variable) -> str:
    """Say what belongs there."""
    limits = [
        f"{word} {bound:g}"
        for word, bound in (("from", variable.minimum), ("up to", variable.maximum))
        if bound is not None
    ]
    return f"{variable.name}= takes {' '.join((EXPECTED[variable.kind], *limits))}."


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
