"""What an iteration costs over its bare command, and over the floor of writing the same files."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import measuring
from floor import Floor, bare, specimen
from measuring import MS, Options, Section, Target, note, ratios, seconds, spread
from phases import watched
from subjects import TRIVIAL, a_lab, an_experiment, hermes

from hermes.model import IndexLine
from hermes.modes.loop import Tally, iterate
from hermes.steps.session import Order, Session, opened

MOST_OVER_BARE_MS = 4.0
MOST_OVER_FLOOR = 1.6
_MANY = 1_000_000


def run(options: Options) -> Section:
    """Measure in process in turns, then the whole command, then phase by phase."""
    section = Section("The cost of an iteration")
    section.say(
        f"The command is `{TRIVIAL}`; the strategy is `random` with two parameters, which are"
        " merged into a file of a copied workspace.",
        "*Bare* is `subprocess.run` of the same command.",
        "*Floor* runs it and writes the same files with the same bytes by the plainest means:"
        " each file and folder synced by itself, the plan before the command starts, each rename"
        " synced in both folders, then a line in an index and one in a ledger.",
    )
    with options.workplace() as place:
        lab = a_lab(place)
        name = an_experiment(lab, "trivial")
        order = Order(attended=True, runs=_MANY)
        with opened(lab, name, order) as session:
            assert session is not None
            _in_process(section, session, place, options)
            _by_phase(section, session, options)
        _whole_command(section, lab.layout.root, name, options)
    return section


# In one process


@dataclass(frozen=True)
class Turn:
    """One batch of each kind: seconds of its median iteration."""

    lab: float
    bare: float
    floor: float


def _in_process(section: Section, session: Session, place: Path, options: Options) -> None:
    rounds, batch = options.pick(31, 9, 2), options.pick(40, 20, 2)
    note(f"overhead: {rounds} turns of {batch} iterations")
    tally = Tally()
    iterate(session, tally, batch, on_run=lambda _: None)  # warms up
    floor = Floor(place / "floor", TRIVIAL, specimen(session))
    turns = [_turn(session, tally, floor, batch, number) for number in range(rounds)]
    lab, bare_, flat = ([getattr(turn, k) for turn in turns] for k in ("lab", "bare", "floor"))
    over = [one - other for one, other in zip(lab, bare_, strict=True)]
    section.targets(
        [
            Target("over the bare command", statistics.median(over) * MS, MOST_OVER_BARE_MS, "ms"),
            Target(
                "over the floor", statistics.median(ratios(lab, flat)), MOST_OVER_FLOOR, "times"
            ),
        ]
    )
    rows = [
        ["an iteration of the lab, ms", *spread([value * MS for value in lab]).shown()],
        ["the bare command, ms", *spread([value * MS for value in bare_]).shown()],
        ["the floor, ms", *spread([value * MS for value in flat]).shown()],
        ["lab - bare, ms", *spread([value * MS for value in over]).shown()],
        ["lab / floor", *spread(ratios(lab, flat)).shown()],
    ]
    section.table([f"{rounds} turns of {batch}", "least", "median", "most"], rows)
    assert tally.successes == tally.runs == session.state.success_count


def _turn(session: Session, tally: Tally, floor: Floor, batch: int, number: int) -> Turn:
    """Measure a batch of each kind, in an order that changes."""
    kinds: list[tuple[str, Callable[[], float]]] = [
        ("lab", lambda: statistics.median(iterations(session, tally, batch))),
        ("bare", lambda: statistics.median(seconds(_bare) for _ in range(batch))),
        ("floor", lambda: statistics.median(seconds(floor) for _ in range(batch))),
    ]
    shift = number % len(kinds)
    return Turn(**{name: measure() for name, measure in [*kinds[shift:], *kinds[:shift]]})


def _bare() -> None:
    bare(TRIVIAL)


def iterations(session: Session, tally: Tally, count: int) -> list[float]:
    """Make iterations as every mode does; return the seconds of each."""
    ends = [time.perf_counter()]

    def on_run(_: IndexLine) -> None:
        ends.append(time.perf_counter())

    iterate(session, tally, count, on_run=on_run)
    return [end - begin for begin, end in itertools.pairwise(ends)]


# Where it goes


def _by_phase(section: Section, session: Session, options: Options) -> None:
    count = options.pick(400, 100, 2)
    with watched() as phases:
        iterate(session, Tally(), count, on_run=lambda _: phases.end_iteration())
    rows = [
        ["&nbsp;" * 4 * depth + name, f"{taken * MS:.3f}"] for depth, name, taken in phases.rows()
    ]
    section.say(f"Where the time goes, in ms (medians of {count} iterations, the clocks included):")
    section.table(["Phase", "ms"], rows)


# The whole command


def _whole_command(section: Section, root: Path, name: str, options: Options) -> None:
    rounds, few, many = options.pick(7, 3, 1), options.pick(10, 10, 2), options.pick(210, 110, 4)
    note(f"overhead: {rounds} whole commands of {many}")
    acts = {
        "few": hermes(root, "burst", f"exp={name}", f"n={few}"),
        "many": hermes(root, "burst", f"exp={name}", f"n={many}"),
        "bare": lambda: [bare(TRIVIAL) for _ in range(many)],
    }
    taken = measuring.in_turns(acts, rounds, warm_up=0)
    each = [value / many * MS for value in taken["many"]]
    further = [
        (more - less) / (many - few) * MS
        for more, less in zip(taken["many"], taken["few"], strict=True)
    ]
    plain = [value / many * MS for value in taken["bare"]]
    section.say(
        f"The same through `hermes-lab burst exp={name} n={many}`, projections included;"
        f" the start of the command is what `n={few}` takes beyond its iterations."
    )
    rows = [
        [f"the command, by {many}, ms", *spread(each).shown()],
        [f"each iteration beyond the first {few}, ms", *spread(further).shown()],
        [f"{many} bare commands, by {many}, ms", *spread(plain).shown()],
    ]
    section.table([f"{rounds} turns", "least", "median", "most"], rows)


if __name__ == "__main__":
    measuring.main(run)
