"""The provider ``stub``: an agent that needs no account, to try a whole loop with.

Limits first: it improves nothing. To a prompt without a folder it answers strict JSON without a
parameter. In a folder it writes one comment line at the end of one file of the surface, of a type
in which that changes nothing; the line names the iteration, and takes the place of an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from hermes.agents.base import Call, Settings
from hermes.agents.working import files_of
from hermes.exchange import Answer, Spending
from hermes.executing.content import Content
from hermes.executing.surface import put, read_content

_MARK = "hermes-lab stub, iteration"
_HASH, _SLASHES, _DASHES, _PERCENT = "# {}", "// {}", "-- {}", "% {}"
COMMENTS: Mapping[str, str] = {
    **dict.fromkeys((".py", ".sh", ".rb", ".pl", ".r", ".R", ".jl", ".yaml", ".yml"), _HASH),
    **dict.fromkeys((".toml", ".cfg", ".tcl", ".nim", ".ex", ".exs"), _HASH),
    **dict.fromkeys((".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".rs", ".go", ".java"), _SLASHES),
    **dict.fromkeys((".js", ".mjs", ".ts", ".kt", ".swift", ".scala", ".cs", ".zig"), _SLASHES),
    **dict.fromkeys((".sql", ".lua", ".hs"), _DASHES),
    **dict.fromkeys((".tex", ".m", ".erl"), _PERCENT),
    ".md": "<!-- {} -->",
}
"""How a comment is written, by the ending of a file's name."""

_NOTHING_TO_DO = "There is no file whose type has comments: nothing was changed."
_DONE = """\
A comment was written at the end of {path}.
HYPOTHESIS: A comment changes nothing, so this run shows the noise of the measurement ({number})."""
_NO_PARAMETERS = '{"params": {}, "hypothesis": "the stub proposes nothing"}'


class Stub:
    """Answers at once, the same for the same iteration."""

    def check(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Refuse nothing: whatever a SPEC sets, the stub heeds none of it."""

    def ask(self, call: Call) -> Answer:
        """Answer, and in a folder to work in change one file.

        Writes: one file of ``call.work``.
        """
        text = _NO_PARAMETERS if call.work is None else _edited(call.work, call)
        return Answer(text, agent="stub", spending=Spending(calls=1))


def _edited(work: Path, call: Call) -> str:
    files = files_of(work, call.settings)
    paths = [path for path in files if PurePosixPath(path).suffix in COMMENTS]
    if not paths:
        return _NOTHING_TO_DO
    number = int(call.environment.get("LAB_RUN_ITERATION") or 0)
    path = paths[number % len(paths)]
    before = read_content(str(work / path))
    comment = COMMENTS[PurePosixPath(path).suffix].format(f"{_MARK} {number}")
    put(str(work), {path: Content(_commented(before.data, comment), before.executable)})
    return _DONE.format(path=path, number=number)


def _commented(data: bytes, comment: str) -> bytes:
    """Return a file's content with the comment as its last line."""
    lines = data.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and _MARK.encode() in lines[-1]:
        lines.pop()
    return b"".join(line + b"\n" for line in (*lines, comment.encode()))


ADAPTER = Stub()
