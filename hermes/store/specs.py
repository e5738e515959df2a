"""Reads SPECs: a user's own before it is registered, and ``SPEC.yaml`` of an experiment.

Limits first: writes nothing; ``create`` writes the text that ``prepare`` returns, and whoever
projects writes ``checkpoint``. A SPEC is at most 64 KiB.
The checkpoint spares reading YAML again while SPEC.yaml is the file it was made from; one that
is damaged or older is left aside.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes import codec, files
from hermes.errors import BrokenSpec, SpecError, nearest
from hermes.layout import ExperimentLayout
from hermes.located import MAX_BYTES, Located, one_line, quoted, shown
from hermes.model import SCHEMA_VERSION, Json
from hermes.spec import (
    SPEC_PATHS,
    STRATEGIES,
    STRATEGY_GROUP,
    Spec,
    base_field,
    fields_without_effect,
    spec_from_mapping,
)

_UNFIT_FOR_A_PATH = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_BACKUP = "Correct it, or take it from a backup."


@dataclass(frozen=True)
class PreparedSpec:
    """A SPEC that may be registered: the text to store, and one line a notice for the user.

    ``located`` is the user's own file, for what is refused later.
    """

    id: str
    text: bytes
    spec: Spec
    notices: tuple[str, ...]
    located: Located


@dataclass(frozen=True)
class LoadedSpec:
    """The SPEC of an experiment, the digest of its text, and its fields as they are written."""

    spec: Spec
    sha256: str
    mapping: Mapping[str, Json]


def prepare(source: Path, *, experiment: str | None, data_root: Path) -> PreparedSpec:
    """Validate a user's SPEC and make its paths absolute, from the folder it stands in.

    ``experiment`` takes the place of its id. Raises SpecError; nothing is written.
    """
    from hermes.validation import validate
    from hermes.yaml_text import load_yaml, with_changes

    located = load_yaml(_read_source(source), source=source.name)
    changes = {} if experiment in (None, located.data.get("id")) else _with_id(str(experiment))
    mapping = validate(_with_data(located, changes))
    paths = _Paths(located, Path(os.path.abspath(source)).parent, mapping)
    paths.check_workspaces(data_root)
    _check_strategy(located, mapping)
    changes.update(paths.changes())
    spec = spec_from_mapping({**mapping, **changes})
    text = with_changes(located, changes)
    return PreparedSpec(spec.id, text, spec, _notices(mapping), located)


def load(layout: ExperimentLayout) -> LoadedSpec:
    """Read the SPEC of an experiment. Raises BrokenSpec when it is missing or not valid."""
    data = _read_stored(layout.spec)
    sha256 = codec.digest(data)
    mapping = checkpointed(layout, sha256)
    if mapping is None:
        mapping = _parsed(layout.spec, data)
    spec = spec_from_mapping(mapping)
    if spec.id != layout.folder.name:
        reason = f"its id is {spec.id!r}, not the name of its folder"
        raise BrokenSpec(str(layout.spec), reason, f"Set id: {layout.folder.name}")
    return LoadedSpec(spec, sha256, mapping)


def checkpoint(loaded: LoadedSpec) -> bytes:
    """Return the bytes of ``checkpoints/spec.json``: one line with its own checksum."""
    return codec.to_line(
        {"schema_version": SCHEMA_VERSION, "sha256": loaded.sha256, "spec": loaded.mapping}
    )


# A user's file


def _read_source(source: Path) -> bytes:
    remedy = "Name the SPEC's file: spec=FILE."
    try:
        return _read(source)
    except FileNotFoundError:
        raise SpecError(f"There is no file {one_line(str(source))}.", remedy) from None
    except (OSError, ValueError) as error:
        what = f"{one_line(str(source))} cannot be read: {_reason(error)}."
        raise SpecError(what, remedy) from None


def _read(path: Path) -> bytes:
    """Return at most one byte more than a SPEC may have; never wait for a pipe to speak."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        return stream.read(MAX_BYTES + 1)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _with_id(experiment: str) -> dict[str, str]:
    from hermes.validation import id_fault

    fault = id_fault(experiment)
    if fault is not None:
        raise SpecError(f"id: {fault[0]}", fault[1])
    return {"id": experiment}


def _with_data(located: Located, changes: Mapping[str, str]) -> Located:
    """Return the same places with other data; a key that is missing comes first."""
    missing = {key: text for key, text in changes.items() if key not in located.data}
    return dataclasses.replace(located, data={**missing, **located.data, **changes})


def _notices(mapping: Mapping[str, Json]) -> tuple[str, ...]:
    found = fields_without_effect(mapping)
    return (f"No effect yet: {', '.join(found)}.",) if found else ()


