"""Where everything stands in what is on its way through ``dispatch/``; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hermes.layout.bundle import BundleLayout


@dataclass(frozen=True)
class PackageLayout:
    """Every path of one package on its way through ``dispatch/``."""

    folder: Path

    @cached_property
    def dispatch(self) -> Path:
        """The run as it was planned."""
        return self.folder / "dispatch.json"

    @cached_property
    def execution(self) -> Path:
        """What executing it gave; there when the command has ended."""
        return self.folder / "execution.json"

    @cached_property
    def artifacts(self) -> Path:
        """The folder for artifacts of a run that left none, kept for the next one."""
        return self.folder / "artifacts"

    @cached_property
    def run(self) -> BundleLayout:
        """The bundle in the making; only its worker writes there."""
        return BundleLayout(self.folder / "run")


@dataclass(frozen=True)
class ItemLayout:
    """Every path of one agent's work item."""

    folder: Path

    @cached_property
    def item(self) -> Path:
        """What was given out, to whom, and until when."""
        return self.folder / "item.json"

    @cached_property
    def submission(self) -> Path:
        """What the agent sent; there until the run that measures it is sealed."""
        return self.folder / "submission.json"
