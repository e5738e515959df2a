"""An agent's work item and what it sends back: the records, and whether it may be taken.

Pure; called by the store that keeps both and by the steps that give out and take back.
Limits first: at most 200 files of 1 MiB each, 4 MiB in all; texts only. What a submission is worth
is not judged here, only whether it keeps to its form and to the surface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from hermes import codec
from hermes.errors import AgentError, nearest

MOST_BYTES = 4 * 1024 * 1024
MOST_FILES = 200
MOST_FILE_BYTES = 1024 * 1024
MOST_REASONING = 20_000  # characters
MOST_HYPOTHESIS = 2_000  # characters
FORM = (
    'Send {"dispatch_id": "…", "changes": {"path": "the whole new content, or null to delete"}, '
    '"reasoning": "…", "hypothesis": "…"}.'
)
_AGAIN = "Correct it and submit again; the item stays yours until its deadline."
_KEYS = ("dispatch_id", "changes", "reasoning", "hypothesis")
_DRIVE = re.compile(r"[A-Za-z]:")
_MOST_PATH = 1024  # bytes
_MOST_PART = 255  # bytes
_MOST_DEPTH = 60
_SHOWN = 120

Kind: TypeAlias = Literal["file", "folder", "link"]


@dataclass(frozen=True)
class WorkItem:
    """``item.json``: what an agent was asked, and until when its answer counts.

    ``incumbent_run`` is the run whose code it was shown, None for the workspace as it is;
    ``evaluator`` is what had measured that, and ``surface_sha256`` the digest of what was shown.
    ``executable`` names the files of it that may be executed, which a text cannot say.
    """

    schema_version: int
    dispatch_id: str
    experiment: str
    worker: str
    role: str
    created_at: str
    deadline: str
    incumbent_run: str | None
    evaluator: str | None
    surface_sha256: str
    fidelity_tier: str
    executable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Submission:
    """``submission.json``: what an agent made of its item; a change to None deletes the file."""

    dispatch_id: str
    changes: Mapping[str, str | None]
    reasoning: str = ""
    hypothesis: str = ""


class Bounds(Protocol):
    """Which paths an agent may change."""

    def holds(self, path: str) -> bool:
        """Say whether a file of that path may be changed, made and removed."""

    def is_read_only(self, path: str) -> bool:
        """Say whether the path is named as one that nobody may change."""


# Its form


def parse(data: bytes) -> Submission:
    """Read what an agent sent. Raises AgentError that says what is wrong with it."""
    if len(data) > MOST_BYTES:
        raise _too_large(f"The submission has more than {MOST_BYTES // 1024**2} MiB.")
    try:
        raw = codec.from_json(data, unique_keys=True)
    except ValueError as error:
        raise _malformed(f"The submission is not JSON: {str(error)[:_SHOWN]}.") from None
    if not isinstance(raw, dict):
        raise _malformed("The submission is no JSON object.")
    _check_keys(raw)
    submission = Submission(
        dispatch_id=_text(raw, "dispatch_id", 200),
        changes=_changes(raw["changes"]),
        reasoning=_text(raw, "reasoning", MOST_REASONING),
        hypothesis=_text(raw, "hypothesis", MOST_HYPOTHESIS),
    )
    if not submission.dispatch_id:
        raise _malformed("dispatch_id is empty.")
    return submission


def _check_keys(raw: Mapping[str, object]) -> None:
    for key in raw:
        if key not in _KEYS:
            near = nearest(key, _KEYS)
            hint = f" Did you mean {near!r}?" if near else ""
            raise _malformed(f"The submission has a key {shown(key)} that means nothing.{hint}")
    for key in ("dispatch_id", "changes"):
        if key not in raw:
            raise _malformed(f"The submission has no {key}.")


def _text(raw: Mapping[str, object], key: str, most: int) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str) or not _is_text(value):
        raise _malformed(f"{key} is no text.")
    if len(value) > most:
        raise _too_large(f"{key} has {len(value):,} characters; at most {most:,} are taken.")
    return value


def _changes(raw: object) -> dict[str, str | None]:
    if not isinstance(raw, dict):
        raise _malformed("changes is no object of paths and contents.")
    if not raw:
        raise _malformed("changes names no file.")
    if len(raw) > MOST_FILES:
        raise _too_large(f"changes names {len(raw):,} files; at most {MOST_FILES} are taken.")
    return {path: _content(path, content) for path, content in raw.items()}


def _content(path: str, content: object) -> str | None:
    if content is None:
        return None
    if not isinstance(content, str) or not _is_text(content):
        raise AgentError("not-text", f"The content of {shown(path)} is no text.", _AGAIN)
    if len(content.encode()) > MOST_FILE_BYTES:
        raise _too_large(f"{shown(path)} has more than {MOST_FILE_BYTES // 1024**2} MiB.")
    return content


def _is_text(value: str) -> bool:
    """Say whether a text can be written as UTF-8 and read as text again."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in value


