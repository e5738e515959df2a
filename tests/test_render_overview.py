from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import run_line
from render_cases import (
    HOSTILE,
    blocked,
    folded,
    history,
    hostile_experiment,
    manifest,
    measured,
    spec,
    status,
)
from render_reading import check_readable, check_tables, section, tables_of, wide

from hermes import codec
from hermes.model import FileDigest, Outcome, Phase, Priority
from hermes.render.overview import experiments_text, lab_index, lab_status, status_text
from hermes.render.show import run_text, show_text
from hermes.status import Status

WIDTHS = (60, 100, 160)


def several() -> list[Status]:
    """Return experiments in every phase, by id."""
    failing = [run_line(n, Outcome.FAILED, reason="exit status 1") for n in (1, 2, 3)]
    return [
        status(spec(id="done"), blocked(Phase.COMPLETED, "max_iterations_total (30) is reached")),
        status(spec(id="fresh"), folded()),
        status(spec(id="held"), blocked(Phase.PAUSED, "asked to")),
        status(spec(id="running"), folded(history())),
        status(spec(id="stuck"), blocked(Phase.PAUSED, "5 failures in a row", failing)),
        status(spec(id="urgent", priority=Priority.URGENT), folded(history())),
        status(spec(id="waiting"), blocked(Phase.AWAITING_HUMAN, "look | here")),
    ]


# LAB-INDEX.json


def test_the_index_has_every_status_on_a_line_of_its_own():
    statuses = several()
    data = lab_index(statuses)
    raw = json.loads(data)
    assert raw["schema_version"] == 1
    assert [codec.decode(Status, entry) for entry in raw["experiments"]] == statuses
    lines = data.decode().splitlines()
    assert lines[0] == '{"schema_version":1,"experiments":['
    assert [json.loads(line.rstrip(","))["id"] for line in lines[1:-1]] == [s.id for s in statuses]
    assert lines[-1] == "]}"


def test_an_empty_index_is_json_too():
    assert json.loads(lab_index([])) == {"schema_version": 1, "experiments": []}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_index_keeps_hostile_text_whole(hostile):
    made = hostile_experiment(hostile)[2]
    raw = codec.from_json(lab_index([made, made]))
    assert codec.decode(Status, raw["experiments"][1]) == made


# LAB-STATUS.md


def test_the_lab_status_counts_by_phase():
    top = lab_status(several()).decode().split("\n## ")[0]
    counts = "1 awaiting-human, 2 active, 1 queued, 2 paused, 1 completed"
    assert f"7 experiments ({counts}), 153 runs" in top


def test_what_needs_a_person_comes_first_with_its_command():
    told = section(lab_status(several()).decode(), "Needs a person first")
    assert r"- `waiting` is awaiting-human: look \| here." in told
    assert "`hermes-lab resume exp=waiting`" in told
    assert "`hermes-lab show exp=stuck run=RUN-000003-worker`" in told
    assert "Mend what made the runs fail first. `hermes-lab resume exp=stuck`" in told
    assert "held" not in told
    assert "done" not in told


def test_every_experiment_has_its_row_by_phase_then_priority_then_id():
    rows = tables_of(lab_status(several()).decode())[0][2:]
    names = [row.split("|")[1].strip() for row in rows]
    assert names == ["waiting", "urgent", "running", "fresh", "held", "stuck", "done"]
    row = next(row for row in rows if "| running |" in row)
    assert "| active | normal | 30 | 26 | 0.0344828 | loss, minimize | success |" in row


def test_a_lab_without_experiments_says_how_to_begin():
    page = lab_status([]).decode()
    assert "0 experiments, 0 runs." in page
    assert "`hermes-lab create spec=FILE`" in page


def test_many_decisions_are_cut_and_the_table_is_not():
    last = several()[-1]
    waiting = [replace(last, id=f"w{number:03d}") for number in range(50)]
    page = lab_status(waiting).decode()
    assert "… and 30 more, see the table." in page
    assert page.count("hermes-lab resume") == 20
    assert len(tables_of(page)[0]) == 52


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_does_not_break_the_lab_status(hostile):
    made = replace(hostile_experiment(hostile)[2], last_outcome=hostile)
    page = lab_status([*several(), made]).decode()
    check_tables(page)
    check_readable(page)
    assert len(tables_of(page)) == 1


def test_the_order_of_the_statuses_does_not_change_the_page():
    assert lab_status(several()) == lab_status(several()[::-1])


