from __future__ import annotations

import shutil

import pytest
from labs import PROJECTED, a_lab, an_experiment, burst, hermes, lines, views

from hermes import codec, history
from hermes.cli.request import idle
from hermes.model import DERIVED_VERSION
from hermes.rules.view import View
from hermes.steps.project import differing, project, project_lab, read_index, signature
from hermes.steps.refresh import refresh

pytestmark = pytest.mark.usefixtures("blocks_of_two")


@pytest.fixture
def lab(tmp_path):
    lab = a_lab(tmp_path / "lab-data")
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 4)
    return lab


def test_refresh_rebuilds_byte_for_byte(lab):
    before = views(lab)
    for name in before:
        (lab.layout.root / name).write_text("something else")
    shutil.rmtree(lab.layout.experiment("exp").checkpoints)
    assert refresh(lab).problems == ()
    assert views(lab) == before


def test_a_checkpoint_that_does_not_fit_is_left_aside(lab):
    before = views(lab)
    state = lab.layout.experiment("exp").state
    state.write_bytes(state.read_bytes().replace(b'"run_count":4', b'"run_count":7'))
    assert views_after_project(lab) == before
    metrics = lab.layout.experiment("exp").metrics
    kept = metrics.read_bytes()
    metrics.write_bytes(kept[: kept.rindex(b"\n", 0, -1) + 1])
    assert views_after_project(lab) == before
    assert metrics.read_bytes() == kept  # the bundle has all that the line told
    shutil.rmtree(lab.layout.experiment("exp").runs / lab.bundles.list("exp")[-1])
    metrics.write_bytes(kept[: kept.rindex(b"\n", 0, -1) + 1])
    assert b'"run_count": 3' in views_after_project(lab)["experiments/exp/STATUS.json"]


def as_another_version_wrote_it(lab, change):
    """Write the checkpoint anew as a whole line, with one fact of the state that is not so."""
    state = lab.layout.experiment("exp").state
    raw = codec.parse_line(state.read_bytes())
    del raw["sum"]
    raw["state"]["run_count"] = 7
    change(raw)
    state.write_bytes(codec.to_line(raw))


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.pop("derived_version"),
        lambda raw: raw.update(derived_version=raw["derived_version"] - 1),
        lambda raw: raw.update(derived_version=raw["derived_version"] + 1),
        lambda raw: raw.update(state={"direction": "minimize"}, derived_version=0),
        lambda raw: raw["state"].pop("direction"),
    ],
    ids=["unnumbered", "older", "newer", "short", "without a field"],
)
def test_a_checkpoint_of_another_version_is_folded_anew(lab, change):
    before, state = views(lab), lab.layout.experiment("exp").state.read_bytes()
    as_another_version_wrote_it(lab, change)
    assert not history.read(lab, "exp").resumed
    assert views_after_project(lab) == before
    assert lab.layout.experiment("exp").state.read_bytes() == state


def test_a_checkpoint_of_this_version_is_what_the_fold_goes_on_from(lab):
    as_another_version_wrote_it(lab, lambda raw: None)
    past = history.read(lab, "exp")
    assert past.resumed
    assert past.state.run_count == 7


def views_after_project(lab):
    project(lab, "exp")
    project_lab(lab, {"exp"})
    return views(lab)


def test_a_block_is_there_as_soon_as_its_runs_are_and_a_damaged_one_is_named(lab):
    layout = lab.layout.experiment("exp")
    assert [layout.block(last).is_file() for last in (2, 4, 6)] == [True, True, False]
    burst(lab, "exp", 1)
    assert not layout.block(6).exists()
    burst(lab, "exp", 1)
    before = views(lab)
    assert layout.block(6).is_file()
    assert differing(lab, "exp") == []
    layout.block(4).write_bytes(before[str(layout.block(4).relative_to(lab.layout.root))][:-30])
    assert layout.block(4) in differing(lab, "exp")
    assert refresh(lab).problems == ()
    assert differing(lab, "exp") == []
    assert views(lab) == before


def test_a_history_with_a_gap_has_no_blocks_and_goes_on(lab):
    layout = lab.layout.experiment("exp")
    gone = lab.bundles.list("exp")[1]
    metrics = layout.metrics.read_bytes().splitlines(keepends=True)
    shutil.rmtree(layout.runs / gone)
    layout.metrics.write_bytes(b"".join(line for line in metrics if gone.encode() not in line))
    shutil.rmtree(layout.checkpoints)
    burst(lab, "exp", 3)
    assert [line.seq for line in lines(lab)] == [1, 3, 4, 5, 6, 7]
    assert not [*layout.checkpoints.glob("trials-*")]
    assert len(list(lab.index("exp").trials())) == 6
    assert differing(lab, "exp") == []


