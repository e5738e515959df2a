"""The step ``export``: the kept changes of a code loop as a series of patches for review.

Reads sealed bundles only. Limits first: the series leads from the user's workspace, as the first
change found it, to the incumbent; changes that were accepted and that the incumbent was not made
from are not in it. ``git am`` takes the files, in a workspace without a repository ``git apply``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hermes import codec, files, history
from hermes.clock import parse_time
from hermes.errors import BrokenFile, RequestError
from hermes.lab import Lab
from hermes.model import IndexLine
from hermes.spec import Spec
from hermes.state import ExperimentState
from hermes.steps.kept import change_of

_MOST_NAME = 40


def export_patches(lab: Lab, experiment: str, out: Path) -> list[Path]:
    """Write the patches into ``out``, in their order; return their paths.

    Raises RequestError when there is no kept change, or ``out`` holds something; BrokenFile when
    a bundle is damaged.

    Writes: new files in ``out``, which is made.
    """
    from email.utils import format_datetime

    from hermes.executing import branch, environment
    from hermes.render.commit_text import mail

    lab.experiment(experiment)
    past = history.read(lab, experiment)
    spec = past.spec.spec
    lines = {line.run_id: line for line in lab.index(experiment).read().lines}
    series = _series(lab, experiment, lines, _incumbent(spec, past.state, experiment))
    if not series:
        raise _nothing(experiment)
    _check_empty(out)
    root = spec.workspace_root or str(lab.layout.root)
    author = branch.identity(root, environment.base(lab.environ))
    mails = [
        mail(
            change_of(experiment, spec.metric, lines.values(), line),
            _patch(lab, experiment, line.run_id),
            number=number,
            count=len(series),
            date=format_datetime(parse_time(line.completed_at)),
            author=author,
        )
        for number, line in enumerate(series, start=1)
    ]
    files.make_folder(out, mode=0o777)
    paths = [out / _name(number, line) for number, line in enumerate(series, start=1)]
    for path, data in zip(paths, mails, strict=True):
        files.write_new(path, data, mode=0o666)
    return paths


def _incumbent(spec: Spec, state: ExperimentState, experiment: str) -> str:
    """Return the incumbent of the highest tier that has one."""
    for tier in reversed(spec.tiers):
        if tier in state.incumbents:
            return state.incumbents[tier].run_id
    raise _nothing(experiment)


def _nothing(experiment: str) -> RequestError:
    return RequestError(
        f"{experiment} has no accepted change of code.",
        f"See `hermes-lab show exp={experiment}` for what its runs brought.",
    )


def _check_empty(out: Path) -> None:
    if files.exists(out) and not out.is_dir():
        raise RequestError(f"out={out} is no folder.", "Name a new folder, or an empty one.")
    if out.is_dir() and any(out.iterdir()):
        raise RequestError(f"out={out} is not empty.", "Name a new folder, or an empty one.")


def _series(
    lab: Lab, experiment: str, lines: Mapping[str, IndexLine], last: str
) -> list[IndexLine]:
    """Return the runs that brought the changes which the code of ``last`` holds, in order.

    A patch leads from the code that the candidate was made from, which need not be the code that
    it was compared with in the end.
    """
    from hermes.executing.candidate import load_kept

    series: list[IndexLine] = []
    run_id: str | None = last
    while run_id is not None:
        line = lines.get(run_id)
        if line is None or line.code is None:
            break
        parent = load_kept(lab.layout.experiment(experiment).run(run_id)).parent_run
        if parent is None:
            run_id = _measured_anew(line, lines)
            continue
        series.append(line)
        run_id = parent
    return series[::-1]


def _measured_anew(baseline: IndexLine, lines: Mapping[str, IndexLine]) -> str | None:
    """Return the accepted run whose code a baseline measured again; None for the user's own."""
    assert baseline.code is not None, "a baseline is a run of the code loop"
    same = [
        line.run_id
        for line in lines.values()
        if line.accepted
        and line.seq < baseline.seq
        and line.code is not None
        and line.code.candidate == baseline.code.candidate
    ]
    return same[-1] if same else None


def _patch(lab: Lab, experiment: str, run_id: str) -> bytes:
    """Read the patch of a sealed run, checked against its manifest. Raises BrokenFile."""
    path = lab.layout.experiment(experiment).run(run_id).patch
    stated = lab.bundles.read(experiment, run_id).manifest.files.get(f"artifacts/{path.name}")
    try:
        data = files.read(path)
    except OSError as error:
        raise BrokenFile(str(path), f"cannot be read: {error.strerror}") from None
    if data is None or stated is None or codec.digest(data) != stated.sha256:
        raise BrokenFile(str(path), "is not the file that its manifest names")
    return data


def _name(number: int, line: IndexLine) -> str:
    return f"{number:04d}-{line.run_id[:_MOST_NAME]}.patch"
