"""Shows by simulation what acceptance lets in, what it keeps out, and what it costs.

Nothing is timed: the seeds are fixed, so the same code gives the same page on any machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import heading
from measuring import SIZES, Options, note
from verdicts import SECTIONS

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    asked = parser.parse_args()
    options = Options(asked.size, None)
    sections = []
    for make in SECTIONS:
        note(make.__name__.replace("_", " "))
        sections.append(make(options).body())
    head = heading(
        "Results of the acceptance benchmark",
        " ".join(["python", "benchmarks/acceptance/run.py", *sys.argv[1:]]),
        "All values are in units of sigma, the standard deviation of one measurement;"
        " `confidence` is 0.95.",
        packages=("hermes-lab",),
    )
    text = "\n".join([head, *sections])
    if asked.size == "full":
        (HERE / "RESULTS.md").write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