# Its paths


def check(submission: Submission, bounds: Bounds, present: Mapping[str, Kind]) -> None:
    """Refuse changes that leave the surface. Raises AgentError that names the first of them.

    ``present`` is all that stands in the workspace that the agent was shown.
    """
    check_bounds(submission, bounds)
    for path in submission.changes:
        _refuse(path, _place_fault(path, submission.changes, present))


def check_bounds(submission: Submission, bounds: Bounds) -> None:
    """Refuse paths that nothing may be changed at, wherever they lead. Raises AgentError."""
    for path in submission.changes:
        _refuse(path, _form_fault(path) or _bounds_fault(path, bounds))


def _refuse(path: str, why: str | None) -> None:
    if why is not None:
        raise AgentError(
            "outside",
            f"The path {shown(path)} {why}.",
            f"Change only files that mutable_paths match. {_AGAIN}",
        )


def _form_fault(path: str) -> str | None:
    parts = path.split("/")
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "is absolute"
    if ".." in parts:
        return "leads upwards"
    if "" in parts or "." in parts:
        return "has an empty part"
    if not path.isprintable() or path.strip() != path:
        return "has characters that do not belong in a name"
    if any(part.casefold().rstrip(". ") == ".git" for part in parts):
        return "lies in .git"
    if len(parts) > _MOST_DEPTH or len(path.encode()) > _MOST_PATH:
        return "is too long"
    return "is too long" if any(len(part.encode()) > _MOST_PART for part in parts) else None


def _bounds_fault(path: str, bounds: Bounds) -> str | None:
    if bounds.is_read_only(path):
        return "is matched by read_only_paths"
    return None if bounds.holds(path) else "is not matched by mutable_paths"


def _place_fault(
    path: str, changes: Mapping[str, str | None], present: Mapping[str, Kind]
) -> str | None:
    """Say why no file can be made or removed at a path; None when one can."""
    for above in _above(path):
        if changes.get(above) is not None:
            return "leads through a file of the same submission"
        kind = present.get(above)
        if kind == "link":
            return f"leads through the link {shown(above)}"
        if kind == "file" and above not in changes:
            return f"leads through the file {shown(above)}"
    kind = present.get(path)
    if kind in ("link", "folder"):
        return f"is a {kind}"
    return "is to be deleted and is not there" if kind is None and changes[path] is None else None


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path leads through, the outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def shown(text: str) -> str:
    """Return a text of the agent's own that is safe to repeat."""
    quoted = ascii(text)
    return quoted if len(quoted) <= _SHOWN else f"{quoted[: _SHOWN - 1]}…"


def _malformed(message: str) -> AgentError:
    return AgentError("malformed", message, f"{FORM} {_AGAIN}")


def _too_large(message: str) -> AgentError:
    return AgentError("too-large", message, f"Send less. {_AGAIN}")
