"""Whether one value beats another by as much as a SPEC asks for.

Pure; called by the seal step for the runs of a search, and by ``acceptance`` where a candidate is
measured once. Limit first: of noise it knows nothing.
"""

from __future__ import annotations

from hermes.model import LARGEST, Direction
from hermes.spec import Acceptance


def improves(
    value: float, incumbent: float | None, direction: Direction, acceptance: Acceptance
) -> bool:
    """Say whether ``value`` beats ``incumbent`` by at least what ``acceptance`` asks for.

    ``min_improvement`` is in the metric's unit, or a share of the incumbent's magnitude when
    ``relative`` is set. Anything beats no incumbent. Equal is never better.
    """
    if incumbent is None:
        return True
    if not direction.better(value, incumbent):
        return False
    return direction.gain(value, incumbent) >= least_improvement(acceptance, incumbent)


def least_improvement(acceptance: Acceptance, incumbent: float) -> float:
    """Return ``min_improvement`` in the metric's unit; 0 when it is a share of 0. Finite."""
    scale = abs(incumbent) if acceptance.relative else 1.0
    return min((acceptance.min_improvement or 0.0) * scale, LARGEST)