# terminal


@pytest.mark.parametrize("width", WIDTHS)
def test_the_status_shows_counts_decisions_and_experiments(width):
    shown = status_text(several(), width=width)
    assert "7 experiments" in shown
    assert "hermes-lab resume exp=waiting" in shown
    for made in several():
        assert f"\n{made.id} " in shown
    assert "0.0344828" in shown
    assert not shown.endswith("\n")


def test_a_wide_terminal_shows_more_columns():
    heads = [
        next(line for line in status_text(several(), width=width).split("\n") if "PHASE" in line)
        for width in WIDTHS
    ]
    assert all("EXPERIMENT" in head and "RUNS" in head and "BEST" in head for head in heads)
    assert ["LAST RUN" in head for head in heads] == [False, True, True]
    assert ["GOAL" in head for head in heads] == [False, False, True]


def test_the_status_stops_at_25_experiments_and_says_where_the_others_are():
    running = several()[3]
    many = [replace(running, id=f"e{number:03d}") for number in range(1000)]
    shown = status_text(many, width=100)
    assert sum(line.startswith("e0") for line in shown.split("\n")) == 25
    assert shown.endswith("… and 975 more, see `hermes-lab experiments`")
    assert len(experiments_text(many, width=100).split("\n")) == 1001


def test_nothing_to_show_names_the_next_command():
    for shown in (status_text([], width=60), experiments_text([], width=60)):
        assert "hermes-lab create spec=FILE" in shown


@pytest.mark.parametrize("width", WIDTHS)
def test_an_experiment_is_shown_with_its_recent_runs_and_its_files(width):
    state = blocked(Phase.AWAITING_HUMAN, "3 failures in a row")
    shown = show_text(status(state=state), state, width=width)
    for told in (
        "Find the lowest loss",
        "0.0344828 in RUN-000029-worker",
        "30 (26 success, 4 failed)",
        "It does not run: 3 failures in a row.",
        "hermes-lab resume exp=tune-it",
        "experiments/tune-it/",
        "RESULT.md",
    ):
        assert told in shown
    rows = [line for line in shown.split("\n") if line.strip()[:3] in ("30 ", "21 ")]
    assert len(rows) == 2
    assert "failed" in rows[1]


def test_an_experiment_without_runs_is_shown_too():
    shown = show_text(status(state=folded()), folded(), width=60)
    assert "No runs yet." in shown
    assert "none yet" in shown


@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_is_shown_with_what_it_tried_and_what_came_of_it(width):
    made = manifest(reason="", files={"RESULT.md": FileDigest("0" * 64, 2048)}, parent_run="RUN-1")
    shown = run_text(made, measured(0.02, secondary={"accuracy": 0.5}, accepted=True), width=width)
    for told in (
        "RUN-20260131T093000.000000Z-critic",
        "success, the best of its tier when sealed",
        "loss = 0.02",
        "31 (trial 31, sealed as 31)",
        "2026-01-31 09:30:01 to 2026-01-31 09:30:43 UTC",
        "0.0123457",
        "accuracy",
        "RESULT.md (2 KiB)",
        "RUN-1",
    ):
        assert told in shown


def test_a_failed_run_is_shown_without_a_number():
    made = manifest(reason="exit status 3", exit_status=3, outcome=Outcome.FAILED)
    shown = run_text(made, measured(None, Outcome.FAILED), width=60)
    assert "loss: none" in shown
    assert "Reason      exit status 3" in shown


def test_a_failed_run_shows_the_end_of_its_standard_error():
    made = manifest(reason="exit status 3", exit_status=3, outcome=Outcome.FAILED)
    printed = (
        b"".join(b"line %d\n\n" % n for n in range(30)) + b"\tat \x1b[31mhome\x07\n" + b"w" * 500
    )
    shown = run_text(made, measured(None, Outcome.FAILED), width=80, stderr=printed)
    check_readable(shown)
    path = "experiments/tune-it/runs/RUN-20260131T093000.000000Z-critic/stderr.log"
    assert path in shown.replace("\n", "")
    assert [f"line {n}" in shown for n in (21, 22, 29)] == [False, True, True]
    assert "[31mhome" in shown
    assert max(map(wide, shown.split("\n"))) <= 80
    assert "Exit        3" in shown
    empty = run_text(made, measured(None, Outcome.FAILED), width=80, stderr=b"")
    assert "(empty)" in empty


