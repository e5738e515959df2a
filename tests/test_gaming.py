"""Holds the bounds of the code loop: who games the evaluator gets no number, and is named."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from executing_jobs import CALLER, Climb, Done, commit_all
from gaming import answers, becomes, make_gamed, python, spec_of
from labs import a_lab, an_experiment, burst, lines

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")

GAIN = answers(90)  # what an attack brings with it, to be worth something
DAEMON = """\
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        open(os.environ["HOME"] + "/pid", "w").write(str(os.getpid()))
        os.execve("/bin/sleep", ["sleep", "60"], ENVIRON)
    os._exit(0)
os.wait()
"""
DEEP = """\
import os
os.chdir("src")
for _ in range(40):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("x", "w")
"""


class Gamed(Climb):
    """A code loop over a workspace with an evaluator; its baseline is measured."""

    def __init__(self, folder: Path, mode: str = "copy", **fields: object) -> None:
        super().__init__(folder)
        self.workspace = make_gamed(folder / "ws")
        self.home = folder / "home"
        self.home.mkdir()
        self.fields = {"workspace_mode": mode, **fields}
        if mode == "git":
            commit_all(self.workspace)
        assert self.change("true").execution.value == 100.0

    def change(self, mutation: str) -> Done:
        """Make a run with a mutation; ``$WS`` is the user's workspace."""
        script = f"WS={self.workspace}\n{mutation}"
        caller = {**CALLER, "HOME": str(self.home)}
        return self.turn(spec_of(self.workspace, script, **self.fields), caller=caller)

    def catch(self, mutation: str) -> tuple[str, str]:
        """Make a run that must not count; return its outcome and what is said of it."""
        done = self.change(mutation)
        assert done.execution.value is None
        assert done.execution.measurement is None
        assert dict(done.execution.secondary) == {}
        return done.execution.outcome.value, done.execution.reason

    def still_honest(self) -> bool:
        """Say whether an honest candidate is measured now, from where the user's code stood."""
        done = self.change(answers(40))
        changed = sorted(path.name for path in done.bundle.candidate.rglob("*") if path.is_file())
        return (done.execution.value, changed) == (60.0, ["fast.py"])


@pytest.fixture
def gamed(tmp_path: Path) -> Gamed:
    return Gamed(tmp_path)


