"""Owns the sealed bundles under ``experiments/<id>/runs/``. Called by the steps.

Limits first: a bundle holds regular files and folders only; what else the run left in its folder
(links, pipes, what is nested too deep) is removed at sealing and named in the manifest, under
``workspace`` as ``left_out``. Whether a bundle was changed can be told by its manifest, and
whether the manifest was, by the next one in the chain and by the index: the digest of the last
manifest stands in ``metrics.jsonl`` alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from hermes import codec, files
from hermes.errors import BrokenFile, Fault
from hermes.layout import EXPERIMENT_ID, RUN_ID, BundleLayout, Layout, PackageLayout
from hermes.model import Manifest, RunMetrics
from hermes.store import closing, inventory
from hermes.store.inventory import shown

# No manifest names itself, and the folder for artifacts may be empty.
_EXPECTED = ((closing.MANIFEST, "added"), (closing.ARTIFACTS, "added: an empty folder"))

Names: TypeAlias = list[str]


class _Link(NamedTuple):
    """What the chain needs of a manifest."""

    seq: int
    run_id: str
    previous_sha256: str | None
    sha256: str


class SealedBundle(NamedTuple):
    """A sealed run: its manifest with all checksums, its metrics, the manifest's digest."""

    manifest: Manifest
    metrics: RunMetrics
    sha256: str


@dataclass(frozen=True)
class ClosedBundle:
    """A bundle that is complete in its package, and on its way to the disk.

    Without ``bundle`` there was nothing to close: it was sealed before, or taken from us.
    """

    package: PackageLayout
    manifest: Manifest
    bundle: SealedBundle | None = None
    syncing: files.Syncing | None = None


