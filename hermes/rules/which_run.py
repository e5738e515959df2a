"""Which run a command means by ``run=``; for the rules that take one."""

from __future__ import annotations

from hermes.rules.view import view


def run_asked_for(experiment: str, asked: str) -> str:
    """Return the id of a run that is asked for by id, as ``last`` or ``best``, or by number.

    Raises RequestError when there is no such run.
    """
    from hermes.errors import RequestError, UnknownName

    remedy = f"See `{view().request.again} show exp={experiment}` for its runs."
    if asked in ("last", "best") or asked.isdecimal():
        found = _named(experiment, asked)
        if found is None:
            which = f"run number {asked}" if asked.isdecimal() else f"{asked} run yet"
            raise RequestError(f"{experiment} has no {which}.", remedy)
        return found
    runs = view().lab.bundles.list(experiment)
    if asked not in runs:
        raise UnknownName("run", asked, runs, remedy)
    return asked


def _named(experiment: str, asked: str) -> str | None:
    from hermes import history

    if asked == "best":
        return history.read(view().lab, experiment).status().best_run
    lines = view().lab.index(experiment).read().lines
    if asked == "last":
        return lines[-1].run_id if lines else None
    return next((line.run_id for line in lines if line.seq == int(asked)), None)
