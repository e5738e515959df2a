"""No command imports what it does not use: importing is most of what a short one costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from labs import ENVIRON, a_lab, an_experiment

WATCHED = """
import atexit, sys
atexit.register(lambda: print("\\n".join(sorted(sys.modules)), file=sys.stderr))
from hermes.rules import main
main()
"""
CODE_LOOP = (
    "hermes.acceptance",
    "hermes.agents",
    "hermes.executing.candidate",
    "hermes.executing.code_run",
    "hermes.executing.surface",
    "hermes.steps.kept",
    "hermes.steps.ruling",
    "hermes.submission",
)
STEPS = ("hermes.executing", "hermes.search", "hermes.modes", "hermes.steps.seal", "hermes.state")
LIBRARIES = ("numpy", "optuna", "nevergrad", "rich", "jsonschema", "yaml", "dask", "plotly")


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (("run_once",), (*CODE_LOOP, *LIBRARIES)),
        (("burst", "exp=exp", "n=2"), (*CODE_LOOP, *LIBRARIES)),
        (("status",), (*CODE_LOOP, *STEPS, *LIBRARIES)),
        (("experiments",), (*CODE_LOOP, *STEPS, *LIBRARIES)),
    ],
    ids=lambda value: value[0],
)
def test_a_command_on_a_plain_experiment_imports_nothing_of(tmp_path, words, unused):
    root = tmp_path / "lab"
    an_experiment(a_lab(root), tmp_path)
    for _ in range(2):  # the first one projects what is new
        ran = subprocess.run(
            [sys.executable, "-c", WATCHED, *words],
            env={**ENVIRON, "HERMES_LAB_DATA_ROOT": str(root)},
            capture_output=True,
            check=True,
            text=True,
        )
    modules = set(ran.stderr.splitlines())
    assert "hermes.cli.door" in modules
    assert ("hermes.steps.seal" in modules) == (words[0] in ("run_once", "burst"))
    assert modules.isdisjoint(unused)
