"""The step ``agent_next``: gives work out to an agent that thinks for itself.

Limits first. At most 32 items of an experiment are out at a time, and never more than the runs
that it may still have. Asking takes no lease: agents think beside each other and beside the lab.
Asking counts as a turn: an experiment with a cadence gives out one item a time, and among equals
the one that waited longest is next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hermes import cadence, files, history, policy
from hermes.errors import AgentError, Busy, LabError, NothingToDo
from hermes.executing import environment
from hermes.executing.showing import Shown, show
from hermes.history import History
from hermes.lab import Lab
from hermes.layout import WORKER, item_id
from hermes.model import SCHEMA_VERSION, Phase
from hermes.plain_text import sentence, within
from hermes.render.work import Texts
from hermes.spec import Spec
from hermes.state import current_tier
from hermes.status import Status
from hermes.steps import items
from hermes.steps.consulting import written
from hermes.steps.submitted import code_before
from hermes.store.items import Held
from hermes.submission import WorkItem
from hermes.submission import shown as repeated

MOST_ITEMS = 32
_SUMMARIES = ("SUMMARY.md", "NEXT.md", "context.md")
_MOST_TEXT = 64 * 1024  # bytes
_CLOSED = (Phase.PAUSED, Phase.COMPLETED)
_ASK_AGAIN = "Ask again later."


@dataclass(frozen=True)
class Wish:
    """Who asks, and for what; ``mark`` draws 8 hexadecimal digits."""

    worker: str
    mark: Callable[[], str]
    experiment: str | None = None
    executor_class: str | None = None

    def takes(self, status: Status) -> bool:
        """Say whether work of an experiment is wished for."""
        return self.experiment in (None, status.id) and self.executor_class in (
            None,
            status.executor_class,
        )


@dataclass(frozen=True)
class Work:
    """A work item in somebody's hands, and what it shows."""

    item: WorkItem
    past: History
    shown: Shown


def next_work(lab: Lab, wish: Wish, statuses: Iterable[Status]) -> Work:
    """Return the item that the worker holds already, or else a new one.

    Raises NothingToDo, Busy, AgentError; what keeps one experiment back is told only when it was
    named, or when no other has work.

    Writes: a folder in ``dispatch/agents``, durable, and an event; removals of what is over.
    """
    check_worker(wish.worker)
    lab.require()
    wanted = [status for status in statuses if wish.takes(status)]
    for status in wanted:
        items.clear(lab, status.id)
    mine = _held(lab, wish, {status.id for status in wanted if status.phase not in _CLOSED})
    if mine is not None:
        return _work(lab, mine)
    refused: LabError | None = None
    for status in _in_turn(lab, wish, wanted):
        try:
            return _new(lab, wish, status.id)
        except LabError as error:
            refused = error if refused is None or isinstance(refused, NothingToDo) else refused
    raise refused or _nothing(wish)


def _nothing(wish: Wish) -> NothingToDo:
    """Say why nothing is there when no experiment was even looked at."""
    if wish.experiment is None or wish.executor_class is None:
        return NothingToDo("No experiment has work for an agent now.", _ASK_AGAIN)
    return NothingToDo(
        f"{wish.experiment} has no work for the executor class {wish.executor_class!r}.",
        "Leave executor_class= out, or ask for another experiment.",
    )


def check_worker(name: str) -> None:
    """Refuse what cannot be a worker's name. Raises AgentError."""
    if WORKER.match(name) is None:
        raise AgentError(
            "malformed",
            f"{repeated(name)} is no name for a worker.",
            "Use letters, digits, dots, dashes and underlines, at most 80.",
        )


def _held(lab: Lab, wish: Wish, wanted: set[str]) -> WorkItem | None:
    """Return the oldest item that the worker thinks about."""
    now = lab.now()
    mine = [
        held.item
        for held in lab.items.held(wish.experiment)
        if held.item is not None
        and held.item.worker == wish.worker
        and held.experiment in wanted
        and held.is_alive(now)
    ]
    return min(mine, key=lambda item: (item.created_at, item.dispatch_id), default=None)


def _in_turn(lab: Lab, wish: Wish, wanted: list[Status]) -> list[Status]:
    if wish.experiment is not None:
        return wanted
    now = lab.now()
    asked = [_as_asked(lab, status) for status in wanted]
    return policy.in_turn([item for item in asked if policy.is_due(item, now)], now=now)


def _as_asked(lab: Lab, status: Status) -> Status:
    """Return the status as if the newest item that is out were its last run."""
    out = [held.item.created_at for held in lab.items.held(status.id) if held.item is not None]
    newest = max(out, default="")
    if newest <= (status.last_run_at or ""):
        return status
    rhythm = history.read(lab, status.id).spec.spec.cadence
    return replace(status, last_run_at=newest, next_due_at=cadence.next_due(rhythm, newest))


