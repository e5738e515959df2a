"""What the benchmarks share: sizes, timing side by side, spreads, and the section each one prints.

Limit first: a time alone says little on a machine that does other things too. So whatever is
compared is measured in turns, and a comparison is made within each turn.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hermes

SIZES = ("full", "quick", "tiny")
MS = 1000.0


@dataclass(frozen=True)
class Options:
    """How large a benchmark is to be, and the folder in which it makes what it measures."""

    size: str
    folder: Path | None

    def pick(self, full: int, quick: int, tiny: int) -> int:
        """Return the number for this size."""
        return dict(zip(SIZES, (full, quick, tiny), strict=True))[self.size]

    @contextlib.contextmanager
    def workplace(self) -> Iterator[Path]:
        """Make an empty folder for the body, and remove it."""
        place = Path(tempfile.mkdtemp(prefix="hermes-benchmark-", dir=self.folder)).resolve()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class Spread:
    """The smallest, the middle and the largest of some measurements."""

    low: float
    median: float
    high: float

    def shown(self, form: str = "{:.2f}") -> list[str]:
        """Return the three as cells of a table."""
        return [form.format(value) for value in (self.low, self.median, self.high)]


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of ``values``, of which there is at least one."""
    return Spread(min(values), statistics.median(values), max(values))


@dataclass(frozen=True)
class Target:
    """What was to be reached: ``measured`` is at most ``limit``."""

    what: str
    measured: float
    limit: float
    unit: str

    def row(self) -> list[str]:
        """Return the cells of its line."""
        met = "met" if self.measured <= self.limit else "**missed**"
        return [self.what, f"{self.measured:.2f} {self.unit}", f"{self.limit:g} {self.unit}", met]


@dataclass
class Section:
    """What one benchmark found, as a part of RESULTS.md."""

    title: str
    parts: list[str] = field(default_factory=list)

    def say(self, *sentences: str) -> None:
        """Add a paragraph, one sentence a line."""
        self.parts.append("\n".join(sentences))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table; all columns but the first hold figures."""
        lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
        self.parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def targets(self, targets: Sequence[Target]) -> None:
        """Add what was to be reached, and whether it was."""
        self.table(["Target", "measured", "at most", ""], [target.row() for target in targets])

    def body(self) -> str:
        """Return it as Markdown."""
        return "\n\n".join([f"## {self.title}", *self.parts]) + "\n"

    def text(self) -> str:
        """Return it as Markdown, with the command that this process is."""
        command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
        return Section(self.title, [f"`{command}`", *self.parts]).body()


def main(run: Callable[[Options], Section]) -> None:
    """Run one benchmark as the command line asks, and print its section."""
    parser = argparse.ArgumentParser(description=sys.modules[run.__module__].__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--folder", type=Path, help="where to make what is measured")
    asked = parser.parse_args()
    compileall.compile_dir(str(Path(hermes.__file__).parent), quiet=1)  # as an installation does
    print(run(Options(asked.size, asked.folder)).text())


def note(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def seconds(act: Callable[[], object]) -> float:
    """Return how long ``act`` took."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def in_turns(
    acts: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: int = 1
) -> dict[str, list[float]]:
    """Time each act once a round, in an order that changes; return the seconds, by round."""
    names = list(acts)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warm_up + rounds):
        shift = number % len(names)
        for name in [*names[shift:], *names[:shift]]:
            took = seconds(acts[name])
            if number >= warm_up:
                taken[name].append(took)
    return taken


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return one over the other, round by round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def resident_mib() -> float:
    """Return how much memory this process holds now, in MiB; 0 where the system does not say."""
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0
