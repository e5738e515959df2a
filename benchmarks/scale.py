"""What commands take in a lab of 1,000 experiments with 100 runs each, beside an empty graph's."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import crowd
import measuring
from measuring import MS, Options, Section, Target, note, ratios, seconds, spread
from subjects import a_lab, an_experiment, doit_list, hermes

from hermes.lab import Lab

MOST_IDLE = 3.0
MOST_DUE = 4.0
_BELOW = "`doit list` of an empty `dodo.py`"
_BESIDE = "the same, beside the next"
_IDLE = {
    "`run_once`, nothing due": ("run_once",),
    "`status`": ("status",),
    "`status format=json`": ("status", "format=json"),
}
_MORE = {
    "`experiments`": ("experiments",),
    "`show exp=…`": ("show", f"exp={crowd.name_of(0)}"),
}
_DUE = "`run_once`, one due"


def run(options: Options) -> Section:
    """Make the crowd, then measure commands in turns with ``doit list``."""
    experiments, runs = options.pick(1_000, 200, 4), options.pick(100, 20, 2)
    section = Section(f"A lab of {experiments:,} experiments with {runs:,} runs each")
    with options.workplace() as place:
        lab = a_lab(place)
        root = lab.layout.root
        note(f"scale: making {experiments} experiments of {runs} runs")
        making = seconds(lambda: crowd.make(lab, experiments, runs, cadence="daily"))
        note(f"scale: made in {making:.0f} s; the first status projects all")
        first = seconds(hermes(root, "status"))
        section.say(
            "One experiment is run for real; the others are written as the lab would have written"
            " them under another id, with every digest and chain made anew"
            f" ({experiments * runs:,} bundles that pass `verify`).",
            f"The first `status` after that projects all of them: {first:.1f} s.",
            "All run once a day and have just run, so nothing is due until one more experiment,"
            f" also of {runs:,} runs, is added that is always due.",
        )
        _measure(section, place, lab, options, runs)
    return section


def _measure(section: Section, place: Path, lab: Lab, options: Options, runs: int) -> None:
    root, rounds = lab.layout.root, options.pick(15, 7, 1)
    below = doit_list(place)
    note(f"scale: {rounds} turns with nothing due")
    idle = {name: hermes(root, *words) for name, words in {**_IDLE, **_MORE}.items()}
    found = _compared({_BELOW: below, **idle}, rounds, options)
    crowd.run_for_real(lab, an_experiment(lab, "due"), runs)
    note(f"scale: {rounds} turns with one due")
    due = _compared({_BESIDE: below, _DUE: hermes(root, "run_once")}, rounds, options)
    limits = {**dict.fromkeys(_IDLE, MOST_IDLE), _DUE: MOST_DUE}
    measured = {**found, **due}
    section.targets(
        [
            Target(f"{name}, over `doit list`", statistics.median(measured[name][1]), most, "times")
            for name, most in limits.items()
        ]
    )
    section.table(
        [f"{rounds} turns", "least, ms", "median, ms", "most, ms", "over `doit list`"],
        [
            [name, *spread(taken).shown("{:.0f}"), f"{statistics.median(over):.2f}"]
            for name, (taken, over) in measured.items()
        ],
    )


def _compared(
    acts: Mapping[str, Callable[[], object]], rounds: int, options: Options
) -> dict[str, tuple[list[float], list[float]]]:
    """Return each act's milliseconds, and how many times those of the first one they are."""
    taken = measuring.in_turns(acts, rounds, warm_up=options.pick(2, 1, 0))
    return {
        name: ([value * MS for value in times], ratios(times, next(iter(taken.values()))))
        for name, times in taken.items()
    }


if __name__ == "__main__":
    measuring.main(run)
