"""What is known of an execution, of then and of now, in the form that is compared; reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hermes.layout import BundleLayout
from hermes.measured import Sample
from hermes.model import Execution, Manifest, Origin, Outcome
from hermes.reproduction.records import MEASURED, Account
from hermes.steps.rerun import Record
from hermes.steps.seal import shortened
from hermes.store import inventory


def recorded(record: Record) -> Account:
    """Return what a sealed run says of itself."""
    manifest, metrics = record.manifest, record.metrics
    assert manifest.outcome is not None, "it is sealed"
    outcome = manifest.outcome.value
    samples: tuple[Sample, ...] = ()
    if record.decision is not None:
        outcome, samples = MEASURED, record.decision.case.measurement.candidate
    elif metrics.value is not None:
        samples = (Sample(metrics.value, metrics.secondary),)
    named = {path: file.sha256 for path, file in manifest.files.items()}
    return Account(
        outcome=outcome,
        reason=manifest.reason,
        exit_status=manifest.exit_status,
        samples=samples,
        files={path: named[path] for path in _kept(named, manifest, record.bundle)},
        usage=manifest.usage if _only_measured(manifest) else None,
    )


def _only_measured(manifest: Manifest) -> bool:
    """Say whether nothing was run but what measures: no change of code, no incumbent's turns."""
    return manifest.code is None or manifest.origin is Origin.BASELINE


def executed(execution: Execution, manifest: Manifest, bundle: BundleLayout) -> Account:
    """Return what came of an execution, which left its files in ``bundle``. Raises OSError."""
    outcome = execution.outcome.value
    samples: tuple[Sample, ...] = ()
    if execution.outcome is Outcome.SUCCESS and execution.measurement is not None:
        outcome, samples = MEASURED, execution.measurement.candidate
    elif execution.value is not None:
        samples = (Sample(execution.value, execution.secondary),)
    present = [entry.path for entry in inventory.take(str(bundle.folder)).files]
    return Account(
        outcome=outcome,
        reason=shortened(execution.reason),
        exit_status=execution.exit_status,
        samples=samples,
        files={
            path: inventory.digest_file(f"{bundle.folder}/{path}").sha256
            for path in _kept(present, manifest, bundle)
        },
        usage=execution.usage,
    )


def together(accounts: Sequence[Account]) -> Account:
    """Return several executions as one: all samples, and how the last one ended."""
    samples = tuple(sample for account in accounts for sample in account.samples)
    return replace(accounts[-1], samples=samples)


def _kept(paths: Iterable[str], manifest: Manifest, bundle: BundleLayout) -> Iterator[str]:
    """Choose the files that the commands of the run left, not the lab."""
    folder = bundle.artifacts.name
    own = {bundle.setup_log}
    if manifest.code is not None:
        own |= {bundle.edit_setup_log, bundle.mutation_log, bundle.patch, bundle.decision}
        own |= {bundle.candidate_record, bundle.candidate}
    names = {path.name for path in own}
    for path in paths:
        top, _, rest = path.partition("/")
        if top == folder and rest.partition("/")[0] not in names:
            yield path
