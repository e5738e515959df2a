"""What a newcomer meets: slips, places where no lab can be, help, progress, and runs by name."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys

import pytest
from labs import ENVIRON, a_lab, an_experiment, burst, hermes, lines

from hermes.cli.commands import COMMANDS
from hermes.errors import RequestError
from hermes.lab import Lab
from hermes.model import Outcome
from hermes.rules.progress import Progress
from hermes.steps.init import init


def refused(result):
    assert result.returncode == 3, result.stdout + result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") <= 2
    return result.stderr


# slips


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["burst", "tune", "n=2"], "Write exp=tune."),
        (["burst", "tune"], "Write exp=tune."),
        (["show", "tune"], "Write exp=tune."),
        (["create", "some.yaml"], "Write spec=some.yaml."),
        (["create", "a SPEC"], "Write spec='a SPEC'."),
        (["create", "nothing"], "No task is called 'nothing'."),
        (["status", "tune"], "No task is called 'tune'."),
        (["burst", "stauts", "n=2"], "Did you mean 'status'?"),
        (["burst", "other", "n=2"], "No task is called 'other'."),
    ],
)
def test_a_bare_word_is_refused_with_what_to_write(root, tmp_path, words, told):
    an_experiment(a_lab(root), tmp_path, "tune")
    (tmp_path / "a SPEC").touch()
    assert told in refused(hermes(root, *words))
    assert not (root / ".doit" / "faults.log").exists()


# where a lab may be


@pytest.mark.parametrize("place", ["file", "file/below", "full", "lab/below"])
def test_a_lab_is_not_made_where_none_can_be(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    a_lab(tmp_path / "lab")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RequestError, match="a new folder"):
        init(Lab(tmp_path / place))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_data_root_that_is_a_file_is_two_lines(tmp_path):
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(hermes(tmp_path / "file", "init"))


def test_a_folder_without_content_of_its_own_becomes_a_lab(root):
    root.mkdir()
    (root / ".DS_Store").touch()
    (root / "PROGRAM.md").write_text("mine")
    assert init(Lab(root))
    assert (root / "PROGRAM.md").read_text() == "mine"


def test_a_lab_that_lost_its_experiments_is_made_whole(root):
    lab = a_lab(root)
    (root / "experiments").rmdir()
    init(lab)
    assert lab.is_there


def test_a_lab_keeps_itself_out_of_a_repository(root):
    a_lab(root)
    assert (root / ".gitignore").read_text() == "*\n"


# help


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_begins_with_the_labs_commands(root, word):
    result = hermes(root, word)
    assert (result.returncode, result.stderr) == (0, "")
    told = result.stdout
    assert [told.index(f"  {name} ") for name in COMMANDS] == sorted(
        told.index(f"  {name} ") for name in COMMANDS
    )
    assert told.index("verify ") < told.index("  list ") < told.index("  info ")


def test_every_purpose_is_one_sentence_that_is_an_order():
    for command in COMMANDS.values():
        assert command.purpose[0].isupper()
        assert command.purpose.endswith(".")


# runs by name


def test_a_run_is_shown_by_id_by_number_as_the_last_and_as_the_best(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path, seed=3)
    burst(lab, "exp", 4)
    made = lines(lab)
    best = min(made, key=lambda line: line.value)
    for asked, run in (("last", made[-1]), ("best", best), ("2", made[1])):
        shown = hermes(root, "show", "exp=exp", f"run={asked}", "format=json")
        assert json.loads(shown.stdout)["manifest"]["run_id"] == run.run_id
    assert "exp has no run number 5." in refused(hermes(root, "show", "exp=exp", "run=5"))


def test_without_a_success_there_is_no_best_run(root, tmp_path):
    an_experiment(a_lab(root), tmp_path)
    assert "exp has no best run yet." in refused(hermes(root, "show", "exp=exp", "run=best"))


# progress


class Told:
    """A progress whose time is set by hand, and what it said."""

    def __init__(self, line, total=None):
        self.now = 100.0
        self.said = []
        self.line = line
        self.progress = Progress(self.said.append, total=total, now=lambda: self.now)

    def tell(self, outcome=Outcome.SUCCESS, reason="", *, accepted=False):
        from dataclasses import replace

        value = 0.5 if outcome is Outcome.SUCCESS else None
        made = replace(
            self.line, outcome=outcome, reason=reason, value=value, accepted=accepted, run_id="RUN"
        )
        self.progress.tell(made)


@pytest.fixture
def line(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path)
    burst(lab, "exp", 1)
    return lines(lab)[0]


def test_each_line_has_its_count_and_says_what_was_left_out(line):
    told = Told(line, total=5)
    told.tell(accepted=True)
    told.tell(Outcome.FAILED, "exit status 1")
    told.tell()
    told.now += 1
    told.tell(Outcome.FAILED, "exit status 2")
    told.tell()
    assert told.said == [
        "1/5  RUN  random  0.5  best so far",
        "4/5  RUN  random  failed: exit status 2  (+2 not shown, 1 failed)",
        "5/5  RUN  random  0.5",
    ]


def test_the_last_run_of_a_command_that_stops_early_has_its_line(line):
    told = Told(line, total=9)
    for _ in range(3):
        told.tell()
    told.progress.flush()
    told.progress.flush()
    assert [text[:3] for text in told.said] == ["1/9", "3/9"]
    assert "(+1 not shown)" in told.said[-1]


def test_whoever_interrupts_is_told_how_far_it_came_and_how_to_go_on(line):
    told = Told(line, total=9)
    told.tell(accepted=True)
    told.tell()
    words = told.progress.last_words("; n=7 makes the rest")
    assert words == (
        "2 of 9 runs finished; the best so far: 0.5 in RUN.\n"
        "The same command goes on; n=7 makes the rest."
    )
    assert told.said[-1].startswith("2/9")


class FakeBar:
    """What would be seen of a bar."""

    def __init__(self):
        self.count, self.postfix, self.lines, self.closed = 0, "", [], 0

    def update(self):
        self.count += 1

    def set_postfix_str(self, s, refresh=True):
        self.postfix = s

    def write(self, s):
        self.lines.append(s)

    def close(self):
        self.closed += 1


def test_a_bar_counts_every_run_and_shows_the_best_value(line):
    told, bar = Told(line, total=9), FakeBar()
    told.progress.show_bar(bar)
    told.tell(Outcome.FAILED, "exit status 1")
    assert bar.postfix == "last failed: exit status 1"
    told.tell(accepted=True)
    told.tell()
    told.progress.flush()
    told.progress.flush()
    assert (bar.count, bar.closed, bar.postfix) == (3, 1, "best 0.5")
    assert bar.lines == ["RUN  random  0.5  best so far"]
    assert told.said == []


@pytest.mark.parametrize(("term", "bar"), [("xterm", True), ("dumb", False)])
def test_a_burst_at_a_terminal_shows_a_bar_with_rate_and_time_left(root, tmp_path, term, bar):
    an_experiment(a_lab(root), tmp_path)
    shown = at_terminal(root, "burst", "exp=exp", "n=12", term=term)
    assert ("12/12 [" in shown and "run/s, best -" in shown) is bar, shown
    assert ("12/12  RUN-" in shown) is not bar
    assert "exp: 12 runs, 12 succeeded." in shown


def at_terminal(root, *words, term):
    """Run the real command at a terminal of its own and return what it showed."""
    ours, theirs = pty.openpty()
    environ = {**ENVIRON, "HERMES_LAB_DATA_ROOT": str(root), "TERM": term}
    process = subprocess.Popen(
        [sys.executable, "-m", "hermes", *words],
        cwd=root.parent,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    process.wait()
    return shown.decode()


# looking after it


def test_what_mending_leaves_is_for_a_person(root, tmp_path):
    an_experiment(a_lab(root), tmp_path)
    (root / "experiments" / "exp" / "SPEC.yaml").write_text("metric: [unclosed")
    first = hermes(root, "watchdog")
    assert "watchdog repair=yes" in first.stderr
    second = hermes(root, "watchdog", "repair=yes")
    assert second.returncode == 1
    assert "repair=yes" not in second.stdout + second.stderr
    assert "needs a person" in second.stderr


# times


def test_times_say_their_zone_once_and_are_not_broken(root, tmp_path):
    lab = a_lab(root)
    an_experiment(lab, tmp_path, cadence="weekly")
    burst(lab, "exp", 1)
    for words in (["status"], ["experiments"], ["show", "exp=exp"]):
        shown = hermes(root, *words).stdout
        assert len(re.findall(r"\bUTC\b", shown)) == 1, shown
    for width in (58, 72):  # the whole time, and a part of it, would end the line
        shown = hermes(root, "status", environ={"COLUMNS": str(width)}).stdout
        assert "NEXT DUE" in shown, shown
        assert lines(lab)[0].planned_at[:19].replace("T", " ") in shown.split("\n\n")[0]
