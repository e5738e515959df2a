"""SPECs: what is accepted, what is refused and how, what is stored, and what is read back."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filled_templates import TEMPLATES, filled_in
from jsonschema import Draft202012Validator
from records import plain

from hermes import codec
from hermes.errors import BrokenFile, ExitCode, SpecError
from hermes.layout import Layout
from hermes.model import Direction, Priority
from hermes.spec import (
    EXECUTION_FIELDS,
    FIELDS,
    NOT_YET,
    SPEC_PATHS,
    STRATEGY_GROUP,
    Acceptance,
    AgentBudget,
    Guard,
    Spec,
    StopConditions,
    base_field,
    fields_without_effect,
    split_tier_key,
)
from hermes.store.specs import checkpoint, load, prepare
from hermes.validation import schema
from hermes.yaml_text import load_yaml

PARTED = ("acceptance", "agent_budget", "stop_conditions")
LEAST = """\
# what we try
id: demo            # its name
goal: find it
metric: loss
metric_direction: minimize
"""
EVERYTHING = """\
id: all-fields
mode: search
goal: |
  Find it,
  in two lines.
metric: val/loss
metric_direction: minimize
priority: high
autonomous: no
cadence: every-10-minutes
time_budget_minutes: 1e-1
max_iterations_total: 10
max_iterations_per_run: 2
max_parallel: 3
max_failure_streak: 4
tags: [a, b]
notify: mail -s lab me
parent_experiment: demo
estimated_runtime_minutes: 2
known_good_config: {rate: 0.1}
outputs: [a table]
workspace_root: code
workspace_mode: copy
require_clean_workspace: on
setup_command: make
baseline_command: [make, base]
executor_command: python3 run.py {rate}
mutation_command: ./mutate
validation_command: ./check
holdout_command: ./holdout
acceptance_rule: Better, and simple.
acceptance:
  min_improvement: 1e-3
  relative: yes
  repeats: 3
  confidence: 0.9
  max_repeats: 9
  guards: {memory: {max: 100}, speed: {min: 1, max: 2.5}}
