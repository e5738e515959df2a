"""Has the code changed in the editing sandbox and takes the candidate out; the code run asks.

Limit first: only files of the surface leave the editing sandbox. Whatever else was changed there
ends the run with an outcome that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from hermes import files
from hermes.exchange import Answer, Spending
from hermes.executing import boundary, by_products, surface
from hermes.executing.bench import Candidate, Over, candidate_of, go_on
from hermes.executing.boundary import Breach
from hermes.executing.candidate import Workplace
from hermes.executing.content import Tree
from hermes.executing.desk import Place
from hermes.executing.job import Job
from hermes.executing.logs import Log
from hermes.executing.outside import Outside
from hermes.executing.stages import Result, Stages
from hermes.executing.surface import Surface
from hermes.executing.trees import Listing
from hermes.executing.workspaces import Workspace
from hermes.hypothesis import hypothesis_of
from hermes.measured import Code
from hermes.model import Outcome


class Mutation:
    """One change of the code; ``code`` is what the record says of it so far."""

    def __init__(self, job: Job, place: Place, stages: Stages, code: Code) -> None:
        self.code = code
        self._job = job
        self._place = place
        self._stages = stages
        self._surface = Surface.of(job.spec)

    def make(self, base: Tree, before: Candidate) -> Candidate:
        """Return what became of ``before``. Raises Over for whatever gives no candidate; OSError.

        Writes: the editing sandbox; ``mutation.log`` in the bundle.
        """
        workspace = self._place.prepare(self._stages.pulse)
        self._stages.begin()
        go_on(self._place.set_up(workspace, self._stages))
        root = str(workspace.folder)
        self._place.hold(workspace, before.tree)
        was = self._place.workspaces.look()
        outside = Outside(self._job, self._place, self._surface)
        failed = self._changed(workspace)
        now = self._place.workspaces.look()
        found = self._breach(root, was, now, outside)
        if found is not None:
            raise Over(Result(found.outcome, found.reason))
        go_on(failed)
        try:
            tree = self._surface.taken(before.tree, was, now, root)
        except surface.TooLarge as error:
            raise Over(Result(Outcome.OUT_OF_BOUNDS, str(error))) from None
        changed = {**before.changed, **surface.changes(before.tree, tree)}
        return candidate_of(base, changed, self.code.hypothesis)

    def _breach(self, root: str, was: Listing, now: Listing, outside: Outside) -> Breach | None:
        """Say what went too far. The user's git is not asked where its settings were changed."""
        beyond = outside.breach()
        self.code = replace(self.code, reached_out=beyond is not None)
        found = boundary.breach(
            self._surface,
            self._place.workspaces,
            root,
            before=was,
            after=now,
            ignored=partial(self._ignored, was) if beyond is None else _nothing,
        )
        return found or beyond or self._left_running()

    def _ignored(self, was: Listing, new: list[str]) -> set[str]:
        order = self._place.order
        return by_products.ignored(new, was, order.root, order.for_git) if order.root else set()

    def _left_running(self) -> Breach | None:
        left = self._stages.left_running
        if not left:
            return None
        reason = f"the mutation_command left {left} of its processes running: they were killed"
        return Breach(Outcome.OUT_OF_BOUNDS, reason)

    def _changed(self, workspace: Workspace) -> Result | None:
        """Let the command or the agent change the code; None when it says that all went well."""
        if self._job.code is not None and self._job.code.ask is not None:
            return self._asked(self._job.code.ask, workspace)
        log = Log(self._job.bundle.mutation_log)
        try:
            params = self._job.manifest.params
            failed = self._stages.run("mutation_command", workspace, params, log, None)
            said = log.since(0).decode("utf-8", "replace")
            self.code = replace(self.code, hypothesis=hypothesis_of(said))
            return failed
        finally:
            log.close()

    def _asked(self, ask: Callable[[Workplace], Answer], workspace: Workspace) -> Result | None:
        log = self._job.bundle.mutation_log
        answer = ask(
            Workplace(
                workspace.folder,
                workspace.environment,
                self._stages.left_seconds,
                self._stages.tick,
                self._job.begun,
                log,
            )
        )
        if not files.exists(log):  # an agent that is no tool may keep none
            files.write_new(log, answer.text.encode("utf-8", "backslashreplace"))
        self.code = replace(
            self.code,
            hypothesis=hypothesis_of(answer.text),
            spending=_spent(answer),
            resets_at=answer.resets_at,
        )
        if answer.resets_at is not None:
            return Result(Outcome.INFRA, answer.problem or "the agent's usage limit is reached")
        if answer.timed_out:
            return self._stages.late("the agent")
        return Result(Outcome.FAILED, answer.problem) if answer.problem else None


def _nothing(_new: list[str]) -> set[str]:
    return set()


def _spent(answer: Answer) -> Spending:
    """Return what a call took; its time is known, also where the agent tells nothing."""
    spent = answer.spending
    return replace(spent, calls=spent.calls or 1, seconds=spent.seconds or answer.wall_seconds)
