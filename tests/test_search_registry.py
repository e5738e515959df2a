"""Strategies by name: the lab's own, those of packages, and names that do not exist."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from hermes.errors import RequestError, UnknownName
from hermes.exchange import Answer
from hermes.model import Direction
from hermes.search.base import Consultant, SearchContext, Strategy
from hermes.search.generated_spaces import small_space
from hermes.search.registry import GROUP, check, known, make
from hermes.spec import STRATEGIES

PLUGIN = """
class HillClimb:
    name = "hill-climb"

    def __init__(self, context):
        self.seed = context.seed

    def tell(self, trial):
        pass

    def ask(self, number, pending=()):
        return None


class Half:
    name = "half"

    def __init__(self, context):
        pass
"""
ENTRY_POINTS = """
[hermes_lab.strategies]
hill-climb = lab_test_plugin:HillClimb
half = lab_test_plugin:Half
gone = lab_test_plugin_gone:Nothing
misspelt = lab_test_plugin:HillClimp
random = lab_test_plugin:HillClimb
"""


def context() -> SearchContext:
    return SearchContext(small_space(), Direction.MINIMIZE, seed=5)


def ready(name: str) -> SearchContext:
    """Return a context with what the strategy cannot do without."""
    if name != "llm":
        return context()
    agent = Consultant(lambda command, minutes: lambda prompt: Answer(""))
    return replace(context(), options={"command": "agent"}, agent=agent)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that brings strategies."""
    (tmp_path / "lab_test_plugin.py").write_text(PLUGIN)
    info = tmp_path / "lab_test_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-test-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lab_test_plugin", raising=False)


@pytest.mark.parametrize("name", ["random", "grid", "perturb", "tree"])
def test_the_labs_own_strategies_are_made_by_name(name):
    check(name)
    strategy = make(name, context())
    assert isinstance(strategy, Strategy)
    assert strategy.name == name
    assert strategy.ask(1) is not None


def test_only_strategies_that_can_be_made_are_known():
    for name in known():
        if metadata.entry_points(group=GROUP, name=name):
            continue  # brought by a package of this environment
        make(name, ready(name))
    assert set(STRATEGIES) <= set(known())


def test_an_unknown_name_is_answered_with_the_nearest():
    for refuse in (check, lambda name: make(name, context())):
        with pytest.raises(UnknownName) as caught:
            refuse("randon")
        assert "'randon'" in caught.value.message
        assert caught.value.remedy == "Did you mean 'random'?"


def test_a_name_like_no_other_is_answered_with_all():
    with pytest.raises(UnknownName) as caught:
        make("zzzz", context())
    assert "grid" in caught.value.remedy
    assert "random" in caught.value.remedy


@pytest.mark.usefixtures("package")
def test_a_package_brings_a_strategy_by_an_entry_point():
    assert "hill-climb" in known()
    check("hill-climb")
    strategy = make("hill-climb", context())
    assert strategy.name == "hill-climb"
    assert strategy.seed == 5


@pytest.mark.usefixtures("package")
def test_a_package_cannot_take_a_name_of_the_labs_own():
    assert type(make("random", context())).__name__ == "RandomSearch"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("name", ["gone", "misspelt"])
def test_a_package_that_cannot_be_loaded_is_named(name):
    for refuse in (check, lambda name: make(name, context())):
        with pytest.raises(RequestError, match=f"'{name}'.*cannot be loaded"):
            refuse(name)


@pytest.mark.usefixtures("package")
def test_what_is_no_strategy_is_refused():
    with pytest.raises(RequestError, match=r"'half' lacks name, tell or ask"):
        make("half", context())


def test_a_strategy_is_imported_when_it_is_made():
    code = (
        "import sys; before = set(sys.modules);"
        "import hermes.search.registry as r; r.check('grid');"
        "print([m for m in ('hermes.search.random_search', 'importlib.metadata', 'hypothesis',"
        " 'fractions', 'hermes.search.contract') if m in set(sys.modules) - before])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "[]"