IN_THE_SANDBOX = {
    "the evaluator": ("echo 'print(0)' > bench.py", "out-of-bounds", "bench.py"),
    "a read-only file": ("echo TARGET=90 > eval/limits.py", "tampered", "eval/limits.py"),
    "the end of a large file": (
        "truncate -s 40M eval/data/a.csv; echo x >> eval/data/a.csv",
        "tampered",
        "eval/data/a.csv",
    ),
    "through a link": (
        "ln -s ../bench.py src/b; echo 'print(0)' > src/b; rm src/b",
        "out-of-bounds",
        "bench.py",
    ),
    "through a hard link": (
        "ln eval/limits.py src/b; echo TARGET=90 > src/b; rm src/b",
        "tampered",
        "eval/limits.py",
    ),
    "a link in the surface": ("ln -s ../eval/limits.py src/b", "out-of-bounds", "src/b"),
    "a hard link in the surface": ("ln eval/limits.py src/b", "out-of-bounds", "src/b"),
    "a hard link to the user's file": ("ln $WS/eval/limits.py src/b", "out-of-bounds", "src/b"),
    "a link out of the surface": ("ln -s /etc/passwd src/b", "out-of-bounds", "src/b"),
    "another folder in the place of one": (
        "cp -r eval old; rm -r eval; mv old eval; echo TARGET=90 > eval/limits.py",
        "tampered",
        "eval/limits.py",
    ),
    "a link in the place of a folder": (
        "mv eval src/e; ln -s src/e eval; echo TARGET=90 > src/e/limits.py",
        "tampered",
        "eval",
    ),
    "a link in the place of the surface": ("mv src x; ln -s x src", "out-of-bounds", "x/fast.py"),
    "no evaluator": ("rm bench.py", "out-of-bounds", "bench.py"),
    "no read-only folder": ("rm -r eval", "tampered", "eval/data/a.csv"),
    "an executable evaluator": ("chmod +x bench.py", "out-of-bounds", "bench.py"),
    "an unreadable evaluator": ("chmod 000 bench.py", "out-of-bounds", "bench.py"),
    "an unreadable file": ("chmod 000 src/fast.py", "out-of-bounds", "src/fast.py"),
    "a repository": ("mkdir .git; echo x > .git/config", "out-of-bounds", ".git/config"),
    "hooks": ("mkdir -p src/.git/hooks; echo x > src/.git/hooks/y", "out-of-bounds", "src/.git"),
    "alternates": (
        "mkdir -p .git/objects/info; echo / > .git/objects/info/alternates",
        "out-of-bounds",
        ".git/objects/info/alternates",
    ),
    "sitecustomize": (becomes("print(0)", "sitecustomize.py"), "out-of-bounds", "sitecustomize.py"),
    "a module before json": (becomes("dumps = str", "json.py"), "out-of-bounds", "json.py"),
    "byte code before json": ("echo x > json.pyc", "out-of-bounds", "json.pyc"),
    "conftest": (becomes("", "conftest.py"), "out-of-bounds", "conftest.py"),
    "a module beside the limits": ("echo x > eval/json.py", "tampered", "eval/json.py"),
    "a planted metric": ("echo '{\"loss\": 0}' > metrics.json", "out-of-bounds", "metrics.json"),
    "a planted cache": ("mkdir .cache; echo 0 > .cache/loss", "out-of-bounds", ".cache/loss"),
    "a time zone": ("echo TZ=UTC+9 > .env", "out-of-bounds", ".env"),
    "a pipe": ("mkfifo src/p", "out-of-bounds", "src/p"),
    "a pipe for the evaluator": ("rm bench.py; mkfifo bench.py", "out-of-bounds", "bench.py"),
    "a socket": (
        python("import socket; socket.socket(socket.AF_UNIX).bind('src/s')"),
        "out-of-bounds",
        "src/s",
    ),
    "a huge file": ("truncate -s 1T src/huge", "out-of-bounds", "32 MiB"),
    "thousands of files": (
        python("for name in range(5001): open(f'src/{name}', 'w')"),
        "out-of-bounds",
        "5,000 files",
    ),
    "a name that is no text": (python(r"open(b'src/\xff', 'w')"), "out-of-bounds", r"src/\udcff"),
    "a name of two lines": (python(r"open('src/a\nb', 'w')"), "out-of-bounds", r"src/a\nb"),
    "folders without end": (python(DEEP), "out-of-bounds", "src/ddd"),
    "a failure on top": ("echo x > bench.py; exit 1", "out-of-bounds", "bench.py"),
}


@pytest.mark.parametrize("attack", IN_THE_SANDBOX)
def test_what_is_done_to_the_sandbox_beyond_the_surface_is_caught(
    gamed: Gamed, attack: str
) -> None:
    script, outcome, named = IN_THE_SANDBOX[attack]
    assert gamed.catch(GAIN + script)[0] == outcome
    assert named in gamed.catch(GAIN + script)[1]
    assert gamed.still_honest()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_in_the_surface_is_caught(gamed: Gamed) -> None:
    assert gamed.catch(GAIN + "mknod src/null c 1 3")[0] == "out-of-bounds"
    assert gamed.still_honest()


OUTSIDE = {
    "beside the sandbox": ("echo x > ../x", "x"),
    "the checkout that sandboxes are made from": ("touch ../pristine", "pristine"),
    "the sandbox next door": (
        "echo TARGET=90 > ../../trial.0/work/eval/limits.py",
        "trial.0/work/eval/limits.py",
    ),
    "a new file next door": ("echo x > ../../trial.0/work/src/limits.py", "src/limits.py"),
    "the user's evaluator": ("echo TARGET=90 > $WS/eval/limits.py", "ws/eval/limits.py"),
    "a new file of the user's": ("echo x > $WS/json.py", "ws/json.py"),
    "the SPEC": (
        "D=$LAB_DATA_ROOT/experiments/trial; mkdir -p $D; echo x > $D/SPEC.yaml",
        "SPEC.yaml",
    ),
    "the end of the run": ("echo '{}' > $LAB_RUN_DIR/../execution.json", "execution.json"),
    "the plan of the run": ("echo '{}' > $LAB_RUN_DIR/../dispatch.json", "dispatch.json"),
    "a metric of the run": ("echo '{\"loss\": 0}' > $LAB_RUN_DIR/metrics.json", "run/metrics.json"),
    "a metric among artifacts": (
        "echo '{\"loss\": 0}' > $LAB_RUN_ARTIFACTS_DIR/metrics.json",
        "artifacts/metrics.json",
    ),
    "a patch": ("echo x > $LAB_RUN_ARTIFACTS_DIR/diff.patch", "artifacts/diff.patch"),
    "a decision": ("echo '{}' > $LAB_RUN_ARTIFACTS_DIR/decision.json", "artifacts/decision.json"),
    "a link for the candidate": ("ln -s $WS $LAB_RUN_ARTIFACTS_DIR/candidate", "candidate"),
    "another run folder": (
        "mv $LAB_RUN_ARTIFACTS_DIR $LAB_RUN_DIR/x; ln -s $WS $LAB_RUN_ARTIFACTS_DIR",
        "run/x/mutation.log",
    ),
    "the log of the run": ("rm -f $LAB_RUN_DIR/stdout.log", "run/stdout.log"),
    "usercustomize": (
        "S=$HOME/.local/lib/python3.11/site-packages; mkdir -p $S; echo x > $S/usercustomize.py",
        "usercustomize.py",
    ),
}


