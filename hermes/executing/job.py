"""What one run is to be executed from: ``steps/execute`` writes it, the executor carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hermes.layout import BundleLayout
from hermes.model import Manifest
from hermes.spec import Spec

if TYPE_CHECKING:  # a run that changes no code needs nothing of the code loop
    from hermes.executing.candidate import CodeOrder


@dataclass(frozen=True)
class Job:
    """One run to execute.

    ``spec`` stands at the run's tier. ``bundle`` is in the making: its folder is there.
    ``sandbox`` holds the sandbox of the slot. ``environment`` is all that commands get.
    ``ready`` is called before anything of the run is written, and returns when the plan is
    durable; ``begun`` is called when a command has been started.
    ``code`` is there in the code loop: what the candidate is made of and compared with.
    ``commit`` is the one that the workspace is taken from, whatever is checked out; the mode of
    ``spec`` is ``git`` then.
    """

    spec: Spec
    manifest: Manifest
    bundle: BundleLayout
    sandbox: Path
    data_root: Path
    environment: Mapping[str, str]
    ready: Callable[[], None] = lambda: None
    begun: Callable[[], object] = lambda: None
    code: CodeOrder | None = None
    commit: str | None = None
