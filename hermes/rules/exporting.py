"""When results are handed to other tools: export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hermes.cli import console
from hermes.rules.asked import asked
from hermes.rules.view import view


def task_export() -> dict[str, Any]:
    """Write an experiment's results in the form of other tools."""
    return asked("export", export)


def export() -> None:
    """Write the kept changes as patches, and say how git takes them."""
    from hermes.steps.export import export_patches

    experiment, out = view().need("exp", str), view().need("out", Path)
    written = export_patches(view().lab, experiment, out)
    console.say(f"Wrote {len(written)} patch(es) to {out}.")
    console.say(f"Next: git am --keep-cr {out}/*.patch")
