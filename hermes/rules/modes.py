"""When iterations are made: ``run_once`` for what is due, ``burst`` and ``demo`` on command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from hermes.cli import console, signals
from hermes.errors import CheckFailed
from hermes.model import Outcome
from hermes.plain_text import sentence
from hermes.rules import turns
from hermes.rules.asked import asked
from hermes.rules.view import view

if TYPE_CHECKING:
    from hermes.modes.loop import Tally
    from hermes.status import Status


_OF_A_SEARCH = set(Outcome) - {
    Outcome.REJECTED,
    Outcome.INCONCLUSIVE,
    Outcome.TAMPERED,
    Outcome.OUT_OF_BOUNDS,
    Outcome.NO_OP,
}


def task_run_once() -> dict[str, Any]:
    """One scheduler cycle: reclaim, plan, execute, seal, iterate, project, digest."""
    after = [*_chains(), "_spare", "project:lab", "digest"]
    return {**asked("run_once", report_cycle, after=after), "uptodate": [nothing_was_done]}


def task_spare() -> dict[str, Any]:
    """Give the runs of experiments that could not be planned to those next in turn."""
    return {
        "basename": "_spare",
        "doc": "Give the runs of experiments that could not be planned to those next in turn.",
        "task_dep": _chains(),
        "actions": [use_spare_runs],
        "uptodate": [nothing_is_spare],
    }


def task_burst() -> dict[str, Any]:
    """Run iterations of one experiment back to back."""
    return asked("burst", report_burst, after=[*_chains(), "project:lab"])


def task_swarm() -> dict[str, Any]:
    """Run iterations that several strategies propose."""
    return asked("swarm", report_burst, after=[*_chains(), "project:lab"])


def task_demo() -> dict[str, Any]:
    """Run the bundled example end to end in a data root of its own."""
    return asked("demo", run_demo)


def _chains() -> list[str]:
    return ["reclaim", *(f"iterate:{experiment}" for experiment in view().chained)]


def nothing_was_done() -> bool:
    """Say whether the cycle had nothing to do, so that there is nothing to report."""
    view().lab.require()
    return not turns.turns and not turns.problems


def nothing_is_spare() -> bool:
    """Say whether the cycle's runs were made, or nobody else is due."""
    quotas = view().quotas
    return not quotas or turns.runs() >= view().need("max_runs", int)


def use_spare_runs() -> None:
    """Run what is next in turn while there are runs left, with the loop that the chains use."""
    from hermes.modes.loop import iterate
    from hermes.rules.project import project_experiment
    from hermes.steps.opening import opened
    from hermes.steps.session import Order

    lab, max_runs = view().lab, view().need("max_runs", int)
    for experiment in view().spare():
        if turns.runs() >= max_runs or signals.halt():
            return
        turn = turns.turn(experiment)
        with turns.put_down_on_error(experiment, attended=False):
            order = Order(halt=signals.halt, uncut=signals.later)
            with opened(lab, experiment, order) as session, signals.finishing():
                if session is not None:
                    iterate(session, turn.tally, 1, on_run=turns.tell)
            project_experiment(experiment)


def report_cycle() -> None:
    """Say what the cycle did; a problem of one experiment shows in the exit code."""
    turns.progress.flush()
    for experiment, turn in turns.turns.items():
        tally = turn.tally
        told = _told(tally)
        if tally.stopped:
            told = f"{told}; {tally.stopped}" if tally.runs else tally.stopped
        console.say(f"{experiment}: {told}")
        _say_phase(experiment, tally)
    if turns.problems:
        raise CheckFailed(
            f"{len(turns.problems)} experiment(s) could not be worked on; see above.",
            f"Run `{view().request.again} watchdog` for all that needs mending.",
        )


