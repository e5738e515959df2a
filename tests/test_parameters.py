"""Holds ``hermes.executing.parameters``: how a proposal reaches the command and its file."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from executing_jobs import make_spec, tree_of
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RequestError
from hermes.executing.config_text import JSON, YAML, change, read
from hermes.executing.environment import text_of
from hermes.executing.parameters import ParamsFile, check_parameters, fill, merge, params_file
from hermes.model import Params


def merged(folder: Path, name: str, text: str, params: Params, *, named: bool = True) -> str:
    (folder / name).write_bytes(text.encode())
    merge(folder, ParamsFile(name, named=named), params)
    return (folder / name).read_bytes().decode()


# Placeholders


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


# Finding the place

NESTED = """{
    "model": {"lr": 0.1, "layers": [{"units": 8}, {"units": 16}]},
    "seed": 1, "name": "x",   "deep": {"only": {"here": null}}
}
"""


def test_a_flat_name_finds_its_place_in_the_tree(tmp_path: Path) -> None:
    after = merged(tmp_path, "c.json", NESTED, {"lr": 0.5, "here": "y", "seed": 2})
    assert after == NESTED.replace("0.1", "0.5").replace("null", '"y"').replace(": 1,", ": 2,")


def test_a_dotted_name_is_a_path_or_the_end_of_one(tmp_path: Path) -> None:
    params = {"model.lr": 0.5, "only.here": True, "model.layers.1.units": 32}
    tree = json.loads(merged(tmp_path, "c.json", NESTED, params))
    assert tree["model"] == {"lr": 0.5, "layers": [{"units": 8}, {"units": 32}]}
    assert tree["deep"]["only"]["here"] is True


def test_the_whole_path_wins_over_the_end_of_another(tmp_path: Path) -> None:
    text = '{"a": {"lr": 1}, "b": {"a": {"lr": 2}}}'
    tree = json.loads(merged(tmp_path, "c.json", text, {"a.lr": 3}))
    assert tree == {"a": {"lr": 3}, "b": {"a": {"lr": 2}}}


def test_an_ambiguous_name_is_an_error_that_lists_the_candidates(tmp_path: Path) -> None:
    text = '{"lr": 0, "a": {"lr": 1}, "b": [{"lr": 2}]}'
    with pytest.raises(RequestError, match=r"lr, a\.lr, b\.0\.lr") as caught:
        merged(tmp_path, "c.json", text, {"lr": 3})
    assert len(str(caught.value).splitlines()) == 2
    assert (tmp_path / "c.json").read_text() == text


@pytest.mark.parametrize("name", ["model", "layers", "model.layers"])
def test_a_section_or_list_is_no_place(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="section"):
        merged(tmp_path, "c.json", NESTED, {name: 1})


def test_a_name_without_a_place_is_added_only_to_a_file_that_the_spec_names(
    tmp_path: Path,
) -> None:
    assert merged(tmp_path, "c.json", NESTED, {"new": 1}, named=False) == NESTED
    tree = json.loads(merged(tmp_path, "c.json", NESTED, {"new": 1, "lr": 2}))
    assert (tree["new"], tree["model"]["lr"]) == (1, 2)


# Each language


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": 1}', '{"a": 1,"b": 2.5}'),
        ("{}", '{"b": 2.5}'),
        ('{\n\t"a": 1\n}\n', '{\n\t"a": 1,\n\t"b": 2.5\n}\n'),
        ('{\r\n  "a": 1\r\n}', '{\r\n  "a": 1,\r\n  "b": 2.5\r\n}'),
    ],
)
def test_json_keeps_its_order_and_indentation(tmp_path: Path, before: str, after: str) -> None:
    assert merged(tmp_path, "c.json", before, {"b": 2.5}) == after


YAML_TEXT = """\
# how to train
model:          # the network
  lr: 1e-3      # a text to some readers
  act: relu
  flow: {drop: 0.1, on: yes}
list:
  - width: 8
  - width: 9
"""


def test_yaml_keeps_its_comments(tmp_path: Path) -> None:
    params = {"lr": 1e-5, "drop": 0.25, "act": "no", "on": False, "list.1.width": 3, "new": "a: b"}
    after = merged(tmp_path, "c.yaml", YAML_TEXT, params)
    wanted = YAML_TEXT.replace("1e-3 ", "1.0e-05 ").replace("relu", '"no"').replace("0.1", "0.25")
    wanted = wanted.replace("yes", "false").replace("9", "3") + '"new": "a: b"\n'
    assert after == wanted
    tree = yaml.safe_load(after)
    assert tree["model"] == {"lr": 1e-5, "act": "no", "flow": {"drop": 0.25, True: False}}
    assert tree["new"] == "a: b"


@pytest.mark.parametrize(
    "text", ["a: &x 1\nb: *x\nc: 2\n", "{a: 1,\n c: 2}\n", "a: |\n  text\nc: 2", "c: 2\n...\n", ""]
)
def test_yaml_that_cannot_be_edited_in_place_is_written_anew(tmp_path: Path, text: str) -> None:
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(merged(tmp_path, "c.yml", text, {"a": 7, "new": 8}))
    assert after == {**before, "a": 7, "new": 8}


TOML_TEXT = """\
# top
seed = 1  # of everything
name = "x # y"

[model]
lr = 1e-3   # rate
"quoted key".sub = 'single'
sizes = [
  1, 2,
  3,
]
inline = { drop = 0.1 }
text = \"\"\"
lr = 5
\"\"\"

