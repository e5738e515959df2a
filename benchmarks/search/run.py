"""Compares the lab's strategies with each other and with the libraries, by what they find.

The raw figures are appended to ``raw.csv`` search by search, and a run makes only those that are
not there: it can be stopped at any time. The page is made of what is there at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: two searches share two cores
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from figures import Figures
from machine import heading
from measuring import SIZES, note
from methods import Method
from report import Account, page
from searching import CAMPAIGNS, METHODS, PROBLEMS, Broken, Campaign, available, searches
from standing import Standing

HERE = Path(__file__).resolve().parent
PACKAGES = ("hermes-lab", "numpy", "scikit-learn", "optuna", "cmaes", "torch", "nevergrad")
EVERY = 60.0
"""Seconds between two notes of how far it is."""


def main() -> None:
    """Do what the command line asks."""
    asked = _parser().parse_args()
    campaign = CAMPAIGNS[asked.size]
    if asked.problems:
        campaign = replace(campaign, problems=tuple(asked.problems))
    campaign = replace(campaign, first_seed=asked.first_seed)
    with _folder(asked) as folder:
        figures = Figures(folder / "raw.csv")
        figures.forget(lambda key: key.method in asked.redo)
        wanted = [METHODS[name] for name in asked.methods or METHODS]
        methods, missing = available(wanted)
        broken = make(figures, campaign, methods, asked.processes)
        text = _text(figures, campaign, methods, _troubles(missing, broken))
    if _is_kept(asked):
        (HERE / "RESULTS.md").write_text(text)
    else:
        print(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--folder", type=Path, help="where raw.csv is; else a temporary one")
    parser.add_argument("--methods", nargs="*", choices=METHODS, help="these only")
    parser.add_argument("--problems", nargs="*", choices=PROBLEMS, help="these only")
    parser.add_argument("--redo", nargs="*", default=[], choices=METHODS, help="search anew")
    parser.add_argument("--first-seed", type=int, default=0, help="others than those of the page")
    parser.add_argument("--processes", type=int, default=2)
    return parser


def _is_kept(asked: argparse.Namespace) -> bool:
    """Say whether the page and the raw figures beside this file are made of what is found."""
    return asked.folder is None and asked.size == "full" and asked.first_seed == 0


@contextlib.contextmanager
def _folder(asked: argparse.Namespace) -> Iterator[Path]:
    """Give the folder of the raw figures: those of the full size stand beside this file."""
    if asked.folder is not None:
        asked.folder.mkdir(parents=True, exist_ok=True)
        yield asked.folder
    elif _is_kept(asked):
        yield HERE
    else:
        with tempfile.TemporaryDirectory(prefix="hermes-benchmark-") as folder:
            yield Path(folder)


def make(
    figures: Figures, campaign: Campaign, methods: Sequence[Method], processes: int
) -> list[Broken]:
    """Make the searches that are missing; return those that ended in an error."""
    keys = [key for key in campaign.keys(methods) if key not in figures.searches]
    note(f"{len(keys)} searches to make, {len(figures.searches)} are there")
    broken = []
    began = told = time.monotonic()
    for done, search in enumerate(searches(keys, campaign.budgets, processes), 1):
        if isinstance(search, Broken):
            broken.append(search)
        else:
            figures.add(search)
        if time.monotonic() > told + EVERY:
            told = time.monotonic()
            left = (told - began) / done * (len(keys) - done)
            note(f"{done} of {len(keys)}; about {left / 60:.0f} minutes left")
    note(f"made in {(time.monotonic() - began) / 60:.1f} minutes")
    figures.forget(lambda key: False)  # noqa: ARG005  puts them in order
    return broken


def _troubles(missing: Mapping[str, str], broken: Sequence[Broken]) -> list[str]:
    """Say which methods are left out and which searches ended in an error, and why."""
    said = [f"`{name}` is left out: {why}" for name, why in missing.items()]
    groups = Counter((f"`{b.key.method}` on {b.key.problem}", b.error) for b in broken)
    said += [
        f"{where}: {count} searches ended in an error of its own and count for nothing: {error}"
        for (where, error), count in sorted(groups.items())
    ]
    for line in said:
        note(line)
    return said


def _text(
    figures: Figures, campaign: Campaign, methods: Sequence[Method], troubles: Sequence[str]
) -> str:
    wanted = set(campaign.keys(methods))
    chosen = [search for key, search in figures.searches.items() if key in wanted]
    problems = {name: PROBLEMS[name] for name in campaign.problems}
    command = " ".join(["python", "benchmarks/search/run.py", *sys.argv[1:]])
    head = heading(
        "Results of the search benchmark",
        command,
        "The raw figures are in `raw.csv` beside it.",
        packages=filter(_installed, PACKAGES),
    )
    account = Account(Standing(chosen, problems), campaign, methods, troubles)
    return f"{head}\n{page(account)}"


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
