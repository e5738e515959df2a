"""What proposals cost, over the libraries and after a long history, and how a search starts."""

from __future__ import annotations

import json
import resource
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import measuring
import yaml
from flat import in_turns, long_history, turns_target
from measuring import MS, Options, Section, Target, note, seconds, spread
from played import ALL, Play, Played, available, beside, play
from subjects import EXAMPLE, a_lab, an_experiment, hermes

from hermes import codec
from hermes.lab import Lab
from hermes.model import IndexLine, Trial
from hermes.search.space import parse_space

MOST_ADDED_MS = 1.0
MOST_START_S = 1.0
MOST_START_WITH_A_LIBRARY_S = 2.0
_SPACE = json.loads((EXAMPLE / "workspace" / "search_space.json").read_text())
_FINITE = {name: {"type": "int", "low": 1, "high": 2000} for name in _SPACE}
_LOSS_OF_X = """echo "{\\"loss\\": $LAB_PARAM_X}\""""
_FLAT = ("perturb", "grid", "tree")


def run(options: Options) -> Section:
    """Ask and tell beside the libraries, then search long, then start after a long history."""
    section = Section("What a search costs")
    items, missing = available()
    if missing:
        section.say(*missing)
    _over_libraries(section, items, options)
    with options.workplace() as place:
        lab = a_lab(place)
        _flat(section, lab, options)
        _long(section, lab, items, options)
    return section


# Over the libraries


def _over_libraries(section: Section, items: Sequence[Played], options: Options) -> None:
    rounds, trials = options.pick(9, 3, 1), options.pick(200, 60, 3)
    section.say(
        f"What a trial takes of the processor's time, its ask and its tell together, in searches of"
        f" {trials} trials over five numbers: through the lab, and by the same library directly,"
        " in turns.",
    )
    targets, rows = [], []
    for item in (item for item in items if item.library is not None):
        note(f"search_cost: {rounds} searches beside {item.label}")
        beside(item, 3, seed=rounds)  # imports, and warms up
        taken = [beside(item, trials, seed=seed) for seed in range(rounds)]
        added = spread([ours - theirs for ours, theirs in taken])
        middles = [statistics.median(column) for column in zip(*taken, strict=True)]
        rows.append([item.label, *(f"{middle:.2f}" for middle in middles), *added.shown()])
        targets.append(Target(f"{item.label}: added a trial", added.median, MOST_ADDED_MS, "ms"))
    section.targets(targets)
    head = [f"{rounds} searches, ms a trial", "the lab", "the library", "least", "median", "most"]
    section.table([*head[:3], *(f"added, {name}" for name in head[3:])], rows)


# Flat


def _flat(section: Section, lab: Lab, options: Options) -> None:
    """Make the long histories that ``_long`` goes on from."""
    section.say(
        "A long burst stays as cheap as it began; `random` has a section of its own.",
        "The loss is one of the two parameters.",
    )
    targets, rows = [], []
    for item in (item for item in ALL if item.strategy in _FLAT):
        many, part = _many(item, options), options.pick(1_000, 100, 5)
        note(f"search_cost: {many} iterations of {item.label}")
        for name in (item.strategy, f"{item.strategy}-new"):
            _experiment(lab, item, name)
        history = long_history(lab, item.strategy, many, part)
        compared = in_turns(lab, item.strategy, f"{item.strategy}-new", options)
        label = f"{item.label}, {many:,}: "
        targets += [history.target(label), turns_target(compared, label)]
        ends = [statistics.fmean(taken) * MS for taken in (history.first, history.last)]
        rows.append([item.label, *(f"{end:.2f}" for end in ends), *compared.shown()])
    section.targets(targets)
    head = ["", f"first {part:,}, ms", "last, ms"]
    section.table([*head, *(f"old / new, {name}" for name in ("least", "median", "most"))], rows)


def _many(item: Played, options: Options) -> int:
    return min(options.pick(20_000, 1_000, 20), options.pick(item.most, 500, 20))


def _experiment(lab: Lab, item: Played, name: str) -> None:
    space = _FINITE if item.finite else _SPACE
    an_experiment(
        lab, name, strategy=item.strategy, search_space=space, executor_command=_LOSS_OF_X
    )


# After a long history

