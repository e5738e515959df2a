"""What an audit of an evaluator found, for a terminal.

Pure, without colour; no line is wider than the terminal. ``format=json`` has every number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hermes.acceptance.audit import Audit, Kind, Probe
from hermes.render.tables import Column, columns, labelled, wrap
from hermes.render.text import NONE, clip, duration, number, plural

_WORDS = {
    Kind.AS_IS: "the code as it is",
    Kind.GARBAGE: "nonsense in every file",
    Kind.EMPTY: "every file emptied",
    Kind.BROKEN: "a syntax error in every file",
    Kind.PRINTING: "code that prints a metric too",
}
_PROBES = (
    Column("MEASURED", need=9, most=40),
    Column("OUTCOME", need=8),
    Column("VALUE", need=7, right=True),
    Column("TIME", need=5, right=True),
    Column("REASON", need=3, least=12, most=80),
)


def audit_text(
    experiment: str, metric: str, probes: Sequence[Probe], audit: Audit, *, width: int
) -> str:
    """Return what was measured, the noise, and what was found with its next step."""
    rows = [_row(probe) for probe in probes]
    parts = [
        [*wrap(f"Audit of {experiment}: {metric}", width), columns(_PROBES, rows, width=width)],
        labelled(_noise(audit), width),
        list(_findings(audit, width)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _row(probe: Probe) -> tuple[str, ...]:
    return (
        _WORDS[probe.kind],
        probe.outcome.value,
        number(probe.value),
        duration(probe.seconds),
        clip(probe.reason, 80) or NONE,
    )


def _noise(audit: Audit) -> Iterator[tuple[str, str]]:
    noise, rule = audit.noise, audit.suggestion
    if noise is None or rule is None:
        return
    yield "Measured", f"{plural(noise.count, 'time')}, {duration(noise.seconds)} each"
    if noise.is_none:
        yield "Noise", "none: the same code has the same number each time"
        return
    yield "Mean", number(noise.mean)
    yield "Noise", f"standard deviation {noise.standard_deviation:.3g}"
    yield "Range", f"{number(noise.minimum)} to {number(noise.maximum)}"
    yield "Suggested", f"acceptance: {{repeats: {rule.repeats}}}, or with one measurement each:"
    yield "", f"acceptance: {{min_improvement: {rule.min_improvement:g}}}"


def _findings(audit: Audit, width: int) -> Iterator[str]:
    if not audit.findings:
        yield from wrap("Nothing speaks against this evaluator.", width)
    for finding in audit.findings:
        yield from wrap(f"{finding.severity.value}: {finding.what}.", width, indent="  ")
        yield from wrap(f"  {finding.next_step}", width, indent="  ")
