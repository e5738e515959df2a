"""The sandboxes of one slot: where runs are measured, and where code is changed; ``run`` owns it.

Limit first: the two never share a file. What changes code never has the measuring sandbox within
reach of a relative path, and nothing is carried over but the files of the surface.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hermes import files
from hermes.executing import trees
from hermes.executing.job import Job
from hermes.executing.logs import Log
from hermes.executing.slot import Pulse
from hermes.executing.stages import Result, Stages
from hermes.executing.workspaces import Order, Workspace, Workspaces
from hermes.layout import BundleLayout
from hermes.model import EMPTY

if TYPE_CHECKING:
    from hermes.executing.content import Tree
    from hermes.executing.evaluator import Evaluators

EDITING = ".edit"
SCRATCH = ".scratch"


class Desk:
    """Keeps the sandboxes of a slot from run to run."""

    def __init__(self) -> None:
        self._measuring = Workspaces()
        self._editing = Workspaces()
        self._scratch: Path | None = None

    @cached_property
    def evaluators(self) -> Evaluators:
        """What tells evaluators apart, from run to run."""
        from hermes.executing.evaluator import Evaluators

        return Evaluators()

    def measuring(self, job: Job) -> Place:
        """Return where ``job`` is measured."""
        return Place(job, self._measuring, job.sandbox, job.bundle.setup_log)

    def editing(self, job: Job) -> Place:
        """Return where the code of ``job`` is changed."""
        beside = job.sandbox.with_name(job.sandbox.name + EDITING)
        return Place(job, self._editing, beside, job.bundle.edit_setup_log)

    def scratch(self, job: Job) -> Path:
        """Return a folder of the slot that no command works in."""
        self._scratch = job.sandbox.with_name(job.sandbox.name + SCRATCH)
        return self._scratch

    def close(self) -> None:
        """Remove the sandboxes.

        Writes: removals.
        """
        for workspaces in (self._measuring, self._editing):
            with contextlib.suppress(OSError):
                workspaces.close()
        if self._scratch is not None:
            with contextlib.suppress(OSError):
                files.remove_tree(self._scratch)


@dataclass(frozen=True)
class Place:
    """One of the two sandboxes, for one job."""

    job: Job
    workspaces: Workspaces
    sandbox: Path
    setup_log: Path

    @property
    def order(self) -> Order:
        """What the workspace is made from; in the code loop without a repository of its own."""
        job = self.job
        bare = job.code is not None
        return Order(
            job.spec,
            self.sandbox,
            job.data_root,
            job.environment,
            bare=bare,
            commit=job.commit,
        )

    def prepare(self, pulse: Pulse) -> Workspace:
        """Make or reset the sandbox. Raises Fault, OSError.

        Writes: the sandbox.
        """
        return self.workspaces.prepare(self.order, pulse)

    def hold(self, workspace: Workspace, tree: Tree) -> None:
        """Make the surface of a sandbox ``tree``; what the setup command made stays.

        What the sandbox was made from is looked at each time: the workspace may have changed
        since the other one was made. Raises TooLarge, OSError; Fault where a link is in the way.

        Writes: the sandbox.
        """
        from hermes.executing import surface

        surface.put(str(workspace.folder), surface.changes(self.base(), tree))

    def base(self) -> Tree:
        """Read the surface as the sandbox was made with it. Raises TooLarge, OSError."""
        from hermes.executing.surface import Surface

        spec, workspaces = self.job.spec, self.workspaces
        area = Surface.of(spec)
        return area.read(workspaces.originals, workspaces.locate)

    def set_up(self, workspace: Workspace, stages: Stages) -> Result | None:
        """Run the setup command when the workspace is new; None when all is well.

        Writes: its log in the bundle; what the command makes.
        """
        if not workspace.needs_setup:
            return None
        if self.job.spec.setup_command is not None:
            log = Log(self.setup_log)
            try:
                failed = stages.run("setup_command", workspace, EMPTY, log, None)
            finally:
                log.close()
            if failed is not None:
                return failed
        self.workspaces.set_up(self.order)
        return None


def _real(folder: Path) -> str:
    """Return the real name of a run's folder, which the lab has made in one of its own."""
    rest, run = os.path.split(folder)
    place, package = os.path.split(rest)
    return f"{trees.real(place)}/{package}/{run}"


@contextlib.contextmanager
def logged(bundle: BundleLayout) -> Iterator[tuple[Log, Log]]:
    """Open the logs of a run for the body.

    Writes: ``stdout.log`` and ``stderr.log`` of the bundle, and its folder for artifacts.
    """
    if not files.exists(bundle.artifacts):
        files.make_folder(bundle.artifacts)
    with contextlib.ExitStack() as logs:
        home = _real(bundle.folder)
        stdout, stderr = Log(bundle.stdout, home=home), Log(bundle.stderr, home=home)
        logs.callback(stderr.close)
        logs.callback(stdout.close)
        yield stdout, stderr
