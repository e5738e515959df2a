"""The swarm: a strategy made of strategies, and who of them gets the turn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from absent import without
from forked import command
from labs import a_lab, an_experiment, burst, lines, write_spec
from steered import refused

from hermes.errors import RequestError, SpecError, UnknownName
from hermes.model import Direction, Json, Origin, Outcome, Params, Proposal, Trial
from hermes.search import registry
from hermes.search.allocation import WINDOW, AucBandit, Rotation
from hermes.search.base import SearchContext, Strategy, chance
from hermes.search.contract import StrategyContract, result, trial
from hermes.search.generated_spaces import SMALL_SIZE, parsed, small_space
from hermes.search.random_search import RandomSearch
from hermes.search.space import Space
from hermes.search.swarm import DEFAULT_ALLOCATION, DEFAULT_STRATEGIES, Swarm

PLANE = {
    "x": {"type": "float", "low": -2, "high": 2},
    "rate": {"type": "float", "low": 1e-5, "high": 1, "log": True},
}


def context(space: Space, *, seed: int = 7, budget: int = 40, **options: Json) -> SearchContext:
    return SearchContext(space, Direction.MINIMIZE, seed=seed, budget=budget, options=options)


def swarm(*strategies: str, space: Space | None = None, **options: Json) -> Swarm:
    return Swarm(context(space or small_space(), strategies=list(strategies), **options))


def told_as(name: str, number: int, *, value: float | None = None) -> Trial:
    outcome = Outcome.FAILED if value is None else Outcome.SUCCESS
    return Trial(number, {"x": 0.0, "rate": 0.1}, outcome, value, name, f"RUN-{number}", "default")


# A swarm is a strategy


class SwarmContract(StrategyContract):
    """What is common: the options of the swarm, and that a proposal names an arm."""

    strategies: Sequence[str] = ("random", "grid")
    allocation = "rotation"

    def make(self, context: SearchContext) -> Strategy:
        options: dict[str, Json] = {
            "strategies": list(self.strategies),
            "allocation": self.allocation,
        }
        return Swarm(
            SearchContext(
                context.space,
                context.direction,
                seed=context.seed,
                budget=context.budget,
                options=options,
            )
        )

    def test_a_proposal_says_who_made_it(self) -> None:
        strategy = self.fresh(small_space())
        assert strategy.name == "swarm"
        proposals = [strategy.ask(number) for number in range(1, 5)]
        assert {proposal.strategy for proposal in proposals} <= set(self.strategies)


class TestRotationOfTwo(SwarmContract):
    finite_only = True


class TestAdaptiveOfTwo(SwarmContract):
    finite_only = True
    allocation = "adaptive"


class TestAdaptiveOfOne(SwarmContract):
    strategies = ("random",)
    allocation = "adaptive"


class TestDefaultMix(SwarmContract):
    examples = 8
    strategies = DEFAULT_STRATEGIES
    allocation = DEFAULT_ALLOCATION


def test_a_swarm_without_options_is_the_default_mix():
    space = parsed(PLANE)
    plain, spelled = (
        Swarm(context(space, **options))
        for options in (
            {},
            {"strategies": list(DEFAULT_STRATEGIES), "allocation": DEFAULT_ALLOCATION},
        )
    )
    used = set()
    for number in range(1, 5):
        proposal = plain.ask(number)
        assert proposal == spelled.ask(number)
        used.add(proposal.strategy)
        for made in (plain, spelled):
            made.tell(told_as(proposal.strategy, number))
    assert used == set(DEFAULT_STRATEGIES)


def test_a_swarm_of_one_proposes_what_that_one_would():
    space = parsed(PLANE)
    alone, one = RandomSearch(context(space)), swarm("random", space=space)
    assert [one.ask(n).params for n in (1, 2, 9)] == [alone.ask(n).params for n in (1, 2, 9)]


def test_an_arm_with_no_point_left_leaves_its_turn_to_the_next(arms):
    arms["short"] = lambda context: Scripted("short", length=2)
    arms["long"] = lambda context: Scripted("long")
    made = swarm("short", "long", space=parsed(PLANE), allocation="rotation")
    proposals = [made.ask(number) for number in (1, 2, 3, 4)]
    assert [item.strategy for item in proposals] == ["short", "long", "long", "long"]
    assert "in place of short" in proposals[2].note
    assert "in place of" not in proposals[1].note


def test_a_swarm_ends_when_all_its_arms_have(arms):
    arms["short"] = lambda context: Scripted("short", length=2)
    arms["long"] = lambda context: Scripted("long", length=4)
    made = swarm("short", "long", space=parsed(PLANE))
    assert made.ask(4) is not None
    assert made.ask(5) is None


def test_every_arm_is_told_every_run_once(arms):
    short, other = Scripted("short"), Scripted("long")
    arms.update(short=lambda context: short, long=lambda context: other)
    made = swarm("short", "long", space=parsed(PLANE))
    runs = [told_as("short", 1, value=2.0), told_as("elsewhere", 2), told_as("long", 3, value=1.0)]
    for run in [*runs, *runs]:
        made.tell(run)
    assert short.told == other.told == runs


@pytest.mark.parametrize("allocation", ["rotation", "adaptive"])
def test_no_two_arms_propose_one_point_in_flight(allocation):
    made = swarm("random", "grid", allocation=allocation)
    pending: list[Params] = []
    for number in range(1, SMALL_SIZE + 1):
        pending.append(made.ask(number, tuple(pending)).params)
    assert len(set(map(small_space().key, pending))) == SMALL_SIZE
    assert made.ask(SMALL_SIZE + 1, tuple(pending)) is None


@pytest.mark.parametrize("allocation", ["rotation", "adaptive"])
def test_a_new_process_goes_on_where_the_old_one_was_killed(allocation):
    """The other process has another hash seed, and is told the runs anew."""
    numbers = {**PLANE, "n": {"type": "int", "low": 1, "high": 9}}
    space = parsed(numbers)
    options: dict[str, Json] = {"strategies": ["random", "twin"], "allocation": allocation}
    code = TWIN + (
        "given = json.load(sys.stdin)\n"
        "space = parse_space(given['space'], source='')\n"
        "made = make('swarm', SearchContext(space, Direction.MINIMIZE, seed=7, budget=40,"
        " options=given['options']))\n"
        "for item in given['told']:\n"
        "    made.tell(Trial(**{**item, 'outcome': Outcome(item['outcome'])}))\n"
        "answers = []\n"
        "for number in range(len(given['told']) + 1, 41):\n"
        "    proposal = made.ask(number)\n"
        "    answers.append([proposal.strategy, dict(proposal.params), proposal.note])\n"
        "    told = result(number, proposal.params, space)\n"
        "    made.tell(replace(told, strategy=proposal.strategy))\n"
        "print(json.dumps(answers))\n"
    )
    whole = _in_a_process(code, {"space": numbers, "options": options, "told": []}, hash_seed="1")
    told = []
    for number, (arm, params, _) in enumerate(whole[:23], 1):
        run = {**asdict(result(number, params, space)), "strategy": arm}
        told.append({**run, "outcome": run["outcome"].value})
    rest = _in_a_process(code, {"space": numbers, "options": options, "told": told}, hash_seed="2")
    assert rest == whole[23:]
    assert {arm for arm, _, _ in rest} == {"random", "twin"}


TWIN = """
import json, sys
from dataclasses import replace
from hermes.model import Direction, Outcome, Trial
from hermes.search import registry
from hermes.search.base import SearchContext
from hermes.search.contract import result
from hermes.search.random_search import RandomSearch
from hermes.search.registry import make
from hermes.search.space import parse_space

