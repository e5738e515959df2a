"""The step ``reproduce``: runs a sealed run again from its record and compares the two.

Limits first. Nothing of it enters history, and no lease is taken: a burst of the same experiment
goes on meanwhile, and both take their time from the same machine. Only one run of an experiment is
run again at a time. The files that the environment names (SUMMARY.md, PROGRAM.md …) are those of
now, and so is the caller's own part of the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from hermes import files
from hermes.errors import Busy
from hermes.lab import Lab
from hermes.model import SCHEMA_VERSION, Execution, Manifest, Outcome
from hermes.reproduction.comparing import cannot, compare
from hermes.reproduction.records import Account, Condition, Findings, Reproduction
from hermes.steps import accounts
from hermes.steps.conditions import code_conditions, conditions
from hermes.steps.rerun import (
    Irreproducible,
    Record,
    check_sealed,
    check_spec,
    check_workspace,
    job_of,
    read_record,
    spec_of,
)
from hermes.store.specs import LoadedSpec, load

_PUT_BACK = {
    "evaluator": "Put the files outside of mutable_paths and SPEC.yaml back as they were.",
    "candidate": "Put the files of mutable_paths back as they were: the candidate lies over them.",
}


@dataclass(frozen=True)
class Call:
    """How a run is to be run again.

    ``repeats`` is how often it is measured, None as often as on record. ``tick`` is called about
    every second meanwhile and may raise, which ends it. ``begun`` is told what is about to run.
    Cleaning up takes place within ``uncut``.
    """

    repeats: int | None = None
    tick: Callable[[], None] = lambda: None
    begun: Callable[[Manifest], object] = lambda _: None
    uncut: Callable[[], AbstractContextManager[None]] = nullcontext


def reproduce(lab: Lab, experiment: str, run: str, call: Call) -> Reproduction:
    """Run a sealed run again and say whether its record holds.

    Raises RequestError when there is nothing to run again, Busy while another one is run again,
    BrokenFile for a damaged record or SPEC.

    Writes: a folder under ``scratch/``, which is gone in the end.
    """
    loaded = load(lab.layout.experiment(experiment))
    record = read_record(lab, experiment, run)
    found = conditions(lab, loaded, record.manifest, None)
    try:
        check_sealed(lab, record)
        check_spec(loaded, record)
        check_workspace(lab, spec_of(loaded, record.manifest), record)
        with _place(lab, experiment, call):
            found, findings = _run_again(lab, loaded, record, call)
    except Irreproducible as error:
        findings = cannot(error.reason, error.remedy)
    return _answer(record, found, findings)


def _answer(record: Record, found: tuple[Condition, ...], findings: Findings) -> Reproduction:
    manifest = record.manifest
    return Reproduction(
        **vars(findings),
        schema_version=SCHEMA_VERSION,
        experiment=manifest.experiment,
        run_id=manifest.run_id,
        seq=manifest.seq,
        fidelity_tier=manifest.fidelity_tier,
        params=manifest.params,
        seed=manifest.seed,
        metric=record.metrics.metric,
        conditions=found,
    )


# The place


@contextmanager
def _place(lab: Lab, experiment: str, call: Call) -> Iterator[None]:
    """Hold the place in which runs of an experiment are run again, empty before and after."""
    files.make_folder(lab.layout.locks)
    with files.locked(lab.layout.reproduction_lock(experiment), wait_seconds=0) as ours:
        if not ours:
            raise Busy(
                f"A run of {experiment} is being run again by another process.",
                "Try again when that has ended.",
            )
        try:
            _clear(lab, experiment)
            yield
        finally:
            with call.uncut():
                _clear(lab, experiment)


def clear_left(lab: Lab, experiment: str) -> bool:
    """Remove what a killed process left of running a run again; False when one is at it.

    Writes: the lock file; removals in ``scratch/``.
    """
    with files.locked(lab.layout.reproduction_lock(experiment), wait_seconds=0) as ours:
        if ours:
            _clear(lab, experiment)
        return ours


def _clear(lab: Lab, experiment: str) -> None:
    folder = lab.layout.reproduction(experiment)
    if files.exists(folder):
        from hermes.executing.workspaces import stop_in

        stop_in(lab.layout.reproduction_sandbox(experiment))
        files.remove_tree(folder)


# Running


def _run_again(
    lab: Lab, loaded: LoadedSpec, record: Record, call: Call
) -> tuple[tuple[Condition, ...], Findings]:
    call.begun(record.manifest)
    executions = [*_executions(lab, loaded, record, call)]
    last, _ = executions[-1]
    found = conditions(lab, loaded, record.manifest, last)
    if last.outcome is Outcome.INFRA:
        return found, _not_measured(record, last)
    return found, compare(
        accounts.recorded(record),
        accounts.together([account for _, account in executions]),
        confidence=loaded.spec.acceptance.confidence,
        root=str(lab.layout.root),
        conditions=found,
    )


def _executions(
    lab: Lab, loaded: LoadedSpec, record: Record, call: Call
) -> Iterator[tuple[Execution, Account]]:
    """Run it as often as it is to be measured, or until it ends in another way than before.

    A candidate is measured several times within one execution.
    """
    from hermes.executing.run import Executor

    manifest, executor = record.manifest, Executor(lab.clock)
    for number in range(1 if manifest.code is not None else call.repeats or 1):
        job = job_of(lab, loaded, record, number, call.repeats)
        files.make_folder(job.bundle.artifacts)
        execution = executor.execute(job, tick=call.tick)
        yield execution, accounts.executed(execution, manifest, job.bundle)
        if execution.outcome is not manifest.outcome:
            return


def _not_measured(record: Record, last: Execution) -> Findings:
    """Say why there is nothing to compare."""
    for condition in code_conditions(record.manifest, last):
        if not condition.same:
            why = f"{last.reason} ({condition.recorded} then, {condition.now} now)"
            return cannot(why, _PUT_BACK[condition.name])
    return cannot(last.reason, "Mend that, then try again.")