promotion_strategy: commit-on-accept
mutable_paths: ["src/*.py"]
read_only_paths: [bench.py]
ingress_files: [data/**]
egress_files: [out.json]
artifacts_expected: [out.json]
constraints: ["Be kind: always."]
worker_roles: [scout, builder]
strategy: grid
strategy_options: {points: 5}
search_space: {rate: {type: float, low: 1e-3, high: 1}}
seed: 7
params_file: conf/a.yaml
agent_provider: command
agent_model: best
agent_effort: high
agent_instruction_file: AGENT.md
agent_base_url: http://localhost:1
agent_background: false
agent_budget: 2
fidelity_tiers: [proxy, mid-1, full]
initial_fidelity_tier: mid-1
fidelity_promotion_rule: top-k
promote_after_successes: 2
promote_top_k: 4
reduction_factor: 2
executor_class: local
stop_conditions:
  - plateau_after_consecutive_low_signal_runs: 5
  - {hard_stop_after_days: 7, target_value: 0.5, max_wall_hours: 2.5, max_cost: 10}
escalate_when: [breakthrough_found]
proxy_executor_command: [python3, fast.py]
proxy_time_budget_minutes: 2
mid-1_egress_files: [mid.json]
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a workspace in it; its path has a space and an accent."""
    folder = tmp_path / "my côde"
    (folder / "code").mkdir(parents=True)
    return folder


@pytest.fixture
def prepared(place):
    def prepare_text(text, *, experiment=None, data_root=None):
        source = place / "spec.yaml"
        source.write_bytes(text if isinstance(text, bytes) else text.encode())
        root = data_root or place / "lab-data"
        return prepare(source, experiment=experiment, data_root=root)

    return prepare_text


@pytest.fixture
def refused(prepared):
    def refuse_text(text, **how):
        with pytest.raises(SpecError) as caught:
            prepared(text, **how)
        assert caught.value.exit_code is ExitCode.REQUEST
        lines = str(caught.value).split("\n")
        assert len(lines) == 2
        return lines

    return refuse_text


@pytest.fixture
def stored(tmp_path):
    """Put a SPEC.yaml where an experiment has it, and give that experiment's layout."""

    def store_text(text, name="demo"):
        layout = Layout(tmp_path / "data").experiment(name)
        layout.checkpoints.mkdir(parents=True, exist_ok=True)
        layout.spec.write_bytes(text if isinstance(text, bytes) else text.encode())
        return layout

    return store_text


def test_four_fields_make_a_spec_and_the_rest_has_defaults(prepared):
    spec = prepared(LEAST).spec
    assert spec == Spec("demo", "find it", "loss", Direction.MINIMIZE)
    assert (spec.priority, spec.autonomous, spec.time_budget_minutes) == (Priority.NORMAL, True, 60)
    assert (spec.tiers, spec.first_tier, spec.has_command) == (("default",), "default", False)


def test_every_field_is_accepted_and_typed(prepared, place):
    spec = prepared(EVERYTHING).spec
    written = set(load_yaml(EVERYTHING.encode(), source="s").data)
    assert written & FIELDS == FIELDS
    assert spec.goal == "Find it,\nin two lines.\n"
    assert (spec.autonomous, spec.require_clean_workspace) == (False, True)
    assert spec.time_budget_minutes == 0.1
    assert isinstance(spec.estimated_runtime_minutes, float)
    assert spec.baseline_command == ("make", "base")
    assert spec.acceptance == Acceptance(
        0.001, True, 3, 0.9, 9, {"memory": Guard(max=100.0), "speed": Guard(1.0, 2.5)}
    )
    assert spec.stop_conditions == StopConditions(5, 7.0, 0.5, 2.5, 10.0)
    assert spec.agent_budget == AgentBudget(usd=2.0)
    assert spec.workspace_root == str(place / "code")
    assert spec.agent_instruction_file == str(place / "AGENT.md")
    assert spec.params_file == "conf/a.yaml"
    assert spec.search_space == {"rate": {"type": "float", "low": 0.001, "high": 1}}


def test_an_agent_budget_is_a_mapping_or_dollars_alone(prepared):
    whole = "agent_budget: {runs: 40.0, tokens: 2000000, usd: 20, minutes: 90}"
    assert prepared(LEAST + whole).spec.agent_budget == AgentBudget(40, 2_000_000, 20.0, 90.0)
    assert prepared(LEAST + "agent_budget: {runs: 0}").spec.agent_budget == AgentBudget(runs=0)
    assert prepared(LEAST + "agent_budget: 0.5").spec.agent_budget == AgentBudget(usd=0.5)
    for unset in ("", "agent_budget:"):
        assert prepared(LEAST + unset).spec.agent_budget == AgentBudget()


def test_no_field_is_left_as_its_default_by_a_spec_that_sets_them_all(prepared):
    spec = prepared(EVERYTHING).spec
    same = {"executor_class", "agent_background"}
    for item in dataclasses.fields(Spec):
        if item.default is not dataclasses.MISSING and item.name not in same:
            assert getattr(spec, item.name) != item.default, item.name


def test_the_tiers_of_a_spec_override_its_fields(prepared):
    spec = prepared(EVERYTHING).spec
    assert spec.first_tier == "mid-1"
    assert [spec.next_tier(t) for t in ("proxy", "mid-1", "full", "none")] == [
        "mid-1",
        "full",
        None,
        None,
    ]
    proxy = spec.at_tier("proxy")
    assert proxy.executor_command == ("python3", "fast.py")
    assert proxy.time_budget_minutes == 2.0
    assert isinstance(proxy.time_budget_minutes, float)
    assert proxy.egress_files == ("out.json",)
    assert spec.at_tier("mid-1").egress_files == ("mid.json",)
    assert spec.at_tier("full") == spec
    assert spec.at_tier("full").time_budget_minutes == 0.1


# The schema


def test_the_schema_is_one_and_describes_every_field():
    Draft202012Validator.check_schema(schema())
    assert set(schema()["properties"]) == FIELDS
    for name, rule in schema()["properties"].items():
        assert rule["description"].endswith("."), name


def test_the_defaults_in_the_schema_are_those_of_the_record():
    written = plain(Spec("a", "b", "c", Direction.MINIMIZE))
    for name, rule in schema()["properties"].items():
        if name in PARTED or name in ("id", "goal", "metric", "metric_direction"):
            continue
        assert written[name] in (rule.get("default"), [], {}), name
    for name, rule in schema()["properties"]["acceptance"]["properties"].items():
        if "default" in rule:
            assert written["acceptance"][name] == rule["default"]


def test_every_execution_field_and_no_other_may_differ_by_tier():
    patterns = {pattern: rule["$ref"] for pattern, rule in schema()["patternProperties"].items()}
    assert {ref.removeprefix("#/properties/") for ref in patterns.values()} == EXECUTION_FIELDS
    for pattern, ref in patterns.items():
        assert re.search(pattern, "my_tier-2_" + ref.removeprefix("#/properties/"))
        assert not any(re.search(pattern, name) for name in FIELDS)


def test_no_plain_field_reads_as_a_tier_and_a_field():
    assert not [name for name in FIELDS if split_tier_key(name)]
    assert base_field("low_fi_setup_command") == "setup_command"


def test_the_strategies_of_packages_are_found_where_the_registry_looks():
    from hermes.search.registry import GROUP

    assert GROUP == STRATEGY_GROUP


# Refusals: line, key, remedy


@pytest.mark.parametrize(
    ("line", "first", "second"),
    [
        ("metric_directon: minimize", "metric_directon: unknown key.", "metric_direction"),
        ("seeed: 1", "seeed: unknown key.", "Did you mean seed?"),
        ("zzzz: 1", "zzzz: unknown key.", "templates"),
        ("Priority: high", "Priority: unknown key.", "priority"),
        ("priority: hihg", "'hihg' is not allowed", "Did you mean high?"),
        ("priority: 5", "expected text, found the number 5", "Allowed: urgent, high"),
        ("workspace_mode: inplace", "'inplace' is not allowed", "Did you mean in-place?"),
        ("workspace_mode: docker", "'docker' is not allowed", "Allowed: auto, git, copy, in-place"),
        ("autonomous: maybe", "expected true or false, found the text 'maybe'", "true or false"),
        ("time_budget_minutes: soon", "expected a number, found the text 'soon'", "Minutes"),
        ("time_budget_minutes: 0", "must be more than 0, found 0", "Minutes"),
        ("time_budget_minutes: -1", "must be more than 0", "Minutes"),
        ("time_budget_minutes: .inf", "not a finite number", "Quote"),
        ("max_iterations_total: 1.5", "expected a whole number, found the number 1.5", "runs"),
        ("max_iterations_total: 0", "must be at least 1, found 0", "runs"),
        ("seed: -1", "must be at least 0", "seed"),
        ("tags: one", "expected a list, found the text 'one'", "Write it as a list: [one]"),
        ("tags: [1]", "tags[0]: expected text, found the number 1", 'in quotes: "1"'),
        ("tags: [[a]]", "tags[0]: expected text, found the list", "."),
        ("mode: true", "expected text, found true", '"true"'),
        ("executor_command: {a: b}", "expected text or a list", "Runs one iteration"),
        ("executor_command: [python3, 5]", "executor_command[1]: expected text", '"5"'),
        ("executor_command: []", "must not be empty", "Runs one iteration"),
        ("executor_command: ' '", "not allowed", "Write a command."),
        ("acceptance: {repeat: 3}", "acceptance.repeat: unknown key.", "Did you mean repeats?"),
        ("agent_budget: a lot", "agent_budget: expected a number or a mapping", "US dollars"),
        ("agent_budget: -1", "agent_budget: must be at least 0", "US dollars"),
        ("agent_budget: {}", "agent_budget: must not be empty", "runs, tokens"),
        ("agent_budget: {dollars: 3}", "agent_budget.dollars: unknown key.", "usd, minutes"),
        ("agent_budget: {runs: 1.5}", "agent_budget.runs: expected a whole number", "Runs"),
        ("agent_budget: {minutes: -2}", "agent_budget.minutes: must be at least 0", "Minutes"),
        ("acceptance: {zzz: 3}", "acceptance.zzz: unknown key.", "Known here: min_improvement"),
        ("acceptance: {confidence: 1}", "acceptance.confidence: must be less than 1", "sure"),
        ("acceptance: {repeats: 3, max_repeats: 2}", "max_repeats: must be at least", "3 or more"),
        ("acceptance: {guards: {m: {}}}", "acceptance.guards.m: must not be empty", "min"),
        ("stop_conditions: {target: 3}", "stop_conditions.target: unknown key.", "target_value"),
        ("stop_conditions: [{max_cot: 3}]", "[0].max_cot: unknown key.", "mean max_cost?"),
        ("stop_conditions: [target_value]", "[0]: expected a mapping", "target_value: 0.9"),
        ("stop_conditions: [{max_cost: 1}, {max_cost: 2}]", "[1].max_cost: given twice", "one"),
        ("escalate_when: [breakthru_found]", "not allowed", "Did you mean breakthrough_found?"),
        ("cadence: every-10-minuts", "neither a known cadence nor a cron", "every-10-minutes"),
        ("cadence: every-0-minutes", "neither a known cadence", "hourly"),
        ("cadence: '61 * * * *'", "neither a known cadence nor a cron", "five cron fields"),
        ("cadence: '* * * * * *'", "neither a known cadence nor a cron", "five cron fields"),
        ("cadence: 10", "expected text, found the number 10", '"10"'),
        ("worker_roles: [../x]", "worker_roles[0]: '../x' is not allowed", "lower-case letters"),
        ("worker_roles: []", "must not be empty", "hats"),
        ("fidelity_tiers: [a, a]", "the same item twice", "Remove one"),
        ("fidelity_tiers: [A B]", "fidelity_tiers[0]: 'A B' is not allowed", "lower-case"),
        ("initial_fidelity_tier: full", "no tier 'full'", "Name the tiers in fidelity_tiers"),
        ("proxy_seed: 1", "proxy_seed: there is no tier 'proxy'", "Name the tiers"),
        ("strategy: bayesan", "there is no strategy 'bayesan'", "Did you mean bayesian?"),
        ("parent_experiment: ../x", "'../x' is not allowed", "lower-case letters"),
        ("mutable_paths: [/etc/passwd]", "[0]: '/etc/passwd' is not allowed", "workspace"),
        ("mutable_paths: [a/../../b]", "is not allowed", "without `..`"),
        ("egress_files: [..]", "is not allowed", "without `..`"),
        ('ingress_files: ["a\\nb"]', "is not allowed", "relative to the workspace"),
        ("params_file: ../conf.yaml", "is not allowed", "relative to the workspace"),
        ("params_file: /conf.yaml", "is not allowed", "relative to the workspace"),
        ('workspace_root: "code\\n"', "is not allowed", "one line"),
        ('workspace_root: "co\\0de"', "NUL", "Remove it."),
        ("workspace_root: ''", "is not allowed", "one line"),
        ("workspace_root: nowhere", "there is no folder ", "Create it"),
        ("workspace_root: spec.yaml", "there is no folder ", "Create it"),
        ("search_space: nowhere.json", "there is no file ", "Create it"),
        ("executor_command: <command>", "'<command>' is still a blank", "Fill it in"),
        ("tags: [<a tag>]", "tags[0]: '<a tag>' is still a blank", "Fill it in"),
    ],
)
def test_a_wrong_line_is_named_with_its_key_and_its_remedy(line, first, second, refused):
    key = re.match(r"\w+", line)[0]
    message, remedy = refused(LEAST + "\n" + line)
    assert message.startswith(f"spec.yaml:7: {key}")
    assert first in message
    assert second in remedy


@pytest.mark.parametrize(
    ("line", "first", "second"),
    [
        ("poxy_seed: 1", "there is no tier 'poxy'", "Did you mean proxy?"),
        ("other_seed: 1", "there is no tier 'other'", "are: proxy, full"),
        ("proxy_sed: 1", "unknown key.", "Did you mean proxy_seed?"),
        ("proxy_strategy: grid", "unknown key.", ""),
        ("proxy_seed: x", "expected a whole number, found the text 'x'", "chance"),
        ("proxy_executor_command: []", "must not be empty", "Runs one iteration"),
        ("proxy_workspace_root: nowhere", "there is no folder", "Create it"),
        ("initial_fidelity_tier: ful", "there is no tier 'ful'", "Did you mean full?"),
    ],
)
def test_a_wrong_line_of_a_tier_is_named_too(line, first, second, refused):
    message, remedy = refused(LEAST + "fidelity_tiers: [proxy, full]\n" + line)
    assert message.startswith(f"spec.yaml:7: {line.partition(':')[0]}: {first}")
    assert second in remedy


@pytest.mark.parametrize("key", ["id", "goal", "metric", "metric_direction"])
def test_a_field_without_default_is_missed(key, refused):
    without = re.sub(rf"(?m)^{key}:.*\n", "", LEAST)
    message, remedy = refused(without)
    assert re.fullmatch(rf"spec\.yaml:\d+: {key}: missing\.", message)
    assert remedy.startswith("Add it.")
    emptied = re.sub(rf"(?m)^{key}:.*\n", f"{key}:\n", LEAST)
    assert "missing" in refused(emptied)[0]


def test_the_misspelt_key_is_named_before_the_one_that_it_leaves_missing(refused):
    message, remedy = refused(LEAST.replace("metric_direction", "metric_directon"))
    assert message == "spec.yaml:5: metric_directon: unknown key."
    assert remedy == "Did you mean metric_direction?"


def test_a_key_given_twice_is_refused_with_both_lines(refused):
    message, remedy = refused(LEAST + "goal: another\n")
    assert message == "spec.yaml:6: goal: given twice, first on line 3."
    assert remedy == "Remove one of the two."


UNSAFE_IDS = [
    "../x",
    "..",
    ".",
    "/absolute",
    "a/b",
    "a\\b",
    "x" * 300,
    "x" * 65,
    "Upper",
    "with space",
    "-x",
    "x-",
    ".hidden",
    "é",
    "a\n",
    "a,b",
    "a*",
    "~",
    "lab",
    "all",
    "null",
    "con",
    "com1",
]


@pytest.mark.parametrize("name", UNSAFE_IDS)
def test_an_unsafe_id_is_refused_wherever_it_comes_from(name, refused):
    written = f"id: {json.dumps(name)}"
    message, remedy = refused(LEAST.replace("id: demo", written))
    assert message.startswith("spec.yaml:2: id: ")
    assert remedy
    message, remedy = refused(LEAST, experiment=name)
    assert message.startswith("id: ")
    assert remedy


@pytest.mark.parametrize("name", ["''", "' '", "12", "[a]", "true"])
def test_an_id_that_is_no_word_is_refused(name, refused):
    assert refused(LEAST.replace("id: demo", f"id: {name}"))[0].startswith("spec.yaml:2: id: ")


def test_an_empty_id_on_the_command_is_refused(refused):
    assert refused(LEAST, experiment="")[0].startswith("id: ")


@pytest.mark.parametrize("name", ["a", "a1", "x" * 64, "a.b_c-d", "0"])
def test_a_plain_id_is_fine(name, prepared):
    assert prepared(LEAST, experiment=name).id == name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# nothing\n",
        b"\xff\xfe\x00",
        b"x" * 100_000,
        b"a: &a [x, x]\nb: &b [*a, *a]\n" * 3,
        b"[]",
        b"id: [",
        b"\x00",
    ],
)
def test_what_is_no_spec_at_all_is_refused(data, refused):
    assert refused(data)[0].startswith("spec.yaml:")


def test_a_file_that_cannot_be_read_is_a_wrong_request(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "none.yaml", tmp_path, tmp_path / "pipe", tmp_path / ("x" * 300)):
        with pytest.raises(SpecError) as caught:
            prepare(source, experiment=None, data_root=tmp_path / "data")
        assert len(str(caught.value).split("\n")) == 2


@pytest.mark.parametrize(
    "line",
    [
        "cadence: hourly",
        "cadence: every-1-minute",
        "cadence: every-48-hours",
        "cadence: '*/5 9-17 * * mon-fri'",
        "time_budget_minutes: 1e-3",
        "max_iterations_total: 10.0",
        "autonomous: No",
        "executor_command:",
        "acceptance:",
        "acceptance: {relative: off}",
        "tags: [no, on, 'true', 2026-01-01]",
        "executor_command: [python3, '-c', 'print(1)']",
        "stop_conditions: {target_value: 0.5}",
        "strategy: perturb",
        "mutable_paths: ['src/**/*.py', ./a..b, '..c']",
        "initial_fidelity_tier: default",
        "default_seed: 3",
    ],
)
def test_what_users_write_is_accepted(line, prepared):
    prepared(LEAST + line)


