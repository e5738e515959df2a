"""When a day is summed up: once, in the first cycle after it has ended."""

from __future__ import annotations

from typing import Any

from hermes.rules import turns
from hermes.rules.view import view


def task_digest() -> dict[str, Any]:
    """Sum up yesterday, when that has not been done, and earlier days that were left out."""
    from hermes.steps.digest import digest_path, yesterday

    path = digest_path(view().lab, yesterday(view().now))
    return {
        "task_dep": ["project:lab"],
        "actions": [write_digests],
        "uptodate": [nothing_to_digest],
        "doc": f"Sum up yesterday as {path.name}, when that has not been done.",
    }


def nothing_to_digest() -> bool:
    """Say whether yesterday has its digest, or the lab did not exist then."""
    from hermes.steps.digest import is_digested

    return not view().lab.is_there or is_digested(view().lab)


def write_digests() -> None:
    """Write yesterday's digest, and those of earlier days that no cycle followed."""
    from hermes.steps.digest import digest, overdue

    with turns.put_down_if_broken():
        for day in overdue(view().lab):
            digest(view().lab, day)
