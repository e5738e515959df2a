from __future__ import annotations

import os
import stat

import pytest
from crash_harness import power_loss_states, recorded
from run_samples import EXPERIMENT, PLAN, Conveyor, execution_of, planned

from hermes import codec, files
from hermes.errors import Fault
from hermes.layout import PackageLayout
from hermes.model import Manifest


@pytest.fixture
def lab(tmp_path):
    return Conveyor(tmp_path).prepare()


def test_a_published_package_reads_as_it_was_planned(lab):
    draft, folder = lab.plan(1)
    assert folder.folder.name == "exp-000001,a1,one"
    assert lab.packages.read(folder) == draft
    assert folder.run.plan.read_text() == PLAN
    assert folder.run.artifacts.is_dir()
    assert codec.read_record(Manifest, folder.run.manifest.read_bytes()) == draft
    assert lab.packages.stage_of(folder) == "planned"


def test_a_published_package_survives_a_power_cut(tmp_path, lab):
    record = recorded(tmp_path, lambda record: lab.plan(1))
    for state in power_loss_states(record, record.calls, seed=1, randoms=10):
        state.write(tmp_path / "after")
        after = Conveyor(tmp_path / "after")
        (found,) = after.packages.running()
        assert after.packages.stage_of(found.layout) == "planned", state.name
        after.packages.restore(found.layout)
        assert found.layout.run.plan.read_text() == PLAN, state.name


def test_a_package_is_not_published_over_another(lab):
    draft, folder = lab.plan(1)
    with pytest.raises(Fault, match="there already"):
        lab.packages.publish_running(draft, "other", worker="one")
    assert folder.run.plan.read_text() == PLAN
    assert os.listdir(lab.layout.running) == [folder.folder.name]


def test_a_worker_that_is_no_name_is_refused(lab):
    draft = planned()
    with pytest.raises(ValueError, match="not the name"):
        lab.packages.publish_running(draft, PLAN, worker="../out")
    assert os.listdir(lab.layout.running) == []


def test_packages_are_listed_by_experiment_and_strangers_are_not(lab):
    lab.plan(2)
    lab.plan(1)
    other = planned(7, experiment="other")
    lab.packages.publish_running(other, PLAN, worker="w")[1].wait()
    for stranger in ("notes", "exp-000003", ".exp-000004,a1,w.1.0.tmp", "exp-5,a1,w", "a\nb"):
        (lab.layout.running / stranger).mkdir()
    names = [found.name.dispatch_id for found in lab.packages.running()]
    assert names == ["exp-000001", "exp-000002", "other-000007"]
    (found,) = lab.packages.running("other")
    assert found.layout.folder.name == "other-000007,a1,w"


def test_no_packages_are_listed_where_there_is_no_folder(lab):
    lab.layout.running.rmdir()
    assert lab.packages.running() == []
    assert lab.packages.clear_unfinished(EXPERIMENT) == 0
    lab.plan(1)
    assert len(lab.packages.running()) == 1


# Stages


def test_the_stage_follows_from_what_lies_in_the_folder(lab):
    draft, folder = lab.plan(1)
    stages = [lab.packages.stage_of(folder)]
    files.write_new(folder.run.stdout, b"")
    stages.append(lab.packages.stage_of(folder))
    lab.packages.record_execution(folder, execution_of(draft))
    stages.append(lab.packages.stage_of(folder))
    files.remove_tree(folder.run.folder)
    stages.append(lab.packages.stage_of(folder))
    lab.packages.discard(folder)
    stages.append(lab.packages.stage_of(folder))
    assert stages == ["planned", "started", "executed", "empty", "empty"]


@pytest.mark.parametrize("trace", ["run/stderr.log", "run/artifacts/x", "run/.stdout.log.1.0.tmp"])
def test_any_trace_of_the_command_means_that_it_was_started(lab, trace):
    _, folder = lab.plan(1)
    (folder.folder / trace).touch()
    assert lab.packages.stage_of(folder) == "started"