def test_words_stay_words_where_no_boolean_belongs(prepared):
    assert prepared(LEAST + "tags: [no, on]").spec.tags == ("no", "on")
    assert prepared(LEAST + "autonomous: No").spec.autonomous is False


def test_a_count_written_as_10_0_is_10(prepared):
    assert repr(prepared(LEAST + "max_iterations_total: 10.0").spec.max_iterations_total) == "10"


# What is stored


def test_comments_survive_and_relative_paths_are_stored_absolute(prepared, place):
    (place / "space.json").write_text("{}")
    text = LEAST + (
        "workspace_root: ./code/../code  # where it is\n"
        "search_space: space.json # what is searched\n"
        "known_good_config: good.yaml\n"
        "mutable_paths: [src/*.py]  # stays\n"
    )
    found = prepared(text).text.decode()
    assert found == text.replace("./code/../code", f'"{place}/code"').replace(
        "space.json", f'"{place}/space.json"'
    ).replace("good.yaml", f'"{place}/good.yaml"')


def test_another_id_is_stored_in_place_of_the_first(prepared):
    assert prepared(LEAST, experiment="other").text.decode() == LEAST.replace("demo", '"other"')
    assert prepared(LEAST, experiment="demo").text.decode() == LEAST
    without = LEAST.replace("id: demo            # its name\n", "")
    again = prepared(without, experiment="other")
    assert again.text.decode() == without.replace("goal", 'id: "other"\ngoal')
    assert again.spec.id == "other"


