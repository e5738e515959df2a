"""The step ``enqueue``: a person's point or idea, to be tried before the strategy's own.

Limits: 1,000 requests of an experiment may wait, and a text has at most 4,000 characters.
"""

from __future__ import annotations

from dataclasses import dataclass

from hermes import history
from hermes.decisions import Intent
from hermes.errors import RequestError
from hermes.lab import Lab
from hermes.model import Params
from hermes.spec import Spec
from hermes.state import current_tier
from hermes.status import Status
from hermes.steering import MOST_REQUESTS

MOST_TEXT = 4000  # characters


@dataclass(frozen=True)
class Enqueued:
    """What was asked for: its id, how many requests wait before it, the experiment's status."""

    id: str
    params: Params | None
    before: int
    status: Status


def enqueue(lab: Lab, experiment: str, params_text: str | None, note: str) -> Enqueued:
    """Write down what a person asks for. Raises RequestError; nothing is written then.

    Takes no lease: a running burst sees it at its next iteration. The same point may be asked for
    again, and is tried once for each time.

    Writes: a line of the journal, durable, and an event.
    """
    if params_text is None and not note:
        raise RequestError(
            "enqueue needs params= or note=.",
            "Give a point as JSON (params='{\"x\": 0.5}'), or an idea in words (note='…').",
        )
    check_text(note)
    lab.experiment(experiment)
    past = history.read(lab, experiment)
    tier = current_tier(past.state, past.spec.spec.first_tier)
    spec = past.spec.spec.at_tier(tier)
    params = None if params_text is None else _point(lab, spec, experiment, params_text)
    waiting = 0

    def check() -> None:
        nonlocal waiting
        waiting = len(history.advance(lab, experiment, past.state).steering.requests)
        if waiting >= MOST_REQUESTS:
            raise RequestError(
                f"{waiting} requests of {experiment} wait already; no more are taken.",
                f"Let some be tried first: `hermes-lab burst exp={experiment}`.",
            )

    record = lab.journal(experiment).append(
        at=lab.now(),
        intent=Intent.ENQUEUE,
        by="human",
        after_runs=past.state.sealed_count,
        reason=note,
        params=params,
        check=check,
    )
    request = record.request or ""
    lab.record("enqueue", experiment, detail=f"{request}: {note}" if note else request)
    return Enqueued(request, params, waiting, past.status())


def check_text(text: str) -> None:
    """Refuse a text that is too long to be shown to whoever proposes. Raises RequestError."""
    if len(text) > MOST_TEXT:
        raise RequestError(
            f"note= has {len(text)} characters.", f"Give at most {MOST_TEXT}; a file can say more."
        )


def _point(lab: Lab, spec: Spec, experiment: str, text: str) -> Params:
    from hermes.executing.parameters import check_parameters
    from hermes.search.points import example_of, point, read_given
    from hermes.steps.proposing import space_of

    source = str(lab.layout.experiment(experiment).spec)
    space = space_of(spec, None, source=source)
    params = point(space, read_given(text, example=example_of(space)))
    check_parameters(spec, params)
    return params
