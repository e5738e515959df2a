from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from labs import a_lab, an_experiment, burst, hermes, lines, views
from records import run_line
from render_cases import HOSTILE, folded, history, hostile_experiment, spec, status
from render_reading import check_readable, check_tables, section, tables_of

from hermes import codec
from hermes.blackboard import Blackboard, InFlight, blackboard_of, point
from hermes.cli.request import idle
from hermes.model import Direction, Origin, Outcome
from hermes.modes.loop import Tally, iterate
from hermes.render.blackboard import blackboard_page, strategy_table
from hermes.render.experiment import projections
from hermes.rules.view import View
from hermes.state import ExperimentState
from hermes.steps.opening import opened
from hermes.steps.plan import plan
from hermes.steps.project import differing, project
from hermes.steps.refresh import refresh
from hermes.steps.session import Order


@pytest.fixture
def lab(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 4)
    return lab


def planned(lab):
    """Plan a run, and leave it at that; return its manifest and its package."""
    with opened(lab, "exp", Order(attended=True)) as session:
        found = plan(session)
    return found.manifest, found.folder


def files_of(lab):
    folder = lab.layout.experiment("exp").folder
    return {name: (folder / name).read_bytes() for name in ("BLACKBOARD.md", "blackboard.json")}


def board_of(lab) -> Blackboard:
    return codec.read_record(Blackboard, files_of(lab)["blackboard.json"])


def flying(number: int = 31, **changes) -> InFlight:
    made = InFlight(
        run_id=f"RUN-{number:06d}-worker",
        iteration=number,
        trial=number,
        origin=Origin.STRATEGY,
        strategy="perturb",
        fidelity_tier="default",
        params={"lr": 0.25},
        planned_at="2026-01-01T00:01:00.000000Z",
    )
    return replace(made, **changes)


def board(runs=None, points=(), given=None, **more) -> Blackboard:
    state = folded(history() if runs is None else runs, **more)
    return blackboard_of(state, status(given or spec(), state), points)


# what it is made from


def test_the_blackboard_is_a_function_of_the_records_and_of_what_is_in_flight():
    state = folded(history())
    saved = codec.read_record(ExperimentState, codec.to_json(state))
    at_rest = projections(spec(), state, status(state=state))
    assert projections(spec(), saved, status(state=saved), in_flight=[]) == at_rest
    busy = projections(spec(), saved, status(state=saved), in_flight=[flying()])
    changed = {name for name in busy if busy[name] != at_rest[name]}
    assert changed == {"BLACKBOARD.md", "blackboard.json"}


def test_it_tells_what_the_journal_and_the_index_tell():
    made = board()
    assert made.recent == tuple(run.trial_record() for run in history()[-10:])
    assert [item.seq for item in made.discoveries][-1] == 29
    assert made.strategies["random"].runs == made.run_count == 30
    assert made.best_metric_value == made.discoveries[-1].value
    assert sum(item.gain or 0 for item in made.discoveries) == pytest.approx(
        made.strategies["random"].improvement_by_tier["default"]
    )


def test_the_direction_is_the_specs_own():
    given = spec(metric_direction=Direction.MAXIMIZE)
    runs = [run_line(n, value=float(n % 4)) for n in range(1, 9)]
    made = board(runs, given=given, direction=Direction.MAXIMIZE)
    assert [item.value for item in made.discoveries] == [1.0, 2.0, 3.0]
    assert made.strategies["random"].best_by_tier == {"default": 3.0}


# in a lab


def test_a_point_in_flight_stands_there_with_its_parameters(lab):
    assert board_of(lab).in_flight == ()
    draft, _ = planned(lab)
    project(lab, "exp")
    assert board_of(lab).in_flight == (point(draft),)
    assert draft.run_id in section(files_of(lab)["BLACKBOARD.md"].decode(), "In flight")
    burst(lab, "exp", 1)
    assert board_of(lab).in_flight == ()
    assert lines(lab)[-1].run_id == draft.run_id


def test_with_nothing_in_flight_a_rebuilt_blackboard_is_the_same_byte_for_byte(lab):
    planned(lab)
    project(lab, "exp")
    burst(lab, "exp", 1)
    before = views(lab)
    assert "experiments/exp/blackboard.json" in before
    for name in files_of(lab):
        (lab.layout.experiment("exp").folder / name).unlink()
    assert refresh(lab).problems == ()
    assert views(lab) == before


def test_what_is_sealed_is_not_in_flight_though_its_package_is_still_there(lab, tmp_path):
    draft, package = planned(lab)
    kept = shutil.copytree(package.folder, tmp_path / "kept")
    burst(lab, "exp", 1)
    shutil.copytree(kept, package.folder)
    assert lab.packages.read(package).run_id == draft.run_id
    project(lab, "exp")
    assert board_of(lab).in_flight == ()


def test_a_package_that_is_not_whole_is_none(lab):
    _, package = planned(lab)
    package.dispatch.write_bytes(package.dispatch.read_bytes()[:-20])
    project(lab, "exp")
    assert board_of(lab).in_flight == ()


def test_packages_of_other_experiments_do_not_stand_there(lab, tmp_path):
    an_experiment(lab, tmp_path, "exp-2")
    with opened(lab, "exp-2", Order(attended=True)) as session:
        plan(session)
    project(lab, "exp")
    assert board_of(lab).in_flight == ()


