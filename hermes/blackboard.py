"""What the strategies of one search share: the content of ``blackboard.json``.

Pure: ``blackboard_of`` derives it from what the records say and from the packages in flight, and
from nothing else. Limit first: it holds the last trials and discoveries; ``metrics.jsonl`` has
every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hermes.discoveries import Discovery, StrategyTally
from hermes.model import Direction, Manifest, Origin, Params, Trial

if TYPE_CHECKING:  # whoever only reads a blackboard folds nothing
    from hermes.state import ExperimentState
    from hermes.status import Status


@dataclass(frozen=True)
class InFlight:
    """A point that is being tried: planned, and not sealed yet."""

    run_id: str
    iteration: int
    trial: int
    origin: Origin
    strategy: str
    fidelity_tier: str
    params: Params
    planned_at: str


@dataclass(frozen=True)
class Blackboard:
    """What ``blackboard.json`` holds, field by field; of each list the newest stands last."""

    id: str
    metric: str
    metric_direction: Direction
    current_fidelity_tier: str
    run_count: int
    success_count: int
    best_run: str | None
    best_metric_value: float | None
    in_flight: tuple[InFlight, ...]
    recent: tuple[Trial, ...]
    discoveries: tuple[Discovery, ...]
    strategies: Mapping[str, StrategyTally]


def blackboard_of(
    state: ExperimentState, status: Status, in_flight: Iterable[InFlight]
) -> Blackboard:
    """Return the blackboard of an experiment as its records and its packages tell it."""
    return Blackboard(
        id=status.id,
        metric=status.metric,
        metric_direction=status.metric_direction,
        current_fidelity_tier=status.current_fidelity_tier,
        run_count=status.run_count,
        success_count=status.success_count,
        best_run=status.best_run,
        best_metric_value=status.best_metric_value,
        in_flight=tuple(in_flight),
        recent=tuple(run.trial_record() for run in state.recent),
        discoveries=state.discoveries,
        strategies=state.by_strategy,
    )


def point(draft: Manifest) -> InFlight:
    """Return the point that a package carries, from its run as planned."""
    return InFlight(
        run_id=draft.run_id,
        iteration=draft.iteration,
        trial=draft.trial,
        origin=draft.origin,
        strategy=draft.strategy,
        fidelity_tier=draft.fidelity_tier,
        params=draft.params,
        planned_at=draft.planned_at,
    )
