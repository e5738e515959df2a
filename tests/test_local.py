"""Holds ``hermes.executing.local`` and ``strays``: real processes, and their ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermes.executing import local, strays
from hermes.executing.local import Ended
from hermes.executing.logs import HEAD_BYTES, TAIL_BYTES, Log

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
PATH = {"PATH": os.environ["PATH"]}
MIB = 1024 * 1024
NOTE = re.compile(rb"\n\[hermes-lab: (\d{20}) bytes left out here\]\n")


class Bench:
    """Runs commands in a folder and remembers what they printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def run(
        self,
        command: str | tuple[str, ...],
        *,
        limit: float | None = 20.0,
        grace: float = 0.2,
        tick: Callable[[], None] = lambda: None,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> Ended:
        self.count += 1
        self.stdout = Log(self.folder / f"{self.count}.out")
        self.stderr = Log(self.folder / f"{self.count}.err")
        try:
            return local.run(
                command,
                folder=folder or self.folder,
                environment={**PATH, "LAB_RUN_ID": f"RUN-{self.folder}-{self.count}"}
                if environment is None
                else environment,
                stdout=self.stdout,
                stderr=self.stderr,
                limit_seconds=limit,
                grace_seconds=grace,
                tick=tick,
            )
        finally:
            self.stdout.close()
            self.stderr.close()

    def printed(self) -> str:
        return self.stdout.path.read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # what earlier tests cut off in this process has ended since
    yield
    assert not strays.OWN
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def pids_in(file: Path) -> list[int]:
    return [int(word) for word in file.read_text().split()]


# What a command gets


def test_a_string_is_run_by_the_shell_and_a_list_as_it_is(bench: Bench) -> None:
    assert bench.run("echo $((1 + 2)) | cat").exit_status == 0
    assert bench.printed() == "3\n"
    assert bench.run(("echo", "$HOME; *", "a b")).exit_status == 0
    assert bench.printed() == "$HOME; * a b\n"


def test_standard_input_is_closed(bench: Bench) -> None:
    reading, writing = os.pipe()
    own = os.dup(0)
    os.dup2(reading, 0)  # what a command would wait for, did it get the lab's
    try:
        assert not bench.run("cat; echo end", limit=5.0).timed_out
    finally:
        os.dup2(own, 0)
        for fd in (reading, writing, own):
            os.close(fd)
    assert bench.printed() == "end\n"


def test_a_command_has_a_session_and_a_group_of_its_own(bench: Bench) -> None:
    code = "import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"
    bench.run((sys.executable, "-c", code))
    assert bench.printed() == "True\n"


def test_the_environment_is_exactly_what_was_given(bench: Bench) -> None:
    bench.run(("/usr/bin/env",), environment={"A": "1", "B": "x y"})
    assert sorted(bench.printed().split("\n")) == ["", "A=1", "B=x y"]


def test_a_relative_program_is_the_one_in_its_folder(bench: Bench, tmp_path: Path) -> None:
    for name in ("here", "there"):
        script = tmp_path / name / "run.sh"
        script.parent.mkdir()
        script.write_text(f"#!/bin/sh\necho {name}\n")
        script.chmod(0o755)
    bench.run(("./run.sh",), folder=tmp_path / "there")
    assert bench.printed() == "there\n"


def test_both_streams_are_kept_apart_and_neither_blocks_the_other(bench: Bench) -> None:
    code = "import sys; [f.write(c * 3_000_000) for f, c in ((sys.stderr,'e'), (sys.stdout,'o'))]"
    assert bench.run((sys.executable, "-c", code)).exit_status == 0
    assert bench.printed() == "o" * 3_000_000
    assert bench.stderr.path.read_text() == "e" * 3_000_000


def test_without_a_log_of_its_own_standard_error_goes_to_the_other(tmp_path: Path) -> None:
    log = Log(tmp_path / "setup.log")
    local.run("echo out; echo err >&2; echo out", folder=tmp_path, environment=PATH, stdout=log)
    log.close()
    assert log.path.read_text() == "out\nerr\nout\n"


# What is recorded


@pytest.mark.parametrize(("command", "status"), [("exit 3", 3), ("kill -9 $$", -9), ("true", 0)])
def test_the_exit_status_is_recorded(bench: Bench, command: str, status: int) -> None:
    ended = bench.run(command)
    assert (ended.exit_status, ended.timed_out) == (status, False)


def test_wall_time_processor_time_and_peak_memory_are_recorded(bench: Bench) -> None:
    code = (
        "import time; block = b'x' * 300_000_000; end = time.process_time() + 0.2\n"
        "while time.process_time() < end: pass\n"
        "time.sleep(0.1)"
    )
    usage = bench.run((sys.executable, "-c", code)).usage
    assert usage.peak_memory_bytes > 300_000_000
    assert 0.2 < usage.cpu_seconds < usage.wall_seconds


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("no-such-program",), 127),
        (("./no-such-program",), 127),
        (("./plain.txt",), 126),
        (("./binary",), 126),
        (("echo", "x" * 4_000_000), 126),
        (("echo", "\0"), 126),
    ],
)
def test_what_cannot_be_started_is_a_value_that_says_why(
    bench: Bench, tmp_path: Path, command: tuple[str, ...], status: int
) -> None:
    (tmp_path / "plain.txt").write_text("text")
    (tmp_path / "binary").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "binary").chmod(0o755)
    ended = bench.run(command)
    assert ended.exit_status == status
    assert ended.problem.startswith(f"cannot start {command[0]!r}: ")