class Twin(RandomSearch):
    name = "twin"

sys.modules["twin_of_a_test"] = sys.modules["__main__"]
registry._BUILT_IN["twin"] = ("twin_of_a_test", "Twin")
"""


def _in_a_process(code: str, given: dict, *, hash_seed: str) -> list:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(given),
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(ran.stdout)


# What is asked for


def test_each_arm_has_its_own_options(arms):
    seen = {}
    arms["short"] = lambda context: seen.update(short=context) or Scripted("short")
    arms["long"] = lambda context: seen.update(long=context) or Scripted("long")
    swarm("short", "long", options={"long": {"sampler": "gp"}}, space=parsed(PLANE))
    assert seen["short"].options == {}
    assert seen["long"].options == {"sampler": "gp"}
    assert (seen["long"].seed, seen["long"].budget) == (7, 40)


REFUSED: list[tuple[dict[str, Json], str, str]] = [
    ({"strategies": []}, "at least one", "Write, for example"),
    ({"strategies": "random"}, "a list of names", "Write, for example"),
    ({"strategies": ["random", 3]}, "a list of names", "Write, for example"),
    ({"strategies": ["random", "gird"]}, "'gird'", "'grid'"),
    ({"strategies": ["random", "swarm"]}, "cannot be in a swarm", "Name the strategies"),
    ({"strategies": ["random", "random"]}, "'random' is in the swarm twice", "once"),
    ({"strategies": ["random"], "allocation": "adaptiv"}, "'adaptiv'", "'adaptive'"),
    ({"strategies": ["random"], "allocation": ["rotation"]}, "No allocation", "'rotation'"),
    ({"strategies": ["random"], "alocation": "adaptive"}, "no option 'alocation'", "'allocation'"),
    ({"strategies": ["random"], "options": []}, "are a mapping", "Write, for example"),
    ({"strategies": ["random"], "options": {"ranndom": {}}}, "'ranndom'", "'random'"),
    ({"strategies": ["random"], "options": {"q": {}}}, "'q'", "Its strategies are: random"),
    ({"strategies": ["random"], "options": {"random": 1}}, "not a mapping", "its value"),
    ({"strategies": ["random"], "options": {"random": {"a": 1}}}, "no option 'a'", "no options"),
]


@pytest.mark.parametrize(("options", "wrong", "remedy"), REFUSED)
def test_what_makes_no_swarm_is_refused_with_the_next_step(options, wrong, remedy):
    with pytest.raises(RequestError) as caught:
        registry.make("swarm", context(small_space(), **options))
    assert wrong in caught.value.message
    assert remedy in caught.value.remedy
    assert len(str(caught.value).splitlines()) == 2


GRID: dict[str, Json] = {"x": {"type": "float", "low": -5, "high": 5, "step": 0.5}}
MIX: dict[str, Json] = {"strategies": ["random", "grid"], "allocation": "adaptive"}


def test_what_makes_no_swarm_is_refused_before_anything_is_created(tmp_path):
    lab = a_lab(tmp_path / "lab")
    wrong = {"strategies": ["random", "gird"]}
    with pytest.raises(UnknownName, match="'gird'"):
        an_experiment(lab, tmp_path, strategy="swarm", strategy_options=wrong)
    assert lab.experiments() == []


def test_a_swarm_whose_arm_lacks_its_library_says_so_before_anything_is_made(
    lab, root, tmp_path, monkeypatch
):
    an_experiment(lab, tmp_path, strategy="random")
    without(monkeypatch, "optuna")
    before = everything(root)
    options = {"strategies": ["random", "bayesian"]}
    spec = write_spec(tmp_path, "other", strategy="swarm", strategy_options=options)
    named = ("exp=exp", "n=3", "strategies=random,bayesian")
    for words in (("swarm", *named), ("create", f"spec={spec}")):
        said = refused(command(root, *words))
        assert said[0].endswith("The strategy 'bayesian' needs optuna, which is not installed.")
        assert said[1] == "Install it: pip install 'hermes-lab[bayesian]'"
    assert everything(root) == before


def test_the_default_mix_needs_no_library_beyond_the_labs_own(lab, root, tmp_path, monkeypatch):
    an_experiment(lab, tmp_path, strategy="random")
    for library in ("optuna", "nevergrad", "numpy"):
        without(monkeypatch, library)
    assert command(root, "swarm", "exp=exp", "n=3").code == 0


def everything(root: Path) -> dict[Path, bytes]:
    """Return every file of a data root, but for what locks it and what tasks remember."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    kept = (path for path in found if not {".doit", "locks"} & set(path.parts))
    return {path: (root / path).read_bytes() for path in kept}


