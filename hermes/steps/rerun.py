"""What a sealed run is executed again from: its record, checked, and its job; for ``reproduce``.

Limits first. The SPEC is that of now: of an older one only the digest is on record. Of a copied
workspace only the present content is there; of one taken from a commit, that commit.
A run that took place in the user's own folder takes place in a copy of it.
The change of code is never made again: the candidate that was kept is measured. The incumbent has
no turns, and the hold-out is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import status
from hermes.acceptance import Decision
from hermes.errors import BrokenFile, RequestError
from hermes.lab import Lab
from hermes.layout import BundleLayout, PackageLayout
from hermes.model import Manifest, Origin, Outcome, RunMetrics
from hermes.spec import Spec
from hermes.state import ExperimentState, Scored, fold_run
from hermes.steps.coding import read_decision
from hermes.steps.execute import contract
from hermes.store.specs import LoadedSpec

if TYPE_CHECKING:
    from hermes.executing.candidate import CodeOrder
    from hermes.executing.job import Job

_NOTHING_RAN = (Outcome.SKIPPED, Outcome.INTERRUPTED, Outcome.INFRA, Outcome.STUB)
_SPEC_AGAIN = "Make SPEC.yaml say so again, then try again."


class Irreproducible(Exception):
    """A run cannot be run again as it was: why, and what a person can do about it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True)
class Record:
    """A sealed run; ``decision`` is there when it is a candidate that was judged."""

    manifest: Manifest
    metrics: RunMetrics
    bundle: BundleLayout
    decision: Decision | None


def read_record(lab: Lab, experiment: str, run: str) -> Record:
    """Read what a run is run again from.

    Raises RequestError for one that measured nothing, BrokenFile for one that is damaged.
    """
    manifest, metrics, _ = lab.bundles.read(experiment, run)
    bundle = lab.layout.experiment(experiment).run(run)
    _check_measured(manifest, bundle)
    judged = _has(manifest, bundle, bundle.decision)
    return Record(manifest, metrics, bundle, read_decision(bundle) if judged else None)


def _check_measured(manifest: Manifest, bundle: BundleLayout) -> None:
    """Refuse a run in which nothing was measured, or in which nothing says what was."""
    assert manifest.outcome is not None, "it is sealed"
    run, outcome = manifest.run_id, manifest.outcome.value
    look = f"See `hermes-lab show exp={manifest.experiment}` for another run."
    if manifest.outcome in _NOTHING_RAN:
        raise RequestError(f"{run} ended as {outcome}: there is nothing to run again.", look)
    if manifest.code is None:
        return
    judged = _has(manifest, bundle, bundle.decision)
    if manifest.outcome is Outcome.NO_OP or (manifest.outcome is Outcome.REJECTED and not judged):
        raise RequestError(f"{run} ended as {outcome} before anything was measured.", look)
    if not _has(manifest, bundle, bundle.candidate_record):
        raise RequestError(f"{run} ended as {outcome} and kept no candidate to measure.", look)


def _has(manifest: Manifest, bundle: BundleLayout, path: Path) -> bool:
    return path.relative_to(bundle.folder).as_posix() in manifest.files


# Whether it can be had


def check_sealed(lab: Lab, record: Record) -> None:
    """Raise Irreproducible when a file of the record is not as it was sealed."""
    experiment = record.manifest.experiment
    for problem in lab.bundles.verify(experiment, record.manifest.run_id):
        raise Irreproducible(
            f"the record is not as it was sealed: {problem}",
            f"Take it from a backup; `hermes-lab verify exp={experiment}` checks it.",
        )


def check_spec(loaded: LoadedSpec, record: Record) -> None:
    """Raise Irreproducible when the SPEC of now cannot measure what the run did."""
    tier, metric = record.manifest.fidelity_tier, record.metrics.metric
    if metric != loaded.spec.metric:
        said = f"it measured {metric!r}, and SPEC.yaml now says {loaded.spec.metric!r}"
        raise Irreproducible(said, _SPEC_AGAIN)
    if tier not in loaded.spec.tiers:
        raise Irreproducible(f"SPEC.yaml has no tier {tier!r} any more", _SPEC_AGAIN)
    if not loaded.spec.at_tier(tier).has_command:
        raise Irreproducible("SPEC.yaml has no command any more that measures", _SPEC_AGAIN)


def check_workspace(lab: Lab, spec: Spec, record: Record) -> None:
    """Raise Irreproducible when its workspace cannot be had. ``spec`` is that of ``spec_of``."""
    from hermes.executing import sandbox

    root = record.manifest.workspace.get("root")
    if isinstance(root, str) and spec.workspace_root is None:
        raise Irreproducible(f"its workspace was {root}, and SPEC.yaml names none", _SPEC_AGAIN)
    environment = _base(lab)
    commit = commit_of(record.manifest)
    if commit is not None and spec.workspace_root is not None:
        _check_commit(spec.workspace_root, commit, environment)
        return
    try:
        sandbox.check_workspace(spec, data_root=lab.layout.root, environment=environment)
    except RequestError as error:
        raise Irreproducible(error.message.rstrip("."), error.remedy) from None