def damages(data: bytes) -> list[bytes]:
    return [b"", data[: len(data) // 2], b"garbage", b"\xff\xfe", b"\0" * len(data), b"[]\n"]


@pytest.mark.parametrize("number", range(7))
def test_a_package_whose_facts_are_damaged_was_never_planned(lab, number):
    _, folder = lab.plan(1)
    data = folder.dispatch.read_bytes()
    folder.dispatch.unlink()
    if number < 6:
        folder.dispatch.write_bytes(damages(data)[number])
    assert lab.packages.stage_of(folder) == "empty"
    assert lab.packages.read(folder) is None


@pytest.mark.parametrize("number", range(9))
def test_what_losing_power_took_of_a_plan_is_made_again(lab, tmp_path, number):
    draft, folder = lab.plan(1)
    plan, data = folder.run.plan, folder.run.plan.read_bytes()
    plan.unlink()
    if number < 6:
        plan.write_bytes(damages(data)[number])
    elif number == 7:
        plan.mkdir()
    elif number == 8:
        plan.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_bytes(data)
    assert lab.packages.stage_of(folder) == "planned"
    lab.packages.restore(folder)
    assert plan.read_bytes() == data
    assert not plan.is_symlink()
    assert stat.S_IMODE(plan.stat().st_mode) == 0o444
    lab.seal(draft, folder, lab.execute(draft, folder))
    assert lab.bundles.verify(EXPERIMENT, draft.run_id) == []


@pytest.mark.parametrize("kind", ["missing", "file", "link", "without a manifest"])
def test_a_plan_that_lost_its_folder_for_the_run_is_whole_all_the_same(lab, tmp_path, kind):
    draft, folder = lab.plan(1)
    if kind == "without a manifest":
        folder.run.manifest.unlink()
    else:
        files.remove_tree(folder.run.folder)
    if kind == "file":
        folder.run.folder.touch()
    elif kind == "link":
        folder.run.folder.symlink_to(tmp_path / "nowhere")
    assert lab.packages.stage_of(folder) == "planned"
    lab.packages.restore(folder)
    assert folder.run.plan.read_text() == PLAN
    assert codec.read_record(Manifest, folder.run.manifest.read_bytes()) == draft
    assert lab.packages.stage_of(folder) == "planned"


@pytest.mark.parametrize("name", ["dispatch.json", "execution.json"])
def test_a_folder_in_the_place_of_a_file_harms_only_its_package(lab, name):
    _, folder = lab.plan(1)
    lab.plan(2)
    files.remove_tree(folder.folder / name)
    (folder.folder / name).mkdir()
    stages = [lab.packages.stage_of(found.layout) for found in lab.packages.running()]
    assert stages == ["planned" if name == "execution.json" else "empty", "planned"]


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": "../../outside"},
        {"dispatch_id": "exp-000002"},
        {"experiment": "other"},
        {"iteration": 2},
    ],
)
def test_parts_that_do_not_belong_together_are_no_package(lab, changes):
    _, folder = lab.plan(1)
    raw = codec.parse_line(folder.dispatch.read_bytes())
    del raw["sum"]
    folder.dispatch.write_bytes(codec.to_line(raw))
    assert lab.packages.read(folder) is not None
    folder.dispatch.write_bytes(codec.to_line({**raw, **changes}))
    assert lab.packages.read(folder) is None


def test_a_package_under_another_name_is_none(lab):
    _, folder = lab.plan(1)
    moved = PackageLayout(folder.folder.with_name("exp-000002,a1,one"))
    folder.folder.rename(moved.folder)
    assert lab.packages.read(moved) is None


# Execution


def test_an_execution_reads_as_it_was_recorded(lab):
    draft, folder = lab.plan(1)
    assert lab.packages.read_execution(folder) is None
    assert lab.packages.record_execution(folder, execution_of(draft))
    assert lab.packages.read_execution(folder) == execution_of(draft)
    again = execution_of(draft, reason="", value=2.0, secondary={})  # shorter
    assert lab.packages.record_execution(folder, again)
    assert lab.packages.read_execution(folder) == again


