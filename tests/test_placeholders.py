"""Holds ``hermes.executing.placeholders``: what becomes of ``{name}`` in a command."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from executing_jobs import make_spec
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RequestError
from hermes.executing.environment import text_of
from hermes.executing.placeholders import check_placeholders, fill


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("a b", "a b"),
    ],
)
def test_values_are_spelled_to_the_last_digit(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_placeholders_in_a_string_are_quoted_for_the_shell() -> None:
    params = {"lr": 0.1, "name": "it's; rm -rf *", "on": True, "empty": ""}
    filled = fill("run --lr={lr} {name} {on} {empty}", params)
    assert shlex.split(str(filled)) == ["run", "--lr=0.1", "it's; rm -rf *", "true", ""]


def test_placeholders_in_a_list_are_plain() -> None:
    assert fill(("run", "--name={name}", "{other}"), {"name": "a b"}) == (
        "run",
        "--name=a b",
        "{other}",
    )


def test_other_braces_are_left_alone() -> None:
    command = "awk '{print $1}' f | sed 's/{a}/b/' ${lr} ${lr:-1} {} {lr {x,y}.txt {Lr}"
    assert fill(command, {"lr": 1}) == command
    assert fill("{a}{ab}{a.b}", {"a": 1, "ab": 2, "a.b": 3}) == "123"


def test_a_value_is_not_filled_in_again() -> None:
    assert fill("{a} {b}", {"a": "{b}", "b": 1}) == "'{b}' 1"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_whatever_a_parameter_says_the_command_gets_it_as_one_word(text: str) -> None:
    command = fill("printf %s {name}", {"name": text})
    assert shlex.split(str(command)) == ["printf", "%s", text]


def test_the_shell_agrees(tmp_path: Path) -> None:
    text = "a'b\"c$(touch owned)`touch owned`;\n*\\"
    command = str(fill("printf %s {name}", {"name": text}))
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode() == text
    assert not list(tmp_path.iterdir())


# Misspellings

RATE = {"learning_rate": 0.1, "depth": 2}


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("train --lr {lerning_rate} --depth {depth}", "{lerning_rate}"),
        ("train --lr {learning-rate}", "{learning-rate}"),
        ("train --lr {Learning_Rate}", "{Learning_Rate}"),
        (("train", "--lr={learning_rates}"), "{learning_rates}"),
    ],
)
@pytest.mark.parametrize("field", ["executor_command", "validation_command"])
def test_a_misspelt_parameter_is_refused_with_the_right_one(
    command: Any, wrong: str, field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        check_placeholders(make_spec(**{field: command}), RATE)
    said = str(caught.value).splitlines()
    assert said[0] == f"{field}: {wrong} is no parameter; did you mean {{learning_rate}}?"
    assert len(said) == 2


@pytest.mark.parametrize(
    "command",
    [
        None,
        "train {learning_rate} {depth}",
        "awk '{print}' f; echo ${learning_rates} ${lerning_rate:-1}; find . -exec ls {} +",
        "python -c 'print(f\"{loss} {learning_rates:.3f} {rates[0]}\")'",
        "train --lr {learning_rate} {learning_rates}",
        "cp {a,b}.txt out",
    ],
)
def test_braces_that_mean_something_else_pass(command: Any) -> None:
    check_placeholders(make_spec(executor_command=command), RATE)
    check_placeholders(make_spec(executor_command="train {lerning_rate}"), {})


def test_names_that_differ_in_their_numbers_are_no_misspellings() -> None:
    spec = make_spec(executor_command="echo {x2} {units_l2} {lr1}")
    check_placeholders(spec, {"x1": 1, "units_l1": 8, "lr": 0.1})


@pytest.mark.parametrize("where", ["spec", "file", "workspace"])
def test_a_conditional_parameter_that_is_not_proposed_is_no_misspelling(
    tmp_path: Path, where: str
) -> None:
    space = {name: {"type": "float", "low": 0, "high": 1} for name in ("decay_a", "decay_b")}
    path = tmp_path / "search_space.json"
    path.write_text(json.dumps(space))
    fields: dict[str, Any] = {
        "spec": {"search_space": space},
        "file": {"search_space": str(path)},
        "workspace": {"workspace_root": str(tmp_path)},
    }[where]
    command = "train {decay_b}"
    check_placeholders(make_spec(executor_command=command, **fields), {"decay_a": 1})
    with pytest.raises(RequestError, match="decay_a"):
        check_placeholders(make_spec(executor_command=command), {"decay_a": 1})
