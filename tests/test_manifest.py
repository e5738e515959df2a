"""LAB_MANIFEST.json says what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hermes import files
from hermes.cli import manifest
from hermes.cli.commands import COMMANDS
from hermes.errors import ExitCode
from hermes.layout import PROJECTIONS, Layout
from hermes.model import Outcome, Phase

REPOSITORY = Path(__file__).resolve().parents[1]


def content() -> Any:
    return json.loads(manifest.render())


def test_the_manifest_in_the_checkout_is_what_the_code_says() -> None:
    found = files.read(REPOSITORY / manifest.MANIFEST_NAME)
    assert found == manifest.render(), "LAB_MANIFEST.json is not up to date: run `doit manifest`"


def test_every_command_and_variable_is_described() -> None:
    commands = content()["commands"]
    assert set(commands) == set(COMMANDS)
    assert commands["burst"]["variables"]["n"] == {
        "type": "int",
        "required": False,
        "default": 10,
        "help": "so many iterations",
        "minimum": 1,
    }
    assert commands["status"]["json"] is True
    assert commands["status"]["variables"]["format"]["choices"] == ["text", "json"]


def test_every_exit_code_outcome_and_phase_is_there() -> None:
    found = content()
    assert set(found["exit_codes"]) == {str(int(code)) for code in ExitCode}
    assert found["outcomes"] == [item.value for item in Outcome]
    assert found["phases"] == [item.value for item in Phase]


def test_every_file_of_the_contract_has_a_meaning_and_a_standing() -> None:
    root = content()["data_root"]
    paths = root["files"]
    assert {
        *("README-FIRST.md", "PROGRAM.md", "CHANGELOG.md", "LAB-STATUS.md", "LAB-INDEX.json"),
        *("executors.yaml", "registry/events.jsonl", "registry/locks", ".doit/tasks.jsonl"),
        *(f"experiments/<experiment>/{name}" for name in ("SPEC.yaml", "journal.jsonl")),
        *(f"experiments/<experiment>/{name}" for name in PROJECTIONS),
        "experiments/<experiment>/runs/<run>/manifest.json",
    } <= set(paths)
    for entry in paths.values():
        assert entry["meaning"].endswith(".")
        assert entry["standing"] in root["standings"]


def test_no_file_of_the_layout_is_left_out() -> None:
    layout = Layout(Path())
    known = {name for owner, names in manifest._STANDINGS for name in names if owner == layout}
    single = {name for name, item in vars(Layout).items() if isinstance(item, property)}
    assert single - known <= {"experiments", "dispatch"}


def test_the_environment_of_commands_is_listed() -> None:
    from hermes.executing.environment import CONTRACT_KEYS

    assert content()["environment"] == list(CONTRACT_KEYS)
    assert "LAB_EXPERIMENT_ID" in CONTRACT_KEYS
