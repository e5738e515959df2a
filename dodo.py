"""The lab's day, read by doit: which tasks there are, in the order of the day.

A cycle is `doit run_once`: reclaim, plan, execute, seal, iterate, project, digest.
Everything else is a mode, a person's decision, a report, or upkeep.
"""

from collections.abc import Iterator
from typing import Any

from hermes import rules
from hermes.cli import request
from hermes.cli.door import configuration, tasks
from hermes.rules import dev

DOIT_CONFIG = configuration(request.current())


def task_lab() -> Iterator[Any]:
    """Every task of the lab, then the project's own checks."""
    yield from tasks({**rules.creators(), **rules.of(dev)})
