"""Owns the packages under ``dispatch/``: runs on their way into history. Called by the steps.

Limits first: possession is the lease's business. Whoever writes here holds the lease of the
experiment, and takes a package over before working on what another owner left.
What is found may have been cut off at any point; ``stage_of`` says how far it came.

The files of a package are lines with a checksum that name the run they belong to, so they may
be written in place: one that is torn, or is another run's, counts as none. That is what
allows a spent folder to be used again: making and removing files is the dearest part of a
package, and on ext4 without a journal each removal slows down the making of files for minutes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from hermes import codec, files
from hermes.errors import Fault
from hermes.layout import (
    Layout,
    PackageLayout,
    PackageName,
    dispatch_id,
    package_name,
    parse_package,
)
from hermes.model import Execution, Manifest
from hermes.store.aside import new_place
from hermes.store.package_files import (
    MADE,
    PLANNED,
    READ_ONLY,
    belongs,
    bound,
    build,
    id_of,
    is_spent,
    listing,
    record_in,
    restore,
    would_belong,
    write,
)

Stage: TypeAlias = Literal["empty", "planned", "started", "executed"]

_ATTEMPT = 1


@dataclass(frozen=True)
class Found:
    """A package in ``dispatch/running``: what its name says, and its paths."""

    name: PackageName
    layout: PackageLayout


class Packages:
    """The packages of one data root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._spent: list[Path] = []

    def publish_running(
        self, manifest: Manifest, plan_text: str, *, worker: str
    ) -> tuple[PackageLayout, files.Syncing]:
        """Put a planned run into the hands of ``worker``; durable when the second was waited for.

        Only then may its command start. A power cut before leaves it whole, half-made or not at
        all; readers check it and take a half-made one for none.

        Writes: a folder in ``dispatch/running``, made under a temporary name.
        Raises ValueError when ``worker`` cannot be part of a name, Fault when it is there already.
        """
        name = dispatch_id(manifest.experiment, manifest.iteration)
        target = self._layout.running / package_name(name, _ATTEMPT, worker)
        temporary = self._workplace(target)
        try:
            build(PackageLayout(temporary), name, manifest, plan_text)
            syncing = files.place_folder(temporary, target, together=MADE)
            if syncing is None:
                raise Fault(
                    f"{target} is there already.", "Run `hermes-lab recover`, then try again."
                )
        except BaseException:
            files.remove_tree(temporary)
            raise
        return PackageLayout(target), syncing

    def _workplace(self, target: Path) -> Path:
        """Return a folder to build a package in: a spent one if there is any, else a new one."""
        while self._spent:
            spent = self._spent.pop()
            if is_spent(spent):
                return spent
            files.remove_tree(spent)
        temporary = files.temporary_beside(target)
        files.make_folder(temporary)
        return temporary

    def take_over(self, folder: PackageLayout, *, worker: str) -> PackageLayout | None:
        """Make a package that another owner left ours; None when it is gone.

        None too while we hold another of that name: one of the two came too late.

        The other one, should it wake up, finds nothing under the old name: it cannot write into
        what we seal. What was found is durable on return, so a planned run may be started.

        Writes: a rename within ``dispatch/running`` and syncs.
        """
        name = parse_package(folder.folder.name)
        if name is None:
            return None
        ours = self._layout.running / package_name(name.dispatch_id, name.attempt, worker)
        if ours != folder.folder and files.exists(ours):
            return None
        if not files.claim(folder.folder, ours):
            return None
        made = [ours / path for path in MADE]
        files.sync_paths([self._layout.running, *filter(os.path.exists, made)])
        return PackageLayout(ours)

    def running(self, experiment: str | None = None) -> list[Found]:
        """List the packages in workers' hands, of one experiment or of all, sorted by name."""
        return [
            Found(name, PackageLayout(self._layout.running / entry))
            for entry in files.list_folder(self._layout.running)
            if (name := parse_package(entry)) is not None
            and name.worker
            and experiment in (None, name.experiment)
        ]

    def read(self, folder: PackageLayout) -> Manifest | None:
        """Return a package's run as it was planned; None when it is half-made or damaged."""
        name, raw = parse_package(folder.folder.name), record_in(folder, folder.dispatch)
        if name is None or raw is None:
            return None
        try:
            draft = codec.decode(Manifest, raw)
        except ValueError:
            return None
        return draft if belongs(name, draft) else None

    def drafts(self, experiment: str) -> list[Manifest]:
        """Return the runs of an experiment in workers' hands as they were planned."""
        found = (self.read(package.layout) for package in self.running(experiment))
        return [draft for draft in found if draft is not None]

    def stage_of(self, folder: PackageLayout) -> Stage:
        """Say how far a package came (the table in docs/FORMAT.md, section 7)."""
        found = listing(folder.run.folder)
        if self.read_execution(folder) is not None:
            return "empty" if found is None else "executed"
        if found is not None and (found - PLANNED or listing(folder.run.artifacts)):
            return "started"
        return "empty" if self.read(folder) is None else "planned"

    def restore(self, folder: PackageLayout) -> None:
        """Put back what losing power took of the plan's part of ``run/``.

        For a package that is planned, or further, and whose ``read`` is not None.

        Writes: files in ``run/``, not synced.
        """
        raw = record_in(folder, folder.dispatch) or {}
        restore(folder, str(raw.get("plan", "")))

    def record_execution(self, folder: PackageLayout, execution: Execution) -> bool:
        """Record that the command has ended; False when the package was taken from us.

        Writes: ``execution.json``, not synced: without it the run counts as cut off.
        """
        line = bound(id_of(folder), codec.shallow(execution))
        try:
            write(folder.execution, line)
        except FileNotFoundError:
            return False
        return True

    def read_execution(self, folder: PackageLayout) -> Execution | None:
        """Return what executing a package gave; None when it has not ended, as far as is known."""
        raw = record_in(folder, folder.execution)
        try:
            return None if raw is None else codec.decode(Execution, raw)
        except ValueError:
            return None

    def detach_logs(self, folder: PackageLayout) -> None:
        """Give the logs contents of their own: what survived of the command keeps the old ones.

        Writes: each log, replaced by a read-only copy.
        """
        for log in (folder.run.stdout, folder.run.stderr):
            files.detach(log, temporary=files.temporary_beside(log), mode=READ_ONLY)

    def recycle(self, folder: PackageLayout) -> None:
        """Keep the folder of a run that is sealed for the next package; ``close`` removes it.

        Writes: a rename to a temporary name. After a crash ``clear_unfinished`` removes it.
        """
        temporary = files.temporary_beside(folder.folder)
        if files.claim(folder.folder, temporary):
            self._spent.append(temporary)

    def close(self) -> None:
        """Remove the folders kept for further packages. Writes: only removals."""
        while self._spent:
            files.remove_tree(self._spent.pop())

    def discard(self, folder: PackageLayout) -> None:
        """Remove a package whose work is done or was never begun; fine when it is gone."""
        files.remove_tree(folder.folder)

    def set_aside(self, folder: PackageLayout, reason: str) -> Path:
        """Move a package that nobody can use to ``dispatch/complete``; nothing is deleted.

        Writes: a new folder there with ``reason.txt`` and the package; returns that folder.
        """
        kept = new_place(self._layout, folder.folder.name, reason)
        files.claim(folder.folder, kept / "package")
        return kept

    def clear_unfinished(self, experiment: str) -> int:
        """Remove what crashes left half-published of an experiment whose lease the caller holds.

        Writes: only removals, of temporary names in ``dispatch/running``; returns how many.
        """
        left = [path for path in self._temporaries() if would_belong(path.name, experiment)]
        for path in left:
            files.remove_tree(path)
        return len(left)

    def _temporaries(self) -> list[Path]:
        try:
            names = os.listdir(self._layout.running)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [self._layout.running / name for name in names if files.is_temporary(name)]