def test_a_wrong_id_in_the_file_does_no_harm_when_another_is_asked_for(prepared):
    assert prepared(LEAST.replace("id: demo", "id: ../x"), experiment="fine").id == "fine"


def test_lines_are_those_of_the_users_file_also_when_an_id_is_put_in(refused):
    without = LEAST.replace("id: demo            # its name\n", "")
    assert refused(without + "seed: x", experiment="b")[0].startswith("spec.yaml:5: seed")


def test_the_folder_one_stands_in_does_not_matter(place, tmp_path, monkeypatch):
    (place / "spec.yaml").write_text(LEAST + "workspace_root: code")
    texts = set()
    for folder, source in (
        (place, "spec.yaml"),
        (tmp_path, "my côde/spec.yaml"),
        ("/", place / "spec.yaml"),
    ):
        monkeypatch.chdir(folder)
        found = prepare(Path(source), experiment=None, data_root=tmp_path / "data")
        texts.add(found.text)
        assert found.spec.workspace_root == str(place / "code")
    assert len(texts) == 1


def test_the_paths_of_tiers_are_stored_absolute_too(prepared, place):
    (place / "small").mkdir()
    text = LEAST + "workspace_root: code\nfidelity_tiers: [low]\nlow_workspace_root: small\n"
    assert prepared(text).spec.at_tier("low").workspace_root == str(place / "small")