def report_burst() -> None:
    """Say what was found and where to look; exit 1 when no iteration succeeded."""
    experiment, again = view().need("exp", str), view().request.again
    tally = turns.turn(experiment).tally
    say_result(experiment, tally)
    if not tally.worked:
        why = f"{tally.last.outcome.value}: {tally.last.reason}" if tally.last else tally.stopped
        raise CheckFailed(
            sentence(f"No iteration of {experiment} succeeded; the last ended as {why}"),
            f"See `{again} show exp={experiment} run=last` and the logs of that run.",
        )


def say_result(experiment: str, tally: Tally, *, goes_on: bool = False) -> None:
    """Say how many runs were made, why no more unless it ``goes_on``, and what is best now."""
    from hermes.steps.project import read_status

    turns.progress.flush()
    status = read_status(view().lab, experiment)
    console.say(f"{experiment}: {_told(tally)}.")
    if tally.stopped:
        console.say(sentence(f"It stopped before n: {tally.stopped}"))
    if not goes_on:
        _say_phase(experiment, tally)
        _say_refusal(status)
    if status is not None and status.best_run is not None:
        again = view().request.again
        console.say(f"Best {status.metric}: {status.best_metric_value:.6g} in {status.best_run}.")
        console.say(f"Look at: {again} show exp={experiment} run={status.best_run}")


def run_demo() -> None:
    """Run the demo and say what came out, where it is, and what to try next."""
    from hermes.modes.demo import RUNS, demo
    from hermes.render.text import params
    from hermes.steps.session import Order

    request = view().request
    turns.progress.total = RUNS
    order = Order(attended=True, runs=RUNS, halt=signals.halt, uncut=signals.later)
    with signals.finishing():
        result = demo(view().lab, order, on_run=turns.tell)
    turns.progress.flush()
    root = result.data_root
    inside = root.is_relative_to(request.workdir)
    shown = root.relative_to(request.workdir) if inside else root
    console.say(f"{result.runs} runs of {result.experiment}, {result.successes} succeeded.")
    console.say(f"Best {result.metric}: {result.value:.6g} with {params(result.params)}.")
    console.say(f"Everything is in {shown}; begin with {shown}/README-FIRST.md, and the best run:")
    console.say(f"  {shown}/experiments/{result.experiment}/runs/{result.run_id}")
    console.say("Next, try:")
    console.say(f"  export HERMES_LAB_DATA_ROOT={shlex.quote(str(root))}")
    console.say(f"  {request.again} status")
    console.say(f"  {request.again} burst exp={result.experiment} n=50")


def _say_refusal(status: Status | None) -> None:
    """Say that an accepted change did not get into the workspace, or onto its branch."""
    from hermes.render.advice import refusal

    refused = refusal(status) if status is not None else None
    if status is not None and refused is not None:
        again = view().request.again
        console.say(f"In {status.id} {refused.why}.")
        console.say(f"Get it out: {again} export exp={status.id} format=patches out=DIR")


def _say_phase(experiment: str, tally: Tally) -> None:
    """Say that an experiment makes no further runs by itself, unless that has just been said."""
    from hermes.steps.project import read_status

    status = read_status(view().lab, experiment)
    reason = status.blocked_reason if status is not None else None
    if status is not None and reason is not None and reason not in (tally.stopped or ""):
        console.say(sentence(f"{experiment} is {status.phase.value}: {reason}"))


def _told(tally: Tally) -> str:
    """Say how many runs were made and what came of them; in the code loop, of each kind."""
    if set(tally.outcomes) <= _OF_A_SEARCH:
        return _counts(tally.runs, tally.successes)
    plural = "" if tally.runs == 1 else "s"
    kinds = {
        "accepted" if outcome is Outcome.SUCCESS else outcome.value: count
        for outcome, count in tally.outcomes.items()
    }
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f"{tally.runs} run{plural}: {told}"


def _counts(runs: int, successes: int) -> str:
    plural = "" if runs == 1 else "s"
    return f"{runs} run{plural}, {successes} succeeded"
