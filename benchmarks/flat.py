"""Whether an iteration costs the same however long the history is: 20,000 of one experiment."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import measuring
from measuring import MS, Options, Section, Spread, Target, note, ratios, resident_mib, spread
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
        note(f"flat: {many} iterations")
        history = long_history(lab, _OLD, many, part)
        _grown(section, history)
        compared = in_turns(lab, _OLD, _NEW, options)
        section.targets([*_targets(history), turns_target(compared)])
        section.table(
            [f"{turns_shown(options)}, by medians", "least", "median", "most"],
            [["an iteration of the old one / of the new one", *compared.shown()]],
        )
        for name in (_OLD, _NEW):
            project(lab, name)
        project_lab(lab)
        _starts(section, lab.layout.root, many, options)
    return section


@dataclass(frozen=True)
class LongHistory:
    """The seconds of each iteration, and the memory after the first ``part`` and at the end."""

    taken: Sequence[float]
    part: int
    before_mib: float
    after_mib: float

    @property
    def first(self) -> Sequence[float]:
        """The first ``part`` but for the very first, which makes what the others find."""
        return self.taken[1 : self.part]

    @property
    def last(self) -> Sequence[float]:
        """The last ``part``."""
        return self.taken[-self.part :]

    def target(self, label: str = "") -> Target:
        """Return what flatness asks for, all in all."""
        grown = statistics.fmean(self.last) / statistics.fmean(self.first)
        what = f"{label}last {self.part:,} over first {self.part:,}, all in all"
        return Target(what, grown, MOST_GROWTH, "times")


def long_history(lab: Lab, name: str, many: int, part: int) -> LongHistory:
    """Make ``many`` iterations of one experiment in this process, which all succeed."""
    order, tally = Order(attended=True, runs=many), Tally()
    with opened(lab, name, order) as session:
        assert session is not None
        taken = iterations(session, tally, part)
        before = resident_mib()
        taken += iterations(session, tally, many - part)
        after = resident_mib()
    assert tally.successes == many
    return LongHistory(taken, part, before, after)


def _grown(section: Section, history: LongHistory) -> None:
    taken, part = history.taken, history.part
    tenth = max(1, len(taken) // 10)
    rows = [
        [f"{start + 1:,} to {start + tenth:,}", *_row(taken[start : start + tenth])]
        for start in range(0, len(taken), tenth)
    ]
    section.say(
        f"Resident memory: {history.before_mib:.1f} MiB after {part:,},"
        f" {history.after_mib:.1f} MiB at the end."
    )
    section.table(["Iterations", "median, ms", "mean, ms"], rows)


def _targets(history: LongHistory) -> list[Target]:
    medians = statistics.median(history.last) / statistics.median(history.first)
    grown = history.after_mib - history.before_mib
    return [
        history.target(),
        Target("the same by medians", medians, MOST_GROWTH, "times"),
        Target(f"growth of memory after {history.part:,}", grown, MOST_MEMORY_MIB, "MiB"),
    ]


def _row(taken: Sequence[float]) -> list[str]:
    return [f"{measure(taken) * MS:.2f}" for measure in (statistics.median, statistics.fmean)]


def _turns(options: Options) -> tuple[int, int]:
    return options.pick(20, 10, 2), options.pick(50, 10, 2)


def turns_shown(options: Options) -> str:
    """Say how many turns are made, of how many iterations each."""
    rounds, batch = _turns(options)
    return f"{rounds} turns of {batch}"


def turns_target(compared: Spread, label: str = "") -> Target:
    """Return what flatness asks for when an old and a new experiment take turns."""
    return Target(f"{label}old over new, in turns", compared.median, MOST_GROWTH, "times")


def in_turns(lab: Lab, old_name: str, new_name: str, options: Options) -> Spread:
    """Compare an iteration of an old experiment with one of a new one, in turns."""
    rounds, batch = _turns(options)
    note(f"{rounds} turns of {batch} of {old_name} and of {new_name}")
    order = Order(attended=True, runs=rounds * batch)
    with opened(lab, old_name, order) as old, opened(lab, new_name, order) as new:
        assert old is not None
        assert new is not None
        for session in (old, new):
            iterations(session, Tally(), 2)
        turns = [_turn(old, new, batch, number) for number in range(rounds)]
    return spread(ratios(*zip(*turns, strict=True)))


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
