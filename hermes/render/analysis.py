"""What an analysis finds, for a terminal. Called by the command.

Pure, without colour. Limit first: lists are cut, and no line is wider than the terminal if that
has 40 cells at least; ``format=json`` has more of each.
"""

from __future__ import annotations

from collections.abc import Iterable

from hermes.analysis.findings import Findings, Importance, Missing, Plateau, TierFindings, Verdict
from hermes.analysis.tiers import EARLY
from hermes.render import findings as tables
from hermes.render.findings import nearness, percent
from hermes.render.plot import is_log, step_plot
from hermes.render.tables import broken_command, labelled, wrap
from hermes.render.text import CUT, clip, command, duration, number, params, plural

_LONG = 400
_MOST_TIERS = 4
_MOST_SEGMENTS = 5
_RARE = 0.1  # a wait that chance makes as long in more cases tells nothing


def analysis_text(found: Findings, *, width: int) -> str:
    """Return what was found for a terminal ``width`` cells wide."""
    parts = [
        labelled(_standing(found), width),
        *_tiers(found, width),
        tables.strategies(found, width),
        tables.failures(found.failures, width),
        _next(found, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _standing(found: Findings) -> Iterable[tuple[str, str]]:
    yield "Experiment", clip(found.id, 64)
    yield "Metric", f"{clip(found.metric, _LONG)}, {found.metric_direction.value}"
    if not found.run_count:
        yield "Runs", "none yet"
        return
    outcomes = ", ".join(f"{count} {clip(name, 20)}" for name, count in found.outcomes.items())
    yield "Runs", f"{found.run_count} ({outcomes})"
    kept = f"{found.accepted}, {percent(found.keep_rate or 0.0)} of all"
    yield "Kept", f"{kept}: each was the best of its tier when sealed" if found.accepted else "none"
    mean = duration(found.wall_seconds / found.run_count)
    yield "Time", f"{duration(found.wall_seconds)} of running, {mean} a run"
    if found.duplicates_avoided:
        points = plural(found.duplicates_avoided, "point")
        yield "Duplicates", f"{points} put back by strategies, as they had been tried"


def _next(found: Findings, width: int) -> list[str]:
    if found.run_count:
        return []
    return broken_command(f"Next: {command('burst', exp=found.id, n='10')}", width)


# one tier


def _tiers(found: Findings, width: int) -> Iterable[list[str]]:
    for tier in found.tiers[:_MOST_TIERS]:
        if len(found.tiers) > 1:
            succeeded = f"{plural(tier.run_count, 'run')}, {tier.success_count} succeeded"
            yield wrap(f"Tier {clip(tier.tier, 64)}: {succeeded}", width)
        yield _progress(tier, width)
        yield labelled(_facts(tier), width)
        yield tables.improvements(tier, width)
        yield tables.near_misses(tier.near_misses, width)
        yield tables.importance(tier.importance, width)
    if len(found.tiers) > _MOST_TIERS:
        others = clip(", ".join(tier.tier for tier in found.tiers[_MOST_TIERS:]), _LONG)
        yield wrap(f"{CUT} and these tiers, see format=json: {others}", width)


def _progress(tier: TierFindings, width: int) -> list[str]:
    points = [(level.seq, level.value) for level in tier.best_so_far]
    plot = step_plot(points, width=width)
    if not plot:
        return []
    scale = ", on a logarithmic scale" if is_log(points) else ""
    return [*wrap(f"Best so far{scale}:", width), *plot]


def _facts(tier: TierFindings) -> Iterable[tuple[str, str]]:
    best = tier.best
    if tier.segment_count > 1:
        yield "Segments", _segments(tier)
    if best is None:
        yield "Best", "none yet"
    else:
        by = f"run {best.seq}, by {clip(best.strategy, 40)}"
        yield "Best", f"{number(best.value)} in {clip(best.run_id, 100)} ({by})"
        yield "Params", params(best.params, _LONG) if best.params else ""
    yield "Plateau", verdict(tier.plateau)
    if _lacks_near_misses(tier):
        yield "Near misses", f"none {nearness(tier.near_misses)}"
    if tier.importance.method is None:
        yield "Importance", _missing(tier.importance)


def _segments(tier: TierFindings) -> str:
    begun = [str(item.seq) for item in tier.segments[-_MOST_SEGMENTS:]]
    runs = ", ".join([CUT, *begun] if tier.segment_count > len(begun) else begun)
    last = tier.segments[-1]
    present = f"only runs from {last.seq} on are compared (evaluator {clip(last.evaluator, 20)})"
    return f"{tier.segment_count}, begun by the baselines {runs}; {present}"


def _lacks_near_misses(tier: TierFindings) -> bool:
    """Say whether it means something that none came near: of few, or of kept changes, it does not.

    In the code loop each success was the best in its turn.
    """
    near, is_code_loop = tier.near_misses, tier.segment_count > 0
    is_told = tier.success_count >= EARLY and not is_code_loop
    return is_told and not near.count and bool(near.within)


def verdict(plateau: Plateau) -> str:
    """Return in words whether there is a plateau, and what that rests on."""
    if plateau.verdict is Verdict.NO_SUCCESS:
        return "no run has succeeded yet"
    since = plural(plateau.runs_since or 0, "run")
    share = percent(plateau.share or 0.0)
    if plateau.verdict is Verdict.TOO_EARLY:
        return f"too early to tell; the best is {since} old"
    if plateau.runs_since == 0:
        return "no: the last run is the best"
    if plateau.verdict is Verdict.IMPROVING:
        return f"no: the best is {since} old ({share} of all)"
    return f"{_answer(plateau)}: no new best in the last {since} ({share} of all); {_luck(plateau)}"


def _is_rare(plateau: Plateau) -> bool:
    return plateau.chance is not None and plateau.chance <= _RARE


def _answer(plateau: Plateau) -> str:
    return "yes" if plateau.verdict is Verdict.PLATEAU and _is_rare(plateau) else "perhaps"


def _luck(plateau: Plateau) -> str:
    """Say what the chance means: whether blind luck, which learns nothing, would wait as long."""
    chance = percent(plateau.chance or 0.0)
    told = "so it is hardly luck" if _is_rare(plateau) else "so it may be no more than luck"
    return f"in random order the same values do so in {chance} of cases, {told}"


def _missing(importance: Importance) -> str:
    if importance.missing is Missing.NO_PARAMETERS:
        return "no run has parameters"
    if importance.missing is Missing.EQUAL_VALUES:
        return f"all {importance.runs} runs have the same value"
    told = f"it takes {importance.needed} successful runs with parameters"
    return f"{told}, there {'is' if importance.runs == 1 else 'are'} {importance.runs}"
