"""What the tests of rendering share: experiments with some history, and text meant to break it."""

from __future__ import annotations

from dataclasses import replace

from records import created_line, phase_line, run_line, time_of

from hermes.decisions import Asked, Intent, JournalRecord
from hermes.model import Direction, Manifest, Origin, Outcome, Phase, Proposal, RunMetrics, Usage
from hermes.spec import Spec
from hermes.state import ExperimentState, fold_intent, fold_run
from hermes.status import Status, status_of

HOSTILE = (
    "a | b || c",
    "two\nlines\r\nand \x0b more\u2028here",
    "`code` ``more`` ```fence```\n```\n# heading",
    "<script>alert(1)</script> <!-- hidden",
    "[text](http://example.org) ![img](x) *bold* _it_ \\| \\\\|",
    "\x1b[31mred\x1b[0m \x00 \x07 \x9b31m",
    "right\u202eto left\u2066 \ufeffzero\u200bwidth",
    "\ud800 lone \udc80 surrogates",
    "漢字かな交じり文 👩\u200d🔬 e\u0301",
    "# not a heading\n\n- not a list\n| not | a | table |\n|---|---|---|",
    "\\",
    "|",
    " ",
    "x" * 10_000,
    "漢" * 10_000,
    "🧪" * 10_000,
    "|\n" * 5_000,
    "`" * 10_000,
)


def spec(**changes) -> Spec:
    """Return a SPEC with a command, a strategy and whatever matters to the test."""
    fields = {
        "id": "tune-it",
        "goal": "Find the lowest loss",
        "metric": "loss",
        "metric_direction": Direction.MINIMIZE,
        "executor_command": "python train.py --lr {lr}",
        "strategy": "random",
        "worker_roles": ("explorer", "critic"),
    }
    return Spec(**(fields | changes))


def folded(runs=(), intents=(), direction=Direction.MINIMIZE) -> ExperimentState:
    """Return the state after a created line, the intents and the runs."""
    state = fold_intent(ExperimentState(direction), created_line())
    for record in intents:
        state = fold_intent(state, record)
    for run in runs:
        state = fold_run(state, run)
    return state


def history(count: int = 30):
    """Return runs with successes that improve now and then, failures, and one cut off."""
    runs, best = [], None
    for seq in range(1, count + 1):
        if seq % 7 == 0:
            runs.append(run_line(seq, Outcome.FAILED, reason="exit status 1"))
            continue
        value = 1.0 / seq if seq % 3 else 5.0 + seq
        accepted = best is None or value < best
        best = value if accepted else best
        params = {"lr": 0.1 / seq, "layers": seq, "optimizer": "adam", "bias": seq % 2 == 0}
        runs.append(run_line(seq, value=value, accepted=accepted, params=params))
    return runs


def note(text: str, seq: int = 5, by: str = "human") -> JournalRecord:
    """Return a note in the journal."""
    return JournalRecord(seq, time_of(seq), Intent.NOTE, by, 0, reason=text)


def status(given: Spec | None = None, state: ExperimentState | None = None, **changes) -> Status:
    """Return a status, with fields changed at will."""
    made = status_of(given or spec(), "f" * 64, state or folded(history()))
    return replace(made, **changes)


def blocked(phase: Phase, reason: str = "", runs=None) -> ExperimentState:
    """Return a state whose phase was set after its runs."""
    runs = history() if runs is None else runs
    state = folded(runs)
    return fold_intent(state, phase_line(2, phase, len(runs), by="lab", reason=reason))


def manifest(**changes) -> Manifest:
    """Return the manifest of a run that has ended."""
    made = Manifest(
        schema_version=1,
        run_id="RUN-20260131T093000.000000Z-critic",
        experiment="tune-it",
        role="critic",
        iteration=31,
        trial=31,
        strategy="random",
        origin=Origin.STRATEGY,
        params={"lr": 0.012345678901234, "layers": 3, "optimizer": "adam", "bias": True},
        note="",
        parents=(),
        parent_run=None,
        seed=7,
        fidelity_tier="default",
        executor_class="local",
        lease_id="tune-it.4",
        spec_sha256="f" * 64,
        planned_at="2026-01-31T09:30:00.000000Z",
        seq=31,
        outcome=Outcome.SUCCESS,
        started_at="2026-01-31T09:30:01.000000Z",
        completed_at="2026-01-31T09:30:43.500000Z",
        exit_status=0,
        usage=Usage(42.5, 40.25, 123_456_789),
    )
    return replace(made, **changes)


def measured(value: float | None = 0.02, outcome: Outcome = Outcome.SUCCESS, **changes):
    """Return the metrics of a run."""
    made = RunMetrics(
        metric="loss",
        value=value,
        params={"lr": 0.012345678901234, "layers": 3, "optimizer": "adam", "bias": True},
        accepted=False,
        outcome=outcome,
        secondary={},
    )
    return replace(made, **changes)


def asked_for(text: str):
    """Return the lines of a journal by which people ask for much, and are asked themselves."""
    params = {text: text} | {f"p{i}": text for i in range(20)}
    for seq in range(14, 44):
        point = params if seq % 2 else None
        yield JournalRecord(
            seq,
            time_of(seq),
            Intent.ENQUEUE,
            "human",
            0,
            reason=text,
            request=f"q{seq}",
            params=point,
        )
    asked = Asked(99, "basis", Proposal(params, text, Origin.STRATEGY, text))
    yield JournalRecord(
        44, time_of(44), Intent.PROPOSAL, "lab", 0, request="tune-it-000099-12345678", asked=asked
    )


def hostile_experiment(text: str):
    """Return SPEC, state and status with ``text`` wherever a user or a command may put text."""
    given = spec(
        goal=text,
        metric=text,
        acceptance_rule=text,
        executor_command=text,
        setup_command=(text, text),
        constraints=(text,),
        mutable_paths=(text,) * 30,
        tags=(text,),
        search_space={text: {"type": "float"}},
        known_good_config={text: text},
        outputs=(text,),
        worker_roles=(text,),
        fidelity_tiers=(text, "full"),
        initial_fidelity_tier="full",
        strategy=text,
        params_file=text,
        cadence=None,
        tier_overrides={text: {"seed": 3, "executor_command": text}},
    )
    runs = [
        run_line(
            seq,
            outcome,
            reason=text,
            strategy=text,
            fidelity_tier=text if seq % 2 else "full",
            accepted=outcome is Outcome.SUCCESS,
            params={text: text, f"{text}2": seq} | {f"p{i}": text for i in range(20)},
        )
        for seq, outcome in enumerate(
            [Outcome.SUCCESS, Outcome.FAILED, Outcome.INTERRUPTED, Outcome.SUCCESS] * 4, start=1
        )
    ]
    state = folded(runs, [note(text, seq, by=text) for seq in range(2, 14)])
    for record in asked_for(text):
        state = fold_intent(state, record)
    state = fold_intent(state, phase_line(20, Phase.AWAITING_HUMAN, 16, reason=text))
    return given, state, status(given, state)
