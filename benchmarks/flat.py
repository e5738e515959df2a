"""Whether an iteration costs the same however long the history is: 20,000 of one experiment."""

from __future__ import annotations

import statistics
from pathlib import Path

import measuring
from measuring import MS, Options, Section, Target, note, ratios, resident_mib, spread
from overhead import iterations
from subjects import a_lab, an_experiment, hermes

from hermes.lab import Lab
from hermes.modes.loop import Tally
from hermes.steps.opening import opened
from hermes.steps.project import project, project_lab
from hermes.steps.session import Order, Session

MOST_GROWTH = 1.1
MOST_MEMORY_MIB = 20.0
_OLD, _NEW = "old", "new"


def run(options: Options) -> Section:
    """Make one long history in one process, then compare it with a new one in turns."""
    many, part = options.pick(20_000, 1_000, 20), options.pick(1_000, 100, 5)
    section = Section("An iteration stays as cheap as the first")
    section.say(
        f"One process makes {many:,} iterations of one experiment, projections included.",
        f"Its first {part:,} are compared with its last {part:,}, the first one left out.",
        "The machine may have changed meanwhile, so a new experiment is then compared with the"
        " old one in turns.",
    )
    with options.workplace() as place:
        lab = a_lab(place)
        for name in (_OLD, _NEW):
            an_experiment(lab, name)
        found = _long_history(section, lab, many, part)
        section.targets([*found, _old_and_new(section, lab, options)])
        for name in (_OLD, _NEW):
            project(lab, name)
        project_lab(lab)
        _starts(section, lab.layout.root, many, options)
    return section


def _long_history(section: Section, lab: Lab, many: int, part: int) -> list[Target]:
    note(f"flat: {many} iterations")
    order, tally = Order(attended=True, runs=many), Tally()
    with opened(lab, _OLD, order) as session:
        assert session is not None
        taken = iterations(session, tally, part)
        before = resident_mib()
        taken += iterations(session, tally, many - part)
        after = resident_mib()
    assert tally.successes == many
    first, last = taken[1:part], taken[-part:]
    mean, median = (
        measure(last) / measure(first) for measure in (statistics.fmean, statistics.median)
    )
    tenth = max(1, many // 10)
    rows = [
        [f"{start + 1:,} to {start + tenth:,}", *_row(taken[start : start + tenth])]
        for start in range(0, many, tenth)
    ]
    section.say(f"Resident memory: {before:.1f} MiB after {part:,}, {after:.1f} MiB at the end.")
    section.table(["Iterations", "median, ms", "mean, ms"], rows)
    return [
        Target(f"last {part:,} over first {part:,}, all in all", mean, MOST_GROWTH, "times"),
        Target("the same by medians", median, MOST_GROWTH, "times"),
        Target(f"growth of memory after {part:,}", after - before, MOST_MEMORY_MIB, "MiB"),
    ]


def _row(taken: list[float]) -> list[str]:
    return [f"{measure(taken) * MS:.2f}" for measure in (statistics.median, statistics.fmean)]


def _old_and_new(section: Section, lab: Lab, options: Options) -> Target:
    rounds, batch = options.pick(20, 10, 2), options.pick(50, 10, 2)
    note(f"flat: {rounds} turns of {batch} of the old and of a new one")
    order = Order(attended=True, runs=rounds * batch)
    with opened(lab, _OLD, order) as old, opened(lab, _NEW, order) as new:
        assert old is not None
        assert new is not None
        for session in (old, new):
            iterations(session, Tally(), 2)
        turns = [_turn(old, new, batch, number) for number in range(rounds)]
    compared = spread(ratios(*zip(*turns, strict=True)))
    section.table(
        [f"{rounds} turns of {batch}, by medians", "least", "median", "most"],
        [["an iteration of the old one / of the new one", *compared.shown()]],
    )
    return Target("old over new, in turns", compared.median, MOST_GROWTH, "times")


def _turn(old: Session, new: Session, batch: int, number: int) -> tuple[float, float]:
    sessions = [(0, old), (1, new)]
    taken = [0.0, 0.0]
    for place, session in sessions if number % 2 else reversed(sessions):
        taken[place] = statistics.median(iterations(session, Tally(), batch))
    return taken[0], taken[1]


def _starts(section: Section, root: Path, many: int, options: Options) -> None:
    """Measure what a command takes to start on each."""
    rounds = options.pick(9, 5, 1)
    note(f"flat: {rounds} bursts of one")
    acts = {
        f"`burst exp={name} n=1`, {name} history": hermes(root, "burst", f"exp={name}", "n=1")
        for name in (_OLD, _NEW)
    }
    acts["`status`"] = hermes(root, "status")
    taken = measuring.in_turns(acts, rounds, warm_up=options.pick(1, 1, 0))
    rows = [
        [name, *spread([t * MS for t in times]).shown("{:.0f}")] for name, times in taken.items()
    ]
    section.say(f"The old history has {many:,} runs and some more.")
    section.table(["Whole commands, ms", "least", "median", "most"], rows)


if __name__ == "__main__":
    measuring.main(run)