def test_a_swarm_in_a_spec_goes_on_in_another_session_as_if_there_had_been_one(tmp_path):
    lab = a_lab(tmp_path / "lab")
    for name in ("one", "two"):
        an_experiment(
            lab, tmp_path, name, strategy="swarm", strategy_options=MIX, search_space=GRID
        )
    burst(lab, "one", 9)
    for n in (2, 3, 4):
        burst(lab, "two", n)
    one, two = (
        [(line.strategy, line.params, line.value) for line in lines(lab, name)]
        for name in ("one", "two")
    )
    assert one == two
    assert {name for name, _, _ in one} == {"random", "grid"}
    assert len({params["x"] for _, params, _ in one}) == 9


def test_an_unknown_name_is_refused_before_any_arm_is_made(arms):
    made = []
    arms["short"] = lambda context: made.append(1) or Scripted("short")
    with pytest.raises(UnknownName):
        swarm("short", "nothing-like-it")
    assert made == []


def test_a_grid_in_a_swarm_refuses_a_space_that_it_cannot_list():
    with pytest.raises(SpecError, match="no grid can list every value of x, rate") as caught:
        swarm("random", "grid", space=parsed(PLANE))
    assert len(str(caught.value).splitlines()) == 2


# Turns


class Scripted:
    """Proposes ``x`` by the number of the trial, and remembers what it was told."""

    def __init__(self, name: str, *, length: int = 10**9) -> None:
        self.name = name
        self.told: list[Trial] = []
        self._length = length

    def tell(self, trial: Trial) -> None:
        self.told.append(trial)

    def ask(self, number: int, pending: Sequence[Params] = ()) -> Proposal | None:
        if number > self._length:
            return None
        return Proposal({"x": number / 1e6, "rate": 0.1}, self.name, Origin.STRATEGY, "by number")


