"""The step ``refresh``: throws derived files away and rebuilds them from the canonical ones."""

from __future__ import annotations

from dataclasses import dataclass

from hermes import files
from hermes.errors import BrokenFile, LabError
from hermes.lab import Lab
from hermes.steps.digest import damaged, digest, missing
from hermes.steps.init import init
from hermes.steps.mending import mend_index
from hermes.steps.project import broken_tokens, project, project_lab


@dataclass(frozen=True)
class Refreshed:
    """How many experiments were rebuilt, and what could not be."""

    count: int
    problems: tuple[str, ...]


def refresh(lab: Lab, experiment: str | None = None) -> Refreshed:
    """Rebuild the projections of one experiment or of all, and those of the lab.

    Writes: the index where it does not name just the sealed bundles, every projection, and the
    digests that are missing or damaged; the latter are set aside.
    """
    lab.require()
    init(lab)
    names = [lab.experiment(experiment).folder.name] if experiment else lab.experiments()
    problems = [problem for name in names if (problem := _refresh_experiment(lab, name))]
    count = len(names) - len(problems)
    try:
        project_lab(lab)
    except BrokenFile as error:
        problems.append(error.message)
    if experiment is None:
        _refresh_digests(lab)
    return Refreshed(count, tuple(problems))


def _refresh_digests(lab: Lab) -> None:
    for path in damaged(lab):
        files.set_aside(path)
    for day in missing(lab):
        digest(lab, day)


def _refresh_experiment(lab: Lab, experiment: str) -> str | None:
    """Rebuild one experiment; return what is wrong with it, for the others must go on."""
    layout = lab.layout.experiment(experiment)
    try:
        mend_index(lab, experiment, thorough=True)
        for checkpoint in (layout.state, layout.parsed_spec):
            files.remove_tree(checkpoint)
        for token in broken_tokens(lab, experiment):
            files.remove_tree(token)
        project(lab, experiment)
    except (LabError, OSError) as error:
        return f"{experiment}: {error}"
    return None