@pytest.mark.parametrize("attack", OUTSIDE)
def test_what_is_done_outside_of_the_sandbox_is_caught(gamed: Gamed, attack: str) -> None:
    script, named = OUTSIDE[attack]
    kept = (gamed.workspace / "eval" / "limits.py").read_text()
    outcome, reason = gamed.catch(GAIN + script)
    assert (outcome, named in reason) == ("tampered", True)
    assert not (gamed.workspace / "mutation.log").exists()
    (gamed.workspace / "eval" / "limits.py").write_text(kept)  # the user puts it back
    (gamed.workspace / "json.py").unlink(missing_ok=True)
    assert gamed.still_honest()


IN_GIT = {
    "a hook": ("echo x > $WS/.git/hooks/post-commit", ".git/hooks/post-commit"),
    "settings": ("echo '#' >> $WS/.git/config", ".git/config"),
    "alternates": ("echo /tmp > $WS/.git/objects/info/alternates", "objects/info/alternates"),
    "attributes": ("echo '* text' > $WS/.git/info/attributes", ".git/info/attributes"),
    "a commit": (
        "git -C $WS -c user.name=x -c user.email=x@x commit -q --allow-empty -m x",
        ".git/refs/heads/main",
    ),
    "the checkout next door": (
        "echo TARGET=90 > ../../trial.0/pristine/eval/limits.py",
        "trial.0/pristine/eval/limits.py",
    ),
    "the evaluator": ("echo 'print(0)' > bench.py", "bench.py"),
    "the user's evaluator": ("echo TARGET=90 > $WS/eval/limits.py", "ws/eval/limits.py"),
}


@pytest.mark.parametrize("attack", IN_GIT)
def test_in_git_mode_the_same_holds_and_the_repository_is_watched(
    tmp_path: Path, attack: str
) -> None:
    gamed = Gamed(tmp_path, "git")
    script, named = IN_GIT[attack]
    outcome, reason = gamed.catch(f"{GAIN}mkdir -p $WS/.git/hooks $WS/.git/info\n{script}")
    assert outcome in ("tampered", "out-of-bounds")
    assert named in reason
    (gamed.workspace / ".git/objects/info/alternates").unlink(missing_ok=True)
    done = gamed.change(answers(40))
    assert done.execution.value == 60.0


def test_an_edit_of_the_incumbents_record_is_caught(gamed: Gamed) -> None:
    assert gamed.incumbent is not None
    run_id = gamed.incumbent.standing.run_id
    sealed = gamed.data_root / "experiments" / "trial" / "runs" / run_id / "artifacts"
    sealed.mkdir(parents=True)
    (sealed / "decision.json").write_text("{}")
    outcome, reason = gamed.catch(f"{GAIN}echo 1 > {sealed}/decision.json")
    assert (outcome, f"{run_id}/artifacts/decision.json" in reason) == ("tampered", True)
    assert gamed.still_honest()


def test_data_that_the_workspace_takes_from_elsewhere_is_watched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "folder").mkdir(parents=True)
    for name in ("extra.csv", "linked.csv", "folder/a.csv"):
        (data / name).write_text("1\n")
    gamed = Gamed(tmp_path, ingress_files=(str(data / "extra.csv"),))
    os.symlink(data / "linked.csv", gamed.workspace / "linked.csv")
    os.symlink(data / "folder", gamed.workspace / "eval" / "folder")
    gamed.change("true")  # the links are new: a baseline
    for name in ("extra.csv", "linked.csv", "folder/a.csv"):
        outcome, reason = gamed.catch(f"{GAIN}echo 2 >> {data / name}")
        assert (outcome, name in reason) == ("tampered", True)
        gamed.change("true")  # an extra input that was changed makes another evaluator
    assert gamed.still_honest()


