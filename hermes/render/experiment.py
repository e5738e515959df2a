"""The projections of an experiment: from its SPEC, its folded state, its status, and possession.

Pure; called by the step that projects. Limit first: every page is of bounded size whatever the
runs said, so what is long is cut here and stands whole in the bundles.
"""

from __future__ import annotations

from collections.abc import Iterable

from hermes import codec
from hermes.blackboard import InFlight, blackboard_of
from hermes.render.blackboard import blackboard_page
from hermes.render.context import context_page
from hermes.render.outlook import outlook_page
from hermes.render.runbook import runbook_page
from hermes.render.summary import best_page, summary_page
from hermes.spec import Spec
from hermes.state import ExperimentState
from hermes.status import Status

_FOOT = "\nAll times are UTC.\nDerived from the records: do not edit, it is rebuilt.\n"


def projections(
    spec: Spec, state: ExperimentState, status: Status, *, in_flight: Iterable[InFlight] = ()
) -> dict[str, bytes]:
    """Return the content of every projection by its file name (``layout.PROJECTIONS``).

    ``in_flight`` are the points of the experiment's packages; only the blackboard tells of them.
    """
    board = blackboard_of(state, status, in_flight)
    pages = {
        "RUNBOOK.md": runbook_page(spec, status) + _FOOT,
        "SUMMARY.md": summary_page(state, status) + _FOOT,
        "NEXT.md": outlook_page(spec, state, status) + _FOOT,
        "context.md": context_page(spec, state, status),
        "best.md": best_page(spec, state, status) + _FOOT,
        "BLACKBOARD.md": blackboard_page(board) + _FOOT,
    }
    made = {
        "STATUS.json": codec.to_lined_json(status),
        "blackboard.json": codec.to_lined_json(board),
    }
    return made | {name: text.encode() for name, text in pages.items()}