def test_a_link_in_a_path_keeps_its_sense(prepared, place):
    (place / "elsewhere" / "deep").mkdir(parents=True)
    (place / "elsewhere" / "twin").mkdir()
    (place / "link").symlink_to(place / "elsewhere" / "deep")
    assert prepared(LEAST + "workspace_root: link").spec.workspace_root == str(place / "link")
    found = prepared(LEAST + "workspace_root: link/../twin").spec.workspace_root
    assert Path(found).samefile(place / "elsewhere" / "twin")


def test_a_home_folder_is_spelled_out(prepared, place, monkeypatch):
    monkeypatch.setenv("HOME", str(place))
    assert prepared(LEAST + "workspace_root: ~/code").spec.workspace_root == str(place / "code")


def test_a_search_space_is_looked_for_beside_the_spec_then_in_the_workspace(prepared, place):
    text = LEAST + "search_space: s.json\nworkspace_root: code\n"
    (place / "code" / "s.json").write_text("{}")
    assert prepared(text).spec.search_space == str(place / "code" / "s.json")
    (place / "s.json").write_text("{}")
    assert prepared(text).spec.search_space == str(place / "s.json")


def test_a_workspace_inside_the_data_root_is_refused_and_the_reverse_is_fine(
    prepared, refused, place
):
    text = LEAST + "workspace_root: code"
    assert "inside the data root" in refused(text, data_root=place)[0]
    assert "inside the data root" in refused(text, data_root=place / "code")[0]
    (place / "link").symlink_to(place / "code")
    assert "inside the data root" in refused(text, data_root=place / "link")[0]
    linked = text.replace("code", "link")
    assert "inside the data root" in refused(linked, data_root=place / "code")[0]
    prepared(text, data_root=place / "code" / "lab-data")
    prepared(text, data_root=place / "cod")


