"""Calls git; the modules of ``executing`` that need it share this way of doing so.

Limits first. git is called with hooks, file-system monitor and prompts out of play, and with no
variable of the caller's that speaks to git. What the user's own settings say still holds where
the user's repository is asked; in a folder of the lab's own (``Own``) no setting holds at all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import Fault

_SAFE = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "core.sparseCheckout=false"),
    *("-c", "safe.directory=*"),
)
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_ALONE = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "XDG_CONFIG_HOME": "/dev/null",
    "HOME": "/dev/null",
}
_FALLBACK = {"PATH": os.defpath}
_PULSE_SECONDS = 1.0
_NOBODY: Mapping[str, str] = {}

Pulse = Callable[[], None]


class Failed(Fault):
    """git said no; ``complaint`` is the last line of what it said."""

    def __init__(self, what: str, where: str, complaint: str) -> None:
        super().__init__(f"git {what} failed in {where}: {complaint}")
        self.complaint = complaint


def is_there(environment: Mapping[str, str]) -> bool:
    """Say whether git is installed."""
    return shutil.which("git", path=environment.get("PATH", os.defpath)) is not None


def call(
    git_dir: str,
    work_tree: str,
    environment: Mapping[str, str],
    *words: str,
    own: Mapping[str, str] = _NOBODY,
    given: bytes | None = None,
    pulse: Pulse = lambda: None,
) -> bytes:
    """Call git and return what it prints. Raises Failed with its complaint, OSError without git.

    ``own`` are variables for git of the lab's own making; ``given`` is its standard input.
    """
    command = ["git", f"--git-dir={git_dir}", f"--work-tree={work_tree}", *_SAFE, *words]
    clean = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    with _readable(given) as stdin:
        process = subprocess.Popen(
            command,
            cwd=work_tree,
            env={**_FALLBACK, **clean, **_QUIET, **own},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    with process:
        said, complaint = _collect(process, pulse)
    if process.returncode != 0:
        lines = complaint.decode("utf-8", "replace").strip().splitlines()
        raise Failed(words[0], work_tree, lines[-1] if lines else "")
    return said


@contextlib.contextmanager
def _readable(given: bytes | None) -> Iterator[int]:
    """Yield what a process may have as its standard input.

    A file, and no pipe: ``communicate`` cannot go on to feed one after a timeout.
    """
    if given is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as stream:
        stream.write(given)
        stream.seek(0)
        yield stream.fileno()


def _collect(process: subprocess.Popen[bytes], pulse: Pulse) -> tuple[bytes, bytes]:
    while True:
        try:
            return process.communicate(timeout=_PULSE_SECONDS)
        except subprocess.TimeoutExpired:
            try:
                pulse()
            except BaseException:
                process.kill()
                raise


# Folders of the lab's own


@dataclass(frozen=True)
class Own:
    """A git folder that the lab made, in which no setting of anybody holds."""

    folder: Path
    environment: Mapping[str, str]

    def call(self, *words: str, given: bytes | None = None) -> bytes:
        """Call git in it; raises as ``call``."""
        place = os.path.realpath(self.folder)
        return call(place, place, self.environment, *words, own=_ALONE, given=given)


def make_git_dir(folder: Path, head: str, *, bare: bool, config: str = "") -> None:
    """Make a repository without branches, hooks and objects; ``config`` is added to its settings.

    Writes: ``folder``, in scratch, which must not hold one yet.
    """
    for name in ("objects/info", "refs/heads", "refs/tags"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text(f"{head}\n")
    own = f"[core]\n\trepositoryformatversion = 0\n\tbare = {str(bare).lower()}\n"
    (folder / "config").write_text(f"{own}\tfilemode = true\n{config}")
