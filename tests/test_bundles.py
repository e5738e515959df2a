from __future__ import annotations

import os
import shutil
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from run_samples import (
    EXPERIMENT,
    RESULT,
    Conveyor,
    execution_of,
    faults,
    finished,
    metrics_of,
    planned,
    visible_faults,
)
from test_files import HOSTILE_NAMES

from hermes import codec, files
from hermes.errors import BrokenFile, Fault
from hermes.model import FileDigest, Outcome

FIRST = planned(1).run_id
FOLDER = f"experiments/{EXPERIMENT}/runs/{FIRST}"


@pytest.fixture
def lab(tmp_path):
    return Conveyor(tmp_path).prepare()


def executed(lab, iteration: int = 1):
    """Return a run that waits to be sealed."""
    draft, folder = lab.plan(iteration)
    return draft, folder, lab.execute(draft, folder)


def bundle_of(lab, iteration: int = 1):
    return lab.layout.experiment(EXPERIMENT).run(planned(iteration).run_id)


def verify(lab, **options) -> list[str]:
    return lab.bundles.verify(EXPERIMENT, FIRST, **options)


# Sealing


def test_a_sealed_bundle_names_every_file_and_reads_as_it_was_sealed(lab):
    sealed = lab.run(1)
    assert lab.bundles.list(EXPERIMENT) == [FIRST]
    assert lab.bundles.has(EXPERIMENT, FIRST)
    assert lab.bundles.read(EXPERIMENT, FIRST) == sealed
    assert sealed.sha256 == codec.digest(bundle_of(lab).manifest.read_bytes())
    assert set(sealed.manifest.files) == {
        "RESULT.md", "artifacts/model.bin", "metrics.json", "plan.md", "stderr.log", "stdout.log",
    }  # fmt: skip
    assert bundle_of(lab).result.read_text() == RESULT
    assert sealed.manifest.files["stderr.log"] == FileDigest(codec.digest(b""), 0)
    assert verify(lab, expected_sha256=sealed.sha256) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_sealed_files_are_read_only_whatever_the_umask(lab, umask):
    draft, folder, execution = executed(lab)
    (folder.run.artifacts / "tool").touch(mode=0o4755)
    before = os.umask(umask)
    try:
        lab.seal(draft, folder, execution)
    finally:
        os.umask(before)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in bundle_of(lab).folder.rglob("*")
        if path.is_file()
    }
    assert set(modes.values()) == {0o444}
    assert set(modes) >= {"manifest.json", "tool", "stdout.log"}


def test_a_fenced_out_owner_cannot_seal(lab):
    draft, folder, execution = executed(lab)
    assert lab.seal(draft, folder, execution, ours=False) is None
    assert lab.bundles.list(EXPERIMENT) == []
    assert lab.seal(draft, folder, execution) is not None


def test_a_fenced_out_owner_is_not_told_of_a_run_that_another_sealed(lab):
    draft, folder, execution = executed(lab)
    shutil.copytree(folder.folder, lab.layout.root / "copy")
    lab.seal(draft, folder, execution)
    lab.packages.close()
    shutil.copytree(lab.layout.root / "copy", folder.folder)
    assert lab.seal(draft, folder, execution, ours=False) is None


def test_the_fence_is_entered_when_all_else_is_done(lab):
    draft, folder, execution = executed(lab)
    seen = []

    class Watch:
        def __enter__(self) -> bool:
            seen.append(sorted(os.listdir(folder.run.folder)))
            return True

        def __exit__(self, *error: object) -> None:
            seen.append(lab.bundles.list(EXPERIMENT))

    final = finished(draft, execution, 1, None)
    closed = lab.bundles.close(folder, final, metrics_of(draft, execution), RESULT)
    lab.bundles.publish(closed, fence=Watch())
    assert "manifest.json" in seen[0]
    assert seen[1] == [FIRST]


