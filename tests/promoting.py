"""What the tests of promotions share: a workspace, and a code loop that makes it better."""

from __future__ import annotations

from pathlib import Path

from labs import a_lab, an_experiment
from test_branch import git
from test_patch import a_file, read, write

from hermes.lab import Lab

WORKSPACE = {
    "value.txt": a_file(b"10\n"),
    "notes/first": a_file(b"first\n"),
    "measure.sh": a_file(b"cat value.txt\n", executable=True),
}
# One lower each time; a new file, a deletion, a mode and a binary file come with it.
BETTER = """\
n=$(cat value.txt); m=$((n - 1)); echo $m > value.txt
printf 'was %s\\n' $n > notes/at-$n; rm -f notes/first notes/at-$((n + 1))
printf '\\000\\377%s' $n > notes/data.bin; chmod +x value.txt
echo "HYPOTHESIS: $m is less than $n"
"""


def make_workspace(root: Path, *, repository: bool) -> Path:
    """Write the workspace, and commit it if it is to be a repository."""
    write(root, WORKSPACE)
    if repository:
        git(root, "init", "-q", "-b", "main")
        git(root, "config", "user.name", "Ada")
        git(root, "config", "user.email", "ada@example.org")
        git(root, "add", ".")
        git(root, "commit", "-qm", "first")
    return root


def a_loop(lab: Lab, folder: Path, root: Path, strategy: str, **fields) -> str:
    """Register a code loop on the workspace."""
    return an_experiment(
        lab,
        folder,
        **{
            "metric": "value",
            "workspace_root": str(root),
            "executor_command": "sh measure.sh",
            "mutation_command": BETTER,
            "mutable_paths": ["value.txt", "notes/**"],
            "read_only_paths": ["measure.sh"],
            "promotion_strategy": strategy,
            "strategy": None,
            "search_space": None,
            **fields,
        },
    )


def expected(value: int) -> dict:
    """Return the workspace when it was made better down to ``value``."""
    if value == 10:
        return WORKSPACE
    n = value + 1
    return {
        "value.txt": a_file(b"%d\n" % value, executable=True),
        f"notes/at-{n}": a_file(b"was %d\n" % n),
        "notes/data.bin": a_file(b"\0\xff%d" % n),
        "measure.sh": WORKSPACE["measure.sh"],
    }


def content(root: Path) -> dict:
    """Return the files of the workspace but for git's own."""
    return {path: item for path, item in read(root).items() if not path.startswith(".git/")}


def prepared(tmp_path: Path, strategy: str, *, repository: bool, **fields) -> tuple[Lab, Path]:
    """Return a lab with a code loop on a workspace."""
    root = make_workspace(tmp_path / "ws", repository=repository)
    lab = a_lab(tmp_path / "lab-data")
    a_loop(lab, tmp_path, root, strategy, **fields)
    return lab, root


def promotions(lab: Lab) -> list[tuple[str, str]]:
    """Return what the journal says of promotions."""
    records = lab.journal("exp").read().records
    return [(r.decision.value, r.reason) for r in records if r.intent.value == "promotion"]