[[layer]]
width = 8
[layer.init]
scale = 1.0
[[layer]]
width = 9
"""


def test_toml_keeps_everything_but_the_value(tmp_path: Path) -> None:
    params = {
        "seed": 2,
        "name": 'a"b',
        "model.lr": 1e-5,
        "sub": "s",
        "layer.1.width": 3,
        "scale": 2.0,
        "new": True,
    }
    after = merged(tmp_path, "c.toml", TOML_TEXT, params)
    wanted = TOML_TEXT.replace("seed = 1", "seed = 2").replace('"x # y"', r'"a\"b"')
    wanted = wanted.replace("1e-3", "1e-05").replace("'single'", '"s"').replace("9", "3")
    assert after == "new = true\n" + wanted.replace("scale = 1.0", "scale = 2.0")


def test_toml_without_a_line_for_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be replaced"):
        merged(tmp_path, "c.toml", TOML_TEXT, {"drop": 0.5})


SCALARS = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
)
TREES = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from("klmn"), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=5,
)


@given(tree=TREES, value=SCALARS, pick=st.randoms(use_true_random=False), layout=st.booleans())
def test_exactly_one_value_changes_whatever_the_tree(
    tree: dict[str, Any], value: Any, pick: Any, layout: bool
) -> None:
    texts = [
        (JSON, json.dumps(tree, indent=3 if layout else None)),
        (YAML, yaml.safe_dump(tree, sort_keys=False, default_flow_style=layout)),
    ]
    for language, text in texts:
        document = read(text.encode(), language)
        added = {"zz": value}
        chosen = {pick.choice(document.leaves): value} if document.leaves else {}
        after = language.parse(change(document, chosen, added).decode())
        wanted = json.loads(json.dumps(tree))
        for leaf in chosen:
            at: Any = wanted
            for part in leaf.path[:-1]:
                at = at[int(part) if isinstance(at, list) else part]
            at[int(leaf.path[-1]) if isinstance(at, list) else leaf.path[-1]] = value
        assert repr(after) == repr({**wanted, **added})


# Choosing the file


def test_the_file_that_the_spec_names_goes_first(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    spec = make_spec(
        workspace_root=str(tmp_path), params_file="conf/b.yaml", mutable_paths=("a.json",)
    )
    assert params_file(spec, tmp_path) == ParamsFile("conf/b.yaml", named=True)
    absolute = make_spec(workspace_root=str(tmp_path), params_file=str(tmp_path / "a.json"))
    assert params_file(absolute, tmp_path) == ParamsFile("a.json", named=True)


def test_else_it_is_the_first_mutable_file_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    for name in (
        "train.py",
        "broken.json",
        "list.json",
        "conf/z.toml",
        "conf/b.yaml",
        "conf/a.json",
    ):
        (tmp_path / name).write_text({"broken.json": "{", "list.json": "[]"}.get(name, ""))
    (tmp_path / "conf/a.json").write_text("{}")

    def chosen(*paths: str) -> str | None:
        found = params_file(make_spec(workspace_root=str(tmp_path), mutable_paths=paths), tmp_path)
        return found.path if found else None

    assert chosen("train.py", "broken.json", "list.json", "missing.json") is None
    assert chosen("train.py", "broken.json", "conf/b.yaml", "conf/a.json") == "conf/b.yaml"
    assert chosen("conf/*") == "conf/a.json"
    assert chosen("conf") == "conf/a.json"
    assert chosen("conf/") == "conf/a.json"
    assert chosen("**/b.*") == "conf/b.yaml"


# Planning


@pytest.mark.parametrize(
    ("fields", "params", "message"),
    [
        ({"params_file": "gone.json"}, {"a": 1}, "there is no gone.json"),
        ({"params_file": "broken.json"}, {"a": 1}, "cannot be read as JSON"),
        ({"params_file": "../c.json"}, {"a": 1}, "outside"),
        ({"params_file": "train.py"}, {"a": 1}, "none of"),
        ({"params_file": "c.json"}, {"lr": 1}, "several places"),
        ({"mutable_paths": ("c.json",)}, {"lr": 1}, "several places"),
        ({"params_file": "c.json", "workspace_mode": "in-place"}, {"a": 1}, "your own folder"),
        ({}, {"a-b": 1, "a.b": 2}, "LAB_PARAM_A_B"),
        ({}, {"lr": 1, "LR": 2}, "LAB_PARAM_LR"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_planned(
    tmp_path: Path, fields: dict[str, Any], params: Params, message: str
) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "c.json").write_text('{"x": {"lr": 1}, "y": {"lr": 2}}')
    (tmp_path / "train.py").write_text("")
    before = tree_of(tmp_path)
    with pytest.raises(RequestError, match=message) as caught:
        check_parameters(make_spec(workspace_root=str(tmp_path), **fields), params)
    assert len(str(caught.value).splitlines()) == 2
    assert tree_of(tmp_path) == before


def test_what_can_work_passes_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"lr": 1}')
    before = tree_of(tmp_path)
    check_parameters(make_spec(workspace_root=str(tmp_path), params_file="c.json"), {"lr": 2})
    check_parameters(make_spec(workspace_root=str(tmp_path), workspace_mode="in-place"), {"lr": 2})
    check_parameters(make_spec(), {"lr": 2})
    check_parameters(make_spec(workspace_root=str(tmp_path), params_file="gone.json"), {})
    assert tree_of(tmp_path) == before


def test_a_link_in_the_place_of_the_file_is_not_written_through(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text('{"lr": 1}')
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    os.symlink(users, sandbox / "c.json")
    with pytest.raises(OSError, match=r"c\.json"):
        merge(sandbox, ParamsFile("c.json", named=True), {"lr": 2})
    assert users.read_text() == '{"lr": 1}'
