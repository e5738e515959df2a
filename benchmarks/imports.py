"""What commands import, and how long that takes: none pays for what it does not use."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import crowd
import measuring
from measuring import MS, Options, Section, note, spread
from subjects import a_lab, an_experiment, doit_list, environ, hermes

_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|\s*(\S+)")
_LAB_COMMANDS = {
    "status": ("status",),
    "run_once, nothing due": ("run_once",),
    "show": ("show", "exp=trivial"),
    "list": ("list",),
    "burst n=1": ("burst", "exp=busy", "n=1"),
}
USED_BY_WORK = (
    "yaml",
    "jsonschema",
    "cronsim",
    "optuna",
    "asyncio",
    "ctypes",
    "concurrent.futures",
    "difflib",
    "hermes.validation",
    "hermes.spec",
    "hermes.state",
    "hermes.history",
    "hermes.search.space",
    "hermes.executing.run",
    "hermes.modes.loop",
    "hermes.render.summary",
)
"""What a command that only looks, and finds all as it should be, has no use for."""
LOOKING = ("status", "run_once, nothing due", "list")
_OF_DOIT = ("importlib.metadata", "inspect", "subprocess", "dataclasses")


@dataclass(frozen=True)
class Imports:
    """The modules that a process imported: microseconds each took itself, by name, in order."""

    own: dict[str, int]

    @property
    def milliseconds(self) -> float:
        """Return what all took together."""
        return sum(self.own.values()) / 1000

    def part(self, package: str) -> float:
        """Return the milliseconds that a package and all in it took."""
        own = (taken for name, taken in self.own.items() if f"{name}.".startswith(f"{package}."))
        return sum(own) / 1000


def run(options: Options) -> Section:
    """List what each command imports, and time it."""
    section = Section("What a command imports")
    section.say(
        "By `python -X importtime`, the interpreter's own modules included; each figure is the"
        " smallest of several calls.",
        "`doit` is `doit list` of an empty `dodo.py`.",
    )
    with options.workplace() as place:
        lab = a_lab(place)
        for name, cadence in (("trivial", "daily"), ("busy", "daily")):
            crowd.run_for_real(lab, an_experiment(lab, name, cadence=cadence), 2)
        root = lab.layout.root
        hermes(root, "status")()  # projects, which the next one need not
        rounds = options.pick(7, 3, 1)
        note(f"imports: {rounds} calls of each command")
        doit_list(place)
        found = {"doit": imported(["doit", "list"], place / "empty", None, rounds)}
        for name, words in _LAB_COMMANDS.items():
            found[name] = imported(["hermes", *words], place, root, rounds)
        _tables(section, found)
        _starts(section, place, root, options)
    return section


def imported(words: Sequence[str], folder: Path, root: Path | None, rounds: int) -> Imports:
    """Return what ``python -m words`` imports; of each module the shortest of its times."""
    own: dict[str, int] = {}
    for _ in range(rounds):
        ended = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", *words],
            cwd=folder,
            env=environ(root),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        for match in _LINE.finditer(ended.stderr):
            own[match[3]] = min(int(match[1]), own.get(match[3], int(match[1])))
    return Imports(own)


def _tables(section: Section, found: dict[str, Imports]) -> None:
    names = list(found)
    for name in LOOKING:
        unused = sorted(set(USED_BY_WORK) & set(found[name].own))
        section.say(
            f"`{name}` imports {', '.join(unused)}, which it does not use."
            if unused
            else f"`{name}` imports nothing that it does not use."
        )
    rows = [
        ["modules", *(str(len(found[name].own)) for name in names)],
        ["import time, ms", *(f"{found[name].milliseconds:.1f}" for name in names)],
        ["of it hermes, ms", *(f"{found[name].part('hermes'):.1f}" for name in names)],
        ["of it doit, ms", *(f"{found[name].part('doit'):.1f}" for name in names)],
        *(
            [f"`{item}`", *(_mark(found[name], item) for name in names)]
            for item in (*_OF_DOIT, *USED_BY_WORK)
        ),
    ]
    section.table(["", *(f"`{name}`" for name in names)], rows)
    own = found["status"].own
    dearest = sorted(own, key=lambda name: -own[name])[:12]
    section.say("The dearest modules of `status`, without what they import themselves:")
    section.table(["Module", "ms"], [[f"`{name}`", f"{own[name] / 1000:.2f}"] for name in dearest])


def _mark(imports: Imports, name: str) -> str:
    return "yes" if name in imports.own else "-"


def _starts(section: Section, place: Path, root: Path, options: Options) -> None:
    rounds = options.pick(15, 5, 1)
    acts = {"`doit list` of an empty `dodo.py`": doit_list(place)}
    for name, words in _LAB_COMMANDS.items():
        if name != "burst n=1":
            acts[f"`{name}` in a lab of two"] = hermes(root, *words)
    taken = measuring.in_turns(acts, rounds, warm_up=options.pick(1, 1, 0))
    rows = [
        [name, *spread([value * MS for value in times]).shown("{:.0f}")]
        for name, times in taken.items()
    ]
    section.table([f"Whole commands, ms ({rounds} turns)", "least", "median", "most"], rows)


if __name__ == "__main__":
    measuring.main(run)