def test_projecting_again_touches_no_file(lab):
    stamps = {
        name: (lab.layout.root / name).stat().st_mtime_ns for name in views_after_project(lab)
    }
    views_after_project(lab)
    assert stamps == {name: (lab.layout.root / name).stat().st_mtime_ns for name in stamps}


def test_a_run_that_is_sealed_while_projecting_leaves_the_projection_stale(lab, monkeypatch):
    """The stamps are taken before the reading; what comes in between must not be thought seen."""
    read = history.read

    def read_and_meanwhile(lab_, experiment):
        past = read(lab_, experiment)
        monkeypatch.undo()
        with lab.layout.experiment("exp").journal.open("ab") as stream:
            stream.write(b"\n")
        return past

    monkeypatch.setattr(history, "read", read_and_meanwhile)
    projected = project(lab, "exp")
    assert projected.signature != signature(lab.layout.experiment("exp"))


def test_a_projection_of_the_lab_that_was_cut_off_shows(lab, tmp_path):
    root = lab.layout.root
    assert hermes(root, "status").returncode == 0
    index = lab.layout.lab_index.read_bytes()
    burst(lab, "exp", 1)
    assert hermes(root, "status").returncode == 0
    lab.layout.lab_index.write_bytes(index)  # as if the process had died before the lab's turn
    assert not view(lab).lab_is_fresh
    assert hermes(root, "status").returncode == 0
    assert read_index(lab)["exp"].run_count == 5
    assert view(lab).lab_is_fresh


def view(lab):
    request = idle({"HERMES_LAB_DATA_ROOT": str(lab.layout.root)}, lab.layout.root.parent)
    return View(request)


@pytest.mark.parametrize("change", ["nothing", "journal", "metrics", "spec", *PROJECTED])
def test_the_view_and_doit_agree_on_what_is_stale(lab, change):
    root, layout = lab.layout.root, lab.layout.experiment("exp")
    assert hermes(root, "status").returncode == 0
    if change in PROJECTED:
        (layout.folder / change).unlink()
    elif change == "metrics":
        burst_without_projecting(lab)
    elif change == "journal":
        lab.journal("exp").append(at=lab.now(), intent=note(), by="human", after_runs=4)
    elif change == "spec":
        layout.spec.write_bytes(layout.spec.read_bytes() + b"\n")
    listed = hermes(root, "list", "--all", "--status").stdout.splitlines()
    (row,) = [line for line in listed if " project:exp " in line]
    assert row.startswith("U" if change == "nothing" else "R"), row
    assert view(lab).stale == ([] if change == "nothing" else ["exp"])


def note():
    from hermes.decisions import Intent

    return Intent.NOTE


def test_what_another_version_derived_is_derived_anew(lab, monkeypatch):
    root, layout = lab.layout.root, lab.layout.experiment("exp")
    assert hermes(root, "status").returncode == 0
    assert view(lab).stale == []
    with monkeypatch.context() as patch:
        patch.setattr("hermes.steps.project.DERIVED_VERSION", 999)
        assert view(lab).stale == ["exp"]
    database = lab.layout.task_database
    recorded = database.read_bytes().splitlines(keepends=True)
    older = [line for line in recorded if b'"project:exp"' in line][-1]
    raw = codec.parse_line(older)
    del raw["sum"]
    text = codec.to_json(raw).replace(b"[%d]" % DERIVED_VERSION, b"[0]")
    database.write_bytes(b"".join(recorded) + codec.to_line(codec.from_json(text)))
    layout.blackboard.write_bytes(b"of another form")
    assert hermes(root, "status").returncode == 0
    assert layout.blackboard.read_bytes() != b"of another form"
    assert view(lab).stale == []


def burst_without_projecting(lab):
    from hermes.modes.loop import Tally, iterate
    from hermes.steps.opening import opened
    from hermes.steps.session import Order

    with opened(lab, "exp", Order(attended=True)) as session:
        iterate(session, Tally(), 1, on_run=lambda line: None)
    assert len(lines(lab)) == 5