def test_an_error_of_the_fence_leaves_a_run_that_can_be_sealed(lab):
    draft, folder, execution = executed(lab)

    class Busy:
        def __enter__(self) -> bool:
            raise TimeoutError("busy")

        def __exit__(self, *error: object) -> None:
            raise AssertionError("never entered")

    final, metrics = finished(draft, execution, 1, None), metrics_of(draft, execution)
    with pytest.raises(TimeoutError):
        lab.bundles.publish(lab.bundles.close(folder, final, metrics, RESULT), fence=Busy())
    sealed = lab.seal(draft, folder, execution)
    assert sealed is not None
    assert verify(lab, expected_sha256=sealed.sha256) == []


def test_sealing_twice_gives_the_first_bundle(lab):
    draft, folder, execution = executed(lab)
    shutil.copytree(folder.folder, lab.layout.root / "copy")
    first = lab.seal(draft, folder, execution)
    lab.packages.close()
    shutil.copytree(lab.layout.root / "copy", folder.folder)
    other = replace(execution, value=3.0)
    assert lab.seal(draft, folder, other) == first
    assert lab.bundles.read(EXPERIMENT, FIRST) == first


def test_two_runs_of_one_name_are_a_fault(lab):
    lab.run(1)
    draft, folder = lab.plan(2, at=1)
    with pytest.raises(Fault, match="two runs"):
        lab.seal(draft, folder, lab.execute(draft, folder))
    assert folder.run.folder.exists()


def test_an_owner_whose_package_was_taken_publishes_nothing(lab):
    draft, folder, execution = executed(lab)
    ours = lab.packages.take_over(folder, worker="two")
    assert lab.seal(draft, folder, execution) is None
    assert not folder.folder.exists()
    assert lab.seal(draft, ours, execution) is not None


def test_a_command_that_removed_the_folder_of_its_run_is_still_recorded(lab):
    draft, folder, execution = executed(lab)
    shutil.rmtree(folder.run.folder)
    sealed = lab.seal(draft, folder, execution)
    assert set(sealed.manifest.files) == {"RESULT.md", "metrics.json"}
    assert verify(lab) == []


def test_missing_runs_are_made_again_but_not_a_missing_experiment(lab):
    lab.layout.experiment(EXPERIMENT).runs.rmdir()
    assert lab.run(1) is not None
    draft, folder, execution = executed(lab, 2)
    shutil.rmtree(lab.layout.experiments)
    with pytest.raises(FileNotFoundError):
        lab.seal(draft, folder, execution)
    assert not lab.layout.experiments.exists()


# What is part of a bundle


def test_artifacts_with_hostile_names_are_sealed(lab):
    draft, folder, execution = executed(lab)
    for name in HOSTILE_NAMES:
        deep = folder.run.artifacts / name[:100] / name[:100]
        deep.mkdir(parents=True)
        (deep / name).write_text(name, errors="surrogateescape")
    sealed = lab.seal(draft, folder, execution)
    paths = {f"artifacts/{name[:100]}/{name[:100]}/{name}" for name in HOSTILE_NAMES}
    assert paths < set(sealed.manifest.files)
    assert lab.bundles.read(EXPERIMENT, FIRST) == sealed
    assert verify(lab) == []
    bundle_of(lab).manifest.read_bytes().decode("utf-8")


