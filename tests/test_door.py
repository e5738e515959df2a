"""Both doors, end to end: ``hermes-lab`` in this process, and ``doit`` with a small dodo.py."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidCommand
from doors import REPOSITORY, begin_doit, fresh_process, installed, lab, run_doit

import hermes
from hermes.cli import console, door, request
from hermes.cli.checker import StateChecker
from hermes.cli.reporter import LabReporter
from hermes.cli.taskdb import recorded
from hermes.errors import BrokenFile
from hermes.layout import Layout

Captured = pytest.CaptureFixture[str]

DODO = """
import os, pathlib, sys, time
from hermes.cli import console, door, request
from hermes.errors import Busy

DOIT_CONFIG = door.configuration(request.current())

def status():
    console.document({"command": request.current().command})

def busy():
    raise Busy("it is held", "wait")

def mark():
    pathlib.Path(os.environ["MARK"]).write_text("ran")

def wait():
    console.say("ready")
    while True:  # in short pieces: a signal just before a long sleep would wait for its end
        time.sleep(0.02)

def names():
    return [f"many-{number}-{'x' * 400}" for number in range(300)] + ["other"]

def creators():
    return {
        "task_status": lambda: {"actions": [status], "doc": "the lab at a glance"},
        "task_pause": lambda: {"actions": [busy]},
        "task_run_once": lambda: {"actions": [mark], "file_dep": [__file__]},
        "task_burst": lambda: {"actions": [wait], "task_dep": ["run_once"]},
        "task_many": lambda: ({"basename": name, "actions": None} for name in names()),
    }

def task_lab():
    yield from door.tasks(creators())