@pytest.mark.parametrize("number", range(6))
def test_a_torn_execution_counts_as_none(lab, number):
    draft, folder = lab.plan(1)
    lab.packages.record_execution(folder, execution_of(draft))
    files.write_new(folder.run.stdout, b"")
    folder.execution.write_bytes(damages(folder.execution.read_bytes())[number])
    assert lab.packages.read_execution(folder) is None
    assert lab.packages.stage_of(folder) == "started"


def test_an_execution_of_another_run_counts_as_none(lab):
    draft, one = lab.plan(1)
    _, two = lab.plan(2)
    lab.packages.record_execution(one, execution_of(draft))
    two.execution.write_bytes(one.execution.read_bytes())
    assert lab.packages.read_execution(two) is None


def test_an_execution_of_a_package_that_was_taken_is_not_recorded(lab):
    draft, folder = lab.plan(1)
    assert lab.packages.take_over(folder, worker="two") is not None
    assert not lab.packages.record_execution(folder, execution_of(draft))


# Changing hands


def test_a_package_is_taken_over_once(lab):
    _, folder = lab.plan(1)
    ours = lab.packages.take_over(folder, worker="two")
    assert ours.folder.name == "exp-000001,a1,two"
    assert lab.packages.take_over(folder, worker="three") is None
    assert lab.packages.stage_of(ours) == "planned"
    assert lab.packages.take_over(ours, worker="two") == ours


def test_a_package_is_not_taken_over_onto_another_of_its_name(lab):
    _, late = lab.plan(1)
    lab.worker = "two"
    _, ours = lab.plan(1)
    assert lab.packages.take_over(late, worker="two") is None
    assert lab.packages.stage_of(ours) == lab.packages.stage_of(late) == "planned"


