"""What the benchmark asks of acceptance: each question a section of the page."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from climbs import FEW_GAINS, NO_GAINS, Climb, Landscape, climb, shrinking
from measuring import Options, Section
from noises import NOISES
from weighed import Judge, OnceBetter, Shares, Weighing, alike, nulls

from hermes.spec import Acceptance

REPEATS = (2, 3, 5, 10)
USUAL = 5
GAINS = (-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0)
MOST_NULLS = 0.05
FEWEST_GREAT = 0.95


def in_a_row(options: Options) -> int:
    """Return how many candidates follow each other."""
    return options.pick(full=200, quick=200, tiny=20)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def met(reached: bool) -> str:
    return "met" if reached else "**missed**"


def rule(repeats: int, **more: float) -> Weighing:
    return Weighing(Acceptance(repeats=repeats, **more))


# Who judges

JUDGES: dict[str, Callable[[], Judge]] = {
    "repeats 5": lambda: rule(5),
    "repeats 3": lambda: rule(3),
    "contrast: repeats 1": lambda: rule(1),
    "contrast: repeats 1, min_improvement 4": lambda: rule(1, min_improvement=4.0),
    "contrast: better once, side by side": OnceBetter,
}


# Candidates that change nothing


@dataclass(frozen=True)
class Nulls:
    """A row: who judges such candidates, in which noise; a contrast has no target to meet."""

    name: str
    make: Callable[[], Judge]
    noise: str = "normal"
    luck: float = 0.0
    is_contrast: bool = False


def kept_out(options: Options) -> Section:
    """Say how many of 200 candidates that change nothing are accepted."""
    times, count = options.pick(full=40, quick=5, tiny=1), in_a_row(options)
    section = Section("Candidates that change nothing")
    section.say(
        f"{count} candidates in a row whose true value is the incumbent's;"
        f" an accepted one is the next incumbent. {times} times over.",
        "With a lucky (unlucky) record, the incumbent's recorded samples are two sigma better"
        " (worse) than the truth.",
        f"The target is at most {percent(MOST_NULLS)} in the median;"
        " the worst of all repetitions is shown beside it.",
        "*Cost* is the mean number of measurements that a candidate took, of both codes together.",
    )
    target = f"at most {percent(MOST_NULLS)}"
    section.table(
        ["Rule and noise", "median accepted", "mean", "worst", "cost", target],
        [_nulls_row(row, times, count) for row in _nulls()],
    )
    return section


def _nulls() -> Iterator[Nulls]:
    for repeats in REPEATS:
        yield Nulls(f"repeats {repeats}, normal", partial(rule, repeats))
    for kind in NOISES:
        if kind != "normal":
            yield Nulls(f"repeats {USUAL}, {kind}", partial(rule, USUAL), kind)
    yield Nulls(f"repeats {USUAL}, lucky record", partial(rule, USUAL), luck=2.0)
    yield Nulls(f"repeats {USUAL}, unlucky record", partial(rule, USUAL), luck=-2.0)
    for name in ("contrast: repeats 1", "contrast: better once, side by side"):
        yield Nulls(f"{name}, normal", JUDGES[name], is_contrast=True)


def _nulls_row(row: Nulls, times: int, count: int) -> list[str]:
    found = [
        nulls(row.make(), row.noise, count, f"{row.name} {time}", luck=row.luck)
        for time in range(times)
    ]
    shares = [each.accepted for each in found]
    middle = statistics.median(shares)
    figures = (percent(value) for value in (middle, statistics.fmean(shares), max(shares)))
    reached = "" if row.is_contrast else met(middle <= MOST_NULLS)
    return [row.name, *figures, f"{_cost(found):.1f}", reached]


def _cost(found: list[Shares]) -> float:
    return statistics.fmean(each.measurements for each in found)


# Candidates of a true gain


def let_in(options: Options) -> Section:
    """Say how many candidates of each true gain are accepted, and for how many measurements."""
    count = options.pick(full=500, quick=100, tiny=10)
    section = Section("Candidates of a true gain")
    section.say(
        f"{count} candidates each, against an incumbent with a fresh record.",
        "Each cell has the share that is accepted, and the mean number of measurements that it"
        " took, of both codes together.",
        f"The target is {percent(FEWEST_GREAT)} at a gain of 3 sigma with normal noise.",
    )
    normal = [(f"repeats {n}, normal", rule(n), "normal") for n in REPEATS]
    capped = [
        (f"repeats {n} = max_repeats, normal", rule(n, max_repeats=n), "normal") for n in (5, 10)
    ]
    others = [(f"repeats {USUAL}, {k}", rule(USUAL), k) for k in NOISES if k != "normal"]
    rows, last = [], {}
    for name, judge, kind in normal + capped + others:
        found = [alike(judge, kind, gain, count, f"{name} {gain}") for gain in GAINS]
        last[name] = found[-1].accepted
        rows.append([name, *(f"{percent(f.accepted)} / {f.measurements:.1f}" for f in found)])
    section.table(["Rule and noise", *(f"{gain:+g} sigma" for gain in GAINS)], rows)
    section.table(
        ["At 3 sigma", "accepted", f"at least {percent(FEWEST_GREAT)}"],
        [[n, percent(last[n]), met(last[n] >= FEWEST_GREAT)] for n, _, _ in normal],
    )
    return section


# A climb


def climbing(options: Options) -> Section:
    """Say where a climb of many iterations ends truly, by each rule."""
    times, count = options.pick(full=20, quick=3, tiny=1), in_a_row(options)
    section = Section(f"A climb of {count} iterations")
    section.say(
        "Each candidate is made from the incumbent of the moment, so a wrong verdict is inherited.",
        f"{times} climbs each, on the same candidates; true values, from 0.",
        "*Fall* is the deepest that a climb was below an earlier true value of its own, the worst"
        " of all; *harmful* the share of the accepted that were truly worse; *luck* by how much"
        " the record at the end is better than the truth.",
        "`repeats: 1` is the lab's own rule where nothing is repeated: better once than the"
        " record.",
    )
    for landscape, kind in (
        (FEW_GAINS, "normal"),
        (FEW_GAINS, "heavy-tailed"),
        (NO_GAINS, "normal"),
    ):
        _climbs(section, landscape, kind, times, count)
    return section


def _climbs(section: Section, landscape: Landscape, kind: str, times: int, count: int) -> None:
    found = {
        name: [climb(make(), landscape, kind, count, str(time)) for time in range(times)]
        for name, make in JUDGES.items()
    }
    offered = statistics.median(each.offered for each in next(iter(found.values())))
    section.say(
        f"**{landscape.name.capitalize()}, {kind} noise**: {landscape.worse:.0%} of the candidates"
        f" are worse, by up to {landscape.worst:g}, {landscape.better:.0%} are better, by up to"
        f" {landscape.best:g}, and the others change nothing;"
        f" all gains together are {offered:.1f}.",
    )
    head = [
        "Rule",
        *(f"after {n}" for n in _marks(count)),
        "worst end",
        "fall",
        "harmful",
        "luck",
        "cost",
    ]
    section.table(head, [_climb_row(name, climbs, count) for name, climbs in found.items()])


def _marks(count: int) -> tuple[int, ...]:
    return tuple(count * quarter // 4 for quarter in range(1, 5))


def _climb_row(name: str, climbs: list[Climb], count: int) -> list[str]:
    ways = [statistics.median(each.values[mark - 1] for each in climbs) for mark in _marks(count)]
    accepted = sum(each.accepted for each in climbs)
    harmful = sum(each.harmful for each in climbs) / accepted if accepted else 0.0
    return [
        name,
        *(f"{value:+.1f}" for value in ways),
        f"{min(each.end for each in climbs):+.1f}",
        f"{max(each.fall for each in climbs):.1f}",
        percent(harmful),
        f"{statistics.median(each.luck for each in climbs):+.1f}",
        f"{statistics.fmean(each.measurements for each in climbs) / count:.1f}",
    ]


# Less code


def shorter(options: Options) -> Section:
    """Say how far ever shorter code leads downhill."""
    times, count = options.pick(full=20, quick=3, tiny=1), in_a_row(options)
    section = Section("Ever shorter code that is a little worse")
    section.say(
        f"{count} candidates in a row, each a line shorter than the incumbent and truly worse"
        f" by the same loss, with `min_improvement: 1` and `repeats: {USUAL}`; {times} times over.",
        "The true value at the end, from 0: the lab lets all ties since the last win cede no more"
        " than `min_improvement` together.",
        "What goes beyond that are errors of single decisions, as `confidence` leaves them.",
        "The contrast lets each tie cede as much anew.",
    )
    rows = [_shorter_row(loss, times, count) for loss in (0.0, 0.1, 0.2, 0.5)]
    head = [
        "Loss of each",
        "median",
        "worst",
        "contrast: median",
        "contrast: worst",
        "median at least -1",
    ]
    section.table(head, rows)
    return section


def _shorter_row(loss: float, times: int, count: int) -> list[str]:
    ends = {
        anew: [
            shrinking(rule(USUAL, min_improvement=1.0), loss, count, f"{loss} {time}", anew=anew)
            for time in range(times)
        ]
        for anew in (False, True)
    }
    figures = [f"{pick(found):.1f}" for found in ends.values() for pick in (statistics.median, min)]
    return [f"{loss:g}", *figures, met(statistics.median(ends[False]) >= -1.0)]


SECTIONS = (kept_out, let_in, climbing, shorter)
