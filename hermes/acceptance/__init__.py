"""Whether a candidate becomes the new incumbent: pure decisions for executor and seal.

Limits first. Accepting asks for gains beyond noise that is alike from one measurement to the next:
a candidate that is tried again and again is given a new chance each time, and a systematic error of
the evaluator is a gain like any other. `docs/ACCEPTANCE.md` has the rules and their sources.
"""

from hermes.acceptance.records import (
    Case,
    Comparison,
    Complexity,
    Decision,
    GuardCheck,
    HoldoutCheck,
    Method,
    Standing,
    Subject,
    Verdict,
)
from hermes.acceptance.weighing import replay, standing_after, weigh

__all__ = [
    "Case",
    "Comparison",
    "Complexity",
    "Decision",
    "GuardCheck",
    "HoldoutCheck",
    "Method",
    "Standing",
    "Subject",
    "Verdict",
    "replay",
    "standing_after",
    "weigh",
]
