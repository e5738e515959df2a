"""The tree search: lineage kept, choices by rank, failures repaired, nothing left to memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labs import a_lab, an_experiment, burst, hermes, lines
from played_searches import (
    MIXED,
    PLANE,
    asked_elsewhere,
    best,
    bowl,
    busy_history,
    failing,
    made,
    mixture,
    sealed,
    search,
)
from records import plain

from hermes.errors import RequestError
from hermes.model import Outcome
from hermes.search.base import SearchContext, Strategy
from hermes.search.contract import StrategyContract
from hermes.search.generated_spaces import parsed
from hermes.search.tree import Tree


class TestTree(StrategyContract):
    length = 40

    def make(self, context: SearchContext) -> Strategy:
        return Tree(context)


# It searches


@pytest.mark.parametrize(
    ("raw", "function", "share"),
    [(PLANE, bowl, 0.01), (PLANE, failing(bowl), 0.01), (MIXED, mixture, 0.3)],
    ids=["smooth", "failing", "mixed"],
)
def test_it_leaves_random_search_far_behind_in_a_hundred_runs(raw, function, share):
    seeds = range(1, 8)
    found, drawn = (
        sorted(best(search(made(name, raw, seed=seed), function, range(1, 101))) for seed in seeds)
        for name in ("tree", "random")
    )
    assert found[3] < share * drawn[3]


def test_another_scale_and_another_zero_of_the_metric_give_the_same_proposals():
    for raw, function in [(PLANE, bowl), (PLANE, failing(bowl)), (MIXED, mixture)]:
        points = [trial.params for trial in search(made("tree", raw), function, range(1, 151))]
        for factor, shift in [(1e6, 0.0), (1e-6, 0.0), (1.0, 1000.0), (1e6, -5e6)]:

            def changed(point, function=function, factor=factor, shift=shift):
                value = function(point)
                return None if value is None else factor * value + shift

            same = search(made("tree", raw), changed, range(1, 151))
            assert [trial.params for trial in same] == points


def test_it_drafts_first_and_then_improves_what_is_best():
    trials = search(made("tree", PLANE), bowl, range(1, 20))
    assert [bool(trial.parents) for trial in trials[:4]] == [False, False, False, True]
    drafts = sorted(trials[:3], key=lambda trial: trial.value)
    assert trials[3].parents == (drafts[0].run_id,)


def test_when_a_branch_is_at_its_end_another_one_is_begun():
    """Some of its drafts are new points, others the best point with other values in part."""
    strategy, known, kept, new = made("tree", PLANE), {}, [], 0
    for number in range(1, 400):
        proposal = strategy.ask(number)
        if "the best point with other values" in proposal.note:
            base = known[proposal.parents[0]]
            kept.append(sum(base.params[name] == proposal.params[name] for name in PLANE))
            assert base.value == best(known.values())
        new += not proposal.parents
        trial = sealed(number, proposal, bowl(proposal.params))
        known[trial.run_id] = trial
        strategy.tell(trial)
    assert new > 3
    assert {1, 2, 3} & set(kept)


# Lineage


def test_parents_are_runs_that_were_told_before_and_depth_grows():
    strategy = made("tree", PLANE)
    trials = search(strategy, failing(bowl), range(1, 150))
    known = set()
    for trial in trials:
        assert set(trial.parents) <= known
        known.add(trial.run_id)
    assert sum(bool(trial.parents) for trial in trials) > 100
    depth: dict[str, int] = {}
    for trial in trials:
        depth[trial.run_id] = 1 + depth[trial.parents[0]] if trial.parents else 0
    assert max(depth.values()) > 5


def test_a_failed_run_is_repaired_half_the_way_back_to_its_success():
    strategy = made("tree", PLANE)
    trials = search(strategy, failing(bowl), range(1, 60))
    by_id = {trial.run_id: trial for trial in trials}
    repairs = [trial for trial in trials if len(trial.parents) == 2]
    assert repairs
    for repair in repairs:
        failed, sound = (by_id[name] for name in repair.parents)
        assert (failed.value, sound.outcome) == (None, Outcome.SUCCESS)
        for name, value in repair.params.items():
            middle = (failed.params[name] + sound.params[name]) / 2
            assert value == pytest.approx(middle, abs=1e-9)


def test_a_failed_draft_is_repaired_towards_the_nearest_success():
    strategy = made("tree", PLANE)
    near, far, lost = (dict.fromkeys("abcde", place) for place in (1.0, -4.0, 3.0))
    for number, (point, value) in enumerate([(near, 5.0), (far, 4.0), (lost, None)], 1):
        proposal = replace(strategy.ask(number), params=point, parents=())
        strategy.tell(sealed(number, proposal, value))
    repair = strategy.ask(4)
    assert repair.parents == ("RUN-3", "RUN-1")
    assert repair.params == pytest.approx(dict.fromkeys("abcde", 2.0))


def test_what_fails_again_and_again_is_left_at_that():
    strategy = made("tree", PLANE, drafts=1)
    strategy.tell(sealed(1, strategy.ask(1), 5.0))
    trials = search(strategy, lambda point: None, range(2, 40))
    row, longest = {"RUN-1": 0}, 0
    for trial in trials:
        row[trial.run_id] = 1 + row[trial.parents[0]] if trial.parents else 1
        longest = max(longest, row[trial.run_id])
    assert longest == 3


def test_failures_of_others_are_not_repaired():
    strategy = made("tree", PLANE)
    for number in range(1, 10):
        proposal = made("random", PLANE).ask(number)
        strategy.tell(sealed(number, proposal, None if number % 2 else float(number)))
    assert len(strategy.ask(10).parents) == 1


def test_the_steps_of_another_strategy_are_part_of_the_tree():
    strategy, climber = made("tree", PLANE), made("perturb", PLANE)
    trials = search(climber, bowl, range(1, 30))
    for trial in trials:
        strategy.tell(trial)
    leader = min(trials, key=lambda trial: trial.value)
    assert strategy.ask(30).parents == (leader.run_id,)


def test_nothing_of_its_own_gets_into_the_parameters():
    space = parsed(MIXED)
    for trial in search(made("tree", MIXED), mixture, range(1, 150)):
        assert space.contains(trial.params) == []
        assert set(trial.params) <= set(MIXED)


FIELDS = {
    "strategy": "tree",
    "seed": 3,
    "search_space": dict.fromkeys(("x", "y"), PLANE["a"]),
    "executor_command": """printf '{"loss": %s}' "${LAB_PARAM_X#-}" """,
}


def family(lab, name):
    """Return of each trial that was not cut off its point, and the trials it was built upon."""
    known = {line.run_id: line.trial for line in lines(lab, name)}
    return [
        (line.trial, dict(line.params), [known[parent] for parent in line.parents])
        for line in lines(lab, name)
        if line.outcome is not Outcome.INTERRUPTED
    ]


def test_lineage_survives_new_processes_and_the_disk(tmp_path):
    """Bursts of a few runs, each of a new strategy, make the very tree that one burst makes."""
    lab = a_lab(tmp_path / "lab-data")
    for name in ("whole", "parts"):
        an_experiment(lab, tmp_path, name, **FIELDS)
    burst(lab, "whole", 24)
    for runs in (1, 6, 3, 14):
        burst(lab, "parts", runs)
    assert family(lab, "parts") == family(lab, "whole")
    assert sum(bool(parents) for _, _, parents in family(lab, "parts")) > 15
    last = next(line for line in reversed(lines(lab, "parts")) if line.parents)
    plan = lab.layout.experiment("parts").run(last.run_id).plan
    assert f"It derives from `{last.parents[0]}`" in plan.read_text()


@pytest.mark.parametrize("strategy", ["tree", "perturb"])
def test_a_burst_that_is_killed_in_a_run_goes_on_with_the_same_tree(tmp_path, strategy):
    lab, gone = a_lab(tmp_path / "lab-data"), tmp_path / "gone"
    kill = f'[ "$LAB_RUN_ITERATION" != 8 ] || [ -e {gone} ] || {{ touch {gone}; kill -9 $PPID; }}'
    fields = {**FIELDS, "strategy": strategy}
    command = fields.pop("executor_command")
    an_experiment(lab, tmp_path, "whole", executor_command=command, **fields)
    an_experiment(lab, tmp_path, "cut", executor_command=f"{kill}; {command}", **fields)
    burst(lab, "whole", 16)
    assert hermes(lab.layout.root, "burst", "exp=cut", "n=16").returncode == -9
    burst(lab, "cut", 9)
    assert family(lab, "cut") == family(lab, "whole")
    again = lines(lab, "cut")[8]
    assert (again.parent_run, bool(again.parents)) == (lines(lab, "cut")[7].run_id, True)


# It is a function of what it was told


def test_another_process_proposes_the_same_after_any_history():
    history = busy_history(made("tree", PLANE), failing(bowl))
    told = [trial for trial, _ in history]
    strategy = made("tree", PLANE)
    for trial in told:
        strategy.tell(trial)
    expected = plain(strategy.ask(500, history[-1][1]))
    assert asked_elsewhere("tree", PLANE, told, history[-1][1], 500) == [expected, expected]
    assert expected["parents"]


def test_it_does_not_matter_when_it_is_asked():
    for raw, function in [(PLANE, failing(bowl)), (PLANE, lambda point: round(bowl(point)))]:
        history = busy_history(made("tree", raw), function)
        for upto in range(1, len(history), 7):
            late, often = made("tree", raw), made("tree", raw)
            for trial, pending in history[:upto]:
                late.tell(trial)
                often.ask(trial.number, pending)
                often.tell(trial)
            pending = history[upto - 1][1]
            assert late.ask(900, pending) == often.ask(900, pending)


def test_the_names_of_the_runs_do_not_matter():
    plain, renamed = made("tree", PLANE), made("tree", PLANE)
    for number in range(1, 150):
        proposal, other = plain.ask(number), renamed.ask(number)
        assert other.params == proposal.params
        plain.tell(sealed(number, proposal, bowl(proposal.params)))
        renamed.tell(sealed(number, other, bowl(other.params), run_id=f"{number * 7919 % 1009}-x"))


def test_a_trial_that_was_cut_off_and_runs_again_changes_nothing():
    whole, cut = made("tree", PLANE), made("tree", PLANE)
    for number in range(1, 120):
        proposal = whole.ask(number)
        assert cut.ask(number) == proposal
        trial = sealed(number, proposal, failing(bowl)(proposal.params))
        whole.tell(trial)
        if number % 3 == 0:
            gone = replace(trial, outcome=Outcome.INTERRUPTED, value=None, run_id=f"CUT-{number}")
            cut.tell(gone)
        cut.tell(trial)


def test_several_in_flight_are_all_different():
    strategy, flying = made("tree", PLANE), []
    for number in range(1, 101):
        proposal = strategy.ask(number, [params.params for _, params in flying])
        assert proposal.params not in [params.params for _, params in flying]
        flying.append((number, proposal))
        if len(flying) == 4:
            done, last = flying.pop(number % 3)
            strategy.tell(sealed(done, last, bowl(last.params)))


# Its options


@pytest.mark.parametrize(
    ("option", "value"), [("exploration", -1), ("exploration", "much"), ("drafts", 0)]
)
def test_an_option_out_of_its_range_is_refused(option, value):
    with pytest.raises(RequestError, match=f"'{option}'.*'tree'"):
        made("tree", PLANE, **{option: value})


def test_the_number_of_drafts_can_be_set():
    trials = search(made("tree", PLANE, drafts=7), bowl, range(1, 10))
    assert [bool(trial.parents) for trial in trials] == [False] * 7 + [True] * 2
