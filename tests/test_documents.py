from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from labs import hermes

from hermes.analysis.findings import (
    Failure,
    Findings,
    Importance,
    Level,
    Method,
    Missing,
    NearMiss,
    NearMisses,
    Parameter,
    Plateau,
    StrategyShare,
    TierFindings,
    Verdict,
)
from hermes.blackboard import Blackboard, InFlight
from hermes.cli.commands import COMMANDS
from hermes.decisions import Asked, Intent, JournalRecord
from hermes.discoveries import Discovery, StrategyTally
from hermes.errors import EXIT_MEANINGS
from hermes.exchange import Answer, Attempt, Exchange
from hermes.layout import PROJECTIONS
from hermes.model import (
    Event,
    Execution,
    FileDigest,
    IndexLine,
    Lease,
    Manifest,
    Proposal,
    RunMetrics,
    Trial,
    Usage,
)
from hermes.search.space import parse_space
from hermes.spec import FIELDS
from hermes.status import Approval, AsOf, Status
from hermes.store.lease_files import Beat
from hermes.validation import validate
from hermes.yaml_text import load_yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "AGENTS.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "templates").glob("*.md")),
]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(?:doit|hermes-lab) ([a-z_]+)((?: [a-z_]+=[^ `]+)*)`")
DOIT_WORDS = {"list", "info", "help", "run", "check", "manifest", "reference"}
IN_BLOCK = re.compile(r"(?:^|[ /])(?:doit|hermes-lab) ([a-z_]+)((?: [a-z_]+=\S+)*)", re.MULTILINE)
IN_TABLE = re.compile(r"`([a-z_]+)`|`([a-z_]+) ([a-z_]+=[^`]*)`")


def blocks(page):
    return BLOCK.findall((ROOT / page).read_text())


@pytest.mark.parametrize(("page", "most"), [("README.md", 150), ("AGENTS.md", 60)])
def test_pages_that_are_read_every_time_stay_short(page, most):
    assert len((ROOT / page).read_text().splitlines()) <= most


def check_command(command, variables):
    assert command in COMMANDS or command in DOIT_WORDS, command
    for name in re.findall(r"([a-z_]+)=", variables):
        assert COMMANDS[command].variable(name), f"{command} {name}="


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_named_in_a_page_exists_with_its_variables(page):
    named = INLINE.findall(page.read_text())
    for text in blocks(page):
        named += IN_BLOCK.findall(text)
    for command, variables in named:
        check_command(command, variables)


def test_the_table_of_commands_in_the_readme_is_true_and_names_them_all():
    table = (ROOT / "README.md").read_text().partition("| Command | Does |")[2].partition("\n\n")[0]
    cells = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `")]
    named = set()
    for cell in cells:
        shared = re.findall(r"`([a-z_]+=[A-Z]+)`", cell)
        for plain, command, variables in IN_TABLE.findall(cell):
            check_command(plain or command, " ".join((variables, *shared)))
            named.add(plain or command)
    assert named == set(COMMANDS) - {"demo"}  # which has a chapter of its own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_quick_start_of_the_readme_runs_as_it_stands(tmp_path):
    commands = next(block for block in blocks("README.md") if "doit create" in block)
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".venv", ".git", "lab-data", "demo-data", ".hypothesis")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    bin_folder = Path(sys.executable).parent
    environ = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    environ.pop("HERMES_LAB_DATA_ROOT", None)
    result = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=checkout,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "optimize-rosenbrock: 20 runs, 20 succeeded" in result.stdout
    assert "optimize-rosenbrock" in (checkout / "lab-data" / "LAB-STATUS.md").read_text()


def test_the_commands_of_the_agents_page_work(tmp_path):
    root = tmp_path / "lab-data"
    spec = ROOT / "examples" / "optimize-function" / "spec.yaml"
    for words in ("init", f"create spec={spec}", "burst exp=optimize-rosenbrock n=2"):
        assert hermes(root, *words.split()).returncode == 0
    for words in (
        "status format=json",
        "experiments format=json",
        "show exp=optimize-rosenbrock format=json",
        "analyze exp=optimize-rosenbrock format=json",
        "watchdog format=json",
    ):
        result = hermes(root, *words.split())
        assert result.returncode == 0, (words, result.stderr)
        json.loads(result.stdout)
    for words in ("recover", "pause exp=optimize-rosenbrock reason=lunch", "run_once"):
        assert hermes(root, *shlex.split(words)).returncode == 0


def test_the_exit_codes_stand_the_same_in_every_table():
    page = (ROOT / "AGENTS.md").read_text()
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", page, re.MULTILINE))
    assert rows == {str(int(code)): meaning for code, meaning in EXIT_MEANINGS.items()}
    manifest = json.loads((ROOT / "LAB_MANIFEST.json").read_text())
    assert {str(code) for code in rows} == set(manifest["exit_codes"])


def test_the_format_page_names_tests_that_exist():
    page = (ROOT / "docs" / "FORMAT.md").read_text()
    for module, sentence in re.findall(r"\[([a-z_]+)\.([a-z_0-9]+)\]", page):
        path = ROOT / "tests" / f"test_{module}.py"
        assert path.is_file(), module
        assert f"def test_{sentence}(" in path.read_text(), f"{module}.{sentence}"


def test_the_format_page_names_every_field_of_every_record():
    page = (ROOT / "docs" / "FORMAT.md").read_text()
    words = set(re.findall(r"[a-z_0-9]+", page))
    records = (Manifest, RunMetrics, IndexLine, JournalRecord, Event, Lease, Beat)
    people = (Approval, Asked, Proposal, Exchange, Attempt, Answer)
    views = (*people, Status, AsOf, Blackboard, InFlight, Trial, Discovery, StrategyTally)
    found = (Findings, TierFindings, Plateau, NearMisses, NearMiss, Importance, Parameter, Failure)
    for record in (*records, Execution, Usage, FileDigest, *views, *found, StrategyShare, Level):
        for item in dataclasses.fields(record):
            assert item.name in words, f"{record.__name__}.{item.name}"


def test_the_format_page_names_every_word_that_an_analysis_may_say():
    answer = (ROOT / "docs" / "FORMAT.md").read_text().partition("## 11.")[2]
    for word in (*Verdict, *Method, *Missing):
        assert f"`{word.value}`" in answer, word


def test_the_format_page_names_just_the_events_and_intents_that_are_written():
    page = (ROOT / "docs" / "FORMAT.md").read_text()
    code = "".join(path.read_text() for path in (ROOT / "hermes").rglob("*.py"))
    kinds = re.findall(r"^\| `([a-z]+)` \| .+ \|$", page.partition("## 10.")[2], re.MULTILINE)
    assert set(kinds) == set(re.findall(r"\.record\(\s*\"([a-z]+)\"", code))
    written = set(re.findall(r"\bintent=Intent\.([A-Z]+)", code))
    assert {item.value for item in Intent} - {name.lower() for name in written} == {"tier", "note"}
    assert "`tier` and `note` are understood, and nothing writes them yet" in page


def test_the_page_on_the_architecture_names_what_is_there():
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    floors = page.partition("hermes/\n")[2].partition("```")[0]
    named = re.findall(r"(?<![\w.])([a-z_]+(?:\.py|/))(?=\s)", floors)
    assert len(named) > 20
    for name in named:
        assert (ROOT / "hermes" / name).exists(), name
    packages = {f"{path.parent.name}/" for path in (ROOT / "hermes").glob("*/__init__.py")}
    assert packages <= set(named)


def test_what_is_commented_out_in_the_template_of_a_search_is_valid_too():
    text = (ROOT / "templates" / "hyperparameter-search.yaml").read_text()
    opened = re.sub(r"^( *)# ([a-z_]+: [{a-z])", r"\1\2", text, flags=re.MULTILINE)
    opened = opened.replace("<name>", "a").replace("<direction>", "minimize")
    mapping = validate(load_yaml(re.sub(r"<[a-z]+>", "x", opened).encode(), source="template"))
    space = parse_space(mapping["search_space"], source="template")
    assert {"optimizer", "momentum", "dropout"} < set(space.names)
    assert mapping["params_file"] == "config/train.yaml"


@pytest.mark.parametrize("path", sorted((ROOT / "templates").iterdir()), ids=lambda path: path.name)
def test_a_template_names_no_command_that_does_not_exist(path):
    for command in re.findall(r"\b([a-z]+_[a-z]+) exp=|`([a-z]+_[a-z]+)`", path.read_text()):
        assert set(command) - {""} <= {*COMMANDS, *FIELDS}
    assert "set_fidelity" not in path.read_text()


def test_the_format_page_names_every_projection_and_event():
    page = (ROOT / "docs" / "FORMAT.md").read_text()
    for name in ("STATUS.json", "metrics.jsonl", "journal.jsonl", "LAB-INDEX.json"):
        assert name in page
    for name in PROJECTIONS:
        assert name in (ROOT / "templates" / "README-FIRST.md").read_text(), name


def test_the_documents_speak_of_the_project_alone():
    for page in PAGES:
        assert not re.search(r"/(?:work|root|tmp)/", page.read_text()), page