def test_a_planned_package_that_is_taken_over_is_durable(tmp_path, lab, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_paths", lambda paths: None)
        folder = lab.plan(1)[1]
    before = recorded(tmp_path, lambda record: None)

    def take(record) -> None:
        lab.packages.take_over(folder, worker="two")

    record = recorded(tmp_path, take)
    assert before.calls == 0
    synced = {what.rpartition("/")[2] for what in record.trace if what.startswith("sync")}
    assert synced >= {"running", "exp-000001,a1,two", "dispatch.json"}


def test_a_survivor_of_the_command_cannot_write_into_detached_logs(lab):
    _, folder = lab.plan(1)
    survivor = os.open(folder.run.stdout, os.O_CREAT | os.O_WRONLY, 0o444)
    os.write(survivor, b"so far\n")
    lab.packages.detach_logs(folder)
    os.write(survivor, b"later\n")
    os.close(survivor)
    assert folder.run.stdout.read_bytes() == b"so far\n"
    assert stat.S_IMODE(folder.run.stdout.stat().st_mode) == 0o444
    assert not folder.run.stderr.exists()


# Clearing away


def test_discarding_leaves_nothing_and_may_be_repeated(lab):
    _, folder = lab.plan(1)
    lab.packages.discard(folder)
    lab.packages.discard(folder)
    assert os.listdir(lab.layout.running) == []


def test_a_package_set_aside_keeps_everything_and_says_why(lab):
    for number in (1, 2):
        _, folder = lab.plan(1)
        kept = lab.packages.set_aside(folder, "its manifest is \udcff damaged")
        assert kept == lab.layout.complete / f"exp-000001,a1,one.set-aside-{number}"
        assert (kept / "reason.txt").read_text() == "its manifest is \\udcff damaged\n"
        assert (kept / "package" / "run" / "plan.md").read_text() == PLAN
    assert os.listdir(lab.layout.running) == []


def test_a_file_that_looks_like_a_package_can_be_set_aside(lab):
    (lab.layout.running / "exp-000001,a1,one").write_text("no folder")
    (found,) = lab.packages.running()
    assert lab.packages.stage_of(found.layout) == "empty"
    kept = lab.packages.set_aside(found.layout, "it is a file")
    assert (kept / "package").read_text() == "no folder"


def test_only_our_own_unfinished_work_is_cleared_away(lab):
    for name in (".exp-000001,a1,one.99.0.tmp", ".exp-2-000001,a1,one.99.0.tmp", ".exp.1.0.tmp"):
        (lab.layout.running / name).mkdir()
    lab.plan(1)
    assert lab.packages.clear_unfinished(EXPERIMENT) == 1
    assert sorted(os.listdir(lab.layout.running)) == [
        ".exp-2-000001,a1,one.99.0.tmp",
        ".exp.1.0.tmp",
        "exp-000001,a1,one",
    ]


# Recycling


def test_a_recycled_folder_carries_the_next_package_without_new_files(lab):
    lab.run(1, artifacts=False)
    (spent,) = lab.layout.running.iterdir()
    inodes = {path.name: path.stat().st_ino for path in spent.iterdir()}
    artifacts = inodes.pop("artifacts")
    draft, folder = lab.plan(2)
    assert {name: (folder.folder / name).stat().st_ino for name in inodes} == inodes
    assert folder.run.artifacts.stat().st_ino == artifacts
    assert not folder.artifacts.exists()
    assert lab.packages.stage_of(folder) == "planned"
    assert lab.packages.read_execution(folder) is None
    lab.seal(draft, folder, lab.execute(draft, folder))
    assert lab.bundles.verify(EXPERIMENT, planned(1).run_id) == []


def test_closing_removes_what_was_kept_for_later(lab):
    lab.run(1)
    lab.packages.close()
    lab.packages.close()
    assert os.listdir(lab.layout.running) == []


def test_a_recycled_folder_with_anything_else_in_it_is_not_used(lab):
    lab.run(1)
    (spent,) = lab.layout.running.iterdir()
    (spent / "run").mkdir()
    (spent / "run" / "old").touch()
    _, folder = lab.plan(2)
    assert not (folder.run.folder / "old").exists()
    assert os.listdir(lab.layout.running) == [folder.folder.name]


@pytest.mark.parametrize("kind", ["file", "link", "filled"])
def test_a_folder_for_artifacts_that_is_no_empty_folder_is_not_used_again(lab, kind, tmp_path):
    lab.run(1, artifacts=False)
    (spent,) = lab.layout.running.iterdir()
    kept = spent / "artifacts"
    if kind == "filled":
        (kept / "late").write_text("by what survived of the run before")
    else:
        kept.rmdir()
        kept.touch() if kind == "file" else kept.symlink_to(tmp_path)
    _, folder = lab.plan(2)
    assert not folder.run.artifacts.is_symlink()
    assert os.listdir(folder.run.artifacts) == []
    assert os.listdir(lab.layout.running) == [folder.folder.name]


def test_a_folder_for_artifacts_with_something_in_it_stays_with_its_run(lab):
    draft, folder = lab.plan(1)
    lab.seal(draft, folder, lab.execute(draft, folder))
    sealed = lab.layout.experiment(EXPERIMENT).run(draft.run_id)
    assert os.listdir(sealed.artifacts) == ["model.bin"]
    assert lab.bundles.verify(EXPERIMENT, draft.run_id) == []
    assert not folder.artifacts.exists()


def test_something_in_the_way_of_an_empty_folder_for_artifacts_harms_nothing(lab):
    draft, folder = lab.plan(1)
    folder.artifacts.mkdir()
    (folder.artifacts / "by-the-command").touch()
    lab.seal(draft, folder, lab.execute(draft, folder, artifacts=False))
    assert lab.bundles.verify(EXPERIMENT, draft.run_id) == []
    _, following = lab.plan(2)
    assert os.listdir(following.run.artifacts) == []


def test_a_recycled_folder_that_others_cleared_away_is_not_missed(lab):
    lab.run(1)
    assert Conveyor(lab.layout.root).packages.clear_unfinished(EXPERIMENT) == 1
    _, folder = lab.plan(2)
    assert lab.packages.stage_of(folder) == "planned"


def test_recycling_what_is_gone_is_fine(lab):
    _, folder = lab.plan(1)
    lab.packages.discard(folder)
    lab.packages.recycle(folder)
    assert os.listdir(lab.layout.running) == []
