"""Jobs to execute: a workspace, a data root beside it, and runs one after the other."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes import acceptance
from hermes.clock import SystemClock
from hermes.executing import environment
from hermes.executing.candidate import CodeOrder, Given, Incumbent, load
from hermes.executing.job import Job
from hermes.executing.run import Executor
from hermes.layout import BundleLayout
from hermes.model import Direction, Execution, Manifest, Origin
from hermes.spec import Spec

CALLER = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "SECRET_TOKEN": "s3cret"}


LIST = "find . -mindepth 1 | sort; echo; echo 1"
HOSTILE = """
echo broken > train.py; echo 666 > new.txt; rm -f config.json; mkdir -p train.d && touch train.d/x
ln -sf /etc/passwd data/link; rm -rf sub; touch sub; chmod 000 data; mkdir -p deep/er
chmod 500 deep
mkfifo pipe; ln train.py hard; rm -rf ../work/keep; find . -name '*.txt' -exec rm -f {} +
git -c user.name=x -c user.email=x@x commit -qam hostile; git checkout -q -b mine; git stash -q -u
git clean -fdxq; git config user.name evil; git reset -q --hard HEAD~1; echo 1
"""


def make_spec(**fields: Any) -> Spec:
    return Spec(
        **{
            "id": "trial",
            "goal": "a goal",
            "metric": "loss",
            "metric_direction": Direction.MINIMIZE,
            "time_budget_minutes": 0.5,
            **fields,
        }
    )


def make_manifest(number: int = 1, **fields: Any) -> Manifest:
    return Manifest(
        **{
            "schema_version": 1,
            "run_id": f"RUN-20260101T000000.{number:06d}Z-worker",
            "experiment": "trial",
            "role": "worker",
            "iteration": number,
            "trial": number,
            "strategy": "random",
            "origin": Origin.STRATEGY,
            "params": {},
            "note": "",
            "parents": (),
            "parent_run": None,
            "seed": 7,
            "fidelity_tier": "default",
            "executor_class": "local",
            "lease_id": "trial.1",
            "spec_sha256": "0" * 64,
            "planned_at": "2026-01-01T00:00:00.000000Z",
            **fields,
        }
    )


@dataclass
class Done:
    """A run that was executed, and its bundle."""

    execution: Execution
    bundle: BundleLayout
    verdict: acceptance.Verdict | None = None

    @property
    def stdout(self) -> str:
        return self.bundle.stdout.read_text()

    def artifact(self, name: str) -> str:
        return (self.bundle.artifacts / name).read_text()


class Slot:
    """Runs one after the other in one sandbox, as a burst does them."""

    def __init__(self, folder: Path, data_root: Path | None = None) -> None:
        self.folder = folder
        self.data_root = data_root or folder / "lab-data"
        self.sandbox = self.data_root / "scratch" / "sandboxes" / "trial.0"
        self.executor = Executor(SystemClock(), grace_seconds=0.3)
        self.number = 0

    def run(
        self, spec: Spec, tick: Any = lambda: None, caller: Any = CALLER, **fields: Any
    ) -> Done:
        return Done(
            self.executor.execute(self.job(spec, caller=caller, **fields), tick=tick), self.bundle
        )

    def job(
        self, spec: Spec, *, caller: Any = CALLER, code: CodeOrder | None = None, **fields: Any
    ) -> Job:
        """Make the job of the next run; its bundle is ``bundle``."""
        self.number += 1
        self.bundle = bundle = BundleLayout(self.data_root / "dispatch" / f"{self.number}" / "run")
        bundle.artifacts.mkdir(parents=True)
        manifest = make_manifest(self.number, **fields)
        context = environment.RunContext(
            spec=spec,
            manifest=manifest,
            data_root=self.data_root,
            run_dir=bundle.folder,
            artifacts_dir=bundle.artifacts,
            sandbox=self.sandbox,
        )
        return Job(
            spec=spec,
            manifest=manifest,
            bundle=bundle,
            sandbox=self.sandbox,
            data_root=self.data_root,
            environment={**environment.base(caller), **environment.contract(context)},
            code=code,
        )


class Climb(Slot):
    """A code loop without a lab around it: what is accepted is the incumbent of the next run."""

    def __init__(self, folder: Path, data_root: Path | None = None) -> None:
        super().__init__(folder, data_root)
        self.incumbent: Incumbent | None = None
        self.seen: dict[tuple[str, str], str] = {}

    def turn(self, spec: Spec, *, given: Given | None = None, caller: Any = CALLER) -> Done:
        """Make one run of the code loop, and judge it as the lab does."""
        order = CodeOrder(
            incumbent=lambda: self.incumbent,
            seen=lambda *digests: self.seen.get(digests),
            given=given,
        )
        job = self.job(spec, caller=caller, code=order)
        done = Done(self.executor.execute(job, tick=lambda: None), job.bundle)
        self._judge(spec, job.manifest.run_id, done)
        return done

    def _judge(self, spec: Spec, run_id: str, done: Done) -> None:
        code, taken = done.execution.code, done.execution.measurement
        if code is None or code.candidate is None or done.execution.outcome.is_retried:
            return
        self.seen.setdefault((code.evaluator, code.candidate), run_id)
        if taken is None:
            return
        standing = self.incumbent.standing if self.incumbent and taken.compared_with else None
        case = acceptance.Case(spec.metric_direction, spec.acceptance, taken, standing)
        decision = acceptance.weigh(case, final=True)
        done.verdict = decision.verdict
        if done.verdict is acceptance.Verdict.ACCEPT:
            changed, _ = load(done.bundle)
            own = acceptance.standing_after(run_id, decision)
            self.incumbent = Incumbent(changed, code.candidate, code.evaluator, own, taken.holdout)


def tree_of(folder: Path) -> dict[str, Any]:
    """Return what a folder holds, to the last byte and time.

    Of git's objects not the time: git renews it when it comes upon the same content again.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        entry = path.lstat()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("folder", entry.st_mode)
        else:
            time = 0 if ".git/objects/" in name else entry.st_mtime_ns
            found[name] = (path.read_bytes(), entry.st_mode, time, entry.st_nlink)
    return found


def git(folder: Path, *words: str) -> str:
    """Run git in ``folder`` with no settings but its own."""
    done = subprocess.run(
        [
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "init.defaultBranch=main",
            *words,
        ],
        cwd=folder,
        env={"PATH": CALLER["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def commit_all(folder: Path) -> str:
    """Commit everything in ``folder``, which becomes a repository if need be."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "all")
    return git(folder, "rev-parse", "HEAD").strip()


def make_workspace(root: Path) -> Path:
    """Make a workspace with every kind of entry."""
    for folder in ("data", "sub/empty", "keep"):
        (root / folder).mkdir(parents=True)
    (root / "train.py").write_text("print(open('config.json').read()); print(1)\n")
    (root / "config.json").write_text('{"lr": 0.1}\n')
    (root / "data" / "a.csv").write_text("1,2\n")
    (root / "data" / "readonly.txt").write_text("fixed\n")
    (root / "data" / "readonly.txt").chmod(0o444)
    (root / "run.sh").write_text("#!/bin/sh\necho 1\n")
    (root / "run.sh").chmod(0o755)
    (root / "sub" / "inner.txt").write_text("inner\n")
    os.symlink("inner.txt", root / "sub" / "link")
    return root


def spec_in(workspace: Path, command: Any = LIST, **fields: Any) -> Spec:
    return make_spec(
        workspace_root=str(workspace),
        executor_command=command,
        **{"workspace_mode": "copy", **fields},
    )


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
