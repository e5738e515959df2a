"""What running code leaves behind in a workspace and nobody means; the code loop drops it.

Limits first. Names alone decide, and only names of folders that tools make for themselves: a
``.pyc`` beside the sources is a module like any other. What the user's own ``.gitignore`` names
is for new files outside of the surface only, and not asked where the workspace itself is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hermes.errors import Fault
from hermes.executing import git, git_workspace

NAMES = frozenset(
    {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".DS_Store"}
)


def is_by_product(path: str) -> bool:
    """Say whether a path is what running code leaves behind."""
    return not NAMES.isdisjoint(path.split("/"))


def ignored(
    paths: Iterable[str], known: Iterable[str], root: str, environment: Mapping[str, str]
) -> set[str]:
    """Return those of some new ``paths`` that git ignores in the user's workspace ``root``.

    ``known`` are the paths that were there before. git is asked in the user's repository, never
    where a run took place; where it cannot tell, nothing is ignored.
    """
    repository = git_workspace.find_repository(root)
    if repository is None or not git.is_there(environment):
        return set()
    tops = _tops(paths, frozenset(known))
    try:
        if repository.prefix and git_workspace.ignored(repository, [""], environment):
            return set()
        folders = {f"{top}/" for path, top in tops.items() if top != path}
        gone = git_workspace.ignored(repository, sorted(folders), environment)
        left = sorted(path for path, top in tops.items() if f"{top}/" not in gone)
        kept = set(left) - git_workspace.ignored(repository, left, environment)
    except (Fault, OSError):
        return set()
    return tops.keys() - kept


def _tops(paths: Iterable[str], known: frozenset[str]) -> dict[str, str]:
    """Return each path with the first part of it that is new: the path itself, or a folder."""
    found = {}
    for path in paths:
        parts = path.split("/")
        heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        found[path] = next((head for head in heads if head not in known), path)
    return found
