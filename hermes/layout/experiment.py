"""Where everything stands in the folder of one experiment; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hermes.layout.bundle import BundleLayout
from hermes.layout.names import PROJECTIONS


@dataclass(frozen=True)
class ExperimentLayout:
    """Every path of one experiment."""

    folder: Path

    @cached_property
    def spec(self) -> Path:
        """The user's specification."""
        return self.folder / "SPEC.yaml"

    @cached_property
    def journal(self) -> Path:
        """The intents."""
        return self.folder / "journal.jsonl"

    @cached_property
    def metrics(self) -> Path:
        """The index of sealed runs."""
        return self.folder / "metrics.jsonl"

    @cached_property
    def status(self) -> Path:
        """Projection: the experiment's state."""
        return self.folder / "STATUS.json"

    @cached_property
    def summary(self) -> Path:
        """Projection: what was found so far."""
        return self.folder / "SUMMARY.md"

    @cached_property
    def outlook(self) -> Path:
        """Projection: what comes next."""
        return self.folder / "NEXT.md"

    @cached_property
    def context(self) -> Path:
        """Projection: what an agent is told."""
        return self.folder / "context.md"

    @cached_property
    def blackboard(self) -> Path:
        """Projection: what the strategies of the search share, for machines."""
        return self.folder / "blackboard.json"

    @cached_property
    def runs(self) -> Path:
        """The sealed bundles."""
        return self.folder / "runs"

    @cached_property
    def checkpoints(self) -> Path:
        """Step tokens and fold checkpoints; deletable."""
        return self.folder / "checkpoints"

    @cached_property
    def planned(self) -> Path:
        """Token: what ``plan`` left for ``execute``."""
        return self.checkpoints / "planned.json"

    @cached_property
    def executed(self) -> Path:
        """Token: what ``execute`` left for ``seal``."""
        return self.checkpoints / "executed.json"

    @cached_property
    def sealed(self) -> Path:
        """Token: what ``seal`` left for ``iterate`` and ``project``."""
        return self.checkpoints / "sealed.json"

    @cached_property
    def state(self) -> Path:
        """The fold up to a place in the journal and the index."""
        return self.checkpoints / "state.json"

    @cached_property
    def parsed_spec(self) -> Path:
        """The SPEC as parsed, with the digest of the text it was parsed from."""
        return self.checkpoints / "spec.json"

    def block(self, last: int) -> Path:
        """What is asked at once of the runs up to ``seq`` ``last``, a whole block of them."""
        return self.checkpoints / f"trials-{last}.jsonl"

    @cached_property
    def promoted(self) -> Path:
        """What promotions wrote into the user's workspace, and what stood there before."""
        return self.folder / "promoted"

    @cached_property
    def applied(self) -> Path:
        """Which files of the user's workspace promotions wrote."""
        return self.promoted / "applied.json"

    def original(self, sha256: str) -> Path:
        """The content of one of the user's files from before the first promotion wrote it."""
        return self.promoted / "originals" / sha256

    def projections(self) -> list[Path]:
        """Every projection of the experiment."""
        return [self.folder / name for name in PROJECTIONS]

    def run(self, run: str) -> BundleLayout:
        """Every path of one sealed run."""
        return BundleLayout(self.runs / run)
