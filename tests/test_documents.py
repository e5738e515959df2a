from __future__ import annotations

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

from hermes.cli.commands import COMMANDS
from hermes.errors import EXIT_MEANINGS
from hermes.layout import PROJECTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "AGENTS.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "templates").glob("*.md")),
]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(?:doit|hermes-lab) ([a-z_]+)((?: [a-z_]+=[^ `]+)*)`")
DOIT_WORDS = {"list", "info", "help", "run", "check", "manifest"}


def blocks(page):
    return BLOCK.findall((ROOT / page).read_text())


@pytest.mark.parametrize(("page", "most"), [("README.md", 150), ("AGENTS.md", 60)])
def test_pages_that_are_read_every_time_stay_short(page, most):
    assert len((ROOT / page).read_text().splitlines()) <= most


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_named_in_a_page_exists_with_its_variables(page):
    for command, variables in INLINE.findall(page.read_text()):
        assert command in COMMANDS or command in DOIT_WORDS, command
        for name in re.findall(r"([a-z_]+)=", variables):
            assert COMMANDS[command].variable(name), f"{command} {name}="


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


def test_the_format_page_names_every_projection_and_event():
    page = (ROOT / "docs" / "FORMAT.md").read_text()
    for name in ("STATUS.json", "metrics.jsonl", "journal.jsonl", "LAB-INDEX.json"):
        assert name in page
    for name in PROJECTIONS:
        assert name in (ROOT / "templates" / "README-FIRST.md").read_text(), name


def test_the_documents_speak_of_the_project_alone():
    for page in PAGES:
        assert not re.search(r"/(?:work|root|tmp)/", page.read_text()), page
