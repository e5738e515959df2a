"""Whether a measured value makes a candidate the new incumbent.

Pure decisions; the SPEC says how much better is better.
"""

from __future__ import annotations

from hermes.model import Direction
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
    scale = abs(incumbent) if acceptance.relative else 1.0
    return abs(value - incumbent) >= (acceptance.min_improvement or 0.0) * scale