def test_a_folder_whose_name_is_not_text_is_refused(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    (folder / "spec.yaml").write_text(LEAST + "known_good_config: x")
    with pytest.raises(SpecError, match="path that can be written"):
        prepare(folder / "spec.yaml", experiment=None, data_root=tmp_path / "data")


def test_preparing_writes_nothing(prepared, place, tmp_path):
    prepared(LEAST)
    assert sorted(path.name for path in place.iterdir()) == ["code", "spec.yaml"]


# What has no effect yet


def test_fields_without_effect_are_named_in_one_line(prepared):
    (notice,) = prepared(
        LEAST + "max_parallel: 2\nacceptance: {min_improvement: 1, repeats: 3}\nstrategy: tree\n"
        "notify: mail\n"
    ).notices
    assert notice == "No effect yet: notify."
    assert prepared(LEAST + "strategy: random\nexecutor_class: local\nseed: 3").notices == ()


def test_tier_fields_without_effect_are_named_as_written(monkeypatch):
    monkeypatch.setattr("hermes.spec.NOT_YET", {"agent_budget"})
    mapping = {"low_agent_budget": 1, "low_seed": 3, "low_executor_class": "gpu"}
    assert fields_without_effect(mapping) == ["low_agent_budget", "low_executor_class: gpu"]


def test_what_is_said_to_have_no_effect_exists():
    names = {entry.partition(".")[0].partition(":")[0] for entry in NOT_YET}
    assert names <= FIELDS
    parts = {entry.partition(".")[2] for entry in NOT_YET if entry.startswith("acceptance.")}
    assert parts < {item.name for item in dataclasses.fields(Acceptance)}


# What is read back


@pytest.mark.parametrize("text", [LEAST, EVERYTHING])
def test_a_stored_spec_reads_back_the_same_with_and_without_its_checkpoint(
    text, prepared, stored, monkeypatch
):
    ready = prepared(text)
    layout = stored(ready.text, ready.id)
    parsed = load(layout)
    assert parsed.spec == ready.spec
    assert parsed.sha256 == codec.digest(ready.text)
    layout.parsed_spec.write_bytes(checkpoint(parsed))
    monkeypatch.setattr("hermes.store.specs._parsed", None)
    again = load(layout)
    assert again == parsed
    assert checkpoint(again) == checkpoint(parsed)


def test_a_checkpoint_spares_yaml_and_jsonschema(prepared, stored):
    ready = prepared(EVERYTHING)
    layout = stored(ready.text, ready.id)
    layout.parsed_spec.write_bytes(checkpoint(load(layout)))
    program = (
        "import sys; from hermes.layout import Layout; from hermes.store.specs import load\n"
        f"load(Layout(__import__('pathlib').Path({str(layout.folder.parent.parent)!r}))"
        ".experiment('all-fields'))\n"
        "print(sorted({'yaml', 'jsonschema', 'cronsim', 'hermes.validation'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"garbage\xff",
        lambda data: b"[" * 10_000,
        lambda data: data.replace(b"find it", b"lose it"),
        lambda data: codec.to_line({"schema_version": 1, "sha256": "0" * 64, "spec": {}}),
        lambda data: codec.to_line({**codec.parse_line(data), "schema_version": 0}),
        lambda data: codec.to_line({**codec.parse_line(data), "spec": "x"}),
    ],
)
def test_a_damaged_or_foreign_checkpoint_is_left_aside(damage, stored):
    layout = stored(LEAST)
    loaded = load(layout)
    layout.parsed_spec.write_bytes(damage(checkpoint(loaded)))
    assert load(layout) == loaded


