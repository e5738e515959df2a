"""What doit reports of a run, through the door: errors only, and the exit code they ask for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from doit.exceptions import InvalidCommand, TaskFailed
from doors import fresh_process, lab

from hermes import files
from hermes.cli import console, reporter
from hermes.errors import BrokenFile, Busy, CheckFailed, ExitCode, PersonNeeded
from hermes.layout import Layout

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HERMES_LAB_DATA_ROOT", raising=False)
    with fresh_process():
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lab-data"
    root.mkdir()
    return root


def nothing() -> None:
    pass


def speak() -> None:
    console.say("all well")


def busy() -> None:
    raise Busy("it is held", "wait")


def check_fails() -> None:
    raise CheckFailed("one file differs")


def fault() -> None:
    raise ValueError("unexpected\nin two lines")


def test_only_the_commands_own_words_are_printed(root: Path, capsys: Captured) -> None:
    assert lab("status", status={"actions": [speak], "task_dep": ["_step"]}, _step=nothing) == 0
    assert capsys.readouterr() == ("all well\n", "")


def test_an_error_of_the_lab_is_two_lines_and_its_own_code(root: Path, capsys: Captured) -> None:
    assert lab("status", status=busy) == 5
    assert capsys.readouterr() == ("", "ERROR: it is held\nwait\n")


def test_an_error_without_a_remedy_is_one_line(root: Path, capsys: Captured) -> None:
    assert lab("verify", verify=check_fails) == 1
    assert capsys.readouterr() == ("", "ERROR: one file differs\n")


def test_an_action_may_end_without_a_word(root: Path, capsys: Captured) -> None:
    assert lab("status", status=lambda: ExitCode.NOTHING) == 6
    assert lab("status", status=lambda: False) == 1
    assert capsys.readouterr() == ("", "")


def test_what_depends_on_a_failed_task_is_not_reported_again(root: Path, capsys: Captured) -> None:
    depending = {"actions": [speak], "task_dep": ["_step"]}
    assert lab("status", status=depending, _step=busy) == 5
    assert capsys.readouterr() == ("", "ERROR: it is held\nwait\n")


def test_one_failure_does_not_stop_the_other_tasks(root: Path, capsys: Captured) -> None:
    assert lab("status other", status=busy, other=speak) == 5
    assert capsys.readouterr().out == "all well\n"


def test_the_first_code_counts_but_a_fault_outweighs_it(root: Path, capsys: Captured) -> None:
    def person() -> None:
        raise PersonNeeded("decide")

    def broken() -> None:
        raise BrokenFile("x.json", "it is torn")

    assert lab("status other", status=person, other=busy) == 4
    assert lab("status other", status=busy, other=person) == 5
    assert lab("status other", status=busy, other=broken) == 2
    assert lab("status other", status=busy, other=fault) == 2


def test_a_fault_is_two_lines_and_a_traceback_in_the_log(root: Path, capsys: Captured) -> None:
    assert lab("status", status=fault) == 2
    log = Layout(root).fault_log
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "ERROR: status: ValueError: unexpected",
        f"This is a fault of the lab; its traceback is in {log}.",
    ]
    assert "in fault\n" in log.read_text()
    assert lab("status", status=fault) == 2
    assert log.read_text().count("Traceback") == 2


def test_without_a_data_root_the_traceback_is_shown(tmp_path: Path, capsys: Captured) -> None:
    assert lab("status", status=fault) == 2
    assert "Traceback" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_disk_that_refuses_the_log_does_not_hide_the_fault(root: Path, capsys: Captured) -> None:
    Layout(root).fault_log.mkdir(parents=True)
    assert lab("status", status=fault) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_fault_log_does_not_grow_for_ever(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "_LOG_LIMIT", 4000)
    monkeypatch.setattr(reporter, "_LOG_KEPT", 1000)
    for _ in range(20):
        assert lab("status", status=fault) == 2
    text = (files.read(Layout(root).fault_log) or b"").decode()
    assert len(text) < 6000
    assert text.rstrip().endswith("in two lines")


def test_a_missing_dependency_is_one_line(root: Path, capsys: Captured) -> None:
    task = {"actions": [nothing], "file_dep": ["/nowhere/at/all"]}
    assert lab("status", status=task) == 2
    err = capsys.readouterr().err
    assert err.startswith("ERROR: Task 'status' checking dependencies: ")
    assert err.count("\n") == 1


def test_a_command_that_fails_is_named(root: Path, capsys: Captured) -> None:
    failed = TaskFailed("Command failed: 'lint' returned 1\nand more")
    assert lab("status", status=lambda: failed) == 1
    assert capsys.readouterr().err == "ERROR: status: Command failed: 'lint' returned 1\n"


def test_a_failing_teardown_is_reported_and_the_work_counts(root: Path, capsys: Captured) -> None:
    assert lab("status", status={"actions": [speak], "teardown": [fault]}) == 0
    out, err = capsys.readouterr()
    assert out == "all well\n"
    assert err.startswith("ERROR: clearing up: ValueError: unexpected\n")


def test_an_ignored_task_is_a_remark(root: Path, capsys: Captured) -> None:
    task = {"actions": [speak], "file_dep": [__file__]}
    assert lab("status", status=task) == 0
    assert lab("ignore status", status=task) == 0
    capsys.readouterr()
    assert lab("status", status=task) == 0
    assert capsys.readouterr() == ("", "status is ignored; `hermes-lab forget status` ends that.\n")


def test_a_graph_with_a_circle_is_refused(root: Path, capsys: Captured) -> None:
    turn = {"actions": [nothing], "task_dep": ["init"]}
    back = {"actions": [nothing], "task_dep": ["status"]}
    assert lab("status", status=turn, init=back) == 3
    assert "Cyclic" in capsys.readouterr().err


@pytest.mark.parametrize(("function", "code"), [(busy, 5), (fault, 2)])
def test_an_error_in_asking_whether_a_task_is_up_to_date_is_as_one_of_a_task(
    root: Path, capsys: Captured, function: Callable[[], None], code: int
) -> None:
    assert lab("status", status={"actions": [speak], "uptodate": [function]}) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
    assert "Traceback" not in err


def test_what_changes_while_an_action_runs_is_looked_at_in_the_next_run(
    root: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "metrics.jsonl"
    lines.write_text("1\n")
    seen: list[str] = []

    def read_while_another_appends() -> None:
        seen.append(lines.read_text())
        if len(seen) == 1:
            lines.write_text("1\n2\n")

    for _ in range(3):
        task = {"actions": [read_while_another_appends], "file_dep": [str(lines)]}
        assert lab("status", status=task) == 0
    assert seen == ["1\n", "1\n2\n"]


# While the graph is made


def test_an_error_while_loading_ends_with_its_code(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as end, reporter.loading():
        raise Busy("it is held", "wait")
    assert end.value.code == 5
    assert capsys.readouterr() == ("", "ERROR: it is held\nwait\n")


def test_a_fault_while_loading_is_logged(root: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as end, reporter.loading():
        fault()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("ERROR: making the task graph: ValueError: unexp")
    assert "in fault\n" in Layout(root).fault_log.read_text()


def test_what_doit_shows_by_itself_is_left_to_doit(capsys: Captured) -> None:
    with pytest.raises(InvalidCommand), reporter.loading():
        raise InvalidCommand("no such task")
    assert capsys.readouterr() == ("", "")


# Signals


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def test_an_interrupt_is_one_line_and_what_was_done_is_kept(root: Path, capsys: Captured) -> None:
    ran: list[str] = []
    first = {"actions": [lambda: ran.append("first")], "file_dep": [__file__]}
    second = {"actions": [interrupt], "task_dep": ["_first"]}
    for _ in range(2):
        assert lab("status", status=second, _first=first) == 130
    assert ran == ["first"]
    assert capsys.readouterr().err.splitlines() == ["Interrupted; what was finished is kept."] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_runs_teardowns_and_keeps_successes(
    root: Path, capsys: Captured, number: signal.Signals
) -> None:
    def end() -> None:
        os.kill(os.getpid(), number)
        for _ in range(1000):
            threading.Event().wait(0.01)

    task = {"actions": [end], "teardown": [lambda: console.say("torn down")]}
    assert lab("status", status=task) == 128 + number
    assert capsys.readouterr() == ("torn down\n", "Interrupted; what was finished is kept.\n")
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_the_caller_ignores_stays_ignored(root: Path) -> None:
    def hang_up() -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert lab("status", status=hang_up) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)
