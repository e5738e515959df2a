"""Tree search over sealed runs: drafts, improvements and repairs; made by ``registry``.

Limits first.
Each branch is improved by a ``Climb`` of its own; what one has learnt, the others do not know.
Of the failed runs that it proposed only the last few can be repaired, each of them once.

A draft is a new point; when the best branch is at its end, it may be the best point with some
parameters drawn anew. An improvement is a step of a branch; which branch is next, the lineage
chooses. A repair goes half the way back from a failed point to a success, as in the search over
programs that this one follows (Z. Jiang et al., AIDE: AI-driven exploration in the space of code,
2025).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from hermes.model import Direction, Json, Params, Proposal, Trial
from hermes.search import blends
from hermes.search.base import SearchContext, Seen, chance, check_options, number_option
from hermes.search.climbing import Climb
from hermes.search.courses import Base, base_of
from hermes.search.draws import Spread
from hermes.search.lineage import Branch, Lineage, Node
from hermes.search.places import Moves
from hermes.search.untried import Candidate, anywhere, propose

_EXPLORATION = 0.3
_STEP = 0.2
_VARIED = 0.5  # how often a draft is made from the best point
_BROKEN = 8
_MOST_FAILURES = 3  # one upon the other; then it is left at that


class _Growth:
    """An open branch: its first point, and its climb as soon as it was told a step."""

    def __init__(self, first: Base, number: int) -> None:
        self.first, self.number = first, number
        self.climb: Climb | None = None

    @property
    def base(self) -> Base:
        """The best point of the branch."""
        return self.first if self.climb is None else self.climb.base


def _read(options: Mapping[str, Json], *, few: int) -> tuple[float, float]:
    """Return the exploration and the number of drafts, ``few`` unless it is set."""
    check_options(Tree.name, options, ("exploration", "drafts"))
    weight = number_option(Tree.name, options, "exploration", _EXPLORATION, low=0, high=10)
    return weight, number_option(Tree.name, options, "drafts", few, low=1, high=1000, whole=True)


class Tree:
    """Drafts a few points; then drafts, improves or repairs, whichever promises most.

    Options: ``exploration``, the weight of what is little known in that choice; ``drafts``, how
    many points come first. Raises RequestError for other ones.
    """

    name = "tree"

    @staticmethod
    def check(options: Mapping[str, Json]) -> None:
        """Refuse options that it does not have, or cannot use. Raises RequestError."""
        _read(options, few=1)

    def __init__(self, context: SearchContext) -> None:
        few = min(2 + len(context.space.dimensions) // 3, 10)
        weight, self._drafts = _read(context.options, few=few)
        self._space, self._seed = context.space, context.seed
        self._sign = -1.0 if context.direction is Direction.MAXIMIZE else 1.0
        self._moves, self._seen = Moves(context.space), Seen(context.space)
        self._lineage = Lineage(exploration=weight)
        self._growing: dict[str, _Growth] = {}  # by the heads of the open branches
        self._broken: dict[str, Params] = {}
        self._best: Base | None = None
        self._roots = self._drawn = 0

    # Being told

    def tell(self, trial: Trial) -> None:
        """Put a sealed run into the tree, under the run that it was built upon."""
        if trial.run_id in self._lineage:
            return
        parent = self._lineage.parent(trial.parents)
        growth = None if parent is None else self._growing.get(parent.branch.head)
        if growth is not None:
            growth.climb = self._climb(growth)  # as it was asked: before this point was tried
        self._seen.add(trial.params)
        if not trial.outcome.is_retried:  # else nothing is known of the trial; it runs again
            self._grow(trial, parent, growth)

    def _grow(self, trial: Trial, parent: Node | None, growth: _Growth | None) -> None:
        value = None if trial.value is None else self._sign * trial.value
        node = self._lineage.add(trial.run_id, value, parent=parent, begins=growth is None)
        self._roots += parent is None
        self._drawn += trial.strategy == self.name and not trial.parents
        if growth is None:
            self._begin(node.branch, trial, value)
        elif parent is not None:
            self._improve(growth, parent, trial, value)
        bar = None if self._best is None else self._best.value
        self._best = base_of(self._moves, trial, value, bar) or self._best
        self._note_failure(node, trial)

    def _begin(self, branch: Branch, trial: Trial, value: float | None) -> None:
        first = base_of(self._moves, trial, value, None)
        if first is None:
            return
        self._growing[branch.head] = _Growth(first, trial.number)
        closed = self._lineage.open(branch)
        if closed is not None:
            del self._growing[closed.head]

    def _improve(self, growth: _Growth, parent: Node, trial: Trial, value: float | None) -> None:
        climb = self._climb(growth)
        success = parent.success  # a repair is a step from where the failed step was made
        climb.tell(trial, value, parent=None if success is None else success.run_id)
        if climb.is_stuck:
            self._lineage.close(parent.branch)
            del self._growing[parent.branch.head]

    def _climb(self, growth: _Growth) -> Climb:
        return growth.climb or Climb(
            self._moves,
            growth.first,
            is_tried=self._is_tried,
            step=_STEP,
            seed=self._seed,
            number=growth.number,
        )

    def _is_tried(self, params: Params) -> bool:
        return self._seen.mark(params) in self._seen

    def _note_failure(self, node: Node, trial: Trial) -> None:
        """Remember a failed proposal until it is repaired, or others have failed since."""
        for run_id in trial.parents:
            self._broken.pop(run_id, None)
        if trial.strategy != self.name or not trial.outcome.is_failure:
            return
        row = [above.value is None for above in islice(node.line(), _MOST_FAILURES)]
        if sum(row) < _MOST_FAILURES and self._moves.point(trial.params) is not None:
            self._broken[trial.run_id] = trial.params
            if len(self._broken) > _BROKEN:
                del self._broken[next(iter(self._broken))]

    # Being asked

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        """Return a draft, an improvement or a repair."""
        rng = chance(self.name, self._seed, number)
        return propose(self.name, self._candidates(rng, len(pending)), self._seen, pending)

    def _candidates(self, rng: random.Random, flying: int) -> Iterator[Candidate]:
        if self._roots < self._drafts:
            yield self._draft(flying)
        yield from self._repairs(rng)
        climbs = []
        for branch in self._lineage.choices():
            if branch is None:
                yield from self._variations(rng)
                yield self._draft(flying)
            else:
                climbs.append(self._climb(self._growing[branch.head]))
                yield from climbs[-1].steps()
        for climb in climbs:
            yield from climb.nearby(rng)
        yield from anywhere(self._space, rng, "draft: drawn, for nothing else is left")

    def _draft(self, flying: int) -> Candidate:
        spread = Spread(self.name, self._seed, self._drawn + flying)
        return Candidate(self._space.sample(spread), "draft: a new point")

    def _variations(self, rng: random.Random) -> Iterator[Candidate]:
        """Yield a draft from the best point, now and then; not while its branch can be improved."""
        best = self._best
        if best is None or self._lineage[best.run_id].branch.head in self._growing:
            return
        if rng.random() < _VARIED:
            point = blends.mixed(self._moves, best.params, self._space.sample(rng), rng)
            yield Candidate(point, "draft: the best point with other values", (best.run_id,))

    def _repairs(self, rng: random.Random) -> Iterator[Candidate]:
        for run_id, params in reversed(self._broken.items()):
            base = self._sound(run_id, params)
            if base is not None:
                point = blends.half_way(self._moves, base.params, params, rng)
                parents = (run_id, base.run_id)
                yield Candidate(point, "repair: half the way back from a failure", parents)

    def _sound(self, run_id: str, params: Params) -> Base | None:
        """Return the success to go back to from a failed run: of its branch, else the nearest."""
        success = self._lineage[run_id].success
        if success is not None:
            growth = self._growing.get(success.branch.head)
            return None if growth is None else growth.base
        bases = [growth.base for growth in self._growing.values()]
        far = [blends.distance(self._moves, base.params, params) for base in bases]
        return bases[far.index(min(far))] if far else None
