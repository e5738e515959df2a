"""The table of commands."""

from __future__ import annotations

import pytest
from doit.doit_cmd import DoitMain

from hermes.cli.commands import COMMANDS, DEFAULT_COMMAND, Command, Variable, takers
from hermes.cli.values import convert
from hermes.errors import RequestError

ALL = [(command, variable) for command in COMMANDS.values() for variable in command.variables]
EACH_VARIABLE = pytest.mark.parametrize(
    ("command", "variable"), ALL, ids=[f"{command.name}.{item.name}" for command, item in ALL]
)


def test_every_command_of_the_contract_is_there() -> None:
    assert set(COMMANDS) >= {
        *("init", "demo", "create", "run_once", "burst", "status", "experiments", "show"),
        *("pause", "resume", "complete", "refresh", "watchdog", "recover", "verify"),
    }
    assert DEFAULT_COMMAND in COMMANDS


def test_no_command_is_called_like_one_of_doits() -> None:
    assert not set(COMMANDS) & {item.get_name() for item in DoitMain.DOIT_CMDS}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_says_in_one_line_what_it_is_for(command: Command) -> None:
    assert command.purpose
    assert "\n" not in command.purpose
    assert command.description.splitlines()[0] == command.purpose
    form = command.variable("format")
    assert command.json == (form is not None and "json" in form.choices)
    names = [variable.name for variable in command.variables]
    assert len(names) == len(set(names))


@EACH_VARIABLE
def test_a_variable_is_required_or_may_be_left_out(command: Command, variable: Variable) -> None:
    assert variable.help
    assert not (variable.required and variable.default is not None)
    assert bool(variable.choices) == (variable.kind == "choice")
    assert f"{variable.name}=" in command.usage
    assert command.name in takers(variable.name)


@EACH_VARIABLE
def test_a_default_is_a_value_that_the_user_could_give(
    command: Command, variable: Variable, tmp_path: object
) -> None:
    if variable.default is None:
        return
    from pathlib import Path

    value = convert(variable, str(variable.default), workdir=Path("/"), environ={})
    assert value == variable.default
    assert type(value) is type(variable.default)


def test_the_usage_of_a_command_shows_defaults_and_what_is_required() -> None:
    usage = COMMANDS["burst"].usage
    assert usage.startswith("burst exp=ID [n=10] [strategy=NAME]")
    assert "[pause=0]" in usage


def test_a_description_lists_every_variable() -> None:
    lines = COMMANDS["create"].description.splitlines()
    assert lines[2].split() == ["spec=PATH", "the", "SPEC.yaml", "to", "register;", "required"]
    assert COMMANDS["init"].description == COMMANDS["init"].purpose


def test_more_iterations_at_a_time_than_a_machine_has_use_for_are_refused_with_a_way_out() -> None:
    from pathlib import Path

    parallel = COMMANDS["burst"].variable("parallel")
    assert parallel is not None
    assert convert(parallel, "4", workdir=Path("/"), environ={}) == 4
    with pytest.raises(RequestError, match=r"^parallel=257 is more than 256[.]\nStart a burst"):
        convert(parallel, "257", workdir=Path("/"), environ={})
