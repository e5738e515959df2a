"""What a test of an evaluator found, judged: may its numbers be trusted, and how noisy are they.

Pure; ``executing/audit`` measures, ``steps/audit`` asks. Limit first: an audit sees how the
evaluator answers a few candidates; one that is fooled by other means passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import fmean, stdev

from hermes.acceptance import student
from hermes.model import Outcome
from hermes.spec import Acceptance

_CHANCE = 0.05
_REPEATS = 5
_SLOW_SHARE = 0.5
_WIDE = 4.0  # standard deviations within which values count as those of the same code


class Severity(str, Enum):
    """How bad a finding is: the first two make ``audit`` end with 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Kind(str, Enum):
    """What was given to the evaluator."""

    AS_IS = "as-is"
    GARBAGE = "garbage"
    EMPTY = "empty"
    BROKEN = "broken"
    PRINTING = "printing"


@dataclass(frozen=True)
class Probe:
    """One measurement: of what, and what came of it; ``seconds`` of wall time."""

    kind: Kind
    outcome: Outcome
    reason: str = ""
    value: float | None = None
    secondary: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Traces:
    """What measuring left outside of its sandbox, and where the evaluator names the workspace.

    ``users`` are paths in the user's workspace, ``elsewhere`` names that are new in the home and
    temporary folders (which others use as well), ``naming`` what says the workspace's path.
    """

    users: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    naming: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something that a user should know before the first run, and what to do about it."""

    severity: Severity
    what: str
    next_step: str


@dataclass(frozen=True)
class Noise:
    """How measurements of the same code differ; seconds are the mean of one."""

    count: int
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    seconds: float

    @property
    def is_none(self) -> bool:
        """Say whether all were equal."""
        return self.minimum == self.maximum


@dataclass(frozen=True)
class Suggestion:
    """What ``acceptance`` in the SPEC might say.

    With ``repeats`` the lab tests a gain; without, one of ``min_improvement`` is luck in one of
    twenty cases.
    """

    repeats: int
    min_improvement: float


@dataclass(frozen=True)
class Audit:
    """What came of an audit."""

    findings: tuple[Finding, ...]
    noise: Noise | None
    suggestion: Suggestion | None

    @property
    def is_fine(self) -> bool:
        """Say whether there is nothing but notes."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)


def judge(probes: Sequence[Probe], traces: Traces, rule: Acceptance, budget: float) -> Audit:
    """Return what the probes tell; ``budget`` is the time that one measurement may take (s)."""
    noise = noise_of(probes)
    suggestion = suggest(noise) if noise is not None else None
    found = [*_of_the_code_as_it_is(probes)]
    if noise is not None:
        found += _of_others(probes, noise, traces)
        found += _of_noise(noise, rule, suggestion)
        found += _of_time(noise, budget)
    found += _of_traces(traces)
    order = list(Severity)
    return Audit(
        tuple(sorted(found, key=lambda finding: order.index(finding.severity))), noise, suggestion
    )


def noise_of(probes: Sequence[Probe]) -> Noise | None:
    """Return how the measurements of the code as it is differ; None with fewer than two."""
    taken = [probe for probe in probes if probe.kind is Kind.AS_IS and probe.value is not None]
    values = [probe.value for probe in taken if probe.value is not None]
    if len(values) < 2:
        return None
    return Noise(
        len(values),
        fmean(values),
        stdev(values),
        min(values),
        max(values),
        fmean(probe.seconds for probe in taken),
    )


def suggest(noise: Noise) -> Suggestion:
    """Return a rule that noise alone passes in one of twenty cases at most.

    The difference of two measurements has √2 times the standard deviation of one, which is
    estimated here from ``noise.count``; Student's t accounts for that.
    """
    if noise.is_none:
        return Suggestion(1, 0.0)
    width = student.exceeded_by(_CHANCE, noise.count - 1) * math.sqrt(2) * noise.standard_deviation
    return Suggestion(_REPEATS, float(f"{width:.2g}"))


# Findings

_TROUBLES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.TAMPERED: (
        "measuring the code as it is touches the evaluator itself",
        "Let it write elsewhere, or name what it writes in egress_files or artifacts_expected.",
    ),
    Outcome.INVALID_METRIC: (
        "the code as it is has no valid metric",
        "Print one finite number, once: nothing else that reads like the metric.",
    ),
    Outcome.NO_METRIC: (
        "the code as it is has no metric",
        "Print {metric} as JSON on the last line, or write metrics.json.",
    ),
    Outcome.TIMEOUT: (
        "measuring the code as it is takes longer than it may",
        "Raise time_budget_minutes, or let the evaluator do less.",
    ),
}
_FAILS = ("the code as it is cannot be measured", "Mend the command, then audit again.")


