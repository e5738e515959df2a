"""What a bundle says of a run of the code loop to people: parts of plan.md and RESULT.md.

Pure; called by ``run_text``. Limits first: no number of a hold-out is told, for agents read these
files; decision.json has them all, and every sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from hermes.measured import Code, Sample
from hermes.model import Manifest, Origin, Outcome
from hermes.render.stages import measuring, who_changes
from hermes.render.tables import table
from hermes.render.text import CUT, NONE, cell, code, number, plural, prose
from hermes.spec import Acceptance, Spec
from hermes.state import ExperimentState

if TYPE_CHECKING:  # the plan of a run that changes no code is made here, too
    from hermes.acceptance import Comparison, Decision, GuardCheck

_MOST_PATHS = 10
_MOST_SAMPLES = 40
_BASELINE = "the code as it is: nothing is changed, so that candidates have something to beat."


# plan.md


def code_plan(spec: Spec, manifest: Manifest, state: ExperimentState) -> str:
    """Return what is tried: who changes the code, from where, and what measures it then.

    ``spec`` stands at the run's tier.
    """
    return "\n".join(
        [
            _planned(spec, manifest, state),
            f"It may change {_paths(spec.mutable_paths)}{_but(spec.read_only_paths)}.",
            f"Measured by {measuring(spec)}, {_how_often(spec.acceptance, manifest)}.",
        ]
    )


def _planned(spec: Spec, manifest: Manifest, state: ExperimentState) -> str:
    best = state.incumbents.get(manifest.fidelity_tier)
    if manifest.origin is Origin.BASELINE or best is None:
        return f"What is measured is {_BASELINE}"
    start = f"the code of {code(best.run_id)}, the best so far, {number(best.value)}"
    if manifest.origin is Origin.AGENT:
        return f"A change that an agent handed in is measured; it is compared with {start}."
    if manifest.origin is Origin.RETRY:
        return f"The candidate that was cut off, or a new one by {who_changes(spec)}, from {start}."
    return f"The code is changed by {who_changes(spec)}.\nIt begins from {start}."


def _paths(patterns: Sequence[str]) -> str:
    shown = ", ".join(code(path) for path in patterns[:_MOST_PATHS])
    more = len(patterns) - _MOST_PATHS
    return (f"{shown}, {CUT} {more} more" if more > 0 else shown) or "nothing"


def _but(read_only: Sequence[str]) -> str:
    return f", never {_paths(read_only)}" if read_only else ""


def _how_often(rule: Acceptance, manifest: Manifest) -> str:
    if rule.repeats == 1:
        return "once"
    if manifest.origin is Origin.BASELINE:
        return f"{rule.repeats} times"
    most = f", {rule.max_repeats} at most" if rule.max_repeats else ""
    return f"{rule.repeats} times in turns with the best so far{most}"


# RESULT.md


def stated(found: Code) -> str:
    """Return the hypothesis of a run."""
    if found.compared_with is None:
        return f"None: this is {_BASELINE}"
    if found.hypothesis:
        return f"Of whoever made the change: {prose(found.hypothesis)}"
    return "Whoever made the change stated none."


def made(spec: Spec, manifest: Manifest, found: Code) -> str:
    """Return how the candidate came about and what it changes; ``spec`` stands at the tier."""
    if found.compared_with is None:
        lines = [f"Nothing was changed; what measures has the digest {code(found.evaluator)}."]
    else:
        lines = [
            f"Changed by {_maker(spec, manifest)}, from the code of {code(found.compared_with)}.",
            _size(found),
        ]
    return "\n".join([*lines, f"Measured by {measuring(spec)}."])


def _maker(spec: Spec, manifest: Manifest) -> str:
    if manifest.origin is Origin.AGENT:
        return "an agent that handed it in"
    return who_changes(spec)


def _size(found: Code) -> str:
    if found.candidate is None:
        return "There is no candidate to measure; `artifacts/mutation.log` has what was said."
    lines = f"{plural(found.added, 'line')} added, {found.removed} removed"
    return f"{lines}: `artifacts/diff.patch`; the files are in `artifacts/candidate/`."


def spent(found: Code) -> str:
    """Return what agents took for the run, as a line of a list; "" when none was asked."""
    cost = found.spending
    if not cost.calls:
        return ""
    told = [plural(cost.calls, "call"), *_tokens(cost.input_tokens, cost.output_tokens)]
    if cost.cost_usd is not None:
        told.append(f"{number(cost.cost_usd)} US dollars")
    return f"- Agent: {', '.join(told)}"


def _tokens(read: int | None, written: int | None) -> Iterator[str]:
    if read is not None or written is not None:
        yield f"{read or 0} tokens read and {written or 0} written"


def samples(decision: Decision) -> str:
    """Return every measurement behind a decision, in a table."""
    taken = decision.case.measurement
    rows = [
        (str(place), _value(one), _value(other))
        for place, (one, other) in enumerate(zip_longest(taken.candidate, taken.incumbent), start=1)
    ]
    shown = rows[:_MOST_SAMPLES]
    width = 3 if taken.incumbent else 2
    heads = ("Sample", "Candidate", "Best so far, in turns with it")[:width]
    text = table(heads, [row[:width] for row in shown], align="rrr"[:width])
    more = len(rows) - len(shown)
    return text + (f"\n\n{CUT} and {more} more in `artifacts/decision.json`." if more else "")


def _value(sample: Sample | None) -> str:
    return NONE if sample is None else number(sample.value)


def verdict(outcome: Outcome, reason: str, decision: Decision) -> str:
    """Return the verdict, why, and the numbers that it rests on."""
    because = decision.reason if outcome is Outcome.SUCCESS else reason
    word = {Outcome.SUCCESS: "Accepted"}.get(outcome, outcome.value.capitalize())
    return "\n".join([f"{word}: {prose(because)}", "", *_numbers(decision)])


def _numbers(decision: Decision) -> Iterator[str]:
    if decision.comparison is not None and decision.case.standing is not None:
        yield from _compared(decision.comparison, decision.case.standing.run_id)
    if decision.noise_floor is not None:
        spread = number(decision.noise_floor)
        yield f"- Noise: the standard deviation of one measurement is {spread}"
    for guard in decision.guards:
        yield f"- Guard {cell(guard.metric)}: {_guarded(guard)}"
    sizes = decision.complexity
    before = "" if sizes.incumbent is None else f", {sizes.incumbent} before"
    yield f"- Size: {plural(sizes.candidate, 'line')} that may be changed{before}"
    if decision.holdout is not None:
        passed = "passed" if decision.holdout.passed else "not passed"
        yield f"- Hold-out: {passed}"
    yield "- All numbers: `artifacts/decision.json`"


def _compared(found: Comparison, run_id: str) -> Iterator[str]:
    from hermes.acceptance import Method

    yield (
        f"- Compared with {code(run_id)}: {number(found.candidate)} against "
        f"{number(found.incumbent)}, a gain of {number(found.gain)} where "
        f"{number(found.min_improvement)} is asked for"
    )
    if found.method is Method.PAIRED:
        yield (
            f"- Over {plural(found.pairs, 'pair')} the gain is between {number(found.lower)} and "
            f"{number(found.upper)}; {_probability(found)}, where {number(found.level)} is allowed"
        )


def _probability(found: Comparison) -> str:
    """Return the errors that accepting would risk: for a gain, and for less code."""
    equal = (
        f", as good with less code p {number(found.p_equal)}" if found.p_equal is not None else ""
    )
    return f"better with p {number(found.p_value)}{equal}"


def _guarded(guard: GuardCheck) -> str:
    bounds = [
        f"at {word} {number(bound)}"
        for word, bound in (("least", guard.min), ("most", guard.max))
        if bound is not None
    ]
    kept = "kept" if guard.kept else "broken"
    asked = f", {' and '.join(bounds)} is asked for" if bounds else ""
    return f"{number(guard.mean)}, {kept}{asked}"
