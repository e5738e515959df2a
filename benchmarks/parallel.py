"""How much more two runs at a time get done than one, for commands that take a while."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import measuring
from measuring import Options, Section, note, ratios, spread
from subjects import TRIVIAL, a_lab, an_experiment

from hermes.lab import Lab
from hermes.modes.loop import Tally, iterate
from hermes.steps.opening import opened
from hermes.steps.session import Order

LEAST_TIMES = 1.8
_SLEEP_SECONDS = 0.2
_ONE, _TWO = "one at a time", "two at a time"


def run(options: Options) -> Section:
    """Make the same number of runs with one slot and with two, in turns."""
    rounds, runs = options.pick(7, 3, 1), options.pick(30, 20, 2)
    section = Section("Runs side by side")
    section.say(f"The command sleeps {_SLEEP_SECONDS} s; each turn makes {runs} runs.")
    note(f"parallel: {rounds} turns of {runs}")
    with options.workplace() as place:
        lab = a_lab(place)
        acts = {name: _acting(lab, name, slots, runs) for name, slots in ((_ONE, 1), (_TWO, 2))}
        taken = measuring.in_turns(acts, rounds, warm_up=0)
    gained = ratios(taken[_ONE], taken[_TWO])
    met = "met" if statistics.median(gained) >= LEAST_TIMES else "**missed**"
    section.table(
        ["Target", "measured", "at least", ""],
        [
            [
                "throughput of two over one",
                f"{statistics.median(gained):.2f} times",
                f"{LEAST_TIMES:g} times",
                met,
            ]
        ],
    )
    rows = [
        [f"{name}, runs a second", *spread([runs / t for t in times]).shown()]
        for name, times in taken.items()
    ]
    rows.append(["two over one", *spread(gained).shown()])
    section.table([f"{rounds} turns of {runs}", "least", "median", "most"], rows)
    return section


def _acting(lab: Lab, name: str, slots: int, runs: int) -> Callable[[], None]:
    experiment = an_experiment(
        lab, f"slots-{slots}", executor_command=f"sleep {_SLEEP_SECONDS}; {TRIVIAL}"
    )

    def act() -> None:
        order, tally = Order(attended=True, runs=runs, parallel=slots), Tally()
        with opened(lab, experiment, order) as session:
            assert session is not None
            iterate(session, tally, runs, on_run=lambda _: None)
        assert tally.successes == runs, name

    return act


if __name__ == "__main__":
    measuring.main(run)
