"""The bounds, the step and the logarithm of one declared number, checked; for ``declarations``.

Limits: whole numbers up to 2**53, which every program reads exactly.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from hermes.search.dimensions import Number
from hermes.search.refusals import Place, shown

MOST_WHOLE = 2**53
MOST = sys.float_info.max


def read_number(raw: Mapping[object, object], integer: bool, place: Place) -> Number:
    """Return the number that ``raw`` declares. Raises SpecError."""
    low, high = (_bound(raw, key, integer, place) for key in ("low", "high"))
    if low > high:
        raise place.refuse(f'has "low" {low} above "high" {high}.', "Exchange them.")
    log = raw.get("log", False)
    if not isinstance(log, bool):
        raise place.refuse(f'has "log" {shown(log)}.', 'Write "log": true or "log": false.')
    if log and low <= 0:
        raise place.refuse(
            f'is logarithmic, and its "low" {low} is not above 0.',
            'Raise "low" above 0, or leave out "log".',
        )
    number = Number(place.name, integer, low, high, _step(raw, integer, place), log)
    _check_step(number, place)
    return number


def _bound(raw: Mapping[object, object], key: str, integer: bool, place: Place) -> float:
    if key not in raw:
        raise place.refuse(f'has no "{key}".', f'Write "{key}": and a number.')
    return _numeral(raw[key], key, integer, place)


def _step(raw: Mapping[object, object], integer: bool, place: Place) -> float | None:
    if "step" not in raw:
        return 1 if integer else None
    step = _numeral(raw["step"], "step", integer, place)
    if step <= 0:
        raise place.refuse(f'has "step" {step}.', "Make it greater than 0.")
    return step


def _numeral(value: object, key: str, integer: bool, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise place.refuse(
            f'has "{key}" {shown(value)}, which is not a number.',
            "Write a number, without quotes.",
        )
    if integer:
        return _whole(value, key, place)
    if not -MOST <= value <= MOST:  # nan and infinity are not, nor is a whole number beyond
        raise place.refuse(f'has "{key}" that is not finite.', "Write a finite number.")
    return float(value) + 0.0  # -0.0 is 0.0


def _whole(value: float, key: str, place: Place) -> int:
    if not math.isfinite(value) or value != int(value):
        raise place.refuse(
            f'is of type int, and its "{key}" {shown(value)} is not whole.',
            'Write a whole number, or "type": "float".',
        )
    if abs(value) > MOST_WHOLE:
        raise place.refuse(
            f'has "{key}" {shown(value)}, beyond what every program reads exactly.',
            f'Stay within ±{MOST_WHOLE}, or use "type": "float".',
        )
    return int(value)


def _check_step(number: Number, place: Place) -> None:
    step, count = number.step, number.count
    if step is None or count is None or number.low == number.high:
        return
    if count == 1:
        raise place.refuse(
            f'has "step" {step}, more than its range: only {number.low} is left.',
            f'Make "step" at most {number.high - number.low}, or "high" equal to "low".',
        )
    ends = (number.at(0), number.at(1)), (number.at(count - 2), number.at(count - 1))
    if count > MOST_WHOLE or any(first == second for first, second in ends):
        raise place.refuse(f'has "step" {step}, too small for its bounds.', "Make it larger.")
