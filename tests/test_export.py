"""Holds ``hermes.steps.export``: the kept changes are a series that ``git am`` takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from labs import burst, hermes, lines
from promoting import content, expected, prepared
from records import run_line
from test_branch import git

from hermes.errors import BrokenFile, RequestError
from hermes.measured import Code
from hermes.render.commit_text import Change, mail, message, subject
from hermes.steps.export import export_patches

CODE = Code("e" * 16, "c" * 64, "RUN-000001-worker", "make it faster", 7.0, 3, 1)

DATE = "Thu, 01 Jan 2026 00:00:00 +0000"


def taken(root: Path, patches: list[Path], into: Path) -> Path:
    """Clone the workspace and let ``git am`` take the patches."""
    git(root.parent, "clone", "-q", "-b", "main", str(root), str(into))
    git(into, "am", "-q", "--keep-cr", *map(str, patches))
    return into


@pytest.mark.parametrize("strategy", ["patch-only", "commit-on-accept"])
def test_git_am_of_the_series_gives_the_incumbents_tree(tmp_path: Path, strategy: str) -> None:
    lab, root = prepared(tmp_path, strategy, repository=True)
    burst(lab, "exp", 4)
    patches = export_patches(lab, "exp", tmp_path / "out")
    assert [path.name[:5] for path in patches] == ["0001-", "0002-", "0003-"]
    clone = taken(root, patches, tmp_path / "clone")
    assert content(clone) == expected(7)
    accepted = lines(lab)[1:]
    form = "--format=%s|%(trailers:key=Hermes-Run,valueonly,separator=)|%an <%ae>"
    assert git(clone, "log", "--reverse", form, "origin/main..").splitlines() == [
        f"hermes/exp: value {value} → {value - 1}|{line.run_id}|Ada <ada@example.org>"
        for value, line in zip((10, 9, 8), accepted, strict=True)
    ]
    dates = git(clone, "log", "--reverse", "--format=%ad", "--date=iso-strict", "origin/main..")
    assert [date[:19] for date in dates.splitlines()] == [x.completed_at[:19] for x in accepted]
    assert "7 is less than 8" in git(clone, "log", "-1", "--format=%b")
    if strategy == "commit-on-accept":
        same = "--format=%B"
        assert git(clone, "log", same, "origin/main..") == git(
            root, "log", same, "main..hermes/exp"
        )


def test_the_series_goes_on_over_a_new_baseline(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, "patch-only", repository=True)
    burst(lab, "exp", 2)
    (root / "measure.sh").write_text("# measured in another way\ncat value.txt\n")
    git(root, "commit", "-qam", "another evaluator")
    burst(lab, "exp", 2)
    assert [line.accepted for line in lines(lab)] == [True] * 4
    patches = export_patches(lab, "exp", tmp_path / "out")
    assert len(patches) == 2
    clone = taken(root, patches, tmp_path / "clone")
    assert content(clone)["value.txt"] == expected(8)["value.txt"]


def test_without_a_kept_change_or_room_nothing_is_written(tmp_path: Path) -> None:
    lab, _ = prepared(tmp_path, "patch-only", repository=False)
    with pytest.raises(RequestError, match="no accepted change"):
        export_patches(lab, "exp", tmp_path / "out")
    burst(lab, "exp", 1)
    with pytest.raises(RequestError, match="no accepted change"):
        export_patches(lab, "exp", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    burst(lab, "exp", 1)
    with pytest.raises(RequestError, match="is not empty"):
        export_patches(lab, "exp", tmp_path)
    with pytest.raises(RequestError, match="is no folder"):
        export_patches(lab, "exp", tmp_path / "exp.yaml")


def test_a_patch_that_was_changed_is_not_handed_out(tmp_path: Path) -> None:
    lab, _ = prepared(tmp_path, "patch-only", repository=False)
    burst(lab, "exp", 2)
    path = lab.layout.experiment("exp").run(lines(lab)[-1].run_id).patch
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BrokenFile, match="not the file that its manifest names"):
        export_patches(lab, "exp", tmp_path / "out")


def test_the_command_says_how_to_go_on_and_refuses_other_formats(tmp_path: Path) -> None:
    lab, _ = prepared(tmp_path, "patch-only", repository=True)
    burst(lab, "exp", 2)
    root = lab.layout.root
    done = hermes(root, "export", "exp=exp", "out=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"Wrote 1 patch(es) to {tmp_path}/out.",
        f"Next: git am --keep-cr {tmp_path}/out/*.patch",
    ]
    wrong = hermes(root, "export", "exp=exp", "out=other", "format=patch", cwd=tmp_path)
    assert wrong.returncode == 3
    assert "patches" in wrong.stderr


# The texts


def a_change(hypothesis: str = "make it faster", metric: str = "loss", **fields) -> Change:
    line = run_line(2, value=7.0, accepted=True, code=replace(CODE, hypothesis=hypothesis))
    return Change("exp", metric, replace(line, **fields), 8.0)


def test_a_message_has_the_numbers_the_hypothesis_and_the_run() -> None:
    assert message(a_change()) == (
        "hermes/exp: loss 8 → 7\n\n"
        "Iteration 2 of tier default: loss is 7.0, it was 8.0.\n3 lines added, 1 removed.\n\n"
        "make it faster\n\nHermes-Run: RUN-000002-worker\n"
    )
    assert subject(replace(a_change(), before=None)) == "hermes/exp: loss - → 7"


@pytest.mark.parametrize(
    "hypothesis",
    [
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+evil",
        "---\nnot shown",
        "From nobody Mon Sep 17 00:00:00 2001\nFrom: x\nSubject: y\n\nbody",
        "Hermes-Run: RUN-of-somebody-else",
        "one\n\nHermes-Run: RUN-of-somebody-else\n\n",
        "\x00\x1b[31m red \ud800 漢\r\nSubject: z",
        "Index: x",
    ],
)
def test_no_word_of_an_agent_is_taken_for_more(tmp_path: Path, hypothesis: str) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "first")
    patch = b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..7898192\n--- /dev/null\n"
    patch += b"+++ b/f\n@@ -0,0 +1 @@\n+a\n"
    author = ("Ada Ü", "a@example.org")
    change = a_change(hypothesis)
    (tmp_path / "1.patch").write_bytes(
        mail(change, patch, number=1, count=1, author=author, date=DATE)
    )
    git(root, "am", "-q", "--keep-cr", str(tmp_path / "1.patch"))
    assert git(root, "ls-files") == "f"
    run = git(root, "log", "-1", "--format=%(trailers:key=Hermes-Run,valueonly)")
    assert run == "RUN-000002-worker"
    said = git(root, "log", "-1", "--format=%B").split("\n")
    assert said == message(change).encode("utf-8", "replace").decode().rstrip().split("\n")
    assert git(root, "log", "-1", "--format=%an %s") == f"Ada Ü {subject(change)}"