def test_a_change_of_possession_alone_makes_no_projection_stale(lab):
    root = lab.layout.root
    assert hermes(root, "status").returncode == 0
    draft, package = planned(lab)
    environ = {"HERMES_LAB_DATA_ROOT": str(root)}
    assert View(idle(environ, root.parent)).stale == []
    assert differing(lab, "exp") == []  # it went up after the blackboard was written
    project(lab, "exp")
    assert board_of(lab).in_flight == (point(draft),)
    lab.packages.discard(package)
    assert differing(lab, "exp") == []  # it has landed since


@pytest.mark.parametrize("name", ["BLACKBOARD.md", "blackboard.json"])
@pytest.mark.parametrize("in_flight", [False, True])
def test_a_changed_blackboard_is_named_also_while_something_is_in_flight(lab, name, in_flight):
    if in_flight:
        planned(lab)
        project(lab, "exp")
    path = lab.layout.experiment("exp").folder / name
    path.write_bytes(path.read_bytes().replace(b"random", b"rundom", 1))
    assert differing(lab, "exp") == [path]
    path.write_bytes(b"")
    assert path in differing(lab, "exp")
    project(lab, "exp")
    assert differing(lab, "exp") == []


# for people


def test_the_page_tells_of_discoveries_strategies_points_and_trials():
    page = blackboard_page(board(points=[flying()]))
    check_tables(page)
    assert "- Best: 0.0344828 in `RUN-000029-worker`" in page
    (row,) = tables_of(section(page, "In flight"))[0][2:]
    assert row == (
        "| `RUN-000031-worker` | 31 | perturb | strategy | default | `lr=0.25` "
        "| 2026-01-01 00:01:00 |"
    )
    found = tables_of(section(page, "Discoveries"))[0][2:]
    assert found[0].startswith("| 29 | 0.0344828 | 0.00")
    assert found[-1].startswith("| 1 | 1 | - | yes | random | default |")
    (brought,) = tables_of(section(page, "Strategies"))[0][2:]
    assert brought == "| random | 30 | 26 | 17 | 0.0344828 | 0.965517 | 15 s | 0 |"
    trials = tables_of(section(page, "Recent trials"))[0][2:]
    assert [row.split(" | ")[0] for row in trials] == [f"| {n}" for n in range(30, 20, -1)]


def test_an_experiment_without_runs_has_a_blackboard_too():
    page = blackboard_page(board(runs=[]))
    assert "- Best: none yet, no run has succeeded" in page
    assert "Nothing was in flight" in section(page, "In flight")
    for title in ("Discoveries", "Strategies", "Recent trials"):
        assert section(page, title) == "None yet."
    failed = blackboard_page(board(runs=[run_line(1, Outcome.FAILED)]))
    assert section(failed, "Discoveries") == "None yet."
    assert "| random | 1 | 0 | 0 | - | - |" in section(failed, "Strategies")


def test_tiers_are_told_apart_where_values_stand():
    runs = [run_line(n, value=9.0 / n, fidelity_tier=("fast", "full")[n % 2]) for n in range(1, 7)]
    told = section(blackboard_page(board(runs)), "Strategies")
    assert "full 1.8, fast 1.5 | full 7.2, fast 3 |" in told
    many = [run_line(n, value=9.0 / n, fidelity_tier=f"t{n}") for n in range(1, 7)]
    assert "t3 3, … 3 more" in section(blackboard_page(board(many)), "Strategies")


def test_many_points_and_strategies_are_cut_and_said_to_be():
    made = board([run_line(n, strategy=f"s{n}") for n in range(1, 61)])
    page = blackboard_page(replace(made, in_flight=tuple(flying(n) for n in range(100))))
    assert "… and 80 more." in section(page, "In flight")
    assert "… and 40 more." in section(page, "Strategies")
    assert strategy_table({}) == "None yet."


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_does_not_break_the_page_and_stands_whole_in_the_json(hostile):
    _, state, made = hostile_experiment(hostile)
    points = [flying(strategy=hostile, fidelity_tier=hostile, params={hostile: hostile})]
    whole = blackboard_of(state, made, points)
    page = blackboard_page(whole)
    check_tables(page)
    check_readable(page)
    assert len(page.encode()) < 40_000
    data = codec.to_lined_json(whole)
    json.loads(data)
    assert codec.read_record(Blackboard, data) == whole


def test_several_runs_in_flight_stand_there_while_the_burst_goes_on(lab):
    seen = []
    with opened(lab, "exp", Order(attended=True, runs=4, parallel=3)) as session:

        def look(line):
            project(lab, "exp")
            flying = [planned.manifest.run_id for planned in session.in_flight]
            told = board_of(lab)
            seen.append([item.run_id for item in told.in_flight] == flying)
            seen.append(told.recent[-1].run_id == line.run_id)
            seen.append(len(flying))

        iterate(session, Tally(), 4, on_run=look)
    assert seen[0::3] == seen[1::3] == [True] * 4
    assert seen[2] >= 2  # as many as are at work; the last one leaves none
    assert seen[-1] == 0
    before = files_of(lab)
    assert refresh(lab).problems == ()
    assert files_of(lab) == before