def test_a_checkpoint_that_is_a_folder_is_left_aside(stored):
    layout = stored(LEAST)
    layout.parsed_spec.mkdir()
    assert load(layout).spec.id == "demo"


def test_an_edited_spec_is_read_anew(stored):
    layout = stored(LEAST)
    layout.parsed_spec.write_bytes(checkpoint(load(layout)))
    stored(LEAST + "seed: 5")
    assert load(layout).spec.seed == 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the file is empty"),
        (LEAST + "sed: 1", "line 6: sed: unknown key."),
        (b"\xff", "line 1: not UTF-8"),
        (LEAST + "workspace_root: here", "line 6: workspace_root: 'here' is relative."),
        (LEAST.replace("demo", "other"), "its id is 'other'"),
        (b"x" * 100_000, "line 1: larger than 64 KiB"),
    ],
)
def test_a_broken_spec_of_an_experiment_is_named_with_reason_and_remedy(text, reason, stored):
    layout = stored(text)
    with pytest.raises(BrokenFile) as caught:
        load(layout)
    assert caught.value.path == str(layout.spec)
    assert caught.value.reason.startswith(reason)
    message, remedy = str(caught.value).split("\n")
    assert message.startswith(f"{layout.spec}: ")
    assert remedy


def test_a_spec_that_is_missing_or_no_file_is_broken(stored):
    layout = stored(LEAST)
    layout.spec.unlink()
    with pytest.raises(BrokenFile, match="missing"):
        load(layout)
    layout.spec.mkdir()
    with pytest.raises(BrokenFile):
        load(layout)
    layout.spec.rmdir()
    os.mkfifo(layout.spec)
    with pytest.raises(BrokenFile, match="not a file"):
        load(layout)