def test_what_is_no_file_is_left_out_and_named(lab, tmp_path):
    draft, folder, execution = executed(lab)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    artifacts = folder.run.artifacts
    (artifacts / "link").symlink_to(outside / "secret")
    (artifacts / "folder link").symlink_to(outside)
    (artifacts / "dangling\nlink").symlink_to("nowhere")
    os.mkfifo(artifacts / "pipe")
    (artifacts / "empty" / "nested").mkdir(parents=True)
    (folder.run.folder / ".unfinished.1.0.tmp").touch()
    here = os.getcwd()
    os.chdir(artifacts)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    os.chdir(here)
    sealed = lab.seal(draft, folder, execution)
    assert sealed.manifest.workspace["left_out"] == [
        "artifacts/dangling\\nlink: a symbolic link",
        "artifacts/empty/nested: an empty folder",
        "artifacts/empty: an empty folder",
        "artifacts/folder link: a symbolic link",
        "artifacts/link: a symbolic link",
        "artifacts/pipe: a pipe",
        "artifacts/socket: a socket",
    ]
    assert sealed.manifest.workspace["mode"] == "copy"
    assert os.listdir(bundle_of(lab).artifacts) == ["model.bin"]
    assert not any(name.endswith(".tmp") for name in sealed.manifest.files)
    assert (outside / "secret").read_text() == "secret"
    assert verify(lab) == []


def test_an_empty_folder_for_artifacts_is_no_part_of_the_bundle_and_harms_none(lab):
    draft, folder, execution = executed(lab)
    files.remove(folder.run.artifacts / "model.bin")
    sealed = lab.seal(draft, folder, execution)
    assert "left_out" not in sealed.manifest.workspace
    assert not bundle_of(lab).artifacts.exists()
    assert verify(lab) == []
    bundle_of(lab).artifacts.mkdir()  # as earlier versions sealed it
    assert verify(lab) == []


def test_what_is_nested_too_deep_is_left_out(lab):
    draft, folder, execution = executed(lab)
    here = os.getcwd()
    os.chdir(folder.run.artifacts)
    try:
        for _ in range(70):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        Path("file").touch()
    finally:
        os.chdir(here)
    sealed = lab.seal(draft, folder, execution)
    assert any(note.endswith("too deep") for note in sealed.manifest.workspace["left_out"])
    assert os.listdir(bundle_of(lab).artifacts) == ["model.bin"]
    assert verify(lab) == []
    files.remove_tree(folder.run.artifacts)  # pytest cannot remove what is so deep


def test_thousands_of_artifacts_are_sealed(lab):
    draft, folder, execution = executed(lab)
    for number in range(2500):
        (folder.run.artifacts / str(number)).write_text(str(number))
    assert len(lab.seal(draft, folder, execution).manifest.files) == 2506
    assert verify(lab) == []


def test_a_file_that_has_another_name_outside_becomes_our_own(lab, tmp_path):
    draft, folder, execution = executed(lab)
    theirs = tmp_path / "workspace.txt"
    theirs.write_text("sealed")
    os.link(theirs, folder.run.artifacts / ("n" * 255))
    lab.seal(draft, folder, execution)
    theirs.write_text("changed later")
    assert stat.S_IMODE(theirs.stat().st_mode) & 0o200
    assert verify(lab) == []


@pytest.mark.parametrize("name", ["RESULT.md", "metrics.json", "manifest.json"])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "folder link"])
def test_the_lab_writes_its_own_files_whatever_the_command_left_there(lab, tmp_path, name, kind):
    draft, folder, execution = executed(lab)
    path = folder.run.folder / name
    files.remove(path)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("theirs")
    if kind == "file":
        path.write_text("from the command")
    elif kind == "folder":
        (path / "below").mkdir(parents=True)
        (path / "below" / "file").touch()
    else:
        path.symlink_to(tmp_path / "victim" / ("file" if kind == "link" else ""))
    sealed = lab.seal(draft, folder, execution)
    assert sealed.metrics.value == execution.value
    assert lab.bundles.read(EXPERIMENT, FIRST) == sealed
    assert (tmp_path / "victim" / "file").read_text() == "theirs"
    assert verify(lab) == []


