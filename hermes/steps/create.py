"""The step ``create``: registers an experiment from a SPEC; all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hermes import files
from hermes.codec import digest
from hermes.errors import RequestError
from hermes.lab import Lab
from hermes.layout import ExperimentLayout
from hermes.spec import Spec
from hermes.steps import admission
from hermes.store.journal import first_line
from hermes.store.specs import PreparedSpec, prepare


@dataclass(frozen=True)
class Created:
    """A new experiment's id, and what the user should know about its SPEC.

    ``waits_for_agents`` says that after a baseline the next step is an agent's.
    """

    experiment: str
    notices: tuple[str, ...]
    waits_for_agents: bool


def create(lab: Lab, source: Path, *, experiment: str | None = None) -> Created:
    """Register an experiment. Raises SpecError or RequestError; nothing is created then.

    Writes: the experiment's folder, made under a temporary name and renamed when it is whole
    and durable; then an event.
    """
    lab.require()
    prepared = prepare(source, experiment=experiment, data_root=lab.layout.root)
    admission.check(lab, prepared)
    _refuse_taken(lab, prepared.id)
    final = lab.layout.experiment(prepared.id)
    temporary = files.temporary_beside(final.folder)
    try:
        _build(lab, ExperimentLayout(temporary), prepared)
        with lab.projections.lock(prepared.id):
            if not files.publish_folder(temporary, final.folder):
                _refuse_taken(lab, prepared.id)
    except BaseException:
        files.remove_tree(temporary)
        raise
    lab.record("created", prepared.id, detail=str(source))
    spec = prepared.spec
    waits = spec.at_tier(spec.first_tier).waits_for_agents
    return Created(prepared.id, (*prepared.notices, *_advice(spec)), waits)


def _build(lab: Lab, layout: ExperimentLayout, prepared: PreparedSpec) -> None:
    files.make_folder(layout.folder)
    for folder in (layout.runs, layout.checkpoints):
        files.make_folder(folder)
    files.write_new(layout.spec, prepared.text)
    line = first_line(at=lab.now(), by="human", spec_sha256=digest(prepared.text))
    files.write_new(layout.journal, line)
    files.write_new(layout.metrics, b"")
    files.sync_paths([layout.spec, layout.journal, layout.metrics, layout.folder])


def _advice(spec: Spec) -> Iterator[str]:
    """Say what the user may not have meant."""
    if not spec.has_command:
        yield "Nothing is configured to run, so each run is a stub without a number."
    without_strategy = spec.strategy is None and not spec.is_code_loop
    if spec.search_space is not None and without_strategy:
        yield "No strategy is named, so runs get no parameters: add one, or give burst strategy=."


def _refuse_taken(lab: Lab, experiment: str) -> None:
    if files.exists(lab.layout.experiment(experiment).folder):
        raise RequestError(
            f"There is an experiment called {experiment!r} already.",
            "Give another one with id=NAME, or go on with that one: see `hermes-lab experiments`.",
        )
