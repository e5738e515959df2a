"""Decides what a run's workspace is to be; ``run``, ``environment`` and planning ask it.

Limits first. Planning looks at the workspace as it is now; whoever changes it before the run
starts is told by the run's outcome.

The modes. ``copy``: a copy of the workspace as it is, changes and ignored files included.
``git``: the content of the checked-out commit, whatever the folder holds beside it.
``auto``: ``git`` when the workspace has no changes against its commit and no new files (ignored
ones do not count: what a run needs of them belongs into ``ingress_files``), else ``copy``.
``in-place``: the user's own folder. Without ``workspace_root``: an empty folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hermes.errors import Fault, RequestError
from hermes.executing import git, git_workspace, trees
from hermes.executing.copy_workspace import missing_inputs
from hermes.executing.slot import WORK
from hermes.spec import Spec

Mode = Literal["empty", "copy", "git", "in-place"]
_NO_ENVIRONMENT: Mapping[str, str] = {}


def effective_workspace(spec: Spec, sandbox: Path) -> Path:
    """Return the folder in which commands run, given the folder that holds the slot's sandbox."""
    if spec.workspace_mode == "in-place" and spec.workspace_root is not None:
        return Path(spec.workspace_root)
    return sandbox / WORK


def check_workspace(
    spec: Spec,
    *,
    data_root: Path | None = None,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
) -> None:
    """Raise RequestError when no run of ``spec`` could have its workspace.

    ``data_root`` may lie inside the workspace: it is left out, and is no change that makes the
    workspace unclean. ``environment`` is what git gets to see.
    """
    if spec.workspace_root is None:
        _check_rootless(spec)
    else:
        _check_folder(spec.workspace_root, data_root)
        _check_git(spec, spec.workspace_root, data_root, environment)
    _check_patterns(spec)


def choose_mode(spec: Spec, revision: git_workspace.Revision | None) -> Mode:
    """Return how the workspace is made, given the state of its repository (None: there is none)."""
    if spec.workspace_root is None:
        return "empty"
    if spec.workspace_mode != "auto":
        return spec.workspace_mode
    clean = revision is not None and revision.commit is not None and not revision.dirty
    return "git" if clean else "copy"


def _check_rootless(spec: Spec) -> None:
    if spec.workspace_mode in ("git", "in-place") or spec.require_clean_workspace:
        field = "require_clean_workspace" if spec.require_clean_workspace else "workspace_mode"
        value = "true" if spec.require_clean_workspace else spec.workspace_mode
        raise RequestError(
            f"{field}: {value} needs a workspace_root.",
            f"Set workspace_root in the SPEC, or remove {field}.",
        )


def _check_folder(root: str, data_root: Path | None) -> None:
    if not os.path.isdir(root):
        raise RequestError(
            f"workspace_root: there is no folder {root}.",
            "Create it, or correct workspace_root in the SPEC.",
        )
    if data_root is not None and trees.is_inside(trees.real(root), trees.real(data_root)):
        raise RequestError(
            f"workspace_root: {root} lies inside the data root {data_root}.",
            "Move the workspace out of it (the data root may lie inside the workspace).",
        )


def _check_git(
    spec: Spec, root: str, data_root: Path | None, environment: Mapping[str, str]
) -> None:
    if spec.workspace_mode != "git" and not spec.require_clean_workspace:
        return
    field = "workspace_mode: git" if spec.workspace_mode == "git" else "require_clean_workspace"
    repository = git_workspace.find_repository(trees.real(root))
    if repository is None or not git.is_there(environment):
        lacks = (
            "lies in no git repository" if repository is None else "cannot be asked about: no git"
        )
        raise RequestError(
            f"{field}: the workspace {root} {lacks}.",
            "Run `git init` and commit, or use workspace_mode: copy.",
        )
    leave_out = () if data_root is None else (trees.real(data_root),)
    if spec.require_clean_workspace:
        _check_clean(root, repository, leave_out, environment)
    if spec.workspace_mode == "git":
        _check_committed(root, repository, leave_out, environment)


def _check_clean(
    root: str,
    repository: git_workspace.Repository,
    leave_out: tuple[str, ...],
    environment: Mapping[str, str],
) -> None:
    if _ask(repository, leave_out, environment).dirty:
        raise RequestError(
            f"require_clean_workspace: {root} has changes that are not committed.",
            "Commit or stash them, new files too (`git status` lists them).",
        )


def _check_committed(
    root: str,
    repository: git_workspace.Repository,
    leave_out: tuple[str, ...],
    environment: Mapping[str, str],
) -> None:
    commit = git_workspace.loose_commit(repository)
    commit = commit or _ask(repository, leave_out, environment).commit
    if commit is None or not git_workspace.holds_workspace(repository, commit, environment):
        raise RequestError(
            f"workspace_mode: git: the workspace {root} is not committed yet.",
            "Commit it, or use workspace_mode: copy.",
        )


def _ask(
    repository: git_workspace.Repository,
    leave_out: tuple[str, ...],
    environment: Mapping[str, str],
) -> git_workspace.Revision:
    try:
        return git_workspace.ask_revision(repository, leave_out, environment)
    except (Fault, OSError) as error:
        message = str(error).partition("\n")[0]
        raise RequestError(
            f"git cannot tell about {repository.top}: {message}", "Try `git status` there."
        ) from None


def _check_patterns(spec: Spec) -> None:
    for pattern in spec.ingress_files:
        if spec.workspace_root is None and not os.path.isabs(pattern):
            raise RequestError(
                f"ingress_files: {pattern} is relative, and there is no workspace_root.",
                "Set workspace_root in the SPEC, or write the whole path.",
            )
    for pattern in missing_inputs(spec):
        raise RequestError(
            f"ingress_files: there is no {pattern}.",
            "Create it, or correct the path (relative to workspace_root, or absolute).",
        )
    for field in ("egress_files", "artifacts_expected"):
        for pattern in getattr(spec, field):
            if os.path.isabs(pattern) or ".." in pattern.split("/"):
                raise RequestError(
                    f"{field}: {pattern} does not lie in the workspace.",
                    "Name files relative to workspace_root.",
                )
