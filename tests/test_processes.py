from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from hermes.store import processes
from hermes.store.processes import ProcessIdentity, is_dead, start_time, this_process

ME = ProcessIdentity("host", "boot", 10, "500")
OTHER = ProcessIdentity("host", "boot", 11, "600")


def nobody(pid: int) -> str | None:
    return None


def hidden(pid: int) -> str | None:
    return ""


def runs(pid: int) -> str | None:
    return {11: "600"}.get(pid)


def test_this_process_is_alive() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert me.host
    assert me.boot_id
    assert me.started
    assert this_process() == me
    assert not is_dead(me, me)


def test_a_process_is_alive_until_it_ends() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = this_process()
    owner = replace(me, pid=child.pid, started=start_time(child.pid) or "")
    assert not is_dead(owner, me)
    child.communicate(b"\n")
    assert start_time(child.pid) is None
    assert is_dead(owner, me)


def test_a_stopped_process_is_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        assert start_time(child.pid)
        child.kill()


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(child.pid) is None
    child.wait()


def test_a_process_whose_name_has_brackets_and_spaces_is_read_right() -> None:
    fields = " ".join(["S", *map(str, range(4, 60))])
    assert processes.parse_stat(f"7 (a) R (b c) {fields}".encode()) == "22"


@pytest.mark.parametrize("state", ["Z", "X", "x"])
def test_the_state_of_a_dead_process_is_known(state: str) -> None:
    fields = " ".join([state, *map(str, range(4, 60))])
    assert processes.parse_stat(f"7 (a) {fields}".encode()) is None


@pytest.mark.parametrize("stat", [b"", b"garbage", b"7 (a) S 1 2"])
def test_an_unreadable_stat_tells_nothing(stat: bytes) -> None:
    assert processes.parse_stat(stat) == ""


def test_the_start_time_of_ps_is_read() -> None:
    line = "S+   Sat Jan 31 09:30:00 2026\n"
    assert processes.parse_ps(line) == "Sat Jan 31 09:30:00 2026"
    assert processes.parse_ps("Z    Sat Jan 31 09:30:00 2026") is None
    assert processes.parse_ps("") == ""


@pytest.mark.skipif(shutil.which("/bin/ps") is None, reason="there is no ps here")
def test_ps_gives_the_same_start_time_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    started = start_time(os.getpid())
    assert started
    assert start_time(os.getpid()) == started
    assert start_time(2**22 + 1) is None


@pytest.mark.parametrize(
    "pid", [0, -1, -os.getpid(), 2**31, 2**70], ids=["0", "-1", "-me", "2^31", "2^70"]
)
def test_an_impossible_pid_is_nobodys(pid: int) -> None:
    assert start_time(pid) is None


def test_the_dead_are_told_by_pid_start_time_and_boot() -> None:
    assert not is_dead(OTHER, ME, runs)
    assert is_dead(replace(OTHER, pid=12), ME, runs)
    assert is_dead(replace(OTHER, started="601"), ME, runs)
    assert is_dead(replace(OTHER, boot_id="earlier"), ME, runs)


def test_nothing_is_known_of_another_hosts_processes() -> None:
    elsewhere = replace(OTHER, host="elsewhere", boot_id="another")
    assert not is_dead(elsewhere, ME, nobody)


def test_what_the_system_hides_counts_as_living() -> None:
    assert not is_dead(OTHER, ME, hidden)
    assert not is_dead(replace(OTHER, started=""), ME, runs)
    assert not is_dead(replace(OTHER, boot_id=""), ME, runs)
    assert not is_dead(OTHER, replace(ME, boot_id=""), runs)


def test_a_hidden_process_is_still_asked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_read", lambda path: b"")
    assert start_time(os.getpid()) == ""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert start_time(child.pid) is None


def test_another_process_namespace_is_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    processes.host.cache_clear()
    here = processes.host()
    monkeypatch.setattr(processes, "_link", lambda path: "pid:[4026599999]")
    processes.host.cache_clear()
    assert processes.host() != here
    monkeypatch.undo()
    processes.host.cache_clear()
    assert processes.host() == here


def test_a_forked_child_is_somebody_else() -> None:
    reader, writer = os.pipe()
    code = (
        "import os, sys\n"
        "from hermes.store.processes import this_process\n"
        "before = this_process()\n"
        "if os.fork() == 0:\n"
        "    os.write(1, str(this_process() != before).encode())\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    with os.fdopen(reader, "rb") as answers:
        subprocess.run([sys.executable, "-c", code], stdout=writer, check=True)
        os.close(writer)
        assert answers.read() == b"True"
