"""Brings proposed parameters into a configuration file; planning and ``run`` use it.

Limits first. A list or section is never a parameter's place, and a YAML file that shares values
by aliases has no places at all. With ``workspace_mode: in-place`` no file is changed, for it
would be the user's own. (For the other ways see ``placeholders`` and ``environment``.)

Finding a place. A flat name is looked for among all values of the file, whatever section they
stand in; a dotted name is the end of a path, and the whole path wins. Several places are an error
that names them. A name without a place is refused when the SPEC names the file (``params_file``),
and left to the other ways when the lab chose it (the first JSON, YAML or TOML file that
``mutable_paths`` names).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes import files
from hermes.errors import RequestError, nearest
from hermes.executing.config_text import (
    JSON,
    YAML,
    Document,
    Language,
    Leaf,
    change,
    keys,
    read,
    sections,
)
from hermes.executing.config_toml import TOML
from hermes.executing.environment import parameter_variables
from hermes.executing.placeholders import check_placeholders
from hermes.model import Params, ParamValue, parameter_variable
from hermes.spec import Spec

LANGUAGES: Mapping[str, Language] = {
    ".json": JSON,
    ".yaml": YAML,
    ".yml": YAML,
    ".toml": TOML,
}


@dataclass(frozen=True)
class ParamsFile:
    """The configuration file that takes the parameters: its path in the workspace.

    ``named`` says that the SPEC names it, so that every parameter must have its place in it.
    """

    path: str
    named: bool


def check_parameters(spec: Spec, params: Params) -> None:
    """Raise RequestError when ``params`` cannot be brought to the commands of ``spec``.

    Looks at the user's own workspace; changes nothing.
    """
    parameter_variables(params)
    check_placeholders(spec, params)
    if not params or spec.workspace_root is None:
        return
    target = params_file(spec, Path(spec.workspace_root))
    if target is not None:
        merged(Path(spec.workspace_root), target, params)


def merge(folder: Path, target: ParamsFile, params: Params) -> None:
    """Put ``params`` into a configuration file. Raises RequestError as ``check_parameters`` does.

    Writes: the file, in the sandbox, where it stands; cut off behind what is written, for ext4
    hurries to the disk with a file that was emptied first.
    """
    data = merged(folder, target, params)
    fd = os.open(f"{folder}/{target.path}", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(fd, "wb", buffering=0) as stream:
        stream.write(data)
        stream.truncate()


def params_file(spec: Spec, workspace: Path) -> ParamsFile | None:
    """Return the file that takes the parameters; None when there is none.

    Raises RequestError when the SPEC names one that cannot be it.
    """
    if spec.params_file is not None:
        return ParamsFile(_named(spec, spec.params_file), named=True)
    if spec.workspace_mode == "in-place":
        return None
    for pattern in spec.mutable_paths:
        for path in _matches(workspace, pattern):
            if _is_readable(workspace / path):
                return ParamsFile(path, named=False)
    return None


def _named(spec: Spec, name: str) -> str:
    if spec.workspace_mode == "in-place":
        raise RequestError(
            f"params_file: {name} would be changed in your own folder (workspace_mode: in-place).",
            "Use workspace_mode: copy, or read the parameters from LAB_PARAMS_JSON.",
        )
    path = os.path.relpath(name, spec.workspace_root) if os.path.isabs(name) else name
    path = os.path.normpath(path)
    if path.startswith(".."):
        raise RequestError(
            f"params_file: {name} lies outside of the workspace.",
            "Name a file inside workspace_root, relative to it.",
        )
    if Path(path).suffix not in LANGUAGES:
        raise RequestError(
            f"params_file: {name} is none of {', '.join(sorted(LANGUAGES))}.",
            "Name such a file, or read the parameters from LAB_PARAMS_JSON.",
        )
    return path


def _matches(workspace: Path, pattern: str) -> list[str]:
    """Return the configuration files that a mutable path names, sorted."""
    if Path(pattern).suffix in LANGUAGES and not glob.has_magic(pattern):
        return [pattern] if (workspace / pattern).is_file() else []
    deep = f"{pattern}/**" if (workspace / pattern).is_dir() else pattern
    found = glob.iglob(deep, root_dir=workspace, recursive=True)
    return sorted(path for path in found if Path(path).suffix in LANGUAGES)


def _is_readable(path: Path) -> bool:
    try:
        read(path.read_bytes(), LANGUAGES[path.suffix])
    except (OSError, ValueError):
        return False
    return True


def merged(workspace: Path, target: ParamsFile, params: Params) -> bytes:
    """Return the content of the configuration file with ``params`` in it."""
    document = _document(workspace, target)
    _check_aliases(document, target, params)
    values: dict[Leaf, ParamValue] = {}
    for name, value in params.items():
        leaf = _place(document, target, name)
        if leaf is not None:
            values[leaf] = value
        elif target.named:
            raise _homeless(document, target, name)
    try:
        return change(document, values)
    except ValueError as error:
        raise RequestError(
            f"{target.path} cannot take the parameters: {error}.",
            "Give each parameter a line of its own in that file.",
        ) from None


def _document(workspace: Path, target: ParamsFile) -> Document:
    language = LANGUAGES[Path(target.path).suffix]
    try:
        data = files.read(f"{workspace}/{target.path}")
        if data is None:
            raise RequestError(
                f"params_file: there is no {target.path} in {workspace}.",
                "Create it, or correct the path, which is relative to workspace_root.",
            )
        return read(data, language)
    except (OSError, ValueError) as error:
        raise RequestError(
            f"params_file: {target.path} cannot be read as {language.name}: {error}.",
            "Mend the file, or name another one.",
        ) from None


def _check_aliases(document: Document, target: ParamsFile, params: Params) -> None:
    """Refuse a file in which one written value may stand for several."""
    if document.alias is None:
        return
    known = keys(document.tree)
    if target.named or any(known & {name, name.split(".")[-1]} for name in params):
        way_out = (
            "leave params_file out and read LAB_PARAMS_JSON"
            if target.named
            else "name another file as params_file"
        )
        raise RequestError(
            f"{target.path}, line {document.alias.line}: the alias *{document.alias.name} shares "
            "values between places, so a parameter cannot be set in one of them.",
            f"Write the values out in that file, or {way_out}.",
        )


def _homeless(document: Document, target: ParamsFile, name: str) -> RequestError:
    """Return the refusal of a parameter without a place, with the place that may be meant."""
    near = _near_place(document, name)
    return RequestError(
        f"The parameter {name!r} has no place in {target.path}.",
        f"Did you mean {near}?"
        if near
        else f"Add the key to {target.path}, or leave params_file out: commands also get "
        f"{parameter_variable(name)}.",
    )


def _near_place(document: Document, name: str) -> str | None:
    """Return the path in the file whose last key is most like that of ``name``."""
    near = nearest(name.rpartition(".")[2], [leaf.path[-1] for leaf in document.leaves])
    paths = [".".join(leaf.path) for leaf in document.leaves if leaf.path[-1] == near]
    return (nearest(name, paths) or paths[0]) if paths else None


def _place(document: Document, target: ParamsFile, name: str) -> Leaf | None:
    """Find the one value that ``name`` means; None when there is none."""
    parts = tuple(name.split("."))
    exact = [leaf for leaf in document.leaves if leaf.path == parts] if len(parts) > 1 else []
    found = exact or [leaf for leaf in document.leaves if _means(leaf.path, name, parts)]
    if len(found) > 1:
        candidates = ", ".join(".".join(leaf.path) for leaf in found)
        raise RequestError(
            f"The parameter {name!r} has several places in {target.path}: {candidates}.",
            "Call the parameter by one of these paths.",
        )
    if (
        not found
        and document.alias is None
        and any(_means(path, name, parts) for path in sections(document.tree))
    ):
        raise RequestError(
            f"The parameter {name!r} names a list or section of {target.path}, not a value.",
            "Call the parameter by the path of a single value.",
        )
    return found[0] if found else None


def _means(path: tuple[str, ...], name: str, parts: tuple[str, ...]) -> bool:
    return path[-len(parts) :] == parts or path[-1:] == (name,)