def _check_strategy(located: Located, mapping: Mapping[str, Json]) -> None:
    """Refuse the name of a strategy that neither the lab nor an installed package has."""
    name = mapping.get("strategy")
    if name is None or name in STRATEGIES:
        return
    from importlib.metadata import entry_points

    known = [*STRATEGIES, *entry_points(group=STRATEGY_GROUP).names]
    if name not in known:
        near = nearest(str(name), known)
        hint = f"Did you mean {near}? " if near else ""
        what = f"there is no strategy {quoted(name)}."
        raise located.refuse(("strategy",), what, f"{hint}There are: {', '.join(known)}.")


class _Paths:
    """The paths of a user's SPEC, made absolute and checked against the disk."""

    def __init__(self, located: Located, folder: Path, mapping: Mapping[str, Json]) -> None:
        self._located = located
        self._folder = folder
        self._given = {
            key: value
            for key, value in mapping.items()
            if base_field(key) in SPEC_PATHS and isinstance(value, str)
        }

    def changes(self) -> dict[str, str]:
        """Return the keys whose path has to be written in another way."""
        found = {key: self._resolved(key) for key in self._given}
        return {key: path for key, path in found.items() if path != self._given[key]}

    def check_workspaces(self, data_root: Path) -> None:
        """Refuse a workspace that is no folder, or that lies in the data root."""
        root = Path(os.path.realpath(data_root))
        for key in self._given:
            if base_field(key) == "workspace_root":
                self._check_workspace(key, root)

    def _check_workspace(self, key: str, data_root: Path) -> None:
        path = self._absolute(key, self._folder)
        if not os.path.isdir(path):
            what = f"there is no folder {path}."
            raise self._refuse(key, what, "Create it, or correct the path.")
        if Path(os.path.realpath(path)).is_relative_to(data_root):
            what = f"{path} lies inside the data root."
            raise self._refuse(key, what, "Keep the code outside of the lab's own folder.")

    def _resolved(self, key: str) -> str:
        if key == "search_space":
            return self._search_space()
        return self._absolute(key, self._folder)

    def _search_space(self) -> str:
        folders = [self._folder]
        if "workspace_root" in self._given:
            folders.append(Path(self._absolute("workspace_root", self._folder)))
        paths = [self._absolute("search_space", folder) for folder in folders]
        found = next((path for path in paths if os.path.isfile(path)), None)
        if found is None:
            what = f"there is no file {' or '.join(dict.fromkeys(paths))}."
            raise self._refuse("search_space", what, "Create it, or correct the path.")
        return found

    def _absolute(self, key: str, folder: Path) -> str:
        path = _absolute(folder, self._given[key])
        if _UNFIT_FOR_A_PATH.search(path):
            what = f"{shown(path)} is not a path that can be written down."
            raise self._refuse(key, what, "Move the SPEC to a folder with a plain name.")
        return path

    def _refuse(self, key: str, what: str, remedy: str) -> SpecError:
        return self._located.refuse((key,), what, remedy)


def _absolute(folder: Path, path: str) -> str:
    """Tidy the path away from ``.`` and ``..``, unless a link in it gives ``..`` another sense."""
    whole = str(Path(folder, os.path.expanduser(path)))
    tidy = os.path.normpath(whole)
    return tidy if os.path.realpath(tidy) == os.path.realpath(whole) else whole


# An experiment's file


def _read_stored(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        raise BrokenSpec(str(path), "missing", "Take it from a backup.") from None
    except OSError as error:
        raise BrokenSpec(str(path), _reason(error), _BACKUP) from None


def _parsed(path: Path, data: bytes) -> dict[str, Json]:
    from hermes.validation import validate
    from hermes.yaml_text import load_yaml

    try:
        located = load_yaml(data, source=path.name)
        mapping = validate(located)
        _check_absolute(located, mapping)
    except SpecError as error:
        reason = f"line {error.message.removeprefix(f'{path.name}:')}"
        raise BrokenSpec(str(path), reason, error.remedy or _BACKUP) from None
    return mapping


def _check_absolute(located: Located, mapping: Mapping[str, Json]) -> None:
    """Refuse a relative path: it would mean another place to each who reads it."""
    for key, value in mapping.items():
        if base_field(key) in SPEC_PATHS and isinstance(value, str) and not os.path.isabs(value):
            raise located.refuse((key,), f"{quoted(value)} is relative.", "Write the whole path.")


def checkpointed(layout: ExperimentLayout, sha256: str) -> dict[str, Json] | None:
    """Return the fields of the SPEC with that digest, if the checkpoint was made from it."""
    try:
        raw = codec.parse_line(files.read(layout.parsed_spec) or b"")
    except OSError:
        return None
    if raw is None or (raw.get("schema_version"), raw.get("sha256")) != (SCHEMA_VERSION, sha256):
        return None
    mapping = raw.get("spec")
    return mapping if isinstance(mapping, dict) else None