def test_a_missing_folder_is_not_the_commands_fault(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bench.run("true", folder=tmp_path / "gone")


# The end of the time


def test_the_time_limit_is_in_fractions_of_a_second(bench: Bench) -> None:
    began = time.monotonic()
    ended = bench.run("echo before; sleep 60", limit=0.2)
    assert ended.timed_out
    assert time.monotonic() - began < 5
    assert bench.printed() == "before\n"


def test_a_tree_that_ignores_the_request_to_end_is_killed(bench: Bench, tmp_path: Path) -> None:
    command = (
        "trap '' TERM; (sleep 60 & echo $! >> pids; wait) & echo $! >> pids; sleep 60; sleep 60"
    )
    ended = bench.run(command, limit=0.3, grace=0.2)
    assert (ended.timed_out, ended.exit_status) == (True, -signal.SIGKILL)
    pids = pids_in(tmp_path / "pids")
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_what_is_printed_during_the_grace_is_kept(bench: Bench) -> None:
    command = "trap 'echo saved; exit 5' TERM; while :; do sleep 0.01; done"
    ended = bench.run(command, limit=0.2, grace=10.0)
    assert (ended.timed_out, ended.exit_status) == (True, 5)
    assert bench.printed() == "saved\n"


@linux
def test_a_child_may_use_the_grace_though_the_shell_around_it_is_gone(bench: Bench) -> None:
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n    time.sleep(0.3); print('saved'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); print('ready', flush=True)\n"
        "while True: time.sleep(0.01)"
    )
    assert bench.run(f'{sys.executable} -c "{code}"; true', limit=0.5, grace=10.0).timed_out
    assert bench.printed() == "ready\nsaved\n"


# What is left behind


def test_what_is_left_in_the_group_does_not_outlive_the_run(bench: Bench, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = bench.run(
        "sleep 60 & echo $! > pids; (sleep 60 & echo $! >> pids) & wait $!; echo done"
    )
    assert ended.exit_status == 0
    assert time.monotonic() - began < 5  # nor is the pipe waited for that it holds open
    assert bench.printed() == "done\n"
    assert all(is_gone(pid) for pid in pids_in(tmp_path / "pids"))


def test_the_group_dies_also_where_no_process_table_is_looked_at(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strays, "sweep", lambda group, mark, since: None)
    bench.run("sleep 60 & echo $! > pids")
    (pid,) = pids_in(tmp_path / "pids")
    while not is_gone(pid):
        time.sleep(0.005)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


DAEMON = (
    "import os, sys, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "open('pids', 'a').write(f'{os.getpid()} ')\n"
    "time.sleep(60)\n"
)


@linux
@pytest.mark.parametrize("rest", ["", "; sleep 60"])
def test_a_daemon_in_a_session_of_its_own_does_not_outlive_the_run(
    bench: Bench, tmp_path: Path, rest: str
) -> None:
    wait = "while [ ! -s pids ]; do sleep 0.01; done"
    bench.run(f'{sys.executable} -c "{DAEMON}"; {wait}{rest}', limit=1.0 if rest else 20.0)
    assert all(is_gone(pid) for pid in pids_in(tmp_path / "pids"))


def until_the_next_tick() -> None:
    """Wait for the clock by which the system tells when a process began, 10 ms at most."""

    def tick() -> int:
        return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))

    began = tick()
    while tick() == began:
        pass


@linux
def test_children_of_others_are_left_alone(bench: Bench) -> None:
    other = subprocess.Popen(["sleep", "60"], start_new_session=True, env={**PATH})
    dead = subprocess.Popen(["true"], env={**PATH})
    until_the_next_tick()
    try:
        bench.run("setsid sleep 60 & true")
        assert other.poll() is None
        assert dead.wait(5) == 0
    finally:
        other.kill()
        other.wait()