_EPOCH = 2_000
_SHORT_OF = 10


def _long(section: Section, lab: Lab, items: Sequence[Played], options: Options) -> None:
    section.say(
        "The cost after a long history, of the processor's time, and the start of a burst on it:"
        " `burst n=1`, its run included.",
        "The strategy itself has made the history; of `bayesian` all but the end is drawn at"
        " random.",
        f"With a library the history lacks {_SHORT_OF} runs of {_EPOCH:,}: there `cmaes` and"
        " `evolution` begin anew, and before it they have most to take in again.",
    )
    targets, rows = [], []
    for item in sorted(items, key=lambda item: item.strategy not in _FLAT):
        found = _after_long(lab, item, options)
        targets += found.targets(item)
        rows.append([item.label, *found.row()])
    section.targets(targets)
    head = ["", "runs", "ask, ms", "tell, ms", "start, s", "of the processor, s"]
    section.table(head, rows)


@dataclass(frozen=True)
class _AfterLong:
    """What a strategy costs after so many runs: milliseconds, and seconds for the start."""

    runs: int
    ask: float
    tell: float
    start: float
    start_cpu: float

    def targets(self, item: Played) -> list[Target]:
        limit = MOST_START_S if item.library is None else MOST_START_WITH_A_LIBRARY_S
        start = Target(f"{item.label}: start of a burst", self.start, limit, "s")
        if item.library is not None:  # its own cost is the library's
            return [start]
        own = Target(f"{item.label}: ask and tell", self.ask + self.tell, MOST_ADDED_MS, "ms")
        return [start, own]

    def row(self) -> list[str]:
        costs = (f"{self.ask:.3f}", f"{self.tell:.3f}", f"{self.start:.2f}")
        return [f"{self.runs:,}", *costs, f"{self.start_cpu:.2f}"]


def _after_long(lab: Lab, item: Played, options: Options) -> _AfterLong:
    """Play a history, let an experiment have it, and start bursts on that."""
    name = item.strategy if item.strategy in _FLAT else "perturb"
    there, least = len(lab.index(name).read().lines), options.pick(100, 20, 2)
    left = (there + _SHORT_OF) % _EPOCH if item.library and there > _EPOCH else 0
    note(f"search_cost: {item.label} after {there - left} runs")
    space = parse_space(_FINITE if item.finite else _SPACE, source="benchmark")
    made = play(item, space, there - left, least=least)
    if item.strategy not in _FLAT:
        _tell_the_index(lab, name, item, made)
    wall, cpu = _starts(lab, name, options)
    return _AfterLong(there - left, *made.mean_ms(least), wall, cpu)


def _tell_the_index(lab: Lab, name: str, item: Played, made: Play) -> None:
    """Let SPEC and index say that the experiment's runs are those that were played.

    Those before them have no parameters, so they are nobody's points. The bundles stay those of
    other trials: nothing that starts a burst reads them.
    """
    layout = lab.layout.experiment(name)
    spec = yaml.safe_load(layout.spec.read_text())
    changed = {**spec, "strategy": item.strategy, "strategy_options": item.options}
    layout.spec.write_text(json.dumps(changed))
    lines = lab.index(name).read().lines
    left = len(lines) - len(made.trials)
    told = [replace(line, params={}, parents=()) for line in lines[:left]]
    told += [_played_line(*pair) for pair in zip(lines[left:], made.trials, strict=True)]
    layout.metrics.write_bytes(b"".join(map(codec.to_line, told)))


def _played_line(line: IndexLine, trial: Trial) -> IndexLine:
    same = {name: getattr(trial, name) for name in ("strategy", "params", "value", "parents")}
    return replace(line, **same)


def _starts(lab: Lab, name: str, options: Options) -> tuple[float, float]:
    """Return the seconds that the start of a burst takes, and those of the processor."""
    act = hermes(lab.layout.root, "burst", f"exp={name}", "n=1")
    for _ in range(options.pick(1, 1, 0)):
        act()  # folds all of the history, and keeps what came of it
    rounds, before = options.pick(5, 3, 1), _children_seconds()
    taken = [seconds(act) for _ in range(rounds)]
    return statistics.median(taken), (_children_seconds() - before) / rounds


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    measuring.main(run)
