"""The step ``audit``: tests the evaluator of a code loop before, or between, its runs.

Limits first. Nothing enters history: it measures in scratch, under the experiment's lease, so that
nothing else runs of it meanwhile, and removes what it made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hermes import files, history
from hermes.acceptance.audit import Audit, Probe, judge
from hermes.errors import RequestError
from hermes.lab import Lab
from hermes.layout import PackageLayout, run_id
from hermes.model import SCHEMA_VERSION, Lease, Manifest, Origin
from hermes.state import current_tier
from hermes.steps.execute import contract
from hermes.steps.session import TakenOver

if TYPE_CHECKING:
    from hermes.executing.job import Job
    from hermes.spec import Spec

_ROLE = "audit"


@dataclass(frozen=True)
class Report:
    """What an audit of an experiment's evaluator found, in the tier of its next run."""

    schema_version: int
    id: str
    fidelity_tier: str
    metric: str
    metric_direction: str
    probes: tuple[Probe, ...]
    audit: Audit


def audit(
    lab: Lab,
    experiment: str,
    *,
    repeats: int,
    wait_seconds: float = 0.0,
    halt: Callable[[], object] = lambda: None,
) -> Report | None:
    """Test the evaluator, the code as it is ``repeats`` times; None when somebody else works.

    ``halt`` is called about every second, and may raise. Raises RequestError for an experiment
    that changes no code, and for a workspace that cannot be used; TakenOver; Fault; OSError.

    Writes: the lease; folders in scratch, which are gone at the end.
    """
    past = history.read(lab, experiment)
    tier = current_tier(past.state, past.spec.spec.first_tier)
    spec = past.spec.spec.at_tier(tier)
    _check(lab, spec)
    with _held(lab, experiment, wait_seconds) as lease:
        if lease is None:
            return None
        tick = partial(_beat, lab, lease, halt)
        jobs = _Jobs(lab, past.spec.spec, spec, tier, lease)
        return _tested(lab, spec, tier, jobs, repeats, tick)


def _check(lab: Lab, spec: Spec) -> None:
    from hermes.executing import environment
    from hermes.executing.sandbox import check_workspace

    if not (spec.is_code_loop and spec.has_command):
        raise RequestError(
            f"{spec.id} changes no code: there is no evaluator to be audited.",
            "Audit an experiment with a mutation_command or an agent_provider that changes code.",
        )
    visible = environment.base(lab.environ)
    check_workspace(spec, data_root=lab.layout.root, environment=visible)


@contextmanager
def _held(lab: Lab, experiment: str, wait_seconds: float) -> Iterator[Lease | None]:
    lease = lab.leases.acquire(experiment, wait_seconds=wait_seconds)
    if lease is None:
        yield None
        return
    try:
        yield lease
    finally:
        files.remove_tree(lab.layout.audit(experiment))
        lab.leases.release(lease)


def _beat(lab: Lab, lease: Lease, halt: Callable[[], object]) -> None:
    halt()
    if not lab.leases.renew(lease):
        raise TakenOver


def _tested(
    lab: Lab, spec: Spec, tier: str, jobs: _Jobs, repeats: int, tick: Callable[[], None]
) -> Report:
    from hermes.executing.audit import Auditor

    auditor = Auditor(jobs.make, lab.clock, tick)
    try:
        probes, traces = auditor.measure(repeats)
    finally:
        auditor.close()
    found = judge(probes, traces, spec.acceptance, spec.time_budget_minutes * 60.0)
    direction = spec.metric_direction.value
    return Report(SCHEMA_VERSION, spec.id, tier, spec.metric, direction, tuple(probes), found)


def _never(_evaluator: str, _candidate: str) -> None:
    """Say of every candidate that no run has tried it."""


@dataclass(frozen=True)
class _Jobs:
    """Makes the jobs of an audit; each has a bundle of its own in scratch."""

    lab: Lab
    whole: Spec  # of which ``spec`` is what holds at ``tier``
    spec: Spec
    tier: str
    lease: Lease

    def make(self, number: int) -> Job:
        """Make the job of a probe. Writes: its folder."""
        from hermes.executing import environment
        from hermes.executing.candidate import CodeOrder
        from hermes.executing.job import Job

        folder = self.lab.layout.audit(self.spec.id)
        package, sandbox = PackageLayout(folder / f"{number}"), folder / "sandbox"
        if number == 0:
            files.remove_tree(folder)
        files.make_folder(package.run.folder)
        manifest = self._manifest(number)
        told = contract(self.lab, self.whole, manifest, package, sandbox=sandbox, best=None)
        return Job(
            spec=self.spec,
            manifest=manifest,
            bundle=package.run,
            sandbox=sandbox,
            data_root=self.lab.layout.root,
            environment={**environment.base(self.lab.environ), **told},
            code=CodeOrder(incumbent=lambda: None, seen=_never),
        )

    def _manifest(self, number: int) -> Manifest:
        now = self.lab.now()
        return Manifest(
            schema_version=SCHEMA_VERSION,
            run_id=run_id(now, f"{_ROLE}{number}"),
            experiment=self.spec.id,
            role=_ROLE,
            iteration=number,
            trial=number,
            strategy="none",
            origin=Origin.PLAIN,
            params={},
            note="",
            parents=(),
            parent_run=None,
            seed=self.spec.seed,
            fidelity_tier=self.tier,
            executor_class=self.spec.executor_class,
            lease_id=self.lease.lease_id,
            spec_sha256="",
            planned_at=now,
        )
