"""The figures of a campaign as a page: who leads, who holds against whom, and each problem."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measuring import Section, Target
from methods import Method
from searching import Campaign
from standing import SMALL, Standing, place

SAME = (("bayesian", "optuna-tpe"), ("evolution", "nevergrad-cma"))
"""A strategy of the lab's, and what it is made of."""
DUELS = (
    ("perturb", "random"),
    ("tree", "random"),
    *SAME,
    ("swarm-adaptive", "swarm-rotation"),
)
ABSENT = "-"


@dataclass(frozen=True)
class Account:
    """What is reported: the figures, what was meant to be done, and what could not be."""

    standing: Standing
    campaign: Campaign
    methods: Sequence[Method]
    troubles: Sequence[str]


def page(account: Account) -> str:
    """Return the page without its heading."""
    sections = [setting(account), lead(account), duels(account), targets(account)]
    told = [section for section in [*sections, each_problem(account)] if section.parts]
    return "\n".join(section.body() for section in told)


def setting(account: Account) -> Section:
    """Say what was run, and where it is not what one would expect."""
    campaign, section = account.campaign, Section("What was run")
    budgets = ", ".join(map(str, campaign.budgets))
    section.say(
        f"Each method searches each function with {campaign.function_seeds} seeds and each task"
        f" with {campaign.task_seeds}, for budgets of {budgets} trials, one trial at a time.",
        "A seed decides where a function's optimum lies (Rosenbrock, Branin and Hartmann stand"
        " still) and how a task's data is split, for all methods alike.",
        "What is found is the value of the point with the best measured value; on the noisy"
        " function it is that point's value without the noise.",
        "The lab's strategies are made, asked and told as a session does it, with nothing run in"
        " between.",
    )
    if caveats := _caveats(account):
        section.say(*caveats)
    section.say(*(f"- `{method.name}`: {method.about}." for method in account.methods))
    problems = account.standing.problems
    section.say(*(f"- {name}: {problem.about}." for name, problem in problems.items()))
    return section


def _caveats(account: Account) -> list[str]:
    campaign = account.campaign
    announced = [f"`{method.name}`" for method in account.methods if method.announces]
    slow = [f"`{method.name}`" for method in account.methods if method.slow]
    said = []
    if announced:
        said.append(
            f"The proposals of {', '.join(announced)} may depend on the budget that they are told:"
            " they search anew for each budget; the others are marked on the way to the largest."
        )
    if slow:
        seeds = ", ".join(f"{count} at {budget}" for budget, count in campaign.slow.items())
        said.append(
            f"{', '.join(slow)} takes long for a proposal, and has fewer seeds: {seeds} trials."
        )
    return [*said, *account.troubles]


def lead(account: Account) -> Section:
    """Return the tables over all problems."""
    section = Section("All problems")
    section.say(
        "*Rank* is the mean over the problems of the rank by median regret, 1 being the best.",
        "*Share* is the median regret as a share of random's on the same seeds, its geometric mean"
        f" over the problems; on one problem, a share below {SMALL:g} counts as {SMALL:g}.",
        "*ms* is what the method itself took for a trial, ask and tell, on average up to there;"
        " the median over all searches, while another search ran on the other core.",
        "The optimum of a task is the best value that any search here found on the same split.",
    )
    standing, budgets = account.standing, account.campaign.budgets
    ranks = {budget: _ranks(account, budget) for budget in budgets}
    last = ranks[budgets[-1]]
    section.table(
        ["Method", *(f"{what} {budget}" for what in ("rank", "share", "ms") for budget in budgets)],
        [
            [
                f"`{name}`",
                *(_cell(ranks[budget].get(name), ".2f") for budget in budgets),
                *(_cell(standing.share(name, budget), ".3f") for budget in budgets),
                *(_cell(standing.milliseconds(name, budget), ".2f") for budget in budgets),
            ]
            for name in sorted(_names(account), key=lambda name: last.get(name, math.inf))
        ],
    )
    return section


def _names(account: Account) -> list[str]:
    return [method.name for method in account.methods]


def _ranks(account: Account, budget: int) -> dict[str, float]:
    return account.standing.average_ranks(_names(account), budget)


def _cell(figure: float | None, form: str) -> str:
    return ABSENT if figure is None else f"{figure:{form}}"


def duels(account: Account) -> Section:
    """Return the table of who was better on the same problem and seed."""
    section = Section("One against the other")
    rows = []
    for one, other in DUELS:
        for budget in account.campaign.budgets:
            duel = account.standing.duel(one, other, budget)
            if duel is not None:
                counts = [str(duel.better), str(duel.equal), str(duel.worse)]
                names = f"`{one}` against `{other}`"
                rows.append([names, str(budget), *counts, f"{duel.ratio:.2f}"])
    if rows:
        section.say(
            "On the same problem and seed: how often the first was better, equal, worse.",
            "*Ratio* is its median regret over the other's, the geometric mean over the problems.",
        )
        section.table(["", "budget", "better", "equal", "worse", "ratio"], rows)
    return section


def targets(account: Account) -> Section:
    """Return what was to be reached."""
    section = Section("What was to be reached")
    found = [*_against_random(account), *_against_libraries(account), *_places(account)]
    if found:
        section.targets(found)
    return section


def _against_random(account: Account) -> Iterator[Target]:
    budgets = account.campaign.budgets
    middle = budgets[len(budgets) // 2]
    for name in ("perturb", "tree"):
        share = account.standing.share(name, middle)
        if share is not None:
            what = f"regret of `{name}` at {middle} as a share of random's"
            yield Target(what, share, 0.8, "times")


def _against_libraries(account: Account) -> Iterator[Target]:
    for one, other in SAME:
        for budget in account.campaign.budgets:
            duel = account.standing.duel(one, other, budget)
            if duel is not None:
                what = f"regret of `{one}` at {budget} over that of `{other}`"
                yield Target(what, duel.ratio, 1.1, "times")


def _places(account: Account) -> Iterator[Target]:
    for budget in account.campaign.budgets:
        ranks = _ranks(account, budget)
        if "swarm-adaptive" in ranks:
            what = f"place of `swarm-adaptive` by average rank at {budget}"
            yield Target(what, place("swarm-adaptive", ranks), 2, f"of {len(ranks)}")


def each_problem(account: Account) -> Section:
    """Return a table for each problem: the median of the best found, and its quartiles."""
    section, budgets = Section("Each problem"), account.campaign.budgets
    section.say("The best value found: median [lower and upper quartile] over the seeds.")
    for name, problem in account.standing.problems.items():
        best = "unknown" if problem.optimum is None else f"{problem.optimum:.5g}"
        way = problem.direction.value
        section.say(f"### {name}", "", f"{problem.about}; to {way}; the optimum is {best}.")
        rows = [
            [f"`{method.name}`", *(_spread(account, method.name, name, b) for b in budgets)]
            for method in account.methods
        ]
        section.table(["Method", *map(str, budgets)], rows)
    return section


def _spread(account: Account, method: str, problem: str, budget: int) -> str:
    values = account.standing.values(method, problem, budget)
    if not values:
        return ABSENT
    low, middle, high = quartiles(values)
    return f"{middle:.4g} [{low:.4g}, {high:.4g}]"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper one, each between two values."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
