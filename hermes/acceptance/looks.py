"""When a candidate that is measured in turns with the incumbent is looked at, and in which turns.

Pure; called by ``weighing``. A look is a number of pairs after which a verdict may fall: the first
is ``repeats``, the last ``max_repeats``, each about twice the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from hermes.acceptance.records import Subject
from hermes.spec import Acceptance

TIMES = 4
"""How many times ``repeats`` an undecided candidate is measured when the SPEC does not say."""


def planned(rule: Acceptance) -> tuple[int, ...]:
    """Return the numbers of pairs after which is looked, rising; at least one."""
    first = rule.repeats
    last = TIMES * first if rule.max_repeats is None else max(rule.max_repeats, first)
    if last == first:
        return (first,)
    steps = max(1, round(math.log2(last / first)))
    ratio = last / first
    return tuple(sorted({round(first * ratio ** (step / steps)) for step in range(steps + 1)}))


def level(rule: Acceptance) -> float:
    """Return the error that one look may make on one side.

    ``confidence`` leaves an error to both sides together, so half of it to each, in equal parts to
    the looks: by Bonferroni's inequality they err no more together, however they hang together
    (O. J. Dunn, Journal of the American Statistical Association 56, 1961).
    """
    return side(rule) / len(planned(rule))


def side(rule: Acceptance) -> float:
    """Return the error that one side may make over all looks."""
    return (1.0 - rule.confidence) / 2


def turns(candidate: int, incumbent: int, pairs: int) -> tuple[Subject, ...]:
    """Return who is measured next, in order, until both have ``pairs`` samples.

    The one that goes first changes from pair to pair, so that neither a warm machine nor a steady
    drift favours one. ``candidate`` and ``incumbent`` are the samples that they have.
    """
    left = {Subject.CANDIDATE: candidate, Subject.INCUMBENT: incumbent}
    found = []
    for subject in _in_order(pairs):
        if left[subject] > 0:
            left[subject] -= 1
        else:
            found.append(subject)
    return tuple(found)


def _in_order(pairs: int) -> Iterator[Subject]:
    for number in range(pairs):
        order = (Subject.CANDIDATE, Subject.INCUMBENT)
        yield from order if number % 2 == 0 else reversed(order)
