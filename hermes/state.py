"""The state of one experiment: a fold over its journal and its index of sealed runs.

Pure and resumable: ``fold_run`` and ``fold_intent`` take a state and one record and return the
next state, of bounded size. The two streams may be folded in any interleaving, each in its own
order: the result is the same, so that a fold resumed from a checkpoint equals a fold from zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hermes import promotions, steering, tried
from hermes.decisions import Intent, JournalRecord
from hermes.discoveries import (
    Discovery,
    StrategyTally,
    discovery,
    forgotten,
    latest,
    takes_the_place,
    tallied,
)
from hermes.model import DEFAULT_TIER, Direction, IndexLine, Origin, Outcome, Params, Phase
from hermes.promotions import Promotions
from hermes.steering import Steering, Waiting
from hermes.tried import Memory

RECENT_RUNS = 10
TOP_RUNS = 5
RECENT_NOTES = 10
MOST_STREAK = 1000  # a longer streak is not told apart from this one
MOST_RETRIES = 2  # a trial that was interrupted more often than this is given up
_FORGIVING = (Phase.QUEUED, Phase.ACTIVE)


@dataclass(frozen=True)
class Scored:
    """A successful run, as far as a ranking needs it."""

    run_id: str
    seq: int
    value: float
    params: Params
    strategy: str
    completed_at: str


@dataclass(frozen=True)
class Retry:
    """A trial that the lab or the machine cut off, and that runs again."""

    run_id: str
    trial: int
    params: Params
    strategy: str
    tries: int
    parents: tuple[str, ...] = ()
    origin: Origin = Origin.STRATEGY
    request: str | None = None


@dataclass(frozen=True)
class Note:
    """Something a person or the lab wrote into the journal; ``request`` is an idea's id."""

    at: str
    by: str
    text: str
    request: str | None = None


@dataclass(frozen=True)
class ExperimentState:
    """All that is remembered of an experiment's history; its size does not grow with it."""

    direction: Direction
    created_at: str | None = None
    phase_set: Phase = Phase.QUEUED
    phase_reason: str = ""
    phase_by: str = ""
    phase_at: str | None = None
    tier: str | None = None
    spec_sha256: str | None = None
    run_count: int = 0
    success_count: int = 0
    uncharged_count: int = 0
    outcome_counts: Mapping[str, int] = field(default_factory=dict)
    runs_by_tier: Mapping[str, int] = field(default_factory=dict)
    top_by_tier: Mapping[str, tuple[Scored, ...]] = field(default_factory=dict)
    incumbents: Mapping[str, Scored] = field(default_factory=dict)
    evaluators: Mapping[str, str] = field(default_factory=dict)
    by_strategy: Mapping[str, StrategyTally] = field(default_factory=dict)
    discoveries: tuple[Discovery, ...] = ()
    recent: tuple[IndexLine, ...] = ()
    notes: tuple[Note, ...] = ()
    failure_seqs: tuple[int, ...] = ()
    last_working_seq: int = 0
    forgiven_seq: int = 0
    retries: tuple[Retry, ...] = ()
    last_iteration: int = 0
    last_trial: int = 0
    wall_seconds: float = 0.0
    steering: Steering = field(default_factory=Steering)
    memory: Memory = field(default_factory=Memory)
    promotions: Promotions = field(default_factory=Promotions)
    journal_seq: int = 0
    journal_bytes: int = 0
    metrics_bytes: int = 0

    @property
    def phase(self) -> Phase:
        """The phase last set; ``queued`` has become ``active`` with the first sealed run."""
        if self.phase_set is Phase.QUEUED and self.run_count:
            return Phase.ACTIVE
        return self.phase_set

    @property
    def last(self) -> IndexLine | None:
        """The run sealed last."""
        return self.recent[-1] if self.recent else None

    @property
    def sealed_count(self) -> int:
        """How many runs were ever sealed: more than are known when a bundle was lost."""
        return max(self.run_count, self.last.seq if self.last else 0)

    @property
    def unbroken(self) -> int:
        """How many runs the index has in turn from the first on; 0 when it has a gap."""
        return self.run_count if self.run_count == self.sealed_count else 0

    @property
    def failure_streak(self) -> int:
        """How many runs in a row failed, since the last working one or the last pardon."""
        return len(self.failure_seqs)

    @property
    def charged_count(self) -> int:
        """How many runs count against the experiment's budget of iterations."""
        return self.run_count - self.uncharged_count

    @property
    def waiting(self) -> Waiting | None:
        """The proposal that waits for an answer; one whose trial was made since is void."""
        waiting = self.steering.waiting
        is_void = waiting is None or waiting.asked.trial <= self.last_trial
        return None if is_void else waiting

    @property
    def is_guided(self) -> bool:
        """Say whether a person guides it, so that nothing is run but what that person lets run."""
        session = self.steering.session
        return session is not None and not session.stopped

    def best(self, tier: str) -> Scored | None:
        """Return the best successful run of ``tier``."""
        top = self.top_by_tier.get(tier, ())
        return top[0] if top else None


def fold_run(state: ExperimentState, run: IndexLine) -> ExperimentState:
    """Return the state after one more sealed run. Runs come in the order of ``seq``."""
    state = _segmented(state, run)
    failures, working = _streak(state, run)
    best = state.best(run.fidelity_tier)
    found = discovery(run, best.value if best else None, state.direction)
    return replace(
        state,
        run_count=state.run_count + 1,
        success_count=state.success_count + (run.outcome is Outcome.SUCCESS),
        uncharged_count=state.uncharged_count + (not run.outcome.is_charged),
        outcome_counts=_counted(state.outcome_counts, run.outcome.value),
        runs_by_tier=_counted(state.runs_by_tier, run.fidelity_tier),
        top_by_tier=_ranked(state, run),
        incumbents=_incumbents(state, run),
        by_strategy=tallied(state.by_strategy, run, found, state.direction),
        discoveries=latest(state.discoveries, found),
        recent=(*state.recent[-(RECENT_RUNS - 1) :], run),
        failure_seqs=failures,
        last_working_seq=working,
        retries=_retries(state.retries, run),
        last_iteration=max(state.last_iteration, run.iteration),
        last_trial=max(state.last_trial, run.trial),
        wall_seconds=state.wall_seconds + run.wall_seconds,
        steering=steering.fold_run(state.steering, run),
        memory=tried.fold_run(state.memory, run),
        promotions=promotions.fold_run(state.promotions, run),
    )