@pytest.fixture
def arms(monkeypatch):
    """Let a test make arms by names of its own."""
    made: dict[str, Callable[[SearchContext], Strategy]] = {}
    make, check = registry.make, registry.check
    monkeypatch.setattr(
        registry, "make", lambda name, context: made.get(name, _by(make, name))(context)
    )
    monkeypatch.setattr(
        registry, "check", lambda name, options: None if name in made else check(name, options)
    )
    return made


def _by(make: Callable, name: str) -> Callable[[SearchContext], Strategy]:
    return lambda context: make(name, context)


def three(arms: dict, **options: Json) -> Swarm:
    arms.update({name: lambda context, name=name: Scripted(name) for name in "abc"})
    return swarm("a", "b", "c", space=parsed(PLANE), **options)


def search(made: Swarm, numbers: range, pays: Callable[[str, int], bool]) -> Counter[str]:
    """Ask and tell; a turn that pays is told a new best. Return how many turns each had."""
    turns: Counter[str] = Counter()
    for number in numbers:
        arm = made.ask(number).strategy
        made.tell(told_as(arm, number, value=float(-number if pays(arm, number) else number)))
        turns[arm] += 1
    return turns


def luck(number: int, probability: float) -> bool:
    return chance("luck", 1, number).random() < probability


def test_a_rotation_goes_by_the_number_of_the_trial(arms):
    made = three(arms, allocation="rotation")
    assert [made.ask(number).strategy for number in (1, 2, 3, 4, 8)] == ["a", "b", "c", "a", "b"]
    made.tell(told_as("c", 9, value=1.0))
    assert made.ask(1).strategy == "a"
    assert made.ask(2).note == "by number; turn 2 of 3"


def test_adaptive_tries_every_arm_first_and_again_within_each_window(arms):
    made = three(arms, allocation="adaptive")
    order = []
    for number in range(1, 6 * WINDOW):
        arm = made.ask(number).strategy
        made.tell(told_as(arm, number, value=-float(number) if arm == "a" else None))
        order.append(arm)
    assert order[:3] == ["a", "b", "c"]
    assert order.count("a") > 5 * WINDOW
    for start in range(len(order) - WINDOW):
        assert set(order[start : start + WINDOW + 1]) == {"a", "b", "c"}


def test_the_arm_that_pays_gets_clearly_more_turns(arms):
    made = three(arms, allocation="adaptive")
    odds = {"a": 0.02, "b": 0.2, "c": 0.02}
    turns = search(made, range(1, 301), lambda arm, number: luck(number, odds[arm]))
    assert turns["b"] > 0.6 * 300
    assert min(turns["a"], turns["c"]) > 0.03 * 300