"""


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HERMES_LAB_DATA_ROOT", raising=False)
    with fresh_process():
        yield


def nothing() -> None:
    pass


def speak() -> None:
    console.say("all well")


# hermes-lab


def test_a_second_call_does_not_run_what_is_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "lab-data").mkdir()
    ran: list[int] = []
    task = {"actions": [lambda: ran.append(1)], "file_dep": [__file__], "targets": []}
    for _ in range(3):
        assert lab("run_once", run_once=task) == 0
    assert ran == [1]
    assert list(recorded(Layout(tmp_path / "lab-data").task_database)) == ["run_once"]


def test_a_cycle_is_the_default(capsys: Captured) -> None:
    assert lab("", run_once=speak, status=nothing) == 0
    assert capsys.readouterr().out == "all well\n"


def test_the_folder_of_the_user_is_left_alone(tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for words in ("list", "status", "info status", "forget --all", "clean status", "nosuch"):
        lab(words, status=nothing, run_once=nothing)
    assert sorted(tmp_path.iterdir()) == before
    assert Path.cwd() == tmp_path


def test_settings_in_the_folder_of_the_user_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "doit.cfg").write_text("[GLOBAL]\nnum_process = many\n")
    (tmp_path / "pyproject.toml").write_text("not even TOML")
    assert lab("status", status=nothing) == 0


@pytest.mark.parametrize("words", ["status n=3", "stauts", "-n 2 status", "--bogus", "info stauts"])
def test_a_wrong_request_runs_nothing(words: str, capsys: Captured) -> None:
    assert lab(words, status=speak, run_once=speak) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ERROR: ")
    assert 1 <= err.count("\n") <= 2


def test_an_error_while_the_graph_loads_has_its_own_code(capsys: Captured) -> None:
    def create() -> dict[str, Any]:
        raise BrokenFile("SPEC.yaml", "it is torn", "mend it")

    with pytest.raises(SystemExit) as end:
        door.main(["status"], creators={"task_status": create})
    assert end.value.code == 2
    assert capsys.readouterr().err == "ERROR: SPEC.yaml: it is torn\nmend it\n"


def test_an_interrupt_while_the_graph_loads_is_one_line(capsys: Captured) -> None:
    def create() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        door.main(["status"], creators={"task_status": create})
    assert end.value.code == 130
    assert capsys.readouterr().err == "Interrupted; what was finished is kept.\n"


def test_the_version_is_the_labs(capsys: Captured) -> None:
    assert lab("--version") == 0
    assert capsys.readouterr().out.splitlines()[0] == f"hermes-lab {hermes.__version__}"


def test_help_and_info_show_a_task(capsys: Captured) -> None:
    task = {"actions": [nothing], "doc": "the lab at a glance", "uptodate": [True]}
    assert lab("info status", status=task) == 0
    assert lab("help status", status=task) == 0
    assert capsys.readouterr().out.count("the lab at a glance") == 2


def test_only_creators_are_called() -> None:
    creators = {"helper": lambda: pytest.fail("called"), "task_lint": lambda: {"actions": []}}
    assert [task.name for task in door.tasks(creators)] == ["lint"]


# Configuration


@pytest.fixture(autouse=True)
def _counts_as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: None)


def configured(words: list[str], **environ: str) -> Mapping[str, object]:
    return door.configuration(request.parse(words, environ=environ, workdir=Path.cwd()))


def test_the_graph_is_remembered_in_the_data_root(tmp_path: Path) -> None:
    remembered = str(tmp_path / "lab-data/.doit/tasks.jsonl")
    assert configured(["status"])["dep_file"] == remembered
    (tmp_path / "lab-data").mkdir()
    assert configured(["list"])["dep_file"] == remembered
    assert configured(["lint"])["dep_file"] == remembered
    elsewhere = configured(["status"], HERMES_LAB_DATA_ROOT="/srv/lab")
    assert elsewhere["dep_file"] == "/srv/lab/.doit/tasks.jsonl"


def test_without_a_lab_the_projects_checks_are_remembered_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "checkout" / "hermes"
    monkeypatch.setattr(hermes, "__file__", str(package / "__init__.py"))
    assert configured(["lint"])["dep_file"] == str(tmp_path / "lab-data/.doit/tasks.jsonl")
    package.mkdir(parents=True)
    (package.parent / "dodo.py").touch()
    assert configured(["lint"])["dep_file"] == str(package.parent / ".doit/tasks.jsonl")
    assert configured(["init"])["dep_file"] == str(tmp_path / "lab-data/.doit/tasks.jsonl")


def test_the_configuration_is_the_labs_own() -> None:
    found = configured([])
    assert found["backend"] == "hermes"
    assert found["check_file_uptodate"] is StateChecker
    assert found["reporter"] is LabReporter
    assert found["default_tasks"] == ["run_once"]
    assert (found["verbosity"], found["continue"], found["num_process"]) == (2, True, 0)


def test_a_checkout_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(InvalidCommand, match=r"not installed in this Python[.]\nRun `pip install"):
        configured(["status"])
    assert lab("status", status=nothing) == 0


# doit, as a process


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("installed")
    return {**installed(folder), "MARK": str(folder / "mark")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dodo.py").write_text(DODO)
    return tmp_path


def test_doit_answers_in_json_and_takes_paths_from_where_the_user_stood(
    project: Path, environ: Mapping[str, str]
) -> None:
    folder = project / "elsewhere"
    folder.mkdir()
    (folder / "lab-data").mkdir()
    done = run_doit("-f", "../dodo.py", "status", cwd=folder, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == '{\n  "command": "status"\n}\n'
    assert (folder / "lab-data/.doit/tasks.jsonl").exists()
    assert not (project / "lab-data").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["status", "exp=a"], 3, "status takes no variable 'exp'."),
        (["stauts", "exp=a"], 3, "Did you mean 'status'?"),
        (["info", "stauts"], 3, "Did you mean 'status'?"),
        (["help", "stauts"], 3, "Did you mean 'status'?"),
        (["other", "exp=a"], 3, "other takes no variable 'exp'."),
        (["pause", "exp=a"], 5, "ERROR: it is held\nwait\n"),
    ],
)
def test_doit_refuses_as_hermes_lab_does(
    project: Path, environ: Mapping[str, str], words: list[str], code: int, message: str
) -> None:
    done = run_doit(*words, cwd=project, environ=environ)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 2
    assert not (project / "lab-data").exists()


@pytest.mark.parametrize(
    ("command", "lines", "code"), [("list", 1, -signal.SIGPIPE), ("status", 0, 0)]
)
def test_a_reader_may_go_away(
    project: Path, environ: Mapping[str, str], command: str, lines: int, code: int
) -> None:
    process = begin_doit(command, cwd=project, environ=environ)
    assert process.stdout is not None
    assert all(process.stdout.readline() for _ in range(lines))
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_session_that_is_ended_keeps_what_it_finished(
    project: Path, environ: Mapping[str, str], number: signal.Signals
) -> None:
    (project / "lab-data").mkdir()
    process = begin_doit("burst", "exp=a", cwd=project, environ=environ)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    killed = number is signal.SIGKILL
    assert process.returncode == (-number if killed else 128 + number)
    assert err == ("" if killed else "Interrupted; what was finished is kept.\n")
    Path(environ["MARK"]).unlink()
    done = run_doit("run_once", cwd=project, environ=environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not Path(environ["MARK"]).exists()


def test_the_package_names_both_doors() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    assert 'hermes-lab = "hermes.rules:main"' in text
    assert 'hermes = "hermes.cli.taskdb:TaskDatabase"' in text