def test_a_run_folder_that_became_a_link_is_not_followed(lab, tmp_path):
    draft, folder, execution = executed(lab)
    victim = tmp_path / "victim"
    folder.run.folder.rename(victim)
    folder.run.folder.symlink_to(victim)
    assert lab.seal(draft, folder, execution) is not None
    assert not bundle_of(lab).folder.is_symlink()
    assert not (victim / "RESULT.md").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_its_owner_may_not_read_is_made_readable(lab):
    draft, folder, execution = executed(lab)
    (folder.run.artifacts / "model.bin").chmod(0)
    assert "artifacts/model.bin" in lab.seal(draft, folder, execution).manifest.files


def test_a_file_that_cannot_be_read_is_left_out(lab, monkeypatch):
    from hermes.store import inventory

    draft, folder, execution = executed(lab)
    digest_file = inventory.digest_file

    def refuse(path: str) -> FileDigest:
        if path.endswith("model.bin"):
            raise PermissionError(13, "not yours")
        return digest_file(path)

    monkeypatch.setattr(inventory, "digest_file", refuse)
    sealed = lab.seal(draft, folder, execution)
    monkeypatch.undo()
    assert sealed.manifest.workspace["left_out"] == [
        "artifacts/model.bin: a file that cannot be read"
    ]
    assert verify(lab) == []


def test_what_a_crashed_attempt_left_out_is_still_named(lab, monkeypatch):
    draft, folder, execution = executed(lab)
    (folder.run.artifacts / "link").symlink_to("nowhere")

    def cut(paths) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "Syncing", cut)
        with pytest.raises(KeyboardInterrupt):
            lab.seal(draft, folder, execution)
    assert not os.path.lexists(folder.run.artifacts / "link")
    sealed = lab.seal(draft, folder, execution)
    assert sealed.manifest.workspace["left_out"] == ["artifacts/link: a symbolic link"]


# Reading


def test_hostile_names_never_become_paths(lab):
    lab.run(1)
    for run in ("..", "../../../etc", "RUN-x", f"{FIRST}/", f"{FIRST}\n", "", f"../runs/{FIRST}"):
        assert not lab.bundles.has(EXPERIMENT, run)
        with pytest.raises(ValueError, match="not the name of a run"):
            lab.bundles.read(EXPERIMENT, run)
    with pytest.raises(ValueError, match="not the name of a run"):
        lab.bundles.read("../exp", FIRST)
    hostile = replace(planned(2), run_id="../../../outside")
    with pytest.raises(ValueError, match="not the name of a run"):
        lab.bundles.close(lab.plan(2)[1], hostile, metrics_of(hostile, execution_of(hostile)), "")


def test_strangers_among_the_runs_are_not_listed(lab):
    lab.run(1)
    for name in ("notes", ".RUN.1.0.tmp", "RUN-1"):
        (lab.layout.experiment(EXPERIMENT).runs / name).mkdir()
    assert lab.bundles.list(EXPERIMENT) == [FIRST]
    assert lab.bundles.list("nobody") == []


