"""Labs that are killed, and what is expected of them afterwards; for every suite of crashes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from crash_harness import FULL, points, run_killed
from labs import lines, views

from hermes import files
from hermes.lab import Lab
from hermes.steps.refresh import refresh
from hermes.steps.verify import verify
from hermes.steps.watchdog import watchdog
from hermes.store.leases import Leases
from hermes.store.processes import this_process


def reopened(root: Path) -> Lab:
    """Return the lab as a new process would see it."""
    return Lab(root, environ={"PATH": os.environ["PATH"]})


def rebooted(root: Path) -> Lab:
    """Return the lab as a process sees it after the machine has started anew."""
    lab = reopened(root)
    me = replace(this_process(), boot_id="another boot")
    lab.leases = Leases(lab.layout, lab.clock, me=me)
    return lab


def expect_healthy(lab: Lab) -> None:
    """Check that nothing is amiss, that views are what the records tell, and events too."""
    assert verify(lab).problems == ()
    assert watchdog(lab) == []
    before = views(lab)
    assert refresh(lab).problems == ()
    assert views(lab) == before
    told_of = [event.run_id for event in lab.ledger.read().records if event.kind == "sealed"]
    sealed = [line.run_id for name in lab.experiments() for line in lines(lab, name)]
    assert sorted(told_of) == sorted(sealed)


class Copies:
    """Fresh copies of a prepared data root, always at the same path."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "lab-data"
        self._kept = folder / "kept"

    def clear(self) -> None:
        """Forget the data root and what was kept."""
        for folder in (self.root, self._kept):
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self) -> None:
        """Make the data root, as it is now, the one that is copied."""
        shutil.copytree(self.root, self._kept)

    def fresh(self) -> Path:
        """Put a fresh copy in the data root's place, and return it."""
        files.remove_tree(self.root)
        shutil.copytree(self._kept, self.root)
        return self.root


def killed_everywhere(
    copies: Copies, function: Callable[[], object], ways: tuple[str, ...], *, every: int = 1
) -> Iterator[str]:
    """Kill ``function`` at every operation, in every way; yield after each what was done to it.

    Each begins with a fresh copy of the data root as it is at the start.
    """
    copies.keep()
    copies.fresh()
    whole = run_killed(function, 0)
    assert not whole.error, whole.error
    for number, (at, how) in enumerate(points(whole, ways)):
        if number % every == 0:
            copies.fresh()
            result = run_killed(function, at, how)
            ended = result.calls < at and not result.error  # how often it projects varies
            assert result.died or how in FULL or ended, (at, how, result.error)
            yield f"{how} operation {at}: {whole.trace[at - 1]}"