class Bundles:
    """The sealed bundles of one data root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    # Sealing

    def close(
        self,
        package: PackageLayout,
        manifest: Manifest,
        metrics: RunMetrics,
        result_text: str,
        *,
        decision: bytes | None = None,
    ) -> ClosedBundle:
        """Complete the bundle of a package; it becomes durable while others do other things.

        ``publish`` must follow, whatever comes in between, or ``close`` again: both may be repeated
        after a crash at any point, and a run sealed already is returned as it stands.

        Writes: in the package's ``run/`` the result, the metrics, the decision and the manifest,
        all files made read-only.
        """
        target = self._run(manifest.experiment, manifest.run_id).folder
        if files.exists(target):
            return ClosedBundle(package, manifest)
        try:
            sealed, sha256, syncing = closing.close(
                package, manifest, metrics, result_text, decision
            )
        except FileNotFoundError:
            if files.exists(package.folder):
                raise
            return ClosedBundle(package, manifest)
        return ClosedBundle(package, manifest, SealedBundle(sealed, metrics, sha256), syncing)

    def publish(
        self, closed: ClosedBundle, *, fence: AbstractContextManager[bool]
    ) -> SealedBundle | None:
        """Give a closed bundle its place in history, once it is durable: the commit of a run.

        ``fence`` is entered for the rename alone and says whether the lease is still ours.
        When it is not, or the package was taken from us, None is returned and nothing published.

        Writes: the rename into ``runs/`` and the sync of that.
        """
        manifest, folder = closed.manifest, closed.package.run.folder
        target = self._run(manifest.experiment, manifest.run_id).folder
        try:
            if closed.syncing is not None:
                closed.syncing.wait()
                self._make_runs(target.parent)
            with fence as ours:
                if not ours:
                    return None
                if closed.bundle is not None and files.publish_folder(folder, target):
                    return closed.bundle
                return self._sealed_before(manifest) if files.exists(target) else None
        except FileNotFoundError:
            if files.exists(closed.package.folder):
                raise
            return None

    def _make_runs(self, runs: Path) -> None:
        """Create ``runs/`` if it is missing: empty, it does not travel with a copy by git."""
        if not runs.is_dir() and runs.parent.is_dir():
            files.make_folder(runs, durable=True)

    def _sealed_before(self, manifest: Manifest) -> SealedBundle:
        found = self.read(manifest.experiment, manifest.run_id)
        if found.manifest.iteration != manifest.iteration:
            raise Fault(
                f"{manifest.run_id} of {manifest.experiment} is the name of two runs.",
                "Run `hermes-lab verify`; the second one stays in `dispatch/running`.",
            )
        return found

    # Reading

    def has(self, experiment: str, run_id: str) -> bool:
        """Say whether a run is sealed."""
        return RUN_ID.match(run_id) is not None and files.exists(
            self._run(experiment, run_id).folder
        )

    def list(self, experiment: str) -> Names:
        """Return the ids of the sealed runs, in the order of planning."""
        names = files.list_folder(self._layout.experiment(experiment).runs)
        return [name for name in names if RUN_ID.match(name)]

    def read(self, experiment: str, run_id: str) -> SealedBundle:
        """Read a sealed run; its metrics are checked against its manifest. Raises BrokenFile."""
        bundle = self._run(experiment, run_id)
        manifest, sha256 = self._read_manifest(bundle, experiment)
        data = _content(bundle.metrics)
        stated = manifest.files.get(bundle.metrics.name)
        if stated is None or codec.digest(data) != stated.sha256:
            raise BrokenFile(str(bundle.metrics), "is not the file that its manifest names")
        try:
            return SealedBundle(manifest, codec.read_record(RunMetrics, data), sha256)
        except ValueError as error:
            raise BrokenFile(str(bundle.metrics), str(error)) from None

    def read_all(self, experiment: str) -> Iterator[SealedBundle | BrokenFile]:
        """Read every sealed run of an experiment; one that is broken harms only itself."""
        for run_id in self.list(experiment):
            try:
                yield self.read(experiment, run_id)
            except BrokenFile as error:
                yield error

    # Checking

    def verify(self, experiment: str, run_id: str, *, expected_sha256: str | None = None) -> Names:
        """Name every changed, missing or added file of a bundle; [] when it is as sealed.

        ``expected_sha256`` is the manifest's digest from the index: nothing else tells whether
        the manifest of the last run was changed.
        """
        bundle = self._run(experiment, run_id)
        if os.path.islink(bundle.folder):
            return [self._shown(bundle.folder, "changed: a symbolic link")]
        try:
            manifest, sha256 = self._read_manifest(bundle, experiment)
        except BrokenFile as error:
            return [self._shown(bundle.manifest, error.reason)]
        problems = list(_differences(bundle, manifest))
        if expected_sha256 not in (None, sha256):
            problems.append((closing.MANIFEST, "changed: the index has another digest of it"))
        return [self._shown(bundle.folder / path, what) for path, what in problems]

    def verify_chain(self, experiment: str) -> Names:
        """Name every gap and every wrong link in the order of sealing; [] when it is whole."""
        links, problems = [], [*self._strangers(experiment)]
        for run_id in self.list(experiment):
            bundle = self._run(experiment, run_id)
            try:
                found, sha256 = self._read_manifest(bundle, experiment)
                links.append(_Link(found.seq or 0, run_id, found.previous_sha256, sha256))
            except BrokenFile as error:
                problems.append((bundle.manifest, error.reason))
        for run_id, what in _wrong_links(sorted(links)):
            problems.append((self._run(experiment, run_id).manifest, what))
        return [self._shown(path, what) for path, what in problems]

    def _strangers(self, experiment: str) -> Iterator[tuple[Path, str]]:
        runs = self._layout.experiment(experiment).runs
        with suppress(FileNotFoundError, NotADirectoryError):
            for name in sorted(os.listdir(runs)):
                if not RUN_ID.match(name):
                    yield runs / name, "added: not the name of a run"

    def _run(self, experiment: str, run_id: str) -> BundleLayout:
        """Return a run's paths; names from disk go no further unless they are well-formed."""
        if not EXPERIMENT_ID.match(experiment) or not RUN_ID.match(run_id):
            raise ValueError(f"{run_id!r} of {experiment!r} is not the name of a run")
        return self._layout.experiment(experiment).run(run_id)

    def _read_manifest(self, bundle: BundleLayout, experiment: str) -> tuple[Manifest, str]:
        data = _content(bundle.manifest)
        try:
            manifest = codec.read_record(Manifest, data)
        except ValueError as error:
            raise BrokenFile(str(bundle.manifest), str(error)) from None
        if (manifest.experiment, manifest.run_id) != (experiment, bundle.folder.name):
            raise BrokenFile(str(bundle.manifest), "is the manifest of another run")
        if manifest.seq is None or manifest.outcome is None or manifest.completed_at is None:
            raise BrokenFile(str(bundle.manifest), "is a draft, not the manifest of a sealed run")
        return manifest, codec.digest(data)

    def _shown(self, path: Path, what: str) -> str:
        return f"{shown(str(path.relative_to(self._layout.root)))}: {what}"


def _content(path: Path) -> bytes:
    try:
        data = files.read(path)
    except OSError as error:
        raise BrokenFile(str(path), f"cannot be read: {error.strerror}") from None
    if data is None:
        raise BrokenFile(str(path), "is missing")
    return data


def _differences(bundle: BundleLayout, manifest: Manifest) -> Iterator[tuple[str, str]]:
    named = dict(manifest.files)
    named.pop(closing.MANIFEST, None)
    for difference in inventory.differences(str(bundle.folder), named):
        if difference not in _EXPECTED:
            yield difference


def _wrong_links(links: Sequence[_Link]) -> Iterator[tuple[str, str]]:
    """Check the order of sealing: ``seq`` from 1 without gaps, each naming the one before."""
    before = _Link(0, "", None, "")
    for link in links:
        if link.seq == before.seq:
            yield link.run_id, f"has the seq of {before.run_id}: {link.seq}"
        elif link.seq != before.seq + 1:
            yield link.run_id, f"has seq {link.seq} after {before.seq}: a sealed run is missing"
        elif link.previous_sha256 != (before.sha256 or None):
            yield (
                before.run_id or link.run_id,
                f"changed since {link.run_id} was sealed, or that one's previous_sha256 was",
            )
        before = link
