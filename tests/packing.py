"""What the tests of installing share: copies of the checkout, wheels, and shells to paste into."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OURS = ("HERMES_LAB_DATA_ROOT", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")


def readme_lines() -> list[str]:
    """Return the README's first two commands, which are code blocks of one line each."""
    first, second = _BLOCK.findall((ROOT / "README.md").read_text())[:2]
    return [first.removesuffix("\n"), second.removesuffix("\n")]


def kept_files() -> list[str]:
    """Return the files of the work tree that git keeps or would keep, as relative paths."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    named = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    names = sorted({os.fsdecode(name) for name in named.split(b"\0") if name})
    return [name for name in names if (ROOT / name).is_file()]


def checkout(folder: Path) -> Path:
    """Return a copy of what a clone of the work tree would hold; it is a repository of its own."""
    for name in kept_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    me = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    for words in (("init", "-q"), ("add", "."), (*me, "commit", "-q", "-m", "a copy")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def build(source: Path, folder: Path) -> Path:
    """Build a wheel of ``source`` into ``folder`` with the back end that is installed here."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def paste(
    text: str, folder: Path, *, environ: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Give text to a shell in ``folder`` as somebody would who never used the lab before."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env={**kept, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def pasted(text: str, folder: Path, **options) -> str:
    """Return what a shell prints; the text must go well."""
    done = paste(text, folder, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