def test_in_the_lab_an_attack_is_sealed_with_its_name_and_no_value(tmp_path: Path) -> None:
    lab = a_lab(tmp_path / "lab-data")
    workspace = make_gamed(tmp_path / "ws")
    turns = {2: GAIN + "echo TARGET=90 > eval/limits.py", 3: answers(40)}
    script = "\n".join(
        f"if [ $LAB_RUN_ITERATION = {n} ]; then\n{do}\nfi" for n, do in turns.items()
    )
    an_experiment(
        lab,
        tmp_path,
        **dict.fromkeys(("strategy", "search_space")),
        workspace_root=str(workspace),
        mutable_paths=["src/**"],
        read_only_paths=["eval/**"],
        executor_command=f"{sys.executable} bench.py",
        mutation_command=script,
    )
    burst(lab, "exp", 3)
    _, caught, honest = lines(lab)
    assert (caught.outcome.value, caught.value, caught.accepted) == ("tampered", None, False)
    assert (honest.value, honest.accepted) == (60.0, True)
    run = lab.layout.experiment("exp").run(caught.run_id)
    assert "eval/limits.py" in run.result.read_text()
    assert json.loads(run.metrics.read_text())["value"] is None


# Processes


WAIT = "while [ ! -s $HOME/pid ]; do sleep 0.01; done"
STAYING = {
    "in the background": "(sleep 60; echo TARGET=90 > eval/limits.py) & echo $! > $HOME/pid",
    "by setsid": f"setsid sh -c 'echo $$ > $HOME/pid; exec sleep 60' & {WAIT}",
    "by a double fork": python(DAEMON.replace("ENVIRON", "os.environ")) + WAIT,
    "without environment": python(DAEMON.replace("ENVIRON", "{}")) + WAIT,
    "as another run's": python(DAEMON.replace("ENVIRON", "{'LAB_RUN_ID': 'another'}")) + WAIT,
}


