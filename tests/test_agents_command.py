"""The provider ``command``: real commands that are asked, and every way in which they may end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hermes.agents.adapter import ANSWER_BYTES
from hermes.agents.base import Call, Settings
from hermes.agents.providers import agent_for
from hermes.exchange import Answer
from hermes.executing import local
from hermes.executing.logs import Log
from hermes.spec import Command

MINUTE = 60.0
ENVIRONMENT = {"PATH": os.environ["PATH"], "LAB_RUN_ID": "CALL-1-exp"}
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


@pytest.fixture
def ask(tmp_path):
    def asked(command: Command, *, prompt: str = "propose", **more: object) -> Answer:
        given = {"limit_seconds": MINUTE, "settings": Settings(command=command), **more}
        call = Call(prompt, tmp_path / "call", ENVIRONMENT, **given)
        try:
            return agent_for("command").ask(call)
        finally:
            assert not call.folder.exists()

    return asked


def lives(mark: str) -> bool:
    """Say whether a process has ``mark`` in its command line."""
    shown = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True)
    lines = [line for line in shown.stdout.splitlines() if mark in line]
    return any(not line.startswith("Z") for line in lines)


def test_the_prompt_is_a_file_that_is_named_twice_over(ask):
    prompt = "say 'ä' $HOME\n" * 3
    by_variable = ask('cat "$LAB_PROMPT_PATH"', prompt=prompt)
    assert (by_variable.text, by_variable.problem) == (prompt, "")
    assert ask("cat {prompt}", prompt=prompt).text == prompt
    assert ask(("cat", "{prompt}"), prompt=prompt).text == prompt
    assert ask(("echo", "{params}", "${prompt}"), prompt=prompt).text == "{params} ${prompt}\n"


def test_a_path_with_hostile_characters_is_one_word(tmp_path):
    folder = tmp_path / "a '$(touch gone)' b"
    folder.mkdir()
    settings = Settings(command="cat {prompt}")
    call = Call("propose", folder / "call", ENVIRONMENT, MINUTE, settings=settings)
    assert agent_for("command").ask(call).text == "propose"


def test_it_starts_in_an_empty_folder_with_nothing_to_read_and_what_it_is_given(ask):
    said = ask("pwd; ls -A; cat; env | sort").text.splitlines()
    assert said[0].endswith("/call/work")
    names = {line.partition("=")[0] for line in said[1:]}
    of_the_shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names - of_the_shell == {"PATH", "LAB_RUN_ID", "LAB_PROMPT_PATH"}


def test_what_it_leaves_in_its_folder_is_removed(ask):
    assert (
        ask("mkdir a && touch a/b && chmod 0 a && rm ../answer.log && echo done").text == "done\n"
    )


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("echo '{}'; echo no money left >&2; exit 7", "exit status 7: no money left"),
        ("kill -SEGV $$", "killed by signal SIGSEGV"),
        ("no-such-agent-here", "exit status 127"),
        (("no-such-agent-here", "{prompt}"), "cannot start 'no-such-agent-here': No such file"),
    ],
)
def test_an_agent_that_fails_says_why(ask, command, problem):
    answer = ask(command)
    assert answer.problem.startswith("the agent's command failed: ")
    assert problem in answer.problem
    assert not answer.timed_out


@linux
def test_an_agent_that_never_ends_is_killed_with_all_that_it_started(ask):
    mark = f"sleep 61{os.getpid()}"
    command = f"setsid {mark} & trap '' TERM; echo thinking; {mark}; {mark}"
    answer = ask(command, limit_seconds=0.3)
    assert (answer.text, answer.timed_out) == ("thinking\n", True)
    assert answer.problem == "there was no answer within 0.005 minutes"
    assert 0.3 <= answer.wall_seconds < 10
    assert not lives(mark)


@linux
def test_what_an_agent_leaves_running_does_not_outlive_its_answer(ask):
    mark = f"sleep 62{os.getpid()}"
    assert ask(f"setsid {mark} & {mark} & echo done").text == "done\n"
    assert not lives(mark)


def test_of_a_flood_the_end_is_read_and_no_more_is_kept(ask, monkeypatch):
    largest = 0

    class Measured(Log):
        def write(self, data: bytes) -> None:
            nonlocal largest
            super().write(data)
            largest = max(largest, self.path.stat().st_size)

    monkeypatch.setattr("hermes.agents.running.Log", Measured)
    flood = 200 * 1024 * 1024
    answer = ask(f"head -c {flood} /dev/zero; echo; echo the end")
    assert answer.text.endswith("\0\nthe end\n")
    assert len(answer.text.encode()) == ANSWER_BYTES
    assert answer.left_out == flood + len("\nthe end\n") - ANSWER_BYTES
    assert largest < 1024 * 1024


def test_an_answer_that_is_no_text_is_read_as_far_as_it_is(ask):
    assert ask(r"printf 'a\377b'").text == "a\ufffdb"


def test_what_the_caller_wants_meanwhile_is_called_while_the_agent_is_at_work(ask, tmp_path):
    flag = tmp_path / "flag"
    command = f"while ! test -e {flag}; do sleep 0.01; done; echo seen"
    assert ask(command, meanwhile=flag.touch, limit_seconds=20).text == "seen\n"


@linux
def test_a_tick_that_raises_ends_the_agent_and_goes_on_to_the_caller(ask, monkeypatch):
    class Enough(Exception):
        pass

    def tick() -> None:
        raise Enough

    monkeypatch.setattr(local, "_TICK_SECONDS", 0.05)
    mark = f"sleep 63{os.getpid()}"
    with pytest.raises(Enough):
        ask(f"{mark}; echo", tick=tick)
    assert not lives(mark)
