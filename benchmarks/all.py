"""Runs every benchmark in a process of its own and writes what they found to RESULTS.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from machine import file_system, heading
from measuring import SIZES

HERE = Path(__file__).resolve().parent
BENCHMARKS = (
    "overhead.py",
    "flat.py",
    "parallel.py",
    "search_cost.py",
    "scale.py",
    "imports.py",
)


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
    folder = asked.folder or Path(os.environ.get("TMPDIR", "/tmp"))
    command = " ".join(["python", "benchmarks/all.py", *more])
    head = heading(
        "Results of the benchmarks",
        command,
        "What is compared was measured in turns, in the same run.",
        packages=("hermes-lab", "doit"),
        place=file_system(folder),
    )
    sections = [one(name, more) for name in BENCHMARKS]
    asked.out.write_text("\n".join([head, *sections]))


def one(name: str, more: list[str]) -> str:
    """Run one benchmark and return its section."""
    words = [sys.executable, str(HERE / name), *more]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