@linux
@pytest.mark.parametrize("way", STAYING)
def test_a_process_left_behind_is_killed_and_told(gamed: Gamed, way: str) -> None:
    script = STAYING[way]
    outcome, reason = gamed.catch(GAIN + script)
    assert (outcome, "left 1 of its processes running" in reason) == ("out-of-bounds", True)
    pid = int((gamed.home / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    assert gamed.still_honest()


def test_what_ends_by_itself_at_once_is_not_left_behind(gamed: Gamed) -> None:
    done = gamed.change(GAIN + "sleep 0.05 &")
    assert done.execution.value == 10.0


# What the code does while it is measured

TWO_PRINTS = "two metrics contradict each other"
BY_A_THREAD = """\
import threading
thread = threading.Thread(target=print, args=('loss: 0',))
thread.start()
thread.join()
"""
IN_THE_ARTIFACTS = """\
import os
open(os.environ['LAB_RUN_ARTIFACTS_DIR'] + '/metrics.json', 'w').write('{"value": 0}')
"""
LYING = {
    "at import": ("print('loss: 0')", TWO_PRINTS),
    "as JSON": ("print('{\"loss\": 0}')", TWO_PRINTS),
    "as a number": ("print(0)", TWO_PRINTS),
    "at exit": ("import atexit; atexit.register(print, 'loss: 0')", TWO_PRINTS),
    "by a thread": (
        BY_A_THREAD,
        TWO_PRINTS,
    ),
    "by a child": ("import os\nos.system('echo loss: 0')", TWO_PRINTS),
    "in a file": ("open('metrics.json', 'w').write('{\"loss\": 0}')", TWO_PRINTS),
    "in the run's folder": (
        "import os; open(os.environ['LAB_RUN_DIR'] + '/metrics.json', 'w').write('{\"loss\": 0}')",
        TWO_PRINTS,
    ),
    "among the artifacts": (
        IN_THE_ARTIFACTS,
        TWO_PRINTS,
    ),
    "behind a flood": (
        "import atexit\natexit.register(print, 'x' * 9_000_000 + '\\nloss: 0')",
        "so much was printed",
    ),
}


@pytest.mark.parametrize("lie", LYING)
def test_a_second_metric_makes_both_invalid(gamed: Gamed, lie: str) -> None:
    code, said = LYING[lie]
    outcome, reason = gamed.catch(answers(50, code))
    assert (outcome, said in reason) == ("invalid-metric", True)
    assert gamed.still_honest()


@pytest.mark.parametrize(
    "value", ["float('nan')", "float('-inf')", "10**400", "'0'", "[1]", "1e999"]
)
def test_what_is_no_finite_number_is_no_metric(gamed: Gamed, value: str) -> None:
    (gamed.workspace / "bench.py").write_text(
        "import json, sys\nsys.path[1:1] = ['src']\nimport fast\n"
        "print(json.dumps({'loss': fast.answer() or 100}))\n"
    )
    assert gamed.change("true").execution.value == 100.0
    outcome, reason = gamed.catch(answers(0).replace("0", value))
    assert (outcome, "not a finite number" in reason) == ("invalid-metric", True)


RESTORING = """\
text = open('eval/limits.py').read()
open('eval/limits.py', 'w').write('TARGET = 1')
open('eval/limits.py', 'w').write(text)
"""
CUSTOMIZING = """\
import os
site = os.environ['HOME'] + '/.local/lib/python3.11/site-packages'
os.makedirs(site)
open(site + '/usercustomize.py', 'w')
"""
WHILE_MEASURED = {
    "the evaluator": ("open('bench.py', 'a').write('#')", "bench.py"),
    "the evaluator's data": ("open('eval/data/a.csv', 'w')", "eval/data/a.csv"),
    "and puts it back": (
        RESTORING,
        "eval/limits.py",
    ),
    "deletes it": ("import os; os.remove('bench.py')", "bench.py"),
    "its mode": ("import os; os.chmod('bench.py', 0o755)", "bench.py"),
    "its folder": (
        "import os; os.rename('eval', 'src/e'); os.symlink('src/e', 'eval')",
        "eval",
    ),
    "a module beside it": ("open('eval/json.py', 'w')", "eval/json.py"),
    "a package beside it": ("import os; os.mkdir('json'); open('json/__init__.py', 'w')", "json"),
    "usercustomize": (
        CUSTOMIZING,
        "usercustomize.py",
    ),
}


@pytest.mark.parametrize("attack", WHILE_MEASURED)
def test_code_that_touches_the_evaluator_while_it_is_measured_is_caught(
    gamed: Gamed, attack: str
) -> None:
    code, named = WHILE_MEASURED[attack]
    outcome, reason = gamed.catch(answers(90, code))
    assert (outcome, named in reason) == ("tampered", True)
    assert gamed.still_honest()


def test_code_that_prepares_the_scoring_process_is_caught_before_it_scores(tmp_path: Path) -> None:
    workspace = make_gamed(tmp_path / "ws")
    run = "import sys\nsys.path[1:1] = ['src']\nimport fast\n"
    (workspace / "run.py").write_text(run + "open('out', 'w').write(str(fast.answer()))\n")
    score = "loss = 100 - float(open('out').read())\nprint(loss)\n"
    (workspace / "score.py").write_text(score)
    lab = Climb(tmp_path)
    commands = {
        "executor_command": f"{sys.executable} run.py",
        "validation_command": f"{sys.executable} score.py",
    }
    assert lab.turn(spec_of(workspace, "true", **commands)).execution.value == 100.0
    restoring = f"open('score.py', 'w').write({score!r}); print(0)"
    mutation = answers(1, f"open('score.py', 'w').write({restoring!r})")
    caught = lab.turn(spec_of(workspace, mutation, **commands))
    assert (caught.execution.outcome.value, caught.stdout) == ("tampered", "")
    assert lab.turn(spec_of(workspace, answers(40), **commands)).execution.value == 60.0


def test_a_holdout_that_was_touched_or_contradicted_says_nothing(tmp_path: Path) -> None:
    holdout = f"{sys.executable} bench.py"
    for attack in ("open('bench.py', 'a').write('#')", "print('loss: 0')"):
        lab = Climb(tmp_path / str(len(attack)))
        workspace = make_gamed(lab.folder / "ws")
        spec = spec_of(
            workspace,
            answers(40, f"import os\nif 'X' in os.environ: {attack}"),
            holdout_command=f"X=1 {holdout}",
        )
        lab.turn(spec_of(workspace, "true", holdout_command=f"X=1 {holdout}"))
        taken = lab.turn(spec).execution.measurement
        assert taken is not None
        assert (taken.holdout, bool(taken.holdout_fault)) == (None, True)


def test_what_setup_made_is_protected_where_it_is_read_only(tmp_path: Path) -> None:
    setup = {"setup_command": "mkdir built eval/built; echo 1 > built/x; echo 1 > eval/built/x"}
    gamed = Gamed(tmp_path, **setup)
    done = gamed.change(answers(50, "open('built/x', 'w').write('2')"))
    assert done.execution.value == 50.0
    outcome, reason = gamed.catch(answers(60, "open('eval/built/x', 'w').write('2')"))
    assert (outcome, "eval/built/x" in reason) == ("tampered", True)


# The honest


def test_byte_code_and_caches_are_nobodys(gamed: Gamed) -> None:
    tests = "mkdir -p .pytest_cache/v eval/__pycache__ src/__pycache__ __pycache__; "
    tests += "echo x > .pytest_cache/v/x; echo x > eval/__pycache__/limits.cpython-311.pyc; "
    tests += "echo x > src/__pycache__/fast.cpython-311.pyc; "
    done = gamed.change(answers(50) + tests)
    assert done.execution.value == 50.0
    assert not list(done.bundle.candidate.rglob("*.pyc"))


def test_byte_code_of_the_users_does_not_measure(gamed: Gamed) -> None:
    """It could be stale, or somebody's: Python takes it for the source's when time and size fit."""
    cache = gamed.workspace / "eval" / "__pycache__"
    cache.mkdir()
    for version in ("310", "311", "312", "313"):
        (cache / f"limits.cpython-{version}.pyc").write_bytes(b"no byte code at all")
    names = "import os; print(len(os.listdir('eval/__pycache__')), 'there')"
    done = gamed.change(answers(50, names))
    assert "1 there\n" in done.stdout  # what this very Python has made
    assert done.execution.value == 50.0


def test_what_the_users_gitignore_names_is_a_by_product(tmp_path: Path) -> None:
    gamed = Gamed(tmp_path, "git")
    (gamed.workspace / ".gitignore").write_text("node_modules/\n*.log\n!keep.log\n/eval/out\n")
    commit_all(gamed.workspace)
    gamed.change("true")
    made = "mkdir -p node_modules/a eval/out; echo x > node_modules/a/b.js; echo x > eval/x.log; "
    done = gamed.change(answers(50) + made)
    assert done.execution.value == 50.0
    assert gamed.catch(answers(60) + made + "echo x > keep.log") == (
        "out-of-bounds",
        "changed outside mutable_paths: keep.log",
    )
    assert gamed.catch(answers(60) + "echo x > .gitignore")[0] == "out-of-bounds"
    assert gamed.catch(answers(60) + made + "echo x > eval/limits.py")[0] == "tampered"
    assert gamed.change(answers(60) + made + "echo x > eval/out/y").execution.value == 40.0


def test_an_ignored_workspace_has_no_by_products_of_its_own(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("ws/\n")
    commit_all(tmp_path)
    gamed = Gamed(tmp_path)
    assert gamed.catch(answers(60) + "echo x > y")[0] == "out-of-bounds"


def test_git_is_not_asked_where_its_settings_were_changed(tmp_path: Path) -> None:
    gamed = Gamed(tmp_path, "git")
    trap = "#!/bin/sh\ntouch $HOME/ran\n"
    (gamed.home / "trap").write_text(trap)
    (gamed.home / "trap").chmod(0o755)
    script = f"git -C $WS config core.fsmonitor {gamed.home}/trap; echo x > y.log"
    assert gamed.catch(answers(60) + script)[0] == "out-of-bounds"
    assert not (gamed.home / "ran").exists()


def test_a_file_may_become_a_folder_and_a_folder_a_file(gamed: Gamed) -> None:
    script = "rm src/fast.py; mkdir src/fast.py src/fast; echo x > src/fast.py/y\n"
    script += becomes("def answer(): return 70", "src/fast/__init__.py")
    done = gamed.change(script + "rm -r src/pkg; echo file > src/pkg")
    assert done.execution.value == 30.0
    back = "rm -r src/fast src/fast.py src/pkg; mkdir src/pkg; echo x > src/pkg/extra.txt\n"
    assert gamed.change(back + answers(80)).execution.value == 20.0


def test_nothing_of_this_takes_long(gamed: Gamed) -> None:
    """A million files cannot be made here; what they cost is linear, and this is the slope."""
    began = time.monotonic()
    gamed.catch(python("for name in range(20_000): open(f'src/{name}', 'w')"))
    assert time.monotonic() - began < 60