def test_a_failed_run_names_its_standard_error_also_when_nobody_read_it():
    shown = run_text(manifest(), measured(None, Outcome.TIMEOUT), width=160)
    assert "critic/stderr.log" in shown
    assert "(empty)" not in shown


def test_a_run_that_did_not_fail_keeps_its_standard_error_to_itself():
    assert "chatter" not in run_text(manifest(), measured(), width=100, stderr=b"chatter\n")


def test_a_run_is_shown_with_what_its_workspace_was_made_from():
    facts = {"mode": "git", "git_revision": "0123456789abcdef", "git_dirty": True}
    shown = run_text(manifest(workspace=facts), measured(), width=160)
    assert "Workspace   mode git, revision 0123456789ab; the workspace had changes that" in shown


def real(seq: int, **changes):
    return run_line(seq, run_id=f"RUN-20260131T0930{seq:02d}.000000Z-explorer", **changes)


def recent(runs, width: int) -> list[str]:
    shown = show_text(status(state=folded(runs)), folded(runs), width=width).split("\n")
    start = shown.index("Recent runs, the newest first:") + 1
    return shown[start : start + len(runs) + 1]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_a_narrow_table_of_runs_keeps_the_ids_whole(width):
    runs = [real(n, value=1 / n, params={"optim.rate": n / 7, "depth": n}) for n in (1, 2, 3)]
    lines = recent(runs, width)
    assert all(run.run_id in line for run, line in zip(reversed(runs), lines[1:], strict=True))
    assert "OUTCOME" in lines[0]
    assert "VALUE" in lines[0]
    assert ("PARAMS" in lines[0]) is (width >= 80)
    assert ("STRATEGY" in lines[0]) is (width >= 120)
    if width >= 100:
        assert "rate=0.428571, depth=3" in lines[1]


def test_a_column_that_says_the_same_in_every_row_goes_first():
    runs = [real(n, strategy=("random", "perturb")[n % 2], accepted=True) for n in (1, 2)]
    whole = max(map(wide, recent(runs, 200)))
    head = recent(runs, whole - 1)[0]
    assert "STRATEGY" in head
    assert "BEST?" not in head


def test_names_of_parameters_are_shortened_only_while_they_stay_apart():
    runs = [real(1, params={"a.rate": 1, "b.rate": 2, "c.d.depth": 3, "end.": 4})]
    assert "a.rate=1, b.rate=2, depth=3, end.=4" in recent(runs, 160)[1]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("executor_command: exit status 1: why", " exit status 1: why"),
        ("validation_command: exit status 1", " validation: exit status 1"),
        ("setup_command: exit status 1", " setup: exit status 1"),
        ("no metrics.json", " no metrics.json"),
    ],
)
def test_a_reason_in_a_table_leaves_out_the_command_that_every_run_has(reason, told):
    assert recent([real(1, outcome=Outcome.FAILED, reason=reason)], 160)[1].endswith(told)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_neither_widens_nor_steers_the_terminal(hostile, width):
    _, state, made = hostile_experiment(hostile)
    made = replace(made, last_outcome=hostile)
    run = manifest(role=hostile, note=hostile, reason=hostile, files={hostile: FileDigest("", 1)})
    run = replace(run, workspace={"mode": hostile, "git_revision": hostile, "git_dirty": True})
    metrics = measured(metric=hostile, params={hostile: hostile}, secondary={hostile: 0.5})
    failed = replace(metrics, outcome=Outcome.FAILED, value=None)
    for shown in (
        status_text([made, *several()], width=width),
        experiments_text([made, *several()], width=width),
        show_text(made, state, width=width),
        run_text(run, metrics, width=width),
        run_text(run, failed, width=width, stderr=hostile.encode("utf-8", "replace")),
    ):
        check_readable(shown)
        assert max(map(wide, shown.split("\n"))) <= width


@given(st.integers(40, 200), st.integers(1, 64))
def test_no_line_is_wider_than_the_terminal(width, length):
    made = several()
    made[-1] = replace(made[-1], id="w" * length, blocked_reason="r " * 300)
    state = blocked(Phase.AWAITING_HUMAN)
    for shown in (
        status_text(made, width=width),
        experiments_text(made, width=width),
        show_text(made[-1], state, width=width),
        run_text(manifest(experiment="w" * length), measured(), width=width),
    ):
        assert max(map(wide, shown.split("\n"))) <= width
