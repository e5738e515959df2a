"""What a run's record says of its workspace and its cost, in words; for files and terminals."""

from __future__ import annotations

from collections.abc import Mapping

from hermes.model import Json, Usage
from hermes.render.text import clip, duration, size

_REVISION = 12


def workspace(facts: Mapping[str, Json]) -> str:
    """Return what a run's workspace was made from, in words; "" when that is not recorded."""
    mode, revision = facts.get("mode"), facts.get("git_revision")
    if not isinstance(mode, str):
        return ""
    told = f"mode {clip(mode, 20)}"
    if isinstance(revision, str):
        told += f", revision {clip(revision[:_REVISION], _REVISION)}"
    if facts.get("git_dirty") is not True:
        return told
    if mode == "git":
        return f"{told}; the workspace had changes that were not part of the run"
    return f"{told} with changes that were not committed"


def usage(spent: Usage) -> str:
    """Return what a run cost, in words."""
    return (
        f"{duration(spent.wall_seconds)} of wall time, {duration(spent.cpu_seconds)} of CPU time, "
        f"{size(spent.peak_memory_bytes)} of memory at its peak"
    )
