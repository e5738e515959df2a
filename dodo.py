"""The lab's day: configuration and task creators; reading it is reading the lab's day.

A cycle is `doit run_once`: reclaim, plan, execute, seal, iterate, project, digest.
Everything else is a mode, a person's decision, a report, or upkeep.
"""

from hermes.cli import request
from hermes.cli.door import configuration
from hermes.rules.control import task_create, task_init, task_lifecycle
from hermes.rules.dev import task_check, task_manifest
from hermes.rules.digest import task_digest
from hermes.rules.execute import task_execute
from hermes.rules.modes import task_burst, task_demo, task_run_once
from hermes.rules.plan import task_plan
from hermes.rules.project import task_project
from hermes.rules.reclaim import task_reclaim
from hermes.rules.reporting import task_experiments, task_show, task_status
from hermes.rules.seal import task_iterate, task_seal
from hermes.rules.upkeep import task_recover, task_refresh, task_verify, task_watchdog

DOIT_CONFIG = configuration(request.current())

__all__ = [
    "task_burst",
    "task_check",
    "task_create",
    "task_demo",
    "task_digest",
    "task_execute",
    "task_experiments",
    "task_init",
    "task_iterate",
    "task_lifecycle",
    "task_manifest",
    "task_plan",
    "task_project",
    "task_reclaim",
    "task_recover",
    "task_refresh",
    "task_run_once",
    "task_seal",
    "task_show",
    "task_status",
    "task_verify",
    "task_watchdog",
]
