"""Compares what came of a run with its record, and says what that means. Pure; the step calls it.

Limits first. The verdict rests on how the run ended and on its value. Secondary metrics, files,
time and memory are compared and shown; a file that holds the time of day proves nothing.
A failure is the same when its outcome, its exit status and its reason are, but for what was
measured in the reason and for folders of the lab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hermes.analysis.examine import without_measurements
from hermes.measured import Sample
from hermes.reproduction.noise import values
from hermes.reproduction.records import (
    Account,
    Condition,
    Ending,
    FilesKept,
    Findings,
    Match,
    Values,
    Verdict,
)

_PUT_BACK = "First make these what they were, then try again: {}."
_MEASURE_MORE = "Measure it more often, which tells the noise: add repeats=5."
_LOOK = "Compare with what it printed then: `hermes-lab show` names its logs."


def compare(
    recorded: Account,
    again: Account,
    *,
    confidence: float,
    root: str,
    conditions: Sequence[Condition] = (),
) -> Findings:
    """Compare an execution with the recorded one; ``root`` is the data root's path."""
    value = _value(recorded, again, confidence)
    verdict, reason = _judged(recorded, again, value, root)
    return Findings(
        verdict=verdict,
        reason=reason,
        next="" if verdict.holds else _next(value, conditions),
        recorded=_ending(recorded),
        again=_ending(again),
        value=value,
        secondary=_secondary(recorded.samples, again.samples, confidence),
        files=_files(recorded.files, again.files),
        recorded_usage=recorded.usage,
        usage=again.usage,
    )


def cannot(reason: str, remedy: str) -> Findings:
    """Return what is found of a run that cannot be run again as it was."""
    return Findings(Verdict.CANNOT, reason, remedy)


def _ending(account: Account) -> Ending:
    return Ending(account.outcome, account.reason, account.exit_status)


def _value(recorded: Account, again: Account, confidence: float) -> Values | None:
    if not recorded.samples and not again.samples:
        return None
    before = [sample.value for sample in recorded.samples]
    return values(before, [sample.value for sample in again.samples], confidence)


def _judged(
    recorded: Account, again: Account, value: Values | None, root: str
) -> tuple[Verdict, str]:
    if recorded.outcome != again.outcome:
        why = f": {again.reason}" if again.reason else ""
        return Verdict.NOT_REPRODUCED, f"it ended as {again.outcome}{why}"
    if value is None:
        return _failed_again(recorded, again, root)
    verdict = {Match.EQUAL: Verdict.REPRODUCED, Match.WITHIN_NOISE: Verdict.WITHIN_NOISE}
    return verdict.get(value.match, Verdict.NOT_REPRODUCED), _told(value)


def _failed_again(recorded: Account, again: Account, root: str) -> tuple[Verdict, str]:
    if recorded.exit_status == again.exit_status and _plain(recorded.reason, root) == _plain(
        again.reason, root
    ):
        return Verdict.REPRODUCED, f"it ended as {again.outcome} again, for the same reason"
    why = again.reason or f"exit status {again.exit_status}"
    return Verdict.NOT_REPRODUCED, f"it ended as {again.outcome} for another reason: {why}"


def _plain(reason: str, root: str) -> str:
    """Return a reason without what was measured and without the lab's own folders."""
    return without_measurements(re.sub(re.escape(root) + r"/[^\s'\"]*/", "", reason))


def _told(value: Values) -> str:
    """Say how the values compare, and by which numbers."""
    if value.match is Match.EQUAL:
        return f"the same value again: {value.again_mean!r}"
    now, then = _shown(value.again, value.again_mean), _shown(value.recorded, value.recorded_mean)
    apart = f"{now} against {then}, {abs(value.difference or 0.0):.6g} apart"
    noise = value.noise
    if noise is None:
        return f"{apart}; one measurement of each tells nothing of noise"
    which = value.recorded if noise.told_by == "recorded" else value.again
    told_by = f"told by the {len(which)} {'recorded' if which is value.recorded else 'new'} ones"
    inside = "as" if value.match is Match.WITHIN_NOISE else "but"
    return (
        f"{apart}, {inside} noise takes the means {noise.reach:.6g} apart at most "
        f"({noise.confidence * 100:g} % prediction interval; the deviation of one measurement is "
        f"{noise.deviation:.6g}, {told_by})"
    )


def _shown(measured: Sequence[float], mean: float | None) -> str:
    """Return a single measurement to its last digit, a mean to those that mean something."""
    return f"{mean!r}" if len(measured) == 1 else f"{mean:.10g}"


def _next(value: Values | None, conditions: Sequence[Condition]) -> str:
    changed = [condition.name for condition in conditions if condition.same is False]
    if changed:
        return _PUT_BACK.format(", ".join(changed))
    if value is not None and value.match is Match.DIFFERENT and value.noise is None:
        return _MEASURE_MORE
    return _LOOK


def _secondary(
    recorded: Sequence[Sample], again: Sequence[Sample], confidence: float
) -> Mapping[str, Values]:
    names = dict.fromkeys(name for sample in (*recorded, *again) for name in sample.secondary)
    return {
        name: values(_column(recorded, name), _column(again, name), confidence) for name in names
    }


def _column(samples: Sequence[Sample], name: str) -> list[float]:
    return [sample.secondary[name] for sample in samples if name in sample.secondary]


def _files(recorded: Mapping[str, str], again: Mapping[str, str]) -> FilesKept:
    both = sorted(recorded.keys() & again.keys())
    different = tuple(name for name in both if recorded[name] != again[name])
    return FilesKept(
        same=len(both) - len(different),
        different=different,
        missing=tuple(sorted(recorded.keys() - again.keys())),
        new=tuple(sorted(again.keys() - recorded.keys())),
    )
