"""Runs every benchmark in a process of its own and writes what they found to RESULTS.md."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from measuring import SIZES

HERE = Path(__file__).resolve().parent
BENCHMARKS = ("overhead.py", "flat.py", "parallel.py", "scale.py", "imports.py")


def main() -> None:
    """Run them all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--folder", type=Path, help="where to make what is measured")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    asked = parser.parse_args()
    more = ["--size", asked.size] if asked.size != "full" else []
    if asked.folder is not None:
        more += ["--folder", str(asked.folder)]
    head = heading(asked.folder or Path(os.environ.get("TMPDIR", "/tmp")), more)
    sections = [one(name, more) for name in BENCHMARKS]
    asked.out.write_text("\n".join([head, *sections]))


def heading(folder: Path, more: list[str]) -> str:
    """Return the page's beginning: how it was made, and where."""
    command = " ".join(["python", "benchmarks/all.py", *more])
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("hermes-lab", "doit"))
    lines = [
        "# Results of the benchmarks",
        "",
        f"Made by `{command}`; do not edit.",
        "What is compared was measured in turns, in the same run.",
        "",
        f"- Processor: {_processor()}, {os.cpu_count()} cores",
        f"- Load at the start: {os.getloadavg()[0]:.2f}",
        f"- System: {platform.system()} {platform.release()}, {_file_system(folder)}",
        f"- Python {platform.python_version()}, {versions}",
        "",
    ]
    return "\n".join(lines)


def one(name: str, more: list[str]) -> str:
    """Run one benchmark and return its section."""
    words = [sys.executable, str(HERE / name), *more]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor() or platform.machine())


def _file_system(folder: Path) -> str:
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


if __name__ == "__main__":
    main()
