"""What an iteration costs over its bare command, and over the floor of writing the same files."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import measuring
from floor import Floor, bare, specimen
from measuring import MS, Options, Section, Target, note, ratios, seconds, spread
from phases import watched
from subjects import TRIVIAL, a_lab, an_experiment, hermes

from hermes.model import IndexLine
from hermes.modes.loop import Tally, iterate
from hermes.steps.opening import opened
from hermes.steps.session import Order, Session

MOST_OVER_BARE_MS = 4.0
MOST_OVER_FLOOR = 1.6
_MANY = 1_000_000
_LAB, _BARE, _LEAST, _STEPS = "the lab", "the bare command", "the floor", "the floor in steps"


def run(options: Options) -> Section:
    """Measure in process in turns, then the whole command, then phase by phase."""
    section = Section("The cost of an iteration")
    section.say(
        f"The command is `{TRIVIAL}`; the strategy is `random` with two parameters, which are"
        " merged into a file of a copied workspace.",
        "*Bare* is `subprocess.run` of the same command.",
        "*The floor* runs it and durably writes the files of a bundle with the same bytes, by the"
        " plainest means: each file is synced, then their folder, then a line goes into an index.",
        "*In steps* it also keeps the lab's order: the plan is durable before the command starts,"
        " the folder is renamed into history and both places are synced, a ledger gets a line.",
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


def _in_process(section: Section, session: Session, place: Path, options: Options) -> None:
    rounds, batch = options.pick(32, 8, 2), options.pick(40, 20, 2)
    note(f"overhead: {rounds} turns of {batch} iterations")
    tally = Tally()
    iterate(session, tally, batch, on_run=lambda _: None)  # warms up
    floor = Floor(place / "floor", TRIVIAL, specimen(session))
    kinds: dict[str, Callable[[], list[float]]] = {
        _LAB: lambda: iterations(session, tally, batch),
        _BARE: lambda: [seconds(_bare) for _ in range(batch)],
        _LEAST: lambda: [seconds(floor.least) for _ in range(batch)],
        _STEPS: lambda: [seconds(floor.in_steps) for _ in range(batch)],
    }
    taken = _taken(kinds, rounds)
    over = [(one - other) * MS for one, other in zip(taken[_LAB], taken[_BARE], strict=True)]
    times = {name: ratios(taken[_LAB], taken[name]) for name in (_LEAST, _STEPS)}
    section.targets(
        [
            Target("over the bare command", statistics.median(over), MOST_OVER_BARE_MS, "ms"),
            *(
                Target(f"over {name}", statistics.median(found), MOST_OVER_FLOOR, "times")
                for name, found in times.items()
            ),
        ]
    )
    rows = [
        *([f"{name}, ms", *spread([t * MS for t in taken[name]]).shown()] for name in kinds),
        ["lab - bare, ms", *spread(over).shown()],
        *([f"lab / {name}", *spread(found).shown()] for name, found in times.items()),
    ]
    section.table([f"{rounds} turns of {batch}", "least", "median", "most"], rows)
    assert tally.successes == tally.runs == session.state.success_count


def _taken(kinds: dict[str, Callable[[], list[float]]], rounds: int) -> dict[str, list[float]]:
    """Measure a batch of each kind in an order that changes; return the median of each batch."""
    names = list(kinds)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in [*names[shift:], *names[:shift]]:
            taken[name].append(statistics.median(kinds[name]()))
    return taken


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
