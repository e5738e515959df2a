"""A request is read as doit reads it, and refused when anything about it is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doit import doit_cmd, loader
from doit.cmd_base import DodoTaskLoader
from doit.exceptions import InvalidCommand
from doors import fresh_process
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.cli import request
from hermes.cli.commands import COMMANDS
from hermes.cli.request import Request, Variables
from hermes.errors import RequestError

HERE = Path("/where/the/user/stood")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_process():
        yield


def parse(words: str | list[str], **environ: str) -> Request:
    return request.parse(
        words.split() if isinstance(words, str) else words,
        environ=environ,
        workdir=HERE,
        loader_options=DodoTaskLoader.cmd_options,
    )


def refusal(words: str | list[str]) -> str:
    with pytest.raises(RequestError) as caught:
        parse(words)
    text = str(caught.value)
    assert text.count("\n") <= 1
    assert caught.value.exit_code == 3
    return text


# How to call it again


def called(as_: str, path: Path, program: str = "doit", workdir: Path = HERE) -> str:
    asked = request.parse(
        ["status"],
        environ={"PATH": str(path)},
        workdir=workdir,
        program=program,
        called_as=as_,
    )
    return asked.again


def programs(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_program_that_a_shell_finds_is_called_by_its_name(tmp_path: Path) -> None:
    found = programs(tmp_path / "bin", "doit", "hermes-lab")
    assert called(str(found / "doit"), found) == "doit"
    assert called("bin/doit", found, workdir=tmp_path) == "doit"
    assert called(str(found / "hermes-lab"), found, "hermes-lab") == "hermes-lab"


def test_a_program_that_a_shell_does_not_find_is_called_as_it_was(tmp_path: Path) -> None:
    other = programs(tmp_path / "other", "doit")
    programs(tmp_path / "my venv", "doit")
    assert called(".venv/bin/doit", tmp_path) == ".venv/bin/doit"
    assert called("my venv/doit", other, workdir=tmp_path) == "'my venv/doit'"


def test_a_module_that_is_run_is_called_by_the_programs_name(tmp_path: Path) -> None:
    assert called("/lib/hermes/__main__.py", tmp_path, "hermes-lab") == "hermes-lab"
    assert called("", tmp_path) == "doit"


# What is asked for


def test_without_a_task_it_is_a_cycle() -> None:
    asked = parse("")
    assert asked.command == "run_once"
    assert asked.variables.need("max_runs", int) == 3
    assert asked.variables.get("exp", str) is None


def test_variables_have_the_types_of_the_table() -> None:
    asked = parse("burst exp=rosen n=20 seed=7 pause=0.5 search_space=space.json strategy=grid")
    variables = asked.variables
    assert asked.command == "burst"
    assert variables.need("exp", str) == "rosen"
    assert variables.need("n", int) == 20
    assert variables.need("seed", int) == 7
    assert variables.need("pause", float) == 0.5
    assert variables.need("search_space", Path) == HERE / "space.json"
    assert variables["strategy"] == "grid"


def test_a_command_that_was_not_named_has_its_defaults() -> None:
    asked = parse("status format=json")
    assert asked.of("burst").need("n", int) == 10
    assert asked.of("burst").get("exp", str) is None
    assert asked.of("watchdog").need("format", str) == "text"
    assert asked.of("status").need("format", str) == "json"


def test_a_variable_of_another_type_is_a_fault_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        Variables({"n": 3}).get("n", str)
    with pytest.raises(AssertionError):
        Variables({"n": None}).need("n", int)
    with pytest.raises(KeyError):
        Variables({}).get("n", int)


def test_a_value_may_contain_an_equals_sign() -> None:
    assert parse(["pause", "exp=a", "reason=x=y=z"]).variables["reason"] == "x=y=z"


@pytest.mark.parametrize(
    "words",
    [
        "-f dodo.py burst exp=a",
        "--file=other.py burst exp=a",
        "burst exp=a",
        "exp=a burst",
        "run burst exp=a",
        "-v 2 burst exp=a",
        "-c -a burst exp=a",
        "--db-file x burst exp=a",
        "-o out.txt burst exp=a",
        "-r zero --single burst exp=a",
        "-k -d . burst exp=a",
        "-d . -v2 burst exp=a",
    ],
)
def test_doits_own_options_keep_their_meaning(words: str) -> None:
    asked = parse(words)
    assert asked.names == ("burst",)
    assert asked.command == "burst"
    assert asked.variables["exp"] == "a"


def test_one_command_is_called_at_a_time() -> None:
    assert refusal("init create spec=x.yaml").startswith("init and create are two commands.")
    assert "burst needs exp=" in refusal("burst")


@pytest.mark.parametrize("word", ["list", "info", "help", "forget", "clean", "ignore", "strace"])
def test_doits_own_commands_run_no_command_of_the_lab(word: str) -> None:
    asked = parse([word, "burst"])
    assert (asked.command, asked.doit_command, asked.names) == (None, word, ("burst",))
    assert asked.of("burst").get("exp", str) is None
    assert f"{word} takes no variable 'n'." in refusal([word, "n=3"])


# Where


def test_the_data_root_is_where_the_user_stood() -> None:
    assert parse("").data_root == HERE / "lab-data"
    assert parse("demo").data_root == HERE / "demo-data"
    assert parse("list").data_root == HERE / "lab-data"
    assert request.idle({}, HERE).data_root == HERE / "lab-data"


@pytest.mark.parametrize("words", ["", "demo", "status"])
def test_the_environment_names_another_data_root(words: str) -> None:
    assert parse(words, HERMES_LAB_DATA_ROOT="labs/a").data_root == HERE / "labs/a"
    assert parse(words, HERMES_LAB_DATA_ROOT="/srv/lab").data_root == Path("/srv/lab")
    assert parse(words, HERMES_LAB_DATA_ROOT="~/lab", HOME="/me").data_root == Path("/me/lab")
    assert parse(words, HERMES_LAB_DATA_ROOT="").data_root == parse(words).data_root


def test_a_data_root_beside_or_above_has_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    asked = request.parse([], environ={"HERMES_LAB_DATA_ROOT": "../b/./c"}, workdir=tmp_path / "a")
    assert asked.data_root == tmp_path.resolve() / "b" / "c"


# What is refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("burst ex=a", "burst takes no variable 'ex'.\nDid you mean exp=?"),
        ("burst exp=a N=3", "burst takes no variable 'N'.\nDid you mean n=?"),
        ("exq=a", "run_once takes no variable 'exq'.\nDid you mean exp=?"),
        ("init n=3", "init takes no variable 'n'.\nIt belongs to burst, swarm"),
        ("init zzz=3", "init takes no variable 'zzz'.\nLeave it out."),
        ("status zzz=3", "status takes no variable 'zzz'.\nUsage: status [format=text]"),
        ("show run=a", "show needs exp=.\nUsage: show exp=ID [run=RUN] [format=text]"),
        ("burst exp=a exp=b", "exp= is given twice.\nGive it once."),
        ("burst exp=a n=ten", "n=ten is not a whole number.\nn= takes a whole number from 1."),
        ("burst exp=a n=1.5", "n=1.5 is not a whole number."),
        ("burst exp=a n=1_0", "n=1_0 is not a whole number."),
        ("burst exp=a n=٣", "n=٣ is not a whole number."),
        ("burst exp=a n=0", "n=0 is less than 1.\nn= takes a whole number from 1."),
        ("burst exp=a seed=-1", "seed=-1 is less than 0."),
        ("burst exp=a pause=nan", "pause=nan is not a number.\npause= takes a number from 0."),
        ("burst exp=a pause=inf", "pause=inf is not a number."),
        ("burst exp=a pause=1e999", "pause=1e999 is not a number."),
        ("burst exp=a pause=-1", "pause=-1 is less than 0."),
        ("burst exp=a parallel=0", "parallel=0 is less than 1."),
        ("burst exp=a strategy=randm", "No strategy is called 'randm'.\nDid you mean 'random'?"),
        ("burst exp=a strategy=qqq", "called 'qqq'.\nThere are: "),
        ("status format=JSON", "No format is called 'JSON'.\n"),
        ("burst exp=../x", "exp=../x is not an experiment's id."),
        ("burst exp=/etc", "exp=/etc is not an experiment's id."),
        ("burst exp=", "exp= is empty."),
        ("create spec=", "spec= is empty."),
        ("show exp=a run=../../x", "run=../../x is not a run's id or number, last or best."),
        ("-n 4 burst exp=a", "doit's -n would"),
        ("-n4 burst exp=a", "doit's -n would"),
        ("--process 4 burst exp=a", "doit's -n would"),
        ("-P thread burst exp=a", "doit's -n would"),
        ("burst -n 4 exp=a", "doit's -n would"),
        ("burst --process=4 exp=a", "doit's -n would"),
        ("burst --exp=a", "Option --exp=a stands behind a task."),
        ("list burst --all", "Option --all stands behind a task."),
        ("--bogus burst", "Option --bogus not recognized.\nRun `hermes-lab help run` for"),
        ("-v loud burst", "Error parsing parameter 'verbosity'"),
        ("=3", "run_once takes no variable ''."),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_what_is_right(words: str, message: str) -> None:
    assert message in refusal(words)


def test_n_is_refused_with_a_pointer_to_parallel() -> None:
    assert "parallel=" in refusal("-n 2 burst exp=a")


def test_an_empty_argument_is_refused() -> None:
    assert refusal([""]) == "An argument is empty.\nLeave it out."


def test_a_very_long_value_is_shown_short() -> None:
    assert len(refusal(["burst", "exp=a", "n=" + "9" * 5000])) < 200


def test_a_task_that_the_table_does_not_know_waits_for_the_names() -> None:
    asked = parse("stauts format=json")
    assert asked.command is None
    assert asked.deferred is not None
    assert parse("lint -k x").names == ("lint",)


# Names


def check(words: str, known: list[str], *, targets: tuple[str, ...] = ()) -> str:
    request.install(parse(words))
    try:
        request.check_names(known, targets=targets)
    except InvalidCommand as error:
        return str(error)
    return ""


KNOWN = [*COMMANDS, "plan", "plan:rosen", "lint"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("stauts", "No task is called 'stauts'.\nDid you mean 'status'?"),
        ("stauts exp=x", "No task is called 'stauts'.\nDid you mean 'status'?"),
        ("lst", "No task is called 'lst'.\nDid you mean 'list'?"),
        ("plan:rosne", "No task is called 'plan:rosne'.\nDid you mean 'plan:rosen'?"),
        ("init qqqqqq", "No task is called 'qqqqqq'.\nRun `doit list` for the names."),
        ("info stauts", "No task is called 'stauts'.\nDid you mean 'status'?"),
        ("list stauts", "No task is called 'stauts'."),
        ("forget stauts", "No task is called 'stauts'."),
        ("help stauts", "No task is called 'stauts'."),
        ("info x/STATUS.json", "No task is called 'x/STATUS.json'."),
        ("nothing*", "No task is called 'nothing*'."),
        ("lint exp=x", "lint takes no variable 'exp'.\nIt belongs to run_once,"),
    ],
)
def test_a_misspelt_task_is_an_error_that_names_the_nearest(words: str, message: str) -> None:
    assert message in check(words, KNOWN)


@pytest.mark.parametrize(
    "words",
    ["", "lint", "plan:rosen", "plan:*", "info plan", "help task", "help list", "help", "list"],
)
def test_a_name_that_exists_is_fine(words: str) -> None:
    assert check(words, KNOWN) == ""


def test_a_target_may_be_asked_for() -> None:
    assert check("x/STATUS.json", KNOWN, targets=("x/STATUS.json",)) == ""


# The request of the process


def test_outside_of_doit_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest", "nonsense=3"])
    asked = request.current()
    assert (asked.command, asked.doit_command, asked.names) == (None, "", ())
    assert asked.variables.values == {}
    assert asked.environ == dict(os.environ)


def test_within_doit_the_request_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["doit", "burst", "exp=a"])
    doit_cmd._CMDLINE_VARS = {"exp": "a"}
    loader.initial_workdir = str(HERE)
    asked = request.current()
    assert asked.variables["exp"] == "a"
    assert asked.data_root == HERE / "lab-data"
    assert request.current() is asked


def test_a_doit_that_read_other_words_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["something", "else"])
    doit_cmd._CMDLINE_VARS = {"exp": "a"}
    loader.initial_workdir = str(HERE)
    with pytest.raises(InvalidCommand, match="loaded by another program"):
        request.current()


def test_a_folder_that_was_removed_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InvalidCommand, match="The current folder was removed"):
        request.current()


WORDS = st.lists(
    st.one_of(
        st.sampled_from([*COMMANDS, "list", "info", "run", "-n", "-v", "2", "--all", "-", "--"]),
        st.builds(
            "{}={}".format, st.sampled_from(["exp", "n", "x", "-f", ""]), st.text(max_size=5)
        ),
        st.text(max_size=5),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(words=WORDS)
def test_any_words_are_a_request_or_a_refusal(words: list[str]) -> None:
    try:
        asked = parse(words)
    except RequestError:
        return
    assert asked.data_root.is_absolute()
    for name in asked.typed:
        assert all(asked.of(name)[item.name] is not None for item in _required(name))


def _required(name: str) -> list[object]:
    return [item for item in COMMANDS[name].variables if item.required]  # type: ignore[misc]


@settings(deadline=None)
@given(words=st.lists(st.text(min_size=1, max_size=4, alphabet="ab=-f"), max_size=5))
def test_variables_are_those_that_doit_sees(words: list[str]) -> None:
    from hermes.cli.line import take_apart

    try:
        line = take_apart(words, ())
    except RequestError:
        return
    doit_cmd.DoitMain(config_filenames=()).process_args(words)
    assert dict(line.given) == doit_cmd._CMDLINE_VARS
