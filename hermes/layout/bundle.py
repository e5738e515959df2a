"""Where everything stands in a run bundle, sealed or in the making; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class BundleLayout:
    """Every path of one run bundle, sealed or in the making."""

    folder: Path

    @cached_property
    def manifest(self) -> Path:
        """Identity, outcome, provenance and checksums."""
        return self.folder / "manifest.json"

    @cached_property
    def plan(self) -> Path:
        """What was to be tried, and why."""
        return self.folder / "plan.md"

    @cached_property
    def result(self) -> Path:
        """What came of it, for people."""
        return self.folder / "RESULT.md"

    @cached_property
    def metrics(self) -> Path:
        """What came of it, for machines."""
        return self.folder / "metrics.json"

    @cached_property
    def stdout(self) -> Path:
        """What the command printed."""
        return self.folder / "stdout.log"

    @cached_property
    def stderr(self) -> Path:
        """What the command complained of."""
        return self.folder / "stderr.log"

    @cached_property
    def artifacts(self) -> Path:
        """Egress files and whatever else the run keeps."""
        return self.folder / "artifacts"

    @cached_property
    def candidate(self) -> Path:
        """The files in which a candidate differs from the user's workspace."""
        return self.artifacts / "candidate"

    @cached_property
    def candidate_record(self) -> Path:
        """What those files are, and what they were made from."""
        return self.artifacts / "candidate.json"

    @cached_property
    def patch(self) -> Path:
        """How a candidate differs from the code that it was made from."""
        return self.artifacts / "diff.patch"

    @cached_property
    def decision(self) -> Path:
        """Every number behind the verdict on a candidate."""
        return self.artifacts / "decision.json"

    @cached_property
    def mutation_log(self) -> Path:
        """What the command or agent printed that made a candidate."""
        return self.artifacts / "mutation.log"

    @cached_property
    def setup_log(self) -> Path:
        """What the setup command printed where the run is measured."""
        return self.artifacts / "setup.log"

    @cached_property
    def edit_setup_log(self) -> Path:
        """What it printed where code is changed."""
        return self.artifacts / "edit-setup.log"
