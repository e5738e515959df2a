"""The lab installs as the README says, and the wheel needs no checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest
from packing import ROOT, build, checkout, kept_files, paste, pasted, readme_lines

EXAMPLE = "hermes/bundled/examples/optimize-function/spec.yaml"
QUICK_START = f"""
hermes-lab init
hermes-lab create spec="$SITE/{EXAMPLE}"
hermes-lab burst exp=optimize-rosenbrock strategy=random n=2
hermes-lab run_once
hermes-lab status
"""


# The README's two lines


def test_the_readme_begins_with_a_line_for_the_demo_and_one_for_the_tests():
    first, second = readme_lines()
    begins = "python3 -m venv .venv && .venv/bin/pip install -q "
    assert first == begins + ". && .venv/bin/doit demo"
    assert second == begins + "-e '.[dev]' && .venv/bin/python -m pytest"


STUB = """#!/bin/sh
case "$*" in "-c import ensurepip"*) exit 0;; esac
echo "${0##*/} $*" >> "$LOG"
[ "$*" = "-m venv .venv" ] && mkdir -p .venv/bin && cp "$0" .venv/bin/pip \\
    && cp "$0" .venv/bin/python && cp "$0" .venv/bin/doit
[ "$LITTER" ] && touch litter
[ "${0##*/} $*" != "$FAILING" ]
"""
PARTS = [
    "python3 -m venv .venv",
    "pip install -q -e .[dev]",
    "python -m pytest",
    "doit check",
    "python -m pytest -m slow",
]


@pytest.fixture
def ci(tmp_path):
    """Return a function that runs ``.ci/run`` where every program only says how it was called."""
    folder, log, programs = tmp_path / "checkout", tmp_path / "log", tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").write_text(STUB)
    (programs / "python3").chmod(0o755)
    for name in ("README.md", ".gitignore", ".ci/run"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    pasted("git init -q", folder)

    def run(**environ: str) -> tuple[int, list[str]]:
        path = f"{programs}:{os.environ['PATH']}"
        done = paste("bash .ci/run", folder, environ={"PATH": path, "LOG": str(log), **environ})
        return done.returncode, log.read_text().splitlines()

    return run


def test_ci_runs_the_readmes_second_line_as_it_stands_then_the_other_checks(ci):
    assert ci() == (0, PARTS)


@pytest.mark.parametrize("failing", ["python -m pytest", "doit check", "python -m pytest -m slow"])
def test_ci_fails_when_a_part_fails_and_runs_the_others(ci, failing):
    assert ci(FAILING=failing) == (1, PARTS)


def test_ci_fails_when_the_tests_cannot_be_installed(ci):
    code, called = ci(FAILING="pip install -q -e .[dev]")
    assert code == 1
    assert "python -m pytest" not in called


def test_ci_fails_when_a_file_is_left_behind(ci):
    assert ci(LITTER="1") == (1, PARTS)


# What is in the wheel


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return the wheel's content, where an installer would put it."""
    folder = tmp_path_factory.mktemp("site")
    wheel = build(ROOT, tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_holds_the_package_the_examples_and_the_templates_and_no_more(site):
    wanted = {name for name in kept_files() if name.startswith("hermes/")}
    wanted |= {
        f"hermes/bundled/{name}"
        for name in kept_files()
        if name.startswith(("examples/", "templates/"))
    }
    schemas = {name for name in wanted if name.startswith("hermes/schema/")}
    wanted |= {f"hermes/bundled/{name}" for name in schemas}
    found = {name for name in files_in(site) if ".dist-info/" not in name}
    assert found == wanted
    assert EXAMPLE in found


def test_the_schema_that_a_template_names_is_there_in_the_wheel_too(site):
    templates = sorted((site / "hermes" / "bundled" / "templates").glob("*.yaml"))
    assert templates
    for template in templates:
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", template.read_text())
        assert named, template.name
        schema = json.loads((template.parent / named[1]).read_text())
        assert schema == json.loads((site / "hermes" / "schema" / "spec.schema.json").read_text())


def test_the_wheel_says_what_it_needs_and_what_it_brings(site):
    (info,) = site.glob("*.dist-info")
    metadata = Parser().parsestr((info / "METADATA").read_text())
    needed = {
        re.split(r"[^\w-]", line)[0].lower()
        for line in metadata.get_all("Requires-Dist")
        if "extra ==" not in line
    }
    assert needed == {"doit", "pyyaml", "jsonschema", "cronsim", "tqdm", "tomli", "tzdata"}
    brought = (info / "entry_points.txt").read_text()
    assert "hermes-lab = hermes.rules:main" in brought
    assert "[doit.BACKEND]\nhermes = hermes.cli.taskdb:TaskDatabase" in brought
    assert "licenses/LICENSE" in {str(PurePosixPath(name)) for name in files_in(info)}


def test_the_wheels_content_does_the_quick_start_from_any_folder(site, tmp_path):
    # A stand-in for what pip makes of the entry point.
    program = tmp_path / "bin" / "hermes-lab"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hermes "$@"\n')
    program.chmod(0o755)
    stood = tmp_path / "any folder"
    stood.mkdir()
    environ = {
        "SITE": str(site),
        "PYTHONPATH": str(site),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    said = pasted(QUICK_START, stood, environ=environ)
    assert "optimize-rosenbrock: 2 runs, 2 succeeded." in said
    assert [path.name for path in stood.iterdir()] == ["lab-data"]
    spec = (stood / "lab-data" / "experiments" / "optimize-rosenbrock" / "SPEC.yaml").read_text()
    assert str(site) in spec
    for name in ("README-FIRST.md", "PROGRAM.md", "CHANGELOG.md"):
        assert (stood / "lab-data" / name).read_text() == (ROOT / "templates" / name).read_text()


# For real, with pip


def assert_is_the_demos(said: str, folder: Path) -> str:
    """Check the words and return the commands that come next, to be pasted."""
    assert re.search(r"^40 runs of optimize-rosenbrock, 40 succeeded\.$", said, re.MULTILINE)
    assert re.search(r"^Best loss: 0\.\d+ with x=\S+, y=\S+\.$", said, re.MULTILINE)
    assert (folder / "demo-data" / "README-FIRST.md").is_file()
    where, _, following = said.partition("Next, try:\n")
    assert (folder / where.splitlines()[-1].strip() / "manifest.json").is_file()
    return following


@pytest.mark.slow
def test_the_readmes_first_line_installs_and_runs_the_demo(tmp_path):
    folder = checkout(tmp_path / "hermes lab")
    first, _ = readme_lines()
    following = assert_is_the_demos(pasted(first, folder), folder)
    assert len(following.splitlines()) == 3
    said = pasted(following, folder)
    assert "1 experiment (1 active), 40 runs" in said
    assert "optimize-rosenbrock: 50 runs, 50 succeeded." in said
    assert pasted("git status --porcelain", folder) == ""
    assert_is_the_demos(pasted(first, folder), folder)  # once more, it goes on
    assert "130 runs" in pasted(following.splitlines()[0] + "\n.venv/bin/doit status", folder)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return the environment into which pip installed a wheel of a checkout that is gone."""
    folder = tmp_path_factory.mktemp("installed")
    checkout(folder / "checkout")
    pasted("python3 -m venv env && env/bin/pip wheel -q --no-deps -w . ./checkout", folder)
    shutil.rmtree(folder / "checkout")
    pasted("env/bin/pip install -q hermes_lab-*.whl", folder)
    return folder / "env"


@pytest.mark.slow
def test_an_installed_wheel_does_the_same_from_any_folder(installed, tmp_path):
    program = installed / "bin" / "hermes-lab"
    following = assert_is_the_demos(pasted(f"{program} demo", tmp_path), tmp_path)
    assert "50 runs, 50 succeeded" in pasted(following, tmp_path)
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    where = "import hermes.shipped; print(hermes.shipped.templates().parents[2])"
    site = pasted(f"python -c '{where}'", tmp_path, environ=environ).strip()
    assert Path(site).is_relative_to(installed)
    said = pasted(QUICK_START, tmp_path, environ={**environ, "SITE": site})
    assert "optimize-rosenbrock: 2 runs, 2 succeeded." in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo-data", "lab-data"]


FOREIGN = """
def task_greet():
    return {"actions": ["echo hello"], "targets": ["nothing"], "uptodate": [True]}
"""


@pytest.mark.slow
def test_doit_elsewhere_does_not_notice_that_the_lab_is_installed(installed, tmp_path):
    doit = installed / "bin" / "doit"
    done = paste(f"{doit} list", tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Could not find dodo file" in done.stderr
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "dodo.py").write_text(FOREIGN)
    assert pasted(f"{doit} list", tmp_path).split() == ["greet"]
    assert pasted(f"{doit} greet any=variable", tmp_path) == ".  greet\n"
    assert not any("hermes" in path.name for path in tmp_path.rglob("*"))
