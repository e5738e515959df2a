"""Finds the proposal in what an agent said, or says exactly what is wrong with it; for ``llm``.

Limits first: an answer counts whole or not at all, and a value is not bent to fit. At most
``MOST_FAULTS`` faults are named, each on one line of at most ``FAULT_BYTES``.

The answer may be wrapped in other talk. What counts is the last JSON object that has ``params``
and does not stand within another one that has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hermes import codec
from hermes.model import Params
from hermes.plain_text import one_line, within
from hermes.search.space import Space

MOST_FAULTS = 8
FAULT_BYTES = 300
_OPENING = re.compile(r'\{\s*"')
_LENIENT = json.JSONDecoder()
_SHAPE = '{"params": {…}, "hypothesis": "…", "reasoning": "…"}'


@dataclass(frozen=True)
class Suggestion:
    """What an agent proposes: a point of the space as the space spells it, and why."""

    params: Params
    why: str = ""


class Unusable(Exception):
    """An answer that is no proposal; ``faults`` says why, a line each."""

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = tuple(_line(fault) for fault in faults[:MOST_FAULTS])
        if len(faults) > MOST_FAULTS:
            self.faults = (*self.faults[:-1], f"and {len(faults) - MOST_FAULTS + 1} more faults")


def read_answer(text: str, space: Space) -> Suggestion:
    """Return what ``text`` proposes. Raises Unusable when that is not one point of ``space``."""
    if not text.strip():
        raise Unusable("the answer is empty")
    found = _last_object(text)
    if found is None:
        raise Unusable(f"the answer has no JSON object with `params`: write {_SHAPE}")
    try:
        raw = codec.from_json(found, unique_keys=True)
    except ValueError as error:
        raise Unusable(f"the JSON object is not strict JSON: {error}") from None
    return Suggestion(_point(raw["params"], space), _why(raw))


def _last_object(text: str) -> str | None:
    """Return the text of the last object that has ``params``, be it strict JSON or not."""
    found = None
    start = _OPENING.search(text)
    while start is not None:
        end = _end_of_proposal(text, start.start())
        if end is not None:
            found = text[start.start() : end]
        start = _OPENING.search(text, start.start() + 1 if end is None else end)
    return found


def _end_of_proposal(text: str, place: int) -> int | None:
    try:
        value, end = _LENIENT.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None
    return end if "params" in value else None


def _point(given: object, space: Space) -> Params:
    if not isinstance(given, Mapping):
        raise Unusable("`params` is not an object of names and values")
    unknown = [name for name in given if name not in space.names]
    if len(unknown) > MOST_FAULTS:  # looking for what each may have meant would take long
        raise Unusable(f"`params` has {len(unknown)} names that are no parameters of the space")
    problems = space.contains(given)
    if problems:
        raise Unusable(*problems)
    spelled = {name: space[name].canonical(given.get(name)) for name in space.names}
    return {name: value for name, value in spelled.items() if value is not None}


def _why(raw: Mapping[str, object]) -> str:
    """Return the hypothesis, else the reasoning. Raises Unusable when one of them is no text."""
    texts = {name: raw.get(name) or "" for name in ("hypothesis", "reasoning")}
    faults = [f"`{name}` is not a text" for name, text in texts.items() if type(text) is not str]
    if faults:
        raise Unusable(*faults)
    return next((str(text) for text in texts.values() if text), "")


def _line(text: str) -> str:
    return within(one_line(text), FAULT_BYTES)