def _segmented(state: ExperimentState, run: IndexLine) -> ExperimentState:
    """Begin anew in a tier with a baseline: what was measured before is not compared with it."""
    if run.code is None or not run.begins_segment:
        return state
    tier = run.fidelity_tier
    return replace(
        state,
        evaluators={**state.evaluators, tier: run.code.evaluator},
        top_by_tier={name: top for name, top in state.top_by_tier.items() if name != tier},
        incumbents={name: item for name, item in state.incumbents.items() if name != tier},
        by_strategy=forgotten(state.by_strategy, tier),
        discoveries=tuple(item for item in state.discoveries if item.fidelity_tier != tier),
    )


def fold_intent(state: ExperimentState, record: JournalRecord) -> ExperimentState:
    """Return the state after one more line of the journal."""
    state = replace(
        state,
        journal_seq=record.seq,
        steering=steering.fold_intent(state.steering, record),
        promotions=promotions.fold_intent(state.promotions, record),
    )
    if record.intent is Intent.CREATED:
        return replace(state, created_at=record.at, spec_sha256=record.spec_sha256)
    if record.intent is Intent.PHASE and record.phase is not None:
        return _phase_set(state, record, record.phase)
    if record.intent is Intent.TIER:
        return replace(state, tier=record.tier)
    if record.intent is Intent.SPEC:
        return replace(state, spec_sha256=record.spec_sha256)
    if record.intent is Intent.WITHDRAW:
        return replace(state, notes=_without(state.notes, record.request))
    if record.intent is not Intent.NOTE and not _is_idea(record):
        return state
    note = Note(record.at, record.by, record.reason, record.request)
    return replace(state, notes=(*state.notes[-(RECENT_NOTES - 1) :], note))


def _without(notes: tuple[Note, ...], idea: str | None) -> tuple[Note, ...]:
    return tuple(note for note in notes if note.request is None or note.request != idea)


def _is_idea(record: JournalRecord) -> bool:
    return record.intent is Intent.ENQUEUE and record.params is None


def _phase_set(state: ExperimentState, record: JournalRecord, phase: Phase) -> ExperimentState:
    forgiven = state.forgiven_seq
    if phase in _FORGIVING:
        forgiven = max(forgiven, record.after_runs)
    return replace(
        state,
        phase_set=phase,
        phase_reason=record.reason,
        phase_by=record.by,
        phase_at=record.at,
        forgiven_seq=forgiven,
        failure_seqs=tuple(seq for seq in state.failure_seqs if seq > forgiven),
    )


def _streak(state: ExperimentState, run: IndexLine) -> tuple[tuple[int, ...], int]:
    if run.outcome.ends_streak:
        return (), run.seq
    if run.outcome.is_failure and run.seq > state.forgiven_seq:
        return (*state.failure_seqs[-(MOST_STREAK - 1) :], run.seq), state.last_working_seq
    return state.failure_seqs, state.last_working_seq


def _counted(counts: Mapping[str, int], name: str) -> Mapping[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}


def _ranked(state: ExperimentState, run: IndexLine) -> Mapping[str, tuple[Scored, ...]]:
    """Insert a success into its tier's ranking; of equal values the earlier run ranks first."""
    if run.outcome is not Outcome.SUCCESS or run.value is None:
        return state.top_by_tier
    top = state.top_by_tier.get(run.fidelity_tier, ())
    value = run.value
    place = next(
        (i for i, other in enumerate(top) if state.direction.better(value, other.value)), len(top)
    )
    if place >= TOP_RUNS:
        return state.top_by_tier
    ranked = (*top[:place], _scored(run, value), *top[place:])[:TOP_RUNS]
    return {**state.top_by_tier, run.fidelity_tier: ranked}


def _scored(run: IndexLine, value: float) -> Scored:
    return Scored(run.run_id, run.seq, value, run.params, run.strategy, run.completed_at)


def _incumbents(state: ExperimentState, run: IndexLine) -> Mapping[str, Scored]:
    """Return the best accepted run of each tier: the last one, unless the direction was edited."""
    before = state.incumbents.get(run.fidelity_tier)
    value = before.value if before else None
    if run.value is None or not takes_the_place(run, value, state.direction):
        return state.incumbents
    return {**state.incumbents, run.fidelity_tier: _scored(run, run.value)}


def _retries(retries: tuple[Retry, ...], run: IndexLine) -> tuple[Retry, ...]:
    """Keep the trials that were cut off and have not been run again to an end."""
    before = next((item for item in retries if item.trial == run.trial), None)
    others = tuple(item for item in retries if item.trial != run.trial)
    if not run.outcome.is_retried:
        return others
    tries = before.tries + 1 if before else 1
    if tries > MOST_RETRIES:
        return others
    again = Retry(
        run.run_id,
        run.trial,
        run.params,
        run.strategy,
        tries,
        run.parents,
        run.origin,
        run.request,
    )
    return (*others, again)


def current_tier(state: ExperimentState, first_tier: str = DEFAULT_TIER) -> str:
    """Return the tier that the next run belongs to."""
    return state.tier or first_tier