def test_a_workspace_that_has_gone_does_not_break_the_spec(stored):
    assert load(stored(LEAST + "workspace_root: /gone")).spec.workspace_root == "/gone"


def test_path_fields_exist():
    assert SPEC_PATHS <= FIELDS


# Templates

SIX = {
    "autoresearch-generic",
    "code-autoresearch",
    "local-agent-autoresearch",
    "multifidelity-autoresearch",
    "research-sprint",
    "hyperparameter-search",
}


def test_the_templates_are_the_six_that_are_promised():
    assert {path.stem for path in TEMPLATES.glob("*.yaml")} == SIX


@pytest.mark.parametrize("name", sorted(SIX))
def test_a_template_filled_in_as_its_comments_say_is_a_spec(name, prepared):
    text = (TEMPLATES / f"{name}.yaml").read_text()
    ready = prepared(filled_in(text))
    assert ready.spec.workspace_root
    assert ready.spec.has_command
    assert "# " in ready.text.decode()


@pytest.mark.parametrize("name", sorted(SIX))
def test_a_template_names_the_schema_and_its_blanks_are_noticed(name, refused):
    text = (TEMPLATES / f"{name}.yaml").read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)[1]
    assert json.loads((TEMPLATES / named).read_text()) == schema()
    assert "is still a blank" in refused(text)[0]


@pytest.mark.parametrize("name", sorted(SIX))
def test_an_editor_finds_no_fault_in_a_filled_template(name):
    data = load_yaml(filled_in((TEMPLATES / f"{name}.yaml").read_text()).encode(), source="s").data
    assert not list(Draft202012Validator(schema()).iter_errors(data))