def _check_commit(root: str, commit: str, environment: Mapping[str, str]) -> None:
    from hermes.executing import git_workspace, trees

    repository = git_workspace.find_repository(trees.real(root))
    if repository is None:
        raise Irreproducible(
            f"{root} lies in no git repository any more", "Put the repository back."
        )
    try:
        held = git_workspace.holds_workspace(repository, commit, environment)
    except OSError as error:
        raise Irreproducible(f"git cannot be asked: {error.strerror}", "Install git.") from None
    if not held:
        raise Irreproducible(
            f"the commit {commit} is not in {repository.top} any more, or not this workspace in it",
            "Fetch it from wherever it still is: `git fetch` takes a commit's name.",
        )


def commit_of(manifest: Manifest) -> str | None:
    """Return the commit that the run's workspace was taken from; None when it was not."""
    facts = manifest.workspace
    commit = facts.get("git_revision") if facts.get("mode") == "git" else None
    return commit if isinstance(commit, str) else None


# The job


def spec_of(loaded: LoadedSpec, manifest: Manifest) -> Spec:
    """Return the SPEC at the run's tier, its workspace made as the run's was.

    In the user's own folder no parameters are written, so none are written into its copy.
    """
    spec = replace(loaded.spec.at_tier(manifest.fidelity_tier), require_clean_workspace=False)
    mode = manifest.workspace.get("mode")
    if mode == "in-place":
        return replace(spec, workspace_mode="copy", mutable_paths=(), params_file=None)
    if mode == "git":
        return replace(spec, workspace_mode="git")
    return replace(spec, workspace_mode="copy") if mode == "copy" else spec


def job_of(lab: Lab, loaded: LoadedSpec, record: Record, number: int, samples: int | None) -> Job:
    """Return what executes the run again, as execution ``number`` in its folder under scratch.

    ``samples`` is how often a candidate is measured, None as often as on record. Raises
    Irreproducible when the candidate cannot be read.
    """
    from hermes.executing.job import Job

    manifest = record.manifest
    sandbox = lab.layout.reproduction_sandbox(manifest.experiment)
    package = lab.layout.reproduction_package(manifest.experiment, number)
    return Job(
        spec=spec_of(loaded, manifest),
        manifest=manifest,
        bundle=package.run,
        sandbox=sandbox,
        data_root=lab.layout.root,
        environment=_environment(lab, loaded.spec, manifest, package, sandbox),
        code=_code_order(loaded, record, samples),
        commit=commit_of(manifest),
    )


def _environment(
    lab: Lab, spec: Spec, manifest: Manifest, package: PackageLayout, sandbox: Path
) -> dict[str, str]:
    best = _best_before(lab, spec, manifest)
    return {
        **_base(lab),
        **contract(lab, spec, manifest, package, sandbox=sandbox, best=best),
    }


def _base(lab: Lab) -> dict[str, str]:
    from hermes.executing import environment

    return environment.base(lab.environ)


def _best_before(lab: Lab, spec: Spec, manifest: Manifest) -> Scored | None:
    """Return what was best when the run was sealed: that, its commands may have been told."""
    state = ExperimentState(spec.metric_direction)
    for line in lab.index(manifest.experiment).read().lines:
        if line.seq < (manifest.seq or 0):
            state = fold_run(state, line)
    return status.overall_best(spec, state)


def _code_order(loaded: LoadedSpec, record: Record, samples: int | None) -> CodeOrder | None:
    code = record.manifest.code
    if code is None:
        return None
    from hermes.executing import candidate

    try:
        changed, _ = candidate.load(record.bundle)
    except BrokenFile as error:
        raise Irreproducible(f"its candidate cannot be read: {error}", "Run verify.") from None
    again = candidate.Again(
        changed=changed,
        evaluator=code.evaluator,
        candidate=code.candidate or "",
        samples=samples or _recorded_count(loaded, record),
        as_baseline=record.manifest.origin is Origin.BASELINE,
    )
    return candidate.CodeOrder(lambda: None, lambda *_: None, again=again)


def _recorded_count(loaded: LoadedSpec, record: Record) -> int:
    """Return how often the candidate was measured; where that was cut short, as the rule asks."""
    if record.decision is not None:
        return len(record.decision.case.measurement.candidate)
    return loaded.spec.at_tier(record.manifest.fidelity_tier).acceptance.repeats
