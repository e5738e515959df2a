"""Holds ``hermes.executing.branch``: commits on the lab's branch, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from test_patch import a_file, read, write

from hermes.executing import branch
from hermes.executing.applying import mark_of
from hermes.executing.branch import Committed, Order
from hermes.promotions import Refusal

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
BRANCH = "hermes/exp"
MESSAGE = b"exp: better\n\nHermes-Run: RUN-9 is no trailer\n\nHermes-Run: %s\n"
FILES = {
    "a.py": a_file(b"a = 1\n"),
    "run.sh": a_file(b"echo\n", executable=True),
    "sub/b.py": a_file(b"b = 1\n"),
    "sub/folder/c": a_file(b"c\n"),
}
CHANGED = {
    "a.py": a_file(b"a = 2\n"),
    "run.sh": a_file(b"echo\n"),
    "sub/folder/c": None,
    "sub/folder": a_file(b"a file now\n", executable=True),
    "new/\udcff name.bin": a_file(b"\0\xff"),
}


def git(folder: Path, *words: str, **more) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=me", "-c", "user.email=me@here", *words],
        cwd=folder,
        env={**ENVIRON, "GIT_CONFIG_NOSYSTEM": "1", **more.pop("environ", {})},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode("utf-8", "surrogateescape").strip()


@pytest.fixture(params=["sha1", "sha256"])
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main", f"--object-format={request.param}")
    write(root, FILES)
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "scratch" / "index"


def an_order(root: Path, number: int = 1, **fields) -> Order:
    run_id = f"RUN-{number}"
    return Order(
        **{
            "workspace": str(root),
            "branch": BRANCH,
            "run_id": run_id,
            "revision": git(root, "rev-parse", "HEAD"),
            "changed": CHANGED,
            "replaced": None,
            "message": MESSAGE % run_id.encode(),
            "epoch": 1_767_225_600 + number,
            "is_ours": lambda run: run.startswith("RUN-"),
            **fields,
        }
    )


def committed(order: Order, index: Path) -> str:
    done = branch.commit(order, index, ENVIRON)
    assert isinstance(done, Committed), done
    assert not index.exists()
    return done.commit


def refused(order: Order, index: Path, environ=ENVIRON) -> str:
    done = branch.commit(order, index, environ)
    assert isinstance(done, Refusal), done
    assert done.remedy
    return done.reason


def tree_of(root: Path, commit: str, folder: Path) -> dict:
    folder.mkdir()
    git(
        root,
        f"--work-tree={folder}",
        "read-tree",
        "-u",
        "--reset",
        commit,
        environ={"GIT_INDEX_FILE": str(folder.with_suffix(".index"))},
    )
    return read(folder)


def after(before: dict, changed: dict) -> dict:
    kept = {path: content for path, content in before.items() if path not in changed}
    return {**kept, **{path: content for path, content in changed.items() if content is not None}}


def test_the_commit_holds_the_commit_of_the_workspace_and_the_change(
    repository: Path, index: Path, tmp_path: Path
) -> None:
    made = committed(an_order(repository), index)
    assert git(repository, "rev-parse", BRANCH) == made
    assert tree_of(repository, made, tmp_path / "out") == after(FILES, CHANGED)
    assert git(repository, "rev-parse", f"{made}^") == git(repository, "rev-parse", "main")
    assert git(repository, "fsck", "--strict") == ""


def test_each_further_commit_is_upon_the_one_before(repository: Path, index: Path) -> None:
    first = committed(an_order(repository), index)
    second = committed(an_order(repository, 2, changed={"a.py": a_file(b"a = 3\n")}), index)
    assert git(repository, "rev-parse", f"{second}^@") == first
    changed = git(repository, "diff", "--name-only", "main", BRANCH)
    assert changed == "a.py"  # what the second was made without is as it was


def test_what_the_user_committed_meanwhile_is_merged(repository: Path, index: Path) -> None:
    first = committed(an_order(repository), index)
    write(repository, {"theirs": a_file(b"x\n")})
    git(repository, "add", "theirs")
    git(repository, "commit", "-qm", "theirs")
    second = committed(an_order(repository, 2), index)
    head = git(repository, "rev-parse", "HEAD")
    assert git(repository, "rev-parse", f"{second}^@").split() == [first, head]
    third = committed(an_order(repository, 3), index)
    assert git(repository, "rev-parse", f"{third}^@") == second


def test_a_workspace_below_the_top_of_its_repository(
    repository: Path, index: Path, tmp_path: Path
) -> None:
    changed = {"b.py": a_file(b"b = 2\n"), "folder/c": None}
    made = committed(an_order(repository / "sub", changed=changed), index)
    expected = after(FILES, {"sub/b.py": a_file(b"b = 2\n"), "sub/folder/c": None})
    assert tree_of(repository, made, tmp_path / "out") == expected


def test_nothing_else_of_the_repository_is_touched(repository: Path, index: Path) -> None:
    write(repository, {"a.py": a_file(b"mine\n"), "staged": a_file(b"s"), "untracked": a_file()})
    git(repository, "stash", "-q")
    write(repository, {"a.py": a_file(b"mine again\n"), "staged": a_file(b"s")})
    git(repository, "add", "staged")
    git(repository, "branch", "other")
    hook = repository / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {repository}/hooked\n")
    hook.chmod(0o755)

    def everything() -> list:
        said = [
            git(repository, *words)
            for words in (("status", "--porcelain"), ("stash", "list"), ("branch", "-v"))
        ]
        kept = ("HEAD", "index", "config", "ORIG_HEAD", "logs/HEAD")
        places = [repository / ".git" / name for name in kept]
        return [*said, *(p.read_bytes() if p.exists() else None for p in places), read(repository)]

    git(repository, "status")
    hook.chmod(0o644)  # what the test itself calls runs none
    before = everything()[:-1]
    hook.chmod(0o755)
    committed(an_order(repository), index)
    hook.chmod(0o644)
    assert not (repository / "hooked").exists()
    now = everything()[:-1]
    now[2] = "\n".join(line for line in now[2].splitlines() if BRANCH not in line)
    assert [str(part).split() for part in now] == [str(part).split() for part in before]


def test_a_second_time_is_known_by_its_trailer(repository: Path, index: Path) -> None:
    first = committed(an_order(repository), index)
    count = git(repository, "count-objects", "-v")
    assert committed(an_order(repository, is_ours=lambda run: False), index) == first
    assert git(repository, "count-objects", "-v") == count


def test_the_same_order_gives_the_same_commit(repository: Path, index: Path) -> None:
    first = committed(an_order(repository), index)
    git(repository, "branch", "-D", BRANCH)
    assert committed(an_order(repository), index) == first


def test_the_author_is_whoever_git_names_or_the_lab(repository: Path, index: Path) -> None:
    first = committed(an_order(repository), index)
    form = "--format=%an <%ae> %cn <%ce> %ad %s"
    said = git(repository, "show", "-s", "--date=unix", form, first)
    lab = "Hermes Lab <hermes-lab@localhost>"
    assert said == f"{lab} {lab} 1767225601 exp: better"
    git(repository, "config", "user.name", "Ada Ü")
    git(repository, "config", "user.email", "ada@example.org")
    second = committed(an_order(repository, 2), index)
    assert git(repository, "show", "-s", "--format=%an <%ae>", second) == "Ada Ü <ada@example.org>"
    assert branch.identity(str(repository), ENVIRON) == ("Ada Ü", "ada@example.org")


def test_a_branch_that_is_checked_out_is_left(repository: Path, index: Path, tmp_path) -> None:
    committed(an_order(repository), index)
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"), BRANCH)
    assert f"is checked out in {tmp_path}/tree" in refused(an_order(repository, 2), index)


def test_a_branch_that_the_user_moved_is_left(repository: Path, index: Path) -> None:
    git(repository, "branch", BRANCH)
    reason = refused(an_order(repository), index)
    assert "was moved to" in reason
    git(repository, "branch", "-D", BRANCH)
    committed(an_order(repository), index)
    assert "was moved to" in refused(an_order(repository, 2, is_ours=lambda _: False), index)


def test_a_branch_that_moves_meanwhile_is_no_error(
    repository: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = branch._Committing._tree

    def meanwhile(self: branch._Committing, revision: str) -> str:
        git(repository, "update-ref", f"refs/heads/{BRANCH}", "main")
        return whole(self, revision)

    monkeypatch.setattr(branch._Committing, "_tree", meanwhile)
    assert "moved meanwhile" in refused(an_order(repository), index)
    assert git(repository, "rev-parse", BRANCH) == git(repository, "rev-parse", "main")


def test_a_branch_that_cannot_be_is_a_refusal(repository: Path, index: Path) -> None:
    git(repository, "branch", "hermes")
    assert "did not move" in refused(an_order(repository), index)
    assert refused(an_order(repository, branch="hermes/a..b"), index)


def test_without_a_repository_a_commit_or_git_there_is_no_branch(
    repository: Path, index: Path, tmp_path: Path
) -> None:
    order = an_order(repository)
    (tmp_path / "plain").mkdir()
    assert "in no git repository" in refused(
        an_order(repository, workspace=str(tmp_path / "plain")), index
    )
    assert "no commit to begin" in refused(an_order(repository, revision=None), index)
    assert "git is not installed" in refused(order, index, {"PATH": "/nonexistent"})
    gone = "1" * len(order.revision or "")
    assert "read-tree failed" in refused(an_order(repository, revision=gone), index)


def test_a_change_upon_what_was_never_committed_is_refused(repository: Path, index: Path) -> None:
    as_committed = {path: mark_of(FILES.get(path)) for path in CHANGED}
    edited = {**as_committed, "a.py": mark_of(a_file(b"edited, not committed\n"))}
    reason = refused(an_order(repository, replaced=edited), index)
    assert reason == "a.py had changes that are not committed"
    committed(an_order(repository, replaced=as_committed), index)


def test_files_are_stored_as_git_add_would(repository: Path, index: Path) -> None:
    write(repository, {".gitattributes": a_file(b"*.txt text eol=crlf\n")})
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "attributes")
    changed = {"t.txt": a_file(b"a\r\nb\r\n"), "t.bin": a_file(b"a\r\nb\r\n")}
    made = committed(an_order(repository, changed=changed), index)
    assert git(repository, "cat-file", "-s", f"{made}:t.txt") == "4"
    assert git(repository, "cat-file", "-s", f"{made}:t.bin") == "6"