def _new(lab: Lab, wish: Wish, experiment: str) -> Work:
    """Give out a new item of one experiment; the workspace is looked at before, under no lock."""
    past = history.read(lab, experiment)
    attended = wish.experiment is not None
    _check_open(past, lab.items.held(experiment), attended=attended)
    tier = current_tier(past.state, past.spec.spec.first_tier)
    incumbent = past.state.incumbents.get(tier)
    now = lab.now()
    item = WorkItem(
        schema_version=SCHEMA_VERSION,
        dispatch_id=item_id(experiment, wish.mark()),
        experiment=experiment,
        worker=wish.worker,
        role="",
        created_at=now,
        deadline=items.deadline(past.spec.spec.at_tier(tier), now),
        incumbent_run=incumbent.run_id if incumbent is not None else None,
        evaluator=past.state.evaluators.get(tier),
        surface_sha256="",
        fidelity_tier=tier,
    )
    shown = shown_to(lab, item, past)
    executable = tuple(sorted(path for path, file in shown.tree.items() if file.executable))
    item = replace(item, surface_sha256=shown.digest, executable=executable)
    with lab.items.lock(experiment):
        mine = _held(lab, wish, {experiment})
        if mine is not None:  # the same worker asked from another process
            return _work(lab, mine)
        out = lab.items.held(experiment)
        _check_open(past, out, attended=attended)
        item = replace(item, role=_role(past, out))
        if not lab.items.publish(item):
            raise Busy(f"Another item has the id {item.dispatch_id}.", "Ask again.")
    lab.record("item", experiment, detail=f"{item.dispatch_id} {item.worker}")
    return Work(item, past, shown)


def _role(past: History, out: list[Held]) -> str:
    """Return the hat of the run that the next item will become."""
    return policy.role_for(past.spec.spec, past.state.last_iteration + len(out) + 1)


def _check_open(past: History, out: list[Held], *, attended: bool) -> None:
    """Refuse to give out work that could not be run. Raises AgentError, Busy, NothingToDo."""
    spec, state = past.spec.spec, past.state
    tier = current_tier(state, spec.first_tier)
    if not spec.at_tier(tier).is_code_loop:
        raise AgentError(
            "no-code-loop",
            f"{spec.id} has no code for an agent to change.",
            "Ask for a code loop: one with agent_provider: dispatch in its SPEC.",
        )
    change = policy.review(state, spec, attended=attended)
    why = policy.refusal(state, attended=attended) or (change.reason if change else None)
    if why is not None:
        what = sentence(f"{spec.id} has no work now: {why}")
        raise NothingToDo(what, policy.remedy(state, spec))
    if policy.is_spent(state, spec, in_flight=len(out)):
        raise NothingToDo(
            f"{spec.id} has no work now: as many items are out as it may still have runs.",
            _ASK_AGAIN,
        )
    if len(out) >= MOST_ITEMS:
        raise Busy(f"{MOST_ITEMS} items of {spec.id} are out already.", _ASK_AGAIN)


def _work(lab: Lab, item: WorkItem) -> Work:
    past = history.read(lab, item.experiment)
    return Work(item, past, shown_to(lab, item, past))


def shown_to(lab: Lab, item: WorkItem, past: History) -> Shown:
    """Look at the workspace, with the code of the item's incumbent in it. Raises LabError."""
    spec: Spec = past.spec.spec.at_tier(item.fidelity_tier)
    scratch = lab.layout.sandbox(item.dispatch_id)
    _clear_left(scratch.parent)
    return show(
        spec,
        code_before(lab, item),
        data_root=lab.layout.root,
        scratch=files.temporary_beside(scratch),
        environment=environment.base(lab.environ),
    )


def texts_for(lab: Lab, work: Work) -> Texts:
    """Read what whoever changes the code should know, as it stands now; 64 KiB of each file."""
    layout = lab.layout.experiment(work.item.experiment)
    spec = work.past.spec.spec.at_tier(work.item.fidelity_tier)
    named = spec.agent_instruction_file
    return Texts(
        summaries={name: _text(layout.folder / name) for name in _SUMMARIES},
        program=_text(lab.layout.program),
        decisions=_text(lab.layout.changelog),
        instructions=None if named is None else {"path": named, "text": _text(Path(named))},
    )


def _text(path: Path) -> str:
    return within(written(path), _MOST_TEXT)


def _clear_left(folder: Path) -> None:
    """Remove the checkouts that processes left which were killed while they looked."""
    from hermes.steps.recover import is_left

    if folder.is_dir():
        for path in folder.iterdir():
            if is_left(path.name):
                files.remove_tree(path)