def _of_the_code_as_it_is(probes: Sequence[Probe]) -> Iterator[Finding]:
    failed = [probe for probe in probes if probe.kind is Kind.AS_IS and probe.value is None]
    measured = sum(probe.kind is Kind.AS_IS for probe in probes) - len(failed)
    for probe in failed[:1]:
        what, then = _TROUBLES.get(probe.outcome, _FAILS)
        often = f", {len(failed)} of {len(failed) + measured} times" if measured else ""
        yield Finding(Severity.ERROR, f"{what}{often}: {probe.reason}", then)


_NAMES = {
    Kind.GARBAGE: "nonsense in the place of every mutable file",
    Kind.EMPTY: "every mutable file emptied",
    Kind.BROKEN: "every mutable file with a syntax error in it",
}


def _of_others(probes: Sequence[Probe], noise: Noise, traces: Traces) -> Iterator[Finding]:
    wrong = [probe for probe in probes if probe.kind in _NAMES]
    alike = [probe for probe in wrong if _is_alike(probe, noise)]
    if wrong and len(alike) == len(wrong):
        yield _ignores_candidates(traces)
        return
    for probe in wrong:
        if probe.value is not None:
            same = " as the code as it is" if probe in alike else ""
            yield Finding(
                Severity.WARNING,
                f"{_NAMES[probe.kind]} is given a number{same}: {probe.value:.6g}",
                "Let the evaluator check results and exit with another status than 0 when they "
                "are wrong: a number for what does not work can win.",
            )
    yield from _of_printing(probes)


def _ignores_candidates(traces: Traces) -> Finding:
    """Say that whatever is measured, it is not the candidate, and where the cause may be."""
    what = "nonsense has the same number as the code as it is: what is measured is no candidate"
    if traces.naming:
        told = ", ".join(traces.naming)
        return Finding(
            Severity.ERROR,
            f"{what} (the path of your workspace stands in {told})",
            "Use relative paths: commands run in the sandbox, and $LAB_WORKSPACE_ROOT names it.",
        )
    return Finding(
        Severity.ERROR,
        what,
        "Let the evaluator use what lies in the folder it runs in: no absolute path, no installed "
        "copy (`pip install -e` leads to your own folder), no cached result.",
    )


def _of_printing(probes: Sequence[Probe]) -> Iterator[Finding]:
    if any(_is_heard(probe) for probe in probes if probe.kind is Kind.PRINTING):
        yield Finding(
            Severity.NOTE,
            "what the code prints reaches the evaluator's own output: two metrics are refused, "
            "but code that ends the process before the evaluator prints is believed",
            "Let a process of its own score the results (docs/CODE-LOOP.md), or use a "
            "holdout_command.",
        )


def _is_heard(probe: Probe) -> bool:
    return probe.outcome is Outcome.INVALID_METRIC


def _is_alike(probe: Probe, noise: Noise) -> bool:
    if probe.value is None:
        return False
    return abs(probe.value - noise.mean) <= _WIDE * noise.standard_deviation


def _of_noise(noise: Noise, rule: Acceptance, suggestion: Suggestion | None) -> Iterator[Finding]:
    if noise.is_none or suggestion is None or rule.repeats > 1:
        return
    asked = rule.min_improvement * (abs(noise.mean) if rule.relative else 1.0)
    if asked < suggestion.min_improvement:
        yield Finding(
            Severity.WARNING,
            f"the same code differs from measurement to measurement (standard deviation "
            f"{noise.standard_deviation:.3g}), and one is enough to win",
            f"Write acceptance: {{repeats: {suggestion.repeats}}} in the SPEC, or at least "
            f"min_improvement: {suggestion.min_improvement:g}.",
        )


def _of_time(noise: Noise, budget: float) -> Iterator[Finding]:
    if noise.seconds > _SLOW_SHARE * budget:
        yield Finding(
            Severity.WARNING,
            f"one measurement takes {noise.seconds:.3g} s of the {budget:.3g} s that it may take",
            "Raise time_budget_minutes: a candidate that is a little slower would be a timeout.",
        )


def _of_traces(traces: Traces) -> Iterator[Finding]:
    if traces.users:
        yield Finding(
            Severity.ERROR,
            f"measuring writes into your own workspace: {', '.join(traces.users)}",
            "Use relative paths: commands run in the sandbox. (Or did you edit it meanwhile?)",
        )
    if traces.elsewhere:
        yield Finding(
            Severity.NOTE,
            f"new outside of the sandbox, by measuring or by somebody else: "
            f"{', '.join(traces.elsewhere)}",
            "What one measurement leaves there, the next one finds: use files in the sandbox.",
        )
