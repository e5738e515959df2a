"""Who of a swarm's arms gets the turn: by rotation, or more turns for what pays; for ``swarm``.

Limits first.
What pays is a new best, and nothing else: how far a result fell short of it counts for nothing.
So multiplying, shifting or bending the metric changes no turn, and noise can earn one.
The first success of all earns nothing, for there was nothing to improve on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

WINDOW = 100
"""How many turns back the bandit remembers."""
EXPLORATION = 0.1
"""How much a turn that was not given weighs against new bests that were found.

Both were chosen on the functions of ``benchmarks/search``; its README says with which seeds.
"""


@dataclass(frozen=True)
class Turn:
    """An arm that is to be asked, and why, in a few words."""

    arm: str
    why: str


class Allocation(Protocol):
    """Decides about turns by what it was told, and by the question alone."""

    def tell(self, arm: str, *, improved: bool) -> None:
        """Learn that ``arm`` had a turn, and whether it gave a new best."""
        ...

    def turns(self, number: int, flying: int) -> Sequence[Turn]:
        """Return the arms in the order in which they are asked for trial ``number``.

        ``flying`` turns were given whose results are not known yet.
        """
        ...


class Rotation:
    """Gives the turns by the number of the trial."""

    def __init__(self, arms: Sequence[str]) -> None:
        self._arms = tuple(arms)

    def tell(self, arm: str, *, improved: bool) -> None:
        """Do nothing: results change no turn."""

    def turns(self, number: int, flying: int) -> Sequence[Turn]:  # noqa: ARG002  the number says it
        """Return the arm whose turn it is, then those after it."""
        count = len(self._arms)
        first = (number - 1) % count
        why = f"turn {first + 1} of {count}"
        return [Turn(self._arms[(first + place) % count], why) for place in range(count)]


@dataclass(frozen=True)
class _Record:
    """What an arm did within the window: ``turns``, and new ``bests`` among them.

    ``area`` is the sum of the places that the bests have among its turns, from 1 for the oldest.
    """

    turns: int = 0
    bests: int = 0
    area: int = 0

    def after(self, *, improved: bool) -> _Record:
        """Return the record with one more turn."""
        turns = self.turns + 1
        return _Record(turns, self.bests + improved, self.area + turns * improved)

    def without_oldest(self, *, improved: bool) -> _Record:
        """Return the record without its oldest turn, so that each place is one less."""
        return _Record(self.turns - 1, self.bests - improved, self.area - self.bests)

    def score(self, total: int) -> float:
        """Return what the arm promises, when all have had ``total`` turns."""
        if not self.turns:
            return math.inf
        under_curve = 2 * self.area / (self.turns * (self.turns + 1))
        return under_curve + EXPLORATION * math.sqrt(2 * math.log2(total) / self.turns)


class AucBandit:
    """Gives the turn to the arm with the best credit and the fewest turns, within a window.

    An arm's credit is the area under the curve of its new bests, so that recent ones weigh more
    (Fialho, Schoenauer and Sebag, "Toward comparison-based adaptive operator selection", GECCO
    2010); the sum with the term for exploration, and the window, are those of Ansel et al.,
    "OpenTuner: an extensible framework for program autotuning", PACT 2014.

    A turn whose result is not known yet counts as one that found nothing. An arm without a turn
    in the window comes first: so each has one at the start, and one in every window for ever.
    """

    def __init__(self, arms: Sequence[str]) -> None:
        self._records = {arm: _Record() for arm in arms}
        self._window: deque[tuple[str, bool]] = deque()

    def tell(self, arm: str, *, improved: bool) -> None:
        """Learn what came of a turn; that of a strategy which is no arm is none."""
        if arm not in self._records:
            return
        self._window.append((arm, improved))
        self._records[arm] = self._records[arm].after(improved=improved)
        if len(self._window) > WINDOW:
            oldest, was_best = self._window.popleft()
            self._records[oldest] = self._records[oldest].without_oldest(improved=was_best)

    def turns(self, number: int, flying: int) -> Sequence[Turn]:  # noqa: ARG002  what was told says it
        """Return the arms, the most promising first; equals in their own order."""
        records = dict(self._records)
        for _ in range(flying):
            arm = _ranked(records)[0]
            records[arm] = records[arm].after(improved=False)
        return [Turn(arm, self._why(arm)) for arm in _ranked(records)]

    def _why(self, arm: str) -> str:
        record = self._records[arm]
        return f"new bests in its last {record.turns} turns: {record.bests}"


def _ranked(records: dict[str, _Record]) -> list[str]:
    total = sum(record.turns for record in records.values())
    return sorted(records, key=lambda arm: -records[arm].score(total))


ALLOCATIONS: dict[str, Callable[[Sequence[str]], Allocation]] = {
    "rotation": Rotation,
    "adaptive": AucBandit,
}
