"""A proposal that waits for a person: its file, and the same for a terminal.

Pure; for the step that projects, for ``show`` and for the prompt.
Limit first: a terminal shows 40 parameters, the file has them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hermes import codec
from hermes.model import SCHEMA_VERSION, Params
from hermes.render.advice import answers
from hermes.render.tables import Column, columns, wrap
from hermes.render.text import CUT, clip, number, params
from hermes.status import Approval

if TYPE_CHECKING:  # a list of experiments folds nothing
    from hermes.spec import Spec
    from hermes.state import ExperimentState, Scored
    from hermes.steering import Waiting

_LONG = 400
_MOST_PARAMS = 40
_HEADS = (Column("  PARAMETER", least=12), Column("PROPOSED", need=1, least=8))


def approval_file(spec: Spec, state: ExperimentState, waiting: Waiting) -> bytes:
    """Return ``control/approvals/<id>.json``: what is proposed, why, and how to answer."""
    from hermes.state import current_tier

    tier = current_tier(state, spec.first_tier)
    content = {
        "schema_version": SCHEMA_VERSION,
        "id": waiting.id,
        "experiment": spec.id,
        "asked_at": waiting.at,
        "goal": spec.goal,
        "metric": spec.metric,
        "metric_direction": spec.metric_direction,
        "fidelity_tier": tier,
        "trial": waiting.asked.trial,
        "strategy": waiting.proposal.strategy,
        "params": waiting.proposal.params,
        "note": waiting.proposal.note,
        "parents": waiting.proposal.parents,
        "ideas": [item.text for item in state.steering.ideas if item.id in waiting.asked.ideas],
        "best": state.best(tier),
        "answer_with": answers(spec.id, waiting.id),
    }
    return codec.to_json(content, pretty=True)


def proposal_lines(approval: Approval, *, width: int) -> list[str]:
    """Return what a proposal is and why, for a terminal ``width`` cells wide."""
    lines = wrap(f"{approval.id}, trial {approval.trial}, by {clip(approval.strategy, 40)}", width)
    if approval.params:
        lines += _values(approval.params, width)
    else:
        lines.append("  No parameters are set: the commands run as they are.")
    return lines + (wrap(f"Why: {clip(approval.note, _LONG)}", width) if approval.note else [])


def best_line(metric: str, best: Scored | None) -> str:
    """Return the best run so far, in one line."""
    if best is None:
        return f"Best {clip(metric, 40)} so far: none yet"
    tried = f", with {params(best.params, _LONG)}" if best.params else ""
    return f"Best {clip(metric, 40)} so far: {number(best.value)} in {best.run_id}{tried}"


def _values(given: Params, width: int) -> list[str]:
    """Return a line a parameter, each value exactly."""
    names = list(given)[:_MOST_PARAMS]
    rows = [(f"  {clip(name, 60)}", _exact(given, name)) for name in names]
    more = len(given) - len(names)
    rest = [f"  {CUT} {more} more, see control/approvals/"] if more else []
    return [*columns(_HEADS, rows, width=width).split("\n"), *rest]


def _exact(given: Params, name: str) -> str:
    return clip(codec.to_json(given[name]).decode().strip(), 60)