def test_another_takes_over_when_the_arm_stops_paying(arms):
    made = three(arms, allocation="adaptive")
    search(made, range(1, 201), lambda arm, number: arm == "b" and luck(number, 0.3))
    turns = search(made, range(201, 401), lambda arm, number: arm == "c" and luck(number, 0.3))
    assert turns["c"] > 2 * turns["b"]
    turns = search(made, range(401, 501), lambda arm, number: arm == "c" and luck(number, 0.3))
    assert turns["c"] > 60


def test_arms_that_pay_alike_get_like_turns(arms):
    made = three(arms, allocation="adaptive")
    turns = search(made, range(1, 601), lambda arm, number: luck(number, 0.1))
    assert min(turns.values()) > 0.2 * 600


@pytest.mark.parametrize("change", [lambda v: 4096 * v, lambda v: v - 1e4, lambda v: v**3])
def test_neither_scale_nor_place_of_the_metric_changes_a_turn(arms, change):
    plain, changed = (three(arms, allocation="adaptive") for _ in range(2))
    for number in range(1, 300):
        proposal = plain.ask(number)
        assert changed.ask(number) == proposal
        value = chance("value", 1, number).random() / number + (proposal.strategy == "a")
        plain.tell(told_as(proposal.strategy, number, value=value))
        changed.tell(told_as(proposal.strategy, number, value=change(value)))


def test_a_failure_is_a_turn_that_found_nothing(arms):
    failing, worse = (three(arms, allocation="adaptive") for _ in range(2))
    for made, bad in ((failing, None), (worse, 9.0)):
        made.tell(told_as("a", 1, value=5.0))
        for number in range(2, 60):
            made.tell(told_as("abc"[number % 3], number, value=bad))
    for number in range(60, 120):
        assert failing.ask(number) == worse.ask(number)


def test_the_first_success_of_all_earns_nothing(arms):
    made = three(arms, allocation="adaptive")
    for number, arm in enumerate("abc", 1):
        made.tell(told_as(arm, number, value=float(number)))
    assert made.ask(4).strategy == "a"
    assert made.ask(4).note.endswith("new bests in its last 1 turns: 0")


def test_a_run_that_the_lab_cut_off_is_nobodys_turn(arms):
    made = three(arms, allocation="adaptive")
    made.tell(trial(1, {"x": 0.0, "rate": 0.1}, outcome=Outcome.INTERRUPTED))
    cut_off = told_as("a", 2)
    made.tell(Trial(**{**asdict(cut_off), "outcome": Outcome.INFRA}))
    assert made.ask(3).strategy == "a"


def test_what_others_found_moves_the_mark_and_is_no_turn(arms):
    made = three(arms, allocation="adaptive")
    made.tell(told_as("a", 1, value=5.0))
    made.tell(told_as("elsewhere", 2, value=1.0))
    made.tell(told_as("b", 3, value=2.0))  # better than any arm's, but no new best
    made.tell(told_as("c", 4, value=3.0))
    assert [turn.why[-1] for turn in made._allocation.turns(5, 0)] == ["0", "0", "0"]


def test_turns_in_flight_are_spread_over_the_arms(arms):
    made = three(arms, allocation="adaptive")
    flying = [{"x": n / 1e6, "rate": 0.1} for n in range(1, 4)]
    first = [made.ask(number, flying[: number - 1]).strategy for number in (1, 2, 3)]
    assert first == ["a", "b", "c"]


def test_a_window_is_what_a_bandit_remembers():
    long, short = AucBandit("ab"), AucBandit("ab")
    turns = [("ab"[n % 2], luck(n, 0.3)) for n in range(3 * WINDOW)]
    for arm, improved in turns:
        long.tell(arm, improved=improved)
    for arm, improved in turns[-WINDOW:]:
        short.tell(arm, improved=improved)
    assert long.turns(1, 0) == short.turns(1, 0)
    assert len(long._window) == WINDOW
    assert long._records == short._records


def test_recent_bests_weigh_more_than_old_ones():
    bandit = AucBandit("ab")
    for improved in (True, False):
        bandit.tell("a", improved=improved)
        bandit.tell("b", improved=not improved)
    assert bandit.turns(1, 0)[0].arm == "b"


def test_a_rotation_learns_nothing():
    rotation = Rotation("ab")
    rotation.tell("b", improved=True)
    assert [turn.arm for turn in rotation.turns(1, 0)] == ["a", "b"]
