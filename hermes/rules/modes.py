"""When iterations are made: ``run_once`` for what is due, ``burst`` and ``demo`` on command."""

from __future__ import annotations

from typing import Any

from hermes.cli import console
from hermes.errors import CheckFailed
from hermes.rules import turns
from hermes.rules.asked import asked
from hermes.rules.view import view


def task_run_once() -> dict[str, Any]:
    """One scheduler cycle: reclaim, plan, execute, seal, iterate, project, digest."""
    cycle = asked("run_once", report_cycle, after=[*_chains(), "project:lab", "digest"])
    return {**cycle, "uptodate": [nothing_was_done]}


def task_burst() -> dict[str, Any]:
    """Run iterations of one experiment back to back."""
    return asked("burst", report_burst, after=[*_chains(), "project:lab"])


def task_demo() -> dict[str, Any]:
    """Run the bundled example end to end in a data root of its own."""
    return asked("demo", run_demo)


def _chains() -> list[str]:
    return ["reclaim", *(f"iterate:{experiment}" for experiment in view().chained)]


def nothing_was_done() -> bool:
    """Say whether the cycle had nothing to do, so that there is nothing to report."""
    view().lab.require()
    return not turns.turns and not turns.problems


def report_cycle() -> None:
    """Say what the cycle did; a problem of one experiment shows in the exit code."""
    for experiment, turn in turns.turns.items():
        what = _counts(turn.tally.runs, turn.tally.successes)
        console.say(f"{experiment}: {turn.tally.stopped or what}")
    if turns.problems:
        raise CheckFailed(
            f"{len(turns.problems)} experiment(s) could not be worked on; see above.",
            "Run `watchdog` for all that needs mending.",
        )


def report_burst() -> None:
    """Say what the burst found and where to look; exit 1 when no iteration succeeded."""
    from hermes.steps.project import read_status

    experiment = view().need("exp", str)
    tally = turns.turn(experiment).tally
    status = read_status(view().lab, experiment)
    console.say(f"{experiment}: {_counts(tally.runs, tally.successes)}.")
    if tally.stopped:
        console.say(f"It stopped before n: {tally.stopped}.")
    if status is not None and status.best_run is not None:
        console.say(f"Best {status.metric}: {status.best_metric_value:.6g} in {status.best_run}.")
        console.say(f"Look at: show exp={experiment} run={status.best_run}")
    if not tally.successes:
        why = f"{tally.last.outcome.value}: {tally.last.reason}" if tally.last else tally.stopped
        raise CheckFailed(
            f"No iteration of {experiment} succeeded; the last ended as {why}.",
            f"See `show exp={experiment}` and the logs of the last run.",
        )


def run_demo() -> None:
    """Run the demo and say what came out, where it is, and what to try next."""
    from hermes.modes.demo import demo

    result = demo(view().lab, on_run=turns.tell)
    root = result.data_root
    shown = (
        root.relative_to(view().request.workdir)
        if root.is_relative_to(view().request.workdir)
        else root
    )
    console.say(f"{result.runs} runs of {result.experiment}, {result.successes} succeeded.")
    console.say(f"Best {result.metric}: {result.value:.6g} with {result.params}.")
    console.say(f"Everything is in {shown}; begin with {shown}/README-FIRST.md, and the best run:")
    console.say(f"  {shown}/experiments/{result.experiment}/runs/{result.run_id}")
    console.say("Next, try:")
    console.say(f"  export HERMES_LAB_DATA_ROOT={shown}")
    console.say(f"  {view().request.program} status")
    console.say(f"  {view().request.program} burst exp={result.experiment} n=50")


def _counts(runs: int, successes: int) -> str:
    plural = "" if runs == 1 else "s"
    return f"{runs} run{plural}, {successes} succeeded"
