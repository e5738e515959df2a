"""Holds ``hermes.steps.promote``: accepted changes reach the user, whole, and once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from crash_harness import points, run_killed
from labs import a_lab, burst, lines
from promoting import a_loop, content, expected, make_workspace, prepared, promotions
from test_branch import git, tree_of
from test_patch import a_file, write

from hermes import history
from hermes.executing import git_workspace, workspaces
from hermes.executing.applying import mark_of
from hermes.executing.desk import EDITING
from hermes.executing.workspaces import Workspaces
from hermes.lab import Lab
from hermes.model import Outcome
from hermes.promotions import Written
from hermes.render.digest import daily
from hermes.render.overview import status_text
from hermes.render.show import show_text
from hermes.steps.opening import opened
from hermes.steps.project import read_status
from hermes.steps.promote import owed
from hermes.steps.recover import recover
from hermes.steps.session import Order
from hermes.steps.verify import verify

EITHER = pytest.mark.parametrize("repository", [True, False], ids=["git", "no-git"])
APPLY, COMMIT = "apply-on-accept", "commit-on-accept"
BRANCH = "hermes/exp"


def reopened(lab: Lab) -> Lab:
    return Lab(lab.layout.root, environ=lab.environ)


def state(lab: Lab):
    return history.read(lab, "exp").state


# Applying


@EITHER
def test_every_accepted_change_is_applied_though_the_tree_is_dirty_after_the_first(
    tmp_path: Path, repository: bool
) -> None:
    lab, root = prepared(tmp_path, APPLY, repository=repository)
    burst(lab, "exp", 4)
    assert [line.outcome for line in lines(lab)] == [Outcome.SUCCESS] * 4
    assert content(root) == expected(7)
    assert [decision for decision, _ in promotions(lab)] == ["applied"] * 3
    burst(reopened(lab), "exp", 2)
    assert content(root) == expected(5)
    assert [line.value for line in lines(lab)] == [10.0, 9.0, 8.0, 7.0, 6.0, 5.0]
    assert verify(lab).problems == ()


def test_the_users_originals_are_kept(tmp_path: Path) -> None:
    lab, _ = prepared(tmp_path, APPLY, repository=False)
    burst(lab, "exp", 3)
    known = lab.promoted("exp").read()
    assert known is not None
    first = known.files["notes/first"].original
    assert first is not None
    assert lab.promoted("exp").original(first.sha256) == b"first\n"
    assert known.files["notes/data.bin"].original is None


@pytest.mark.parametrize("how", ["touched", "beside"])
@EITHER
def test_what_the_user_changed_is_left_and_the_next_change_is_applied_once_it_is_put_away(
    tmp_path: Path, repository: bool, how: str
) -> None:
    lab, root = prepared(tmp_path, APPLY, repository=repository, workspace_mode="copy")
    burst(lab, "exp", 2)
    mine = root / ("notes/at-10" if how == "touched" else "mine")
    mine.write_text("mine\n")
    before = content(root)
    more = 1 if how == "touched" else 2  # a file beside the surface calls for a new baseline
    burst(lab, "exp", more)
    if how == "beside" and not repository:
        assert content(root) == {**expected(8), "mine": a_file(b"mine\n")}
        return
    decision, reason = promotions(lab)[-1]
    assert decision == "refused"
    assert ("notes/at-10 changed" if how == "touched" else "committed: mine") in reason
    assert content(root) == before
    assert lines(lab)[-1].accepted
    mine.unlink()
    if how == "touched":
        mine.write_bytes(b"was 10\n")
    burst(lab, "exp", more)
    assert promotions(lab)[-1][0] == "applied"
    assert content(root)["value.txt"] == expected(7)["value.txt"]


def test_a_patch_only_loop_leaves_the_workspace_alone(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, "patch-only", repository=True)
    burst(lab, "exp", 3)
    assert content(root) == expected(10)
    assert promotions(lab) == []
    assert git(root, "branch", "--list", "hermes/*") == ""


def test_a_workspace_below_the_top_of_its_repository_is_applied_to(tmp_path: Path) -> None:
    make_workspace(tmp_path / "ws" / "sub", repository=False)
    lab, root = prepared(tmp_path, APPLY, repository=True)
    spec = lab.layout.experiment("exp").spec
    spec.write_text(spec.read_text().replace(str(root), str(root / "sub")))
    burst(lab, "exp", 3)
    assert content(root / "sub") == expected(8)
    assert content(root)["value.txt"] == expected(10)["value.txt"]


def test_a_data_root_inside_of_the_workspace_is_no_change_of_the_users(tmp_path: Path) -> None:
    root = make_workspace(tmp_path / "ws", repository=True)
    lab = a_lab(root / "lab-data")
    a_loop(lab, tmp_path, root, APPLY)
    burst(lab, "exp", 3)
    assert [decision for decision, _ in promotions(lab)] == ["applied"] * 2
    assert (root / "value.txt").read_text() == "8\n"


# Committing


def test_every_accepted_change_is_a_commit_and_nothing_else_of_the_users_is_touched(
    tmp_path: Path,
) -> None:
    lab, root = prepared(tmp_path, COMMIT, repository=True)
    write(root, {"value.txt": a_file(b"99\n")})
    git(root, "stash", "-q")

    def everything() -> list:
        said = [git(root, "status", "--porcelain"), git(root, "stash", "list")]
        refs = [line for line in git(root, "show-ref").splitlines() if BRANCH not in line]
        index, head = ((root / ".git" / name).read_bytes() for name in ("index", "HEAD"))
        return [*said, refs, index, head, content(root)]

    before = everything()
    burst(lab, "exp", 4)
    assert everything() == before
    accepted = [line.run_id for line in lines(lab) if line.accepted][1:]
    form = "--format=%(trailers:key=Hermes-Run,valueonly,separator=)"
    assert git(root, "log", "--reverse", form, f"main..{BRANCH}").split() == accepted
    assert tree_of(root, BRANCH, tmp_path / "out") == expected(7)
    subject = git(root, "log", "-1", "--format=%s", BRANCH)
    assert subject == "hermes/exp: value 8 → 7"
    assert "7 is less than 8" in git(root, "log", "-1", "--format=%b", BRANCH)
    assert [decision for decision, _ in promotions(lab)] == ["committed"] * 3


def test_a_branch_that_is_checked_out_is_refused_and_the_loop_goes_on(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, COMMIT, repository=True)
    burst(lab, "exp", 2)
    git(root, "checkout", "-q", BRANCH)
    burst(lab, "exp", 1)
    assert promotions(lab)[-1][0] == "refused"
    assert "is checked out" in promotions(lab)[-1][1]
    git(root, "checkout", "-q", "main")
    burst(lab, "exp", 1)
    assert promotions(lab)[-1][0] == "committed"
    git(root, "commit", "-q", "--allow-empty", "-m", "mine")
    git(root, "branch", "-f", BRANCH, "main")
    burst(lab, "exp", 1)
    assert "was moved to" in promotions(lab)[-1][1]


# Completing


def at_the_promotion(lab: Lab) -> Lab:
    """Return a lab in which a change was accepted and sealed, and nothing done about it yet."""
    from hermes.steps import seal

    before = seal.promote
    seal.promote = lambda session, line: None
    try:
        burst(lab, "exp", 3)
    finally:
        seal.promote = before
    assert owed(state(lab)) == lines(lab)[-1].run_id
    return lab


def completed(root: Path) -> None:
    with opened(Lab(root, environ={"PATH": "/usr/bin:/bin"}), "exp", Order()):
        pass


@pytest.mark.parametrize("strategy", [APPLY, COMMIT])
def test_a_promotion_that_was_killed_is_completed_by_who_comes_next(
    tmp_path: Path, strategy: str
) -> None:
    killed_and_completed(tmp_path, strategy, every=4)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [APPLY, COMMIT])
def test_a_promotion_that_was_killed_at_any_operation_is_completed(
    tmp_path: Path, strategy: str
) -> None:
    killed_and_completed(tmp_path, strategy)


def killed_and_completed(tmp_path: Path, strategy: str, *, every: int = 1) -> None:
    """Kill what completes a promotion, at every so many of its operations, and recover."""
    lab, root = prepared(tmp_path, strategy, repository=True)
    at_the_promotion(lab)
    kept = tmp_path / "kept"
    kept.mkdir()
    for place in (lab.layout.root, root):
        shutil.copytree(place, kept / place.name)
    whole = run_killed(lambda: completed(lab.layout.root), 0)
    assert not whole.error, whole.error
    for at, how in list(points(whole))[::every]:
        for place in (lab.layout.root, root):
            shutil.rmtree(place)
            shutil.copytree(kept / place.name, place)
        assert run_killed(lambda: completed(lab.layout.root), at, how).died
        found = content(root)
        allowed = (expected(10), expected(8))
        for path, item in found.items():
            assert path.endswith(".tmp") or item in [side.get(path) for side in allowed], path
        again = reopened(lab)
        recover(again)
        assert [decision for decision, _ in promotions(again)] == [
            "applied" if strategy == APPLY else "committed"
        ], (at, how, promotions(again))
        assert owed(state(again)) is None
        if strategy == APPLY:
            assert content(root) == expected(8)
        else:
            assert git(root, "rev-list", "--count", f"main..{BRANCH}") == "1"
            assert git(root, "show", f"{BRANCH}:value.txt") == "8"
            assert git(root, "status", "--porcelain") == ""


def test_a_change_that_was_accepted_before_promotions_were_asked_for_is_owed(
    tmp_path: Path,
) -> None:
    lab, root = prepared(tmp_path, "patch-only", repository=False)
    burst(lab, "exp", 3)
    spec = lab.layout.experiment("exp").spec
    spec.write_text(spec.read_text().replace("patch-only", APPLY))
    recover(reopened(lab))
    assert content(root) == expected(8)


# Candidates that were in flight side by side


def with_a_sibling(lab: Lab, root: Path, after: bytes | None = b"sibling\n") -> None:
    """Leave a promoted file behind that the incumbent was not made with."""
    store = lab.promoted("exp")
    known = store.read()
    assert known is not None
    store.keep_original(b"original\n")
    write(root, {"notes/sibling": a_file(after)} if after is not None else {})
    mark = mark_of(a_file(after)) if after is not None else None
    entry = Written(mark_of(a_file(b"original\n")), mark, mark)
    store.write(replace(known, files={**known.files, "notes/sibling": entry}))


def test_what_a_candidate_was_not_made_with_is_taken_back(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, APPLY, repository=True, workspace_mode="git")
    write(root, {"notes/sibling": a_file(b"original\n")})
    git(root, "add", ".")
    git(root, "commit", "-qm", "the sibling's original")
    burst(lab, "exp", 2)
    with_a_sibling(lab, root)
    burst(reopened(lab), "exp", 1)
    assert promotions(lab)[-1][0] == "applied"
    assert content(root) == {**expected(8), "notes/sibling": a_file(b"original\n")}


def test_what_a_candidate_was_made_with_stays(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, APPLY, repository=False)
    burst(lab, "exp", 2)
    with_a_sibling(lab, root)
    burst(reopened(lab), "exp", 2)
    assert promotions(lab)[-1][0] == "applied"
    found = content(root)
    assert found.pop("notes/sibling") == a_file(b"sibling\n")
    assert found == expected(int(found["value.txt"].data))


def test_what_cannot_be_told_is_left(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, APPLY, repository=True, workspace_mode="git")
    (root / ".git/info/exclude").write_text("notes/ignored\n")
    burst(lab, "exp", 2)
    with_a_sibling(lab, root)
    write(root, {"notes/ignored": a_file(b"mine")})  # of the surface, and in no run
    before = content(root)
    burst(reopened(lab), "exp", 1)
    assert promotions(lab)[-1][0] == "refused"
    assert "not made from the workspace as it is: notes/sibling" in promotions(lab)[-1][1]
    assert content(root) == before


def test_both_sandboxes_hold_the_incumbent_though_they_were_made_at_different_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is made of the commit still, the other of the folder that has the change already."""
    whole, first = Workspaces._revision, []

    def late(self: Workspaces, order: workspaces.Order) -> git_workspace.Revision | None:
        if order.sandbox.name.endswith(EDITING):
            first[1:] = []
            first.append(whole(self, order))
            return first[0]
        return whole(self, order)

    monkeypatch.setattr(Workspaces, "_revision", late)
    monkeypatch.setattr(git_workspace, "_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(git_workspace, "_FRESH_COSTS", 0.0)
    lab, root = prepared(tmp_path, APPLY, repository=True)
    burst(lab, "exp", 4)
    assert [line.value for line in lines(lab)] == [10.0, 9.0, 8.0, 7.0]
    assert content(root) == expected(7)


# What is shown


def test_a_refusal_asks_a_person_on_every_page_and_stops_nothing(tmp_path: Path) -> None:
    lab, root = prepared(tmp_path, COMMIT, repository=True)
    burst(lab, "exp", 2)
    git(root, "checkout", "-q", BRANCH)
    burst(lab, "exp", 1)
    layout, run = lab.layout.experiment("exp"), lines(lab)[-1].run_id
    status = read_status(lab, "exp")
    assert status is not None
    assert (status.phase.value, status.blocked_reason) == ("active", None)
    assert status.promotion is not None
    assert (status.promotion.run_id, status.promotion.decision.value) == (run, "refused")
    export = "hermes-lab export exp=exp format=patches out=DIR"
    for page in (lab.layout.lab_status, layout.folder / "NEXT.md"):
        text = page.read_text()
        assert "accepted, and not promoted" in text, page
        assert "is checked out in" in text
        assert export in text
    assert export in daily("2026-01-01", [status], {}, []).decode()
    width = 200
    assert export in status_text([status], width=width)
    assert "refused: the branch" in show_text(status, state(lab), width=width)
    assert f"`{BRANCH}`" in (layout.folder / "RUNBOOK.md").read_text()
    assert f"committed to `{BRANCH}` next" in layout.run(run).result.read_text()
    git(root, "checkout", "-q", "main")
    burst(lab, "exp", 1)
    assert "not promoted" not in (layout.folder / "NEXT.md").read_text()
    assert "Nothing waits for a person." in lab.layout.lab_status.read_text()
