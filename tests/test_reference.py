"""docs/SPEC.md says what the schemas and the code say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hermes import cadence, files, policy
from hermes.cli import reference
from hermes.executing.environment import CONTRACT_KEYS
from hermes.executing.parameters import LANGUAGES
from hermes.model import Outcome
from hermes.rules import dev
from hermes.search.space import parse_space
from hermes.spec import EXECUTION_FIELDS, FIELDS, NOT_YET
from hermes.state import MOST_RETRIES, RECENT_RUNS
from hermes.validation import schema, validate
from hermes.yaml_text import load_yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = reference.render().decode()
PROSE = (ROOT / "hermes" / "cli" / "reference.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def rows() -> dict[str, str]:
    return dict(re.findall(r"^\| `([a-z_.]+)` (\|.+)$", PAGE, re.MULTILINE))


def test_the_reference_in_the_checkout_is_what_the_schemas_say():
    found = files.read(ROOT / "docs" / reference.REFERENCE_NAME)
    assert found == reference.render(), "docs/SPEC.md is not up to date: run `doit reference`"


def test_a_reference_that_is_behind_the_schemas_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(dev, "REFERENCE", tmp_path / "SPEC.md")
    assert not dev.reference_is_true()
    dev.write_reference()
    assert dev.reference_is_true()
    dev.REFERENCE.write_text(PAGE.replace("`max_parallel`", "`max_paralel`"))
    assert not dev.reference_is_true()


def test_every_field_has_one_row_with_its_default_and_its_meaning():
    for name in FIELDS:
        assert PAGE.count(f"\n| `{name}` | ") == 1, name
        rule = schema()["properties"][name]
        if "default" in rule:
            assert f"| `{json.dumps(rule['default'])}` |" in rows()[name], name
        assert reference._plain(rule["description"]) in rows()[name]
    required = {name for name, row in rows().items() if "**required**" in row}
    assert required == set(schema()["required"])


def test_what_has_no_effect_is_marked_in_its_row_and_listed():
    marked = {name for name, row in rows().items() if "No effect yet." in row}
    fields = {name for name in NOT_YET if not name.startswith("strategy: ")}
    whole = {name for name in marked if name.partition(".")[0] not in NOT_YET or "." not in name}
    assert whole == fields
    listed = PAGE.partition("## What has no effect yet")[2]
    assert set(re.findall(r"`([a-z_.]+(?:: [a-z]+)?)`", listed)) >= NOT_YET


def test_fields_that_a_tier_may_override_and_variables_of_commands_are_listed():
    line = next(line for line in PAGE.splitlines() if line.startswith("These fields may differ"))
    assert set(re.findall(r"`([a-z_]+)`", line)) == EXECUTION_FIELDS
    for name in CONTRACT_KEYS:
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (PROSE.replace(" metric_direction", ""), "metric_direction"),
        (PROSE.replace(" metric_direction", " metric_direction goal"), "goal"),
        (PROSE.replace(" metric_direction", " metric_direction colour"), "colour"),
        (PROSE.replace("<!-- no-effect -->", ""), "no-effect"),
        (PROSE.replace("<!-- no-effect -->", "<!-- no-effect --><!-- weather -->"), "weather"),
    ],
    ids=["a field left out", "named twice", "unknown", "a list left out", "an unknown list"],
)
def test_prose_that_forgets_repeats_or_invents_something_is_refused(broken, named):
    assert broken != PROSE
    with pytest.raises(ValueError, match=named):
        reference.filled(broken)


def test_a_field_that_is_new_in_the_schema_is_missed(monkeypatch):
    wider = {**schema(), "properties": {**schema()["properties"], "colour": {"type": "string"}}}
    monkeypatch.setattr(reference, "schema", lambda: wider)
    with pytest.raises(ValueError, match="colour"):
        reference.render()


def test_the_example_is_a_spec_and_the_search_space_beside_it_is_one():
    mapping = validate(load_yaml(block("yaml").encode(), source="SPEC.yaml"))
    assert not parse_space(mapping["search_space"], source="SPEC.yaml").size()
    space = parse_space(json.loads(block("json")), source="search_space.json")
    assert {dimension.kind for dimension in space.dimensions} == {
        *("float", "int", "categorical", "bool")
    }
    assert {key for rule in json.loads(block("json")).values() for key in rule} == {
        *("type", "low", "high", "log", "step", "choices", "when")
    }


def test_the_limits_of_failure_are_those_of_the_policy():
    for sentence in (
        f"{policy.ASK_AFTER} failures in a row make the experiment `awaiting-human`",
        f"and {policy._PAUSE_AFTER} `paused`",
        f"it is {policy._BURST_LIMIT}, or the first {policy._NEVER_WORKED_LIMIT} of",
        f"after {RECENT_RUNS} `infra` in a row",
    ):
        assert sentence in PAGE
    assert MOST_RETRIES == 2
    assert "again up to twice" in PAGE


def test_the_outcomes_that_count_as_failures_today_are_named():
    line = next(line for line in PAGE.splitlines() if line.startswith("Failures are"))
    named = {Outcome(name) for name in re.findall(r"`([a-z-]+)`", line)}
    later = {Outcome.TAMPERED, Outcome.OUT_OF_BOUNDS}
    assert named - {Outcome.SUCCESS} == {item for item in Outcome if item.is_failure} - later


def test_every_cadence_on_the_page_is_understood():
    text = PAGE.partition("**Cadence.**")[2].partition("**Turns.**")[0]
    words = [word for word in re.findall(r"`([^`]+)`", text) if not word.startswith("-")]
    words = [word for word in words if word not in ("run_once", "burst")]
    assert len(words) == 5
    for word in words:
        assert cadence.check(word.replace("<number>", "10")) is None, word
    for unit in re.findall(r"`-([a-z]+)`", text):
        assert cadence.check(f"every-2-{unit}") is None, unit


def test_the_kinds_of_configuration_files_are_named():
    names = {language.name for language in LANGUAGES.values()}
    for name in names:
        assert name in PAGE.partition("### How parameters reach the command")[2]


def test_every_workspace_mode_is_explained():
    for mode in schema()["properties"]["workspace_mode"]["enum"]:
        assert mode is None or f"| `{mode}` | " in PAGE
