"""Holds ``hermes.executing.parameters``: how a proposal reaches the command and its file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from executing_jobs import make_spec, tree_of
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import RequestError
from hermes.executing.config_text import JSON, YAML, change, read
from hermes.executing.parameters import ParamsFile, check_parameters, merge, params_file
from hermes.model import Params


def merged(folder: Path, name: str, text: str, params: Params, *, named: bool = True) -> str:
    (folder / name).write_bytes(text.encode())
    merge(folder, ParamsFile(name, named=named), params)
    return (folder / name).read_bytes().decode()


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


def test_a_name_without_a_place_is_left_to_the_other_ways_when_the_lab_chose_the_file(
    tmp_path: Path,
) -> None:
    assert merged(tmp_path, "c.json", NESTED, {"new": 1}, named=False) == NESTED


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("sed", "Did you mean seed?"),
        ("unit", "Did you mean model.layers."),
        ("model.lrr", "Did you mean model.lr?"),
        ("optim.lr", "Did you mean model.lr?"),
        ("model.seeed", "Did you mean seed?"),
        ("model.warmup", "leave params_file out: commands also get LAB_PARAM_MODEL_WARMUP."),
        ("Warmup", "Add the key to c.json, or leave params_file out"),
    ],
)
def test_a_name_without_a_place_is_refused_when_the_spec_names_the_file(
    tmp_path: Path, name: str, remedy: str
) -> None:
    with pytest.raises(RequestError) as caught:
        merged(tmp_path, "c.json", NESTED, {"lr": 2, name: 1})
    said = str(caught.value).splitlines()
    assert said[0] == f"The parameter {name!r} has no place in c.json."
    assert remedy in said[1]
    assert len(said) == 2
    assert (tmp_path / "c.json").read_text() == NESTED


# Each language


def test_json_keeps_its_order_and_indentation(tmp_path: Path) -> None:
    before = '{\r\n\t"b": 1,   "a":2\r\n}\n'
    assert merged(tmp_path, "c.json", before, {"a": 2.5}) == before.replace(":2", ":2.5")


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
    params = {"lr": 1e-5, "drop": 0.25, "act": "no", "on": False, "list.1.width": 3}
    after = merged(tmp_path, "c.yaml", YAML_TEXT, params)
    wanted = YAML_TEXT.replace("1e-3 ", "1.0e-05 ").replace("relu", '"no"').replace("0.1", "0.25")
    assert after == wanted.replace("yes", "false").replace("9", "3")
    tree = yaml.safe_load(after)
    assert tree["model"] == {"lr": 1e-5, "act": "no", "flow": {"drop": 0.25, True: False}}


@pytest.mark.parametrize("text", ["a: &x 1  # why\nc: 2\n", "{a: 1,\n c: 2}\n", "a: |\n  b\nc: 2"])
def test_yaml_of_any_form_gets_the_value_and_no_other(tmp_path: Path, text: str) -> None:
    before = yaml.safe_load(text)
    after = yaml.safe_load(merged(tmp_path, "c.yml", text, {"a": 7}))
    assert after == {**before, "a": 7}


SHARED = [
    ("base: &b {lr: 1.0}\nmodel: {<<: *b}\n", 2),
    ("# how\nbase: &b\n  lr: 1.0\nmodel: *b\n", 4),
    ("seed: &s 1\nlr: 1.0\nmodel:\n  seed: *s\n", 4),
]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("text", "line"), SHARED)
def test_yaml_that_shares_values_is_refused_by_file_and_line(
    tmp_path: Path, text: str, line: int, named: bool
) -> None:
    with pytest.raises(RequestError) as caught:
        merged(tmp_path, "c.yaml", text, {"lr": 2.0}, named=named)
    said = str(caught.value).splitlines()
    assert said[0].startswith(f"c.yaml, line {line}: the alias *")
    assert said[1].startswith("Write the values out")
    assert ("LAB_PARAMS_JSON" in said[1]) is named
    assert len(said) == 2
    assert (tmp_path / "c.yaml").read_text() == text


def test_yaml_that_shares_values_stays_when_the_lab_chose_it_and_no_parameter_is_in_it(
    tmp_path: Path,
) -> None:
    for text, _ in SHARED:
        assert merged(tmp_path, "c.yaml", text, {"depth": 2}, named=False) == text
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
    )
    assert merged(tmp_path, "c.yaml", laughs, {"depth": 2}, named=False) == laughs


def test_a_star_that_is_no_alias_is_text(tmp_path: Path) -> None:
    text = "files: '*.csv'  # *all\nlr: 1.0\n"
    assert merged(tmp_path, "c.yaml", text, {"lr": 2.0}) == text.replace("1.0", "2.0")


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
    }
    after = merged(tmp_path, "c.toml", TOML_TEXT, params)
    wanted = TOML_TEXT.replace("seed = 1", "seed = 2").replace('"x # y"', r'"a\"b"')
    wanted = wanted.replace("1e-3", "1e-05").replace("'single'", '"s"').replace("9", "3")
    assert after == wanted.replace("scale = 1.0", "scale = 2.0")


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
        chosen = {pick.choice(document.leaves): value} if document.leaves else {}
        after = language.parse(change(document, chosen).decode())
        wanted = json.loads(json.dumps(tree))
        for leaf in chosen:
            at: Any = wanted
            for part in leaf.path[:-1]:
                at = at[int(part) if isinstance(at, list) else part]
            at[int(leaf.path[-1]) if isinstance(at, list) else leaf.path[-1]] = value
        assert repr(after) == repr(wanted)


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
        ({"params_file": "c.json"}, {"depth": 1}, "has no place in c.json"),
        ({"params_file": "c.yaml"}, {"lr": 1}, "c.yaml, line 2: the alias"),
        ({"mutable_paths": ("c.yaml",)}, {"lr": 1}, "c.yaml, line 2: the alias"),
        ({"executor_command": "run {lerning_rate}"}, {"learning_rate": 1}, "did you mean"),
        ({}, {"a-b": 1, "a.b": 2}, "LAB_PARAM_A_B"),
        ({}, {"lr": 1, "LR": 2}, "LAB_PARAM_LR"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_planned(
    tmp_path: Path, fields: dict[str, Any], params: Params, message: str
) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "c.json").write_text('{"x": {"lr": 1}, "y": {"lr": 2}}')
    (tmp_path / "c.yaml").write_text("base: &b {lr: 1.0}\nmodel: {<<: *b}\n")
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
