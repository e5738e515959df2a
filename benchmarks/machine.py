"""The head of a page of results: how it was made, and on which machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def heading(title: str, command: str, how: str, *, packages: Iterable[str], place: str = "") -> str:
    """Return the page's beginning; ``place`` is the file system that mattered, if one did."""
    system = f"{platform.system()} {platform.release()}"
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    lines = [
        f"# {title}",
        "",
        f"Made by `{command}`; do not edit.",
        how,
        "",
        f"- Processor: {_processor()}, {os.cpu_count()} cores",
        f"- Load at the start: {os.getloadavg()[0]:.2f}",
        f"- System: {', '.join(filter(None, (system, place)))}",
        f"- Python {platform.python_version()}, {versions}",
        "",
    ]
    return "\n".join(lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor() or platform.machine())


def file_system(folder: Path) -> str:
    """Return the type of the file system that ``folder`` lies on, by the longest mount point."""
    try:
        mounts = [line.split()[1:4] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown file system"
    real = str(folder.resolve())
    fitting = [m for m in mounts if f"{real}/".startswith(f"{m[0].rstrip('/')}/")]
    place = max(fitting, key=lambda m: len(m[0]))
    journal = _journal(place[0]) if place[1] == "ext4" else ""
    return f"{place[1]}{journal}"


def _journal(mount_point: str) -> str:
    """Say whether an ext4 has a journal, where the kernel tells."""
    device = os.path.basename(_device(mount_point))
    if not Path(f"/proc/fs/ext4/{device}").is_dir():
        return ""
    journals = Path("/proc/fs/jbd2")
    has = journals.is_dir() and any(p.name.startswith(f"{device}-") for p in journals.iterdir())
    return " with a journal" if has else " without a journal"


def _device(mount_point: str) -> str:
    lines = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next(line[0] for line in lines if line[1] == mount_point)
