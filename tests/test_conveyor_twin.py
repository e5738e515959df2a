"""Packages, bundles and index held together with a twin that keeps everything in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory import MEMORY
from run_samples import (
    EXPERIMENT,
    Conveyor,
    execution_of,
    planned,
    sealed_runs,
)

from hermes import files
from hermes.model import Outcome
from hermes.store.index import index_line

DAMAGES = ["nothing", "removed", "emptied", "torn", "garbage"]


class Twin(RuleBasedStateMachine):
    """One experiment: at most a few packages on their way, and the runs that were sealed."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="hermes-twin-", dir=MEMORY))
        self.lab = Conveyor(self.root / "lab").prepare()
        self.stages: dict[int, str] = {}
        self.sealed: list[tuple[int, Outcome]] = []
        self.iteration = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def found(self, iteration: int):
        names = self.lab.packages.running(EXPERIMENT)
        return next(item.layout for item in names if item.name.iteration == iteration)

    def waiting(self, *stages: str) -> list[int]:
        return [number for number, stage in self.stages.items() if stage in stages]

    @precondition(lambda self: len(self.stages) < 3)
    @rule()
    def plan(self) -> None:
        self.iteration += 1
        self.lab.plan(self.iteration)
        self.stages[self.iteration] = "planned"

    @precondition(lambda self: self.waiting("planned"))
    @rule(data=st.data())
    def start(self, data) -> None:
        number = data.draw(st.sampled_from(self.waiting("planned")))
        files.write_new(self.found(number).run.stdout, b"started\n", mode=0o444)
        self.stages[number] = "started"

    @precondition(lambda self: self.waiting("started"))
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.SUCCESS, Outcome.FAILED]))
    def end(self, data, outcome) -> None:
        number = data.draw(st.sampled_from(self.waiting("started")))
        execution = execution_of(planned(number), outcome=outcome)
        assert self.lab.packages.record_execution(self.found(number), execution)
        self.stages[number] = "executed"

    @precondition(lambda self: self.waiting("executed"))
    @rule(data=st.data(), ours=st.booleans())
    def seal(self, data, ours) -> None:
        number = data.draw(st.sampled_from(self.waiting("executed")))
        self._seal(number, ours=ours)

    def _seal(self, number: int, *, ours: bool = True) -> None:
        folder = self.found(number)
        self.lab.repair_index()
        draft = self.lab.packages.read(folder)
        execution = self.lab.packages.read_execution(folder)
        sealed = self.lab.seal(draft, folder, execution, ours=ours)
        assert (sealed is not None) == ours
        if ours:
            del self.stages[number]
            self.sealed.append((number, execution.outcome))

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), worker=st.sampled_from(["one", "two", "three"]))
    def take_over(self, data, worker) -> None:
        number = data.draw(st.sampled_from(sorted(self.stages)))
        assert self.lab.packages.take_over(self.found(number), worker=worker) is not None

    @precondition(lambda self: self.stages)
    @rule(data=st.data())
    def drop(self, data) -> None:
        number = data.draw(st.sampled_from(sorted(self.stages)))
        self.lab.packages.discard(self.found(number))
        del self.stages[number]

    @rule()
    def restart(self) -> None:
        self.lab = Conveyor(self.root / "lab")
        self.lab.packages.clear_unfinished(EXPERIMENT)

    @rule(how=st.sampled_from(DAMAGES))
    def damage_the_index(self, how) -> None:
        path = self.lab.layout.experiment(EXPERIMENT).metrics
        data = files.read(path) or b""
        if how == "removed":
            files.remove(path)
        elif how != "nothing":
            path.write_bytes({"emptied": b"", "torn": data[:-9], "garbage": b"x\n" + data}[how])

    @rule()
    def recover(self) -> None:
        self.lab.recover()
        for number in sorted(self.stages):
            started = self.stages.pop(number) == "started"
            run = self.lab.bundles.read(EXPERIMENT, planned(number).run_id)
            assert started == (run.metrics.outcome is Outcome.INTERRUPTED)
            self.sealed.append((number, run.metrics.outcome))

    @invariant()
    def packages_are_as_the_twin_has_them(self) -> None:
        stages = {
            found.name.iteration: self.lab.packages.stage_of(found.layout)
            for found in self.lab.packages.running()
        }
        assert stages == self.stages

    @invariant()
    def bundles_and_index_are_as_the_twin_has_them(self) -> None:
        runs = sealed_runs(self.lab)
        in_order = sorted(runs.values(), key=lambda run: run.manifest.seq)
        found = [(run.manifest.iteration, run.metrics.outcome) for run in in_order]
        assert found == self.sealed
        assert self.lab.bundles.verify_chain(EXPERIMENT) == []
        assert all(self.lab.bundles.verify(EXPERIMENT, name) == [] for name in runs)
        if not self.lab.index.missing(runs):
            lines = self.lab.index.read().lines
            assert lines == tuple(index_line(*run) for run in in_order)
            assert self.lab.index.last() == (lines[-1] if lines else None)
        assert all(
            (run.metrics.value is None) != (run.metrics.outcome is Outcome.SUCCESS)
            for run in in_order
        )


Quick = Twin.TestCase
Quick.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@pytest.mark.slow
def test_a_long_life_beside_the_twin():
    from hypothesis.stateful import run_state_machine_as_test

    long = settings(max_examples=120, stateful_step_count=50, deadline=None)
    run_state_machine_as_test(Twin, settings=long)