@linux
def test_slots_side_by_side_do_not_take_each_others_processes(tmp_path: Path) -> None:
    found = [0] * 6

    def work(number: int) -> None:
        folder = tmp_path / f"slot{number}"
        folder.mkdir()
        bench = Bench(folder)
        for status in range(12):
            ended = bench.run(f"setsid sleep 60 & exit {status}")
            found[number] += ended.exit_status == status

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [12] * 6


@linux
def test_what_a_dead_lab_left_running_is_found_by_its_mark(tmp_path: Path) -> None:
    mark = f"LAB_RUN_ID=RUN-{tmp_path}"
    name, value = mark.split("=", 1)
    left = subprocess.Popen(["sleep", "60"], env={**PATH, name: value})
    other = subprocess.Popen(["sleep", "60"], env={**PATH, name: value + "x"})
    try:
        assert strays.stop_marked(mark) == 1
        assert left.wait(5) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


# Ticks


def test_output_is_in_the_file_while_the_command_runs(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_TICK_SECONDS", 0.01)
    seen: list[str] = []

    def tick() -> None:
        seen.append(bench.printed())
        if seen[-1]:
            (tmp_path / "go").touch()

    bench.run("echo hello; while [ ! -e go ]; do sleep 0.01; done; echo end", tick=tick)
    assert "hello\n" in seen
    assert bench.printed() == "hello\nend\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_when_a_tick_raises_everything_is_killed_and_the_exception_goes_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.setattr(local, "_TICK_SECONDS", 0.01)

    def tick() -> None:
        if (tmp_path / "ready").exists():
            raise error

    with pytest.raises(error):
        bench.run(
            "trap '' TERM; sleep 60 & echo $$ $! > pids; touch ready; wait; sleep 60", tick=tick
        )
    assert all(is_gone(pid) for pid in pids_in(tmp_path / "pids"))


def test_what_is_stopped_has_its_grace_and_is_not_ticked_any_more(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_TICK_SECONDS", 0.01)

    def tick() -> None:
        if (tmp_path / "ready").exists():
            raise KeyboardInterrupt

    command = "trap 'sleep 0.2; echo saved; exit' TERM; touch ready; while :; do sleep 0.01; done"
    with pytest.raises(KeyboardInterrupt):
        bench.run(command, tick=tick, grace=10.0)
    assert bench.printed() == "saved\n"


# It may come while Popen itself still waits for the command to start.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*Popen.__del__")
def test_an_interrupt_kills_what_runs(bench: Bench, tmp_path: Path) -> None:
    lab = threading.main_thread().ident
    assert lab is not None

    def interrupt() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.005)
        signal.pthread_kill(lab, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        bench.run("echo $$ > pids; touch ready; sleep 60")
    thread.join()
    assert all(is_gone(pid) for pid in pids_in(tmp_path / "pids"))


# Where the system has no descriptors of processes


@pytest.fixture
def without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_open_pidfd", lambda pid: None)


@pytest.mark.usefixtures("without_pidfd")
def test_without_pidfd_the_same_holds(bench: Bench, tmp_path: Path) -> None:
    assert bench.run("echo a; exit 3").exit_status == 3
    assert bench.printed() == "a\n"
    ended = bench.run("trap '' TERM; sleep 60 & echo $! > pids; sleep 60", limit=0.2)
    assert (ended.timed_out, ended.exit_status) == (True, -signal.SIGKILL)
    assert bench.run("exec >&- 2>&-; sleep 0.1; exit 4").exit_status == 4
    assert bench.run("sleep 60 & echo $! >> pids; true").exit_status == 0
    assert all(is_gone(pid) for pid in pids_in(tmp_path / "pids"))


def test_a_command_that_closes_its_output_is_waited_for(bench: Bench) -> None:
    assert bench.run("exec >&- 2>&-; sleep 0.2; exit 4").exit_status == 4


# Logs


def test_a_log_whose_name_was_taken_away_gets_it_back(bench: Bench, tmp_path: Path) -> None:
    bench.run("echo kept; rm -f *.out *.err; mkdir 1.err; echo too")
    assert bench.printed() == "kept\ntoo\n"
    assert bench.stderr.path.read_bytes() == b""


@pytest.mark.slow
def test_output_without_end_costs_neither_memory_nor_disk(bench: Bench) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 300 * MIB
    assert bench.run(f"yes 0123456789abcdef | head -c {size}; echo; echo 0.5").exit_status == 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 4 * 1024
    content = bench.stdout.path.read_bytes()
    found = NOTE.search(content)
    assert found is not None
    assert (found.start(), len(content) - found.end()) == (HEAD_BYTES, TAIL_BYTES)
    assert int(found[1]) == size + 5 - HEAD_BYTES - TAIL_BYTES
    assert content.endswith(b"\n0.5\n")
