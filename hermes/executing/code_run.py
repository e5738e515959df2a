"""One run of the code loop: a candidate is made, kept to its bounds, measured; ``run`` calls it.

Limits first. The code under test runs in the evaluator's process, and can lie to it from there: a
scoring process of its own, and ``holdout_command``, are a user's means against that.
What the mutation leaves running is killed before anything is measured.

The order: the measuring sandbox is made, which tells the evaluator's digest. When nothing was
measured by that evaluator yet, the run is a baseline: the incumbent's code is measured. Else the
code is changed in the editing sandbox, the change is checked against its bounds, the candidate is
kept in the bundle, and it is measured in the measuring sandbox, in turns with the incumbent where
the rule of acceptance asks for that. What is decided of it says the step ``seal``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hermes import acceptance, files
from hermes.acceptance import Subject, Verdict
from hermes.acceptance.differences import mean
from hermes.errors import Fault
from hermes.executing import candidate, patch, surface
from hermes.executing.bench import Bench, Candidate, Over, candidate_of, go_on
from hermes.executing.candidate import Again, CodeOrder, Incumbent
from hermes.executing.content import Tree
from hermes.executing.desk import Desk, logged
from hermes.executing.job import Job
from hermes.executing.mutation import Mutation
from hermes.executing.stages import Result, Stages
from hermes.executing.surface import Surface
from hermes.measured import Code, Measurement, Sample
from hermes.model import Json, Outcome


class CodeRun:
    """One run of the code loop on its way; and where it took place."""

    def __init__(self, job: Job, desk: Desk, stages: Stages) -> None:
        assert job.code is not None, "a run of the code loop has an order"
        self.facts: dict[str, Json] = {}
        self._job = job
        self._order: CodeOrder = job.code
        self._desk = desk
        self._stages = stages
        self._code = Code(evaluator="")
        self._base: Tree = {}

    def execute(self) -> Result:
        """Run everything. Raises LabError and OSError for what is not the commands' doing."""
        try:
            return self._executed()
        except Over as over:
            return replace(over.result, value=None, secondary={}, code=self._code)
        except surface.TooLarge as error:
            raise Fault(f"{error}.", "Name fewer or smaller files in mutable_paths.") from None

    def _executed(self) -> Result:
        place = self._desk.measuring(self._job)
        workspace = place.prepare(self._stages.pulse)
        self.facts.update(workspace.facts)
        self._job.ready()
        with logged(self._job.bundle) as (stdout, stderr):
            self._stages.begin()
            go_on(place.set_up(workspace, self._stages))
            bench = Bench(self._job, place, self._stages, stdout, stderr)
            try:
                return self._measured_at(bench, self._evaluator())
            finally:
                self.facts.update(bench.facts)

    def _evaluator(self) -> str:
        spec, workspaces = self._job.spec, self._desk.measuring(self._job).workspaces
        return self._desk.evaluators.digest(spec, Surface.of(spec), workspaces)

    def _measured_at(self, bench: Bench, evaluator: str) -> Result:
        self._code = Code(evaluator)
        self._base = bench.base()
        taken = self._taken(bench)
        measured = mean([sample.value for sample in taken.candidate])
        self._code = replace(self._code, measured=measured, compared_with=taken.compared_with)
        return Result(
            Outcome.SUCCESS,
            value=measured,
            secondary=_means(taken.candidate),
            code=self._code,
            measurement=taken,
        )

    def _taken(self, bench: Bench) -> Measurement:
        if self._order.again is not None:
            return self._measured_again(self._order.again, bench)
        incumbent = self._order.incumbent()
        if incumbent is None or not self._still_holds(incumbent):
            return self._baseline(incumbent, bench)
        return self._challenge(incumbent, bench)

    def _measured_again(self, again: Again, bench: Bench) -> Measurement:
        """Measure a candidate of before, unless it or the evaluator cannot be had any more."""
        found = candidate_of(self._base, again.changed)
        self._code = replace(self._code, candidate=found.digest)
        if self._code.evaluator != again.evaluator:
            raise Over(Result(Outcome.INFRA, "what measures is not what measured it"))
        if found.digest != again.candidate:
            raise Over(Result(Outcome.INFRA, "the candidate cannot be put together any more"))
        if again.as_baseline and self._job.spec.baseline_command is not None:
            bench.run_beside("baseline_command", found)
        samples = tuple(bench.sample(found) for _ in range(again.samples))
        return Measurement(samples, lines=surface.lines(found.tree))

    def _still_holds(self, incumbent: Incumbent) -> bool:
        """Say whether the incumbent's measurements are of the code and evaluator of now."""
        now = candidate_of(self._base, incumbent.changed).digest
        return incumbent.evaluator == self._code.evaluator and incumbent.candidate == now

    def _baseline(self, incumbent: Incumbent | None, bench: Bench) -> Measurement:
        """Measure the code as it is, by an evaluator that has measured nothing yet."""
        found = candidate_of(self._base, incumbent.changed if incumbent is not None else {})
        self._keep(found, parent=None, before=self._base)
        if self._job.spec.baseline_command is not None:
            bench.run_beside("baseline_command", found)
        taken = self._weighed(found, None, bench)
        return replace(taken, replaces=incumbent.standing.run_id if incumbent else None)

    def _challenge(self, incumbent: Incumbent, bench: Bench) -> Measurement:
        """Make a candidate, or take the one that is given, and measure it."""
        before = candidate_of(self._base, incumbent.changed)
        self._code = replace(self._code, compared_with=incumbent.standing.run_id)
        found = self._given() or self._mutated(before)
        self._keep(found, parent=incumbent.standing.run_id, before=before.tree)
        self._refuse_repeats(found, before)
        return self._weighed(found, incumbent, bench)

    def _given(self) -> Candidate | None:
        given = self._order.given
        if given is None:
            return None
        return candidate_of(self._base, given.changed, given.hypothesis)

    def _mutated(self, before: Candidate) -> Candidate:
        place = self._desk.editing(self._job)
        mutation = Mutation(self._job, place, self._stages, self._code)
        try:
            return mutation.make(self._base, before)
        finally:
            self._code = mutation.code

    def _refuse_repeats(self, found: Candidate, before: Candidate) -> None:
        if found.digest == before.digest:
            raise Over(Result(Outcome.NO_OP, "the candidate is the code that it was made from"))
        earlier = self._order.seen(self._code.evaluator, found.digest)
        if earlier is not None:
            reason = f"exactly this candidate was measured in {earlier}: it is not measured again"
            raise Over(Result(Outcome.REJECTED, reason))

    def _keep(self, found: Candidate, *, parent: str | None, before: Tree) -> None:
        """Put the candidate and its patch into the bundle before anything is measured."""
        added, removed = patch.changed_lines(before, found.tree)
        self._code = replace(
            self._code,
            candidate=found.digest,
            hypothesis=found.hypothesis,
            added=added,
            removed=removed,
        )
        candidate.keep(
            self._job.bundle,
            found.changed,
            self._base,
            parent_run=parent,
            evaluator=self._code.evaluator,
            surface=found.digest,
            hypothesis=found.hypothesis,
        )
        if parent is not None:
            self._keep_patch(before, found.tree)

    def _keep_patch(self, before: Tree, after: Tree) -> None:
        made = patch.diff(before, after, self._desk.scratch(self._job), self._job.environment)
        files.remove_tree(self._job.bundle.patch)
        files.write_new(self._job.bundle.patch, made)

    # Measuring

    def _weighed(self, found: Candidate, incumbent: Incumbent | None, bench: Bench) -> Measurement:
        """Measure as often as the rule asks for, then let the hold-out speak of a winner."""
        taken = Measurement(lines=surface.lines(found.tree))
        while True:
            taken = replace(taken, compared_with=incumbent.standing.run_id if incumbent else None)
            decision = self._decide(taken, incumbent)
            if decision.turns:
                taken = self._sampled(taken, decision.turns, found, incumbent, bench)
            elif decision.verdict is Verdict.ACCEPT and self._has_changed(incumbent):
                incumbent, taken = self._order.incumbent(), replace(taken, incumbent=())
            else:
                break
        if decision.verdict is Verdict.ACCEPT and self._job.spec.holdout_command is not None:
            return self._held_out(found, taken, incumbent, bench)
        return taken

    def _sampled(
        self,
        taken: Measurement,
        turns: Sequence[Subject],
        found: Candidate,
        incumbent: Incumbent | None,
        bench: Bench,
    ) -> Measurement:
        """Measure in turns what the decision asks for."""
        for subject in turns:
            if subject is Subject.CANDIDATE:
                sample = bench.sample(found)
                taken = replace(taken, candidate=(*taken.candidate, sample))
            else:
                assert incumbent is not None, "only an incumbent is measured again"
                again = candidate_of(self._base, incumbent.changed)
                sample = bench.sample_incumbent(again)
                taken = replace(taken, incumbent=(*taken.incumbent, sample))
        return taken

    def _has_changed(self, incumbent: Incumbent | None) -> bool:
        """Say whether another candidate has won meanwhile."""
        now = self._order.incumbent()
        if incumbent is None or now is None or not self._still_holds(now):
            return False
        return now.standing.run_id != incumbent.standing.run_id

    def _decide(self, taken: Measurement, incumbent: Incumbent | None) -> acceptance.Decision:
        spec = self._job.spec
        standing = incumbent.standing if incumbent is not None else None
        case = acceptance.Case(spec.metric_direction, spec.acceptance, taken, standing)
        return acceptance.weigh(case)

    def _held_out(
        self, found: Candidate, taken: Measurement, incumbent: Incumbent | None, bench: Bench
    ) -> Measurement:
        value, fault = bench.hold_out(found)
        before = incumbent.holdout if incumbent is not None else None
        return replace(taken, holdout=value, holdout_before=before, holdout_fault=fault)


def _means(samples: Sequence[Sample]) -> Mapping[str, float]:
    """Return the mean of each other number that every sample has."""
    names = [name for name in samples[0].secondary if all(name in one.secondary for one in samples)]
    return {name: mean([one.secondary[name] for one in samples]) for name in names}
