"""The task graph: when each step runs. A rule decides *when*, a step *what*.

Loading the rules reads and never writes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

Creator = Callable[[], Any]


def creators() -> dict[str, Creator]:
    """Return every task creator, by the name doit knows it by."""
    from hermes.rules import (
        agents,
        audit,
        control,
        digest,
        execute,
        exporting,
        modes,
        plan,
        project,
        reclaim,
        reporting,
        reproducing,
        seal,
        steering,
        upkeep,
    )

    conveyor = (reclaim, plan, execute, seal, project, digest)
    people = (modes, control, steering, agents)
    shown = (reporting, audit, reproducing, exporting)
    modules = (*conveyor, *people, *shown, upkeep)
    return {name: creator for module in modules for name, creator in of(module).items()}


def main() -> NoReturn:
    """Run ``hermes-lab``: doit with the lab's tasks built in."""
    from hermes.cli import door

    door.main(creators=creators())


def of(module: ModuleType) -> dict[str, Creator]:
    """Return the task creators of one module, in its order."""
    return {name: value for name, value in vars(module).items() if name.startswith("task_")}