def spoil(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json"])
@pytest.mark.parametrize("data", [b"", b"{}", b"garbage", b"\xff", b'{"seq": NaN}', b"[1]"])
def test_a_broken_bundle_harms_only_itself(lab, name, data):
    lab.run(1)
    lab.run(2)
    path = bundle_of(lab).folder / name
    spoil(path, data)
    with pytest.raises(BrokenFile) as error:
        lab.bundles.read(EXPERIMENT, FIRST)
    assert error.value.path == str(path)
    kinds = [type(found).__name__ for found in lab.bundles.read_all(EXPERIMENT)]
    assert kinds == ["BrokenFile", "SealedBundle"]


def test_a_bundle_whose_files_are_missing_or_folders_is_broken(lab):
    lab.run(1)
    bundle = bundle_of(lab)
    bundle.metrics.unlink()
    with pytest.raises(BrokenFile, match="is missing"):
        lab.bundles.read(EXPERIMENT, FIRST)
    bundle.manifest.unlink()
    bundle.manifest.mkdir()
    with pytest.raises(BrokenFile, match="cannot be read"):
        lab.bundles.read(EXPERIMENT, FIRST)


def test_metrics_that_were_changed_are_not_believed(lab):
    lab.run(1)
    metrics = bundle_of(lab).metrics
    spoil(metrics, metrics.read_bytes().replace(b"1001.0", b"9999.0"))
    with pytest.raises(BrokenFile, match="not the file that its manifest names"):
        lab.bundles.read(EXPERIMENT, FIRST)


def test_the_manifest_of_another_run_or_of_a_draft_is_broken(lab):
    lab.run(1)
    lab.run(2)
    spoil(bundle_of(lab).manifest, bundle_of(lab, 2).manifest.read_bytes())
    with pytest.raises(BrokenFile, match="another run"):
        lab.bundles.read(EXPERIMENT, FIRST)
    spoil(bundle_of(lab).manifest, codec.to_json(planned(1)))
    with pytest.raises(BrokenFile, match="draft"):
        lab.bundles.read(EXPERIMENT, FIRST)


# Verifying


def names_in(lab) -> list[str]:
    folder = bundle_of(lab).folder
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_verify_names_the_file(lab):
    """Every byte of every file, the manifest among them: changed, it and nothing else is named."""
    sealed = lab.run(1)
    folder = bundle_of(lab).folder
    for name in names_in(lab):
        path = folder / name
        data = path.read_bytes()
        for place in {0, len(data) // 2, len(data) - 1} if data else set():
            changed = bytearray(data)
            changed[place] ^= 1
            spoil(path, bytes(changed))
            problems = verify(lab, expected_sha256=sealed.sha256)
            assert len(problems) == 1, (name, place)
            assert problems[0].startswith(f"{FOLDER}/{name}: "), problems
        spoil(path, data)
    assert verify(lab, expected_sha256=sealed.sha256) == []


def test_verify_names_what_is_shorter_longer_missing_or_added(lab):
    lab.run(1)
    folder = bundle_of(lab).folder
    for name in set(names_in(lab)) - {"manifest.json"}:
        data = (folder / name).read_bytes()
        spoil(folder / name, data + b"x")
        expected = f"{FOLDER}/{name}: changed: {len(data) + 1} bytes, not {len(data)}"
        assert verify(lab) == [expected]
        (folder / name).unlink()
        assert verify(lab) == [f"{FOLDER}/{name}: missing"]
        (folder / name).write_bytes(data)
    (folder / "artifacts" / "new\nname").touch()
    assert verify(lab) == [f"{FOLDER}/artifacts/new\\nname: added"]


def test_verify_names_a_missing_manifest(lab):
    lab.run(1)
    bundle_of(lab).manifest.unlink()
    assert verify(lab) == [f"{FOLDER}/manifest.json: is missing"]


def test_verify_names_added_folders_and_links(lab, tmp_path):
    lab.run(1)
    bundle = bundle_of(lab)
    (bundle.folder / "empty" / "nested").mkdir(parents=True)
    os.mkfifo(bundle.folder / "pipe")
    assert verify(lab) == [
        f"{FOLDER}/pipe: added: a pipe",
        f"{FOLDER}/empty: added: an empty folder",
        f"{FOLDER}/empty/nested: added: an empty folder",
    ]


def test_verify_names_a_file_replaced_by_a_link_to_the_same_content(lab, tmp_path):
    lab.run(1)
    bundle = bundle_of(lab)
    for path in (bundle.stdout, bundle.manifest, bundle.artifacts):
        moved = tmp_path / f"moved {path.name}"
        path.rename(moved)
        path.symlink_to(moved)
        problems = verify(lab)
        assert any(p.startswith(f"{FOLDER}/{path.name}: ") and "link" in p for p in problems)
        path.unlink()
        moved.rename(path)
    assert verify(lab) == []
    bundle.folder.rename(tmp_path / "moved")
    bundle.folder.symlink_to(tmp_path / "moved")
    assert verify(lab) == [f"{FOLDER}: changed: a symbolic link"]


def test_a_manifest_that_names_files_elsewhere_opens_none_of_them(lab):
    lab.run(1)
    manifest = lab.bundles.read(EXPERIMENT, FIRST).manifest
    named = {**manifest.files, "../../../../outside": FileDigest("0" * 64, 1)}
    spoil(bundle_of(lab).manifest, codec.to_json(replace(manifest, files=named)))
    assert verify(lab) == [f"{FOLDER}/../../../../outside: missing"]


def test_a_changed_manifest_shows_in_the_index_and_in_the_chain(lab):
    first = lab.run(1)
    lab.run(2)
    path = bundle_of(lab).manifest
    spoil(path, path.read_bytes().replace(b'"seed": 7', b'"seed": 8'))
    assert verify(lab) == []
    assert verify(lab, expected_sha256=first.sha256) == [
        f"{FOLDER}/manifest.json: changed: the index has another digest of it"
    ]
    (problem,) = lab.bundles.verify_chain(EXPERIMENT)
    assert problem.startswith(f"{FOLDER}/manifest.json: changed since {planned(2).run_id}")


# The chain


def test_a_whole_chain_has_no_problems(lab):
    assert lab.bundles.verify_chain(EXPERIMENT) == []
    for iteration in (1, 2, 3):
        lab.run(iteration)
    assert lab.bundles.verify_chain(EXPERIMENT) == []


def test_a_removed_run_leaves_a_gap(lab):
    for iteration in (1, 2, 3):
        lab.run(iteration)
    shutil.rmtree(bundle_of(lab, 2).folder)
    (problem,) = lab.bundles.verify_chain(EXPERIMENT)
    assert f"{planned(3).run_id}/manifest.json: has seq 3 after 1" in problem
    shutil.rmtree(bundle_of(lab, 1).folder)
    (problem,) = lab.bundles.verify_chain(EXPERIMENT)
    assert "has seq 3 after 0" in problem


def reseal(lab, iteration: int, **changes) -> None:
    path = bundle_of(lab, iteration).manifest
    manifest = lab.bundles.read(EXPERIMENT, planned(iteration).run_id).manifest
    spoil(path, codec.to_json(replace(manifest, **changes)))


def test_a_repeated_seq_and_a_first_run_with_a_forerunner_are_named(lab):
    lab.run(1)
    lab.run(2)
    reseal(lab, 2, seq=1)
    (problem,) = lab.bundles.verify_chain(EXPERIMENT)
    assert problem.endswith(f"{planned(2).run_id}/manifest.json: has the seq of {FIRST}: 1")
    shutil.rmtree(bundle_of(lab, 2).folder)
    reseal(lab, 1, previous_sha256="e" * 64)
    assert len(lab.bundles.verify_chain(EXPERIMENT)) == 1


def test_the_chain_names_broken_bundles_and_strangers(lab):
    lab.run(1)
    spoil(bundle_of(lab).manifest, b"garbage")
    (lab.layout.experiment(EXPERIMENT).runs / "notes").mkdir()
    problems = lab.bundles.verify_chain(EXPERIMENT)
    assert problems[0] == f"experiments/{EXPERIMENT}/runs/notes: added: not the name of a run"
    assert problems[1].startswith(f"{FOLDER}/manifest.json: ")


def test_an_interrupted_run_is_sealed_without_a_number(lab):
    draft, folder = lab.plan(1)
    files.write_new(folder.run.stdout, b"so far\n", mode=0o444)
    lab.go_on(2)
    assert faults(lab.layout.root, 2) == []
    assert visible_faults(lab.layout.root) == []
    run = lab.bundles.read(EXPERIMENT, draft.run_id)
    assert (run.metrics.outcome, run.metrics.value) == (Outcome.INTERRUPTED, None)
    assert bundle_of(lab).stdout.read_bytes() == b"so far\n"
